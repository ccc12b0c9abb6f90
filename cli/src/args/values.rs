//! The values of single options, and their parsers.

use std::time::Duration;

use atomic_arrow::format::{Format, NonFinite};
use atomic_arrow::{CommitMode, PartitionBy, SyncPolicy, parse};
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

/// Which encodings of Parquet are chosen among, column by column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Encodings {
    /// All that the readers of today read: dictionary, plain, delta encodings, split bytes of floats, runs of booleans
    Auto,
    /// Those of the first version of the format: dictionary and plain
    Compatible,
}

impl From<Encodings> for atomic_arrow::Encodings {
    fn from(encodings: Encodings) -> Self {
        match encodings {
            Encodings::Auto => Self::Auto,
            Encodings::Compatible => Self::Compatible,
        }
    }
}

/// What becomes of the files that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// They stay, and new files stand beside them
    Append,
    /// Where a partition that rows go to has any, that is a conflict, and nothing is published
    ErrorIfExists,
    /// Where the data set has any, in whatever partition, that is a conflict, and nothing is published
    ErrorIfAnyExists,
    /// Where the data set has any that readers see, nothing is written; that is no failure
    Ignore,
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
            Mode::ErrorIfAnyExists => Self::ErrorIfAnyExists,
            Mode::Ignore => Self::Ignore,
            Mode::OverwritePartitions => Self::OverwritePartitions,
            Mode::Overwrite => Self::Overwrite,
        }
    }
}

/// How files are synced, and the directories that they are published into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sync {
    /// From 64 partitions on the file system as a whole, where it reports failures of that; else
    /// each file and directory
    Auto,
    /// Each file and directory by itself
    EachFile,
    /// The file system as a whole, also what others have written there; each file and directory where
    /// that is not possible
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
    #[value(aliases = ["arrow", "feather"])]
    Ipc,
    /// One JSON object a line
    #[value(alias = "jsonl")]
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
    #[value(aliases = ["arrow", "feather"])]
    Ipc,
    /// Arrow IPC stream
    #[value(alias = "arrows")]
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
pub(crate) fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("at least 1 is needed".to_owned()),
        Ok(number) => Ok(number),
        Err(error) => Err(format!("{error}")),
    }
}

/// Reads a size that is not 0, with or without a unit.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    match parse::size(text) {
        Ok(0) => Err("at least 1 byte is needed".to_owned()),
        bytes => bytes.map_err(|error| error.to_string()),
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

/// Reads a time such as `12h` or `7d`; a number by itself is of seconds, as in Python.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds) => Ok(Duration::from_secs(seconds)),
        Err(_) => humantime::parse_duration(text)
            .map_err(|error| format!("{error}; a time is such as 30min, 12h or 7d")),
    }
}

/// A column that is selected, without spaces around it.
pub(super) fn select(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("the name of a column is missing".to_owned()),
        text => Ok(text.to_owned()),
    }
}
