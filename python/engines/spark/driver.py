"""A driver of its own, for tests that kill it: ``driver.py batch|speculate|behind|stream ROOT [MASTER]``."""

from __future__ import annotations

import sys
from pathlib import Path

from faults import SourceWithFaults
from support import session

SPECULATION = {
    "spark.speculation": "true",
    "spark.speculation.interval": "100ms",
    "spark.speculation.multiplier": "1.1",
    "spark.speculation.quantile": "0.5",
    "spark.speculation.minTaskRuntime": "1s",
    "spark.executor.cores": "2",
    "spark.executor.memory": "512m",
}


def main(what: str, root: Path, master: str = "local[2,4]") -> None:
    spark = session(master, **(SPECULATION if what == "speculate" else {}))
    spark.dataSource.register(SourceWithFaults)
    if what != "stream":
        rows = spark.range(0, 300, numPartitions=3).selectExpr(
            "id", "concat('S', id % 4) as station"
        )
        job = rows.write.format("atomic_with_faults").mode("overwrite").option("job", "monday")
        if what == "behind":
            job = job.mode("append").option("sequence", 1)
        job.option("partition_by", "station").save(str(root))
    else:
        stream = spark.readStream.schema("id long, station string").option("maxFilesPerTrigger", 1)
        batches = stream.parquet(str(root.parent / "feed")).writeStream.trigger(availableNow=True)
        batches = batches.format("atomic_with_faults").option("partition_by", "station")
        batches = batches.option("checkpointLocation", str(root.parent / "checkpoint"))
        batches.start(str(root)).awaitTermination()
    spark.stop()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
