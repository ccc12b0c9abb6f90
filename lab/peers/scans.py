"""Asks the readers, in a process of their own, so that one that hangs or dies is an answer too."""

import importlib.util
import json
import select
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

# The readers with the way that each is mostly used.
USUAL = [
    ("pyarrow", "directory"),
    ("pandas", "directory"),
    ("polars", "directory"),
    ("duckdb", "glob"),
    ("datafusion", "directory"),
]
READERS = ("pyarrow", "pandas", "polars", "duckdb", "datafusion", "spark")
EVERY = [(reader, way) for reader in READERS for way in ("directory", "glob")]
# Spark takes its time to start, on a busy machine even more.
TIMEOUT = 900


def has_spark():
    """Whether Spark can run here."""
    return bool(importlib.util.find_spec("pyspark") and shutil.which("java"))


class Scans:
    """The process that reads, started again where it has died."""

    def __init__(self):
        self.process = None

    def _start(self):
        server = Path(__file__).resolve().parent / "scan_server.py"
        pipe = subprocess.PIPE
        command = [sys.executable, "-E", "-s", str(server)]
        self.process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True
        )

    def ask(self, reader, way, root):
        """(rows of each version, None), or (None, what the reader said)."""
        if self.process is None or self.process.poll() is not None:
            self._start()
        try:
            self.process.stdin.write(json.dumps([reader, way, str(root)]) + "\n")
            self.process.stdin.flush()
            answered = select.select([self.process.stdout], [], [], TIMEOUT)[0]
            line = self.process.stdout.readline() if answered else ""
        except BrokenPipeError:
            line = ""
        if not line:
            self.close()
            return None, "the reader hung or died"
        answer = json.loads(line)
        if "error" in answer:
            return None, answer["error"]
        return Counter({int(key): rows for key, rows in answer["versions"].items()}), None

    def judge(self, reader, way, root, right):
        """(`right`, `error` or `wrong`, the detail), where `right` lists what it may find."""
        versions, error = self.ask(reader, way, root)
        if error:
            return "error", error
        return ("right", "") if versions in right else ("wrong", dict(versions))

    def close(self):
        if self.process:
            self.process.kill()
            self.process.communicate()
            self.process = None
