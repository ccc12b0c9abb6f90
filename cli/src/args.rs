//! What the command line can say. One structure a subcommand; defaults stand beside each option.

use std::path::PathBuf;

use atomic_arrow::PartitionBy;
use atomic_arrow::parquet::basic::Compression;
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use crate::exit::CODES;
use crate::input::{InputFormat, InputOptions, SchemaSpec};

mod values;

pub(crate) use self::values::{Check, Durability, Level, Mode, VerifyLevel};

/// Crash-safe Hive-partitioned data sets: every file a reader can see is complete, verified and durable.
#[derive(Debug, Parser)]
#[command(name = "atomic-arrow", version, after_help = CODES, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Write(WriteArgs),
    Put(PutArgs),
    Verify(VerifyArgs),
    Inspect(InspectArgs),
    Recover(RecoverArgs),
    Completions(CompletionsArgs),
}

/// Write CSV, NDJSON, Parquet or Arrow input as Parquet files of a data set
///
/// Nothing is published until all input has been read without an error and every file is finished,
/// synced and verified. Files are then published one after the other; should that fail in the
/// middle, exit code 4 says so, and what was and was not published is listed.
///
/// Input that is cut short is an error wherever that shows; text cut within the last field of a row, or
/// after one, looks whole. Compressed input always shows it.
#[derive(Debug, Args)]
#[command(after_help = CODES)]
pub(crate) struct WriteArgs {
    /// Files, patterns such as 'raw/*.csv.gz', or - for standard input
    ///
    /// CSV, TSV, NDJSON, Parquet, Arrow IPC files and streams, each also compressed with gzip or
    /// zstd, told by their suffixes. All have the columns of the first one.
    #[arg(required = true, value_name = "INPUT")]
    pub(crate) inputs: Vec<String>,

    /// The data set's root directory; made if it is missing
    #[arg(long, value_name = "ROOT")]
    pub(crate) to: PathBuf,

    /// The keys to partition by, such as 'station_id=origin,year,month'
    ///
    /// Each key is `column`, `name=column` or `name=year(column)`, with year, month, day, hour or
    /// date of a timestamp or date column. Without it all files go straight into ROOT.
    #[arg(long, value_name = "KEYS", value_parser = keys)]
    pub(crate) partition_by: Option<PartitionBy>,

    /// What a partition that has files already means
    #[arg(long, value_enum, default_value_t = Mode::Append)]
    pub(crate) mode: Mode,

    /// How closely each file is checked before it is published
    #[arg(long, value_enum, value_name = "LEVEL", default_value_t = VerifyLevel::Footer)]
    pub(crate) verify: VerifyLevel,

    /// Whether to wait until the medium has what was written
    #[arg(long, value_enum, value_name = "HOW", default_value_t = Durability::Synced)]
    pub(crate) durability: Durability,

    /// Files that are open at once, at most
    ///
    /// Up to 256 MiB of rows wait in memory before they are encoded. What does not fit goes to open
    /// files; where these are too many, the one not written to for longest is finished, and its
    /// partition may get another one later.
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = values::at_least_one)]
    pub(crate) max_open: usize,

    /// Read and split everything and report the rows of each partition, but write nothing at all
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Print the receipt as one JSON object
    #[arg(long)]
    pub(crate) json: bool,

    /// Print nothing but errors
    #[arg(short, long, conflicts_with_all = ["verbose", "json"])]
    pub(crate) quiet: bool,

    /// Name every file, and say which columns were read
    #[arg(short, long)]
    pub(crate) verbose: bool,

    // Last, because the headings of these would go on to what follows.
    #[command(flatten)]
    pub(crate) input: InputArgs,

    #[command(flatten)]
    pub(crate) parquet: ParquetArgs,
}

/// How the input of `write` is read.
#[derive(Debug, Args)]
#[command(next_help_heading = "Input")]
pub(crate) struct InputArgs {
    /// The format of every input [default: by its suffix, or for standard input its first bytes, which
    /// text does not have]
    #[arg(long, value_enum)]
    format: Option<InputFormat>,

    /// What divides the fields of CSV: one character, or \t [default: a comma; a tab for TSV]
    #[arg(long, value_name = "CHAR", value_parser = values::delimiter)]
    delimiter: Option<u8>,

    /// The first row of CSV is data; columns are named column_1 and so on
    #[arg(long)]
    no_header: bool,

    /// A text that is null in CSV; may be given several times. The empty field always is null, and
    /// NA is in every column but those of text
    #[arg(long = "null", value_name = "TEXT")]
    nulls: Vec<String>,

    /// Rows of the first input from which types are inferred
    #[arg(long, value_name = "N", default_value_t = InputOptions::default().infer_rows)]
    infer_rows: usize,

    /// Types of columns that are not to be inferred: 'name=type;name=type', or @FILE with one a line
    ///
    /// string, bool, int8 to int64, uint8 to uint64, float32, float64, date, time, timestamp (of
    /// microseconds) or, with unit and zone, 'timestamp[ms, UTC]', 'decimal(10, 2)', binary, and any
    /// other as Arrow writes it, such as 'Time32(Second)'.
    #[arg(long, value_name = "TYPES")]
    schema: Option<SchemaSpec>,
}

impl InputArgs {
    pub(crate) fn options(&self) -> InputOptions {
        let defaults = InputOptions::default();
        InputOptions {
            format: self.format,
            delimiter: self.delimiter,
            header: !self.no_header,
            null_values: defaults
                .null_values
                .into_iter()
                .chain(self.nulls.clone())
                .collect(),
            infer_rows: self.infer_rows,
            schema: self.schema.clone().unwrap_or_default(),
            batch_size: defaults.batch_size,
        }
    }
}

/// How Parquet is written.
#[derive(Debug, Args)]
#[command(next_help_heading = "Parquet")]
pub(crate) struct ParquetArgs {
    /// zstd, gzip or brotli, each also with a level as in 'zstd(3)', snappy, lz4, or none
    #[arg(long, value_name = "CODEC", default_value = "zstd(1)", value_parser = values::compression)]
    pub(crate) compression: Compression,

    /// Rows of a row group, at most
    #[arg(long, value_name = "ROWS", default_value_t = 1_048_576, value_parser = values::at_least_one)]
    pub(crate) row_group_size: usize,

    /// Keep the partition columns in the files, though the directories name their values
    #[arg(long)]
    pub(crate) keep_partition_columns: bool,
}

/// Put the bytes of a file at a path, atomically
///
/// DEST holds what it held before or all of the new bytes, at every instant. Without --replace it
/// must be free: of several writers racing for it one wins, and the others exit with 5. An early end
/// of standard input cannot be told from the whole; --check can tell.
#[derive(Debug, Args)]
#[command(after_help = CODES)]
pub(crate) struct PutArgs {
    /// The file to read, or - for standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    /// The path to publish at, file name included; its directories are made if they are missing
    #[arg(value_name = "DEST")]
    pub(crate) dest: PathBuf,

    /// Publish only what parses, as a whole, as this format [default: any bytes will do]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) check: Option<Check>,

    /// Replace what is at DEST, in one step
    #[arg(long)]
    pub(crate) replace: bool,

    /// How closely the file is checked before it is published; for plain bytes `footer` compares the
    /// length
    #[arg(long, value_enum, value_name = "LEVEL", default_value_t = VerifyLevel::Footer)]
    pub(crate) verify: VerifyLevel,

    /// Whether to wait until the medium has what was written
    #[arg(long, value_enum, value_name = "HOW", default_value_t = Durability::Synced)]
    pub(crate) durability: Durability,

    /// Print the receipt as one JSON object
    #[arg(long)]
    pub(crate) json: bool,

    /// Print nothing but errors
    #[arg(short, long, conflicts_with = "json")]
    pub(crate) quiet: bool,
}

/// Check files, and all data files under directories
///
/// Prints a line for every damaged file: what is wrong with it, and where. Files are checked as the
/// format of their suffix, files named without a known suffix as Parquet.
#[derive(Debug, Args)]
#[command(after_help = CODES)]
pub(crate) struct VerifyArgs {
    /// Files and directories
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,

    /// How closely Parquet files are checked; files of other formats are always read as a whole
    #[arg(long, value_enum, value_name = "LEVEL", default_value_t = Level::Footer)]
    pub(crate) level: Level,

    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,

    /// Print no summary, only damage and errors
    #[arg(short, long, conflicts_with_all = ["verbose", "json"])]
    pub(crate) quiet: bool,

    /// Name sound files too
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

/// Show partitions, rows, bytes, and what readers may stumble over
#[derive(Debug, Args)]
#[command(after_help = CODES)]
pub(crate) struct InspectArgs {
    /// The data set's root directory
    #[arg(value_name = "ROOT")]
    pub(crate) root: PathBuf,

    /// Files of fewer bytes are small, which is odd where a partition has several
    #[arg(long, value_name = "BYTES", default_value_t = atomic_arrow::inspect::SMALL_FILE)]
    pub(crate) small_file: u64,

    /// Show all partitions and oddities [default: the first 50 partitions, and 5 oddities of a kind]
    #[arg(long)]
    pub(crate) all: bool,

    /// Print everything as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// Remove what dead writers left
///
/// Every `write` does the same first, so this is needed only where none comes. Safe at any time: what
/// a live writer is writing is left alone, and published files are never touched.
#[derive(Debug, Args)]
#[command(after_help = CODES)]
pub(crate) struct RecoverArgs {
    /// The data set's root directory
    #[arg(value_name = "ROOT")]
    pub(crate) root: PathBuf,

    /// Say what would be removed, and remove nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// Print what makes a shell complete this command
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

/// At least one key: an empty text is rather a variable that was not set.
fn keys(text: &str) -> Result<PartitionBy, String> {
    match text.parse::<PartitionBy>() {
        Ok(by) if by.is_empty() => {
            Err("names no key; without the option nothing is partitioned".to_owned())
        }
        parsed => parsed.map_err(|error| error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
