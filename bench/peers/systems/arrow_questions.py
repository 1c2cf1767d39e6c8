"""The questions over columns that a system hands out as Arrow: DuckDB answers what is left to answer."""

import datetime

NEWEST = datetime.date(2025, 9, 30)
AS_OF = datetime.date(2024, 6, 15)
SYMBOL = "603000.SH"

NEWEST_OF_EACH = "SELECT symbol, max(end_date), arg_max(m03, end_date) FROM reports GROUP BY symbol"
AS_OF_EACH = "SELECT symbol, arg_max(m03, end_date) FROM reports GROUP BY symbol"
ASOF_JOIN = """SELECT count(*), sum(b.close / r.m05) FROM bars b ASOF JOIN reports r
    ON b.symbol = r.symbol AND b.trade_date >= r.notice_date"""


def answer(connection, sql, **tables):
    """Asks DuckDB about Arrow tables."""
    for name, table in tables.items():
        connection.register(name, table)
    return connection.execute(sql).to_arrow_table()
