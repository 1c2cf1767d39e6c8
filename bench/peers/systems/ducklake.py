"""DuckLake with a SQLite catalog."""

from systems.duck import DuckSystem, connect, merge_sql, value_columns


class DuckLake(DuckSystem):
    reports = "lake.reports"
    bars = "lake.bars"

    def open(self):
        self.connection = connect(extensions=["sqlite_scanner", "ducklake"])
        catalog, data = self.path("catalog.sqlite"), self.path("data/")
        self.connection.execute(f"ATTACH 'ducklake:sqlite:{catalog}' AS lake (DATA_PATH '{data}')")
        sql = "SELECT extension_version FROM duckdb_extensions() WHERE extension_name = 'ducklake'"
        self.version = f"{self.version}, ducklake {self.connection.execute(sql).fetchone()[0]}"

    def load(self, table, file):
        self.connection.execute(f"CREATE TABLE lake.{table} AS FROM read_parquet('{file}')")

    def write(self, file, unchanged):
        values = value_columns(self.connection, file)
        self.connection.execute(merge_sql("lake.reports", file, values, unchanged))
