//! The values of single options, and their parsers.

use atomic_arrow::format::{Format, NonFinite};
use atomic_arrow::parquet::basic::{BrotliLevel, Compression, GzipLevel, ZstdLevel};
use atomic_arrow::{CommitMode, PartitionBy, SortBy, SyncPolicy};
use bytesize::ByteSize;
use clap::ValueEnum;

/// What `verify` checks.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Level {
    /// The structure: magic numbers, the whole footer, every offset
    Footer,
    /// Also every page: its checksum, where it has one, and its decompression; and all bytes, of files that
    /// carry their hash, as those of this program do
    Checksum,
    /// Also every value, decoded
    Decode,
}

impl Level {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Level::Footer => "footer",
            Level::Checksum => "checksum",
            Level::Decode => "decode",
        }
    }
}

impl From<Level> for atomic_arrow::Verify {
    fn from(level: Level) -> Self {
        match level {
            Level::Footer => Self::Footer,
            Level::Checksum => Self::Checksum,
            Level::Decode => Self::Decode,
        }
    }
}

/// What is checked before a file is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum VerifyLevel {
    /// The length, and of Parquet the whole footer, against what was written
    Footer,
    /// Also all bytes, by a hash, read back from the medium where the system lets us
    Checksum,
    /// Also every value, decoded, against the rows that came in
    Decode,
    /// Nothing; for measuring
    Skip,
}

impl From<VerifyLevel> for atomic_arrow::Verify {
    fn from(level: VerifyLevel) -> Self {
        match level {
            VerifyLevel::Footer => Self::Footer,
            VerifyLevel::Checksum => Self::Checksum,
            VerifyLevel::Decode => Self::Decode,
            VerifyLevel::Skip => Self::Skip,
        }
    }
}

/// Whether a commit waits for the medium.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Durability {
    /// Files and directories are synced, and survive a power cut
    Synced,
    /// Nothing is synced: whole or absent if the process dies, but a power cut may leave files missing,
    /// empty or torn, and take what they replaced
    Unsynced,
}

impl From<Durability> for atomic_arrow::Durability {
    fn from(durability: Durability) -> Self {
        match durability {
            Durability::Synced => Self::Synced,
            Durability::Unsynced => Self::Unsynced,
        }
    }
}

/// Whether something is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    On,
    Off,
}

/// What becomes of the files that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// They stay, and new files stand beside them
    Append,
    /// Where a partition that rows go to has any, that is a conflict, and nothing is published
    ErrorIfExists,
    /// The directories of the partitions that rows go to are replaced, with everything in them, and
    /// other partitions stay
    OverwritePartitions,
    /// The whole data set is replaced, with everything in its directory; by nothing if the input has
    /// no rows
    Overwrite,
}

impl From<Mode> for CommitMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Append => Self::Append,
            Mode::ErrorIfExists => Self::ErrorIfExists,
            Mode::OverwritePartitions => Self::OverwritePartitions,
            Mode::Overwrite => Self::Overwrite,
        }
    }
}

/// How files are synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sync {
    /// From 64 partitions on the file system as a whole, where it reports failures of that; else
    /// each file
    Auto,
    /// Each file by itself
    EachFile,
    /// The file system as a whole, also what others have written there; each file where that is not
    /// possible
    FileSystem,
}

impl From<Sync> for SyncPolicy {
    fn from(sync: Sync) -> Self {
        match sync {
            Sync::Auto => Self::Auto,
            Sync::EachFile => Self::EachFile,
            Sync::FileSystem => Self::FileSystem,
        }
    }
}

/// What becomes of NaN and the infinities in NDJSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum JsonNonFinite {
    /// An error, and nothing is published
    Error,
    /// null, which is not told from a null any more
    Null,
    /// The texts NaN, Infinity and -Infinity
    String,
}

impl From<JsonNonFinite> for NonFinite {
    fn from(non_finite: JsonNonFinite) -> Self {
        match non_finite {
            JsonNonFinite::Error => Self::Refuse,
            JsonNonFinite::Null => Self::Null,
            JsonNonFinite::String => Self::Text,
        }
    }
}

/// What `write` writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    /// Apache Parquet
    Parquet,
    /// Arrow IPC files
    Ipc,
    /// One JSON object a line
    Ndjson,
    /// Comma-separated values with a header
    Csv,
}

impl From<OutputFormat> for Format {
    fn from(format: OutputFormat) -> Self {
        match format {
            OutputFormat::Parquet => Self::Parquet,
            OutputFormat::Ipc => Self::Ipc,
            OutputFormat::Ndjson => Self::Ndjson,
            OutputFormat::Csv => Self::Csv,
        }
    }
}

/// The format that the bytes of `put` must have.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Check {
    /// One JSON document, no object of which has a name twice
    Json,
    /// One JSON object a line, none of which has a name twice
    Ndjson,
    /// Comma-separated values, each row of as many fields as the first
    Csv,
    /// Apache Parquet
    Parquet,
    /// Arrow IPC file
    Ipc,
    /// Arrow IPC stream
    IpcStream,
}

impl From<Check> for Format {
    fn from(check: Check) -> Self {
        match check {
            Check::Json => Self::Json,
            Check::Ndjson => Self::Ndjson,
            Check::Csv => Self::Csv,
            Check::Parquet => Self::Parquet,
            Check::Ipc => Self::Ipc,
            Check::IpcStream => Self::IpcStream,
        }
    }
}

/// Reads a codec, with its level in parentheses if it has one.
pub(super) fn compression(text: &str) -> Result<Compression, String> {
    let (name, level) = match text.strip_suffix(')').and_then(|text| text.split_once('(')) {
        Some((name, level)) => (name, Some(level)),
        None => (text, None),
    };
    let level = level.map(str::parse::<i32>).transpose();
    let level = level.map_err(|_| "the level is not a whole number".to_owned())?;
    let unsigned = level.map(u32::try_from).transpose();
    let unsigned = unsigned.map_err(|_| "the level is negative".to_owned());
    let wrong = |error: atomic_arrow::parquet::errors::ParquetError| error.to_string();
    match (name, level) {
        ("zstd", None) => Ok(Compression::ZSTD(ZstdLevel::default())),
        ("zstd", Some(level)) => ZstdLevel::try_new(level)
            .map(Compression::ZSTD)
            .map_err(wrong),
        ("gzip", _) => match unsigned? {
            None => Ok(Compression::GZIP(GzipLevel::default())),
            Some(level) => GzipLevel::try_new(level)
                .map(Compression::GZIP)
                .map_err(wrong),
        },
        ("brotli", _) => match unsigned? {
            None => Ok(Compression::BROTLI(BrotliLevel::default())),
            Some(level) => BrotliLevel::try_new(level)
                .map(Compression::BROTLI)
                .map_err(wrong),
        },
        ("snappy", None) => Ok(Compression::SNAPPY),
        ("lz4", None) => Ok(Compression::LZ4_RAW),
        ("none", None) => Ok(Compression::UNCOMPRESSED),
        ("snappy" | "lz4" | "none", Some(_)) => Err(format!("{name} has no levels")),
        _ => Err("known are zstd, gzip, brotli, snappy, lz4 and none".to_owned()),
    }
}

/// Reads a delimiter of one byte; the tab may be written `\t`.
pub(super) fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"\\t" => Ok(b'\t'),
        b"\"" | b"\r" | b"\n" => {
            Err("quotes and ends of lines have a meaning of their own in CSV".to_owned())
        }
        [byte] if byte.is_ascii() => Ok(*byte),
        _ => Err("not one ASCII character".to_owned()),
    }
}

/// Reads a number that is not 0.
pub(super) fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("at least 1 is needed".to_owned()),
        Ok(number) => Ok(number),
        Err(error) => Err(format!("{error}")),
    }
}

/// Reads a size that is not 0, with or without a unit.
pub(super) fn size(text: &str) -> Result<u64, String> {
    match text.parse::<ByteSize>() {
        Ok(ByteSize(0)) => Err("at least 1 byte is needed".to_owned()),
        Ok(ByteSize(bytes)) => Ok(bytes),
        Err(_) => Err("not a size such as 512MiB, 1GB or 65536".to_owned()),
    }
}

/// Reads at least one key: an empty text is rather a variable that was not set.
pub(super) fn keys(text: &str) -> Result<PartitionBy, String> {
    match text.parse::<PartitionBy>() {
        Ok(by) if by.is_empty() => {
            Err("names no key; without the option nothing is partitioned".to_owned())
        }
        parsed => parsed.map_err(|error| error.to_string()),
    }
}

/// Reads `column [asc|desc] [nulls first|last]`.
pub(super) fn sort_by(text: &str) -> Result<SortBy, String> {
    let rest = text.trim();
    let (rest, nulls_first) = match rest.strip_suffix(" nulls first") {
        Some(rest) => (rest, true),
        None => (rest.strip_suffix(" nulls last").unwrap_or(rest), false),
    };
    let rest = rest.trim_end();
    let (column, descending) = match rest.strip_suffix(" desc") {
        Some(column) => (column, true),
        None => (rest.strip_suffix(" asc").unwrap_or(rest), false),
    };
    match column.trim_end() {
        "" => Err("names no column".to_owned()),
        column => Ok(SortBy::column(column)
            .descending(descending)
            .nulls_first(nulls_first)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_decimal_and_binary_units_or_none() {
        for (text, bytes) in [
            ("1", 1),
            ("512MiB", 512 << 20),
            ("1GB", 1_000_000_000),
            ("1.5 KiB", 1536),
            ("64kb", 64_000),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["0", "0 MiB", "", "-1", "many", "1 XB", "MiB"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_sort_column_has_a_direction_and_a_place_for_nulls() {
        for (text, descending, nulls_first) in [
            ("temp", false, false),
            (" temp asc nulls last ", false, false),
            ("temp desc", true, false),
            ("temp nulls first", false, true),
            ("temp desc  nulls first", true, true),
        ] {
            let expected = SortBy::column("temp")
                .descending(descending)
                .nulls_first(nulls_first);
            assert_eq!(sort_by(text), Ok(expected), "{text}");
        }
        assert_eq!(sort_by("wind speed"), Ok(SortBy::column("wind speed")));
        assert!(sort_by("").is_err());
        assert!(sort_by("  ").is_err());
    }
}
