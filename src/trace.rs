//! Spans and events that the library tells a subscriber of the crate [`tracing`](https://docs.rs/tracing), if there is one.
//!
//! Where nobody listens they cost a look at one number each, and none comes for each row or batch. The names, levels and fields here
//! are kept compatible as other public items are; new ones come in minor versions, and messages may change in any.
//!
//! | span (level INFO) | target | fields | covers |
//! |---|---|---|---|
//! | `write` | `atomic_arrow::write` | `root`, `transaction`, `write_id`, `sequence` | the calls of one [`DatasetWriter`](crate::DatasetWriter) |
//! | `write_file` | `atomic_arrow::write` | `path` | ending and publishing one [`AtomicArrowWriter`](crate::AtomicArrowWriter), [`FileUpdate`](crate::FileUpdate) or [`AtomicFile`](crate::AtomicFile) |
//! | `stage` | `atomic_arrow::write` | | [`DatasetWriter::stage`](crate::DatasetWriter::stage), in `write` |
//! | `commit` | `atomic_arrow::commit` | `root`, `write_id`, `sequence` | a commit, in `write`, or by itself that of [`StagedWrites`](crate::StagedWrites) |
//! | `recover` | `atomic_arrow::recover` | `root`, `dry_run` | [`recover`](crate::recover) |
//! | `verify` | `atomic_arrow::verify` | `path` | [`verify_file`](crate::verify::verify_file) and [`verify_path`](crate::verify::verify_path) |
//!
//! | event | target | level | fields |
//! |---|---|---|---|
//! | rows were spilled from memory to disk | `atomic_arrow::write` | DEBUG | `rows` |
//! | a staging file was synced | `atomic_arrow::write` | DEBUG | `staging`, `bytes` |
//! | all staging files were synced together | `atomic_arrow::write` | DEBUG | |
//! | a staging file was verified | `atomic_arrow::write` | DEBUG | `staging`, `level` |
//! | a file of a data set is staged | `atomic_arrow::write` | DEBUG | `file`, `rows`, `bytes` |
//! | a write is staged for another process to commit | `atomic_arrow::write` | INFO | `transaction`, `files`, `rows`, `bytes` |
//! | a staging file was discarded | `atomic_arrow::write` | DEBUG | `staging` |
//! | a transaction was discarded | `atomic_arrow::commit` | DEBUG | `transaction` |
//! | the commit is decided: from here on it is carried out | `atomic_arrow::commit` | INFO | `transaction`, `files`, `removed` |
//! | a file of a data set was published | `atomic_arrow::commit` | DEBUG | `path` |
//! | all directories of published files were synced together | `atomic_arrow::commit` | DEBUG | |
//! | a file by itself was published | `atomic_arrow::commit` | INFO | `path`, `bytes` |
//! | a directory was exchanged for its replacement | `atomic_arrow::commit` | DEBUG | `path` |
//! | the write is committed | `atomic_arrow::commit` | INFO | `transaction`, `files`, `rows`, `bytes` |
//! | the write was committed before | `atomic_arrow::commit` | INFO | `transaction` |
//! | a [note](crate::receipt::Note) of the receipt | `atomic_arrow::commit` | WARN | `kind` |
//! | another writer's lock is waited for | `atomic_arrow::commit` | DEBUG | `path` |
//! | a wait for another writer takes long: after 10 seconds, and each minute | `atomic_arrow::commit` | WARN | `path` |
//! | a decided commit could not be published at once, and is published again | `atomic_arrow::commit` | WARN | `path`, `failure` |
//! | a dead writer's commit was taken over and finished | `atomic_arrow::recover` | INFO | `transaction` |
//! | a dead writer's commit was given up | `atomic_arrow::recover` | WARN | `transaction` |
//! | a dead writer's transaction, which was not committed, was removed | `atomic_arrow::recover` | INFO | `transaction` |
//! | a dead writer's staging file was removed | `atomic_arrow::recover` | INFO | `path` |
//! | something could not be recovered | `atomic_arrow::recover` | WARN | `error` |
//! | a request to an object store was answered | `atomic_arrow::store` | DEBUG | `request`, `key`, `attempt`, `milliseconds`, `outcome` |
//! | a request to an object store failed and is made again | `atomic_arrow::store` | INFO | `request`, `key`, `attempt`, `failure` |
//! | a request on a condition had no clear answer and is made again | `atomic_arrow::store` | WARN | `request`, `key`, `attempt`, `failure` |
//! | a file is sound | `atomic_arrow::verify` | DEBUG | `path` |
//! | a file is damaged, or not checkable | `atomic_arrow::verify` | WARN | `path`, `damage` |
//!
//! `request` is `put`, `get`, `head`, `list`, `copy`, `delete`, `begin_upload`, `put_part`, `complete_upload` or `abort_upload`, and `key` in a
//! request for several objects the first. A client that is made of a URL makes requests again by itself; `attempt` counts all of them.
//! Neither they nor failures have settings or credentials in them.
//!
//! The event of a long wait has the name [`WAITING`], and its message says all.
//!
//! Errors that a call returns are no events. The threads of a writer are in the span of the call that they help. Every
//! writer and every recovery removes what dead writers left, so that events of `atomic_arrow::recover` come from both.

use std::fmt;
use std::path::Path;

use tracing::{Span, debug, info, info_span, warn};
use uuid::Uuid;

/// The target of what a writer does before its commit.
pub const WRITE: &str = "atomic_arrow::write";
/// The target of what a commit does.
pub const COMMIT: &str = "atomic_arrow::commit";
/// The target of what is done with the leftovers of dead writers.
pub const RECOVER: &str = "atomic_arrow::recover";
/// The target of checks of files that exist.
pub const VERIFY: &str = "atomic_arrow::verify";
/// The target of single requests to object stores.
pub const STORE: &str = "atomic_arrow::store";

/// The name of the event of a wait for another writer that takes long.
pub const WAITING: &str = "waiting";

/// The name of a write, and its number in a stream.
type Name<'a> = (Option<&'a str>, Option<u64>);

pub(crate) fn write(root: &Path, transaction: Uuid, (write_id, sequence): Name<'_>) -> Span {
    info_span!(target: WRITE, "write", root = %root.display(), %transaction, write_id, sequence)
}

pub(crate) fn write_file(path: &Path) -> Span {
    info_span!(target: WRITE, "write_file", path = %path.display())
}

pub(crate) fn stage() -> Span {
    info_span!(target: WRITE, "stage")
}

pub(crate) fn commit(root: &Path, (write_id, sequence): Name<'_>) -> Span {
    info_span!(target: COMMIT, "commit", root = %root.display(), write_id, sequence)
}

pub(crate) fn recover(root: &Path, dry_run: bool) -> Span {
    info_span!(target: RECOVER, "recover", root = %root.display(), dry_run)
}

pub(crate) fn verify(path: &Path) -> Span {
    info_span!(target: VERIFY, "verify", path = %path.display())
}

pub(crate) fn spilled(rows: u64) {
    debug!(target: WRITE, rows, "spilled rows from memory to disk");
}

pub(crate) fn synced(staging: &Path, bytes: u64) {
    debug!(target: WRITE, staging = %staging.display(), bytes, "synced a staging file");
}

pub(crate) fn synced_together() {
    debug!(target: WRITE, "synced all staging files together");
}

pub(crate) fn synced_directories_together() {
    debug!(target: COMMIT, "synced all directories into which files were published together");
}

pub(crate) fn verified(staging: &Path, level: impl fmt::Debug) {
    debug!(target: WRITE, staging = %staging.display(), ?level, "verified a staging file");
}

pub(crate) fn staged_file(file: &Path, rows: u64, bytes: u64) {
    debug!(target: WRITE, file = %file.display(), rows, bytes, "staged a file");
}

pub(crate) fn staged_write(transaction: Uuid, (files, rows, bytes): (u64, u64, u64)) {
    info!(target: WRITE, %transaction, files, rows, bytes, "staged a write, to be committed");
}

pub(crate) fn discarded_file(staging: &Path) {
    debug!(target: WRITE, staging = %staging.display(), "discarded a staging file");
}

pub(crate) fn discarded(transaction: Uuid) {
    debug!(target: COMMIT, %transaction, "discarded a transaction");
}

pub(crate) fn decided(transaction: Uuid, files: usize, removed: usize) {
    info!(target: COMMIT, %transaction, files, removed, "decided the commit");
}

pub(crate) fn published(path: &Path) {
    debug!(target: COMMIT, path = %path.display(), "published a file");
}

pub(crate) fn published_alone(path: &Path, bytes: u64) {
    info!(target: COMMIT, path = %path.display(), bytes, "published the file");
}

pub(crate) fn exchanged(path: &Path) {
    debug!(target: COMMIT, path = %path.display(), "exchanged a directory for its replacement");
}

pub(crate) fn committed(transaction: Uuid, (files, rows, bytes): (u64, u64, u64)) {
    info!(target: COMMIT, %transaction, files, rows, bytes, "committed the write");
}

pub(crate) fn recalled(transaction: Uuid) {
    info!(target: COMMIT, %transaction, "the write was committed before");
}

pub(crate) fn noted(kind: &str, note: impl fmt::Display) {
    warn!(target: COMMIT, kind, "{note}");
}

pub(crate) fn waiting_for_lock(path: &Path) {
    debug!(target: COMMIT, path = %path.display(), "waiting for the lock of another writer");
}

pub(crate) fn waiting_long(path: &Path, for_what: impl fmt::Display) {
    let path = path.display();
    warn!(name: WAITING, target: COMMIT, %path, "{path}: waits for {for_what}");
}

#[cfg(feature = "object_store")]
pub(crate) fn publishes_again(path: &Path, failure: impl fmt::Display) {
    warn!(target: COMMIT, path = %path.display(), %failure, "publishes again what could not be published at once");
}

pub(crate) fn took_over(transaction: Uuid) {
    info!(target: RECOVER, %transaction, "took over the commit of a dead writer, and finished it");
}

pub(crate) fn gave_up(transaction: Uuid) {
    warn!(target: RECOVER, %transaction, "gave up the rest of a dead writer's commit");
}

pub(crate) fn removed(transaction: Uuid) {
    info!(target: RECOVER, %transaction, "removed a dead writer's transaction, which was not committed");
}

pub(crate) fn swept(path: &Path) {
    info!(target: RECOVER, path = %path.display(), "removed a dead writer's staging file");
}

pub(crate) fn not_recovered(error: &(dyn std::error::Error + 'static)) {
    warn!(target: RECOVER, error, "could not recover something");
}

pub(crate) fn checked(path: &Path, damage: Option<&dyn fmt::Display>) {
    let path = path.display();
    match damage {
        None => debug!(target: VERIFY, %path, "checked a file: it is sound"),
        Some(damage) => {
            warn!(target: VERIFY, %path, %damage, "checked a file: it is damaged, or not checkable");
        }
    }
}

#[cfg(feature = "object_store")]
pub(crate) fn requested(
    (request, key, attempt): (&str, &str, u32),
    time: std::time::Duration,
    outcome: impl fmt::Display,
) {
    let milliseconds = time.as_millis() as u64;
    debug!(target: STORE, request, key, attempt, milliseconds, %outcome, "made a request to the object store");
}

#[cfg(feature = "object_store")]
pub(crate) fn repeated((request, key, attempt): (&str, &str, u32), failure: &str) {
    info!(target: STORE, request, key, attempt, failure, "makes a request to the object store again");
}

#[cfg(feature = "object_store")]
pub(crate) fn doubtful((request, key, attempt): (&str, &str, u32), failure: impl fmt::Display) {
    warn!(target: STORE, request, key, attempt, %failure, "makes a request again that may have been done");
}
