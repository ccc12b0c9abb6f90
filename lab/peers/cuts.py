"""Every writer on real file systems whose power is cut after its acknowledgement, and in its midst.

The first version is durable; the second is written, and then the file system is shut down without
flushing: right after the acknowledgement, or after another program has synced a file of its own,
or at a random moment of the write, which another's sync precedes. The command is also measured
without its syncs, which shows that the cuts can tell. Each file that was there when the writer returned is looked for.
"""

import os
import shutil
import sys
import time
from contextlib import ExitStack

import disk
from images import FILE_SYSTEMS, Image, sweep
from kills import readers_after
from laboratory import Bench, root_of, state
from writers import MODES, UNSYNCED

# Where replacing is cut as well as adding.
BOTH = ("ext4, data=ordered", "XFS")
AFTER = ("at once", "after another's sync")


def fates(before, root):
    """What became of each file that had been acknowledged."""
    after = disk.look(root)
    counts = {"acknowledged": 0, "whole": 0, "absent": 0, "empty": 0, "torn": 0, "old": 0}
    for path, version in before.files.items():
        if version != 2:
            continue
        counts["acknowledged"] += 1
        if path in after.files:
            counts["whole" if after.files[path] == 2 else "old"] += 1
        elif path in after.empty:
            counts["empty"] += 1
        else:
            counts["torn" if path in after.torn else "absent"] += 1
    return counts


def after_acknowledgement(image, bench, synced):
    """Cuts the power after a write was acknowledged."""
    lab, name, mode = bench.lab, bench.name, bench.mode
    room = lab.copy(bench.base, image.mount)
    root = root_of(room)
    image.settle()
    bench.steady.write(2, root, mode)
    # This reads, and flushes nothing.
    before = disk.look(root)
    if synced:
        image.somebody_syncs()
    image.cut()
    result = fates(before, root)
    counted = state(name, root, mode)
    result["lost rows of before"] = counted["lost rows"]
    result["readers"] = readers_after(lab, name, mode, root)
    shutil.rmtree(room)
    return result


def in_the_midst(image, bench):
    """Cuts the power at a random moment of a write; None if that was over."""
    lab, name, mode = bench.lab, bench.name, bench.mode
    room = lab.copy(bench.base, image.mount)
    root = root_of(room)
    victim = bench.victim()
    victim.ready()
    image.settle()
    victim.go(root, mode)
    time.sleep(bench.moment())
    told = []
    # Whether it was over is asked before: what comes after the cut is a failure or a lie.
    over = victim.done()
    # What makes names durable whose bytes are not.
    image.somebody_syncs()
    image.cut(after=lambda: told.append(victim.kill()))
    result = None
    if not over:
        result = state(name, root, mode)
        result["readers"] = readers_after(lab, name, mode, root)
        result["healed"] = bench.heal(root)
    shutil.rmtree(room, ignore_errors=True)
    return result


def add(total, counts):
    for key, count in counts.items():
        if key == "readers":
            for reader, judged in count.items():
                bad = total.setdefault("readers", {}).setdefault(reader, {"error": 0, "wrong": 0})
                if judged != "right":
                    bad[judged] += 1
        elif isinstance(count, int):
            total[key] = total.get(key, 0) + count


def midst_summary(results):
    total = {"cuts": len(results)}
    for result in results:
        healed = result["healed"]
        add(total, {key: result[key] for key in ("torn", "empty", "leftovers", "readers")})
        add(total, {"partly visible": int(result["unacknowledged"] == "part")})
        add(total, {"lost rows": result["lost rows"]})
        add(total, {"next write failed": int("next write failed" in healed)})
        add(total, {"left after the next write": healed.get("leftovers", 0) + healed.get("cut", 0)})
    return total


def of_writer(lab, image, kind, name, mode):
    """All cuts of one writer in one mode on one file system: rows."""
    times = 1
    bench = Bench(lab, name, mode, image.mount)
    # The cuts must not touch what they are measured against.
    bench.base = _outside(lab, bench.base)
    row = {"file system": kind, "writer": name, "mode": mode}
    acknowledged, midst = [], []
    for moment in AFTER:
        total = {}
        for _ in range(times):
            add(total, {"cuts": 1})
            add(total, after_acknowledgement(image, bench, moment != AFTER[0]))
        acknowledged.append({**row, "moment": moment, **total})
    for _ in range(0 if lab.quick else 1):
        result = in_the_midst(image, bench)
        if result:
            midst.append(result)
    bench.close()
    return acknowledged, [{**row, **midst_summary(midst)}] if midst else []


def _outside(lab, room):
    moved = lab.copy(room)
    shutil.rmtree(room)
    return moved


def measure(lab):
    """Two tables: cuts after the acknowledgement, and cuts in the midst."""
    if os.geteuid():
        return {"skipped": "mounting a file system needs root"}
    sweep()
    report = {"acknowledged": [], "midst": [], "skipped file systems": {}, "cut by": {}}
    for kind in ["ext4, data=ordered", "XFS"] if lab.quick else FILE_SYSTEMS:
        with ExitStack() as stack:
            try:
                image = stack.enter_context(Image(kind))
            except OSError as error:
                report["skipped file systems"][kind] = str(error)
                continue
            for name, modes in {**MODES, UNSYNCED: ("append",)}.items():
                for mode in modes if kind in BOTH and not lab.quick else modes[:1]:
                    acknowledged, midst = of_writer(lab, image, kind, name, mode)
                    report["acknowledged"] += acknowledged
                    report["midst"] += midst
                print(f"cut {name} on {kind}", file=sys.stderr)
            report["cut by"][kind] = image.cut_by
    return report
