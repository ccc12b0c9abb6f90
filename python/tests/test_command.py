"""The command comes with the package."""

from __future__ import annotations

import datetime
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import atomic_arrow as aa
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import WEATHER

COMMANDS = {
    "module": [sys.executable, "-m", "atomic_arrow"],
    "script": [str(Path(sys.executable).parent / "atomic-arrow")],
}


@pytest.mark.parametrize("form", COMMANDS)
def test_the_command_writes_and_verifies(lake: Path, form: str) -> None:
    command, root = COMMANDS[form], lake / "weather"
    run = lambda *args: subprocess.run([*command, *args], capture_output=True, text=True)
    written = run("write", WEATHER, "--to", root, "--partition-by", "origin")
    assert written.returncode == 0, written.stderr
    assert "26,115 rows in 3 files" in written.stdout
    assert len(pl.read_parquet(root)) == 26_115
    (root / "torn.parquet").write_bytes(b"PAR1")
    assert run("verify", root).returncode == 3
    usage = run("write")
    assert usage.returncode == 2
    assert "Usage: atomic-arrow write" in usage.stderr
    assert run("--version").stdout == f"atomic-arrow {aa.__version__}\n"


def test_an_interrupted_command_publishes_nothing(
    lake: Path, files: Callable[[Path], list[str]]
) -> None:
    """Standard input gives more rows than a pipe holds, and no end."""
    command = [
        *COMMANDS["module"],
        "write",
        "-",
        "--input-format",
        "csv",
        "--to",
        str(lake / "weather"),
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(WEATHER.read_bytes())
        process.stdin.flush()
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
    assert files(lake) == []


@pytest.mark.parametrize("form", COMMANDS)
def test_a_closed_standard_input_is_no_empty_file(lake: Path, form: str) -> None:
    script = shlex.join([*COMMANDS[form], "put", "-", str(lake / "out")]) + " <&-"
    ran = subprocess.run(["sh", "-c", script], capture_output=True, text=True)
    assert (ran.returncode, (lake / "out").exists()) == (1, False), ran.stderr
    assert "it is closed" in ran.stderr


def written(lake: Path, *args: str | Path) -> pa.Table:
    """What the command makes of these inputs and options, read by pyarrow."""
    command = [*COMMANDS["module"], "write", *args, "--to", lake / "out", "--verify", "decode"]
    subprocess.run([*command, "--mode", "overwrite", "-q"], check=True)
    return pq.read_table(lake / "out")


def test_timestamps_of_int96_stay_the_instants_that_they_are(lake: Path) -> None:
    day = datetime.datetime
    instants = [day(2024, 1, 1), None, day(9999, 12, 31, 23, 59, 59, 999_999), day(1, 1, 1)]
    table = pa.table({"t": pa.array(instants, pa.timestamp("us"))})
    options = {"use_deprecated_int96_timestamps": True, "store_schema": False}
    pq.write_table(table, lake / "old.parquet", **options)
    assert written(lake, lake / "old.parquet")["t"].to_pylist() == instants


def test_parquet_inputs_of_other_orders_and_forms_of_text_are_one(lake: Path) -> None:
    pq.write_table(pa.table({"a": [1], "s": ["x"]}), lake / "first.parquet")
    others = {
        "order": pa.table({"s": ["y"], "a": [2]}),
        "large": pa.table({"a": [2], "s": pa.array(["y"], pa.large_string())}),
        "dictionary": pa.table({"a": [2], "s": pa.array(["y"]).dictionary_encode()}),
        "null": pa.table({"a": [2], "s": pa.nulls(1)}),
    }
    for name, table in others.items():
        pq.write_table(table, lake / f"{name}.parquet")
        inputs = [lake / "first.parquet", lake / f"{name}.parquet"]
        expected = [{"a": 1, "s": "x"}, {"a": 2, "s": None if name == "null" else "y"}]
        assert written(lake, *inputs).to_pylist() == expected, name
        backwards = written(lake, *reversed(inputs)).select(["a", "s"])
        assert backwards.to_pylist() == expected[::-1], name


def test_inputs_with_two_columns_of_one_name_are_refused(lake: Path) -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    pq.write_table(table, lake / "in.parquet")
    with pa.ipc.new_file(lake / "in.arrow", table.schema) as writer:
        writer.write_table(table)
    (lake / "in.csv").write_text("a,a\n1,2\n")
    for name in ("in.parquet", "in.arrow", "in.csv"):
        command = [*COMMANDS["module"], "write", lake / name, "--to", lake / "out"]
        ran = subprocess.run(command, capture_output=True, text=True)
        assert ran.returncode == 1, name
        assert "`a`" in ran.stderr, ran.stderr
        assert not (lake / "out").exists()
