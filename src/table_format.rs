//! Tables of other formats, whose own log says which files of a directory belong to them.
//!
//! Owns how such a directory is recognised. What is refused there is the writer's business.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{Disk, EntryKind, OsDisk};
use crate::error::{Error, Result};
use crate::location::Location;
use crate::staging::is_area_name;
use crate::store::ObjectStoreOptions;

/// A format whose tables keep a log of their files.
///
/// A file that is added to such a directory is no part of the table, and one that is removed is missed
/// by the table's readers.
///
/// ```
/// use atomic_arrow::TableFormat;
/// # let lake = tempfile::tempdir()?;
/// # let root = lake.path().join("weather");
///
/// std::fs::create_dir_all(root.join("_delta_log"))?;
/// assert_eq!(TableFormat::at(&root)?, Some(TableFormat::DeltaLake));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TableFormat {
    /// Delta Lake: a directory `_delta_log`.
    DeltaLake,
    /// Apache Iceberg: a directory `metadata` with a file `*.metadata.json`.
    Iceberg,
    /// Apache Hudi: a directory `.hoodie`.
    Hudi,
    /// The file sink of Spark Structured Streaming: a directory `_spark_metadata`.
    SparkStreaming,
}

impl TableFormat {
    /// The format of the table that `root` belongs to; `None` if it belongs to none, or is not there.
    ///
    /// A partition's directory (`key=value`), and the directory `data` in which Iceberg keeps its files,
    /// belong to the table above them. With the feature `object_store` the root may be a URL, as in `s3://lake/weather`; the
    /// store is reached as the environment says.
    ///
    /// # Errors
    /// [`Error::Read`] if the root cannot be looked into. Nothing is changed.
    pub fn at(root: impl AsRef<Path>) -> Result<Option<Self>> {
        Self::of_root(root.as_ref(), &ObjectStoreOptions::default())
    }

    /// The format of the table that `root` belongs to, in an object store that is reached by these options: see
    /// [`at`](Self::at), which reaches it as the environment says.
    ///
    /// # Errors
    /// Those of [`at`](Self::at), and [`Error::InvalidOption`] if the options do not say how to reach the store.
    #[cfg(feature = "object_store")]
    #[cfg_attr(docsrs, doc(cfg(feature = "object_store")))]
    pub fn in_store(root: impl AsRef<Path>, options: &ObjectStoreOptions) -> Result<Option<Self>> {
        Self::of_root(root.as_ref(), options)
    }

    fn of_root(root: &Path, options: &ObjectStoreOptions) -> Result<Option<Self>> {
        let disk: Arc<dyn Disk> = Arc::new(OsDisk);
        let root = Location::of_directory(&disk, root, options)?;
        Self::find(root.disk.as_ref(), &root.path)
    }

    /// The table format of a root that is absolute and resolved; see [`at`](Self::at).
    pub(crate) fn find(disk: &dyn Disk, root: &Path) -> Result<Option<Self>> {
        let mut directory = root;
        loop {
            if let Some(format) = Self::of_directory(disk, directory)? {
                return Ok(Some(format));
            }
            let name = directory.file_name().unwrap_or_default().as_encoded_bytes();
            match directory.parent() {
                Some(parent) if name == b"data" || name.contains(&b'=') => directory = parent,
                _ => return Ok(None),
            }
        }
    }

    /// The format and directory of a table below a directory, by the paths below that.
    pub(crate) fn among<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Option<(Self, &'a Path)> {
        paths.into_iter().find_map(Self::of_path)
    }

    /// The format of the table whose log has this path, and the table's directory.
    fn of_path(path: &Path) -> Option<(Self, &Path)> {
        path.ancestors().find_map(|part| {
            let name = part.file_name()?;
            let logs = LOGS.iter().find(|(log, _)| name == *log);
            let format = match logs {
                Some((_, format)) => *format,
                None if is_iceberg_metadata(part) && part.parent()?.ends_with("metadata") => {
                    return Some((TableFormat::Iceberg, part.parent()?.parent()?));
                }
                None => return None,
            };
            Some((format, part.parent()?))
        })
    }

    /// The format and directory of a table that is below a directory now; see [`among`](Self::among).
    ///
    /// # Errors
    /// [`Error::Read`] if it cannot be looked into.
    pub(crate) fn below(disk: &dyn Disk, directory: &Path) -> Result<Option<(Self, PathBuf)>> {
        let mut pending = vec![directory.to_owned()];
        while let Some(path) = pending.pop() {
            let entries = match disk.list(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                entries => entries.map_err(|error| unread(&path, error))?,
            };
            for entry in entries {
                let below = entry.path.strip_prefix(directory).unwrap_or(&entry.path);
                if entry.kind != EntryKind::Directory {
                    if let Some((format, at)) = Self::of_path(below) {
                        return Ok(Some((format, directory.join(at))));
                    }
                // What is staged is not visible yet, and so is no table.
                } else if !is_area_name(&entry.path) {
                    pending.push(entry.path);
                }
            }
        }
        Ok(None)
    }

    /// Refuses to replace a data file of a table: its log would go on to say what was in it.
    ///
    /// # Errors
    /// [`Error::Conflict`] if it is one; [`Error::Read`] if that cannot be looked at.
    pub(crate) fn check_file(disk: &dyn Disk, path: &Path) -> Result<()> {
        let kinds = ["parquet", "orc", "avro"];
        let is_data = path
            .extension()
            .is_some_and(|found| kinds.iter().any(|kind| found == *kind));
        let directory = path.parent().unwrap_or(path);
        if !is_data || Self::find(disk, directory)?.is_none() {
            return Ok(());
        }
        Err(Error::Conflict {
            path: path.to_owned(),
            reason: "is a file of a table, whose log says what is in it: use the tools of the table's format, or \
                     remove the file first",
        })
    }

    fn of_directory(disk: &dyn Disk, directory: &Path) -> Result<Option<Self>> {
        for (name, format) in LOGS {
            if is_directory(disk, &directory.join(name))? {
                return Ok(Some(format));
            }
        }
        let metadata = directory.join("metadata");
        if !is_directory(disk, &metadata)? {
            return Ok(None);
        }
        let entries = disk
            .list(&metadata)
            .map_err(|error| unread(&metadata, error))?;
        let found = entries.iter().any(|entry| is_iceberg_metadata(&entry.path));
        Ok(found.then_some(TableFormat::Iceberg))
    }

    /// The reason for which an overwrite is refused, and what to do.
    pub(crate) fn refusal(self) -> &'static str {
        match self {
            TableFormat::DeltaLake => {
                "belongs to a Delta Lake table, which an overwrite would destroy: use that format's own \
                 tools, or allow it with `overwrite_table(true)`"
            }
            TableFormat::Iceberg => {
                "belongs to an Iceberg table, which an overwrite would destroy: use that format's own \
                 tools, or allow it with `overwrite_table(true)`"
            }
            TableFormat::Hudi => {
                "belongs to a Hudi table, which an overwrite would destroy: use that format's own \
                 tools, or allow it with `overwrite_table(true)`"
            }
            TableFormat::SparkStreaming => {
                "is written by Spark Structured Streaming, whose log an overwrite would destroy: use \
                 another root, or allow it with `overwrite_table(true)`"
            }
        }
    }
}

/// The format's name.
impl fmt::Display for TableFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TableFormat::DeltaLake => "Delta Lake",
            TableFormat::Iceberg => "Iceberg",
            TableFormat::Hudi => "Hudi",
            TableFormat::SparkStreaming => "Spark Structured Streaming",
        })
    }
}

/// The directories of logs, each of which tells a format by its name.
const LOGS: [(&str, TableFormat); 3] = [
    ("_delta_log", TableFormat::DeltaLake),
    (".hoodie", TableFormat::Hudi),
    ("_spark_metadata", TableFormat::SparkStreaming),
];

/// Whether the name is one that Iceberg gives the metadata of a table.
fn is_iceberg_metadata(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    name.ends_with(b".metadata.json")
}

/// Whether a path is a directory, symbolic links followed, as the readers of tables do.
fn is_directory(disk: &dyn Disk, path: &Path) -> Result<bool> {
    match disk.status(path) {
        Ok(Some((kind, _))) => Ok(matches!(kind, EntryKind::Directory | EntryKind::Link)),
        Ok(None) => Ok(false),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(false)
        }
        Err(error) => Err(unread(path, error)),
    }
}

fn unread(path: &Path, source: io::Error) -> Error {
    Error::Read {
        path: path.to_owned(),
        source,
    }
}
