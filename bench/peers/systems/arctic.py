"""ArcticDB on LMDB: one frame a table, sorted by date; DuckDB groups and joins what it hands out."""

import arcticdb
import duckdb
import pandas as pd
import pyarrow.parquet as pq
from arcticdb import LibraryOptions, OutputFormat, QueryBuilder

from systems.arrow_questions import (
    AS_OF,
    AS_OF_EACH,
    ASOF_JOIN,
    NEWEST,
    NEWEST_OF_EACH,
    SYMBOL,
    answer,
)
from systems.duck import DuckSystem

DATES = {"reports": "end_date", "bars": "trade_date"}
DAY = (pd.Timestamp(NEWEST), pd.Timestamp(NEWEST))


def frame_of(rows, date):
    """A frame with its date as the index, as ArcticDB wants it; dates are timestamps there."""
    frame = rows.to_pandas(date_as_object=False)
    return frame.set_index(date).sort_index(kind="stable")


class Arctic(DuckSystem):
    version = f"ArcticDB {arcticdb.__version__}, DuckDB {duckdb.__version__}"

    def open(self):
        super().open()
        self.connection.execute("SET asof_loop_join_threshold = 0")
        store = arcticdb.Arctic(f"lmdb://{self.path('store')}?map_size=8GB")
        self.library = store.get_library("bench", True, LibraryOptions(dynamic_schema=False))

    def load(self, table, file):
        self.library.write(table, frame_of(pq.read_table(file), DATES[table]))

    def read(self, table="reports", **options):
        return self.library.read(table, output_format=OutputFormat.PYARROW, **options).data

    def ask(self, question):
        return QUESTIONS[question](self)

    def write(self, file, unchanged):
        """The rows of the period are read, those of the file put into their place, and the period is written."""
        new = frame_of(pq.read_table(file), "end_date").set_index("symbol", append=True)
        stored = self.library.read("reports", date_range=DAY, output_format=OutputFormat.PANDAS).data
        columns = stored.columns
        stored = stored.set_index("symbol", append=True)
        new = new[stored.columns].astype(stored.dtypes)
        kept = stored[~stored.index.isin(new.index)]
        whole = (new if kept.empty else pd.concat([kept, new])).sort_index()
        if unchanged and whole.equals(stored.sort_index()):
            return
        self.library.update("reports", whole.reset_index("symbol")[columns])


def rows_where(column, matches):
    """A filter on one column."""
    query = QueryBuilder()
    return query[matches(query[column])]


def average(system):
    reports = system.read(columns=["m07"])
    return answer(system.connection, "SELECT avg(m07) FROM reports", reports=reports)


def newest(system):
    columns = ["symbol", "m00", "m01", "m02"]
    return system.read(columns=columns, date_range=DAY).select(columns)


def of_symbol(system, columns=None):
    wanted = rows_where("symbol", lambda symbol: symbol == SYMBOL)
    return system.read(columns=columns, query_builder=wanted)


def all_columns(system):
    rows = of_symbol(system)
    names = ["symbol", *(name for name in rows.column_names if name != "symbol")]
    return rows.select(names)


def three_columns(system):
    return of_symbol(system, ["symbol", "m00", "m01"]).select(["end_date", "m00", "m01"])


def newest_of_each(system):
    return answer(system.connection, NEWEST_OF_EACH, reports=system.read(columns=["symbol", "m03"]))


def as_of(system):
    known = rows_where("notice_date", lambda date: date <= pd.Timestamp(AS_OF))
    reports = system.read(columns=["symbol", "notice_date", "m03"], query_builder=known)
    return answer(system.connection, AS_OF_EACH, reports=reports)


def asof_join(system):
    reports = system.read(columns=["symbol", "notice_date", "m05"])
    bars = system.read("bars", columns=["symbol", "close"])
    return answer(system.connection, ASOF_JOIN, reports=reports, bars=bars)


QUESTIONS = {
    "average of one column": average,
    "newest cross-section": newest,
    "one symbol, all columns": all_columns,
    "one symbol, 3 columns": three_columns,
    "newest row of every symbol": newest_of_each,
    "as-of cross-section": as_of,
    "ASOF join of the bars": asof_join,
}
