"""DuckDB for the systems that are asked through it: extensions from packages, and what they share."""

import glob
import importlib
import os

import duckdb

KEY = ("symbol", "end_date")


def connect(path=":memory:", extensions=(), **options):
    """A connection with extensions that come as Python packages."""
    connection = duckdb.connect(path, config={"allow_unsigned_extensions": True}, **options)
    connection.execute("SET parquet_metadata_cache = true")
    for name in extensions:
        root = os.path.dirname(importlib.import_module(f"duckdb_extension_{name}").__file__)
        pattern = os.path.join(root, "**", "*.duckdb_extension")
        connection.execute(f"LOAD '{glob.glob(pattern, recursive=True)[0]}'")
    return connection


def value_columns(connection, file):
    """The columns of a file that are not its key."""
    described = connection.execute(f"DESCRIBE SELECT * FROM read_parquet('{file}')").fetchall()
    return [row[0] for row in described if row[0] not in KEY]


def any_differs(columns, one, other):
    """Whether a row differs in any column, as a balanced tree: some parsers refuse a chain of 82."""
    if len(columns) == 1:
        return f"({one}.{columns[0]} IS DISTINCT FROM {other}.{columns[0]})"
    middle = len(columns) // 2
    halves = [any_differs(half, one, other) for half in (columns[:middle], columns[middle:])]
    return f"({' OR '.join(halves)})"


def merge_sql(table, file, values, unchanged):
    """An upsert as one MERGE; where rows may be as they were, only those that differ are updated."""
    return f"""MERGE INTO {table} t USING (SELECT * FROM read_parquet('{file}')) n
        ON t.symbol = n.symbol AND t.end_date = n.end_date
        WHEN MATCHED {f"AND {any_differs(values, 't', 'n')}" if unchanged else ""}
        THEN UPDATE SET {", ".join(f"{c} = n.{c}" for c in values)}
        WHEN NOT MATCHED THEN INSERT"""


class DuckSystem:
    """Asked in SQL through a DuckDB connection; answers come as Arrow tables."""

    version = f"DuckDB {duckdb.__version__}"
    reports = "reports"
    bars = "bars"

    def __init__(self, root, questions):
        self.root = root
        self.questions = questions
        os.makedirs(root, exist_ok=True)
        self.open()

    def open(self):
        self.connection = connect()

    def join(self):
        """Takes up tables that another process made; most are found by their names."""

    def reopen(self):
        """Reads what others committed; most do so by themselves."""

    def ask(self, question):
        sql = self.questions[question].replace("{reports}", self.reports).replace("{bars}", self.bars)
        return self.connection.execute(sql).to_arrow_table()

    def arrow(self, answer):
        return answer

    def path(self, *names):
        return os.path.join(self.root, *names)
