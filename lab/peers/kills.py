"""Every writer is killed at random moments of a write, and what is then on disk is counted.

The writer adds to, or replaces, a data set whose first version was acknowledged. SIGKILL comes at
a moment that is random over the time that the same write takes undisturbed; a kill that came after
the acknowledgement is done again. Then every reader reads, and the writer writes once more.
"""

import shutil
import sys
import time

import disk
import leftovers
from laboratory import Bench, root_of, state
from scans import USUAL
from writers import MODES


def readers_after(lab, name, mode, root):
    """What each reader makes of what is there."""
    judged = {}
    ways = USUAL + ([("delta-rs", "directory")] if name == "delta-rs" else [])
    for reader, way in ways:
        judged[reader] = lab.scans.judge(reader, way, root, disk.allowed(mode))[0]
    return judged


def remember(lab, name, mode, room, counted):
    """Keeps the crash that left the most for the matrix."""
    size = (counted["torn"] + counted["leftovers"], counted["unacknowledged"] == "part")
    kept = lab.worst.get((name, mode))
    if kept is None or kept[1] < size:
        if kept:
            shutil.rmtree(kept[0])
        lab.worst[(name, mode)] = (lab.copy(room), size)


def campaign(lab, name, mode, kills):
    """All kills of one writer in one mode: a list of the outcome of each."""
    bench = Bench(lab, name, mode)
    # Some readers fail on what some writers leave even when nothing goes wrong.
    before = readers_after(lab, name, mode, root_of(bench.base))
    results = []
    attempts = 0
    following = bench.victim()
    while len(results) < kills and attempts < 3 * kills:
        attempts += 1
        victim, following = following, bench.victim()
        room = lab.copy(bench.base)
        root = root_of(room)
        victim.ready()
        victim.go(root, mode)
        time.sleep(bench.moment())
        if not victim.kill():
            counted = state(name, root, mode)
            counted["readers"] = readers_after(lab, name, mode, root)
            remember(lab, name, mode, room, counted)
            counted["healed"] = bench.heal(root)
            results.append(counted)
        shutil.rmtree(room)
    following.kill()
    bench.close()
    return results, before


def summary(results):
    """The counts of one campaign."""
    healed = [result["healed"] for result in results]
    broken, wrong = {}, {}
    for result in results:
        for reader, judged in result["readers"].items():
            broken[reader] = broken.get(reader, 0) + (judged == "error")
            wrong[reader] = wrong.get(reader, 0) + (judged == "wrong")
    total = lambda key: sum(result[key] for result in results)
    return {
        "kills": len(results),
        "kills with torn files": sum(result["torn"] > 0 for result in results),
        "torn files": total("torn"),
        "partly visible": sum(result["unacknowledged"] == "part" for result in results),
        "wholly visible": sum(result["unacknowledged"] == "whole" for result in results),
        "kills that lost rows": sum(result["lost rows"] > 0 for result in results),
        "lost rows": total("lost rows"),
        "leftovers": total("leftovers"),
        "next write failed": sum("next write failed" in one for one in healed),
        "leftovers after the next write": sum(one.get("leftovers", 0) for one in healed),
        "cut files after the next write": sum(one.get("cut", 0) for one in healed),
        "readers in error": broken,
        "readers with wrong rows": wrong,
    }


def measure(lab):
    """One row for each writer and mode."""
    rows = []
    for name, modes in MODES.items():
        for mode in modes:
            results, before = campaign(lab, name, mode, lab.kills)
            undisturbed = [reader for reader, judged in before.items() if judged != "right"]
            row = {"writer": name, "mode": mode, "fail before any kill": undisturbed}
            rows.append({**row, **summary(results)})
            print(f"killed {name}, {mode}: {len(results)}", file=sys.stderr)
    # The worst kill of each peer, read in every way.
    return {"rows": rows, "matrix": leftovers.theirs(lab, leftovers.ways_of(lab))}
