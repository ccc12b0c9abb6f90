//! Errors of reading an input: where it is, and what stands there.
//!
//! Owns the one error type of the reading side. Each variant names the input and, for text, the
//! line. The cause is in `source()` and is not repeated in the message. Reading publishes nothing,
//! so none of these says anything about what is on disk.

use std::path::PathBuf;

use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use atomic_arrow::TableFormat;
use atomic_arrow::format::IpcTooLarge;
use atomic_arrow::schema::Refused;
use parquet::errors::ParquetError;
use thiserror::Error;

use super::integers::UnknownInteger;
use super::json_rows::BadRow;
use super::spot::Spot;

/// An input that cannot be read as it was asked for.
#[derive(Debug, Error)]
pub(crate) enum InputError {
    /// The interrupt flag was raised while reading or waiting for input.
    #[error("interrupted while reading {}", path.display())]
    Interrupted { path: PathBuf },
    /// No input was named.
    #[error("no input was named")]
    NoInput,
    /// Standard input was named more than once.
    #[error("standard input (-) can be read only once")]
    StdinTwice,
    /// A path or pattern under which there is no file.
    #[error("{pattern}: no such file, and no file matches it as a pattern")]
    NoMatch { pattern: String },
    /// A pattern that does not parse.
    #[error("{pattern}: not a valid pattern")]
    Pattern {
        pattern: String,
        source: glob::PatternError,
    },
    /// A directory on the way of a pattern cannot be listed.
    #[error("{pattern}: cannot list what it matches")]
    List {
        pattern: String,
        source: glob::GlobError,
    },
    /// A directory without a file that readers would see.
    #[error("{}: has no files, hidden ones aside", path.display())]
    EmptyDirectory { path: PathBuf },
    /// A directory that is a table of another format.
    #[error(
        "{}: belongs to a table of {format}, whose log says which of its files count; \
         read it with its own reader, or name files by a pattern",
        path.display()
    )]
    Table { path: PathBuf, format: TableFormat },
    /// A directory that could not be looked into.
    #[error("{}: cannot be looked into", path.display())]
    Inspect {
        path: PathBuf,
        source: Box<atomic_arrow::Error>,
    },
    /// A symbolic link, pipe, device or socket below a directory that was named.
    #[error(
        "{}: is neither a file nor a directory; below a directory no link is followed and no pipe opened, \
         but one that is named, or matches a pattern, is read",
        path.display()
    )]
    NoFile { path: PathBuf },
    /// A key that `--hive-types` names and no directory has.
    #[error("--hive-types: no directory of the inputs has the key `{key}`")]
    HiveMissing { key: String },
    /// A directory whose value is not of its key's type.
    #[error(
        "{}: the value `{value}` of the key `{key}` is not a {data_type}; set the type with --hive-types",
        path.display()
    )]
    HiveValue {
        path: PathBuf,
        key: String,
        value: String,
        data_type: DataType,
    },
    /// A file that says other than the directory it is in.
    #[error(
        "{}: column `{key}` is not everywhere `{value}`, which its directory says; \
         --no-hive reads the column alone",
        path.display()
    )]
    HiveDiffers {
        path: PathBuf,
        key: String,
        value: String,
    },
    /// Neither the name nor the first bytes tell the format.
    #[error("{}: cannot tell its format; name it with --input-format", path.display())]
    UnknownFormat { path: PathBuf },
    /// A format that no reader here reads as it is.
    #[error(
        "{}: is ORC, which is not read: make it Parquet first, as with pyarrow: \
         pyarrow.parquet.write_table(pyarrow.orc.read_table(...), ...)",
        path.display()
    )]
    Orc { path: PathBuf },
    /// The operating system refused to open or read.
    #[error("{}: cannot be read", path.display())]
    Io {
        path: PathBuf,
        source: std::io::Error,
    },
    /// Compressed data that is damaged or cut short.
    #[error("{}: its compressed data is damaged or cut short", path.display())]
    Compressed {
        path: PathBuf,
        source: std::io::Error,
    },
    /// The temporary copy that a format with a footer needs could not be made.
    #[error("{}: cannot be copied to a temporary file, which its format needs; TMPDIR names the directory for it", path.display())]
    Spool {
        path: PathBuf,
        source: std::io::Error,
    },
    /// Nothing at all in the input.
    #[error("{}: is empty: {missing}", path.display())]
    Empty {
        path: PathBuf,
        missing: &'static str,
    },
    /// Rows without a single key.
    #[error(
        "{}: no column is known, since none of {} has a key; give one of them a key, whose value may be null, or leave \
         the file out",
        path.display(), rows_text(*rows)
    )]
    NoKeys { path: PathBuf, rows: usize },
    /// Integers of a width that Arrow has not.
    #[error(
        "{}: column `{}` has integers of {} bits, which is no type of Arrow; cast it to Int64, or to Decimal(38, 0), in the file",
        path.display(), found.column, found.bits
    )]
    UnknownInteger {
        path: PathBuf,
        found: UnknownInteger,
    },
    /// A file of the first version of Feather.
    #[error(
        "{}: is of version 1 of Feather, which is not read; write it anew as version 2, which is the Arrow IPC file format",
        path.display()
    )]
    FeatherV1 { path: PathBuf },
    /// An entry of `--schema` or `--hive-types` that is not `name=Type`.
    #[error("`{entry}` is not of the form name=Type")]
    SchemaEntry { entry: String },
    /// A type in `--schema` that does not exist.
    #[error("column `{column}`: `{text}` is not a type")]
    SchemaType {
        column: String,
        text: String,
        source: ArrowError,
    },
    /// A column that `--schema` names twice.
    #[error("column `{column}` is named twice")]
    SchemaTwice { column: String },
    /// The file of `--schema @file` cannot be read.
    #[error("{}: cannot be read", path.display())]
    SchemaFile {
        path: PathBuf,
        source: std::io::Error,
    },
    /// A column that `--schema` names and the input lacks.
    #[error("{}: has no column `{column}`, which --schema names", path.display())]
    SchemaMissing { path: PathBuf, column: String },
    /// A type in `--schema` to which this format's text cannot be turned.
    #[error("{}: column `{column}`: text cannot be read as {data_type}; read it as string", path.display())]
    SchemaUnsupported {
        path: PathBuf,
        column: String,
        data_type: DataType,
    },
    /// Two columns of one name.
    #[error("{}: two columns are named `{column}`; rename one of them in the file", path.display())]
    DuplicateColumn { path: PathBuf, column: String },
    /// Two columns of one name in a header of delimited text.
    #[error(
        "{}, line {line}: two columns are named `{column}`; rename one of them, or name columns by their number with \
         --no-header and take the line out",
        path.display()
    )]
    DuplicateName {
        path: PathBuf,
        line: u64,
        column: String,
    },
    /// Two directories in the path of a file that name the same key.
    #[error(
        "{}: two directories in its path have the key `{key}`; read it with --no-hive, or name what is below the first",
        path.display()
    )]
    DuplicateKey { path: PathBuf, key: String },
    /// A row with more or fewer fields than the first.
    #[error(
        "{}, line {line}: {}, where the first row has {expected}; mend the line, or say what divides fields with --delimiter",
        path.display(),
        fields_text(*found)
    )]
    Ragged {
        path: PathBuf,
        line: u64,
        expected: u64,
        found: u64,
    },
    /// A quoted field that the input's end cuts off.
    #[error("{}, line {line}: a quoted field is never closed: the input is cut short", path.display())]
    UnclosedQuote { path: PathBuf, line: u64 },
    /// A quoted field that does not end with its closing quote.
    #[error(
        "{}, line {line}: a quoted field goes on behind its closing quote; a quote within a field is doubled, or escaped as \
         --escape tells",
        path.display()
    )]
    BehindQuote { path: PathBuf, line: u64 },
    /// A row longer than the bound on memory allows.
    #[error("{}, line {line}: a row of more than {limit} bytes; is a quote left open?", path.display())]
    TooLong {
        path: PathBuf,
        line: u64,
        limit: u64,
    },
    /// Text that is not UTF-8.
    #[error(
        "{}, line {line}, column `{column}`: not valid UTF-8; name another encoding with --encoding, such as latin1",
        path.display()
    )]
    Utf8 {
        path: PathBuf,
        line: u64,
        column: String,
        source: std::str::Utf8Error,
    },
    /// A value that its column's type does not hold, or not without loss.
    #[error(
        "{}, {at}, column `{column}`: `{}` cannot be kept as {data_type}; \
         set another type with --schema",
        path.display(), shortened(value)
    )]
    Value {
        path: PathBuf,
        at: Spot,
        column: String,
        value: String,
        data_type: DataType,
    },
    /// A timestamp beyond its unit, or finer than it.
    #[error(
        "{}, row {row}: column `{column}`: {reason}; cast it to a timestamp or a text in the file",
        path.display()
    )]
    Int96 {
        path: PathBuf,
        row: u64,
        column: String,
        reason: &'static str,
    },
    /// A guessed type that did not hold: everything has to be read again, with a wider one.
    #[error("the types of {} were guessed too narrow", path.display())]
    Guessed {
        path: PathBuf,
        source: Box<InputError>,
    },
    /// A row that is not one JSON object.
    #[error("{}, {at}: not one valid JSON object{}; mend it, or take it out", path.display(), line_text(at))]
    JsonLine {
        path: PathBuf,
        at: Spot,
        source: Option<BadRow>,
    },
    /// A JSON text that is an array, and not a whole one.
    #[error("{}, line {line}: the array {reason}", path.display())]
    JsonArray {
        path: PathBuf,
        line: u64,
        reason: &'static str,
    },
    /// A JSON row that is not UTF-8.
    #[error("{}, {at}: not valid UTF-8; name another encoding with --encoding, such as latin1", path.display())]
    JsonText {
        path: PathBuf,
        at: Spot,
        source: std::str::Utf8Error,
    },
    /// A JSON row whose objects and lists lie deeper in one another than is read.
    #[error(
        "{}, {at}: objects and lists lie more than {deepest} deep in one another, which is not read",
        path.display()
    )]
    JsonDeep {
        path: PathBuf,
        at: Spot,
        deepest: usize,
    },
    /// A column of objects or lists in some rows, and of something else in others.
    #[error(
        "{}: column `{column}` has objects or lists, and other values too; \
         with --schema, its column can be read as string, which keeps them as JSON",
        path.display()
    )]
    JsonConflict { path: PathBuf, column: String },
    /// A key of a JSON object that is no column, or no member of the column's type.
    #[error(
        "{}, {at}: the key `{key}` is not among the columns; name it in --schema, or take it out",
        path.display()
    )]
    JsonKey {
        path: PathBuf,
        at: Spot,
        key: String,
    },
    /// A text in JSON with half of a character, which UTF-8 cannot say.
    #[error(
        "{}, {at}: `{escape}` is half of a surrogate pair, which no text can hold; write the whole pair, \
         or take it out",
        path.display()
    )]
    JsonSurrogate {
        path: PathBuf,
        at: Spot,
        escape: String,
    },
    /// A JSON object that does not fit the columns.
    #[error("{}, {at}: does not fit the columns; set other types with --schema", path.display())]
    JsonRow {
        path: PathBuf,
        at: Spot,
        source: ArrowError,
    },
    /// A value that cannot be kept.
    #[error("{}: {source}", path.display())]
    Refused { path: PathBuf, source: Refused },
    /// An Arrow file, stream or batch that cannot be decoded.
    #[error("{}: cannot be decoded as Arrow data", path.display())]
    Arrow { path: PathBuf, source: ArrowError },
    /// A batch of Arrow IPC that would take more memory than is allowed.
    #[error(
        "{}: is not decoded, since it would take more memory than is allowed; \
         --memory-limit with at least {} allows it",
        path.display(),
        source.decoded
    )]
    BatchTooLarge { path: PathBuf, source: IpcTooLarge },
    /// A Parquet file that cannot be decoded.
    #[error("{}: cannot be decoded as Parquet", path.display())]
    Parquet { path: PathBuf, source: ParquetError },
    /// A Parquet file whose footer says other than its row groups.
    #[error(
        "{}: is damaged: its footer says {footer} rows, but its row groups have {row_groups}",
        path.display()
    )]
    RowCount {
        path: PathBuf,
        footer: i64,
        row_groups: i64,
    },
    /// Bytes so contradictory that the decoder gave up on them.
    #[error("{}: is damaged: {reason}", path.display())]
    Damaged { path: PathBuf, reason: String },
    /// An Arrow stream without its end.
    #[error("{}: the Arrow stream is cut short: its end-of-stream mark is missing", path.display())]
    StreamCut { path: PathBuf },
    /// A batch with a value that has no place in the columns of all inputs.
    #[error(
        "{}: {source}; or cast it in the other inputs, or write them to different data sets",
        path.display()
    )]
    Misfit { path: PathBuf, source: Refused },
    /// A column that `--select` or `--cast` names and no input has.
    #[error("{option}: no input has the column `{column}`: {hint}")]
    NoSuchColumn {
        option: &'static str,
        column: String,
        hint: String,
    },
    /// Two columns that `--select` would give one name, or one that it would give none.
    #[error(
        "--select: the name `{column}` is given to two columns, or is none; name them with new=old"
    )]
    SelectTwice { column: String },
    /// A column that is of no type that could be cast to that of `--cast`.
    #[error("--cast: column `{column}` {reason}")]
    CastType { column: String, reason: String },
    /// A value that the type of `--cast` does not hold.
    #[error("{}: column `{column}`{}: {reason}", path.display(), at(*row))]
    NotCast {
        path: PathBuf,
        column: String,
        row: Option<u64>,
        reason: String,
    },
    /// An input none of whose columns the inputs before it have.
    #[error(
        "{}: has none of the columns of the inputs before it; write what is another table to another data set",
        path.display()
    )]
    Unrelated { path: PathBuf },
    /// A column of two inputs for which no type holds the values of both.
    #[error(
        "{}: column `{column}` is {found}, but {first} in {}, and no type holds the values of both; \
         cast it in one of the files, or write them to different data sets",
        path.display(),
        before.display()
    )]
    NoCommonType {
        path: PathBuf,
        column: String,
        found: DataType,
        before: PathBuf,
        first: DataType,
    },
    /// A column that the columns of the inputs before do not hold.
    #[error("{}: column `{column}` {difference}", path.display())]
    TypesDisagree {
        path: PathBuf,
        column: String,
        difference: String,
    },
    /// Metadata of a schema that the inputs before do not have so.
    #[error(
        "{}: the metadata `{key}` of the schema say something else than those of the inputs before it, which is found \
         before the first row only if all inputs are files: name them by their paths",
        path.display()
    )]
    MetadataDisagree { path: PathBuf, key: String },
    /// An input whose columns are not those of the first input.
    #[error("{}: column `{column}` {difference}", path.display())]
    Disagree {
        path: PathBuf,
        column: String,
        difference: String,
    },
}

fn line_text(at: &Spot) -> &'static str {
    match at.element {
        None => " a line",
        Some(_) => "",
    }
}

fn rows_text(count: usize) -> String {
    match count {
        1 => "its one row".to_owned(),
        count => format!("its first {count} rows"),
    }
}

fn fields_text(count: u64) -> String {
    match count {
        1 => "one field".to_owned(),
        count => format!("{count} fields"),
    }
}

/// A value as a message has it: long ones are cut.
pub(super) fn shortened(value: &str) -> String {
    const SHOWN: usize = 60;
    match value.char_indices().nth(SHOWN) {
        None => value.to_owned(),
        Some((end, _)) => format!("{}… ({} bytes)", &value[..end], value.len()),
    }
}

/// The row as text in a message.
fn at(row: Option<u64>) -> String {
    row.map_or_else(String::new, |row| format!(", row {row}"))
}
