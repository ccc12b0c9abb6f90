"""The exact versions of the peers, installed below Cargo's target directory on first use.

Owns target/peers-lab/<hash>/, where the hash is of both lists and of this Python. It is made under
a file lock and marked complete last, so an installation that was interrupted is made anew.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
WORKSPACE = HERE.parent.parent
LISTS = (WORKSPACE / "tests/peers/requirements.txt", HERE / "requirements.txt")
SPARK = HERE / "requirements-spark.txt"


def target():
    """Cargo's target directory."""
    return WORKSPACE / os.environ.get("CARGO_TARGET_DIR", "target")


def pip(environment, listed):
    """Installs exactly what is listed, and never from source."""
    command = [environment / "bin/pip", "install", "-qq", "--no-input", "--no-deps"]
    command += ["--disable-pip-version-check", "--requirement", listed]
    return subprocess.run(command, stdin=subprocess.DEVNULL).returncode


def python():
    """The Python that has the peers, installed first where they are not yet."""
    known = hashlib.sha256(sys.version.encode() + sys.executable.encode())
    for listed in (*LISTS, SPARK):
        known.update(listed.read_bytes())
    environment = target() / "peers-lab" / known.hexdigest()[:16]
    environment.parent.mkdir(parents=True, exist_ok=True)
    with open(environment.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (environment / "complete").exists():
            shutil.rmtree(environment, ignore_errors=True)
            venv.create(environment, with_pip=True)
            if pip(environment, LISTS[1]):
                sys.exit("the peers cannot be installed")
            # Spark is large, and useless without Java: what needs it says that it is skipped.
            if shutil.which("java"):
                pip(environment, SPARK)
            (environment / "complete").touch()
    return environment / "bin/python"


def build():
    """The command, built for debugging: nothing here is timed."""
    subprocess.run(["cargo", "build", "-q", "-p", "atomic-arrow-cli"], cwd=WORKSPACE, check=True)
    return target().resolve() / "debug/atomic-arrow"
