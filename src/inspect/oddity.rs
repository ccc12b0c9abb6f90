//! Oddities that readers may stumble over, one variant a kind.

use std::error::Error as StdError;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::damage::Damage;
use crate::error::Error;
use crate::partition::PartitionError;
use crate::table_format::TableFormat;
use crate::walk::PassedOver;

/// Something in a data set that readers may stumble over.
///
/// Paths of files are absolute, those of directories relative to the root.
///
/// ```
/// use atomic_arrow::inspect::{Misreading, Oddity};
///
/// let oddity = Oddity::Misread {
///     key: "station_id".to_owned(),
///     misreading: Misreading::LeadingZero,
///     partitions: 2,
///     example: "010010".to_owned(),
/// };
/// assert!(oddity.to_string().starts_with("station_id=010010"));
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Oddity {
    /// A data file whose footer or structure is damaged.
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong and where.
        damage: Damage,
    },
    /// A data file that may be in order: it is encrypted, or uses what this build does not know. Its rows
    /// are not counted.
    NotCheckable {
        /// The file.
        path: PathBuf,
        /// What cannot be checked, and why.
        damage: Damage,
    },
    /// A data file of no bytes.
    EmptyFile {
        /// The file.
        path: PathBuf,
    },
    /// A data file without a row.
    NoRows {
        /// The file.
        path: PathBuf,
    },
    /// The data set belongs to a table of another format, whose log says which files count.
    Table {
        /// The root.
        path: PathBuf,
        /// The format.
        format: TableFormat,
    },
    /// A symbolic link, a mount, or a pipe, device or socket, which was not looked into.
    PassedOver {
        /// Where.
        path: PathBuf,
        /// What it is.
        what: PassedOver,
    },
    /// A file or directory that the system would not read.
    Unreadable {
        /// Which, and what the system said.
        error: Error,
    },
    /// Data files of several formats, where a reader of one fails on the others.
    MixedFormats {
        /// The names of the formats, sorted.
        formats: Vec<&'static str>,
    },
    /// A file that is not named like a data file, such as `x.parquet.tmp` or `x.parquet#1`.
    ForeignFile {
        /// The file.
        path: PathBuf,
    },
    /// A file or directory whose name begins with `.` or `_`, but for an empty file `_SUCCESS`.
    Hidden {
        /// The file or directory, which was not looked into.
        path: PathBuf,
    },
    /// What a dead writer left in the staging area.
    StagingLeftover {
        /// The staging file.
        path: PathBuf,
    },
    /// A directory below the root without a data file or directory in it.
    EmptyDirectory {
        /// The directory.
        directory: PathBuf,
    },
    /// A directory that holds data files and whose path is not one of a partition.
    NotAPartition {
        /// The directory.
        directory: PathBuf,
        /// Why not.
        error: PartitionError,
    },
    /// Partitions that have other keys, or another depth, than most.
    InconsistentKeys {
        /// The first such directory.
        directory: PathBuf,
        /// How many partitions are like it.
        partitions: u64,
        /// Its keys.
        found: Vec<String>,
        /// The keys of most partitions.
        expected: Vec<String>,
    },
    /// Files that have other columns than most.
    SchemaDiffers {
        /// The first such file.
        path: PathBuf,
        /// How many files are like it.
        files: u64,
        /// The first column that differs.
        column: String,
        /// Its type in these files; `None` if they lack it.
        found: Option<String>,
        /// Its type in most files; `None` if they lack it.
        expected: Option<String>,
    },
    /// Files in which a column is another type for readers who do not know the Arrow schema embedded there,
    /// such as an integer in place of a time.
    ReadAs {
        /// The first such file.
        path: PathBuf,
        /// How many files are like it.
        files: u64,
        /// The column.
        column: String,
        /// The type that the embedded schema says.
        given: String,
        /// The type that other readers see.
        read: String,
    },
    /// Columns, or a key and a column, whose names differ by case alone, or not at all.
    AmbiguousNames {
        /// The first file with such a column.
        path: PathBuf,
        /// One name.
        name: String,
        /// The other.
        other: String,
    },
    /// A key that is a column of the files too.
    KeptKey {
        /// The first file with such a column.
        path: PathBuf,
        /// The key.
        key: String,
    },
    /// A directory whose key is escaped, which not all readers undo.
    EscapedKey {
        /// The first such directory.
        directory: PathBuf,
        /// The key, unescaped.
        key: String,
        /// The key as it is written.
        written: String,
    },
    /// A file or directory whose name is not UTF-8.
    NotUtf8 {
        /// The file or directory.
        path: PathBuf,
    },
    /// Several files of one partition that could be merged.
    SmallFiles {
        /// The partition's directory.
        directory: PathBuf,
        /// How many.
        files: u64,
        /// The bytes that none of them has.
        limit: u64,
    },
    /// Values of a key that some readers give back as others, unless they are told its type.
    Misread {
        /// The key.
        key: String,
        /// What becomes of them.
        misreading: Misreading,
        /// How many partitions have such a value.
        partitions: u64,
        /// The first such value.
        example: String,
    },
}

/// How readers get values of a partition key wrong that they are not told the type of.
///
/// Readers guess from all values of the key, so one value that fits no number makes all of them text.
/// Seen with pyarrow 26, pandas 3, Polars 2.1, DuckDB 2.0 and DataFusion 55.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Misreading {
    /// `010010` or `-0`, among integers only.
    LeadingZero,
    /// `0x10`, among integers only.
    Hexadecimal,
    /// `1.50` or `1e3`, among numbers only.
    Number,
    /// `2024-1-5`, among dates only.
    Date,
    /// Null, `__HIVE_DEFAULT_PARTITION__`.
    Null,
}

impl Misreading {
    /// Which readers do what, in one line.
    #[must_use]
    pub fn what(self) -> &'static str {
        match self {
            Misreading::LeadingZero => {
                "pyarrow, pandas and Polars read it as an integer, without the leading zero, \
                 unless given a schema"
            }
            Misreading::Hexadecimal => {
                "pyarrow, pandas and DuckDB read it as a hexadecimal integer unless given a schema"
            }
            Misreading::Number => {
                "Polars reads it as a floating-point number, which is spelled in another way, \
                 unless given a schema"
            }
            Misreading::Date => {
                "Polars and DuckDB read it as a date, which is spelled in another way, \
                 unless given a schema"
            }
            Misreading::Null => "DataFusion reads it as that text, and not as null",
        }
    }
}

impl Oddity {
    /// The file or directory, or the first of several; `None` where it concerns a key.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Oddity::Damaged { path, .. }
            | Oddity::NotCheckable { path, .. }
            | Oddity::EmptyFile { path }
            | Oddity::NoRows { path }
            | Oddity::ForeignFile { path }
            | Oddity::Table { path, .. }
            | Oddity::Hidden { path }
            | Oddity::PassedOver { path, .. }
            | Oddity::StagingLeftover { path }
            | Oddity::ReadAs { path, .. }
            | Oddity::AmbiguousNames { path, .. }
            | Oddity::KeptKey { path, .. }
            | Oddity::NotUtf8 { path }
            | Oddity::SchemaDiffers { path, .. } => Some(path),
            Oddity::EmptyDirectory { directory }
            | Oddity::NotAPartition { directory, .. }
            | Oddity::InconsistentKeys { directory, .. }
            | Oddity::EscapedKey { directory, .. }
            | Oddity::SmallFiles { directory, .. } => Some(directory),
            Oddity::Unreadable { error } => error.path(),
            Oddity::Misread { .. } | Oddity::MixedFormats { .. } => None,
        }
    }

    /// The name of the kind, as in `leading-zero`, for machines.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Oddity::Damaged { .. } => "damaged",
            Oddity::NotCheckable { .. } => "not-checkable",
            Oddity::EmptyFile { .. } => "empty-file",
            Oddity::NoRows { .. } => "no-rows",
            Oddity::Unreadable { .. } => "unreadable",
            Oddity::MixedFormats { .. } => "mixed-formats",
            Oddity::ForeignFile { .. } => "foreign-file",
            Oddity::Hidden { .. } => "hidden",
            Oddity::Table { .. } => "table",
            Oddity::PassedOver { what, .. } => what.kind(),
            Oddity::StagingLeftover { .. } => "staging-leftover",
            Oddity::EmptyDirectory { .. } => "empty-directory",
            Oddity::NotAPartition { .. } => "not-a-partition",
            Oddity::InconsistentKeys { .. } => "inconsistent-keys",
            Oddity::SchemaDiffers { .. } => "schema-differs",
            Oddity::ReadAs { .. } => "read-as",
            Oddity::AmbiguousNames { .. } => "ambiguous-names",
            Oddity::KeptKey { .. } => "kept-key",
            Oddity::EscapedKey { .. } => "escaped-key",
            Oddity::NotUtf8 { .. } => "not-utf8",
            Oddity::SmallFiles { .. } => "small-files",
            Oddity::Misread { misreading, .. } => match misreading {
                Misreading::LeadingZero => "leading-zero",
                Misreading::Hexadecimal => "hexadecimal",
                Misreading::Number => "number",
                Misreading::Date => "date",
                Misreading::Null => "null",
            },
        }
    }

    /// What caused it, for the kinds that have a cause.
    #[must_use]
    pub fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Oddity::Damaged { damage, .. } => damage.source(),
            Oddity::Unreadable { error } => error.source(),
            Oddity::NotAPartition { error, .. } => error.source(),
            _ => None,
        }
    }
}

/// One line, without the cause.
impl fmt::Display for Oddity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Oddity::Damaged { path, damage } | Oddity::NotCheckable { path, damage } => {
                write!(f, "{}: {damage}", path.display())
            }
            Oddity::EmptyFile { path } => write!(f, "{}: has no bytes", path.display()),
            Oddity::NoRows { path } => write!(f, "{}: has no rows", path.display()),
            Oddity::Unreadable { error } => write!(f, "{error}"),
            Oddity::MixedFormats { formats } => write!(
                f,
                "there are files of {}: a reader of one format fails on those of another, or passes \
                 them over",
                formats.join(" and ")
            ),
            Oddity::ForeignFile { path } => write!(
                f,
                "{}: is not named like a data file, and pyarrow, pandas, Spark and Polars fail on \
                 it or read it as one",
                path.display()
            ),
            Oddity::Hidden { path } => write!(
                f,
                "{}: is hidden by its name, which pyarrow, pandas and Spark skip, but DuckDB and \
                 Polars may read",
                path.display()
            ),
            Oddity::Table { path, format } => write!(
                f,
                "{}: belongs to a table of {format}, which does not know files that are added here, and \
                 misses those that are removed",
                path.display()
            ),
            Oddity::PassedOver { path, what } => write!(f, "{}: {what}", path.display()),
            Oddity::StagingLeftover { path } => {
                write!(
                    f,
                    "{}: was left by a dead writer; `recover` removes it",
                    path.display()
                )
            }
            Oddity::EmptyDirectory { directory } => {
                write!(f, "{}: is an empty directory", directory.display())
            }
            Oddity::NotAPartition { directory, error } => {
                write!(
                    f,
                    "{}: holds data files, but {error}",
                    shown(directory).display()
                )
            }
            Oddity::InconsistentKeys {
                directory,
                partitions,
                found,
                expected,
            } => write!(
                f,
                "{}: has the keys {}, as have {partitions} in all, but most partitions have {}",
                shown(directory).display(),
                keys(found),
                keys(expected)
            ),
            Oddity::SchemaDiffers {
                path,
                files,
                column,
                found,
                expected,
            } => {
                write!(f, "{}: ", path.display())?;
                match (found, expected) {
                    (Some(found), Some(expected)) => write!(
                        f,
                        "column {column:?} is {found}, but {expected} in most files"
                    ),
                    (Some(_), None) => write!(f, "has a column {column:?}, which most files lack"),
                    _ => write!(f, "lacks the column {column:?}, which most files have"),
                }?;
                write!(f, " ({files} in all like this)")
            }
            Oddity::ReadAs {
                path,
                files,
                column,
                given,
                read,
            } => write!(
                f,
                "{}: column {column:?} is {given} by the Arrow schema in the file, but {read} to readers that \
                 go by Parquet's own, such as DuckDB and Spark ({files} in all like this)",
                path.display()
            ),
            Oddity::AmbiguousNames { path, name, other } => write!(
                f,
                "{}: the names {name:?} and {other:?} are one to DuckDB and Spark",
                path.display()
            ),
            Oddity::KeptKey { path, key } => write!(
                f,
                "{}: has a column {key:?}, which is a key too: pyarrow and pandas fail on the data set unless \
                 they take no keys from its directories (partitioning=None)",
                path.display()
            ),
            Oddity::EscapedKey {
                directory,
                key,
                written,
            } => write!(
                f,
                "{}: the key {key:?} is {written:?} to Polars and DuckDB",
                directory.display()
            ),
            Oddity::NotUtf8 { path } => write!(
                f,
                "{}: has a name that is not UTF-8, which many readers fail on",
                path.display()
            ),
            Oddity::SmallFiles {
                directory,
                files,
                limit,
            } => {
                write!(
                    f,
                    "{}: {files} files of less than {limit} bytes",
                    shown(directory).display()
                )
            }
            Oddity::Misread {
                key,
                misreading,
                partitions,
                example,
            } => {
                write!(f, "{key}={example}")?;
                match partitions - 1 {
                    0 => {}
                    others => write!(f, " (and {others} more like it)")?,
                }
                write!(f, ": {}", misreading.what())
            }
        }
    }
}

/// The root itself is `.`.
fn shown(directory: &Path) -> &Path {
    if directory.as_os_str().is_empty() {
        Path::new(".")
    } else {
        directory
    }
}

fn keys(keys: &[String]) -> String {
    if keys.is_empty() {
        "(none)".to_owned()
    } else {
        keys.join("/")
    }
}
