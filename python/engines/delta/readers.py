"""What reads a Delta table: each gives the rows as texts of dictionaries, sorted."""

from __future__ import annotations

from pathlib import Path

import deltalake
import polars as pl
import pyarrow as pa
from table_checks import duckdb_with, texts


def _pyarrow(table: Path) -> pa.Table:
    return deltalake.DeltaTable(table).to_pyarrow_table()


def _deltalake(table: Path) -> pa.Table:
    query = deltalake.QueryBuilder().register("t", deltalake.DeltaTable(table))
    return pa.table(query.execute("select * from t").read_all())


def _polars(table: Path) -> pa.Table:
    return pl.scan_delta(table).collect().to_arrow()


def _duckdb(table: Path) -> pa.Table:
    con = duckdb_with("delta")
    return con.execute("select * from delta_scan(?)", [str(table)]).fetch_arrow_table()


READERS = {"pyarrow": _pyarrow, "deltalake": _deltalake, "polars": _polars, "duckdb": _duckdb}


def rows_of(reader: str, table: Path) -> list[str]:
    """The rows that a reader sees, each as a text, in one order for all readers."""
    return texts(READERS[reader](table))
