//! Damage: what can be wrong with a file.
//!
//! [`Damage`] is one variant per kind of damage; each says its place as a [`Location`]. It knows
//! nothing of paths: who reports it knows which file was read.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

/// The cause of some damage, as the decoder said it.
pub type Cause = Arc<dyn StdError + Send + Sync>;

/// What is wrong with a file, and where.
///
/// The cause is in [`source`](StdError::source) and not repeated in the message.
///
/// ```
/// use atomic_arrow::verify::{Damage, Location};
///
/// let damage = Damage::TooShort { len: 7, minimum: 12 };
/// assert_eq!(damage.to_string(), "7 bytes long, but the shortest possible file has 12");
/// assert_eq!(damage.location(), Location::file());
/// ```
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// The file is shorter than the shortest of its format.
    #[error("{len} bytes long, but the shortest possible file has {minimum}")]
    TooShort {
        /// The file's length.
        len: u64,
        /// The least length of its format.
        minimum: u64,
    },

    /// The file does not have the length that was written.
    #[error("{found} bytes long, but {expected} were written")]
    Length {
        /// How many bytes were written.
        expected: u64,
        /// The file's length.
        found: u64,
    },

    /// The bytes read back are not those that were written.
    #[error("the content's hash is {found:032x}, but what was written had {expected:032x}")]
    Content {
        /// The XXH3 hash, 128 bits, of what was written.
        expected: u128,
        /// That of what was read back.
        found: u128,
    },

    /// The format's magic number is missing.
    #[error("byte {offset}: expected \"{expected}\", found \"{}\"", found.escape_ascii())]
    Magic {
        /// Where it belongs.
        offset: u64,
        /// What belongs there.
        expected: &'static str,
        /// What is there.
        found: Vec<u8>,
    },

    /// The file ends before it is complete: what marks its end is missing.
    #[error("byte {offset}: the file ends without {missing}")]
    Unfinished {
        /// Where the file ends.
        offset: u64,
        /// What should have come.
        missing: &'static str,
    },

    /// Bytes follow where the file should end, and no reader would see them.
    #[error("byte {offset}: {excess} bytes after the end of the data")]
    Trailing {
        /// Where the file should end.
        offset: u64,
        /// How many bytes there are from there on.
        excess: u64,
    },

    /// The footer's declared length does not fit into the file, or is not what the footer has.
    #[error("the footer's declared length is {declared}, but {available} bytes are there for it")]
    FooterLength {
        /// The length that the file's last bytes declare.
        declared: u64,
        /// What it has room for, or the length of what was found.
        available: u64,
    },

    /// The footer cannot be parsed.
    #[error("byte {offset}: the footer cannot be parsed")]
    Footer {
        /// Where the footer begins.
        offset: u64,
        /// What the parser said.
        source: Cause,
    },

    /// What is encrypted cannot be opened.
    #[error("{location}: cannot be decrypted: it is damaged, or was encrypted with other keys")]
    Decrypt {
        /// Where.
        location: Location,
        /// What the cipher, or the parser after it, said.
        source: Cause,
    },

    /// A number that cannot be negative is.
    #[error("{location}: {what} is negative: {found}")]
    Negative {
        /// Where.
        location: Location,
        /// What the number counts.
        what: &'static str,
        /// The number.
        found: i64,
    },

    /// A part of the file is declared to lie outside of where it can be.
    #[error("{location}: {what} is at bytes {start}..{end}, outside of {from}..{to}")]
    OutOfBounds {
        /// Which column chunk or page it belongs to.
        location: Location,
        /// Which part.
        what: &'static str,
        /// Its first byte.
        start: u64,
        /// The byte after its last.
        end: u64,
        /// The first byte where it can be.
        from: u64,
        /// The byte after the last where it can be.
        to: u64,
    },

    /// Two parts of the file are declared to lie in the same bytes.
    #[error("{location}: {what} overlaps {other}")]
    Overlap {
        /// Which column chunk the later part belongs to.
        location: Location,
        /// The later part.
        what: &'static str,
        /// The earlier part, and which column chunk it belongs to.
        other: Box<str>,
    },

    /// Two numbers that must agree do not.
    #[error("{location}: {what} is {found}, expected {expected}")]
    Count {
        /// Where.
        location: Location,
        /// What is counted.
        what: &'static str,
        /// What the rest of the file, or what was written, says.
        expected: u64,
        /// What was found.
        found: u64,
    },

    /// The file contradicts itself.
    #[error("{location}: {what}")]
    Contradiction {
        /// Where.
        location: Location,
        /// The contradiction.
        what: String,
    },

    /// The metadata read back is not what was written.
    #[error("{location}: {field} is {found}, but {expected} was written")]
    Differs {
        /// Where.
        location: Location,
        /// Which field of the metadata.
        field: &'static str,
        /// What was written.
        expected: Box<str>,
        /// What was read back.
        found: Box<str>,
    },

    /// A page index (column index or offset index) cannot be read.
    #[error("{location}: the page index cannot be read")]
    PageIndex {
        /// Where.
        location: Location,
        /// What the parser said.
        source: Cause,
    },

    /// A bloom filter cannot be read.
    #[error("{location}: the bloom filter cannot be read")]
    BloomFilter {
        /// Where.
        location: Location,
        /// What the parser said.
        source: Cause,
    },

    /// A page's header cannot be parsed.
    #[error("{location}: the page header cannot be parsed")]
    PageHeader {
        /// Which page.
        location: Location,
        /// What the parser said.
        source: Cause,
    },

    /// A page cannot be read: its checksum is wrong, or it cannot be decompressed.
    #[error("{location}: the page cannot be read")]
    Page {
        /// Which page.
        location: Location,
        /// What the reader said.
        source: Cause,
    },

    /// Values cannot be decoded.
    #[error("{location}: cannot be decoded")]
    Decode {
        /// Where.
        location: Location,
        /// What the decoder said.
        source: Cause,
    },

    /// A decoder panicked over the bytes.
    #[error("{location}: the decoder panicked: {message}")]
    Panicked {
        /// Where.
        location: Location,
        /// The panic's message.
        message: String,
    },

    /// The values of a column are not those that were written.
    #[error("column {column:?}: the values are not those that were written")]
    Values {
        /// The top-level column.
        column: String,
    },

    /// A reader that does not know the Arrow schema embedded in the file sees another type than was given.
    #[error("column {column:?} was given as {given}, but readers would see {read}")]
    ReadAs {
        /// The top-level column.
        column: String,
        /// The type that was given.
        given: String,
        /// The type that the file's own annotations tell.
        read: String,
    },

    /// Text that does not parse: JSON, NDJSON or CSV.
    #[error("line {line}, column {column} (byte {offset}): does not parse")]
    Syntax {
        /// The line, from 1.
        line: u64,
        /// The byte within the line, from 1.
        column: u64,
        /// The byte of the file, from 0.
        offset: u64,
        /// What the parser said.
        source: Cause,
    },

    /// The file may be in order, but this program cannot tell: it is encrypted, uses what this build does
    /// not know, or would take too much memory.
    #[error("{location}: cannot be checked: {reason}")]
    NotCheckable {
        /// Where.
        location: Location,
        /// Why.
        reason: String,
    },
}

impl Damage {
    /// Where in the file the damage is.
    #[must_use]
    pub fn location(&self) -> Location {
        match self {
            Damage::TooShort { .. }
            | Damage::Length { .. }
            | Damage::Content { .. }
            | Damage::FooterLength { .. } => Location::file(),
            Damage::Magic { offset, .. }
            | Damage::Unfinished { offset, .. }
            | Damage::Trailing { offset, .. }
            | Damage::Footer { offset, .. }
            | Damage::Syntax { offset, .. } => Location::file().at(*offset),
            Damage::Values { column } | Damage::ReadAs { column, .. } => {
                Location::file().column(column.as_str())
            }
            Damage::Negative { location, .. }
            | Damage::OutOfBounds { location, .. }
            | Damage::Overlap { location, .. }
            | Damage::Count { location, .. }
            | Damage::Contradiction { location, .. }
            | Damage::Differs { location, .. }
            | Damage::PageIndex { location, .. }
            | Damage::BloomFilter { location, .. }
            | Damage::PageHeader { location, .. }
            | Damage::Page { location, .. }
            | Damage::Decode { location, .. }
            | Damage::Decrypt { location, .. }
            | Damage::Panicked { location, .. }
            | Damage::NotCheckable { location, .. } => location.clone(),
        }
    }
}

/// Where in a file something is.
///
/// What is `None` does not narrow it down: all three `None` is the whole file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Location {
    /// The row group of a Parquet file, or the record batch of an Arrow IPC file, from 0.
    pub row_group: Option<u32>,
    /// The column: the path of a Parquet leaf, its parts joined with dots.
    pub column: Option<Arc<str>>,
    /// The byte of the file, from 0.
    pub offset: Option<u64>,
}

impl Location {
    /// The whole file.
    #[must_use]
    pub fn file() -> Self {
        Self::default()
    }

    pub(crate) fn row_group(index: usize) -> Self {
        Location {
            row_group: u32::try_from(index).ok(),
            ..Self::default()
        }
    }

    pub(crate) fn column(mut self, path: impl Into<Arc<str>>) -> Self {
        self.column = Some(path.into());
        self
    }

    pub(crate) fn at(mut self, offset: u64) -> Self {
        self.offset = Some(offset);
        self
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        if let Some(row_group) = self.row_group {
            write!(f, "row group {row_group}")?;
            separator = ", ";
        }
        if let Some(column) = &self.column {
            write!(f, "{separator}column {column:?}")?;
            separator = ", ";
        }
        match self.offset {
            Some(offset) => write!(f, "{separator}byte {offset}"),
            None if separator.is_empty() => f.write_str("file"),
            None => Ok(()),
        }
    }
}
