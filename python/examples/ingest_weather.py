"""Ingests hourly weather, and may be killed at any moment: started again, it leaves every row once.

    python examples/ingest_weather.py ../testdata/weather.csv lake/weather

Each chunk of the file is one commit under a name of its own. A commit that was killed has happened as a
whole or not at all; the next run does the same chunks over, and what was committed before is not
committed again. What the killed run left behind is removed on the way.
"""

import sys

import atomic_arrow as aa
import pandas as pd

ROWS = 2_000


def ingest(source: str, root: str) -> None:
    chunks = pd.read_csv(source, chunksize=ROWS, parse_dates=["time_hour"])
    for number, chunk in enumerate(chunks):
        receipt = aa.write_dataset(
            chunk,
            root,
            partition_by=[aa.column("origin", as_="station_id"), aa.year("time_hour", as_="y")],
            write_id=f"{source}, chunk {number} of {ROWS} rows",
        )
        print(f"chunk {number}: {receipt}", flush=True)


if __name__ == "__main__":
    ingest(*sys.argv[1:])
