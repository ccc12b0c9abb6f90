"""What reads a Delta table: each gives the rows as texts of dictionaries, sorted."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import deltalake
import duckdb
import duckdb_ext
import polars as pl
import pyarrow as pa


def _pyarrow(table: Path) -> pa.Table:
    return deltalake.DeltaTable(table).to_pyarrow_table()


def _deltalake(table: Path) -> pa.Table:
    query = deltalake.QueryBuilder().register("t", deltalake.DeltaTable(table))
    return pa.table(query.execute("select * from t").read_all())


def _polars(table: Path) -> pa.Table:
    return pl.scan_delta(table).collect().to_arrow()


def _duckdb(table: Path) -> pa.Table:
    (extension,) = Path(duckdb_ext.__path__[0]).rglob("delta.duckdb_extension")
    con = duckdb.connect(
        config={"allow_unsigned_extensions": True, "autoinstall_known_extensions": False}
    )
    con.execute("set timezone = 'UTC'")
    con.load_extension(str(extension))
    return con.execute("select * from delta_scan(?)", [str(table)]).fetch_arrow_table()


READERS = {"pyarrow": _pyarrow, "deltalake": _deltalake, "polars": _polars, "duckdb": _duckdb}


def rows_of(reader: str, table: Path) -> list[str]:
    """The rows that a reader sees, each as a text, in one order for all readers."""
    return texts(READERS[reader](table))


def texts(table: pa.Table) -> list[str]:
    """Rows as texts, sorted, without the order of columns and the time zone of instants."""
    return sorted(str(_plain(row)) for row in table.to_pylist())


def _plain(value: Any) -> Any:
    match value:
        case dict():
            # Polars has no maps, but lists of keys with values.
            if set(value) == {"key", "value"}:
                return (value["key"], _plain(value["value"]))
            return {name: _plain(value[name]) for name in sorted(value)}
        case list():
            return [_plain(item) for item in value]
        case datetime.datetime() if value.tzinfo is not None:
            return value.astimezone(datetime.UTC).isoformat()
    return value
