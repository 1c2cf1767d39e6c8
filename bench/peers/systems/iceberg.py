"""Iceberg tables that pyiceberg writes with a SQLite catalog, read by DuckDB's iceberg_scan."""

import duckdb
import pyarrow.parquet as pq
import pyiceberg
from pyiceberg.catalog.sql import SqlCatalog

from systems.duck import KEY, DuckSystem, connect


class Iceberg(DuckSystem):
    version = f"pyiceberg {pyiceberg.__version__}, DuckDB {duckdb.__version__}"

    def open(self):
        self.connection = connect(extensions=["avro", "iceberg"])
        uri, warehouse = f"sqlite:///{self.path('catalog.sqlite')}", f"file://{self.path('data')}"
        self.catalog = SqlCatalog("bench", uri=uri, warehouse=warehouse)
        self.catalog.create_namespace("bench")

    def load(self, table, file):
        rows = pq.read_table(file)
        self.catalog.create_table(f"bench.{table}", schema=rows.schema).append(rows)
        self.reopen()

    def reopen(self):
        for table in ("reports", "bars"):
            if self.catalog.table_exists(f"bench.{table}"):
                location = self.catalog.load_table(f"bench.{table}").metadata_location
                setattr(self, table, f"iceberg_scan('{location.removeprefix('file://')}')")

    def write(self, file, unchanged):
        self.catalog.load_table("bench.reports").upsert(pq.read_table(file), join_cols=list(KEY))
