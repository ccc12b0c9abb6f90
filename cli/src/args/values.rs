//! What single options can be set to, and reading it from text.

use atomic_arrow::format::Format;
use atomic_arrow::parquet::basic::{BrotliLevel, Compression, GzipLevel, ZstdLevel};
use clap::ValueEnum;

/// What `verify` checks.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Level {
    /// The structure: magic numbers, the whole footer, every offset
    Footer,
    /// Also every page: its checksum, where it has one, and its decompression
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
    /// Nothing is synced: a power cut may leave files missing, empty or torn
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

/// What it means that a partition has files already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// New files stand beside them
    Append,
    /// A conflict, and nothing is published. Looked for before publishing; a writer that comes
    /// between is not seen
    Error,
}

/// The format that the bytes of `put` must have.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Check {
    /// One JSON document
    Json,
    /// One JSON object a line
    Ndjson,
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
