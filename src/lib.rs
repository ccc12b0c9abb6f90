//! Crash-safe Hive-partitioned data sets from Arrow: every file that a reader can see is complete,
//! verified and durable.
//!
//! ```
//! use std::sync::Arc;
//! use atomic_arrow::arrow::array::{ArrayRef, Float64Array, RecordBatch};
//! use atomic_arrow::{AtomicArrowWriter, Partition};
//! # let lake = tempfile::tempdir()?;
//! # let root = lake.path().join("weather");
//!
//! let temperatures: ArrayRef = Arc::new(Float64Array::from(vec![11.5, 12.25]));
//! let batch = RecordBatch::try_from_iter([("temp", temperatures)])?;
//!
//! let partition = Partition::new([("station_id", "KSEA"), ("year", "2026")])?;
//! let mut writer = AtomicArrowWriter::create(&root, &partition, batch.schema())?;
//! writer.write(&batch)?;
//! let file = writer.commit()?; // verified, published, durable
//! println!("{} rows in {}", file.rows(), file.path().display());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! - [`DatasetWriter`] writes whole data sets: batches in any order, all files of a commit or none.
//!   [`AsyncDatasetWriter`] is the same for async code, and [`DryRun`] a write that changes nothing.
//!   With [`DatasetWriter::stage`] many processes write one, and [`StagedWrites`] commits what all of
//!   them staged.
//! - [`AtomicArrowWriter`] writes one file of rows, into a partition or [at a path](AtomicArrowWriter::at), and
//!   [`FileUpdate`] reads one, to be merged and written back; [`AtomicFile`] writes one file of
//!   any bytes.
//! - [`PartitionBy`] splits batches by the values of their rows; [`Partition`] is one directory of a
//!   data set, and [`partition`] has the rules of its name.
//! - [`Receipt`] says what a commit to a data set published and removed.
//! - [`verify`] checks files that exist, [`recover`]
//!   finishes what dead writers had committed, and removes the rest of what they left.
//! - [`Error`] says of every failure in which [`Step`] it came and, by its [`Outcome`], what is on disk.
//!
//! # Promises
//!
//! They hold after a crash of the process, the kernel or the power. *Atomic* (never half-visible) and
//! *durable* (survives the loss of power) are two things: [`Durability::Unsynced`] keeps the first
//! only, and that not beyond a crash of the process.
//!
//! **P1, whole or absent.** The final path holds nothing, the old file, or the complete new file, at
//! every instant and after every crash.
//!
//! **P2, durable on `Ok`.** A commit that returned survives a power cut: the file, its directory entry,
//! and every directory above it, as far as this user may sync those that others made.
//!
//! **P3, verified before visible.** The staged file is re-opened and compared with what was written;
//! one that fails never reaches its final path. A check proves that the file is well-formed and is what
//! was written, as the system gives it back; it does not prove that the medium will keep it. [`Verify`]
//! has the levels.
//!
//! **P4, readers undisturbed.** No write in flight, and nothing that a dead writer left, ever makes a
//! scan of the data set fail or return uncommitted rows: files are staged beside the data set, not in
//! it. Where that is impossible, and for an [`AtomicFile`] in no partition ([`StagingPlace`]), they are
//! staged in a hidden directory of it, which a Polars scan of the directory refuses.
//!
//! **P5, truthful outcome.** Every error says what is on disk: not published, published but maybe not
//! durable, or unknown.
//!
//! **P6, nothing leaks.** What a failed or killed writer left is removed by the next writer, or by
//! [`recover`]; a live writer's work never is. What was [staged](DatasetWriter::stage) for another
//! process to commit is kept for a day, or as long as was asked for.
//!
//! **P7, all or nothing.** The files of one [`DatasetWriter::commit`], or [`StagedWrites::commit`], appear all, or none of them, after
//! any crash: one durable record decides, and whoever opens the data set next for writing, or
//! [`recover`], publishes what is missing. A crash of that is recovered likewise. This takes a file
//! system that renames as one, as every one with a journal does.
//!
//! **P8, no clobber unless asked.** Of two writers that race for one name one wins, and the other gets
//! [`Error::AlreadyExists`]; no byte is mixed.
//!
//! **P9, bounded.** A [`DatasetWriter`] holds rows within its memory limit and spills what is beyond,
//! whatever the number of partitions and the order of rows; open files have a limit too. A check decodes
//! Parquet in batches of limited bytes, and no batch of Arrow IPC that becomes far more than is stored.
//!
//! **P10, faithful.** Every value and type that a reader sees is the one that was given, or one that
//! `docs/types.md` of the repository names for it, where each type of Arrow stands with what is written in each format and what
//! pyarrow, pandas, Polars, DuckDB, DataFusion and Spark read. What cannot be kept is refused, with the
//! column, and the row where it is a value. A staged Parquet file whose types would be others to a reader who
//! does not know Arrow's own schema in it is never published ([`Damage::ReadAs`]).
//!
//! **P11, proof at rest.** Every flipped bit and every cut of a Parquet or Arrow IPC file that was written here
//! is found from the file alone, by [`verify`]: two hashes in its footer cover all of it. They are left out where the
//! caller sets `created_by`. What is encrypted is authenticated by its cipher; other formats, and streams of Arrow IPC,
//! have no place for a hash.
//!
//! **P12, no trust lent.** Nothing outside the root is read, changed or removed, whatever neighbours do
//! meanwhile; a record in the staging area never does more than its author could do himself; nobody who
//! may only read can stop a writer. `SECURITY.md` of the repository says who is trusted with what.
//!
//! # What is not promised
//!
//! - Several files do not appear at one instant to a reader of plain directories: each is published by
//!   its own rename. [`CommitMode::OverwritePartitions`] exchanges each partition's directory in one
//!   step, [`CommitMode::Overwrite`] the whole root, where the file system can and the staging area is
//!   beside the root; else the new files come first and the old ones go then, and a reader may see both
//!   for a moment.
//! - A reader that has listed a directory before it is exchanged may not find the files it listed, and
//!   has to list it again.
//! - A directory above the root that somebody else made, and that this user may not open or sync, is
//!   left to whoever made it.
//! - An overwrite takes away whatever is in the directories that it replaces, also what no reader sees.
//! - A disk that acknowledges a sync and forgets the data is not noticed.
//! - Below the root no symbolic link is written through: a partition whose directory is one, or lies below
//!   one, is refused, because whoever may write above it could lead a write elsewhere. The root itself,
//!   and the path of an [`AtomicFile`], may lead over links.
//!   Every call goes by the descriptor of the directory above the name, so that a directory which somebody
//!   exchanges for a link meanwhile is an error.
//! - On network file systems the promises are those of their sync and rename; the locks that tell a
//!   live writer from a dead one are not trusted there, and leftovers are kept for 24 hours.
//! - Linux is tested. macOS and Windows are written and untested.
//!
//! # The steps
//!
//! What every writer does, in this order; [`Step`] has the variants.
//!
//! | step | what happens | at the final path if it fails, or the machine dies in it |
//! |---|---|---|
//! | `CreateStaging` | create a staging file that nobody else has, lock it, and see that its name still stands | what was there before |
//! | `WriteRows` | encode the rows into it; the first error poisons the writer | what was there before |
//! | `WriteFooter` | end the file and keep the metadata that was written | what was there before |
//! | `SyncFile` | fsync once, on the descriptor that wrote; never retried | what was there before |
//! | `Verify` | re-open it by name and compare it with what was written | what was there before |
//! | `Decide` | data sets only: record durably that all files of the write are committed, unless somebody aborted them | what was there before; or, once it is recorded, all the new files, which recovery then publishes |
//! | `CreateDirectory` | make the missing directories of the final path, and fsync the parent of each | what was there before, and at most empty directories on the way |
//! | `Publish` | rename it to the final path, refusing to replace a file unless asked to | what was there before, or the whole new file |
//! | `SyncDirectory` | fsync the directory that now holds the file | the whole new file; a power cut may still bring back what was there before |
//!
//! Directories that were there before are synced as well, once in a process: whoever made them may not
//! have. The staging area of a file that is written by itself is not synced: what a crash brings back
//! there is swept.
//!
//! # Threads and async
//!
//! - A writer has one owner: `write` takes it by `&mut`, and may block as rows are spilled or encoded. It is `Send`, so that
//!   it can be moved to the thread that writes. Several producers send their batches to that one by a bounded
//!   channel, as [`std::sync::mpsc::sync_channel`], whose receiver is what [`DatasetWriter::write_all`] takes: a producer
//!   that fails sends its error, and nothing is published.
//! - A [`DatasetWriter`] encodes, syncs and verifies on threads of its own
//!   ([`threads`](DatasetWriterBuilder::threads)). A writer for each thread is of use where each is to be a commit of its
//!   own; for one commit of many threads or processes each [stages](DatasetWriter::stage), and one commits them all.
//! - Callbacks ([`on_file`](DatasetWriterBuilder::on_file), [`on_progress`](DatasetWriterBuilder::on_progress),
//!   [`interrupt_when`](DatasetWriterBuilder::interrupt_when)) are called from any of these threads, and hold up the one that
//!   calls them. They own what they use (`'static`), since a writer may be moved to another thread and go on there: let them
//!   send to a channel, or share an `Arc`. The first two are called by one thread at a time, so that they may be
//!   [`FnMut`]; the third is asked by several at once, since nobody is to wait who asks whether to end.
//! - Async code must not call a writer from a task, since it blocks. [`AsyncDatasetWriter`] is a writer on a thread of its
//!   own, for any runtime. Of the other writers let a thread of the runtime's that may block have all of the work, as tokio's
//!   `spawn_blocking`.
//! - Dropping a writer touches the disk: it removes what was staged. So do [`StagedFile`] and [`FileUpdate`]. In async code drop
//!   them where blocking is allowed.
//!
//! # Watching
//!
//! Each writer, commit, recovery and check is a span of the crate `tracing`, with an event for each file and decision; what receipts
//! note are warnings. The module [`trace`] lists them. Where nobody listens they cost next to nothing.
//!
//! # Features
//!
//! - `codecs`: Parquet's compression codecs besides zstd, for writing and for verifying.
//! - `csv`, `ipc`, `json`: writing those [`format`](mod@format)s, and checking them before a file is
//!   published, and by [`verify`].
//! - `encryption`: writing encrypted Parquet (`ParquetProperties::encrypt`, or [`WriterOptions::properties`]), which is
//!   verified with its own keys before it is published, and checking such files with theirs.
//! - `geospatial`, `variant`: these types of Parquet.
//! - `object_store`: data sets and files in S3, Google Cloud Storage, Azure Blob Storage, or any store of the crate
//!   `object_store`, by their URLs (`ObjectStoreOptions`).
//! - `sim`: for tests, the module `disk`: every system call as a trait, which the option `disk` of writers takes; in it
//!   `disk::sim`, a disk that can lose power, and `disk::tap`, which watches and changes the calls of a disk. It is no
//!   part of what versions keep compatible.
//!
//! # Versions
//!
//! Versions follow [semantic versioning](https://semver.org/).
//!
//! - Types of other crates that are in public signatures are re-exported: [`arrow`], [`parquet`] and [`uuid`]. Use them by these
//!   names, and they are always the ones that the writers take. Beside those, `serde`'s traits are implemented for plain data
//!   such as receipts. **A new major version of Arrow
//!   and Parquet, of which there are several each year, is a breaking change here**, and so is one of the others. No other
//!   dependency is public.
//! - `docs/public-api.txt` of the repository lists all public items; a change of it is looked at before each release.
//! - Enumerations, and structures with public fields, are `non_exhaustive`: a match needs an arm for what is not known yet,
//!   and new variants and fields come in minor versions. Write that arm so that it is safe: of an unknown [`Outcome`], say, take
//!   nothing for granted.
//! - Features only add. A new minimum version of Rust (now 1.89) comes in a minor version.
//! - Texts of errors and notes, and what [`Debug`](std::fmt::Debug) prints, may change in any version; compare variants,
//!   [`ErrorKind`] and [`Outcome`]. So may the bytes of files for the same rows; the values may not.
//! - What is kept on disk has versions of its own, which `docs/format.md` of the repository describes.
//! - The feature `sim`, and what is hidden from this documentation, are no part of this.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod backend;
mod categories;
mod compatible;
mod convert;
mod damage;
mod dataset;
#[cfg(not(feature = "sim"))]
#[allow(unreachable_pub)] // It is public for tests alone.
mod disk;
#[cfg(feature = "sim")]
#[cfg_attr(docsrs, doc(cfg(feature = "sim")))]
pub mod disk;
mod error;
mod existing;
mod extension;
mod file;
pub mod format;
mod geometry;
mod impossible;
pub mod inspect;
mod local_path;
mod location;
mod meaning;
mod meter;
mod names;
mod nearest;
mod nested;
mod nulls;
mod options;
pub mod partition;
mod pauses;
mod pool;
mod presence;
mod publish;
pub mod receipt;
mod record;
mod recover;
mod refused;
mod remedy;
pub mod schema;
mod scratch;
mod short_texts;
mod size;
mod staged_file;
mod staging;
#[cfg(feature = "object_store")]
mod store;
#[cfg(not(feature = "object_store"))]
#[path = "store/absent.rs"]
mod store;
mod stored;
mod table_format;
pub mod trace;
mod transaction;
mod unify;
pub mod verify;
mod walk;
mod writer;

#[cfg(feature = "object_store")]
#[cfg_attr(docsrs, doc(cfg(feature = "object_store")))]
pub use dataset::staged_in_store;
pub use dataset::{
    AsyncDatasetWriter, DatasetWriter, DatasetWriterBuilder, DryRun, DryRunReport, Progress,
    SortBy, SortColumns, StagedWrites, WaitingWrite, staged, staged_at,
};
pub use error::{Error, ErrorKind, Outcome, Result, Step};
pub use file::AtomicFile;
pub use inspect::{InspectOptions, Inspection, Oddity, inspect, inspect_with_options};
#[cfg(feature = "object_store")]
#[cfg_attr(docsrs, doc(cfg(feature = "object_store")))]
pub use local_path::is_object_store_url;
pub use local_path::local_path;
#[cfg(feature = "encryption")]
#[cfg_attr(docsrs, doc(cfg(feature = "encryption")))]
pub use options::ParquetKeys;
pub use options::parse;
pub use options::{
    Durability, Encodings, FileOptions, ParquetProperties, PublishMode, ScanProgress, SchemaPolicy,
    StagingPlace, SyncPolicy, Verify, WriterOptions,
};
pub use partition::{
    Partition, PartitionBy, PartitionError, PartitionKey, PartitionSplitter, PartitionValue,
    StrayRow, Transform,
};
// For the command and the Python package, which catch panics as well.
pub use format::Format;
#[doc(hidden)]
pub use nearest::{nearest, suggestion};
#[cfg(feature = "object_store")]
#[cfg_attr(docsrs, doc(cfg(feature = "object_store")))]
pub use object_store;
#[doc(hidden)]
pub use pool::panic_message;
pub use receipt::{CommitMode, FileRecord, Metrics, Receipt, StagedWrite, Totals};
pub use recover::{RecoverOptions, Recovery, recover, recover_with_options};
pub use remedy::{Face, Remedy};
pub use staged_file::{PublishedFile, RowContent, StagedFile};
#[cfg(feature = "object_store")]
#[cfg_attr(docsrs, doc(cfg(feature = "object_store")))]
pub use store::ObjectStoreOptions;
#[cfg(feature = "object_store")]
#[doc(hidden)]
pub use store::object_store_hint;
pub use table_format::TableFormat;
pub use verify::Damage;
pub use writer::{AtomicArrowWriter, FileUpdate, RowReader};
pub use {arrow, parquet, uuid};

/// The README's example compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
