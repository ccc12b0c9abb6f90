"""Where Spark finds the data source ``atomic``: it looks into modules whose names begin with ``pyspark_``."""

from atomic_arrow.spark import AtomicDataSource as DefaultSource

__all__ = ["DefaultSource"]
