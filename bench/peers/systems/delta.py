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
        path = self.path(table)
        deltalake.write_deltalake(path, pq.read_table(file))
        self.connection.execute(f"ATTACH '{path}' AS {table} (TYPE delta)")

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
