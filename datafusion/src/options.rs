//! [`WriteOptions`]: the options of a write as the texts that SQL has.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use atomic_arrow::arrow::datatypes::Schema;
use atomic_arrow::{
    CommitMode, DatasetWriter, DatasetWriterBuilder, ParquetProperties, PartitionBy, SortBy,
    StagingPlace, parse, suggestion,
};

use crate::error::{Result, external, invalid};

/// The options of a write by their names, as `OPTIONS ('mode' 'overwrite')` has them.
///
/// Names and values are those of the Python package. An option of Parquet for one column is `compression::note`, the
/// value of a key of metadata `metadata::owner`.
///
/// ```
/// use atomic_arrow_datafusion::WriteOptions;
///
/// let options = WriteOptions::parse([("mode", "overwrite_partitions"), ("compression", "zstd(3)")])?;
/// assert_eq!(options.to_string(), "compression=zstd(3), mode=overwrite_partitions");
/// assert!(WriteOptions::parse([("compresion", "zstd(3)")]).is_err());
/// # Ok::<(), datafusion::error::DataFusionError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WriteOptions {
    given: BTreeMap<String, String>,
}

type Set = fn(DatasetWriterBuilder, &str) -> std::result::Result<DatasetWriterBuilder, String>;

/// The options that are neither of Parquet nor decided elsewhere, each with what it sets.
const OPTIONS: &[(&str, Set)] = &[
    ("mode", |it, value| Ok(it.mode(named(value)?))),
    ("partition_by", |it, value| {
        Ok(it.partition_by(named::<PartitionBy>(value)?))
    }),
    ("overwrite_table", |it, value| {
        Ok(it.overwrite_table(switch(value)?))
    }),
    ("schema_check", |it, value| {
        Ok(it.schema_check(switch(value)?))
    }),
    ("write_id", |it, value| Ok(it.write_id(value))),
    ("sequence", |it, value| Ok(it.sequence(named(value)?))),
    ("rewrite_missing", |it, value| {
        Ok(it.rewrite_missing(switch(value)?))
    }),
    ("success_file", |it, value| {
        Ok(it.success_file(switch(value)?))
    }),
    ("schema_policy", |it, value| {
        Ok(it.schema_policy(named(value)?))
    }),
    ("file_name", |it, value| Ok(it.file_name(value))),
    ("page_checksums", |it, value| {
        Ok(it.page_checksums(switch(value)?))
    }),
    ("encodings", |it, value| Ok(it.encodings(named(value)?))),
    ("target_file_size", |it, value| {
        Ok(it.target_file_size(size(value)?))
    }),
    ("target_file_rows", |it, value| {
        Ok(it.target_file_rows(named(value)?))
    }),
    ("sort_by", |it, value| {
        let columns = value.split(',').map(named::<SortBy>);
        Ok(it.sort_by(columns.collect::<std::result::Result<Vec<_>, _>>()?))
    }),
    ("keep_partition_columns", |it, value| {
        Ok(it.keep_partition_columns(switch(value)?))
    }),
    ("case_sensitive_names", |it, value| {
        Ok(it.case_sensitive_names(switch(value)?))
    }),
    ("verify", |it, value| Ok(it.verify(named(value)?))),
    ("durability", |it, value| Ok(it.durability(named(value)?))),
    ("sync", |it, value| Ok(it.sync(named(value)?))),
    ("staging", |it, value| Ok(it.staging(staging(value)))),
    (
        "memory_limit",
        |it, value| Ok(it.memory_limit(size(value)?)),
    ),
    ("threads", |it, value| Ok(it.threads(named(value)?))),
    ("max_open_files", |it, value| {
        Ok(it.max_open_files(named(value)?))
    }),
];

/// Why options of object stores are refused.
const IN_STORES: &str = "is of object stores, and this format writes to local paths alone";

/// Options of other faces that are refused here, each with the reason.
const REFUSED: &[(&str, &str)] = &[
    (
        "format",
        "ATOMIC_PARQUET writes Parquet; other formats are written by the library, the command and the Python package",
    ),
    ("csv_null", "is an option of CSV, and Parquet is written"),
    (
        "json_non_finite",
        "is an option of NDJSON, and Parquet is written",
    ),
    (
        "single_file_output",
        "a directory of files is written always",
    ),
    (
        "compression_level",
        "give the level with the codec, as in 'compression' 'zstd(3)'",
    ),
    (
        "job",
        "names what is staged for others to commit, and the statement commits by itself; give it a name by write_id",
    ),
    (
        "task",
        "names what is staged for others to commit, and the statement commits by itself; give it a name by write_id",
    ),
    (
        "keep_staged",
        "is of what is staged for others to commit, and the statement commits by itself",
    ),
    ("footer_key", KEYS),
    ("column_keys", KEYS),
    ("aad_prefix", KEYS),
    ("plaintext_footer", KEYS),
    ("store_aad_prefix", KEYS),
    (
        "dry_run",
        "a statement writes; DatasetWriterBuilder::dry_run of the library tells what a write would do",
    ),
    ("storage_options", IN_STORES),
    ("spool", IN_STORES),
    ("part_size", IN_STORES),
    ("parallel_requests", IN_STORES),
    ("dead_after", IN_STORES),
    ("read_back", IN_STORES),
];

const KEYS: &str = "statements stand in logs and plans, where keys must not be; write encrypted files by the \
                    library, the command or the Python package";

/// DataFusion's own options of a COPY, which its planner has taken already.
const OF_DATAFUSION: &[&str] = &["execution.keep_partition_by_columns"];

/// How DataFusion marks an option that has no namespace.
const NAMESPACE: &str = "format.";

impl WriteOptions {
    /// Reads options by their names; the prefix `format.`, by which DataFusion marks them, is left out.
    ///
    /// # Errors
    /// [`Error::InvalidOption`](atomic_arrow::Error::InvalidOption), in a `DataFusionError::External`, if there is no option of a name, or it has no such
    /// value. Nothing is on disk.
    pub fn parse<K: AsRef<str>, V: Into<String>>(
        options: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self> {
        let given = options.into_iter().filter_map(|(name, value)| {
            let name = name.as_ref();
            let of_datafusion = OF_DATAFUSION.contains(&name);
            let name = name.strip_prefix(NAMESPACE).unwrap_or(name).to_owned();
            (!of_datafusion).then(|| (name, value.into()))
        });
        let options = WriteOptions {
            given: given.collect(),
        };
        // Whatever the schema and the root are.
        let _checked = options.builder(Path::new(""), None)?;
        Ok(options)
    }

    /// The names of all options, those of Parquet without the column that may follow.
    pub fn names() -> impl Iterator<Item = &'static str> {
        let others = OPTIONS.iter().map(|(name, _)| *name);
        let parquet = ParquetProperties::names();
        parquet.filter(|name| refusal(name).is_none()).chain(others)
    }

    /// Sets an option, in place of one of its name that is there.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn with(self, name: &str, value: impl Into<String>) -> Result<Self> {
        let given = self.given.into_iter();
        Self::parse(given.chain([(name.to_owned(), value.into())]))
    }

    /// The value of an option as it was given.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.given.get(name).map(String::as_str)
    }

    pub(crate) fn mode(&self) -> Option<CommitMode> {
        // It was read before.
        self.get("mode").and_then(|text| text.parse().ok())
    }

    pub(crate) fn partition_by(&self) -> Option<PartitionBy> {
        self.get("partition_by").and_then(|text| text.parse().ok())
    }

    pub(crate) fn memory_limit(&self) -> Option<u64> {
        self.get("memory_limit")
            .and_then(|text| parse::size(text).ok())
    }

    /// Whether the partition columns stay in the files, if that is said.
    pub(crate) fn keep_partition_columns(&self) -> Option<bool> {
        let text = self.get("keep_partition_columns")?;
        switch(text).ok()
    }

    /// A writer with these options. By the schema, columns are found whose names DataFusion has put in lower case.
    pub(crate) fn builder(
        &self,
        root: &Path,
        schema: Option<&Schema>,
    ) -> Result<DatasetWriterBuilder> {
        let mut builder = DatasetWriter::builder(root);
        let mut properties = ParquetProperties::new();
        for (name, value) in &self.given {
            let (option, of) = match name.split_once("::") {
                Some((option, of)) => (option, Some(of)),
                None => (name.as_str(), None),
            };
            if let Some(reason) = refusal(option) {
                return invalid("OPTIONS", format!("{option}: {reason}"));
            }
            if ParquetProperties::names().any(|name| name == option) {
                let of = of.map(|column| match option {
                    "metadata" => column.to_owned(),
                    _ => in_case_of(schema, column),
                });
                let set = properties.set(option, of.as_deref(), value);
                set.map_err(external)?;
                continue;
            }
            let Some((known, set)) = OPTIONS.iter().find(|(known, _)| *known == option) else {
                let meant = suggestion(option, Self::names());
                return invalid(
                    "OPTIONS",
                    format!("ATOMIC_PARQUET has no option {option:?}{meant}"),
                );
            };
            if let Some(column) = of {
                let reason = format!("is of the whole write, and not of column {column:?}");
                return invalid(known, reason);
            }
            builder = set(builder, value).or_else(|reason| invalid(known, reason))?;
        }
        Ok(builder.parquet(properties))
    }
}

/// The options in the order of their names, as EXPLAIN shows them.
impl Display for WriteOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, value)) in self.given.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{name}={value}")?;
        }
        Ok(())
    }
}

fn refusal(option: &str) -> Option<&'static str> {
    let refused = REFUSED.iter().find(|(name, _)| *name == option);
    refused.map(|(_, reason)| *reason)
}

/// The column of this name, or the only one that has it in another case.
fn in_case_of(schema: Option<&Schema>, column: &str) -> String {
    let (root, rest) = match column.split_once('.') {
        Some((root, rest)) => (root, Some(rest)),
        None => (column, None),
    };
    let fields = || schema.into_iter().flat_map(Schema::fields);
    if fields().any(|field| field.name() == root || field.name() == column) {
        return column.to_owned();
    }
    let mut alike = fields().filter(|field| field.name().to_lowercase() == root);
    match (alike.next(), alike.next(), rest) {
        (Some(field), None, None) => field.name().clone(),
        (Some(field), None, Some(rest)) => format!("{}.{rest}", field.name()),
        _ => column.to_owned(),
    }
}

fn named<T: FromStr<Err: Display>>(value: &str) -> std::result::Result<T, String> {
    value.trim().parse::<T>().map_err(|error| error.to_string())
}

fn size(value: &str) -> std::result::Result<u64, String> {
    parse::size(value).map_err(|error| error.to_string())
}

fn switch(value: &str) -> std::result::Result<bool, String> {
    match value.trim().to_ascii_lowercase().as_str() {
        "true" | "on" => Ok(true),
        "false" | "off" => Ok(false),
        _ => Err(format!("{value:?} is none of true, false, on, off")),
    }
}

fn staging(value: &str) -> StagingPlace {
    match value.to_ascii_lowercase().as_str() {
        "auto" => StagingPlace::Auto,
        "beside" => StagingPlace::Beside,
        "inside" => StagingPlace::Inside,
        _ => StagingPlace::Directory(PathBuf::from(value)),
    }
}
