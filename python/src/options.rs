//! Converts options by name, as Python gives them, to those of the library.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use atomic_arrow::arrow::datatypes::Schema;
use atomic_arrow::format::TextOptions;
use atomic_arrow::parquet::basic::Compression;
use atomic_arrow::{
    DatasetWriter, DatasetWriterBuilder, FileOptions, ParquetKeys, ParquetProperties, PartitionBy,
    PartitionKey, PublishMode, SortBy, StagingPlace, Transform, Verify, WriterOptions, parse,
};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::{PyDict, PyString};

use crate::errors::{given, invalid_option, raise};
use crate::store::{self, StoreOptions};

type Any<'a, 'py> = &'a Bound<'py, PyAny>;

/// One of the values that an option has, by its name.
fn choice<T: FromStr<Err: Display>>(option: &str, value: Any<'_, '_>) -> PyResult<T> {
    let parsed = value.extract::<PyBackedStr>()?.parse::<T>();
    parsed.map_err(|error| invalid_option(value.py(), option, error))
}

pub(crate) fn level(value: Any<'_, '_>) -> PyResult<Verify> {
    choice("level", value)
}

/// The place's name, or in a tuple of one the path of a directory.
pub(crate) fn staging(value: Any<'_, '_>) -> PyResult<StagingPlace> {
    if let Ok((directory,)) = value.extract::<(PathBuf,)>() {
        return Ok(StagingPlace::Directory(directory));
    }
    let name: PyBackedStr = value.extract()?;
    match name.to_ascii_lowercase().as_str() {
        "auto" => Ok(StagingPlace::Auto),
        "beside" => Ok(StagingPlace::Beside),
        "inside" => Ok(StagingPlace::Inside),
        _ => {
            let reason = format!(
                "{:?} is none of auto, beside, inside; a directory is given as a Path",
                &*name
            );
            Err(invalid_option(value.py(), "staging", reason))
        }
    }
}

/// The properties of Parquet among the options; every other option stays for the caller.
#[derive(Default)]
struct Properties {
    /// The codec of all columns, if one is asked for.
    compression: Option<String>,
    level: Option<i32>,
    named: ParquetProperties,
    keys: Keys,
}

/// The keys of encrypted Parquet, as options have them.
#[derive(Default)]
pub(crate) struct Keys {
    footer_key: Option<Vec<u8>>,
    column_keys: Vec<(String, Vec<u8>)>,
    aad_prefix: Option<Vec<u8>>,
}

impl Keys {
    /// Takes an option, if it is one of keys.
    fn take(&mut self, option: &str, value: Any<'_, '_>) -> PyResult<bool> {
        match option {
            "footer_key" => self.footer_key = value.extract()?,
            "column_keys" if value.is_none() => {}
            "column_keys" => {
                for (column, key) in value.cast::<PyDict>()? {
                    self.column_keys.push((column.extract()?, key.extract()?));
                }
            }
            "aad_prefix" => self.aad_prefix = value.extract()?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Those among the options of a reader, which are also those of object stores.
    pub(crate) fn of(options: &Bound<'_, PyDict>) -> PyResult<Option<ParquetKeys>> {
        let mut keys = Keys::default();
        for (option, value) in options {
            let option: String = option.extract()?;
            if !keys.take(&option, &value)? && !store::NAMES.contains(&option.as_str()) {
                return Err(unknown(&option));
            }
        }
        keys.given(options.py())
    }

    fn given(self, py: Python<'_>) -> PyResult<Option<ParquetKeys>> {
        ParquetKeys::from_parts(self.footer_key, self.column_keys, self.aad_prefix)
            .map_err(|error| raise(py, &error))
    }
}

impl Properties {
    /// Takes an option, if it is one of Parquet's.
    fn take(&mut self, option: &str, value: Any<'_, '_>) -> PyResult<bool> {
        match option {
            "compression_level" => self.level = value.extract()?,
            "compression" if value.is_none() => {
                self.compression = Some("uncompressed".to_owned());
            }
            "compression" if value.is_instance_of::<PyString>() => {
                self.compression = Some(value.extract()?);
            }
            option if ParquetProperties::names().any(|name| name == option) => {
                if !value.is_none() {
                    self.take_named(option, value)?;
                }
            }
            option => return self.keys.take(option, value),
        }
        Ok(true)
    }

    /// Takes a value for all columns or the file, or a dictionary of columns or keys with their values.
    fn take_named(&mut self, option: &str, value: Any<'_, '_>) -> PyResult<()> {
        let Ok(by_column) = value.cast::<PyDict>() else {
            let text = text(value)?;
            let set = self.named.set(option, None, &text);
            return set.map_err(|error| raise(value.py(), &error));
        };
        for (column, value) in by_column {
            let column: Option<PyBackedStr> = column.extract()?;
            let text = text(&value)?;
            let set = self.named.set(option, column.as_deref(), &text);
            set.map_err(|error| raise(value.py(), &error))?;
        }
        Ok(())
    }

    /// The options by their names, and the keys.
    fn named(self, py: Python<'_>) -> PyResult<ParquetProperties> {
        Ok(match self.keys.given(py)? {
            Some(keys) => self.named.encrypt(keys),
            None => self.named,
        })
    }

    fn codec(&self, py: Python<'_>) -> PyResult<Option<Compression>> {
        if self.compression.is_none() && self.level.is_none() {
            return Ok(None);
        }
        let codec = compression(self.compression.as_deref(), self.level);
        codec
            .map(Some)
            .map_err(|reason| invalid_option(py, "compression", reason))
    }
}

/// A value as the library reads it.
fn text(value: Any<'_, '_>) -> PyResult<String> {
    match value.extract::<bool>() {
        Ok(true) => Ok("on".to_owned()),
        Ok(false) => Ok("off".to_owned()),
        Err(_) => Ok(value.str()?.to_string()),
    }
}

/// A codec by its name, with its level in it or beside it.
fn compression(name: Option<&str>, level: Option<i32>) -> Result<Compression, String> {
    let name = name.unwrap_or("zstd");
    let codec = match level {
        None => parse::compression(name),
        Some(_) if name.contains('(') => {
            return Err(format!("{name:?} has a level, beside compression_level"));
        }
        level => parse::codec(name, level),
    };
    codec.map_err(|error| error.to_string())
}

/// Keys, each as the name of a column of the schema, as text, or as a triple of name, column and transform.
fn partition_by(value: Any<'_, '_>, schema: Option<&Schema>) -> PyResult<PartitionBy> {
    let mut by = PartitionBy::none();
    for key in value.try_iter()? {
        let key = key?;
        if let Ok(text) = key.extract::<PyBackedStr>() {
            if is_column(schema, &text) {
                by = by.then_column(&*text);
                continue;
            }
            let keys = text.parse::<PartitionBy>().map_err(|error| {
                let reason = format!("{error}; a column of any name is column(name)");
                invalid_option(value.py(), "partition_by", reason)
            })?;
            by = keys.keys().iter().cloned().fold(by, PartitionBy::then);
            continue;
        }
        let (name, column, transform): (String, String, String) = key.extract()?;
        let transform = transform
            .parse::<Transform>()
            .map_err(|error| invalid_option(value.py(), "partition_by", error))?;
        by = by.then(PartitionKey::new(name, column, transform));
    }
    Ok(by)
}

fn is_column(schema: Option<&Schema>, name: &str) -> bool {
    schema.is_some_and(|schema| schema.field_with_name(name).is_ok())
}

/// Columns, each as the name of one of the schema, as text, or as a triple of name, whether descending, whether nulls come
/// first.
fn sort_by(value: Any<'_, '_>, schema: Option<&Schema>) -> PyResult<Vec<SortBy>> {
    let mut columns = Vec::new();
    for column in value.try_iter()? {
        let column = column?;
        if let Ok(text) = column.extract::<PyBackedStr>() {
            if is_column(schema, &text) {
                columns.push(SortBy::column(&*text));
                continue;
            }
            for text in text.split(',') {
                let parsed = text.parse::<SortBy>();
                let by = parsed.map_err(|error| invalid_option(value.py(), "sort_by", error))?;
                columns.push(by);
            }
            continue;
        }
        let (column, descending, nulls_first): (String, bool, bool) = column.extract()?;
        let by = SortBy::column(column)
            .descending(descending)
            .nulls_first(nulls_first);
        columns.push(by);
    }
    Ok(columns)
}

/// A number of bytes, or a text such as ``"512MiB"``.
#[pyfunction]
pub(crate) fn parse_size(py: Python<'_>, option: &str, text: &str) -> PyResult<u64> {
    parse::size(text).map_err(|error| invalid_option(py, option, error))
}

fn unknown(option: &str) -> PyErr {
    PyTypeError::new_err(format!("there is no option {option:?}"))
}

/// A data-set writer's options; those that are `None` keep their defaults.
pub(crate) fn dataset(
    root: PathBuf,
    options: &Bound<'_, PyDict>,
    schema: Option<&Schema>,
) -> PyResult<DatasetWriterBuilder> {
    let mut builder = DatasetWriter::builder(&root);
    let mut properties = Properties::default();
    let mut store = StoreOptions::default();
    let mut text = TextOptions::new();
    for (option, value) in options {
        let option: String = option.extract()?;
        let is_taken = properties.take(&option, &value)? || store.take(&option, &value)?;
        if is_taken || value.is_none() {
            continue;
        }
        builder = match option.as_str() {
            "csv_null" => {
                text = text.csv_null(given::<String>(&option, &value)?);
                builder
            }
            "json_non_finite" => {
                text = text.json_non_finite(choice(&option, &value)?);
                builder
            }
            "partition_by" => builder.partition_by(partition_by(&value, schema)?),
            "mode" => builder.mode(choice("mode", &value)?),
            "format" => builder.format(choice("format", &value)?),
            "keep_staged" => builder.keep_staged(given(&option, &value)?),
            "job" => builder.job(given::<String>(&option, &value)?),
            "task" => builder.task(given::<String>(&option, &value)?),
            "write_id" => builder.write_id(given::<String>(&option, &value)?),
            "sequence" => builder.sequence(given(&option, &value)?),
            "rewrite_missing" => builder.rewrite_missing(given(&option, &value)?),
            "success_file" => builder.success_file(given(&option, &value)?),
            "page_checksums" => builder.page_checksums(given(&option, &value)?),
            "schema_policy" => builder.schema_policy(choice("schema_policy", &value)?),
            "encodings" => builder.encodings(choice("encodings", &value)?),
            "memory_limit" => builder.memory_limit(given(&option, &value)?),
            "threads" => builder.threads(given(&option, &value)?),
            "file_name" => builder.file_name(given::<String>(&option, &value)?),
            "target_file_size" => builder.target_file_size(given(&option, &value)?),
            "target_file_rows" => builder.target_file_rows(given(&option, &value)?),
            "sort_by" => builder.sort_by(sort_by(&value, schema)?),
            "schema_check" => builder.schema_check(given(&option, &value)?),
            "overwrite_table" => builder.overwrite_table(given(&option, &value)?),
            "keep_partition_columns" => builder.keep_partition_columns(given(&option, &value)?),
            "case_sensitive_names" => builder.case_sensitive_names(given(&option, &value)?),
            "verify" => builder.verify(choice("verify", &value)?),
            "durability" => builder.durability(choice("durability", &value)?),
            "sync" => builder.sync(choice("sync", &value)?),
            "max_open_files" => builder.max_open_files(given(&option, &value)?),
            "staging" => builder.staging(staging(&value)?),
            _ => return Err(unknown(&option)),
        };
    }
    if let Some(codec) = properties.codec(options.py())? {
        builder = builder.compression(codec);
    }
    let builder = builder.object_store(store.of(options.py(), &[root])?);
    Ok(builder.parquet(properties.named(options.py())?).text(text))
}

/// The options of one file of rows, in a partition or at a path; those that are `None` keep their defaults.
pub(crate) fn file_of_rows(place: &Path, options: &Bound<'_, PyDict>) -> PyResult<WriterOptions> {
    let mut taken = WriterOptions::new();
    let mut properties = Properties::default();
    let mut store = StoreOptions::default();
    let mut text = TextOptions::new();
    for (option, value) in options {
        let option: String = option.extract()?;
        let is_taken = properties.take(&option, &value)? || store.take(&option, &value)?;
        if is_taken || value.is_none() {
            continue;
        }
        taken = match option.as_str() {
            "csv_null" => {
                text = text.csv_null(given::<String>(&option, &value)?);
                taken
            }
            "json_non_finite" => {
                text = text.json_non_finite(choice(&option, &value)?);
                taken
            }
            "format" => taken.format(choice("format", &value)?),
            "file_name" => taken.file_name(given::<String>(&option, &value)?),
            "replace" => taken.mode(publish_mode(&value)?),
            "keep_partition_columns" => taken.keep_partition_columns(given(&option, &value)?),
            "encodings" => taken.encodings(choice("encodings", &value)?),
            "case_sensitive_names" => taken.case_sensitive_names(given(&option, &value)?),
            "schema_check" => taken.schema_check(given(&option, &value)?),
            "page_checksums" => taken.page_checksums(given(&option, &value)?),
            "schema_policy" => taken.schema_policy(choice("schema_policy", &value)?),
            "verify" => taken.verify(choice("verify", &value)?),
            "durability" => taken.durability(choice("durability", &value)?),
            "staging" => taken.staging(staging(&value)?),
            _ => return Err(unknown(&option)),
        };
    }
    if let Some(codec) = properties.codec(options.py())? {
        taken = taken.compression(codec);
    }
    let taken = taken.object_store(store.of(options.py(), &[place])?);
    Ok(taken.parquet(properties.named(options.py())?).text(text))
}

/// The options of one file of any bytes; those that are `None` keep their defaults.
pub(crate) fn file(place: &Path, options: &Bound<'_, PyDict>) -> PyResult<FileOptions> {
    let mut taken = FileOptions::new();
    let mut store = StoreOptions::default();
    for (option, value) in options {
        let option: String = option.extract()?;
        if store.take(&option, &value)? || value.is_none() {
            continue;
        }
        taken = match option.as_str() {
            "replace" => taken.mode(publish_mode(&value)?),
            "check" => taken.format(choice("check", &value)?),
            "verify" => taken.verify(choice("verify", &value)?),
            "durability" => taken.durability(choice("durability", &value)?),
            "staging" => taken.staging(staging(&value)?),
            _ => return Err(unknown(&option)),
        };
    }
    Ok(taken.object_store(store.of(options.py(), &[place])?))
}

fn publish_mode(replace: Any<'_, '_>) -> PyResult<PublishMode> {
    Ok(match replace.extract()? {
        true => PublishMode::Replace,
        false => PublishMode::CreateNew,
    })
}
