//! Crash-safe Hive-partitioned data sets from Arrow.

pub mod partition;

pub use partition::{
    Partition, PartitionBy, PartitionError, PartitionKey, PartitionSplitter, PartitionValue,
    StrayRow, Transform,
};
