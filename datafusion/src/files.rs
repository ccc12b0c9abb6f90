//! The files of a data set as DataFusion scans them: which there are, and the values that their directories name.

use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use atomic_arrow::{Error, Partition, PartitionValue};
use datafusion::arrow::array::{ArrayRef, AsArray as _, RecordBatch, RecordBatchOptions};
use datafusion::arrow::datatypes::{Field, FieldRef, Schema};
use datafusion::catalog::Session;
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, DFSchema, ScalarValue, Statistics};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::utils::conjunction;
use datafusion::object_store::ObjectMeta;
use datafusion::object_store::path::Path as ObjectPath;

use crate::error::{Result, external};

/// How often the tree is listed anew where a writer has exchanged a directory meanwhile.
const ATTEMPTS: usize = 10;

/// A file that readers see.
pub(crate) struct Listed {
    pub(crate) meta: ObjectMeta,
    /// The values that its directories name, in their order; `None` is null.
    pub(crate) values: Vec<(String, Option<String>)>,
}

/// All Parquet files of a data set in the order of their paths; none where there is no directory.
///
/// What begins with `.` or `_` is passed over, as by all readers: staging areas among it.
///
/// # Errors
/// That of the system; [`Error::Partition`] if a file lies in a directory that is no partition; [`Error::InvalidPath`] for a
/// symbolic link below the root.
pub(crate) fn list(root: &Path) -> Result<Vec<Listed>> {
    let mut attempt = 1;
    loop {
        let mut files = Vec::new();
        match walk(root, root, &mut files) {
            Ok(()) => return Ok(files),
            Err(Failure::Io(path, error)) if error.kind() == io::ErrorKind::NotFound => {
                if path == root {
                    return Ok(Vec::new());
                }
                if attempt == ATTEMPTS {
                    return Err(Failure::Io(path, error).into());
                }
                attempt += 1;
            }
            Err(failure) => return Err(failure.into()),
        }
    }
}

enum Failure {
    Io(PathBuf, io::Error),
    Other(Error),
}

impl From<Failure> for DataFusionError {
    fn from(failure: Failure) -> Self {
        external(match failure {
            Failure::Io(path, source) => Error::Read { path, source },
            Failure::Other(error) => error,
        })
    }
}

fn walk(
    root: &Path,
    directory: &Path,
    files: &mut Vec<Listed>,
) -> std::result::Result<(), Failure> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |error| Failure::Io(path, error)
    };
    let entries = fs::read_dir(directory).map_err(at(directory))?;
    let mut entries: Vec<DirEntry> = entries.collect::<io::Result<_>>().map_err(at(directory))?;
    entries.sort_by_key(DirEntry::file_name);
    // Of the first file, for all of the directory.
    let mut values = None;
    for entry in entries {
        let path = entry.path();
        if is_hidden(&entry) {
            continue;
        }
        let kind = entry.file_type().map_err(at(&path))?;
        if kind.is_dir() {
            walk(root, &path, files)?;
        } else if path.extension().is_some_and(|suffix| suffix == "parquet") {
            if kind.is_symlink() {
                return Err(link(path));
            }
            let metadata = entry.metadata().map_err(at(&path))?;
            if values.is_none() {
                values = Some(values_of(root, directory)?);
            }
            let modified = metadata.modified().map_err(at(&path))?;
            let location = ObjectPath::from_absolute_path(&path)
                .map_err(|error| at(&path)(io::Error::other(error)))?;
            files.push(Listed {
                meta: ObjectMeta {
                    location,
                    last_modified: modified.into(),
                    size: metadata.len(),
                    e_tag: None,
                    version: None,
                },
                values: values.clone().unwrap_or_default(),
            });
        } else if kind.is_symlink() && path.is_dir() {
            return Err(link(path));
        }
    }
    Ok(())
}

fn link(path: PathBuf) -> Failure {
    let reason = "is a symbolic link below the root, which is not followed, so that nothing outside of the root is read; \
                  remove it, or read the data set as a ListingTable";
    Failure::Other(Error::InvalidPath { path, reason })
}

fn is_hidden(entry: &DirEntry) -> bool {
    let name = entry.file_name();
    let name = name.as_encoded_bytes();
    (name.starts_with(b".") || name.starts_with(b"_")) && !name.contains(&b'=')
}

fn values_of(
    root: &Path,
    directory: &Path,
) -> std::result::Result<Vec<(String, Option<String>)>, Failure> {
    let below = directory.strip_prefix(root).unwrap_or(directory);
    let partition = Partition::parse(below).map_err(|error| Failure::Other(error.into()))?;
    let fields = partition.iter().map(|(key, value)| {
        let text = match value {
            PartitionValue::Null => None,
            PartitionValue::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        (key.to_owned(), text)
    });
    Ok(fields.collect())
}

/// A column whose values are in the directories.
#[derive(Debug, Clone)]
pub(crate) struct PathColumn {
    /// The key in the directory.
    pub(crate) key: String,
    /// The column with its type.
    pub(crate) field: FieldRef,
}

/// The files that may have rows for all of the filters, which are of columns in directories alone.
pub(crate) fn partitioned(
    state: &dyn Session,
    listed: Vec<Listed>,
    columns: &[PathColumn],
    filters: &[Expr],
) -> Result<Vec<PartitionedFile>> {
    let files = listed.into_iter().map(|file| {
        let values = columns.iter().map(|column| value(&file, column));
        let values = values.collect::<Result<_>>()?;
        Ok(PartitionedFile::new_from_meta(file.meta).with_partition_values(values))
    });
    let files = files.collect::<Result<Vec<_>>>()?;
    let Some(filter) = conjunction(filters.iter().cloned()) else {
        return Ok(files);
    };
    if files.is_empty() {
        return Ok(files);
    }
    let fields: Vec<Field> = columns.iter().map(|it| it.field.as_ref().clone()).collect();
    let schema = Arc::new(Schema::new(fields));
    let arrays = (0..columns.len()).map(|index| {
        let values = files.iter().map(|it| it.partition_values[index].clone());
        ScalarValue::iter_to_array(values)
    });
    let arrays = arrays.collect::<Result<Vec<ArrayRef>>>()?;
    let rows = RecordBatchOptions::new().with_row_count(Some(files.len()));
    let batch = RecordBatch::try_new_with_options(Arc::clone(&schema), arrays, &rows)?;
    let filter = state.create_physical_expr(filter, &DFSchema::try_from(schema)?)?;
    let kept = filter.evaluate(&batch)?.into_array(files.len())?;
    // What is null is not true.
    let kept = kept.as_boolean().iter().map(|it| it == Some(true));
    let kept: Vec<bool> = kept.collect();
    let files = files.into_iter().zip(kept);
    Ok(files
        .filter_map(|(file, kept)| kept.then_some(file))
        .collect())
}

fn value(file: &Listed, column: &PathColumn) -> Result<ScalarValue> {
    let data_type = column.field.data_type();
    let found = file.values.iter().find(|(key, _)| *key == column.key);
    let refused = |reason: String| {
        let path = PathBuf::from(format!("/{}", file.meta.location));
        let source = io::Error::new(io::ErrorKind::InvalidData, reason);
        external(Error::Read { path, source })
    };
    match found {
        None => Err(refused(format!(
            "its directory has no key {:?}, which the table is partitioned by",
            column.key
        ))),
        Some((_, None)) => ScalarValue::try_from(data_type),
        Some((_, Some(text))) => {
            ScalarValue::try_from_string(text.clone(), data_type).map_err(|error| {
                refused(format!(
                    "{text:?} in its directory is no value of column {:?}, of type {data_type}: {error}",
                    column.field.name()
                ))
            })
        }
    }
}

/// Puts what is known of the columns in directories behind what is known of those in the file.
pub(crate) fn with_statistics(mut file: PartitionedFile, of_file: Statistics) -> PartitionedFile {
    let mut statistics = of_file;
    for value in &file.partition_values {
        let rows = statistics.num_rows;
        let known = if value.is_null() {
            ColumnStatistics::new_unknown().with_null_count(rows)
        } else {
            ColumnStatistics::new_unknown()
                .with_null_count(Precision::Exact(0))
                .with_min_value(Precision::Exact(value.clone()))
                .with_max_value(Precision::Exact(value.clone()))
                .with_distinct_count(Precision::Exact(1))
        };
        statistics.column_statistics.push(known);
    }
    file.statistics = Some(Arc::new(statistics));
    file
}
