"""What ``atomic_arrow.dask`` takes beside Dask's own ``to_parquet``.

    python benches/engines/dask.py [--rows 5000000] [--partitions 500] [--tasks 4] [--rounds 3]

Both write the same frame, held by the workers of a local cluster, with zstd at level 3, by turns; what counts is the ratio
within a round. One is synced, verified and all or nothing. It needs a release build of the package, and what
``python/engines/dask`` has; ``ATOMIC_ARROW_BENCH_DIR`` names a directory on the file system to measure.
"""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

# This file is named as what it measures.
sys.path.pop(0)
sys.path.append(str(Path(__file__).parent))

import atomic_arrow as aa
import dask.dataframe as dd
from distributed import Client, LocalCluster, wait
from turns import arguments, by_turns, weather


def main() -> None:
    asked = arguments(rows=5_000_000, partitions=500, tasks=4, rounds=3)
    warnings.simplefilter("ignore")
    frame = weather(asked.rows, asked.partitions).to_pandas(types_mapper=None)
    cores = os.cpu_count() or 1
    with (
        LocalCluster(n_workers=cores, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster),
    ):
        held = dd.from_pandas(frame, npartitions=asked.tasks, sort=False).persist()
        del frame
        wait(held)
        by_turns(
            "Dask",
            lambda root: held.to_parquet(
                root,
                partition_on="station",
                write_index=False,
                compression="zstd",
                compression_level=3,
            ),
            lambda root: aa.dask.write_dataset(
                held, root, partition_by="station", compression="zstd(3)"
            ),
            asked.rows,
            asked.rounds,
        )


if __name__ == "__main__":
    main()
