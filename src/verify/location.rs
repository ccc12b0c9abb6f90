//! Where in a file something is.

use std::fmt;
use std::sync::Arc;

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
