"""What the samples come to: medians, ratios within one run, and whether the targets are met.

Memory is what a process takes beyond what it held before the clock started: its input and its libraries are
not its writer's doing. The peak of the whole process, with them, is held against the same targets. Targets are
for ours in its default mode, synced and verified.
"""

import statistics

from measure import PEERS

OURS = "atomic"
# Ratios to the fastest of the five peers, to the one that takes least memory, and to the smallest output.
TIME = {
    "a": 0.65, "b": 0.65, "c": 0.6, "d": 0.4, "e": 0.25, "f": 0.7, "g": 0.8, "h": 0.75, "k": 0.65,
}
MEMORY = {"a": 0.8, "b": 0.5, "c": 0.5, "d": 0.4, "f": 0.7, "g": 0.7, "h": 0.7, "k": 0.7}
SIZE = {name: 0.97 for name in TIME} | {"g": 1.0}
# Of the memory limit, where there is one.
WITHIN_LIMIT = 1.25
# Of a scan of ours to that of the peer's output that is read fastest.
SCAN = 1.05
# Of the Python package to the library.
PYTHON = 1.03
# Time per row, and memory past the limit, of eight times the rows to that of once.
LINEAR = 1.15


def median(samples: list[dict], field: str) -> float:
    return statistics.median(sample[field] for sample in samples)


def beyond(samples: list[dict]) -> float:
    """The peak memory beyond what was there before the write."""
    return statistics.median(sample["peak"] - sample["before"] for sample in samples)


def ran(work: dict, among=None) -> dict[str, list[dict]]:
    """The samples of those who have any."""
    return {
        name: writer["samples"]
        for name, writer in work["writers"].items()
        if writer["samples"] and not writer["failure"] and (among is None or name in among)
    }


def fastest(work: dict) -> str | None:
    peers = ran(work, PEERS)
    return min(peers, key=lambda name: median(peers[name], "seconds"), default=None)


def in_rounds(one: list[dict], other: list[dict], field: str = "seconds") -> list[float]:
    """The ratios of the rounds in which both ran."""
    others = {sample["round"]: sample[field] for sample in other}
    return [sample[field] / others[sample["round"]] for sample in one if others.get(sample["round"])]


def verdict(about: str, value: float | None, target: float, otherwise: str = "") -> dict:
    """A target, and whether it is met; `otherwise` says why there is no figure."""
    met = None if value is None else value <= target
    return {"about": about, "value": value, "target": target, "met": met, "note": otherwise}


def work_verdicts(name: str, work: dict) -> dict[str, dict]:
    """Time, memory and size of one work."""
    all_ran = ran(work)
    if OURS not in all_ran:
        return {}
    ours, found = all_ran[OURS], {}
    peer = fastest(work)
    if name in TIME:
        ratio = median(ours, "seconds") / median(all_ran[peer], "seconds") if peer else None
        found["time"] = verdict(f"time to {peer}", ratio, TIME[name], "no peer finished")
        if peer is None:
            found["time"]["met"] = name == "e"
    if work["memory limit"] and name in TIME:
        found["memory"] = verdict("memory to the limit", beyond(ours) / work["memory limit"], WITHIN_LIMIT)
    elif name in MEMORY and peer:
        peers = ran(work, PEERS)
        least = min(peers, key=lambda one: beyond(peers[one]))
        ratio = beyond(ours) / max(beyond(peers[least]), 1)
        found["memory"] = verdict(f"memory to {least}", ratio, MEMORY[name])
        least = min(peers, key=lambda one: median(peers[one], "peak"))
        ratio = median(ours, "peak") / median(peers[least], "peak")
        found["process"] = verdict(f"memory of the whole process to {least}", ratio, MEMORY[name])
    sizes = {writer: samples[0]["bytes"] for writer, samples in ran(work, PEERS).items()}
    if sizes and name in SIZE:
        least = min(sizes, key=sizes.get)
        found["size"] = verdict(f"size to {least}", ours[0]["bytes"] / sizes[least], SIZE[name])
    ratios = {kind: scan_ratio(best_scan(by_writer)) for kind, by_writer in work.get("scans", {}).items()}
    ratios = {kind: ratio for kind, ratio in ratios.items() if ratio is not None}
    if ratios:
        worst = max(ratios, key=ratios.get)
        found["scan"] = verdict(f"the slowest scan, {worst}, to the best", ratios[worst], SCAN)
    if "atomic-py" in all_ran and name in TIME:
        ratio = statistics.median(in_rounds(all_ran["atomic-py"], ours))
        found["python"] = verdict("Python to Rust", ratio, PYTHON)
    return found


def growth(works: dict) -> list[dict]:
    """Time per row and memory of each size and writer, to those of the smallest."""
    sizes = [work for name, work in works.items() if name.startswith("j")]
    rows = []
    for work in sizes:
        for writer, samples in ran(work).items():
            base = ran(sizes[0]).get(writer)
            each = median(samples, "seconds") / work["rows"]
            rows.append(
                {
                    "writer": writer,
                    "rows": work["rows"],
                    "seconds": median(samples, "seconds"),
                    "per row": each / (median(base, "seconds") / sizes[0]["rows"]) if base else None,
                    "memory": beyond(samples),
                    "memory ratio": beyond(samples) / max(beyond(base), 1) if base else None,
                    "limit": work["memory limit"],
                }
            )
    return sorted(rows, key=lambda row: row["writer"])


def growth_verdicts(works: dict) -> list[dict]:
    ours = [row for row in growth(works) if row["writer"] == OURS]
    if len(ours) < 2:
        return []
    most = max(row["memory"] / row["limit"] for row in ours)
    return [
        verdict("time per row of the most rows to the fewest", ours[-1]["per row"], LINEAR),
        verdict("memory of the most rows to the fewest", ours[-1]["memory ratio"], LINEAR),
        verdict("most memory to the limit", most, WITHIN_LIMIT),
    ]


def best_scan(by_writer: dict) -> dict[str, float]:
    """The median seconds of each writer whose output could be scanned."""
    return {
        name: statistics.median(one["seconds"] for one in all_found)
        for name, all_found in by_writer.items()
        if not any("failure" in one for one in all_found)
    }


def scan_ratio(seconds: dict[str, float]) -> float | None:
    """Ours to that of the peer's output that is read fastest."""
    peers = [took for writer, took in seconds.items() if writer in PEERS]
    return seconds[OURS] / min(peers) if peers and OURS in seconds else None
