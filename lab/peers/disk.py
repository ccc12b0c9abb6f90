"""What is on disk, counted the same way whoever wrote it.

A file is torn if it has a name that readers read (`*.parquet`) and does not read to its end.
"""

import os
from collections import Counter
from dataclasses import dataclass, field

import pyarrow.parquet as pq
from data import KEY, PARTITIONS, ROWS


@dataclass
class Found:
    """What is below a data set's root, and beside it."""

    files: dict = field(default_factory=dict)  # whole files: path to version
    versions: Counter = field(default_factory=Counter)  # rows of each version in whole files
    partitions: dict = field(default_factory=dict)  # the same for each directory
    torn: list = field(default_factory=list)  # of these, some have no bytes at all
    empty: list = field(default_factory=list)
    others: list = field(default_factory=list)  # files below the root of other names
    beside: list = field(default_factory=list)  # files beside the root

    def add(self, path, versions):
        """A whole file."""
        self.files[path] = max(versions, default=None)
        self.versions += versions
        self.partitions.setdefault(os.path.dirname(path), Counter()).update(versions)

    def leftovers(self):
        """Files that no reader should have to see, whatever they are named."""
        return self.torn + self.others + self.beside


def walk(top):
    for directory, _, names in os.walk(top):
        for name in sorted(names):
            yield os.path.join(directory, name)


def look(root):
    """Reads everything there is at a root, and lists what stands beside it."""
    found = Found()
    for path in walk(root):
        inside = os.path.relpath(path, root)
        if inside.startswith("_delta_log") or inside == os.path.join(".atomic", "lock"):
            continue
        if not path.endswith(".parquet"):
            found.others.append(inside)
            continue
        try:
            with pq.ParquetFile(path) as file:
                versions = Counter(file.read().column("version").to_pylist())
        except Exception:  # Whatever it is, a reader would have met it too.
            found.torn.append(inside)
            if os.path.getsize(path) == 0:
                found.empty.append(inside)
            continue
        found.add(inside, versions)
    parent = os.path.dirname(root)
    for path in walk(parent):
        if not path.startswith(root + os.sep) and os.path.basename(path) != "lock":
            found.beside.append(os.path.relpath(path, parent))
    return found


def in_log(root):
    """What a reader of the Delta log finds: the files, and the rows of each version in them."""
    from deltalake import DeltaTable

    found = Found()
    for path in DeltaTable(str(root)).file_uris():
        with pq.ParquetFile(path) as file:
            versions = Counter(file.read().column("version").to_pylist())
        found.add(os.path.relpath(path, root), versions)
    return found


def allowed(mode):
    """What may be there after a write of version 2 onto version 1 that nobody acknowledged."""
    old, new = Counter({1: ROWS}), Counter({2: ROWS})
    return [old, old + new if mode == "append" else new]


def lost(found, mode):
    """Rows of the acknowledged version 1 that are gone though version 2 has not replaced them."""
    each = ROWS // PARTITIONS
    missing = 0
    for number in range(PARTITIONS):
        versions = found.partitions.get(f"{KEY}=S{number:02d}", Counter())
        if mode == "append" or versions[2] != each:
            missing += max(0, each - versions[1])
    return missing
