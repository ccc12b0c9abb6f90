"""What is there is looked at, and what is wrong is said."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import atomic_arrow as aa
import polars as pl
import pyarrow as pa
import pytest
from conftest import WEATHER

ODD = WEATHER.parent / "odd"
ROWS = pa.table({"station_id": ["010010", "020020"], "temp": [11.5, 3.0]})


def test_damage_is_found_and_placed() -> None:
    verification = aa.verify(ODD, level="decode")
    assert not verification.is_sound
    damaged = {report.path.name: report for report in verification.damaged}
    assert "good.parquet" not in damaged
    cut = damaged["cut-before-footer.parquet"]
    assert not cut.is_sound
    assert cut.damage
    assert cut.rows is None
    assert "damaged" in repr(cut)
    assert damaged["value-flipped-crc.parquet"].column is not None
    frame = pl.DataFrame(verification.files)
    assert frame.filter(pl.col("damage").is_not_null()).height == len(damaged) + 1
    assert [report.is_checkable for report in verification.not_checkable] == [False]
    assert pa.table(verification).num_rows == len(verification.files)
    assert "damaged" in str(verification)
    assert "<td>" in verification._repr_html_()


def test_levels_find_different_damage() -> None:
    path = ODD / "page-flipped-crc.parquet"
    assert aa.verify(path).is_sound
    assert not aa.verify(path, level="checksum").is_sound
    for level in ("all", "skip"):
        with pytest.raises(aa.InvalidOptionError, match="level"):
            aa.verify(path, level=level)  # type: ignore[arg-type]
    for size in (-1, 2**64):
        with pytest.raises(aa.InvalidOptionError, match="small_file"):
            aa.inspect(ODD, small_file=size)


def test_each_report_is_told(lake: Path) -> None:
    aa.write_dataset(ROWS, lake / "weather", partition_by="station_id")
    told: list[aa.FileReport] = []
    verification = aa.verify(lake / "weather", on_file=told.append)
    assert [report.path for report in told] == [report.path for report in verification.files]
    assert (verification.rows, told[0].format, told[0].row_groups) == (2, "parquet", 1)
    assert verification.bytes == sum(report.bytes for report in told)

    def enough(report: aa.FileReport) -> None:
        raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        aa.verify(lake / "weather", on_file=enough)


def test_checking_is_interrupted() -> None:
    thread = threading.main_thread()
    with pytest.raises(KeyboardInterrupt):
        aa.verify(ODD, on_file=lambda _: signal.pthread_kill(thread.ident or 0, signal.SIGINT))


def test_what_is_not_there_is_an_error(lake: Path) -> None:
    with pytest.raises(FileNotFoundError) as raised:
        aa.verify(lake / "missing")
    assert isinstance(raised.value, aa.ReadError)
    assert raised.value.errno == 2
    assert raised.value.filename == str(lake / "missing")
    with pytest.raises(aa.AtomicArrowError):
        aa.inspect(lake / "missing")


def test_a_data_set_is_inspected(lake: Path) -> None:
    aa.write_dataset(ROWS, lake / "weather", partition_by="station_id")
    inspection = aa.inspect(lake / "weather")
    assert (inspection.rows, inspection.files, inspection.row_groups) == (2, 2, 2)
    assert inspection.skew == 1.0
    assert inspection.root == lake / "weather"
    first = inspection.partitions[0]
    assert first.partition == {"station_id": "010010"}
    assert first.directory == Path("station_id=010010")
    assert (first.files, first.small_files, first.rows) == (1, 1, 1)
    assert first.bytes + inspection.partitions[1].bytes == inspection.bytes
    assert first.row_groups == 1
    assert "1 file, 1 row" in repr(first)
    odd = inspection.oddities[0]
    assert odd.kind == "leading-zero"
    assert "Polars" in odd.message
    assert odd.path is None
    assert "leading-zero" in repr(odd)
    assert pl.DataFrame(inspection.partitions)["rows"].to_list() == [1, 1]
    assert pl.DataFrame(inspection.oddities)["kind"].to_list() == ["leading-zero"]
    assert "2 rows in 2 files" in str(inspection)
    assert "leading-zero" in inspection._repr_html_()
    assert aa.inspect(lake / "weather", small_file=0).partitions[0].small_files == 0


def test_recovery_is_told(lake: Path, files: Callable[[Path], list[str]]) -> None:
    with aa.DatasetWriter(lake / "weather", schema=ROWS.schema) as writer:
        recovery = aa.recover(lake / "weather", dry_run=True)
        writer.discard()
    assert recovery.dry_run
    assert len(recovery.alive) == 1
    assert "would be" in str(recovery)
    assert not (recovery.finished or recovery.aborted or recovery.removed or recovery.failed)
    assert pa.table(recovery).to_pylist() == [{"action": "alive", "path": str(recovery.alive[0])}]
    assert "alive" in recovery._repr_html_()
    assert files(lake) == []


def test_links_and_special_files_are_reported_and_not_opened(lake: Path) -> None:
    aa.write_dataset(pa.table({"v": [1]}), lake / "rows")
    (lake / "rows" / "link.parquet").symlink_to("/etc/passwd")
    os.mkfifo(lake / "rows" / "pipe.parquet")
    verification = aa.verify(lake / "rows", cross_mounts=True)
    found = {file.path.name: file.damage for file in verification.not_checkable}
    assert sorted(found) == ["link.parquet", "pipe.parquet"]
    assert all("cannot be checked" in damage for damage in found.values() if damage)
    inspection = aa.inspect(lake / "rows", cross_mounts=True)
    kinds = sorted(oddity.kind for oddity in inspection.oddities)
    assert kinds == ["link", "special-file"]
    assert inspection.rows == 1


def test_several_paths_are_checked_in_one_report(lake: Path) -> None:
    for name in ("a", "b", "c"):
        aa.write_parquet(pa.table({"n": [1]}), lake / name / "rows.parquet")
    (lake / "c/rows.parquet").write_bytes(b"PAR1 and not much more")
    verification = aa.verify([lake / "a", lake / "c/rows.parquet"])
    assert [file.path.parent.name for file in verification.files] == ["a", "c"]
    assert [file.path.parent.name for file in verification.damaged] == ["c"]


def test_progress_is_told_and_shown(
    lake: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = lake / "weather"
    for _ in range(2):
        aa.write_dataset(ROWS, root, partition_by="station_id")
    told: list[aa.ScanProgress] = []
    paths = [root / "station_id=010010", root / "station_id=020020"]
    verification = aa.verify(paths, progress=told.append)
    assert [progress.files for progress in told] == [1, 2, 3, 4]
    assert told[-1].bytes == verification.bytes
    told.clear()
    inspection = aa.inspect(root, progress=told.append)
    assert [progress.files for progress in told] == [1, 2, 3, 4]
    assert told[-1].bytes == inspection.bytes
    assert "4 files" in repr(told[-1])
    staged = aa.stage(ROWS, root)
    told.clear()
    assert aa.recover(root, progress=told.append).staged
    assert (told[-1].files, told[-1].bytes) == (1, 0)
    # A bar of tqdm, and without that a line on a terminal.
    aa.verify(root, progress=True)
    assert "files" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    aa.inspect(root, progress=True)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    aa.inspect(root, progress=True)
    assert capsys.readouterr().err.endswith("4 files looked at\n")
    aa.recover(root, progress=True)
    assert capsys.readouterr().err.endswith("1 files looked at\n")
    aa.discard([staged])


def test_an_exception_of_progress_ends_the_scan(lake: Path) -> None:
    root = lake / "weather"
    aa.write_dataset(ROWS, root, partition_by="station_id")
    staged = aa.stage(ROWS, root, partition_by="station_id")

    def enough(progress: aa.ScanProgress) -> None:
        raise LookupError("enough")

    for scan in (aa.verify, aa.inspect, aa.recover):
        with pytest.raises(LookupError, match="enough"):
            scan(root, progress=enough)
    assert aa.commit([staged]).rows == 2
