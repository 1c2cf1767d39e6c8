"""Other engines on Delta tables, one request a line on stdin, one answer a line on stdout.

A request is {"engine", "call", "path", ...}; an answer {"ok": ...} or {"error": "..."}.
Rows come in one form, whatever the engine: see `cell`.
"""

import datetime
import decimal
import json
import math
import struct
import sys
import traceback

import pyarrow as pa


def type_text(t):
    """An Arrow type in Delta's words."""
    plain = {
        pa.int8(): "byte", pa.int16(): "short", pa.int32(): "integer", pa.int64(): "long",
        pa.float32(): "float", pa.float64(): "double", pa.bool_(): "boolean", pa.date32(): "date",
        pa.string(): "string", pa.large_string(): "string", pa.string_view(): "string",
        pa.binary(): "binary", pa.large_binary(): "binary", pa.binary_view(): "binary",
    }
    if t in plain:
        return plain[t]
    if pa.types.is_timestamp(t):
        return "timestamp" if t.tz else "timestamp_ntz"
    if pa.types.is_decimal(t):
        return f"decimal({t.precision},{t.scale})"
    if pa.types.is_map(t):
        return f"map<{type_text(t.key_type)},{type_text(t.item_type)}>"
    if pa.types.is_list(t) or pa.types.is_large_list(t) or pa.types.is_list_view(t):
        return f"array<{type_text(t.value_type)}>"
    if pa.types.is_struct(t):
        return "struct<" + ",".join(f"{f.name}:{type_text(f.type)}" for f in t) + ">"
    return str(t)


def cell(value, t):
    """A value as text that says every bit of it."""
    if value is None:
        return None
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        if math.isnan(value):
            return "NaN"
        return struct.pack(">d", value).hex()
    if isinstance(value, decimal.Decimal):
        return f"{value:.{t.scale}f}"
    if isinstance(value, datetime.datetime):
        text = value.astimezone(datetime.timezone.utc) if value.tzinfo else value
        return text.strftime("%Y-%m-%dT%H:%M:%S.%f").rjust(26, "0")
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    if pa.types.is_map(t):
        return sorted([cell(k, t.key_type), cell(v, t.item_type)] for k, v in value)
    if isinstance(value, dict):
        return {f.name: cell(value[f.name], f.type) for f in t}
    if isinstance(value, list):
        return [cell(item, t.value_type) for item in value]
    return str(value)


def answer(table):
    table = table.combine_chunks()
    names = table.schema.names
    columns = []
    for field in table.schema:
        t = field.type
        values = table.column(field.name)
        if pa.types.is_timestamp(t) and t.unit != "us":
            values = values.cast(pa.timestamp("us", t.tz))
        columns.append([cell(v, t) for v in values.to_pylist()])
    rows = [dict(zip(names, row)) for row in zip(*columns)] if columns else []
    return {"types": {f.name: type_text(f.type) for f in table.schema}, "rows": rows}


def typed(columns, rows):
    """Rows of JSON as an Arrow table; columns are [name, Arrow type]."""
    types = {"long": pa.int64(), "integer": pa.int32(), "string": pa.string(), "double": pa.float64(), "date": pa.date32()}

    def value(kind, v):
        if v is None:
            return None
        if kind in ("long", "integer"):
            return int(v)
        return datetime.date.fromisoformat(v) if kind == "date" else v

    return pa.table({n: pa.array([value(k, r.get(n)) for r in rows], types[k]) for n, k in columns})


class DeltaRs:
    def version(self):
        import deltalake

        return deltalake.__version__

    def read(self, path, **_):
        import deltalake

        table = deltalake.DeltaTable(path)
        return pa.table(deltalake.QueryBuilder().register("t", table).execute("select * from t").read_all())

    def append(self, path, columns, rows, **_):
        import deltalake

        deltalake.write_deltalake(path, typed(columns, rows), mode="append")

    def widen(self, path, columns, rows, **_):
        import deltalake

        deltalake.write_deltalake(path, typed(columns, rows), mode="append", schema_mode="merge")

    def merge(self, path, columns, rows, keys, **_):
        import deltalake

        table = deltalake.DeltaTable(path)
        on = " and ".join(f"t.{k} = s.{k}" for k in keys)
        merge = table.merge(typed(columns, rows), predicate=on, source_alias="s", target_alias="t")
        merge.when_matched_update_all().when_not_matched_insert_all().execute()

    def delete(self, path, where, **_):
        import deltalake

        deltalake.DeltaTable(path).delete(where)

    def optimize(self, path, **_):
        import deltalake

        deltalake.DeltaTable(path).optimize.compact()

    def checkpoint(self, path, **_):
        import deltalake

        deltalake.DeltaTable(path).create_checkpoint()

    def history(self, path, **_):
        import deltalake

        return [[h.get("version"), h.get("operation")] for h in deltalake.DeltaTable(path).history()]


class Polars:
    def version(self):
        import polars

        return polars.__version__

    def read(self, path, **_):
        import polars

        return polars.scan_delta(path).collect().to_arrow()


class DuckDb:
    connection = None

    def connect(self):
        if DuckDb.connection is None:
            import glob
            import os

            import duckdb
            import duckdb_extension_delta

            # The package carries the signed extension, so nothing is fetched.
            folder = os.path.dirname(duckdb_extension_delta.__file__)
            (extension,) = glob.glob(f"{folder}/extensions/*/delta.duckdb_extension")
            DuckDb.connection = duckdb.connect(config={"autoinstall_known_extensions": False})
            DuckDb.connection.execute(f"LOAD '{extension}'; SET TimeZone='UTC'")
        return DuckDb.connection

    def version(self):
        import duckdb

        self.connect()
        return duckdb.__version__

    def read(self, path, **_):
        return pa.table(self.connect().execute("SELECT * FROM delta_scan(?)", [path]).arrow())

    def append(self, path, columns, rows, **_):
        connection = self.connect()
        incoming = typed(columns, rows)  # noqa: F841  Found by its name.
        connection.execute(f"ATTACH '{path}' AS target (TYPE delta)")
        try:
            connection.execute("INSERT INTO target SELECT * FROM incoming")
        finally:
            connection.execute("DETACH target")


class ClickHouse:
    def version(self):
        import chdb

        return chdb.__version__

    def read(self, path, **_):
        import chdb

        data = chdb.query(
            f"SELECT * FROM deltaLakeLocal('{path}') SETTINGS session_timezone='UTC', output_format_arrow_string_as_string=1",
            "ArrowStream",
        )
        return pa.ipc.open_stream(data.bytes()).read_all()


class Spark:
    session = None

    def connect(self):
        if Spark.session is None:
            from delta import configure_spark_with_delta_pip
            from pyspark.sql import SparkSession

            builder = (
                SparkSession.builder.master("local[1]")
                .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
                .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog")
                .config("spark.sql.session.timeZone", "UTC")
                .config("spark.ui.enabled", "false")
                .config("spark.sql.shuffle.partitions", "1")
                .config("spark.databricks.delta.schema.autoMerge.enabled", "true")
            )
            Spark.session = configure_spark_with_delta_pip(builder).getOrCreate()
        return Spark.session

    def version(self):
        return self.connect().version

    def read(self, path, **_):
        return self.connect().read.format("delta").load(path).toArrow()

    def frame(self, columns, rows):
        return self.connect().createDataFrame(typed(columns, rows))

    def append(self, path, columns, rows, **_):
        self.frame(columns, rows).write.format("delta").mode("append").save(path)

    widen = append

    def merge(self, path, columns, rows, keys, **_):
        from delta.tables import DeltaTable

        on = " and ".join(f"t.{k} = s.{k}" for k in keys)
        merge = DeltaTable.forPath(self.connect(), path).alias("t").merge(self.frame(columns, rows).alias("s"), on)
        merge.whenMatchedUpdateAll().whenNotMatchedInsertAll().execute()

    def delete(self, path, where, **_):
        self.connect().sql(f"DELETE FROM delta.`{path}` WHERE {where}")

    def optimize(self, path, **_):
        self.connect().sql(f"OPTIMIZE delta.`{path}`")

    def history(self, path, **_):
        rows = self.connect().sql(f"DESCRIBE HISTORY delta.`{path}`").collect()
        return [[r["version"], r["operation"]] for r in rows]


ENGINES = {"delta-rs": DeltaRs(), "Polars": Polars(), "DuckDB": DuckDb(), "ClickHouse": ClickHouse(), "Spark": Spark()}


def serve(request):
    result = getattr(ENGINES[request.pop("engine")], request.pop("call"))(**request)
    return answer(result) if isinstance(result, pa.Table) else result


def main():
    # Engines print progress of their own; the answers keep the real stdout.
    out = sys.stdout
    sys.stdout = sys.stderr
    for line in sys.stdin:
        try:
            reply = {"ok": serve(json.loads(line))}
        except BaseException as error:  # noqa: BLE001  Whatever an engine throws is an answer.
            reply = {"error": f"{type(error).__name__}: {error}".strip()[:2000], "trace": traceback.format_exc()[-2000:]}
        out.write(json.dumps(reply) + "\n")
        out.flush()


main()
