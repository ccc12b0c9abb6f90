"""What ``atomic_arrow.ray`` takes beside Ray's own ``write_parquet``.

    python benches/engines/ray.py [--rows 5000000] [--partitions 500] [--tasks 4] [--rounds 3]

Both write the same blocks, in the memory of Ray, with zstd at level 3, by turns; what counts is the ratio within a round. One
is synced, verified and all or nothing. It needs a release build of the package, and what ``python/engines/ray`` has;
``ATOMIC_ARROW_BENCH_DIR`` names a directory on the file system to measure.
"""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

# This file is named as what it measures.
sys.path.pop(0)
sys.path.append(str(Path(__file__).parent))
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

import atomic_arrow as aa
import ray
from turns import arguments, by_turns, weather


def main() -> None:
    asked = arguments(rows=5_000_000, partitions=500, tasks=4, rounds=3)
    warnings.simplefilter("ignore")
    ray.init(include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    ray.data.DataContext.get_current().enable_progress_bars = False
    table = weather(asked.rows, asked.partitions)
    size = -(-asked.rows // asked.tasks)
    held = ray.data.from_arrow([table.slice(at, size) for at in range(0, asked.rows, size)])
    held = held.materialize()
    del table
    by_turns(
        "Ray",
        lambda root: held.write_parquet(
            str(root), partition_cols=["station"], compression="zstd", compression_level=3
        ),
        lambda root: held.write_datasink(
            aa.ray.AtomicDatasink(root, partition_by="station", compression="zstd(3)")
        ),
        asked.rows,
        asked.rounds,
    )


if __name__ == "__main__":
    main()
