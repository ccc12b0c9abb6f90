//! The records of transactions, as they stand on disk: docs/format.md describes them field by field.
//!
//! A record is read after crashes, and perhaps from a staging area that others can write to: every path in it
//! is checked to stay within the transaction and within the data set. Nothing is carried out here.

mod decision;
mod path_text;
mod staged_write;

use std::fmt;
use std::io;
use std::path::{Component, Path};

use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

pub(crate) use decision::{Decision, Exchange, Layout, Move, Plan, Removal};
pub(crate) use staged_write::{Seen, StagedRecord, StagedRows};

/// The version of the record that this crate writes, and the only one that it reads.
const VERSION: u32 = 1;
/// The longest record that is written, and read of whom this user trusts, in bytes: a file with the statistics
/// of a few columns takes about a thousand.
pub(crate) const LONGEST: u64 = 2 << 30;
/// The longest record of another user that is read: what is read takes a few times as much memory, at worst,
/// with the shortest of names, fifteen times.
pub(crate) const LONGEST_OF_OTHERS: u64 = 32 << 20;

/// Name of the success file: an empty file in the directory that a caller named, which says that a commit is complete. It is
/// that of Hadoop's output committers and of Spark.
pub(crate) const SUCCESS_FILE: &str = "_SUCCESS";

/// Fingerprint of a file, which tells it from every other file and from a later one at the same path.
///
/// Records keep it as text: not every reader of JSON has integers of 128 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Fingerprint(pub(crate) u128);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// Whether a path is relative, and cannot leave what it is joined to.
pub(crate) fn stays_below(path: &Path) -> bool {
    !path.as_os_str().is_empty()
        && path
            .components()
            .all(|part| matches!(part, Component::Normal(_)))
        && !path.as_os_str().as_encoded_bytes().contains(&0)
}

/// Reads a record from a file, piece by piece.
pub(crate) fn read_json<T: DeserializeOwned>(record: impl io::Read, path: &Path) -> Result<T> {
    serde_json::from_reader(record).map_err(|error| match error.is_io() {
        true => Error::Read {
            path: path.to_owned(),
            source: error.into(),
        },
        false => invalid(path, error.to_string()),
    })
}

pub(crate) fn invalid(path: &Path, reason: String) -> Error {
    Error::InvalidDecision {
        path: path.to_owned(),
        reason,
    }
}
