"""The views of marketlake in analysis.duckdb, opened as docs/notebook.md says; a process of Node writes the lake."""

from systems.duck import DuckSystem, connect


class Views(DuckSystem):
    def open(self):
        self.connection = connect()
        self.attach()

    def attach(self):
        self.connection.execute(f"ATTACH '{self.path('analysis.duckdb')}' AS lake (READ_ONLY)")
        self.connection.execute("USE lake")

    def reopen(self):
        self.connection.execute("USE memory")
        self.connection.execute("DETACH lake")
        self.attach()
