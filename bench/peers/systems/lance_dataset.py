"""Lance with BTREE indexes on the key, asked through its own scanner; DuckDB groups and joins what it hands out."""

import duckdb
import lance
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from systems.arrow_questions import (
    AS_OF,
    AS_OF_EACH,
    ASOF_JOIN,
    NEWEST,
    NEWEST_OF_EACH,
    SYMBOL,
    answer,
)
from systems.duck import KEY, DuckSystem, any_differs


class Lance(DuckSystem):
    version = f"Lance {lance.__version__}, DuckDB {duckdb.__version__}"

    def open(self):
        super().open()
        self.connection.execute("SET asof_loop_join_threshold = 0")
        self.tables = {}

    def load(self, table, file):
        dataset = lance.write_dataset(pq.read_table(file), self.path(f"{table}.lance"))
        for column in ("symbol", "end_date") if table == "reports" else ("symbol",):
            dataset.create_scalar_index(column, "BTREE")
        self.tables[table] = dataset

    def join(self):
        for table in ("reports", "bars"):
            self.tables[table] = lance.dataset(self.path(f"{table}.lance"))

    def reopen(self):
        for dataset in self.tables.values():
            dataset.checkout_latest()

    def read(self, columns=None, where=None, table="reports"):
        return self.tables[table].to_table(columns=columns, filter=where)

    def ask(self, question):
        return QUESTIONS[question](self)

    def write(self, file, unchanged):
        rows = pq.read_table(file)
        values = [name for name in rows.column_names if name not in KEY]
        merge = self.tables["reports"].merge_insert(list(KEY))
        merge = merge.when_matched_update_all(
            any_differs(values, "target", "source") if unchanged else None
        )
        merge.when_not_matched_insert_all().execute(rows)


def average(system):
    return pa.table({"average": [pc.mean(system.read(["m07"])["m07"]).as_py()]})


def newest(system):
    return system.read(["symbol", "m00", "m01", "m02"], f"end_date = date '{NEWEST}'")


def of_symbol(system, columns=None):
    return system.read(columns, f"symbol = '{SYMBOL}'").sort_by("end_date")


def newest_of_each(system):
    reports = system.read(["symbol", "end_date", "m03"])
    return answer(system.connection, NEWEST_OF_EACH, reports=reports)


def as_of(system):
    known = f"notice_date <= date '{AS_OF}'"
    reports = system.read(["symbol", "end_date", "m03"], known)
    return answer(system.connection, AS_OF_EACH, reports=reports)


def asof_join(system):
    reports = system.read(["symbol", "notice_date", "m05"])
    bars = system.read(["symbol", "trade_date", "close"], table="bars")
    return answer(system.connection, ASOF_JOIN, reports=reports, bars=bars)


QUESTIONS = {
    "average of one column": average,
    "newest cross-section": newest,
    "one symbol, all columns": of_symbol,
    "one symbol, 3 columns": lambda system: of_symbol(system, ["end_date", "m00", "m01"]),
    "newest row of every symbol": newest_of_each,
    "as-of cross-section": as_of,
    "ASOF join of the bars": asof_join,
}
