"""Copies of slow tasks: of two that write the same rows one is committed, and the other leaves nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyspark
import pytest
from common import whole
from support import ids, nothing_left

HERE = Path(__file__).parent
PORT = 17077


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[str]:
    """A master and two workers, on addresses of their own: Spark puts a copy on another host only."""
    home = Path(pyspark.__file__).parent
    (tmp_path / "faults").mkdir()
    environment = os.environ | {
        "SPARK_HOME": str(home),
        "PYSPARK_PYTHON": sys.executable,
        "ATOMIC_ARROW_FAULTS": str(tmp_path / "faults"),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH")])),
        "SPARK_WORKER_DIR": str(tmp_path / "work"),
    }
    master = f"spark://127.0.0.1:{PORT}"
    deploy = "org.apache.spark.deploy"
    roles = [[f"{deploy}.master.Master", "--host", "127.0.0.1", "--port", str(PORT)]]
    for host in ("127.0.0.2", "127.0.0.3"):
        worker = ["--host", host, "--cores", "2", "--memory", "1g", master]
        roles.append([f"{deploy}.worker.Worker", "--webui-port", "0", *worker])
    log = (tmp_path / "cluster.log").open("wb")
    started = [
        subprocess.Popen([home / "bin/spark-class", *role], env=environment, stdout=log, stderr=log)
        for role in roles
    ]
    yield master
    for process in started:
        process.terminate()
        process.wait()
    log.close()


@whole
@pytest.mark.parametrize("point", ["before staging 0", "while writing 0", "after staging 0"])
def test_one_of_two_copies_is_committed(
    cluster: str, root: Path, tmp_path: Path, point: str
) -> None:
    # Whoever comes first to this point stays there; the copy goes on.
    (tmp_path / "faults" / point).write_text("hang")
    command = [sys.executable, str(HERE / "driver.py"), "speculate", str(root), cluster]
    environment = os.environ | {"ATOMIC_ARROW_FAULTS": str(tmp_path / "faults")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert not (tmp_path / "faults" / point).exists()
    assert ids(root) == list(range(300))
    # A copy that is ended while it writes is seen to be dead when its process is.
    for _ in range(100):
        if nothing_left(root):
            break
        time.sleep(0.1)
    assert nothing_left(root)
