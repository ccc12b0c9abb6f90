"""The command comes with the package."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import atomic_arrow as aa
import polars as pl
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
    command = [*COMMANDS["module"], "write", "-", "--format", "csv", "--to", str(lake / "weather")]
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
