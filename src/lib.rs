//! Crash-safe Hive-partitioned data sets from Arrow.
