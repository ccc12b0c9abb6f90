"""What has to be there before anything is measured, all of it below Cargo's target directory.

The pinned peers in an environment of their own, named by a hash of the lists and of this Python and marked
complete last; our writers, and our Python package, built of this checkout for release.
"""

import hashlib
import importlib.metadata
import os
import platform
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", PROJECT / "target")).resolve()
HOME = TARGET / "bench-peers"
REQUIREMENTS = HERE / "requirements.txt"
LISTS = (REQUIREMENTS, *(PROJECT / f"{part}/peers/requirements.txt" for part in ("lab", "tests")))
PACKAGES = ("pyarrow", "polars", "duckdb", "datafusion", "deltalake", "pandas")


def pip(python: Path, *arguments) -> None:
    options = ("-qq", "--no-input", "--no-deps", "--disable-pip-version-check")
    subprocess.run([python, "-m", "pip", "install", *options, *arguments], check=True)


def enter() -> None:
    """Goes on in the Python that has the peers, which is made if it is not there."""
    known = hashlib.sha256(sys.version.encode() + b"".join(path.read_bytes() for path in LISTS))
    home = HOME / "venv" / known.hexdigest()[:16]
    if Path(sys.prefix).resolve() == home:
        return
    python = home / "bin" / "python"
    if not (home / "complete").exists():
        print("installing the peers", file=sys.stderr)
        venv.create(home, with_pip=True, clear=True)
        pip(python, "--only-binary=:all:", "-r", REQUIREMENTS)
        (home / "complete").touch()
    os.execv(python, [str(python), *sys.argv])


def build(*what: str) -> Path:
    """Builds programs for release, and gives the directory that they are in."""
    print("building", *what, file=sys.stderr)
    subprocess.run(["cargo", "build", "--release", "-q", "--locked", *what], cwd=PROJECT, check=True)
    return TARGET / "release"


def build_writers() -> Path:
    """Our writers in Rust."""
    return build("--example", "peers") / "examples" / "peers"


def install_package() -> None:
    """Our Python package, into this environment."""
    print("building our Python package", file=sys.stderr)
    wheels = HOME / "wheels"
    maturin = [Path(sys.prefix) / "bin" / "maturin", "build", "--release", "--locked", "--quiet"]
    manifest = ["--manifest-path", PROJECT / "python" / "Cargo.toml"]
    subprocess.run([*maturin, *manifest, "--target-dir", TARGET, "--out", wheels], check=True)
    newest = max(wheels.glob("*.whl"), key=lambda wheel: wheel.stat().st_mtime)
    pip(Path(sys.executable), "--force-reinstall", "--no-index", newest)


def machine(directory: Path) -> dict[str, str]:
    """What the figures were taken on."""
    processor = [line.split(":")[1].strip() for line in lines("/proc/cpuinfo") if line.startswith("model name")]
    about = {
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "processor": f"{len(os.sched_getaffinity(0))} cores, {processor[0] if processor else platform.machine()}",
        "memory": f"{memory_total() / (1 << 30):.0f} GiB",
        "file system": file_system(directory),
        "atomic-arrow": package_version(),
    }
    return about | {name: importlib.metadata.version(name) for name in PACKAGES}


def memory_total() -> int:
    """The machine's memory in bytes."""
    return next(int(line.split()[1]) << 10 for line in lines("/proc/meminfo") if line.startswith("MemTotal"))


def file_system(directory: Path) -> str:
    """The kind of file system that holds a directory."""
    mounts = [line.split()[1:3] for line in lines("/proc/mounts")]
    path = str(directory.resolve())
    above = [(place, kind) for place, kind in mounts if place == "/" or f"{path}/".startswith(f"{place}/")]
    return max(above, key=lambda mount: len(mount[0]))[1]


def package_version() -> str:
    """Ours."""
    found = [line.split('"')[1] for line in lines(PROJECT / "Cargo.toml") if line.startswith('version = ')]
    return found[0]


def lines(path) -> list[str]:
    return Path(path).read_text().splitlines()
