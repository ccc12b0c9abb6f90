//! From batches in any order to finished files: split, hold, spill, encode, sync, verify.
//!
//! Promise P9 (bounded): what the writer holds stays within its memory limit, and open files within
//! theirs, whatever the number of partitions and the order of rows. Rows are held as they came, with
//! the number of each one's partition. Beyond the limit they are spilled, in order of their
//! partitions, and at the end each partition is gathered once and encoded, on all cores. What is in
//! the files depends on the rows and their order alone, not on batches, threads or memory.
//!
//! Staging and publishing are the transaction's: the engine asks a [`Stage`] for files and hands
//! back those that are [`Finished`].

mod buffer;
mod builder;
mod commit;
mod encode;
mod encoders;
mod engine;
mod file;
mod finish;
mod gather;
mod layout;
mod memory;
mod options;
mod parquet_file;
mod partition_writer;
mod quota;
mod reader;
mod scatter;
mod session;
mod spill;
mod stage;
mod staged_writes;
mod surroundings;
mod template;
#[cfg(test)]
mod tests;
mod units;
mod writer;

pub use builder::DatasetWriterBuilder;
pub use options::{Progress, SortBy, SyncPolicy};
pub use staged_writes::StagedWrites;
pub use writer::DatasetWriter;
