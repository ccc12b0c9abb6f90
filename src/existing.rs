//! The existing files of a data set, and whether a write is compatible with them.
//!
//! Owns finding one data file that stands for all, and what a write is refused for, or says, because of
//! it. At most one file is opened, and of that the footer read, and a page of categories for each ordered dictionary, or
//! the head where it is text;
//! directories are listed until a file is found:
//! those of the partitions that are written to, then others by their names, the last first, which of
//! dates is the newest. How two schemas compare is in [`compatible`](crate::compatible).

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};

use crate::categories::KnownCategories;
use crate::compatible::compare;
use crate::disk::{Disk, DiskFile, Entry, EntryKind};
use crate::error::{Error, Result};
use crate::format::{self, Fault, Format};
use crate::meaning::{Ordered, difference};
use crate::names::other_case;
use crate::partition::{Partition, hive};
use crate::receipt::{CommitMode, Note};
use crate::remedy::Remedy;
use crate::staging::check_inside;
use crate::table_format::TableFormat;
use crate::walk::is_hidden;

/// The most partition directories that are searched among those that are written to.
const TOUCHED: usize = 16;
/// The most directories that a search lists.
const LISTED: usize = 1024;

/// A write, as far as existing files matter to it.
#[derive(Debug, Clone)]
pub(crate) struct Planned<'a> {
    pub(crate) disk: &'a dyn Disk,
    /// The directory that the caller named, absolute and resolved.
    pub(crate) root: &'a Path,
    pub(crate) mode: CommitMode,
    /// The names of the partition keys.
    pub(crate) keys: &'a [String],
    pub(crate) format: Format,
    /// The schema of the files, and the categories of ordered dictionaries in them.
    pub(crate) given: Ordered<'a>,
    /// Whether names may differ by case alone.
    pub(crate) case_sensitive_names: bool,
    /// A file that the write replaces, and that does not count.
    pub(crate) replaces: Option<&'a Path>,
}

/// A data file that stands for the data set.
#[derive(Debug, Clone)]
pub(crate) struct Existing {
    path: PathBuf,
    /// The partition keys in its path.
    keys: Vec<String>,
    /// Its schema, if it has one that can be read.
    schema: Option<SchemaRef>,
    /// The categories of its ordered dictionaries, if [`schema`](Self::schema) has any.
    categories: KnownCategories,
    /// The names of its columns, where it is text that can be read.
    names: Option<Vec<String>>,
}

impl Existing {
    pub(crate) fn schema(&self) -> Option<&SchemaRef> {
        self.schema.as_ref()
    }

    /// The file as the neighbour of columns that are written to the data set at `root`.
    pub(crate) fn beside<'a>(&'a self, root: &'a Path, case_sensitive_names: bool) -> Beside<'a> {
        Beside {
            root,
            there: &self.path,
            format: Format::from_path(&self.path),
            case_sensitive_names,
        }
    }

    /// Compares the columns of a write with those of the file; returns notes for differences that readers can bear.
    ///
    /// # Errors
    /// [`Error::Incompatible`] if readers could not take both for one data set.
    pub(crate) fn compare(&self, beside: Beside<'_>, given: Ordered<'_>) -> Result<Vec<Note>> {
        if let Some(names) = &self.names {
            beside.check_names(
                given.schema,
                &names.iter().map(String::as_str).collect::<Vec<_>>(),
            )?;
        }
        match &self.schema {
            Some(schema) => {
                let categories = &self.categories;
                beside.compare(given, Ordered { schema, categories })
            }
            None => Ok(Vec::new()),
        }
    }
}

impl Planned<'_> {
    /// A file that stays beside those that are written to these partitions; `None` if there is none.
    ///
    /// # Errors
    /// [`Error::Read`] if the disk refuses to list or read; [`Error::InvalidPath`] if a partition's directory
    /// is a symbolic link.
    pub(crate) fn existing(&self, touched: &[Partition]) -> Result<Option<Existing>> {
        let found = self.find(touched)?;
        found.map(|(path, keys)| self.read(path, keys)).transpose()
    }

    /// The path of a file that stays, with the partition keys in it.
    fn find(&self, touched: &[Partition]) -> Result<Option<(PathBuf, Vec<String>)>> {
        let replaces = match self.mode {
            // Whatever is in the root is a conflict.
            CommitMode::ErrorIfExists if self.keys.is_empty() => return Ok(None),
            CommitMode::Append | CommitMode::ErrorIfExists => false,
            CommitMode::OverwritePartitions if self.keys.is_empty() => return Ok(None),
            CommitMode::OverwritePartitions => true,
            // Nothing stays beside them.
            CommitMode::ErrorIfAnyExists | CommitMode::Ignore | CommitMode::Overwrite => {
                return Ok(None);
            }
        };
        let directory = |partition: &Partition| match partition.is_empty() {
            true => self.root.to_owned(),
            false => self.root.join(partition.path()),
        };
        let mut search = Search {
            planned: self,
            replaced: match replaces {
                true => touched.iter().map(directory).collect(),
                false => HashSet::new(),
            },
            listed: 0,
        };
        if !replaces {
            for path in touched.iter().take(TOUCHED).map(directory) {
                check_inside(self.disk, self.root, &path)?;
                if let Some(path) = search.newest_file(&path)? {
                    if self.mode == CommitMode::ErrorIfExists {
                        return Ok(None); // That is a conflict, too.
                    }
                    return Ok(Some((path, self.keys.to_vec())));
                }
            }
        }
        match search.file(false)? {
            None => search.file(true),
            found => Ok(found),
        }
    }

    fn read(&self, path: PathBuf, keys: Vec<String>) -> Result<Existing> {
        // Where keys or formats differ, there is nothing else to be known.
        let same = keys == self.keys && Format::from_path(&path) == Some(self.format);
        let (found, names) = match same {
            true => (
                look_into(self.disk, self.format, &path)?,
                read_head(self.disk, self.format, &path)?,
            ),
            false => (None, None),
        };
        let (schema, categories) = found.unzip();
        Ok(Existing {
            path,
            keys,
            schema,
            categories: categories.unwrap_or_default(),
            names,
        })
    }

    /// Compares the write with an existing file; returns notes for differences that readers can bear.
    ///
    /// # Errors
    /// [`Error::Incompatible`] if readers could not take both for one data set.
    pub(crate) fn check(&self, existing: &Existing) -> Result<Vec<Note>> {
        let beside = existing.beside(self.root, self.case_sensitive_names);
        beside.check_keys(self.keys, &existing.keys)?;
        if let Some(other) = beside.format {
            beside.check_format(&self.format.to_string(), &other.to_string())?;
        }
        existing.compare(beside, self.given)
    }

    /// A note if the files are added to the directory of a table in another format.
    pub(crate) fn table(&self) -> Result<Option<Note>> {
        match self.mode {
            CommitMode::Overwrite => Ok(None),
            CommitMode::Append
            | CommitMode::ErrorIfExists
            | CommitMode::ErrorIfAnyExists
            | CommitMode::Ignore
            | CommitMode::OverwritePartitions => {
                let format = TableFormat::find(self.disk, self.root)?;
                Ok(format.map(|format| Note::ForeignTable { format }))
            }
        }
    }
}

/// The neighbour that a write is compared with: a file that is there, or another part of the same commit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Beside<'a> {
    /// The data set's root.
    pub(crate) root: &'a Path,
    /// The existing file, or where the other part is staged.
    pub(crate) there: &'a Path,
    /// The format of both; `None` if it is not known.
    pub(crate) format: Option<Format>,
    /// Whether names may differ by case alone.
    pub(crate) case_sensitive_names: bool,
}

impl Beside<'_> {
    /// Refuses partition keys that differ from those of the neighbour.
    ///
    /// # Errors
    /// [`Error::Incompatible`] if the names of the partition keys differ.
    pub(crate) fn check_keys(self, given: &[String], there: &[String]) -> Result<()> {
        // Keys as they stand in paths.
        let text = |keys: &[String]| match keys {
            [] => "none".to_owned(),
            keys => keys.join("/"),
        };
        match given == there {
            true => Ok(()),
            false => Err(self.incompatible("the partition keys are", text(given), text(there))),
        }
    }

    /// Refuses a format that differs from that of the neighbour.
    ///
    /// # Errors
    /// [`Error::Incompatible`] if the names of the formats differ.
    pub(crate) fn check_format(self, given: &str, there: &str) -> Result<()> {
        match given == there {
            true => Ok(()),
            false => Err(self.incompatible("the format is", given.to_owned(), there.to_owned())),
        }
    }

    /// Refuses column names that differ from those of the neighbour in what its readers go by.
    ///
    /// Of files of CSV with other headers DataFusion takes one column for another, Polars and DuckDB fail, and pyarrow
    /// has nulls.
    ///
    /// # Errors
    /// [`Error::Incompatible`] if CSV has another header, or names differ by case alone.
    pub(crate) fn check_names(self, given: &Schema, there: &[&str]) -> Result<()> {
        let given: Vec<&str> = given
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .collect();
        if self.format.is_some_and(Format::has_header) {
            let longest = given.len().max(there.len());
            let shown =
                |name: Option<&&str>| name.map_or("missing".to_owned(), |name| format!("{name:?}"));
            if let Some(at) = (0..longest).find(|at| given.get(*at) != there.get(*at)) {
                let what = format!("column {} of the header is", at + 1);
                return Err(self.incompatible(&what, shown(given.get(at)), shown(there.get(at))));
            }
        }
        match other_case(given, there).filter(|_| !self.case_sensitive_names) {
            None => Ok(()),
            Some((name, other)) => {
                let given = format!(
                    "{name:?} (DuckDB and Spark take both for one: rename it, or allow it with {})",
                    Remedy::CaseSensitiveNames
                );
                Err(self.incompatible("a column is named", given, format!("{other:?}")))
            }
        }
    }

    /// Compares two schemas; returns notes for differences that readers can bear.
    ///
    /// # Errors
    /// [`Error::Incompatible`] with the first column that readers could not unite.
    pub(crate) fn compare(self, given: Ordered<'_>, there: Ordered<'_>) -> Result<Vec<Note>> {
        let names = there.schema.fields().iter();
        let names: Vec<&str> = names.map(|field| field.name().as_str()).collect();
        self.check_names(given.schema, &names)?;
        let notes = compare(given.schema, there.schema).map_err(|difference| {
            let what = format!("column {:?} is", difference.column);
            self.incompatible(&what, difference.given, difference.there)
        })?;
        match difference(given, there) {
            None => Ok(notes),
            Some(difference) => {
                let what = format!("column {:?} is", difference.path);
                let given = format!("{} ({})", difference.first, difference.remedy);
                Err(self.incompatible(&what, given, difference.found))
            }
        }
    }

    fn incompatible(self, what: &str, given: String, there: String) -> Error {
        Error::Incompatible {
            path: self.root.to_owned(),
            what: what.into(),
            given: given.into(),
            there: there.into(),
            beside: self.there.into(),
        }
    }
}

/// The schema of a file, and the categories of its ordered dictionaries; `None` where it has none, where it is
/// damaged or encrypted, and where it is gone or this user may not read it.
pub(crate) fn look_into(
    disk: &dyn Disk,
    format: Format,
    path: &Path,
) -> Result<Option<(SchemaRef, KnownCategories)>> {
    read_of(disk, path, |file| format::schema_of(format, file))
}

/// The names in the head of a text; `None` where it has none, or [nothing can be read](look_into).
fn read_head(disk: &dyn Disk, format: Format, path: &Path) -> Result<Option<Vec<String>>> {
    match format.is_text() {
        true => read_of(disk, path, |file| format::names_of(format, file, path)),
        false => Ok(None),
    }
}

fn read_of<T>(
    disk: &dyn Disk,
    path: &Path,
    read: impl FnOnce(Arc<dyn DiskFile>) -> std::result::Result<Option<T>, Fault>,
) -> Result<Option<T>> {
    let file = match disk.open_file(path, false) {
        Ok(file) => file,
        Err(error) if is_out_of_sight(&error) => return Ok(None),
        Err(error) => return Err(unread(path, error)),
    };
    match read(Arc::from(file)) {
        Ok(found) => Ok(found),
        Err(Fault::Damage(_)) => Ok(None),
        Err(Fault::Io(error)) => Err(unread(path, error)),
    }
}

/// A search for a data file, by the names in directories.
struct Search<'a> {
    planned: &'a Planned<'a>,
    /// The directories of partitions that the write replaces.
    replaced: HashSet<PathBuf>,
    listed: usize,
}

impl Search<'_> {
    /// A data file below the root, with the keys in its path: in a partition of the planned keys, or
    /// `anywhere` in a partition of any keys.
    fn file(&mut self, anywhere: bool) -> Result<Option<(PathBuf, Vec<String>)>> {
        let Planned { root, keys, .. } = *self.planned;
        let mut directories: Vec<(PathBuf, Vec<String>)> = vec![(root.to_owned(), Vec::new())];
        while let Some((directory, found)) = directories.pop() {
            if self.listed >= LISTED {
                return Ok(None);
            }
            let entries = self.list(&directory)?;
            let is_whole = found.len() == keys.len();
            if (anywhere || is_whole)
                && !self.replaced.contains(&directory)
                && let Some(path) = self.newest(&entries)
            {
                return Ok(Some((path, found)));
            }
            if is_whole && !anywhere {
                continue;
            }
            for entry in entries {
                let is_wanted = |key: &String| anywhere || *key == keys[found.len()];
                if entry.kind == EntryKind::Directory
                    && let Some(key) = key_of(&entry.path).filter(is_wanted)
                {
                    let mut found = found.clone();
                    found.push(key);
                    directories.push((entry.path, found));
                }
            }
        }
        Ok(None)
    }

    /// The last data file by name in a directory: of those that this crate writes, the newest.
    fn newest_file(&mut self, directory: &Path) -> Result<Option<PathBuf>> {
        let entries = self.list(directory)?;
        Ok(self.newest(&entries))
    }

    fn newest(&self, entries: &[Entry]) -> Option<PathBuf> {
        let is_data = |entry: &&Entry| {
            entry.kind == EntryKind::File
                && !is_hidden(&entry.path)
                && self.planned.replaces != Some(&entry.path)
                && Format::from_path(&entry.path).is_some()
        };
        let mut newest = entries.iter().rev();
        newest.find(is_data).map(|entry| entry.path.clone())
    }

    /// The entries in the order of their names.
    fn list(&mut self, directory: &Path) -> Result<Vec<Entry>> {
        self.listed += 1;
        match self.planned.disk.list(directory) {
            Ok(mut entries) => {
                entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
                Ok(entries)
            }
            Err(error) if is_out_of_sight(&error) => Ok(Vec::new()),
            Err(error) => Err(unread(directory, error)),
        }
    }
}

/// The key of a partition's directory.
fn key_of(directory: &Path) -> Option<String> {
    let name = directory.file_name()?.to_str()?;
    name.split_once('=').map(|(key, _)| hive::unescape(key))
}

/// Whether the error says that nothing is there, or that this user may not see it.
fn is_out_of_sight(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::PermissionDenied
    )
}

fn unread(path: &Path, source: io::Error) -> Error {
    Error::Read {
        path: path.to_owned(),
        source,
    }
}
