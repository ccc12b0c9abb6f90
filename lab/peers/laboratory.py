"""What every measurement shares: where it works, the inputs, the readers, and how much is done."""

import random
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

import disk
from scans import Scans
from writers import Failed, Steady, start


@dataclass
class Laboratory:
    """One run."""

    directory: Path
    inputs: dict
    quick: bool
    kills: int = 1
    scans: Scans = field(default_factory=Scans)
    chance: random.Random = field(default_factory=lambda: random.Random(4))
    serial: int = 0
    # For each writer and mode, the crash that left the most: where it is, and how many files.
    worst: dict = field(default_factory=dict)
    writers: dict = field(default_factory=dict)

    def steady(self, name):
        """The writer of this name that is never killed."""
        if name not in self.writers:
            self.writers[name] = Steady(name, self.inputs)
        return self.writers[name]

    def close(self):
        for process in (self.scans, *self.writers.values()):
            process.close()

    def room(self, inside=None):
        """A new directory, in which the data set is to be `weather`."""
        self.serial += 1
        room = (inside or self.directory) / f"room-{self.serial}"
        room.mkdir(parents=True)
        return room

    def copy(self, room, inside=None):
        """A copy of a room."""
        copied = self.room(inside)
        shutil.copytree(room, copied, dirs_exist_ok=True)
        return copied


def root_of(room):
    return str(room / "weather")


class Bench:
    """One writer in one mode: an acknowledged version 1, and how long version 2 takes on it."""

    def __init__(self, lab, name, mode, inside=None):
        self.lab, self.name, self.mode = lab, name, mode
        self.steady = lab.steady(name)
        self.base = lab.room(inside)
        # In the same mode: some replace only what has the names that this mode gives.
        self.steady.write(1, root_of(self.base), mode)
        self.duration = self._time(inside)

    def _time(self, inside):
        room = self.lab.copy(self.base, inside)
        # A process that has not written yet, as the ones that are cut: its first write is slower.
        process = self.victim()
        process.ready()
        began = time.monotonic()
        process.go(root_of(room), self.mode)
        failure = process.outcome()
        took = time.monotonic() - began
        process.kill()
        shutil.rmtree(room)
        if failure:
            raise Failed(failure)
        return took

    def moment(self):
        """How long after its start a write is to be cut."""
        return self.lab.chance.uniform(0.03, 0.97) * self.duration

    def victim(self):
        """A process that is to be killed, made ready in the background."""
        return start(self.name, self.lab.inputs[2])

    def heal(self, root):
        """What is left of a crash once the next write was acknowledged."""
        try:
            self.steady.write(3, root, self.mode)
        except Failed as failure:
            return {"next write failed": str(failure)}
        found = disk.look(root)
        files = found.files
        versions = found.versions
        if self.name == "delta-rs":
            log = disk.in_log(root)
            versions = log.versions
            files = {path: version for path, version in files.items() if path not in log.files}
        # Unless all of it is there, which then was a success that was only not told.
        whole = self.mode == "append" and versions[2] == disk.ROWS
        cut = [path for path, version in files.items() if version == 2 and not whole]
        return {"leftovers": len(found.leftovers()), "cut": len(cut), "rows": versions[2] if cut else 0}

    def close(self):
        shutil.rmtree(self.base, ignore_errors=True)


def state(name, root, mode):
    """What is on disk after a crash: counts."""
    found = disk.look(root)
    seen = found
    if name == "delta-rs":
        try:
            seen = disk.in_log(root)
        except Exception:  # What its log names is torn, or the log is.
            seen = disk.Found()
    new = seen.versions[2]
    return {
        "torn": len(found.torn),
        "empty": len(found.empty),
        "leftovers": len(found.leftovers()),
        "unacknowledged": "none" if not new else "whole" if new == disk.ROWS else "part",
        "unacknowledged rows": new,
        "lost rows": disk.lost(seen, mode),
        "files": len(found.files) + len(found.torn),
    }
