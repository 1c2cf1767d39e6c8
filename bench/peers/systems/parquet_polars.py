"""One sorted Parquet file a table, written by DuckDB as the other one is, read by Polars."""

import os

import polars as pl

from systems.arrow_questions import AS_OF, NEWEST, SYMBOL
from systems.parquet_file import ParquetDuckDb


class ParquetPolars(ParquetDuckDb):
    version = f"Polars {pl.__version__}"

    def scan(self, table):
        return pl.scan_parquet(os.path.join(self.root, f"{table}.parquet"))

    def ask(self, question):
        return QUESTIONS[question](self.scan("reports"), self.scan("bars")).collect()

    def arrow(self, answer):
        return answer.to_arrow()


def newest_of_each(reports):
    newest = pl.col("m03").sort_by("end_date").last()
    return reports.group_by("symbol").agg(pl.col("end_date").max(), newest)


def as_of(reports):
    newest = pl.col("m03").sort_by("end_date").last()
    return reports.filter(pl.col("notice_date") <= AS_OF).group_by("symbol").agg(newest)


def asof_join(reports, bars):
    known = reports.select("symbol", "notice_date", "m05").sort("notice_date")
    joined = bars.select("symbol", "trade_date", "close").sort("trade_date").join_asof(
        known,
        left_on="trade_date",
        right_on="notice_date",
        by="symbol",
        check_sortedness=False,
    )
    found = joined.filter(pl.col("m05").is_not_null())
    return found.select(pl.len(), (pl.col("close") / pl.col("m05")).sum().alias("sum"))


def of_symbol(reports):
    return reports.filter(pl.col("symbol") == SYMBOL).sort("end_date")


QUESTIONS = {
    "average of one column": lambda reports, _: reports.select(pl.col("m07").mean()),
    "newest cross-section": lambda reports, _: reports.filter(pl.col("end_date") == NEWEST).select(
        "symbol", "m00", "m01", "m02"
    ),
    "one symbol, all columns": lambda reports, _: of_symbol(reports),
    "one symbol, 3 columns": lambda reports, _: of_symbol(reports).select("end_date", "m00", "m01"),
    "newest row of every symbol": lambda reports, _: newest_of_each(reports),
    "as-of cross-section": lambda reports, _: as_of(reports),
    "ASOF join of the bars": asof_join,
}
