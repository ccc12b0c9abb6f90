"""What the tests of table formats check by."""

from __future__ import annotations

import datetime
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import duckdb_ext
import pyarrow as pa
import pytest
from common import printed


def duckdb_with(*extensions: str) -> Any:
    """A connection of DuckDB with extensions, which are not downloaded."""
    con = duckdb.connect(
        config={"allow_unsigned_extensions": True, "autoinstall_known_extensions": False}
    )
    con.execute("set timezone = 'UTC'")
    for extension in extensions:
        (path,) = Path(duckdb_ext.__path__[0]).rglob(f"{extension}.duckdb_extension")
        con.load_extension(str(path))
    return con


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


def watch_syncs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of what is synced from now on."""
    synced = []
    fsync = os.fsync

    def watch(file: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{file}"))
        fsync(file)

    monkeypatch.setattr(os, "fsync", watch)
    return synced


def run_page(section: str, directory: Path) -> None:
    """Runs the Python of one section of the page about tables in a process of its own."""
    script = directory / "page.py"
    script.write_text("\n".join(printed("tables.md", section)))
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, cwd=directory)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (directory / "lake").is_dir()
