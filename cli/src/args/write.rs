//! The arguments of `write`.

use std::path::PathBuf;

use atomic_arrow::parquet::basic::Compression;
use atomic_arrow::{Error, PartitionBy, SortBy, parse};
use clap::{Arg, Args};
use encoding_rs::Encoding;

use super::choice::choice;
use super::parquet::ParquetArgs;
use super::paths;
use super::store::StoreUploadArgs;
use super::values::{
    self, Durability, Encodings, JsonNonFinite, Mode, OutputFormat, Switch, Sync, VerifyLevel,
};
use super::{StagingArgs, with_codes};
use crate::input::{DateFormat, InputFormat, InputOptions, SchemaSpec, Select, encoding_named};

const EXAMPLES: &str = "\
Examples:
  atomic-arrow write 'raw/*.csv.gz' --to lake/weather --partition-by 'origin,year(time_hour)'
  atomic-arrow write day.ndjson --to lake/weather --partition-by date --mode overwrite-partitions
  atomic-arrow write prices.csv --to cache/prices.parquet";

/// The arguments that the short help of `write` and `stage` shows, which has to fit on a screen.
const COMMON: [&str; 16] = [
    "inputs",
    "task",
    "keep_staged",
    "to",
    "partition_by",
    "mode",
    "write_id",
    "dry_run",
    "json",
    "quiet",
    "verbose",
    "schema",
    "format",
    "compression",
    "target_file_size",
    "sort_by",
];

/// Leaves an argument that few need to the long help.
fn common_first(arg: Arg) -> Arg {
    let is_common = COMMON.contains(&arg.get_id().as_str());
    arg.hide_short_help(!is_common)
}

/// Examples for the short help, and where the rest is.
pub(super) fn with_more(examples: &str) -> String {
    format!(
        "{examples}\n\nMore options, of the input, files, Parquet, staging, memory, threads and object stores: --help"
    )
}

/// Write CSV, NDJSON, Parquet or Arrow input as the files of a data set
///
/// All files appear, or none of them, whatever crashes and whenever. Nothing is published until all
/// input has been read without an error and every file is finished, synced and verified. One durable
/// record then commits all of them. What crashed after it is finished by the next `write`, or by
/// `recover`; what crashed before it is removed.
///
/// Input that is cut short is an error wherever that shows; text cut within the last field of a row, or
/// after one, looks whole. Compressed input always shows it.
#[derive(Debug, Args)]
#[command(after_help = with_more(EXAMPLES), after_long_help = with_codes(EXAMPLES), mut_args(common_first))]
pub(crate) struct WriteArgs {
    /// Files, directories, patterns such as 'raw/*.csv.gz', or - for standard input
    ///
    /// CSV, TSV, NDJSON, Parquet, Avro, Arrow IPC files and streams, each also compressed with gzip or
    /// zstd, told by their suffixes. All have the columns of the first one, in any order, and types
    /// that unite: a string in any form, a narrower number, nothing but nulls. Of a directory all files
    /// below it are read, but those that readers pass over, whose names begin with `.` or `_`. A
    /// file:// URL is its path.
    #[arg(required = true, value_name = "INPUT", value_parser = paths::input)]
    pub(crate) inputs: Vec<String>,

    /// The data set's root, a directory or a URL; or one file
    ///
    /// A directory is made if it is missing. URLs are s3://bucket/weather, gs://bucket/weather and az://container/weather.
    /// A path with the suffix of a format (prices.parquet, rows.csv.gz) is one file if no keys are given and no directory
    /// is there: it is published in one step, in that format. With a slash at its end it is a directory.
    #[arg(long, value_name = "ROOT", value_parser = paths::place())]
    pub(crate) to: PathBuf,

    /// The keys to partition by, such as 'station_id=origin,year,month'
    ///
    /// Each key is `column`, `name=column` or `name=year(column)`, with year, month, day, hour or
    /// date of a timestamp or date column; or `bucket(16, column)`, the bucket of the value by Iceberg's hash,
    /// `spark_bucket(16, column)` by that of Spark, named column_bucket. Without it all files go straight into ROOT.
    #[arg(long, value_name = "KEYS", value_parser = values::keys)]
    pub(crate) partition_by: Option<PartitionBy>,

    /// What becomes of the files that are there [default: append] [default of one file: overwrite]
    #[arg(long, value_parser = choice::<Mode>())]
    pub(crate) mode: Option<Mode>,

    /// Overwrite also a root that belongs to a table of Delta Lake, Iceberg, Hudi or Spark Structured
    /// Streaming, or such a table below what is overwritten, which destroys it
    #[arg(long)]
    pub(crate) overwrite_table: bool,

    /// Whether to look at what is in ROOT already
    ///
    /// A write that readers could not take with it for one data set is refused: one of another format, of
    /// other partition keys or the same in another order, or with a column of another type. New and missing
    /// columns and integers of another width are allowed and said. One file there stands for all.
    #[arg(long, value_parser = choice::<Switch>(), value_name = "SWITCH", default_value = "on")]
    pub(crate) schema_check: Switch,

    /// A name of this write, which makes repeating it harmless
    ///
    /// If a write of this name to ROOT was committed, its receipt is the answer, and no input is read. The receipts of named writes are kept in the staging area beside ROOT for at least 30 days. If files of it are gone since, a warning says so.
    #[arg(long, value_name = "ID")]
    pub(crate) write_id: Option<String>,

    /// The number of this write in the stream that --write-id names, for a stream of writes each of which is to happen once
    ///
    /// The highest number that was committed is remembered, for as long as the staging area is there: a write with that number
    /// gives the receipt of then, and one with a lower number is answered as committed before.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) sequence: Option<u64>,

    /// Write again if none of the files of the earlier write of the same name is there any more
    #[arg(long)]
    pub(crate) rewrite_missing: bool,

    /// Publish an empty file _SUCCESS in ROOT when all else is published
    ///
    /// One that is there is removed before the first file is published: whoever sees the file sees no such write in part. Readers pass it over, but for DuckDB with a pattern that takes every name, as `weather/**`.
    #[arg(long)]
    pub(crate) success_file: bool,

    /// How closely each file is checked before it is published
    #[arg(long, value_parser = choice::<VerifyLevel>(), value_name = "LEVEL", default_value = "footer")]
    pub(crate) verify: VerifyLevel,

    /// Whether to wait until the medium has what was written
    #[arg(long, value_parser = choice::<Durability>(), value_name = "HOW", default_value = "synced")]
    pub(crate) durability: Durability,

    #[command(flatten)]
    pub(crate) staging: StagingArgs,

    /// How files are synced
    #[arg(long, value_parser = choice::<Sync>(), value_name = "HOW", default_value = "auto")]
    pub(crate) sync: Sync,

    /// Report the rows of each partition, and write nothing at all
    ///
    /// Everything is read and split for that, and what the write would be refused for is said.
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Print the receipt as one line of JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// Print nothing but errors
    #[arg(short, long, conflicts_with_all = ["verbose", "json"])]
    pub(crate) quiet: bool,

    /// Name every file, the columns that were read, and what the time went on
    #[arg(short, long)]
    pub(crate) verbose: bool,

    // Last, because the headings of these would go on to what follows.
    #[command(flatten)]
    pub(crate) input: InputArgs,

    #[command(flatten)]
    pub(crate) files: FilesArgs,

    #[command(flatten)]
    pub(crate) parquet: ParquetArgs,

    #[command(flatten)]
    pub(crate) bounds: BoundsArgs,

    #[command(flatten)]
    pub(crate) store: StoreUploadArgs,
}

/// How the input is read.
#[derive(Debug, Args)]
#[command(next_help_heading = "Input")]
pub(crate) struct InputArgs {
    /// The format of every input [default: by its suffix, or for standard input its first bytes, which
    /// text does not have]
    #[arg(long, value_parser = choice::<InputFormat>())]
    input_format: Option<InputFormat>,

    /// What divides the fields of CSV: one character, or \t [default: a comma; a tab for TSV]
    #[arg(long, value_name = "CHAR", value_parser = values::delimiter)]
    delimiter: Option<u8>,

    /// The first row of CSV is data; columns are named column_1 and so on
    #[arg(long)]
    no_header: bool,

    /// The encoding of CSV and NDJSON without a byte order mark, such as utf-16le, latin1 or shift_jis
    /// [default: utf-8]
    ///
    /// Names and encodings are those of the web: latin1 is windows-1252.
    #[arg(long, value_name = "NAME", value_parser = encoding_named)]
    encoding: Option<&'static Encoding>,

    /// A character by which a quote within a quoted field of CSV is escaped, besides doubling it
    ///
    /// It escapes itself too. Before any other character it is kept.
    #[arg(long, value_name = "CHAR", value_parser = values::delimiter)]
    escape: Option<u8>,

    /// A character that begins lines of CSV which are passed over
    #[arg(long, value_name = "CHAR", value_parser = values::delimiter)]
    comment: Option<u8>,

    /// The format of all dates and times in CSV, such as %d/%m/%Y or '%d.%m.%Y %H:%M' [default: ISO 8601]
    ///
    /// As strftime has it, %z being the offset and .%f or %.f the fraction of a second. A text that says
    /// more than the type of its column holds, or that has two digits where %Y has four, is none. A column
    /// whose texts are all of the format has dates or times, also where they have nothing but digits; a note
    /// says which text of a column is not of it, or that no column is.
    #[arg(long, value_name = "FORMAT")]
    date_format: Option<DateFormat>,

    /// A text that is null in CSV; may be given several times. A field of nothing always is null, and NA
    /// and "" are in every column but those of text, where "" is the empty text unless --null= is given
    #[arg(long = "null", value_name = "TEXT")]
    nulls: Vec<String>,

    /// Rows of the first input from which types are inferred at first
    ///
    /// Where a later value, also of another input, does not fit its column as it is, everything is read
    /// for its types, and then again. Of standard input this takes a copy of at most 1 GiB of it.
    #[arg(long, value_name = "N", default_value_t = InputOptions::default().infer_rows)]
    infer_rows: usize,

    /// Do not read the values of directories named key=value above a file as columns
    ///
    /// They are read of all directories in the path of a file that is named; below a directory or the first wildcard of
    /// a pattern, and straight above that.
    #[arg(long)]
    no_hive: bool,

    /// Types of the columns that directories give, as in --schema [default: int64 or date where all
    /// values are such, else string]
    #[arg(long, value_name = "TYPES", conflicts_with = "no_hive")]
    hive_types: Option<SchemaSpec>,

    /// Types of columns that are not to be inferred: 'name=type;name=type', or @FILE with one a line
    ///
    /// string, bool, int8 to int64, uint8 to uint64, float32, float64, date, time, timestamp (of
    /// microseconds) or, with unit and zone, 'timestamp[ms, UTC]', 'decimal(10, 2)', binary, and any
    /// other as Arrow writes it, such as 'Time32(Second)'. A value that the type does not hold as it is
    /// ends the write. Objects and lists of NDJSON are kept as JSON in a column set to string.
    #[arg(long, value_name = "TYPES")]
    schema: Option<SchemaSpec>,

    /// Types that columns of any input are cast to, as in --schema: 'id=int32;at=timestamp[ms]'
    ///
    /// Names are those of the input. A value that the type does not hold ends the write, with its row, counted from 0 in
    /// its input: it is cast only if, cast back, it is what it was. Columns within others are not cast. What CSV and
    /// NDJSON spell is kept in a column of text by --schema alone: a cast of it from a guessed type is refused.
    #[arg(long, value_name = "TYPES")]
    cast: Option<SchemaSpec>,

    /// The columns that are written, in this order, as in 'id,temp,time=time_hour' [default: all]
    ///
    /// new=old gives another name. Keys are made of columns that are selected, by their new names.
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',', value_parser = values::select)]
    select: Vec<String>,
}

impl InputArgs {
    /// Refuses characters that would have two meanings in CSV.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        let divides = |other| match self.delimiter {
            Some(delimiter) => other == delimiter,
            None => b",\t".contains(&other),
        };
        if self.escape.is_some_and(divides) {
            return Err("--escape: the character divides fields");
        }
        if self.comment.is_some_and(divides) {
            return Err("--comment: the character divides fields");
        }
        if self.escape.is_some() && self.escape == self.comment {
            return Err("--comment: the character is that of --escape");
        }
        Ok(())
    }

    /// The options of reading; a batch may take `batch_bytes` bytes, where that is more than otherwise.
    pub(crate) fn options(&self, batch_bytes: Option<u64>) -> InputOptions {
        let defaults = InputOptions::default();
        InputOptions {
            format: self.input_format,
            delimiter: self.delimiter,
            header: !self.no_header,
            null_values: self.nulls.clone(),
            escape: self.escape,
            comment: self.comment,
            dates: self.date_format.clone(),
            encoding: self.encoding,
            hive: !self.no_hive,
            hive_types: self.hive_types.clone().unwrap_or_default(),
            infer_rows: self.infer_rows,
            schema: self.schema.clone().unwrap_or_default(),
            casts: self.cast.clone().unwrap_or_default(),
            select: Select::new(self.select.clone()),
            batch_size: defaults.batch_size,
            batch_bytes: batch_bytes.unwrap_or(defaults.batch_bytes),
        }
    }
}

/// What the files are.
#[derive(Debug, Args)]
#[command(next_help_heading = "Files")]
pub(crate) struct FilesArgs {
    /// What is written [default: parquet] [default of one file: by its suffix]
    #[arg(long, value_parser = choice::<OutputFormat>(), value_name = "FORMAT")]
    pub(crate) format: Option<OutputFormat>,

    /// zstd, gzip, brotli, snappy, lz4 or uncompressed; in Parquet also by column, as in
    /// 'zstd(3),note=snappy' [default: zstd(1)]
    ///
    /// zstd, gzip and brotli are taken with a level, too. Arrow IPC has zstd and lz4; text has zstd and gzip, but by
    /// default neither.
    #[arg(long, value_name = "CODEC", value_delimiter = ',')]
    compression: Vec<String>,

    /// The text that is null in CSV [default: nothing, and the empty string is ""]
    ///
    /// Polars tells "" from nothing, and so do pyarrow and DuckDB if they are told to; pandas and DataFusion do
    /// not. With another text, such as \\N, a value that is this text is an error.
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    pub(crate) csv_null: String,

    /// What becomes of NaN and the infinities in NDJSON, which JSON has no numbers for
    #[arg(long, value_parser = choice::<JsonNonFinite>(), value_name = "HOW", default_value = "error")]
    pub(crate) json_non_finite: JsonNonFinite,

    /// Whether every page of Parquet carries a checksum, by which damage at rest is found
    #[arg(long, value_parser = choice::<Switch>(), value_name = "SWITCH", default_value = "on")]
    pub(crate) page_checksums: Switch,

    /// Which encodings of Parquet are chosen among for each column, by its values: those that make it smallest
    #[arg(long, value_parser = choice::<Encodings>(), value_name = "WHICH", default_value = "auto")]
    pub(crate) encodings: Encodings,

    /// The size, such as 128MiB, at which a file ends, at a row group, and another begins [default: one
    /// file a partition]
    #[arg(long, value_name = "BYTES", value_parser = values::size)]
    pub(crate) target_file_size: Option<u64>,

    /// The rows at which a file ends, at a row group, and another begins [default: one file a
    /// partition]
    #[arg(long, value_name = "ROWS", value_parser = values::at_least_one)]
    pub(crate) target_file_rows: Option<usize>,

    /// A template of the names of the files, such as 'daily-{uuid}-{number}' [default: part-{uuid}-{number}]
    ///
    /// {uuid} is the id of the write, {number} that of the file in its partition, and {partition} the values of the keys
    /// with - between them. The suffix of the format follows. {uuid} may be left out with --mode error-if-exists,
    /// error-if-any-exists and ignore, where no other files are beside those of the write, and {number} where a partition is
    /// one file.
    #[arg(long, value_name = "TEMPLATE")]
    pub(crate) file_name: Option<String>,

    /// How rows are sorted within each file, such as 'time_hour desc, temp nulls first' [default: as
    /// they come]
    ///
    /// Columns divided by commas, each with `asc` (the default) or `desc` after it, and after that
    /// `nulls first` or `nulls last` (the default). A partition that is too large to be sorted within
    /// the memory limit becomes several files.
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',', value_parser = str::parse::<SortBy>)]
    pub(crate) sort_by: Vec<SortBy>,

    /// Keep the partition columns in the files, though the directories name their values
    ///
    /// Polars and DuckDB read such a data set as it is. pyarrow and pandas have to be told to take no keys from
    /// the directories (partitioning=None), and DataFusion none of the keys.
    #[arg(long)]
    pub(crate) keep_partition_columns: bool,

    /// Allow names of columns and keys that differ by case alone, which DuckDB and Spark take for one
    #[arg(long)]
    pub(crate) case_sensitive_names: bool,
}

impl FilesArgs {
    /// The codec of whole files, if one is asked for.
    pub(crate) fn codec(&self) -> Result<Option<Compression>, Error> {
        let of_files = self.compression.iter().filter(|text| !text.contains('='));
        let mut codec = None;
        for text in of_files {
            codec = Some(
                parse::compression(text).map_err(|error| Error::InvalidOption {
                    option: "compression",
                    reason: error.to_string(),
                })?,
            );
        }
        Ok(codec)
    }

    /// The codecs of single columns, as in `note=snappy`.
    pub(crate) fn codecs_by_column(&self) -> Vec<String> {
        let all = self.compression.iter();
        all.filter(|text| text.contains('=')).cloned().collect()
    }
}

/// What the write may take.
#[derive(Debug, Args)]
#[command(next_help_heading = "Bounds")]
pub(crate) struct BoundsArgs {
    /// The memory, such as 512MiB or 1GB, that rows and encoders may take; rows beyond it are spilled
    /// to the staging area. A batch of Arrow IPC may take as much, if that is more than 256MiB and than 64
    /// times what is stored [default: 1GiB, or a quarter of the machine's if that is less]
    #[arg(long, value_name = "BYTES", value_parser = values::size)]
    pub(crate) memory_limit: Option<u64>,

    /// Threads that encode; the files do not depend on it [default: as many as the machine runs at
    /// once]
    #[arg(long, value_name = "N", value_parser = values::at_least_one)]
    pub(crate) threads: Option<usize>,

    /// Files that are open at once, at most
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(8..))]
    pub(crate) max_open_files: u32,
}
