"""Files of any bytes appear whole or not at all, whatever writes them."""

from __future__ import annotations

import codecs
import csv
import gc
import gzip
import io
import json
import os
import pickle
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import atomic_arrow as aa
import numpy
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

OBSERVATION = {"station_id": 123, "temp": 11.5}
TARGET = "raw/station_id=123/year=2024/month=10/data.json"


def test_json_appears_when_it_is_complete(lake: Path) -> None:
    with aa.open(lake / TARGET, "w") as f:
        json.dump(OBSERVATION, f)
        f.flush()
        assert not (lake / "raw").exists()
        assert f.final_path == lake / TARGET
        assert f.published is None
    assert json.loads((lake / TARGET).read_text()) == OBSERVATION
    assert f.closed
    assert f.published is not None
    assert f.published.bytes == (lake / TARGET).stat().st_size


def test_an_exception_discards(lake: Path, files: Callable[[Path], list[str]]) -> None:
    for mode in ("w", "wb"):
        with pytest.raises(LookupError) as raised:
            with aa.open(lake / TARGET, mode) as f:  # type: ignore[call-overload]
                f.write("x" * 100_000 if mode == "w" else b"x" * 100_000)
                raise LookupError("no more")
        assert "nothing was published" in raised.value.__notes__[0]
        assert f.closed
    assert files(lake) == []


@pytest.mark.parametrize("mode", ["w", "wb"])
def test_closing_is_no_commit(lake: Path, files: Callable[[Path], list[str]], mode: Any) -> None:
    f = aa.open(lake / TARGET, mode)
    f.write("x" if mode == "w" else b"x")
    with pytest.warns(aa.DiscardedWarning, match="closed without a commit"):
        f.close()
    f.close()
    with pytest.raises(aa.ClosedError, match="closed"):
        f.commit()
    assert files(lake) == []


def wrap_text(f: Any) -> None:
    with io.TextIOWrapper(f, encoding="utf-8") as text:
        text.write("11.5")


def wrap_codec(f: Any) -> None:
    with codecs.getwriter("utf-8")(f) as text:
        text.write("11.5")


def wrap_arrow(f: Any) -> None:
    with pa.PythonFile(f, "w") as file:
        file.write(b"11.5")


def wrap_buffer(f: Any) -> None:
    f.buffer.close()


@pytest.mark.filterwarnings("ignore::atomic_arrow.DiscardedWarning")
@pytest.mark.parametrize(
    ("mode", "wrap"),
    [("wb", wrap_text), ("wb", wrap_codec), ("wb", wrap_arrow), ("w", wrap_buffer)],
)
def test_a_block_whose_file_was_closed_is_an_error(
    lake: Path, files: Callable[[Path], list[str]], mode: Any, wrap: Callable[[Any], None]
) -> None:
    with pytest.raises(aa.ClosedError, match="nothing was published") as raised:
        with aa.open(lake / TARGET, mode) as f:
            wrap(f)
    assert isinstance(raised.value, ValueError)
    assert raised.value.outcome is aa.Outcome.NOT_PUBLISHED
    assert TARGET in str(raised.value)
    # An exception of the block's own stays what it is.
    with pytest.raises(LookupError) as own:
        with aa.open(lake / TARGET, mode) as f:
            wrap(f)
            raise LookupError
    assert "nothing was published" in own.value.__notes__[0]
    assert files(lake) == []


@pytest.mark.parametrize("mode", ["w", "wb"])
def test_within_a_block_one_may_commit_or_discard(lake: Path, mode: Any) -> None:
    for end in ("commit", "discard"):
        with aa.open(lake / end, mode) as f:
            getattr(f, end)()
        assert (lake / end).exists() == (end == "commit")
        with pytest.raises(aa.ClosedError, match="closed"):
            f.commit()
    # A commit that failed was one, too.
    with aa.open(lake / "late", mode.replace("w", "x")) as f:
        aa.write_text("first", lake / "late")
        with pytest.raises(aa.AlreadyExistsError):
            f.commit()
    assert (lake / "late").read_text() == "first"


@pytest.mark.parametrize("mode", ["w", "wb"])
def test_the_garbage_collector_never_commits(
    lake: Path, files: Callable[[Path], list[str]], mode: Any
) -> None:
    f = aa.open(lake / TARGET, mode)
    f.write("x" * 20_000 if mode == "w" else b"x" * 20_000)
    with pytest.warns(ResourceWarning, match="dropped without a commit"):
        del f
        gc.collect()
    # A wrapper closes what it wraps when it is collected.
    binary = aa.open(lake / TARGET, "wb")
    with pytest.warns(aa.DiscardedWarning, match="closed without a commit"):
        io.TextIOWrapper(binary).write("x")
        gc.collect()
    assert files(lake) == []


def test_without_a_with_block_one_commits(lake: Path) -> None:
    f = aa.open(lake / TARGET, "wb")
    f.write(b"11.5")
    assert f.tell() == 4
    published = f.commit()
    assert f.closed
    assert (lake / TARGET).read_bytes() == b"11.5"
    assert published.path == lake / TARGET
    assert "4 B" in repr(published)
    assert published.rows is None
    discarded = aa.open(lake / "other", "w")
    discarded.write("x")
    discarded.discard()
    assert discarded.closed
    assert not (lake / "other").exists()


def test_x_refuses_what_is_there_and_w_replaces_it(lake: Path) -> None:
    aa.write_text("old", lake / "data")
    with pytest.raises(FileExistsError) as raised:
        aa.open(lake / "data", "x")
    assert isinstance(raised.value, aa.AlreadyExistsError)
    assert raised.value.path == lake / "data"
    with aa.open(lake / "data", "w") as f:
        f.write("new")
        assert (lake / "data").read_text() == "old"
    assert (lake / "data").read_text() == "new"
    with pytest.raises(FileExistsError):
        aa.write_bytes(b"newer", lake / "data", replace=False)
    first, second = aa.open(lake / "race", "xb"), aa.open(lake / "race", "xb")
    first.commit()
    with pytest.raises(FileExistsError):
        second.commit()
    assert second.closed


@pytest.mark.parametrize("mode", ["r", "a", "w+", "rb", "r+", "", "ww", "wbt", "U"])
def test_only_writing_is_possible(lake: Path, mode: Any) -> None:
    with pytest.raises(ValueError, match="mode"):
        aa.open(lake / "data", mode)


def test_text_is_encoded_as_asked(lake: Path, files: Callable[[Path], list[str]]) -> None:
    with aa.open(lake / "a", encoding="latin-1", errors="replace", newline="\r\n") as f:
        f.write("Zürich\n東京\n")
    assert (lake / "a").read_bytes() == b"Z\xfcrich\r\n??\r\n"
    with aa.open(lake / "b") as f:
        f.write("Zürich")
    assert (lake / "b").read_bytes() == "Zürich".encode()
    with pytest.raises(LookupError):
        aa.open(lake / "c", encoding="no such encoding")
    with pytest.raises(ValueError, match="binary"):
        aa.open(lake / "c", "wb", encoding="utf-8")  # type: ignore[call-overload]
    with pytest.raises(UnicodeEncodeError):
        with aa.open(lake / "c", encoding="ascii") as f:
            f.write("Zürich")
    assert files(lake) == ["a", "b"]


def write_zip(f: Any) -> None:
    with zipfile.ZipFile(f, "w") as archive:
        archive.writestr("a", b"11.5")


def write_gzip(f: Any) -> None:
    with gzip.GzipFile(fileobj=f, mode="wb") as compressed:
        compressed.write(b"11.5")


FRAME = pd.DataFrame({"a": [1, 2]})
BINARY: dict[str, tuple[Callable[[Any], Any], Callable[[Path], Any], Any]] = {
    "pickle": (lambda f: pickle.dump([1], f), lambda p: pickle.loads(p.read_bytes()), [1]),
    "zip": (write_zip, lambda p: zipfile.ZipFile(p).read("a"), b"11.5"),
    "gzip": (write_gzip, lambda p: gzip.decompress(p.read_bytes()), b"11.5"),
    "pandas csv": (
        lambda f: FRAME.to_csv(f, index=False),
        lambda p: p.read_text(),
        "a\n1\n2\n",
    ),
    "pandas parquet": (lambda f: FRAME.to_parquet(f), lambda p: len(pd.read_parquet(p)), 2),
    "polars parquet": (
        lambda f: pl.DataFrame({"a": [1]}).write_parquet(f),
        lambda p: len(pl.read_parquet(p)),
        1,
    ),
    "pyarrow parquet": (
        lambda f: pq.write_table(pa.table({"a": [1]}), f),
        lambda p: pq.read_table(p).num_rows,
        1,
    ),
    "numpy": (
        lambda f: numpy.save(f, numpy.arange(3)),
        lambda p: numpy.load(p).tolist(),
        [0, 1, 2],
    ),
    "shorts": (
        lambda f: f.write(numpy.arange(3, dtype="<i2")),
        lambda p: p.read_bytes(),
        b"\0\0\1\0\2\0",
    ),
    "large": (
        lambda f: f.write(bytes(range(256)) * 40_000),
        lambda p: p.read_bytes() == bytes(range(256)) * 40_000,
        True,
    ),
    "nothing": (lambda f: f.write(b""), lambda p: p.read_bytes(), b""),
    "lines": (lambda f: f.writelines([b"a\n", b"b\n"]), lambda p: p.read_bytes(), b"a\nb\n"),
}


@pytest.mark.parametrize("name", BINARY)
def test_everything_that_writes_files_can(lake: Path, name: str) -> None:
    write, read, expected = BINARY[name]
    with aa.open(lake / "data", "wb") as f:
        write(f)
        assert not (lake / "data").exists()
    assert read(lake / "data") == expected


def test_csv_and_print(lake: Path) -> None:
    with aa.open(lake / "data.csv", "w", newline="") as f:
        csv.writer(f).writerows([["a", "b"], [1, "x,y"]])
        print("end", file=f)
        FRAME.to_csv(f, index=False, lineterminator="\n")
    assert (lake / "data.csv").read_text() == 'a,b\n1,"x,y"\nend\na\n1\n2\n'


def test_what_is_not_of_its_format_is_not_published(
    lake: Path, files: Callable[[Path], list[str]]
) -> None:
    with pytest.raises(aa.DamagedError, match="does not parse") as raised:
        with aa.open(lake / "data.json", check="json") as f:
            f.write('{"temp": 11.5')
    assert raised.value.outcome is aa.Outcome.NOT_PUBLISHED
    assert raised.value.step == "Verify"
    assert f.closed
    with pytest.raises(aa.DamagedError):
        aa.write_json(float("nan"), lake / "data.json")
    with pytest.raises(TypeError):
        aa.write_json(object(), lake / "data.json")
    assert files(lake) == []
    aa.write_json(OBSERVATION, lake / "data.json", indent=2)
    assert json.loads((lake / "data.json").read_text()) == OBSERVATION


def test_files_say_what_they_are(lake: Path) -> None:
    with aa.open(lake / "data", "wb") as f:
        assert f.writable()
        assert not f.readable()
        assert not f.seekable()
        with pytest.raises(io.UnsupportedOperation):
            f.read()
        with pytest.raises(io.UnsupportedOperation):
            f.fileno()
        with pytest.raises(io.UnsupportedOperation):
            numpy.arange(3).tofile(f)
    with aa.open(lake / "text") as t:
        assert t.encoding == "utf-8"


@given(st.lists(st.one_of(st.binary(max_size=200), st.just(bytes(range(256)) * 300)), max_size=30))
def test_all_bytes_are_there_in_their_order(chunks: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "data"
        with aa.open(path, "wb", durability="unsynced") as file:
            for chunk in chunks:
                assert file.write(chunk) == len(chunk)
            assert file.tell() == sum(map(len, chunks))
        assert path.read_bytes() == b"".join(chunks)


def test_a_tilde_is_the_home_directory(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(lake / "home"))
    monkeypatch.chdir(lake)
    aa.write_bytes(b"x", "~/a.bin")
    aa.write_dataset(pa.table({"v": [1]}), "~/rows")
    assert sorted(path.name for path in (lake / "home").iterdir() if path.name[0] != ".") == [
        "a.bin",
        "rows",
    ]
    aa.write_bytes(b"x", "./~/a.bin")
    assert (lake / "~" / "a.bin").exists()


def test_what_is_no_regular_file_is_not_replaced(lake: Path) -> None:
    os.mkfifo(lake / "pipe")
    (lake / "target").write_text("old")
    (lake / "link").symlink_to("target")
    for name in ("pipe", "link"):
        with pytest.raises(aa.InvalidPathError, match="not replaced"):
            aa.open(lake / name, "w")
        with pytest.raises(aa.AlreadyExistsError):
            aa.open(lake / name, "x")
    rows = pa.table({"v": [1]})
    (lake / "rows").mkdir()
    (lake / "rows" / "a.parquet").symlink_to("nowhere")
    with pytest.raises(aa.InvalidPathError, match="symbolic link"):
        aa.AtomicArrowWriter(lake / "rows", {}, rows.schema, file_name="a.parquet", replace=True)
    assert (lake / "target").read_text() == "old"
    assert not (lake / ".atomic").exists()


@pytest.mark.parametrize("name", ["a\0b", "k=v/a\0b", "a\0/b"])
def test_a_nul_byte_is_a_plain_error(lake: Path, name: str) -> None:
    path = f"{lake}/{name}"
    for call in (
        lambda: aa.open(path, "w"),
        lambda: aa.write_dataset(pa.table({"v": [1]}), path),
        lambda: aa.AtomicArrowWriter(path, {}, pa.schema([("v", pa.int64())])),
    ):
        with pytest.raises((aa.InvalidPathError, ValueError)):
            call()
    assert list(lake.iterdir()) == []


def test_parquet_is_checked_as_closely_as_is_asked_for(lake: Path) -> None:
    buffer = io.BytesIO()
    pq.write_table(pa.table({"n": range(1000)}), buffer)
    sound = buffer.getvalue()
    torn = sound[:4] + b"\xff" * 40 + sound[44:]
    path = lake / "data.parquet"
    aa.write_bytes(torn, path, check="parquet")
    aa.write_bytes(sound, path, check="parquet", verify="decode")
    with pytest.raises(aa.DamagedError):
        aa.write_bytes(torn, path, check="parquet", verify="decode")
    assert path.read_bytes() == sound
    for check in ("parquet", "json"):
        with pytest.raises(aa.InvalidOptionError, match="verify: skip"):
            aa.write_bytes(sound, path, check=check, verify="skip")
