//! [`Refused`]: a value or a column that cannot be kept, in the words in which every face says so (promise P10).

use arrow::error::ArrowError;
use parquet::errors::ParquetError;

/// A value, or a column, that cannot be kept: which it is, why, and what can be done.
///
/// Members of structs are named by their path, `station.name`, items of lists by `[]`, and the keys and values of a
/// map by `.key` and `.value`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column {column:?}{}: {reason}", at(*row))]
#[non_exhaustive]
pub struct Refused {
    /// The column, or the path of what lies within it.
    pub column: String,
    /// The row, from 0, where it is one value.
    pub row: Option<u64>,
    /// What is wrong with it, and what can be done.
    pub reason: String,
}

impl Refused {
    pub(crate) fn new(column: impl Into<String>, reason: impl Into<String>) -> Self {
        Refused {
            column: column.into(),
            row: None,
            reason: reason.into(),
        }
    }

    /// The refusal of one row.
    #[must_use]
    pub(crate) fn in_row(mut self, row: u64) -> Self {
        self.row = Some(row);
        self
    }

    /// The refusal with its row counted
    #[must_use]
    pub fn behind(mut self, rows: u64) -> Self {
        self.row = self.row.map(|row| row + rows);
        self
    }
}

impl From<Refused> for ArrowError {
    fn from(refused: Refused) -> Self {
        ArrowError::ExternalError(Box::new(refused))
    }
}

impl From<Refused> for ParquetError {
    fn from(refused: Refused) -> Self {
        ParquetError::External(Box::new(refused))
    }
}

/// The message of an error of Arrow, without the name of its kind.
pub(crate) fn plain(error: &ArrowError) -> String {
    match error {
        ArrowError::CastError(text)
        | ArrowError::ComputeError(text)
        | ArrowError::InvalidArgumentError(text)
        | ArrowError::JsonError(text)
        | ArrowError::NotYetImplemented(text)
        | ArrowError::ParseError(text)
        | ArrowError::SchemaError(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The row as text in a message.
pub(crate) fn at(row: Option<u64>) -> String {
    row.map_or_else(String::new, |row| format!(", row {row}"))
}
