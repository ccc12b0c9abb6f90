//! Notes: warnings of a commit beside its receipt.

use std::fmt;

use crate::error::Error;
use crate::table_format::TableFormat;

/// Something about a commit that its caller should know, although it was done.
///
/// ```
/// use atomic_arrow::receipt::Note;
///
/// let note = Note::ColumnAdded { column: "wind".to_owned() };
/// assert!(note.to_string().starts_with("column \"wind\" is new"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Note {
    /// A column that files which were there before lack.
    ColumnAdded {
        /// The column.
        column: String,
    },
    /// A column that files which were there before have, and those of this write lack.
    ColumnMissing {
        /// The column.
        column: String,
    },
    /// A column whose type is another than before: an integer of another width, a dictionary, another time
    /// zone.
    TypeDiffers {
        /// The column.
        column: String,
        /// Its type in the files of this write.
        written: String,
        /// Its type in the files that were there before.
        there: String,
    },
    /// A column that is of an extension type now, and of plain values before, or the other way round.
    ExtensionDiffers {
        /// The column.
        column: String,
        /// Its type in the files of this write.
        written: String,
        /// Its type in the files that were there before.
        there: String,
    },
    /// Instants whose time zone was an offset that not every reader of Parquet knows: they are stored in UTC.
    OffsetNotKept {
        /// The column, or the path of what is within it.
        column: String,
        /// The offset, as `+05:30`.
        offset: String,
    },
    /// Labels of rows that pandas notes as a range, and that no column has: the rows of a data set would get those of
    /// others.
    RowLabelsNotKept {
        /// The range, and its name.
        labels: String,
    },
    /// There were no rows, and no file was written, so that the data set has no schema by this write.
    NoRows,
    /// There were no rows, and one file without rows was written, which has the schema.
    SchemaOnly,
    /// The data set has files already, and nothing was written, as
    /// [`CommitMode::Ignore`](super::CommitMode::Ignore) asks.
    Ignored,
    /// The data set belongs to a table of another format, which does not know the files that were added.
    ForeignTable {
        /// The format.
        format: TableFormat,
    },
    /// A write of a stream of which a later one is committed: it was committed before, or left out. What its files were is
    /// not remembered.
    Superseded {
        /// The highest number in the stream that is committed.
        highest: u64,
    },
    /// A partition key that is a column of the files too, by which some readers fail on the data set.
    KeptKey {
        /// The key.
        key: String,
    },
    /// All is published, and something that should go after that is still there: a file that was replaced, which
    /// readers see beside the new ones, or what is left in the staging area. The next write and `recover` try
    /// again.
    Leftover {
        /// What is wrong, and where.
        reason: String,
    },
    /// All is published, and the name of the write could not be kept, since its staging area is gone: if it is
    /// repeated, its rows are written again.
    NameNotKept {
        /// The name.
        write_id: String,
    },
}

impl Note {
    /// The note for an error that came after all was published.
    pub(crate) fn leftover(error: &Error) -> Self {
        let mut reason = error.to_string();
        let mut cause = std::error::Error::source(error);
        while let Some(error) = cause {
            reason = format!("{reason}: {error}");
            cause = error.source();
        }
        Note::Leftover { reason }
    }

    /// The name of the kind, as in `column-added`, for machines.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Note::ColumnAdded { .. } => "column-added",
            Note::ColumnMissing { .. } => "column-missing",
            Note::TypeDiffers { .. } => "type-differs",
            Note::ExtensionDiffers { .. } => "extension-differs",
            Note::OffsetNotKept { .. } => "offset-not-kept",
            Note::RowLabelsNotKept { .. } => "row-labels-not-kept",
            Note::NoRows => "no-rows",
            Note::SchemaOnly => "schema-only",
            Note::Ignored => "ignored",
            Note::Superseded { .. } => "superseded",
            Note::ForeignTable { .. } => "foreign-table",
            Note::KeptKey { .. } => "kept-key",
            Note::Leftover { .. } => "leftover",
            Note::NameNotKept { .. } => "name-not-kept",
        }
    }
}

/// One line.
impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MISSING: &str = "DuckDB (union_by_name) and Polars (missing_columns, extra_columns) \
                               have to be told";
        match self {
            Note::ColumnAdded { column } => {
                write!(f, "column {column:?} is new in the data set: {MISSING}")
            }
            Note::ColumnMissing { column } => write!(
                f,
                "column {column:?} is in the data set, but not in this write: {MISSING}"
            ),
            Note::TypeDiffers {
                column,
                written,
                there,
            } => write!(
                f,
                "column {column:?} is {written}, but {there} in the data set: pyarrow and DuckDB read \
                 both as far as values fit, Polars and DataFusion have to be told"
            ),
            Note::ExtensionDiffers {
                column,
                written,
                there,
            } => write!(
                f,
                "column {column:?} is {written}, but {there} in the data set: readers take both for what the file says \
                 that they open first, or fail on values that this type does not have"
            ),
            Note::OffsetNotKept { column, offset } => write!(
                f,
                "column {column:?} has the time zone {offset}, with which Polars opens no Parquet file: its instants \
                 are stored in UTC"
            ),
            Note::RowLabelsNotKept { labels } => write!(
                f,
                "the row labels of pandas ({labels}) are not kept: make them a column first, as reset_index() does"
            ),
            Note::NoRows => f.write_str("there were no rows: no file was written"),
            Note::SchemaOnly => {
                f.write_str("there were no rows: one file was written, which has the schema")
            }
            Note::Ignored => f.write_str("the data set has files already: nothing was written"),
            Note::Superseded { highest } => write!(
                f,
                "number {highest} of its stream is committed, so that this one was before, or left out: nothing was \
                 written"
            ),
            Note::ForeignTable { format } => write!(
                f,
                "the data set belongs to a table of {format}, which does not know the files that were \
                 added"
            ),
            Note::KeptKey { key } => write!(
                f,
                "key {key:?} is in the files too: pyarrow and pandas read the data set only with \
                 partitioning=None"
            ),
            Note::Leftover { reason } => write!(f, "all is published, but {reason}"),
            Note::NameNotKept { write_id } => write!(
                f,
                "all is published, but its staging area is gone, and the name {write_id:?} is not kept: \
                 repeated, the write writes its rows again"
            ),
        }
    }
}
