"""Data sets and files in an object store: written by changing one line, and read back by others."""

from __future__ import annotations

import datetime
import logging
import os
import pickle
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path, PurePosixPath
from typing import Any

import atomic_arrow as aa
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal
from store_server import SECRET, TOP, Server, serve_or_skip

ROWS = pa.table({"station_id": ["KSEA", "KJFK", "KSEA"], "temp": [11.5, 3.0, 12.25]})

pytestmark = pytest.mark.usefixtures("no_settings")


def test_a_user_of_pandas_writes_to_a_bucket_by_another_root(server: Server, root: str) -> None:
    frame = pd.DataFrame({"station_id": ["KSEA", "KJFK"], "temp": [11.5, 3.0]})
    receipt = aa.write_dataset(
        frame, root, partition_by="station_id", storage_options=server.options
    )
    assert receipt.rows == 2
    assert receipt.root == root
    assert server.rows(root).num_rows == 2


def test_a_user_of_polars_has_the_same_options_for_reading(server: Server, root: str) -> None:
    frame = pl.DataFrame({"station_id": ["KSEA", "KJFK"], "temp": [11.5, 3.0]})
    aa.write_dataset(frame, root, partition_by="station_id", storage_options=server.options)
    seen = pl.scan_parquet(f"{root}/", storage_options=server.options).collect()
    assert seen.select(frame.columns).sort("station_id").equals(frame.sort("station_id"))


@pytest.mark.parametrize("kind", ["azurite", "fake-gcs"])
def test_the_stores_of_azure_and_google_take_the_same_calls(kind: str) -> None:
    with serve_or_skip(kind) as server:
        root = f"{server.url}/weather"
        store: dict[str, Any] = {"storage_options": server.options}
        aa.write_dataset(ROWS, root, partition_by="station_id", **store)
        aa.write_dataset(ROWS, root, partition_by="station_id", mode="overwrite", **store)
        seen = pl.scan_parquet(f"{root}/", **store).select(ROWS.column_names).collect()
        assert_frame_equal(seen, pl.DataFrame(ROWS), check_row_order=False)
        assert aa.verify(root, level="decode", **store).rows == ROWS.num_rows
        with aa.open(f"{server.url}/data.json", "x", check="json", **store) as file:
            file.write('{"temp": 11.5}')
        with pytest.raises(aa.AlreadyExistsError):
            aa.write_text("{}", f"{server.url}/data.json", replace=False, **store)


def test_the_environment_says_how_the_store_is_reached(
    server: Server, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    aa.write_dataset(ROWS, root, partition_by="station_id")
    assert aa.inspect(root).rows == 3
    with pytest.raises(aa.ConflictError) as raised:
        aa.write_dataset(ROWS, root, partition_by="station_id", mode="error_if_exists")
    assert raised.value.path is not None and str(raised.value.path).startswith(root)
    aa.write_dataset(ROWS[:1], root, partition_by="station_id", mode="overwrite_partitions")
    assert sorted(server.rows(root)["temp"].to_pylist()) == [3.0, 11.5]
    aa.write_dataset(ROWS[:1], root, mode="overwrite", partition_by="station_id")
    assert server.rows(root).num_rows == 1
    assert aa.write_dataset(ROWS, root, partition_by="station_id", dry_run=True).root == root


def test_the_page_runs_as_printed(server: Server, tmp_path: Path) -> None:
    page = (TOP / "docs/object-stores.md").read_text()
    script = tmp_path / "page.py"
    script.write_text("\n".join(re.findall(r"^```python\n(.*?)^```", page, re.M | re.S)))
    environment = os.environ | server.environment()
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, cwd=tmp_path, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert server.rows("s3://lake/stations").num_rows == 2


def test_a_named_write_to_a_bucket_is_done_once(server: Server, root: str) -> None:
    with_store: dict[str, Any] = {"storage_options": server.options, "dead_after": 60}
    first = aa.write_dataset(ROWS, root, write_id="monday", **with_store)
    again = aa.write_dataset(ROWS, root, write_id="monday", **with_store)
    assert again.replayed and again.transaction == first.transaction
    found = aa.already_committed(root, "monday", storage_options=server.options)
    assert found is not None and found.rows == 3
    assert server.rows(root).num_rows == 3


def test_what_is_staged_in_a_bucket_is_committed_by_another_process(
    server: Server, root: str
) -> None:
    staged = [
        aa.stage(
            ROWS[n : n + 1],
            root,
            task=str(n),
            partition_by="station_id",
            storage_options=server.options,
        )
        for n in range(3)
    ]
    sent = [pickle.loads(pickle.dumps(one)) for one in staged]
    assert sent == staged and sent[0].root == root
    # What is sent tells nobody how the store is reached.
    assert SECRET not in sent[0].to_json()
    waiting = aa.staged(root, storage_options=server.options)
    assert [one.write.task for one in waiting] == ["0", "1", "2"]
    aa.discard(sent[2:], storage_options=server.options)
    assert aa.commit(sent[:2], storage_options=server.options).rows == 2
    assert server.rows(root).num_rows == 2
    recovery = aa.recover(
        root, storage_options=server.options, dead_after=datetime.timedelta(0, 60)
    )
    assert (recovery.staged, recovery.alive, recovery.failed) == ([], [], [])


def test_single_files_in_a_bucket(server: Server, root: str) -> None:
    store: dict[str, Any] = {"storage_options": server.options}
    with aa.open(f"{root}/data.json", "x", check="json", **store) as file:
        file.write('{"temp": 11.5}')
    assert file.final_path == f"{root}/data.json"
    assert file.published is not None and os.fspath(file.published) == f"{root}/data.json"
    with pytest.raises(aa.AlreadyExistsError):
        aa.write_text("{}", f"{root}/data.json", replace=False, **store)
    with pytest.raises(aa.DamagedError):
        aa.write_text("{", f"{root}/data.json", check="json", **store)
    written = aa.write_parquet(ROWS, f"{root}/one.parquet", **store)
    assert written.rows == 3 and server.rows(f"{root}/one.parquet").num_rows == 3
    with aa.update(f"{root}/one.parquet", **store) as update:
        before = pa.table(update.read())
        update.write(pa.concat_tables([before, ROWS[:1].cast(before.schema)]))
    assert update.file.rows == 4
    partition = {"year": 2026}
    with aa.AtomicArrowWriter(f"{root}/set", partition, ROWS.schema, **store) as writer:
        writer.write(ROWS)
    assert str(writer.path).startswith(f"{root}/set/year=2026/part-")
    assert server.rows(f"{root}/set").num_rows == 3


def test_what_is_damaged_in_a_bucket_is_found(server: Server, root: str) -> None:
    store: dict[str, Any] = {"storage_options": server.options}
    aa.write_dataset(ROWS, root, **store)
    aa.write_bytes(b"PAR1 and not much more", f"{root}/torn.parquet", **store)
    verification = aa.verify(root, level="decode", **store)
    assert [file.path for file in verification.damaged] == [f"{root}/torn.parquet"]
    inspection = aa.inspect(root, **store)
    assert inspection.root == root
    assert inspection.oddities[0].path == f"{root}/torn.parquet"


def test_a_store_of_obstore_gives_its_settings(server: Server, root: str) -> None:
    obstore = pytest.importorskip("obstore.store")
    config = {name.removeprefix("aws_"): value for name, value in server.options.items()}
    del config["allow_http"]
    client = {"allow_http": True, "timeout": "20s"}
    store = obstore.S3Store("lake", config=config, client_options=client)
    aa.write_dataset(ROWS, root, storage_options=store)
    assert aa.inspect(root, storage_options=store).rows == 3
    deep = obstore.S3Store("lake", prefix="deep", config=config)
    with pytest.raises(aa.InvalidOptionError, match="has a prefix"):
        aa.write_dataset(ROWS, root, storage_options=deep)


def test_settings_that_are_none_are_refused_without_their_values(
    server: Server, root: str, lake: Path
) -> None:
    def refused(kind: type[Exception], text: str, place: Any, **options: Any) -> None:
        with pytest.raises(kind, match=text) as raised:
            aa.write_dataset(ROWS, place, **options)
        assert SECRET not in str(raised.value)

    invalid = aa.InvalidOptionError
    good = server.options
    refused(invalid, "no setting", root, storage_options=good | {"aws_regoin": SECRET})
    refused(invalid, "aws_secret_access_key", root, storage_options={"secret": SECRET})
    refused(invalid, "aws_allow_http: ", root, storage_options=good | {"aws_allow_http": SECRET})
    refused(TypeError, "'aws_region' is a text", root, storage_options={"aws_region": [SECRET]})
    refused(TypeError, "a dictionary or a store", root, storage_options=SECRET)
    refused(invalid, "5 MiB", root, storage_options=good, part_size="1MiB")
    refused(invalid, "a minute", root, storage_options=good, dead_after=1)
    refused(invalid, "is for object stores", lake / "x", storage_options=good)
    refused(invalid, "is for object stores", lake / "x", spool=lake)
    with pytest.raises(invalid, match="is for object stores"):
        aa.verify(lake, storage_options=good)
    aa.write_dataset(ROWS, lake / "x", storage_options=None, spool=None)
    aa.write_dataset(ROWS, lake / "y", storage_options={})


def test_a_url_that_a_path_has_cut_is_refused(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(lake)
    for place in (PurePosixPath("s3://lake/weather"), "gs:/lake/weather"):
        with pytest.raises(aa.InvalidPathError, match="give the URL as a str"):
            aa.write_dataset(ROWS, place)
        with pytest.raises(aa.InvalidPathError, match="give the URL as a str"):
            aa.verify(place)
    for call in (
        lambda: aa.write_files("s3://lake/a.csv", "x"),
        lambda: aa.open("x", spool="s3://x"),
    ):
        with pytest.raises(aa.InvalidPathError, match="only a path on a disk"):
            call()
    assert list(lake.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "hint", "passes"),
    [
        ({"aws_endpoint": "http://127.0.0.1:1"}, "hint: check the endpoint", True),
        ({"aws_endpoint": "127.0.0.1:1"}, "aws_endpoint is no address of a store", False),
        ({"aws_allow_http": "false"}, "aws_allow_http=true", False),
    ],
)
def test_a_store_that_is_not_reached_says_what_to_do(
    server: Server, root: str, change: dict[str, str], hint: str, passes: bool
) -> None:
    with pytest.raises(aa.AtomicArrowError, match=hint) as raised:
        aa.write_dataset(ROWS, root, storage_options=server.options | change)
    assert raised.value.outcome == "not_published"
    assert SECRET not in str(raised.value)
    for error in (raised.value, pickle.loads(pickle.dumps(raised.value))):
        assert error.is_retryable is passes


def test_a_url_with_more_than_bucket_and_key_is_refused(server: Server) -> None:
    for url in ("s3://lake:9000/x", f"s3://key:{SECRET}@lake/x", "s3://lake?x/y", "s3://lake//x"):
        with pytest.raises(aa.InvalidPathError) as raised:
            aa.write_dataset(ROWS, url, storage_options=server.options)
        assert SECRET not in str(raised.value)
    with pytest.raises(TypeError, match="dead_after: a number of seconds or a timedelta, not str"):
        aa.recover("s3://lake/x", dead_after="1h", storage_options=server.options)  # type: ignore[arg-type]


def test_a_bucket_that_is_not_there_is_an_error(server: Server) -> None:
    with pytest.raises(aa.AtomicArrowError, match="hint: check the name of the bucket") as raised:
        aa.write_dataset(ROWS, "s3://no-such-bucket/x", storage_options=server.options)
    assert str(raised.value.path).startswith("s3://no-such-bucket/")
    assert pickle.loads(pickle.dumps(raised.value)).path == raised.value.path


def test_ctrl_c_publishes_nothing(server: Server, root: str) -> None:
    given: dict[str, Any] = {"partition_by": "station_id", "storage_options": server.options}
    aa.write_dataset(ROWS, root, **given)
    for kind in ("put", "put-create"):
        server.tell(f"add {kind}:*.files/*.staged=hang")

    noticed = threading.Event()

    def interrupt() -> None:
        while server.tell("hanging")["hanging"] == 0:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)
        # Only then is it known that the library is asked to stop before it goes on.
        noticed.wait()
        server.tell("clear")
        server.tell("release")

    def notice(*_: object) -> None:
        noticed.set()
        raise KeyboardInterrupt

    thread = threading.Thread(target=interrupt)
    before = signal.signal(signal.SIGINT, notice)
    thread.start()
    try:
        with pytest.raises(aa.Interrupted) as raised:
            aa.write_dataset(ROWS, root, **given)
    finally:
        thread.join()
        signal.signal(signal.SIGINT, before)
    assert raised.value.outcome == "not_published"
    assert raised.value.path == root
    assert server.rows(root).num_rows == 3
    recovery = aa.recover(root, storage_options=server.options)
    assert recovery.alive == [] and recovery.failed == []


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork")
def test_a_forked_process_writes_too(server: Server, root: str) -> None:
    aa.write_dataset(ROWS, root, storage_options=server.options)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            aa.write_dataset(ROWS, root, storage_options=server.options)
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    aa.write_dataset(ROWS, root, storage_options=server.options)
    assert server.rows(root).num_rows == 9


def test_what_is_done_in_a_store_is_logged_as_on_a_disk(
    server: Server, root: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "atomic_arrow"):
        aa.write_dataset(ROWS, root, storage_options=server.options)
    assert {record.name for record in caplog.records} >= {
        "atomic_arrow.write",
        "atomic_arrow.commit",
        "atomic_arrow.store",
    }
    assert any(root in record.getMessage() for record in caplog.records)
    assert SECRET not in caplog.text
