"""Every writer that is measured, as processes that can be told to write, awaited and killed."""

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
OURS = "atomic-arrow"
# A control: the same command, told not to sync.
UNSYNCED = "atomic-arrow, unsynced"
# What each is called, and the modes it has: DataFusion can only add to what is there.
MODES = {
    OURS: ("append", "overwrite", "overwrite-partitions"),
    "pyarrow": ("append", "overwrite"),
    "pandas": ("append", "overwrite"),
    "polars": ("append", "overwrite"),
    "duckdb": ("append", "overwrite"),
    "datafusion": ("append",),
    "delta-rs": ("append", "overwrite"),
    "rename": ("append", "overwrite"),
}


class Failed(Exception):
    """A write that was not disturbed did not succeed."""


class Peer:
    """A process that writes with one of the peers."""

    def __init__(self, name, path):
        # Nothing of the user's Python settings counts.
        command = [sys.executable, "-E", "-s", str(HERE / "peer_writers.py"), name]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True
        )
        self._say("load", path)

    def _say(self, *request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()

    def ready(self):
        """Waits until the input is in memory."""
        line = self.process.stdout.readline().strip()
        if line != "loaded":
            raise Failed(line)

    def load(self, path):
        """Takes another input."""
        self._say("load", path)
        self.ready()

    def go(self, root, mode):
        """Starts a write."""
        self._say("write", str(root), mode)

    def done(self, timeout=0):
        """Whether the write has returned."""
        return bool(select.select([self.process.stdout], [], [], timeout)[0])

    def outcome(self):
        """Waits for the write's end; why it failed, or None if it was acknowledged."""
        line = self.process.stdout.readline().strip()
        return None if line == "acknowledged" else line or "ended"

    def kill(self):
        """SIGKILL; whether the write had been acknowledged before."""
        self.process.send_signal(signal.SIGKILL)
        said, _ = self.process.communicate()
        return "acknowledged" in said


class Ours:
    """The command; each write is a process of its own."""

    command = None

    def __init__(self, name, path):
        self.path = path
        self.more = ["--durability", "unsynced"] if name == UNSYNCED else []
        self.process = None

    def ready(self):
        """The command reads its input while it writes."""

    def load(self, path):
        self.path = path

    def go(self, root, mode):
        words = [self.command, "write", self.path, "--to", root, "--partition-by", "station"]
        words += ["--mode", mode, "--quiet", *self.more]
        self.process = subprocess.Popen(
            [str(word) for word in words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )

    def done(self, timeout=0):
        try:
            self.process.wait(timeout or 0.001)
        except subprocess.TimeoutExpired:
            return False
        return True

    def outcome(self):
        _, said = self.process.communicate()
        code = self.process.returncode
        return None if code == 0 else f"exit code {code}: {said.strip()}"

    def kill(self):
        if self.process is None:
            return False
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.communicate()
        return self.process.returncode == 0


def start(name, path):
    """A process that is going to write `path`, made ready in the background."""
    return (Ours if name in (OURS, UNSYNCED) else Peer)(name, path)


class Steady:
    """A writer that is never killed, with each input of the laboratory as it is needed."""

    def __init__(self, name, inputs):
        self.inputs = inputs
        self.loaded = 1
        self.process = start(name, inputs[1])
        self.process.ready()

    def begin(self, version, root, mode):
        """Starts a write of a version."""
        if version != self.loaded:
            self.process.load(self.inputs[version])
            self.loaded = version
        self.process.go(root, mode)

    def write(self, version, root, mode):
        """Writes a version; raises `Failed` unless it is acknowledged."""
        self.begin(version, root, mode)
        failure = self.process.outcome()
        if failure:
            raise Failed(failure)

    def close(self):
        self.process.kill()


def leftover_name(path):
    """The name of a leftover with what differs each time left out, for a report."""
    name = os.path.basename(path)
    for suffix in (".parquet.tmp", ".parquet#1", ".staged", ".rows", ".new", ".parquet"):
        if name.endswith(suffix):
            return "*" + suffix
    return name if len(name) < 20 else "*" + os.path.splitext(name)[1]
