"""Each type of Spark: what is read back is what was written, or it is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pytest
from common import whole
from pyspark.sql import SparkSession

# An expression for each, over the numbers 0 to 2 in the column id; and one that is null.
TYPES = {
    "boolean": "id % 2 = 0",
    "byte": "cast(id - 1 as byte)",
    "short": "cast(id - 1 as short)",
    "int": "cast(id - 1 as int)",
    "long": "id - 9223372036854775807",
    "float": "cast(id as float) / 3",
    "double": "id / 3",
    "nan": "if(id = 0, double('nan'), -0.0)",
    "decimal": "cast(id as decimal(10, 2))",
    "wide decimal": "cast(id / 7 as decimal(38, 18))",
    "text": "concat('ü', id)",
    "char": "cast('ab' as char(5))",
    "binary": "cast(cast(id as string) as binary)",
    "date": "date_add(date'1582-01-01', cast(id as int))",
    "timestamp": "timestamp'1950-03-04 05:06:07.123456' + make_dt_interval(cast(id as int))",
    "timestamp without zone": "timestamp_ntz'1950-03-04 05:06:07.123456'",
    "time": "time'12:34:56.789'",
    "array": "array(id, null)",
    "map": "map('a', id, 'b', null)",
    "struct": "named_struct('x', id, 'y', array(timestamp'2020-01-01 00:00:00'))",
    "nested": "array(map('a', named_struct('b', if(id = 1, null, array(id)))))",
    "null": "null",
}


@pytest.mark.parametrize("name", TYPES)
def test_values_come_back_as_they_were(spark: SparkSession, root: Path, name: str) -> None:
    value = TYPES[name]
    rows = spark.range(0, 3, numPartitions=2).selectExpr("id", f"{value} as v")
    rows = rows.unionByName(spark.range(3, 4, numPartitions=1).selectExpr("id", "null as v"))
    rows.write.format("atomic").mode("append").save(str(root))
    back = spark.read.parquet(str(root))
    # Spark reads a column of nulls as numbers, and more digits of a time.
    if name not in ("null", "time"):
        assert back.dtypes == rows.dtypes
    assert _texts(back.collect()) == _texts(rows.collect())
    assert ds.dataset(root).to_table().num_rows == 4


def _texts(rows: list[Any]) -> list[str]:
    return sorted(map(str, rows))


def test_zones_of_a_session_are_instants_in_the_files(spark: SparkSession, root: Path) -> None:
    zone = spark.conf.get("spark.sql.session.timeZone")
    written = "timestamp'2013-01-31 23:30:00 America/New_York'"
    try:
        for other in ("America/New_York", "Etc/UTC"):
            spark.conf.set("spark.sql.session.timeZone", other)
            rows = spark.range(1).selectExpr("id", f"{written} as at")
            place = str(root / other.replace("/", "-"))
            save = rows.write.format("atomic").mode("append")
            save.option("partition_by", "date(at)").save(place)
            # As Spark itself tells the date of the instant.
            (directory,) = Path(place).glob("date=*")
            date = rows.selectExpr("cast(to_date(at) as string)").first()
            assert date is not None
            assert directory.name == f"date={date[0]}"
            assert spark.read.parquet(place).where(f"at = {written}").count() == 1
    finally:
        spark.conf.set("spark.sql.session.timeZone", zone or "UTC")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("parse_json('1')", "to_json\\(column\\)"),
        ("array(named_struct('a', parse_json('1')))", "'v.element.a'"),
        ("interval '1-2' year to month", "YearMonthIntervalType"),
    ],
)
def test_what_arrow_does_not_have_is_refused(
    spark: SparkSession, root: Path, value: str, said: str
) -> None:
    rows = spark.range(1).selectExpr("id", f"{value} as v")
    with pytest.raises(Exception, match=said):
        rows.write.format("atomic").mode("append").save(str(root))
    assert not root.exists()


def test_a_duration_is_a_duration_to_arrow_and_a_number_to_spark(
    spark: SparkSession, root: Path
) -> None:
    rows = spark.range(1).selectExpr("interval '1 02:03:04.5' day to second as v")
    rows.write.format("atomic").mode("append").save(str(root))
    assert str(ds.dataset(root).schema.field("v").type) == "duration[us]"
    read = spark.read.parquet(str(root)).first()
    assert read is not None
    assert read["v"] == ((26 * 60 + 3) * 60 + 4.5) * 1_000_000


@whole
def test_the_adapter_is_typed() -> None:
    config = Path(__file__).parents[2] / "pyproject.toml"
    modules = ["-p", "atomic_arrow.spark", "-p", "pyspark_atomic"]
    command = [sys.executable, "-m", "mypy", "--config-file", str(config), *modules]
    done = subprocess.run(command, capture_output=True, text=True, cwd=config.parent / "engines")
    assert done.returncode == 0, done.stdout + done.stderr
