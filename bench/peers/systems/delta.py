"""A Delta table that delta-rs writes, read by DuckDB's delta extension."""

import deltalake
import duckdb
import pyarrow.parquet as pq

from systems.duck import KEY, DuckSystem, any_differs, connect


class Delta(DuckSystem):
    version = f"delta-rs {deltalake.__version__}, DuckDB {duckdb.__version__}"

    def open(self):
        self.connection = connect(extensions=["delta"])

    def load(self, table, file):
        deltalake.write_deltalake(self.path(table), pq.read_table(file))
        self.attach(table)

    def attach(self, table):
        self.connection.execute(f"ATTACH '{self.path(table)}' AS {table} (TYPE delta)")

    def join(self):
        for table in ("reports", "bars"):
            self.attach(table)

    def write(self, file, unchanged):
        rows = pq.read_table(file)
        values = [name for name in rows.column_names if name not in KEY]
        merge = deltalake.DeltaTable(self.path("reports")).merge(
            rows,
            predicate="t.symbol = s.symbol AND t.end_date = s.end_date",
            source_alias="s",
            target_alias="t",
        )
        merge = merge.when_matched_update_all(any_differs(values, "t", "s") if unchanged else None)
        merge.when_not_matched_insert_all().execute()
