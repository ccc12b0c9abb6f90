"""The rows of the works, drawn from fixed seeds so that everybody writes the same, or fetched.

Each maker takes a number of rows and of partitions and gives tables of one schema.
"""

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import environment
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

SEED = 20131031
AT_ONCE = 5_000_000
CONDITIONS = np.array(["clear", "cloudy", "fog", "haze", "rain", "snow", "drizzle", "thunder"])
# Where the real data is from: a package of the npm registry, its version, and the tarball's SHA-256.
FLIGHTS = ("vega-datasets", "3.2.1", "6f72fda460a9863fae5fcb32f85bcd49e1761fdea6dc6cf9f4962472881cc5a3")
FLIGHTS_FILE = "package/data/flights-3m.parquet"


class Unavailable(Exception):
    """An input that cannot be had here; says why."""


def shuffled_weather(rows: int, partitions: int) -> Iterator[pa.Table]:
    """Weather as stations report it, 9 columns, 71 bytes a row: 5,000,000 rows take 356 MB in memory."""
    for part, start in enumerate(range(0, rows, AT_ONCE)):
        random = np.random.default_rng(SEED + part)
        count = min(AT_ONCE, rows - start)
        yield weather(random, random.integers(0, partitions, count), partitions)


def sorted_weather(rows: int, partitions: int) -> Iterator[pa.Table]:
    random = np.random.default_rng(SEED)
    yield weather(random, np.sort(random.integers(0, partitions, rows)), partitions)


def turns_of_weather(rows: int, partitions: int) -> Iterator[pa.Table]:
    """A thousand rows of one station, then of the next, and so on all over again."""
    random = np.random.default_rng(SEED)
    yield weather(random, np.arange(rows) // 1_000 % partitions, partitions)


def weather(random, station: np.ndarray, partitions: int) -> pa.Table:
    rows = len(station)
    hour = np.arange(rows, dtype=np.int64) * 3600 % (10 * 365 * 86400)
    temp = np.round(15 + 12 * np.sin(hour / 86400 * 2 * np.pi / 365) + random.normal(0, 4, rows), 1)
    wind = random.gamma(2.0, 3.0, rows)
    without = random.random(rows) < 0.03
    names = np.array([f"K{number:05d}" for number in range(partitions)])
    return pa.table(
        {
            "station_id": pa.array(names).take(pa.array(station)),
            "time_hour": pa.array(hour * 1_000_000 + 1_356_998_400_000_000, pa.timestamp("us", "UTC")),
            "temp": pa.array(temp),
            "dewp": pa.array(np.round(temp - random.gamma(2.0, 2.0, rows), 1)),
            "humid": pa.array(np.round(random.random(rows) * 100, 2), mask=without),
            "wind_dir": pa.array(random.integers(0, 36, rows).astype(np.int32) * 10),
            "wind_speed": pa.array(np.round(wind, 3), mask=without),
            "pressure": pa.array(np.round(random.normal(1013, 8, rows), 1)),
            "condition": pa.array(CONDITIONS).take(pa.array(random.integers(0, len(CONDITIONS), rows))),
        }
    )


def wide(rows: int, partitions: int) -> Iterator[pa.Table]:
    """A key and 199 columns: 90 floats, 50 integers of two sizes, 30 texts, 20 flags, 9 times; a third with nulls."""
    random = np.random.default_rng(SEED)
    columns = {"site": named("S", 3, random.integers(0, partitions, rows), partitions)}
    words = np.array([f"word {number}" for number in range(200)])
    kinds = {
        "float": (90, lambda: np.round(random.normal(100, 20, rows), 2)),
        "int": (25, lambda: random.integers(0, 10_000, rows).astype(np.int32)),
        "long": (25, lambda: random.integers(0, 1 << 40, rows)),
        "text": (30, lambda: words[random.integers(0, len(words), rows)]),
        "flag": (20, lambda: random.random(rows) < 0.5),
        "time": (9, lambda: (np.arange(rows) * 1_000_000 + 1_356_998_400_000_000).astype("datetime64[us]")),
    }
    for kind, (count, values) in kinds.items():
        for number in range(count):
            # Flags and integers without nulls: a pandas user's would become something else with them.
            nulls = random.random(rows) < 0.1 if number % 3 == 0 and kind in ("float", "text") else None
            columns[f"{kind}_{number}"] = pa.array(values(), mask=nulls)
    yield pa.table(columns)


def documents(rows: int, partitions: int) -> Iterator[pa.Table]:
    """Texts of about 800 bytes, lists of words, and lists of lists of figures."""
    random = np.random.default_rng(SEED)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    words = ["".join(random.choice(letters, length)) for length in random.integers(2, 11, 20_000)]
    weights = 1 / np.arange(10, len(words) + 10)
    drawn = random.choice(len(words), min(rows * 20 + 10_000, 8_000_000), p=weights / weights.sum())
    text = " ".join([words[number] for number in drawn])
    lengths = random.gamma(2.0, 400.0, rows).astype(int).clip(1, 20_000)
    starts = random.integers(0, len(text) - 20_000, rows)
    tags = random.poisson(5, rows)
    groups = random.poisson(3, rows)
    figures = random.poisson(4, groups.sum())
    inner = pa.ListArray.from_arrays(offsets(figures), pa.array(random.normal(0, 1, figures.sum()).astype(np.float32)))
    yield pa.table(
        {
            "source": named("S", 3, random.integers(0, partitions, rows), partitions),
            "id": pa.array(np.arange(rows)),
            "text": pa.array([text[at : at + length] for at, length in zip(starts, lengths, strict=True)]),
            "tags": pa.ListArray.from_arrays(
                offsets(tags), pa.array(words).take(pa.array(random.integers(0, 500, tags.sum())))
            ),
            "figures": pa.ListArray.from_arrays(offsets(groups), inner),
        }
    )


def flights(rows: int, partitions: int) -> Iterator[pa.Table]:
    """Flights of one half-year in the United States, with the month as a column of its own."""
    table = pq.read_table(flights_file())
    # Evenly from the whole, so that fewer rows are still of all months.
    table = table.take(pa.array(np.linspace(0, len(table) - 1, rows).astype(np.int64)))
    table = table.append_column("month", pc.month(table["date"]).cast(pa.int32()))
    yield table.cast(pa.schema([plain(field) for field in table.schema])).combine_chunks()


def flights_file() -> Path:
    """The real data, fetched once and kept."""
    name, version, digest = FLIGHTS
    kept = environment.HOME / "fetched" / f"{name}-{version}-flights-3m.parquet"
    if kept.exists():
        return kept
    if not shutil.which("npm"):
        raise Unavailable(f"npm, which fetches {name} {version}, is not installed")
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent) as directory:
        done = subprocess.run(
            ["npm", "pack", f"{name}@{version}", "--silent"], cwd=directory, capture_output=True, text=True
        )
        tarballs = list(Path(directory).glob("*.tgz"))
        if done.returncode or len(tarballs) != 1:
            raise Unavailable(f"npm cannot fetch {name} {version}")
        if hashlib.sha256(tarballs[0].read_bytes()).hexdigest() != digest:
            raise Unavailable(f"{name} {version} is not what it was when this was written")
        with tarfile.open(tarballs[0]) as tarball, open(Path(directory) / "flights", "wb") as file:
            shutil.copyfileobj(tarball.extractfile(FLIGHTS_FILE), file)
        (Path(directory) / "flights").rename(kept)
    return kept


def lineitem(rows: int, partitions: int) -> Iterator[pa.Table]:
    """The line items of TPC-H at scale 1, in the order of orders, with the month of shipping as a column of its own."""
    with tempfile.TemporaryDirectory(dir=environment.HOME) as directory:
        made = subprocess.run(
            [Path(sys.executable).parent / "tpchgen-cli", "parquet", "--scale-factor", "1", "--tables", "lineitem",
             "--output-dir", directory],
            capture_output=True, text=True,
        )
        if made.returncode:
            raise Unavailable(f"tpchgen-cli makes no line items: {made.stderr.strip()}")
        table = pq.read_table(Path(directory) / "lineitem.parquet")
    if rows < len(table):
        table = table.take(pa.array(np.linspace(0, len(table) - 1, rows).astype(np.int64)))
    table = table.append_column("ship_month", pc.strftime(table["l_shipdate"], format="%Y-%m"))
    yield table.cast(pa.schema([plain(field) for field in table.schema])).combine_chunks()


def plain(field: pa.Field) -> pa.Field:
    """The field with texts as everybody takes them."""
    is_text = pa.types.is_large_string(field.type) or pa.types.is_string_view(field.type)
    return pa.field(field.name, pa.string() if is_text else field.type)


def named(prefix: str, width: int, numbers: np.ndarray, count: int) -> pa.Array:
    names = [f"{prefix}{number:0{width}d}" for number in range(count)]
    return pa.array(names).take(pa.array(numbers))


def offsets(lengths: np.ndarray) -> pa.Array:
    return pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
