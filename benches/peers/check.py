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
from measure import PEERS, Case, Settings, data_files, empty, watched
from works import scaled

READERS = ("duckdb", "pyarrow")
# A scan that takes longer tells enough.
TIMEOUT = 300
FAR_SLOWER = 5


@dataclass
class Wrong(Exception):
    """An output that does not hold the rows that were written."""

    what: str


def question_of(case: Case, settings: Settings, wanted: bool) -> str:
    with pa.OSFile(str(case.source)) as file:
        table = pa.ipc.open_file(file).schema.empty_table()
    relation = duckdb.connect().from_arrow(table)
    types = {name: str(kind) for name, kind in zip(relation.columns, relation.types)}
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
        groups = [pq.read_metadata(path).num_row_groups for path in data_files(case.output)]
        case.samples[0]["row groups"] = sum(groups)
    return expected or {}


def time_scans(cases: list[Case], settings: Settings) -> dict:
    """Seconds of full and filtered scans: by what was done, by writer, of each round."""
    cases = [case for case in cases if case.output is not None]
    taken = {}
    for number in range(min(cases[0].work.scan_rounds, settings.rounds or 99) if cases else 0):
        for reader in READERS:
            for wanted in (False, True):
                name = f"{reader}, {'filtered' if wanted else 'full'}"
                by_writer = taken.setdefault(name, {})
                for case in cases:
                    if number and far_slower(case.writer, by_writer):
                        continue
                    found = scan(reader, case.output, question_of(case, settings, wanted))
                    by_writer.setdefault(case.writer, []).append(found)
                answers = {(found["rows"], found["digest"]) for all_found in by_writer.values() for found in all_found
                           if "failure" not in found}
                if len(answers) > 1:
                    raise Wrong(f"work {cases[0].name}: {name} scans do not agree: {answers}")
    return taken


def far_slower(writer: str, by_writer: dict) -> bool:
    first = {name: found[0].get("seconds", float("inf")) for name, found in by_writer.items()}
    return writer in PEERS and first[writer] > FAR_SLOWER * min(first.values())


def clear(cases: list[Case]) -> None:
    for case in cases:
        if case.output is not None:
            empty(case.output)
