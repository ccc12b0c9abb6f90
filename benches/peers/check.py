"""Whether every output holds the same rows, and how fast each can be read.

Each scan is a process of its own, over files that are in the page cache, by turns.
"""

import json
import sys
from dataclasses import dataclass

import duckdb
import environment
import pyarrow as pa
import pyarrow.parquet as pq
from figures import OURS
from measure import FAR_SLOWER, PEERS, Case, Settings, data_files, empty, watched
from works import scaled

# A scan that takes longer tells enough.
TIMEOUT = 300
# Whose files are scanned: ours by other means are the same.
SCANNED = (OURS, *PEERS)


@dataclass
class Wrong(Exception):
    """An output that does not hold the rows that were written."""

    what: str


def question_of(case: Case, settings: Settings, wanted: bool) -> str:
    with pa.OSFile(str(case.source)) as file:
        table = pa.ipc.open_file(file).schema.empty_table()
    relation = duckdb.connect().from_arrow(table)
    types = {name: str(kind) for name, kind in zip(relation.columns, relation.types, strict=True)}
    question = {"types": types, "keys": case.work.keys, "rows": scaled(case.work, settings.scale, case.work.rows)}
    return json.dumps(question | ({"wanted": case.work.wanted} if wanted else {}))


def scan(reader: str, root, question: str) -> dict:
    words = [sys.executable, environment.HERE / "scan.py", reader, root, question]
    failure, printed = watched(words, TIMEOUT, environment.memory_total())
    return {"failure": failure} if failure else json.loads(printed)


def same_rows(cases: list[Case], settings: Settings) -> dict:
    """Compares every output with its input, and says what all of them hold."""
    expected = None
    for case in cases:
        if case.output is None:
            continue
        question = question_of(case, settings, False)
        expected = expected or scan("input", case.source, question)
        found = scan("duckdb", case.output, question)
        if "failure" in found or (found["rows"], found["digest"]) != (expected["rows"], expected["digest"]):
            raise Wrong(f"work {case.name}: what {case.writer} wrote is {found}, and the input {expected}")
        case.scanned = found
        groups = [pq.read_metadata(path).num_row_groups for path in data_files(case.output)]
        case.samples[0]["row groups"] = sum(groups)
    return expected or {}


def time_scans(cases: list[Case], settings: Settings) -> dict:
    """Seconds of full and filtered scans: by what was done, by writer, of each round.

    The first full one by DuckDB is that which compared the rows.
    """
    cases = [case for case in cases if case.output is not None and case.writer in SCANNED]
    if not cases:
        return {}
    work, taken = cases[0].work, {}
    for number in range(min(work.scan_rounds, settings.rounds or work.scan_rounds)):
        for kind in work.scans:
            by_writer = taken.setdefault(kind, {})
            reader, wanted = kind.split(", ")
            for case in cases:
                if number and far_slower(case.writer, by_writer):
                    continue
                found = case.scanned if (number, kind) == (0, "duckdb, full") else None
                found = found or scan(reader, case.output, question_of(case, settings, wanted == "filtered"))
                by_writer.setdefault(case.writer, []).append(found)
            agree(f"{case.name}: {kind}", by_writer)
    return taken


def agree(what: str, by_writer: dict) -> None:
    every = [found for all_found in by_writer.values() for found in all_found if "failure" not in found]
    if len({(found["rows"], found["digest"]) for found in every}) > 1:
        raise Wrong(f"work {what} scans do not agree: {by_writer}")


def far_slower(writer: str, by_writer: dict) -> bool:
    first = {name: found[0].get("seconds", float("inf")) for name, found in by_writer.items()}
    return writer in PEERS and first[writer] > FAR_SLOWER * min(first.values())


def clear(cases: list[Case]) -> None:
    for case in cases:
        if case.output is not None:
            empty(case.output)
