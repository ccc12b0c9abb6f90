//! [`TextOptions`]: how NDJSON and CSV are written, where there is more than one way.

use ::parquet::basic::Compression;

use super::format::Format;
use super::parse::names;
use crate::error::{Error, Result};

/// How NDJSON and CSV files of a data set are written, where there is more than one way.
///
/// ```
/// use atomic_arrow::format::{NonFinite, TextOptions};
/// use atomic_arrow::parquet::basic::{Compression, ZstdLevel};
///
/// let options = TextOptions::new()
///     .csv_null("\\N")
///     .json_non_finite(NonFinite::Text)
///     .compression(Compression::ZSTD(ZstdLevel::default()));
/// assert_ne!(options, TextOptions::default());
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct TextOptions {
    pub(crate) csv_null: String,
    pub(crate) non_finite: NonFinite,
    pub(crate) compression: Compression,
}

/// How NDJSON represents NaN and the infinities, for which JSON has no number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum NonFinite {
    /// An error with the column. The default.
    #[default]
    Refuse,
    /// `null`, which is not told from a null any more.
    Null,
    /// The texts `"NaN"`, `"Infinity"` and `"-Infinity"`, which readers take for numbers only if they are
    /// told so.
    Text,
}

names!(NonFinite {
    Refuse => "error",
    Null => "null",
    Text => "string",
});

impl Default for TextOptions {
    fn default() -> Self {
        TextOptions {
            csv_null: String::new(),
            non_finite: NonFinite::default(),
            compression: Compression::UNCOMPRESSED,
        }
    }
}

impl TextOptions {
    /// The defaults: plain text, null as nothing in CSV, only finite numbers in NDJSON.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The text that is null in CSV; by default nothing, and the empty string is `""`.
    ///
    /// So the text tells the two apart, and so do Polars, pyarrow with `strings_can_be_null=True` and
    /// `quoted_strings_can_be_null=False`, and DuckDB with `allow_quoted_nulls=false`; pandas and DataFusion
    /// read both as null. With any other text, such as `\N`, the empty string is `""` as well, and a value
    /// that is this text is an error. So is, by default, a null in the only column, whose line would be
    /// blank.
    #[must_use]
    pub fn csv_null(mut self, text: impl Into<String>) -> Self {
        self.csv_null = text.into();
        self
    }

    /// What becomes of NaN and the infinities in NDJSON; by default they are an error
    /// ([`NonFinite::Refuse`]).
    #[must_use]
    pub fn json_non_finite(mut self, non_finite: NonFinite) -> Self {
        self.non_finite = non_finite;
        self
    }

    /// How the files are compressed: not at all, which is the default, with zstd, or with gzip (feature
    /// `codecs`). Their names end in `.zst` or `.gz` then, and each is verified through its decompressor.
    #[must_use]
    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    /// Refuses options that the format does not have.
    pub(crate) fn check(&self, format: Format) -> Result<()> {
        let invalid = |option, reason: String| Err(Error::InvalidOption { option, reason });
        let default = TextOptions::default();
        if self.csv_null != default.csv_null && format.name() != "csv" {
            return invalid("csv_null", format!("says how CSV is written, not {format}"));
        }
        if self.csv_null.contains(['"', ',', '\r', '\n']) {
            let reason = "a text with quotes, commas or ends of lines cannot stand for null";
            return invalid("csv_null", reason.to_owned());
        }
        if self.non_finite != default.non_finite && format.name() != "ndjson" {
            let reason = format!("says how NDJSON is written, not {format}");
            return invalid("json_non_finite", reason);
        }
        if self.compression != default.compression && !matches!(format.name(), "csv" | "ndjson") {
            let reason = format!("{format} has compression of its own, in the properties");
            return invalid("compression", reason);
        }
        Ok(())
    }

    /// The suffix of file names for the compression.
    pub(crate) fn suffix(&self) -> &'static str {
        match self.compression {
            Compression::ZSTD(_) => ".zst",
            Compression::GZIP(_) => ".gz",
            _ => "",
        }
    }
}
