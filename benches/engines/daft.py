"""What ``atomic_arrow.daft`` takes beside Daft's own ``write_parquet``.

    python benches/engines/daft.py [--rows 5000000] [--partitions 500] [--rounds 3]

Both write the same frame, in memory, with zstd, by turns; what counts is the ratio within a round. One is synced, verified and
all or nothing. It needs a release build of the package, and what ``python/engines/daft`` has; ``ATOMIC_ARROW_BENCH_DIR``
names a directory on the file system to measure.
"""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

# This file is named as what it measures.
sys.path.pop(0)
sys.path.append(str(Path(__file__).parent))
os.environ["DAFT_ANALYTICS_ENABLED"] = "0"
os.environ["DAFT_PROGRESS_BAR"] = "0"

import atomic_arrow as aa
import daft
from turns import arguments, by_turns, weather


def main() -> None:
    asked = arguments(rows=5_000_000, partitions=500, rounds=3)
    warnings.simplefilter("ignore")
    held = daft.from_arrow(weather(asked.rows, asked.partitions)).collect()

    def by_atomic(root: Path) -> None:
        with aa.daft.AtomicDataSink(root, partition_by="station", compression="zstd(3)") as sink:
            held.write_sink(sink)

    by_turns(
        "Daft",
        lambda root: held.write_parquet(str(root), partition_cols=["station"], compression="zstd"),
        by_atomic,
        asked.rows,
        asked.rounds,
    )


if __name__ == "__main__":
    main()
