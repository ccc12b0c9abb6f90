//! Converts options by name, as Python gives them, to those of the library.

use std::path::PathBuf;

use atomic_arrow::arrow::datatypes::Schema;
use atomic_arrow::format::{Format, NonFinite, TextOptions};
use atomic_arrow::parquet::basic::{BrotliLevel, Compression, GzipLevel, ZstdLevel};
use atomic_arrow::parquet::file::metadata::KeyValue;
use atomic_arrow::parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};
use atomic_arrow::parquet::schema::types::ColumnPath;
use atomic_arrow::{
    CommitMode, DatasetWriter, DatasetWriterBuilder, Durability, FileOptions, PartitionBy,
    PublishMode, SchemaPolicy, SortBy, StagingPlace, SyncPolicy, Verify, WriterOptions,
};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::errors::invalid_option;

type Any<'a, 'py> = &'a Bound<'py, PyAny>;

const MODES: &[(&str, CommitMode)] = &[
    ("append", CommitMode::Append),
    ("error_if_exists", CommitMode::ErrorIfExists),
    ("overwrite_partitions", CommitMode::OverwritePartitions),
    ("overwrite", CommitMode::Overwrite),
];
const LEVELS: &[(&str, Verify)] = &[
    ("skip", Verify::Skip),
    ("footer", Verify::Footer),
    ("checksum", Verify::Checksum),
    ("decode", Verify::Decode),
];
const DURABILITIES: &[(&str, Durability)] = &[
    ("synced", Durability::Synced),
    ("unsynced", Durability::Unsynced),
];
const SYNCS: &[(&str, SyncPolicy)] = &[
    ("auto", SyncPolicy::Auto),
    ("each_file", SyncPolicy::EachFile),
    ("file_system", SyncPolicy::FileSystem),
];
const POLICIES: &[(&str, SchemaPolicy)] = &[
    ("exact", SchemaPolicy::Exact),
    ("unify", SchemaPolicy::Unify),
];

const NON_FINITE: &[(&str, NonFinite)] = &[
    ("error", NonFinite::Refuse),
    ("null", NonFinite::Null),
    ("string", NonFinite::Text),
];

/// Reads an option that has a fixed list of values.
fn choice<T: Copy>(option: &str, value: Any<'_, '_>, known: &[(&str, T)]) -> PyResult<T> {
    let name: String = value.extract()?;
    let found = known.iter().find(|(known, _)| *known == name);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let known: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        let reason = format_args!("{name:?} is none of {}", known.join(", ")).to_string();
        invalid_option(value.py(), option, reason)
    })
}

pub(crate) fn level(value: Any<'_, '_>) -> PyResult<Verify> {
    choice("level", value, LEVELS)
}

/// The place's name, or in a tuple of one the path of a directory.
pub(crate) fn staging(value: Any<'_, '_>) -> PyResult<StagingPlace> {
    if let Ok((directory,)) = value.extract::<(PathBuf,)>() {
        return Ok(StagingPlace::Directory(directory));
    }
    const PLACES: &[(&str, u8)] = &[("auto", 0), ("beside", 1), ("inside", 2)];
    Ok(match choice("staging", value, PLACES)? {
        0 => StagingPlace::Auto,
        1 => StagingPlace::Beside,
        _ => StagingPlace::Inside,
    })
}

fn format(option: &str, value: Any<'_, '_>) -> PyResult<Format> {
    let name: String = value.extract()?;
    let format = name.replace('_', "-").parse();
    format.map_err(|error: atomic_arrow::format::UnknownFormat| {
        invalid_option(value.py(), option, error)
    })
}

/// The properties of Parquet among the options; every other option stays for the caller.
struct Properties {
    compression: Option<String>,
    level: Option<i32>,
    row_group_size: Option<usize>,
    dictionary: Option<bool>,
    bloom_filters: Vec<String>,
    metadata: Vec<(String, String)>,
}

impl Default for Properties {
    fn default() -> Self {
        Properties {
            compression: Some("zstd".to_owned()),
            level: None,
            row_group_size: None,
            dictionary: None,
            bloom_filters: Vec::new(),
            metadata: Vec::new(),
        }
    }
}

impl Properties {
    /// Takes an option, if it is one of Parquet's.
    fn take(&mut self, option: &str, value: Any<'_, '_>) -> PyResult<bool> {
        match option {
            "compression" => self.compression = value.extract()?,
            "compression_level" => self.level = value.extract()?,
            "row_group_size" => self.row_group_size = value.extract()?,
            "dictionary" => self.dictionary = value.extract()?,
            "bloom_filters" => self.bloom_filters = value.extract()?,
            "metadata" => self.metadata = value.extract::<Vec<(String, String)>>()?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn build(self, py: Python<'_>) -> PyResult<WriterProperties> {
        let compression = compression(self.compression.as_deref(), self.level);
        let compression =
            compression.map_err(|reason| invalid_option(py, "compression", reason))?;
        let mut builder = WriterProperties::builder().set_compression(compression);
        if let Some(rows) = self.row_group_size {
            if rows == 0 {
                return Err(invalid_option(py, "row_group_size", "at least 1 is needed"));
            }
            builder = builder.set_max_row_group_row_count(Some(rows));
        }
        if let Some(dictionary) = self.dictionary {
            builder = builder.set_dictionary_enabled(dictionary);
        }
        let with_filter = |builder: WriterPropertiesBuilder, column: String| {
            builder.set_column_bloom_filter_enabled(ColumnPath::from(column), true)
        };
        builder = self.bloom_filters.into_iter().fold(builder, with_filter);
        if !self.metadata.is_empty() {
            let pairs = self.metadata.into_iter();
            let pairs = pairs.map(|(key, value)| KeyValue::new(key, value));
            builder = builder.set_key_value_metadata(Some(pairs.collect()));
        }
        Ok(builder.build())
    }
}

fn compression(name: Option<&str>, level: Option<i32>) -> Result<Compression, String> {
    let wrong = |error: atomic_arrow::parquet::errors::ParquetError| error.to_string();
    let unsigned = || {
        let level = level.map(u32::try_from).transpose();
        level.map_err(|_| "the level is negative".to_owned())
    };
    match (name.unwrap_or("none"), level) {
        ("zstd", None) => Ok(Compression::ZSTD(ZstdLevel::default())),
        ("zstd", Some(level)) => ZstdLevel::try_new(level)
            .map(Compression::ZSTD)
            .map_err(wrong),
        ("gzip", _) => {
            let level = unsigned()?.map_or(Ok(GzipLevel::default()), GzipLevel::try_new);
            level.map(Compression::GZIP).map_err(wrong)
        }
        ("brotli", _) => {
            let level = unsigned()?.map_or(Ok(BrotliLevel::default()), BrotliLevel::try_new);
            level.map(Compression::BROTLI).map_err(wrong)
        }
        ("snappy", None) => Ok(Compression::SNAPPY),
        ("lz4", None) => Ok(Compression::LZ4_RAW),
        ("none", None) => Ok(Compression::UNCOMPRESSED),
        (name @ ("snappy" | "lz4" | "none"), Some(_)) => Err(format!("{name} has no levels")),
        (name, _) => Err(format!(
            "{name:?} is none of zstd, snappy, gzip, brotli, lz4 and none"
        )),
    }
}

/// Keys as triples of name, column and transform.
fn partition_by(value: Any<'_, '_>) -> PyResult<PartitionBy> {
    let mut by = PartitionBy::none();
    for (name, column, transform) in value.extract::<Vec<(String, String, String)>>()? {
        by = match transform.as_str() {
            "identity" => by.column_as(name, column),
            "year" => by.year(name, column),
            "month" => by.month(name, column),
            "day" => by.day(name, column),
            "hour" => by.hour(name, column),
            "date" => by.date(name, column),
            other => {
                let reason = format_args!("there is no transform {other:?}").to_string();
                return Err(invalid_option(value.py(), "partition_by", reason));
            }
        };
    }
    Ok(by)
}

/// Columns as triples of name, whether descending, whether nulls come first.
fn sort_by(value: Any<'_, '_>) -> PyResult<Vec<SortBy>> {
    let columns = value.extract::<Vec<(String, bool, bool)>>()?;
    let sort = |(column, descending, nulls_first): (String, bool, bool)| {
        SortBy::column(column)
            .descending(descending)
            .nulls_first(nulls_first)
    };
    Ok(columns.into_iter().map(sort).collect())
}

fn unknown(option: &str) -> PyErr {
    PyTypeError::new_err(format!("there is no option {option:?}"))
}

/// A data-set writer's options; those that are `None` keep their defaults.
pub(crate) fn dataset(
    root: PathBuf,
    options: &Bound<'_, PyDict>,
) -> PyResult<DatasetWriterBuilder> {
    // One logical column comes in other physical types from each library.
    let mut builder = DatasetWriter::builder(root).schema_policy(SchemaPolicy::Unify);
    let mut properties = Properties::default();
    let (mut text, mut is_text) = (TextOptions::new(), false);
    for (option, value) in options {
        let option: String = option.extract()?;
        if properties.take(&option, &value)? || value.is_none() {
            continue;
        }
        builder = match option.as_str() {
            "csv_null" => {
                text = text.csv_null(value.extract::<String>()?);
                builder
            }
            "json_non_finite" => {
                text = text.json_non_finite(choice(&option, &value, NON_FINITE)?);
                builder
            }
            "partition_by" => builder.partition_by(partition_by(&value)?),
            "mode" => builder.mode(choice("mode", &value, MODES)?),
            "format" => {
                let format = format("format", &value)?;
                is_text = matches!(format, Format::Csv | Format::Ndjson);
                builder.format(format)
            }
            "keep_staged" => builder.keep_staged(value.extract()?),
            "write_id" => builder.write_id(value.extract::<String>()?),
            "rewrite_missing" => builder.rewrite_missing(value.extract()?),
            "schema_policy" => builder.schema_policy(choice("schema_policy", &value, POLICIES)?),
            "memory_limit" => builder.memory_limit(value.extract()?),
            "threads" => builder.threads(value.extract()?),
            "target_file_size" => builder.target_file_bytes(value.extract()?),
            "target_file_rows" => builder.target_file_rows(value.extract()?),
            "sort_by" => builder.sort_by(sort_by(&value)?),
            "schema_check" => builder.schema_check(value.extract()?),
            "overwrite_table" => builder.overwrite_table(value.extract()?),
            "keep_partition_columns" => builder.keep_partition_columns(value.extract()?),
            "case_sensitive_names" => builder.case_sensitive_names(value.extract()?),
            "verify" => builder.verify(choice("verify", &value, LEVELS)?),
            "durability" => builder.durability(choice("durability", &value, DURABILITIES)?),
            "sync" => builder.sync(choice("sync", &value, SYNCS)?),
            "max_open_files" => builder.max_open_files(value.extract()?),
            "staging" => builder.staging(staging(&value)?),
            _ => return Err(unknown(&option)),
        };
    }
    let properties = properties.build(options.py())?;
    if is_text && options.contains("compression")? {
        text = text.compression(properties.compression(&ColumnPath::from("")));
    }
    Ok(builder.properties(properties).text(text))
}

/// Refuses options that name columns which `schema` has not, and which parquet-rs would pass over.
pub(crate) fn check_columns(options: &Bound<'_, PyDict>, schema: &Schema) -> PyResult<()> {
    let mut properties = Properties::default();
    if let Some(columns) = options.get_item("bloom_filters")? {
        properties.take("bloom_filters", &columns)?;
    }
    let missing = |column: &&String| schema.field_with_name(column).is_err();
    match properties.bloom_filters.iter().find(missing) {
        Some(column) => {
            let reason = format!("there is no column {column:?}");
            Err(invalid_option(options.py(), "bloom_filters", reason))
        }
        None => Ok(()),
    }
}

/// The options of one Parquet file; those that are `None` keep their defaults.
pub(crate) fn parquet_file(options: &Bound<'_, PyDict>) -> PyResult<WriterOptions> {
    let mut taken = WriterOptions::new();
    let mut properties = Properties::default();
    for (option, value) in options {
        let option: String = option.extract()?;
        if properties.take(&option, &value)? || value.is_none() {
            continue;
        }
        taken = match option.as_str() {
            "file_name" => taken.file_name(value.extract::<String>()?),
            "replace" => taken.publish_mode(publish_mode(&value)?),
            "keep_partition_columns" => taken.keep_partition_columns(value.extract()?),
            "case_sensitive_names" => taken.case_sensitive_names(value.extract()?),
            "schema_check" => taken.schema_check(value.extract()?),
            "verify" => taken.verify(choice("verify", &value, LEVELS)?),
            "durability" => taken.durability(choice("durability", &value, DURABILITIES)?),
            "staging" => taken.staging(staging(&value)?),
            _ => return Err(unknown(&option)),
        };
    }
    Ok(taken.properties(properties.build(options.py())?))
}

/// The options of one file of any bytes; those that are `None` keep their defaults.
pub(crate) fn file(options: &Bound<'_, PyDict>) -> PyResult<FileOptions> {
    let mut taken = FileOptions::new();
    for (option, value) in options {
        let option: String = option.extract()?;
        if value.is_none() {
            continue;
        }
        taken = match option.as_str() {
            "replace" => taken.publish_mode(publish_mode(&value)?),
            "check" => taken.format(format("check", &value)?),
            "verify" => taken.verify(choice("verify", &value, LEVELS)?),
            "durability" => taken.durability(choice("durability", &value, DURABILITIES)?),
            "staging" => taken.staging(staging(&value)?),
            _ => return Err(unknown(&option)),
        };
    }
    Ok(taken)
}

fn publish_mode(replace: Any<'_, '_>) -> PyResult<PublishMode> {
    Ok(match replace.extract()? {
        true => PublishMode::Replace,
        false => PublishMode::CreateNew,
    })
}
