//! Oddities of columns: whether all files have the same ones, and every reader sees them alike.
//!
//! Columns are compared by their paths and types in Parquet. Their order, nullability, and the name
//! of the schema itself, in which writers differ freely, do not count.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use parquet::file::metadata::FileMetaData;
use parquet::schema::types::{SchemaDescPtr, SchemaDescriptor};

use super::Oddity;
use crate::format::{ReadAs, read_as};
use crate::names::alike;

/// The schemas of the files, each with the first file that has it and the number of files.
#[derive(Default)]
pub(super) struct Schemas {
    met: Vec<Met>,
    read_as: Vec<(ReadAs, PathBuf, u64)>,
}

struct Met {
    columns: Vec<Column>,
    /// The schema as Parquet has it, by which the next file of the same writer is recognised cheaply.
    descriptor: SchemaDescPtr,
    path: PathBuf,
    files: u64,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Column {
    path: String,
    data_type: String,
}

impl Schemas {
    pub(super) fn add(&mut self, path: &Path, file: &FileMetaData) {
        if let Some(found) = read_as(file) {
            match self
                .read_as
                .iter_mut()
                .find(|(known, _, _)| *known == found)
            {
                Some((_, _, files)) => *files += 1,
                None => self.read_as.push((found, path.to_owned(), 1)),
            }
        }
        let descriptor = file.schema_descr();
        let known = |met: &&mut Met| {
            met.descriptor.root_schema().get_fields() == descriptor.root_schema().get_fields()
        };
        if let Some(met) = self.met.iter_mut().find(known) {
            met.files += 1;
            return;
        }
        // Fields that differ in more than these, as in their order, are the same columns to readers.
        let columns = columns(descriptor);
        if let Some(met) = self.met.iter_mut().find(|met| met.columns == columns) {
            met.files += 1;
            return;
        }
        let descriptor = SchemaDescPtr::new(descriptor.clone());
        self.met.push(Met {
            columns,
            descriptor,
            path: path.to_owned(),
            files: 1,
        });
    }

    /// The oddities of column names, beside the keys of the data set, and of column types.
    pub(super) fn names_and_types(&mut self, keys: &BTreeSet<String>) -> Vec<Oddity> {
        let mut oddities = Vec::new();
        let mut kept = BTreeSet::new();
        let mut ambiguous = BTreeSet::new();
        for met in &self.met {
            let root = met.descriptor.root_schema();
            let columns: Vec<&str> = root.get_fields().iter().map(|field| field.name()).collect();
            for key in keys.iter().filter(|key| columns.contains(&key.as_str())) {
                if kept.insert(key.clone()) {
                    let (path, key) = (met.path.clone(), key.clone());
                    oddities.push(Oddity::KeptKey { path, key });
                }
            }
            let twice = columns.iter().enumerate();
            let mut twice = twice.filter(|(at, name)| columns[..*at].contains(name));
            let others = keys.iter().map(String::as_str);
            let pair = match twice.next() {
                Some((_, name)) => Some((*name, *name)),
                None => alike(columns.iter().copied().chain(others)),
            };
            if let Some((name, other)) = pair {
                let (name, other) = (name.to_owned(), other.to_owned());
                if ambiguous.insert((name.clone(), other.clone())) {
                    let path = met.path.clone();
                    oddities.push(Oddity::AmbiguousNames { path, name, other });
                }
            }
        }
        let read_as = std::mem::take(&mut self.read_as);
        oddities.extend(
            read_as
                .into_iter()
                .map(|(found, path, files)| Oddity::ReadAs {
                    path,
                    files,
                    column: found.column,
                    given: found.given,
                    read: found.read,
                }),
        );
        oddities
    }

    /// One oddity for each schema besides the one that most files have; of several the first.
    pub(super) fn differences(self) -> Vec<Oddity> {
        let most = self
            .met
            .iter()
            .map(|met| met.files)
            .max()
            .unwrap_or_default();
        let Some(usual) = self.met.iter().find(|met| met.files == most) else {
            return Vec::new();
        };
        self.met
            .iter()
            .filter_map(|met| difference(met, usual))
            .collect()
    }
}

fn columns(descriptor: &SchemaDescriptor) -> Vec<Column> {
    let mut columns: Vec<Column> = descriptor
        .columns()
        .iter()
        .map(|column| {
            let physical = column.physical_type();
            let data_type = match column.logical_type_ref() {
                Some(logical) => format!("{physical} ({logical:?})"),
                None => physical.to_string(),
            };
            Column {
                path: column.path().string(),
                data_type,
            }
        })
        .collect();
    columns.sort_unstable();
    columns
}

/// The first column in which two schemas differ.
fn difference(met: &Met, usual: &Met) -> Option<Oddity> {
    let type_in = |columns: &[Column], path: &str| {
        columns
            .iter()
            .find(|column| column.path == path)
            .map(|column| column.data_type.clone())
    };
    let differs = |path: &&str| type_in(&met.columns, path) != type_in(&usual.columns, path);
    let paths = usual
        .columns
        .iter()
        .chain(&met.columns)
        .map(|column| column.path.as_str());
    paths
        .into_iter()
        .find(differs)
        .map(|path| Oddity::SchemaDiffers {
            path: met.path.clone(),
            files: met.files,
            column: path.to_owned(),
            found: type_in(&met.columns, path),
            expected: type_in(&usual.columns, path),
        })
}
