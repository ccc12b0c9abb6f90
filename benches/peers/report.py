"""The Markdown of a run, and its files."""

import json
import statistics
from pathlib import Path

import chart
from figures import (
    OURS, beyond, best_scan, fastest, growth, growth_verdicts, in_rounds, median, ran, work_verdicts,
)
from measure import FAR_SLOWER, OTHERS, PEERS

NOTES = f"""\
`atomic` is `DatasetWriter` as it is by default: all files synced, verified and published together. `unsynced` is the
same without syncing files. `sketch` is the least that can be done on parquet-rs, and `atomic-py` the Python package.
None of the peers syncs or verifies. All write zstd at level 3 and have their defaults otherwise; every write is a
process of its own on the same cores, with its input in memory as Arrow, or as the peer has it, before the clock
starts. Writers take turns, and each begins with a disk at rest.

- *to the fastest peer*: the ratio of the medians, and the least and the most of the ratios within rounds.
- *beyond the input*: the peak of memory less what the process held before the clock started.
  *whole process* is the peak itself, of which the input and the libraries are a part.
- A peer that takes more than {FAR_SLOWER} times as long as the fastest has one round, and so has pandas. No peer has a
  memory limit, and none may take more than the machine can give.
- The rows of every output, partition columns among them, were compared with those of the input.
"""
SCANS = """\
## Reading what they wrote

Seconds of a scan of everything, and of a few columns of the rows with one value, and the ratio to the peer's output that
is read fastest. The files are in the page cache. Two processes read each output, by turns: each scans once before the clock
starts, unless that takes 3 seconds, and then for 0.7 seconds, up to nine times. Figures are medians of their medians.
"""
SYNCS = """\
## What the syncs cost

Seconds of ours. The time in sync calls is of all threads together, which go on encoding meanwhile. Where files are not
synced, the record of the commit and the directories are all the same.

"""


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def said(found: dict | None) -> str:
    """A figure beside its target."""
    if found is None:
        return ""
    if found["value"] is None:
        return f"{found['note']} (target {found['target']:.2f}): {'met' if found['met'] else 'missed'}"
    about = found["about"].split(" to ")[-1]
    return f"{found['value']:.2f} of {about}, target {found['target']:.2f}: {'met' if found['met'] else '**missed**'}"


def ratio_of(one: list[dict], other: list[dict]) -> str:
    within = in_rounds(one, other)
    ratio = f"{median(one, 'seconds') / median(other, 'seconds'):.2f}"
    return ratio + (f" ({min(within):.2f}–{max(within):.2f})" if len(within) > 1 else "")


def summary(works: dict) -> str:
    """A row for each work, with its targets."""
    rows = []
    for name, work in works.items():
        found = work_verdicts(name, work)
        if "time" not in found:
            continue
        peer, samples = fastest(work), ran(work)
        time = f"{median(samples[OURS], 'seconds'):.2f} s"
        against = f"{median(samples[peer], 'seconds'):.2f} s, {peer}" if peer else "none finished"
        used = processor(samples[OURS]) + (f", {processor(samples[peer])}" if peer else "")
        held = [said(found.get(key)) for key in ("time", "memory", "process", "size")]
        rows.append([f"{name}: {work['about']}", time, against, used, *held, said_of_scan(found.get("scan"))])
    head = ["", "atomic-arrow", "fastest peer", "user + system, of both", "time", "memory beyond the input",
            "of the whole process", "size", "slowest scan"]
    return table(head, rows)


def processor(samples: list[dict]) -> str:
    return f"{median(samples, 'user'):.2f} + {median(samples, 'sys'):.2f} s"


def said_of_scan(found: dict | None) -> str:
    """The slowest scan beside its target."""
    if found is None:
        return ""
    kind = found["about"].removeprefix("the slowest scan, ").removesuffix(", to the best")
    return f"{found['value']:.2f} ({kind}), target {found['target']:.2f}: {'met' if found['met'] else '**missed**'}"


def of_work(name: str, work: dict, left_out: dict) -> str:
    peer, rows = fastest(work), []
    for writer, samples in ran(work).items():
        ratio = ratio_of(samples, ran(work)[peer]) if peer else ""
        seconds = f"{median(samples, 'seconds'):.2f}"
        rows.append([
            writer, str(len(samples)), seconds, processor(samples).removesuffix(" s"), ratio,
            f"{beyond(samples) / 1e6:.0f}", f"{median(samples, 'peak') / 1e6:.0f}", f"{samples[0]['files']:,}",
            f"{samples[0].get('row groups', 0):,}", f"{samples[0]['bytes'] / 1e6:.1f}",
        ])
        if work["commits"]:
            rows[-1].insert(3, f"{samples[0]['files'] / median(samples, 'seconds'):,.0f}")
    head = ["", "rounds", "seconds", "user + system", "to the fastest peer", "MB beyond the input", "whole process",
            "files", "row groups", "MB"]
    if work["commits"]:
        head.insert(3, "commits a second")
    out = f"## {name}: {work['about']}\n\n" + table(head, rows)
    not_run = {writer: why for writer, why in left_out.items()}
    not_run |= {writer: one["failure"] for writer, one in work["writers"].items() if one["failure"]}
    for writer, why in not_run.items():
        out += f"\nNot here: {writer}, {why}.\n"
    return out


def of_scans(works: dict) -> str:
    out = ""
    for name, work in works.items():
        kinds = {kind: best_scan(by_writer) for kind, by_writer in work["scans"].items()}
        kinds = {kind: seconds for kind, seconds in kinds.items() if seconds}
        writers = [writer for writer in ran(work) if any(writer in seconds for seconds in kinds.values())]
        if not writers:
            continue
        rows = []
        for writer in writers:
            cells = []
            for seconds in kinds.values():
                peers = [took for peer, took in seconds.items() if peer in PEERS]
                took = seconds.get(writer)
                ratio = f" ({took / min(peers):.2f})" if took and peers else ""
                cells.append(f"{took:.3f}{ratio}" if took else "")
            rows.append([writer, *cells])
        out += f"\n**{name}**: {work['about']}\n\n" + table(["", *kinds], rows)
    if not out:
        return ""
    return SCANS + out


def of_syncs(found: dict) -> str:
    rows = []
    for name, work in found["works"].items():
        samples = ran(work)
        if "unsynced" not in samples or OURS not in samples:
            continue
        synced, unsynced = samples[OURS], samples["unsynced"]
        within = in_rounds(synced, unsynced)
        memory = found["tmpfs"].get(name, {})
        cells = [f"{median(memory[one], 'seconds'):.2f}" if memory.get(one) else "" for one in (OURS, "unsynced")]
        rows.append([
            name, f"{median(synced, 'seconds'):.2f}", f"{median(unsynced, 'seconds'):.2f}",
            f"{statistics.median(within):.2f} ({min(within):.2f}–{max(within):.2f})",
            f"{median(synced, 'syncing'):.2f}", f"{median(unsynced, 'syncing'):.2f}", *cells,
        ])
    if not rows:
        return ""
    head = ["", "synced", "unsynced", "ratio within rounds", "in sync calls", "unsynced: in sync calls",
            "synced, on tmpfs", "unsynced, on tmpfs"]
    return SYNCS + table(head, rows)


def of_python(works: dict) -> str:
    rows = []
    for name, work in works.items():
        samples = ran(work)
        if "atomic-py" in samples and OURS in samples:
            cells = [f"{median(samples[one], 'seconds'):.2f}" if one in samples else "" for one in
                     ("atomic-py", OURS, *OTHERS)]
            within = in_rounds(samples["atomic-py"], samples[OURS])
            ratio = f"{statistics.median(within):.3f} ({min(within):.2f}–{max(within):.2f})"
            rows.append([name, *cells[:2], ratio, said(work_verdicts(name, work).get("python")), *cells[2:]])
    if not rows:
        return ""
    head = ["", "Python package", "library", "ratio within rounds", "overhead", *OTHERS]
    return f"## From Python\n\nSeconds; the package is given a table of pyarrow.\n\n{table(head, rows)}"


def of_growth(works: dict) -> str:
    rows = [
        [row["writer"], f"{row['rows']:,}", f"{row['seconds']:.2f}",
         f"{row['per row']:.2f}" if row["per row"] else "", f"{row['memory'] / 1e6:.0f}",
         f"{row['memory ratio']:.2f}" if row["memory ratio"] else ""]
        for row in growth(works)
    ]
    if not rows:
        return ""
    head = ["", "rows", "seconds", "seconds a row, to the fewest rows", "MB beyond the input", "to the fewest rows"]
    verdicts = "".join(
        f"- {one['about']}: {one['value']:.2f}, target {one['target']:.2f}: {'met' if one['met'] else '**missed**'}\n"
        for one in growth_verdicts(works)
    )
    return f"## j: growth\n\n{table(head, rows)}\n{verdicts}"


def markdown(found: dict) -> str:
    works, left_out = found["works"], found.get("left out", {})
    parts = ["# Beside other projects\n\nMade by `benches/peers/run.py`; nothing in it is written by hand.\n"]
    if found["scale"] != 1:
        parts.append(f"**With {found['scale']:g} of the rows: these figures mean nothing.**\n")
    about = {"date": found["date"]} | found["machine"] | {"minutes": str(found["minutes"])}
    parts += [table(["", ""], [[name, value] for name, value in about.items()]), NOTES]
    parts += ["## In short\n", summary(works), "![Time to the fastest peer's](peers.svg)\n"]
    for name, why in left_out.items():
        if "all" in why:
            parts.append(f"Work {name} was not run: {why['all']}.\n")
    parts += [of_work(name, work, left_out.get(name, {})) for name, work in works.items() if name[0] != "j"]
    parts += [of_growth(works), of_syncs(found), of_python(works), of_scans(works)]
    return "\n".join(part for part in parts if part)


def write(found: dict, directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    verdicts = {name: work_verdicts(name, work) for name, work in found["works"].items()}
    kept = found | {"verdicts": verdicts | {"j": growth_verdicts(found["works"])}}
    (directory / "peers.md").write_text(markdown(found))
    (directory / "peers.json").write_text(json.dumps(kept, indent=1) + "\n")
    (directory / "peers.svg").write_text(chart.svg(found["works"]))
