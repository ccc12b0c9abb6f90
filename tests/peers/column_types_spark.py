"""column_types_spark.py DIRECTORY

As column_types.py with a reader, for Spark, in whose environment nothing else is installed.
"""

import json
import os
import re
import sys
import time

import canonical

NAMES = {
    "tinyint": "int8", "smallint": "int16", "int": "int32", "bigint": "int64", "float": "float32",
    "double": "float64", "boolean": "bool", "date": "date32", "timestamp": "timestamp[us, UTC]",
    "timestamp_ntz": "timestamp[us]", "void": "null", "time(6)": "time64[us]",
}


def type_name(kind):
    from pyspark.sql import types

    if isinstance(kind, types.ArrayType):
        return f"list<{type_name(kind.elementType)}>"
    if isinstance(kind, types.MapType):
        return f"map<{type_name(kind.keyType)}, {type_name(kind.valueType)}>"
    if isinstance(kind, types.StructType):
        return "struct<" + ", ".join(f"{f.name}: {type_name(f.dataType)}" for f in kind.fields) + ">"
    if isinstance(kind, types.DecimalType):
        return f"decimal({kind.precision}, {kind.scale})"
    name = kind.simpleString()
    return NAMES.get(name, name)


def main():
    os.environ["TZ"] = "UTC"
    time.tzset()
    from pyspark.sql import SparkSession

    (directory,) = sys.argv[1:]
    builder = SparkSession.builder.master("local[1]").appName("types")
    options = {"spark.ui.enabled": "false", "spark.sql.session.timeZone": "UTC",
               "spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1",
               "spark.driver.extraJavaOptions": "-Duser.timezone=UTC",
               "spark.sql.sources.parallelPartitionDiscovery.parallelism": "1"}
    for name, setting in options.items():
        builder = builder.config(name, setting)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("OFF")
    with open(os.path.join(directory, "manifest.json")) as file:
        manifest = json.load(file)
    with open(os.path.join(directory, "truth.json")) as file:
        truth = json.load(file)
    read = {
        "parquet": lambda path: spark.read.parquet(path),
        "csv": lambda path: spark.read.csv(path, header=True, inferSchema=True),
        "ndjson": lambda path: spark.read.json(path),
    }
    found = {}
    for entry in manifest:
        if entry["format"] not in read:
            continue
        try:
            frame = read[entry["format"]](entry["path"])
            kind = type_name(frame.schema["x"].dataType)
            rows = [canonical.value(row["x"]) for row in frame.select("x").collect()]
            if kind in ("float32",):
                rows = [as_float32(row) for row in rows]
            found[entry["id"]] = canonical.compare(truth[entry["id"]], kind, rows, rows)
        except Exception as error:
            text = re.sub(r"\s+", " ", str(error))
            found[entry["id"]] = {"error": f"{type(error).__name__}: {text}"[:200]}
    print(json.dumps(found))
    sys.stdout.flush()
    spark.stop()


def as_float32(row):
    """The shortest decimal that is the same number in 32 bits."""
    import struct

    if row is None or "n" == row or not row.startswith("number ") or row[7:] in ("nan", "inf", "-inf"):
        return row
    wide = float(row[7:])
    for digits in range(1, 10):
        text = f"{wide:.{digits}g}"
        if struct.unpack("f", struct.pack("f", float(text)))[0] == wide:
            return canonical.number(text)
    return row


if __name__ == "__main__":
    main()
