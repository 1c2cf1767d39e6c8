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


class NativeReader(DuckSystem):
    """A reader in another process: it opens the file for each question, which the writer's lock refuses."""

    def open(self):
        """Nothing stays open between two questions."""

    def ask(self, question):
        self.connection = connect(self.path("native.duckdb"), read_only=True)
        try:
            return super().ask(question)
        finally:
            self.connection.close()
