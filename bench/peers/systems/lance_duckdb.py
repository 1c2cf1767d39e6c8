"""The tables of lance_dataset.py, asked in SQL through DuckDB's lance extension."""

import duckdb
import lance

from systems.duck import DuckSystem, connect


class LanceDuckDb(DuckSystem):
    version = f"Lance {lance.__version__}, DuckDB {duckdb.__version__}"

    def open(self):
        self.connection = connect(extensions=["lance"])
        self.reports = f"'{self.path('reports.lance')}'"
        self.bars = f"'{self.path('bars.lance')}'"

    def reopen(self):
        """The extension keeps a dataset as it first saw it; a new connection sees the newest."""
        self.connection.close()
        self.open()
