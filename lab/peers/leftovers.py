"""What every kind of crash leaves, read by every reader, by directory and by pattern.

The command is killed at a named call by strace, so each state is reached on purpose; the area is
beside the data set, and inside it where the root is a mount point. Of each peer the random kill
that left the most is read.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import contextmanager

import disk
from images import PREFIX, run, sweep
from laboratory import root_of
from scans import EVERY, USUAL, has_spark
from writers import OURS, Ours, leftover_name

# What is under way, the mode, more of the command line, and at which call of which kind it ends.
STATES = [
    ("rows are staged", "append", [], "fsync", 3),
    ("rows are spilled", "append", ["--memory-limit", "1MiB"], "fsync", 3),
    ("all is staged, nothing decided", "append", [], "renameat2", 1),
    ("committed, nothing published", "append", [], "renameat2", 2),
    ("committed, half published", "append", [], "renameat2", 26),
    ("committed, all published, not cleaned up", "append", [], "unlinkat", 1),
    ("committed, new root half made", "overwrite", [], "renameat2", 26),
    ("committed, new root made, not exchanged", "overwrite", [], "renameat2", 52),
    ("new root in place, old one not removed", "overwrite", [], "unlinkat", 1),
    ("new root in place, old one half removed", "overwrite", [], "unlinkat", 26),
    ("committed, new partitions half made", "overwrite-partitions", [], "renameat2", 26),
    ("committed, partitions half exchanged", "overwrite-partitions", [], "renameat2", 77),
    ("exchanged, old partitions half removed", "overwrite-partitions", [], "unlinkat", 26),
]
# Recovery is killed in turn, of the states in which something is to be done.
RECOVERY = [
    ("aborted, not removed", "append", "renameat2", 1, ("renameat2", 2)),
    ("aborted, half removed", "append", "renameat2", 1, ("unlinkat", 26)),
    ("recovery has published half", "append", "renameat2", 2, ("renameat2", 26)),
]


def command(verb, *words):
    return [str(Ours.command), verb, *map(str, words)]


def write(lab, version, root, mode, more=()):
    words = [lab.inputs[version], "--to", root, "--partition-by", "station", "--mode", mode]
    return command("write", *words, *more, "--quiet")


def killed(call, nth, words):
    """Runs a command that is killed as it enters the nth call; whether it was."""
    trace = ["strace", "-f", "-qq", "-o", os.devnull, "-e", f"trace={call}"]
    trace += ["-e", f"inject={call}:signal=KILL:when={nth}", *words]
    return subprocess.run(trace, capture_output=True).returncode in (137, -9)


def kinds(root):
    """The kinds of files that no data set of its own would hold, with how many there are."""
    found = disk.look(root)
    names = Counter()
    for place, paths in (("", found.torn), ("", found.others), ("beside: ", found.beside)):
        names.update(place + leftover_name(path) for path in paths)
    for path in found.files:
        if any(part.startswith(".") for part in path.split(os.sep)):
            names["in the area: *.parquet"] += 1
    return dict(names)


def may_be_found(label, mode):
    """The contents that are right; where publishing had begun, a part of the commit may be there."""
    begun = "half published" in label or "half exchanged" in label or "published half" in label
    return disk.allowed(mode), begun


def judged(lab, root, mode, label, ways):
    """What every reader makes of a state."""
    right, begun = may_be_found(label, mode)
    results = {}
    for reader, way in ways:
        verdict, detail = lab.scans.judge(reader, way, root, right)
        if verdict == "wrong" and begun and partly(detail, mode):
            verdict = "part"
        results[f"{reader} {way}"] = (verdict, str(detail).replace(root, "ROOT"))
    return results


def partly(versions, mode):
    """Whether these are rows of a commit that is being published, each partition whole."""
    a_partition = disk.ROWS // disk.PARTITIONS
    old, new = versions.get(1, 0), versions.get(2, 0)
    kept = old == disk.ROWS if mode == "append" else old + new == disk.ROWS
    return kept and set(versions) <= {1, 2} and new % a_partition == 0


@contextmanager
def beside(lab):
    """A root whose area is beside it."""
    room = lab.room()
    try:
        yield root_of(room)
    finally:
        shutil.rmtree(room, ignore_errors=True)


@contextmanager
def inside(_lab):
    """A root that is a mount point, so that its area is inside it."""
    room = tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-")
    root = os.path.join(room, "weather")
    os.mkdir(root)
    try:
        run("mount", "-t", "tmpfs", "-o", "size=64m", "none", root)
        yield root
    finally:
        if os.path.ismount(root):
            run("umount", root)
        shutil.rmtree(room)


def state_of_ours(lab, place, label, mode, make, ways):
    """One row: a state, what it left, what readers make of it, and what they do after recovery."""
    with place(lab) as root:
        subprocess.run(write(lab, 1, root, "append"), check=True)
        row = {"writer": OURS, "mode": mode, "area": place.__name__, "state": label}
        if not make(root):
            return {**row, "skipped": "the call was not reached"}
        row["left"] = kinds(root)
        row["readers"] = judged(lab, root, mode, label, ways)
        subprocess.run(command("recover", root), check=True, capture_output=True)
        row["left after recovery"] = kinds(root)
        row["readers after recovery"] = judged(lab, root, mode, "recovered", USUAL)
        return row


def ours(lab, ways):
    """All states of the command."""
    if shutil.which("strace") is None:
        return [{"writer": OURS, "skipped": "strace is not installed"}]
    rows = []
    places = [beside] if os.geteuid() else [beside, inside]
    for place in places:
        for label, mode, more, call, nth in STATES[::3] if lab.quick else STATES:
            make = lambda root: killed(call, nth, write(lab, 2, root, mode, more))
            rows.append(state_of_ours(lab, place, label, mode, make, ways))
        for label, mode, call, nth, second in RECOVERY[:1] if lab.quick else RECOVERY:
            make = lambda root: killed(call, nth, write(lab, 2, root, mode)) and killed(
                *second, command("recover", root)
            )
            rows.append(state_of_ours(lab, place, label, mode, make, ways))
        print(f"states with the area {place.__name__}", file=sys.stderr)
    return rows


def theirs(lab, ways):
    """The worst kill of each peer."""
    rows = []
    for (name, mode), (room, _) in lab.worst.items():
        if name == OURS:
            continue
        root = root_of(room)
        row = {"writer": name, "mode": mode, "area": "none", "state": "killed at random"}
        row["left"] = kinds(root)
        row["readers"] = judged(lab, root, mode, row["state"], ways)
        rows.append(row)
    return rows


def ways_of(lab):
    return [way for way in EVERY if way[0] != "spark" or has_spark() and not lab.quick]


def measure(lab):
    """One row for each state; for every reader and way a verdict and what it said."""
    if os.geteuid() == 0:
        sweep()
    ways = ways_of(lab)
    report = {"rows": ours(lab, ways), "ways": [" ".join(way) for way in ways]}
    if not has_spark():
        report["not measured"] = "Spark: it is not installed, or there is no Java"
    return report
