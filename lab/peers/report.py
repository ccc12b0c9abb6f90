"""The report: what was measured, as Markdown for people and JSON for programs.

Every number and verdict in it comes from the run; the words around them say how it was counted.
"""

import json
import platform
import re
import subprocess
import tempfile
from datetime import datetime, timezone
from importlib import metadata

from writers import Ours

PACKAGES = ("pyarrow", "pandas", "polars", "duckdb", "datafusion", "deltalake", "pyspark")
MARKS = {"right": "yes", "part": "part", "wrong": "ROWS", "error": "ERROR"}


def first_line(*words):
    try:
        done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    except OSError:
        return None
    lines = (done.stdout.strip() or done.stderr.strip()).splitlines()
    return lines[0] if lines else None


def circumstances(quick):
    """When, and with what."""
    found = {"date": datetime.now(timezone.utc).date().isoformat()}
    found["mode"] = "quick" if quick else "full"
    found["kernel"] = f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}"
    found["atomic-arrow"] = first_line(Ours.command, "--version")
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"
    found["ext4"] = first_line("mkfs.ext4", "-V")
    found["XFS"] = first_line("mkfs.xfs", "-V")
    found["Btrfs"] = first_line("mkfs.btrfs", "--version")
    return {key: value for key, value in found.items() if value}


def table(head, rows):
    """A Markdown table."""
    clean = lambda cell: str(cell).replace("|", "\\|").replace("\n", " ")
    lines = ["| " + " | ".join(map(clean, row)) + " |" for row in [head, *rows]]
    return [lines[0], "|" + "---|" * len(head), *lines[1:], ""]


def kills(found):
    head = ["writer", "mode", "kills", "kills with torn files", "torn files"]
    head += ["unacknowledged rows visible: part", "whole", "kills that lost acknowledged rows", "rows lost"]
    head += ["files left over after the kills", "after the next write", "next write failed", "readers that failed"]
    head += ["readers with wrong rows"]
    rows = []
    for row in found["rows"]:
        named = lambda counts: ", ".join(f"{name} {count}" for name, count in counts.items() if count) or "none"
        before = set(row["fail before any kill"])
        errors = {name + ("*" if name in before else ""): n for name, n in row["readers in error"].items()}
        wrong = {name + ("*" if name in before else ""): n for name, n in row["readers with wrong rows"].items()}
        after = row["leftovers after the next write"] + row["cut files after the next write"]
        keys = ["writer", "mode", "kills", "kills with torn files", "torn files", "partly visible"]
        keys += ["wholly visible", "kills that lost rows", "lost rows", "leftovers"]
        rest = [after, row["next write failed"], named(errors), named(wrong)]
        rows.append([row[key] for key in keys] + rest)
    return [
        "SIGKILL at a random moment of a write of 50 partitions onto an acknowledged data set; kills after"
        " the acknowledgement do not count. Torn is what is named `*.parquet` and does not read to its end."
        " Left over are torn files, files of other names, and files beside the root; after the next"
        " acknowledged write, also files with rows of the killed one, unless all its rows are there."
        " Rows are right if they are those of before, or all of the new ones too (in their place, where"
        " they replace). A star: the reader cannot read what this writer leaves when nothing goes wrong.",
        "",
        *table(head, rows),
    ]


def watched(found):
    kinds = ["scans", "whole", "gap", "mix", "part of a write"]
    kinds += ["error: something listed was gone", "error: other"]
    rows = [
        [row["writer"], row["mode"], row["reader"], *(row["counts"].get(kind, 0) for kind in kinds)]
        for row in found["rows"]
    ]
    return [
        "A reader polls while a writer, which nothing disturbs, adds to the data set or replaces it. A gap"
        " is a scan without all rows of at least one version; a mix has rows of the old and the new;"
        " a part of a write has some of its rows only. Several may be true of one scan.",
        "",
        *table(["writer", "mode", "reader", *kinds], rows),
    ]


def broken(readers):
    named = [
        f"{name} {bad['error']}/{bad['wrong']}" for name, bad in readers.items() if bad["error"] or bad["wrong"]
    ]
    return ", ".join(named) or "none"


def cuts(found):
    if "skipped" in found:
        return [f"SKIPPED: {found['skipped']}", ""]
    lines = [
        "The power is cut after the writer was acknowledged: at once, or after another program has synced a"
        " file of its own. Each file that was there is looked for: old is one that has the old rows again."
        " Readers are counted as errors/wrong rows.",
        "",
    ]
    keys = ["file system", "writer", "mode", "moment", "acknowledged", "whole", "absent", "empty", "torn"]
    keys += ["old", "lost rows of before"]
    rows = [[row[key] for key in keys] + [broken(row["readers"])] for row in found["acknowledged"]]
    lines += table([*keys, "readers"], rows)
    keys = ["file system", "writer", "mode", "cuts", "torn", "empty", "partly visible", "lost rows"]
    keys += ["leftovers", "next write failed", "left after the next write"]
    if found["midst"]:
        lines += ["And at a random moment of a write, right after another program has synced; of the torn files, the empty ones:", ""]
        rows = [[row[key] for key in keys] + [broken(row["readers"])] for row in found["midst"]]
        lines += table([*keys, "readers"], rows)
    for kind, how in found["cut by"].items():
        lines += [f"{kind}: {'shut down without flushing its log' if how == 'shut down' else 'its device copied'}.", ""]
    lines += [f"SKIPPED {kind}: {why}" for kind, why in found["skipped file systems"].items()]
    return lines


def matrix(rows, ways):
    """A table of states by readers."""
    shown = []
    for row in rows:
        name = [row["writer"], row.get("mode", ""), row.get("area", ""), row.get("state", "")]
        if "skipped" in row:
            shown.append(name + [f"SKIPPED: {row['skipped']}"] + [""] * len(ways))
            continue
        left = ", ".join(f"{count} {kind}" for kind, count in row["left"].items()) or "nothing"
        shown.append(name + [left] + [MARKS[row["readers"][way][0]] for way in ways])
    return table(["writer", "mode", "area", "state", "what is left", *ways], shown)


def leftovers(found, of_peers):
    ways = found["ways"]
    lines = [
        "yes: it reads, and has the right rows. part: some files of a commit that is decided and being"
        " published, each of them whole, and all rows of before. ROWS: rows too many or too few. ERROR: the"
        " scan fails. The command was killed by strace at the call that makes each state; inside is an area"
        " in the root, where that is a mount point. Of the peers, the kill that left the most.",
        "",
        *matrix(found["rows"] + of_peers, ways),
    ]
    after = [row for row in found["rows"] if "readers after recovery" in row]
    wrong = [
        f"{row['area']}, {row['state']}: {way}"
        for row in after
        for way, judged in row["readers after recovery"].items()
        if judged[0] != "right"
    ]
    still = [f"{row['area']}, {row['state']}" for row in after if row["left after recovery"]]
    lines += [
        f"After `recover`: {len(after)} states, readers without the right rows: {', '.join(wrong) or 'none'};"
        f" states with something left: {', '.join(still) or 'none'}.",
        "",
    ]
    if "not measured" in found:
        lines += [f"SKIPPED {found['not measured']}", ""]
    return lines


def values(found):
    rows = []
    for row in found["rows"]:
        name = [f"{row['kind']}"]
        if "refused" in row:
            rows.append(name + ["refused, nothing written"] + [""] * len(found["columns"]))
            continue
        inputs = [f"{kind}: {said}" for kind, said in row["inputs"].items() if said != "same"]
        cells = []
        for column in found["columns"]:
            verdict, detail = row["readers"][column]
            cells.append(verdict if verdict == "equal" else f"{verdict}: {detail[:70]}")
        rows.append(name + ["; ".join(inputs) or "same", *cells])
    return [
        "Written by the command from Parquet; other inputs are Arrow IPC and CSV, and give the same"
        " directories or not. Each reader is asked as it is, and with the type of the key declared; the worst"
        " of a kind's values is shown. The values and directories are in the JSON.",
        "",
        *table(["values", "other inputs", *found["columns"]], rows),
    ]


def in_short(found):
    """One row for each writer, of what was measured of it."""
    killed = found.get("kills", {}).get("rows", [])
    seen = found.get("watched", {}).get("rows", [])
    cut = found.get("cuts", {}).get("acknowledged", [])
    rows = []
    for writer in dict.fromkeys(row["writer"] for row in [*killed, *seen, *cut]):
        of_writer = lambda rows: [row for row in rows if row["writer"] == writer]
        rows.append([writer, *short_kills(of_writer(killed)), short_scans(of_writer(seen))])
        for moment in ("at once", "after another's sync"):
            cuts = [row for row in of_writer(cut) if row["moment"] == moment]
            all_files = sum(row["acknowledged"] for row in cuts)
            rows[-1].append(f"{all_files - sum(row['whole'] for row in cuts)} of {all_files}" if cuts else "–")
    head = ["writer", "kills", "with torn files", "with part of the write visible", "that lost acknowledged rows"]
    head += ["after which the worst-off reader failed, or had wrong rows", "files left after the next write"]
    head += ["scans with a gap, a mix or an error, nothing crashing", "acknowledged files lost by a power cut at once"]
    return table([*head, "after another's sync"], rows)


def short_kills(rows):
    if not rows:
        return ["–"] * 6
    total = lambda key: sum(row[key] for row in rows)
    worst = 0
    for row in rows:
        errors, wrong = row["readers in error"], row["readers with wrong rows"]
        names = [name for name in errors if name not in row["fail before any kill"]]
        worst += max((errors[name] + wrong[name] for name in names), default=0)
    left = total("leftovers after the next write") + total("cut files after the next write")
    keys = ["kills", "kills with torn files", "partly visible", "kills that lost rows"]
    return [*map(total, keys), worst, left]


def short_scans(rows):
    scans = sum(row["counts"]["scans"] for row in rows)
    # That files come one by one while rows are added is not counted as a fault.
    calm = sum(row["counts"].get("whole", 0) + row["counts"].get("part of a write", 0) for row in rows)
    return f"{scans - calm} of {scans}" if rows else "–"


TITLES = {
    "kills": "Killed at random",
    "watched": "Watched while nothing goes wrong",
    "cuts": "Power cuts",
    "leftovers": "What a crash leaves, and the readers",
    "values": "Partition values",
}


def write(out, found, quick):
    """OUT.md and OUT.json; what the JSON has of sections that were not measured now is kept."""
    known = circumstances(quick)
    data = out.with_suffix(".json")
    if data.exists():
        before = json.loads(data.read_text())
        before.pop("circumstances", None)
        together = {**before, **found}
        found = {section: together[section] for section in TITLES if section in together}
    out.parent.mkdir(parents=True, exist_ok=True)
    out.with_suffix(".md").write_text(page(known, found))
    text = json.dumps({"circumstances": known, **found}, indent=1, default=str)
    # What a reader said may name where the data set was, which means nothing later.
    place = re.escape(tempfile.gettempdir()) + r"/atomic-arrow-[^\s/\"']*"
    out.with_suffix(".json").write_text(re.sub(place, "PLACE", text) + "\n")


def page(known, found):
    """The Markdown of a report."""
    lines = ["# The peers in the same laboratory", ""]
    lines += ["Made by `python3 lab/peers/run.py`; nothing in it is written by hand.", ""]
    lines += table(["", ""], known.items())
    lines += ["## In short", "", *in_short(found)]
    for section, measured in found.items():
        lines += [f"## {TITLES[section]}", ""]
        if "failed" in measured:
            lines += [f"FAILED: {measured['failed']}", ""]
        elif section == "leftovers":
            lines += leftovers(measured, found.get("kills", {}).get("matrix", []))
        else:
            lines += globals()[section](measured)
    return "\n".join(lines)
