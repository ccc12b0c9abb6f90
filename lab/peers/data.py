"""The data set of the laboratory: versions, each with the same number of rows in every partition.

A row names its version, so that whoever reads a data set can say which write each row is of.
"""

import numpy
import pyarrow as pa
import pyarrow.parquet as pq

KEY = "station"
PARTITIONS = 50
ROWS = 100_000


def table(version):
    """All rows of one version, mixed over the partitions."""
    number = numpy.arange(ROWS)
    columns = {
        KEY: pa.array([f"S{n % PARTITIONS:02d}" for n in number]),
        "version": pa.array(numpy.full(ROWS, version, dtype=numpy.int64)),
        "n": pa.array(number),
        "x": pa.array(numpy.random.default_rng(version).random(ROWS)),
    }
    return pa.table(columns)


def make(directory):
    """The inputs, one file a version: 1 is acknowledged, 2 is cut, 3 comes after."""
    paths = {}
    for version in (1, 2, 3):
        paths[version] = str(directory / f"version-{version}.parquet")
        pq.write_table(table(version), paths[version])
    return paths
