"""A native table in a .duckdb file."""

from systems.duck import DuckSystem, connect, merge_sql, value_columns


class Native(DuckSystem):
    def open(self):
        self.connection = connect(self.path("native.duckdb"))

    def load(self, table, file):
        self.connection.execute(f"CREATE TABLE {table} AS FROM read_parquet('{file}')")
        self.connection.execute("CHECKPOINT")

    def write(self, file, unchanged):
        values = value_columns(self.connection, file)
        self.connection.execute(merge_sql("reports", file, values, unchanged))
