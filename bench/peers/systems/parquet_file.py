"""One sorted Parquet file a table, written and read by DuckDB."""

import os

from systems.duck import DuckSystem


class ParquetDuckDb(DuckSystem):
    def open(self):
        super().open()
        self.reports = f"read_parquet('{self.path('reports.parquet')}')"
        self.bars = f"read_parquet('{self.path('bars.parquet')}')"

    def load(self, table, file):
        target = self.path(f"{table}.parquet")
        self.connection.execute(f"COPY (FROM read_parquet('{file}')) TO '{target}' (FORMAT parquet)")
        written = os.open(target, os.O_RDONLY)
        os.fsync(written)
        os.close(written)
