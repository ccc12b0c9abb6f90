//! Errors of a partition, its text, or the values that make one.
//!
//! No variant says what is on disk: none arises once anything is published. This module holds no rule of its own; the rules are where the values are made.

use std::fmt;
use std::path::PathBuf;

use arrow::datatypes::DataType;
use arrow::error::ArrowError;

use super::Transform;
use crate::nearest::suggestion;

/// Why something is not a partition; nothing has been published when one of these is returned.
///
/// Rows are numbered from zero within the batch (or the column) at hand, and are known where the
/// value came from one.
///
/// ```
/// use atomic_arrow::{Partition, PartitionError};
///
/// let error = Partition::new([("station_id", "")]).unwrap_err();
/// assert!(matches!(error, PartitionError::EmptyString { ref key, row: None } if key == "station_id"));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PartitionError {
    /// A partition key is the empty string.
    #[error("a partition key is empty")]
    EmptyKey,

    /// A partition key starts with `.` or `_`, so that readers would skip its directories.
    #[error(
        "partition key {} starts with '.' or '_', and pyarrow and Spark silently ignore such \
         directories: give it another name",
        quoted(.key)
    )]
    HiddenKey {
        /// The key.
        key: String,
    },

    /// A partition key has a character that a directory's name cannot have as it is, and that several readers
    /// do not give back where it is escaped.
    #[error(
        "partition key {} has the character {character:?}, and Polars and DuckDB would read another name: give \
         the key another name, without control characters and \" % * / : < = > ? \\ |",
        quoted(.key)
    )]
    UnreadableKey {
        /// The key.
        key: String,
        /// The first such character.
        character: char,
    },

    /// A partition has one key twice.
    #[error("partition key {} is given twice", quoted(.key))]
    DuplicateKey {
        /// The key.
        key: String,
    },

    /// A partition has no such key.
    #[error("the partition has no key {}", quoted(.key))]
    UnknownKey {
        /// The key that was asked for.
        key: String,
    },

    /// A value is the empty string, which no reader tells apart from null.
    #[error(
        "the value of partition key {} is an empty string{}: it cannot be told from null in a path; give null, or \
         another text",
        quoted(.key), at(.row)
    )]
    EmptyString {
        /// The key.
        key: String,
        /// The first row with this value.
        row: Option<usize>,
    },

    /// A value is the very text that stands for null.
    #[error(
        "the value of partition key {} is the text {}{}: in a path it means null; give null, or another text",
        quoted(.key), super::hive::NULL, at(.row)
    )]
    ReservedValue {
        /// The key.
        key: String,
        /// The first row with this value.
        row: Option<usize>,
    },

    /// A value is NaN or infinite.
    #[error(
        "the value of partition key {} is {value}{}: only finite numbers name a partition; give null, or another number",
        quoted(.key), at(.row)
    )]
    NonFinite {
        /// The key.
        key: String,
        /// The value.
        value: f64,
        /// The first row with this value.
        row: Option<usize>,
    },

    /// A date or timestamp lies outside of the calendar, some 262,000 years either side of year 0.
    #[error(
        "the value of {} is out of the calendar's range{}: {value}; give null, or cast the column to integers",
        quoted(.key), at(.row)
    )]
    OutOfRange {
        /// The key, or for a transform its column.
        key: String,
        /// The value and its unit, as stored.
        value: String,
        /// The first row with this value.
        row: Option<usize>,
    },

    /// `key=value`, escaped, is longer than the 255 bytes a file system allows for a name.
    #[error(
        "the directory name for partition key {} and value {} takes {length} bytes{}: at most {} are possible; \
         shorten the value, or partition by another key",
        quoted(.key), quoted(.value), at(.row), super::MAX_SEGMENT
    )]
    SegmentTooLong {
        /// The key.
        key: String,
        /// The value, not escaped.
        value: String,
        /// The length of the escaped segment in bytes.
        length: usize,
        /// The first row with this value.
        row: Option<usize>,
    },

    /// A column's type cannot be a partition key.
    #[error(
        "column {} of type {data_type} cannot be a partition key: cast it to text, a number, a date or a timestamp",
        quoted(.column)
    )]
    UnsupportedType {
        /// The column.
        column: String,
        /// Its type.
        data_type: DataType,
    },

    /// A transform does not fit its column's type.
    #[error(
        "{transform} cannot be taken of column {} of type {data_type}: cast it to {}",
        quoted(.column), .transform.needed_type()
    )]
    TransformMismatch {
        /// The column.
        column: String,
        /// The transform.
        transform: Transform,
        /// The column's type.
        data_type: DataType,
    },

    /// A number of buckets that there cannot be.
    #[error("column {} cannot be divided into {buckets} buckets: 1 to 2147483647 are possible", quoted(.column))]
    BucketCount {
        /// The column.
        column: String,
        /// The number.
        buckets: u32,
    },

    /// A time zone is not known.
    #[error(
        "the time zone {} of {} is not known: give one of the IANA data base, as Europe/Berlin, or an offset",
        quoted(.time_zone), quoted(.key)
    )]
    InvalidTimeZone {
        /// The key or column.
        key: String,
        /// The time zone as given.
        time_zone: String,
        /// What the time zone data base said.
        source: ArrowError,
    },

    /// The schema has no such column.
    #[error(
        "there is no column {}: there are {}{}",
        quoted(.column), listed(.available), suggestion(.column, .available.iter().map(String::as_str))
    )]
    UnknownColumn {
        /// The column that was asked for.
        column: String,
        /// The columns that there are.
        available: Vec<String>,
    },

    /// The schema has several columns of this name.
    #[error("there are several columns named {}", quoted(.column))]
    AmbiguousColumn {
        /// The column that was asked for.
        column: String,
    },

    /// A field that stays in the files has the name of a partition key but other values.
    #[error(
        "partition key {} clashes with a field of that name which stays in the files: rename the key",
        quoted(.key)
    )]
    KeyClashesWithField {
        /// The key.
        key: String,
    },

    /// Every column is a partition key.
    #[error("every column is a partition key: none is left for the files")]
    NoColumnsLeft,

    /// A batch is not of the schema that was bound.
    #[error("the batch does not have the schema it was announced with: {problem}")]
    SchemaMismatch {
        /// The first difference.
        problem: String,
    },

    /// A part of a path is not `key=value`.
    #[error("{} is not a partition segment: {problem}", quoted(.segment))]
    InvalidSegment {
        /// The part of the path.
        segment: String,
        /// What is wrong with it.
        problem: &'static str,
    },

    /// A path is not UTF-8.
    #[error("the path {} is not UTF-8", quoted(&.path.to_string_lossy()))]
    NotUtf8 {
        /// The path.
        path: PathBuf,
    },

    /// A text like `station_id=origin,year(time)` cannot be read.
    #[error("partition keys {} cannot be read at character {}: {problem}", quoted(.text), .position + 1)]
    InvalidPartitionBy {
        /// The whole text.
        text: String,
        /// Where in it, in characters from zero.
        position: usize,
        /// What is wrong there.
        problem: String,
    },

    /// Arrow could not do what every supported type allows.
    #[error("splitting a batch by partition failed")]
    Arrow {
        /// What Arrow said.
        source: ArrowError,
    },
}

impl PartitionError {
    pub(super) fn arrow(source: ArrowError) -> Self {
        Self::Arrow { source }
    }
}

/// A text in a message: quoted and escaped, and cut where it is long.
struct Quoted<'a>(&'a str);

fn quoted(text: &str) -> Quoted<'_> {
    Quoted(text)
}

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 60;
        let text = self.0;
        match text.char_indices().nth(SHOWN) {
            None => write!(f, "{text:?}"),
            Some((end, _)) => write!(f, "{:?}… ({} bytes)", &text[..end], text.len()),
        }
    }
}

/// The row in a message, where one is known.
struct At(Option<usize>);

fn at(row: &Option<usize>) -> At {
    At(*row)
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |row| write!(f, " (row {row})"))
    }
}

/// Names in a message, as many as fit on a line.
struct Listed<'a>(&'a [String]);

fn listed(names: &[String]) -> Listed<'_> {
    Listed(names)
}

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 12;
        if self.0.is_empty() {
            return f.write_str("none");
        }
        for (index, name) in self.0.iter().take(SHOWN).enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{}", quoted(name))?;
        }
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests;
