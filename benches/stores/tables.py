"""The Markdown of a run, its targets, and its files."""

import json
import statistics
from pathlib import Path

from figures import OURS, beyond, in_rounds, median, ran, verdict
from report import processor, ratio_of, table

LOCAL, UPLOAD, FILE = "local", "upload", "file"
# Of the same bytes uploaded as they are.
LARGE_FILE = 1.10
# Requests of class A for each of 5,000 files.
REQUESTS = 2.1
REQUESTS_OF = "5000"
# Of the time of each peer.
TIME = 1.0

NOTES = """\
The store is a server on this machine, and a request takes it a millisecond or less: over a network each takes tens of
milliseconds more, and the number of requests counts for more. Every write is a process of its own, into a bucket of its own;
writers take turns, and each begins with a disk at rest. Rows are in memory as Arrow, or as the peer has them, before the clock
starts; all write zstd at level 3 and have their defaults otherwise, but that pyarrow makes no directories, which would cost it a
request each, and sends no checksums, which SeaweedFS does not take in the form of its client. The rows of every output were
compared with those of the input. *Beyond the input* is the peak of memory less what the process held before the clock started.

`atomic` is `DatasetWriter` with an `s3://` root as it is by default: files are encoded and verified on the local disk,
uploaded with their SHA-256, and published together. None of the peers verifies, and but for delta-rs, whose log does it,
none publishes files together.

Requests were counted in one more write of each, whose time does not count. Of class A, the dearer one, are PUT, COPY and
LIST, and those of uploads in parts; of class B are GET and HEAD. Removals are free.
"""
OF_LARGE = """\
`upload` puts the finished bytes with the crate `object_store` alone, in parts of 8 MiB, 16 at a time; `file` is `AtomicFile`,
which copies the same bytes into its spool, hashes and verifies them there, and uploads them in the same parts. `local` writes the
rows with `DatasetWriter` to a directory, synced and verified, and is what `atomic` does besides uploading: the bytes that `upload`
and `file` put are those of the file that it makes.
"""


def remaining(writers: dict) -> list[float]:
    """Within rounds, what a data set in the store takes to writing it to a directory and uploading that."""
    samples = {
        writer: {sample["round"]: sample["seconds"] for sample in writers[writer]} for writer in (OURS, LOCAL, UPLOAD)
    }
    rounds = [number for number in samples[OURS] if number in samples[LOCAL] and number in samples[UPLOAD]]
    return [samples[OURS][number] / (samples[LOCAL][number] + samples[UPLOAD][number]) for number in rounds]


def verdicts(name: str, work: dict) -> list[dict]:
    """The targets of one work."""
    writers, found = ran(work), []
    if {FILE, UPLOAD} <= writers.keys():
        ratio = statistics.median(in_rounds(writers[FILE], writers[UPLOAD]))
        found.append(verdict("a file to uploading its bytes", ratio, LARGE_FILE))
    if {OURS, LOCAL, UPLOAD} <= writers.keys():
        ratio = statistics.median(remaining(writers))
        found.append(verdict("a data set to `local` and `upload` together", ratio, LARGE_FILE))
    if UPLOAD in work["writers"] or OURS not in writers:
        return found
    for peer in writers:
        if peer != OURS:
            ratio = statistics.median(in_rounds(writers[OURS], writers[peer]))
            found.append(verdict(f"time to {peer}", ratio, TIME))
    requests = work["writers"][OURS]["requests"]
    if name == REQUESTS_OF and requests:
        ratio = requests["class A"] / writers[OURS][0]["files"]
        found.append(verdict("requests of class A to the number of files", ratio, REQUESTS))
    return found


def of_work(name: str, work: dict) -> str:
    writers = ran(work)
    to = UPLOAD if UPLOAD in work["writers"] else OURS
    rows = []
    for writer, samples in writers.items():
        requests = work["writers"][writer]["requests"]
        files = samples[0]["files"]
        billed = ["", "", ""]
        if requests:
            made = requests["class A"]
            billed = [f"{made:,}", f"{made / files:.2f}", f"{requests['class B']:,}"]
        rows.append([
            writer, str(len(samples)), f"{median(samples, 'seconds'):.2f}", processor(samples).removesuffix(" s"),
            ratio_of(samples, writers[to]) if to in writers else "", f"{beyond(samples) / 1e6:.0f}", f"{files:,}",
            f"{samples[0]['bytes'] / 1e6:.1f}", *billed,
        ])
    head = ["", "rounds", "seconds", "user + system", f"to {to}", "MB beyond the input", "files", "MB",
            "requests of class A", "a file", "of class B"]
    out = f"## {work['about'].capitalize()}\n\n" + (f"{OF_LARGE}\n" if to == UPLOAD else "") + table(head, rows)
    for writer, one in work["writers"].items():
        if one["failure"]:
            out += f"\nNot here: {writer}, {one['failure']}.\n"
    out += "\n"
    for one in verdicts(name, work):
        met = "met" if one["met"] else "**missed**"
        out += f"- {one['about']}: {one['value']:.2f}, target {one['target']:.2f}: {met}\n"
    return out


def markdown(found: dict) -> str:
    parts = ["# In an object store\n\nMade by `benches/stores/run.py`; nothing in it is written by hand.\n"]
    if found["scale"] != 1:
        parts.append(f"**With {found['scale']:g} of the rows: these figures mean nothing.**\n")
    about = {"date": found["date"]} | found["machine"] | {"minutes": str(found["minutes"])}
    parts += [table(["", ""], [[name, value] for name, value in about.items()]), NOTES]
    parts += [of_work(name, work) for name, work in found["works"].items()]
    return "\n".join(parts)


def write(found: dict, directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    kept = found | {"verdicts": {name: verdicts(name, work) for name, work in found["works"].items()}}
    (directory / "stores.md").write_text(markdown(found))
    (directory / "stores.json").write_text(json.dumps(kept, indent=1) + "\n")
