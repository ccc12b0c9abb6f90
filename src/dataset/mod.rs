//! From batches in any order to finished files: split, hold, spill, encode, sync, verify.
//!
//! Promise P9 (bounded): what the writer holds stays within its memory limit, and open files within
//! theirs, whatever the number of partitions and the order of rows. Rows are held as they came, with
//! the number of each one's partition. Beyond the limit they are spilled, in order of their
//! partitions, and at the end each partition is gathered once and encoded, on all cores. What is in
//! the files depends on the rows and their order alone, not on batches, threads or memory.
//!
//! The files here are the writer as users see it, its options, and the engine. Its rooms are `hold` (rows in memory and
//! spilled), `encode` (from rows to finished files) and `commit` (from finished files to a receipt).
//!
//! Staging and publishing are the transaction's: the engine asks a [`StagingFiles`] for files and hands
//! back those that are [`Finished`].

mod async_writer;
mod builder;
mod commit;
mod dry_run;
mod encode;
mod engine;
mod file_name;
mod hold;
mod options;
mod schedule;
mod staging_files;
mod template;
#[cfg(test)]
mod tests;
mod writer;

pub use async_writer::AsyncDatasetWriter;
pub use builder::DatasetWriterBuilder;
pub use commit::staged_writes::StagedWrites;
#[cfg(feature = "object_store")]
pub use commit::waiting::staged_in_store;
pub use commit::waiting::{WaitingWrite, staged, staged_at};
pub use dry_run::{DryRun, DryRunReport};
pub use options::{Progress, SortBy, SortColumns};
pub use writer::DatasetWriter;
