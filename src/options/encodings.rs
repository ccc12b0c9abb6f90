//! [`Encodings`]: which encodings of Parquet are chosen among.

use super::parse::names;

/// Which encodings of Parquet a writer chooses among.
///
/// The choice is made for each column of each row group by the rows that it begins with, and takes what makes the file
/// smallest. It depends on nothing but the rows, and on the compression. Columns whose encoding the
/// [`WriterProperties`](parquet::file::properties::WriterProperties) name keep it; those whose dictionary they switch off
/// have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Encodings {
    /// Those that all readers of today read: pyarrow, Polars, DuckDB, DataFusion, Spark 4 and parquet-java. The default.
    ///
    /// Beside those of [`Compatible`](Encodings::Compatible), `DELTA_BINARY_PACKED` for integers, dates, times and
    /// decimals that are integers, `DELTA_LENGTH_BYTE_ARRAY` and `DELTA_BYTE_ARRAY` for texts and bytes,
    /// `BYTE_STREAM_SPLIT` for floats, and `RLE` for booleans.
    #[default]
    Auto,
    /// Those of the format's first version: a dictionary, or `PLAIN`.
    Compatible,
}

names!(Encodings {
    Auto => "auto",
    Compatible => "compatible",
});
