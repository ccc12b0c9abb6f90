//! [`DryRun`]: what a write would do, found out without writing.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use serde_json::{Map, Value, json};

use super::builder::DatasetWriterBuilder;
use super::file_name::FileNames;
use super::template::Template;
use super::writer::{Checked, checked, notes_of};
use crate::error::{Error, Result};
use crate::options::SchemaPolicy;
use crate::partition::{Partition, PartitionIds, PartitionSplitter};
use crate::receipt::Note;
use crate::stored::{StoredTypes, schema_in_files};
use crate::unify::conform;

/// A write that changes nothing: it takes the rows, counts them by partition, and says what their commit would be
/// refused for or would say. Made by [`DatasetWriterBuilder::dry_run`].
///
/// ```
/// use std::sync::Arc;
/// use atomic_arrow::arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
/// use atomic_arrow::DatasetWriter;
/// # let lake = tempfile::tempdir()?;
/// # let root = lake.path().join("weather");
///
/// let stations: ArrayRef = Arc::new(StringArray::from(vec!["KSEA", "KJFK", "KSEA"]));
/// let temperatures: ArrayRef = Arc::new(Float64Array::from(vec![11.5, 3.0, 12.25]));
/// let batch = RecordBatch::try_from_iter([("station_id", stations), ("temp", temperatures)])?;
///
/// let builder = DatasetWriter::builder(&root).partition_by("station_id");
/// let mut dry_run = builder.dry_run(batch.schema())?;
/// dry_run.write(&batch)?;
/// let planned = dry_run.finish()?;
/// assert_eq!((planned.rows, planned.partitions.len()), (3, 2));
/// assert!(!root.exists());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a dry run tells what it found when it is finished"]
pub struct DryRun {
    builder: DatasetWriterBuilder,
    /// The root, absolute and resolved.
    root: PathBuf,
    schema: SchemaRef,
    stored: StoredTypes,
    splitter: PartitionSplitter,
    names: FileNames,
    ids: PartitionIds,
    rows: Vec<u64>,
    total: u64,
    poisoned: bool,
}

impl fmt::Debug for DryRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DryRun")
            .field("root", &self.root)
            .field("rows", &self.total)
            .finish_non_exhaustive()
    }
}

/// What a write would do, as far as it is known without writing.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct DryRunReport {
    /// The data set's root, absolute, with symbolic links resolved.
    pub root: PathBuf,
    /// The rows of all partitions.
    pub rows: u64,
    /// The partitions with rows, in the order in which they appeared, and the number of rows of each.
    pub partitions: Vec<(Partition, u64)>,
    /// The notes that the commit would have.
    pub notes: Vec<Note>,
}

impl DryRunReport {
    /// As JSON, in one line: `dry_run` (`true`), `root`, `partitions` in the order of their paths, each with `path`,
    /// `partition` (keys and the texts of their values, or null) and `rows`, `totals` of `partitions` and `rows`, and
    /// `notes`, each with `kind` and `message`.
    ///
    /// A path that is not UTF-8 has U+FFFD in place of what is not.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut partitions: Vec<_> = self
            .partitions
            .iter()
            .map(|(partition, rows)| (partition.path(), partition, rows))
            .collect();
        partitions.sort_by(|(a, ..), (b, ..)| a.cmp(b));
        let partitions = partitions.iter().map(|(_, partition, rows)| {
            json!({"path": partition.to_string(), "partition": texts(partition), "rows": rows})
        });
        let notes = self.notes.iter();
        let notes = notes.map(|note| json!({"kind": note.kind(), "message": note.to_string()}));
        json!({
            "dry_run": true,
            "root": self.root.to_string_lossy(),
            "partitions": partitions.collect::<Vec<_>>(),
            "totals": {"partitions": self.partitions.len(), "rows": self.rows},
            "notes": notes.collect::<Vec<_>>(),
        })
        .to_string()
    }
}

/// The keys of a partition, each with its value's text or null.
fn texts(partition: &Partition) -> Map<String, Value> {
    let text = |value: &crate::partition::PartitionValue| match value.is_null() {
        true => Value::Null,
        false => value.to_string().into(),
    };
    let keys = partition.iter();
    keys.map(|(key, value)| (key.to_owned(), text(value)))
        .collect()
}

impl DryRun {
    fn begin(builder: DatasetWriterBuilder, schema: SchemaRef) -> Result<Self> {
        let Checked {
            mut options,
            surroundings,
            stored,
            ..
        } = checked(&builder, &schema)?;
        let root = surroundings.root;
        options.root = root.clone();
        options.given = Some(Arc::clone(&schema));
        let splitter = builder
            .by
            .bind(stored.schema(), options.keep_partition_columns)?;
        let in_files = schema_in_files(options.format, splitter.file_schema());
        let names = Template::new(options, in_files)?.names().clone();
        Ok(DryRun {
            names,
            builder,
            root,
            schema,
            stored,
            splitter,
            ids: PartitionIds::default(),
            rows: Vec::new(),
            total: 0,
            poisoned: false,
        })
    }

    /// Takes the rows of a batch, and forgets them but for their partitions.
    ///
    /// # Errors
    /// Those of [`DatasetWriter::write`](crate::DatasetWriter::write), as far as they do not come of writing. Nothing is
    /// changed.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let root = &self.root;
        if std::mem::replace(&mut self.poisoned, true) {
            return Err(Error::Poisoned { path: root.clone() });
        }
        let schema = match self.builder.policy {
            SchemaPolicy::Exact => &self.schema,
            SchemaPolicy::Unify => self.stored.unified(),
        };
        let batch = conform(batch, schema, self.builder.policy, root, self.total)?;
        let batch = self.stored.batch(batch, root, self.total)?;
        let (_, assignment) = self.splitter.assign(&batch, &mut self.ids)?;
        for partition in &self.ids.partitions()[self.rows.len()..] {
            self.names.check_length(partition)?;
        }
        self.rows.resize(self.ids.partitions().len(), 0);
        assignment.count(&mut self.rows);
        self.total += batch.num_rows() as u64;
        self.poisoned = false;
        Ok(())
    }

    /// Compares what was taken with what is in the data set.
    ///
    /// # Errors
    /// [`Error::Incompatible`] and [`Error::Conflict`] say what the commit would be refused for, also because of its
    /// [mode](DatasetWriterBuilder::mode); [`Error::Read`] if the disk refuses to list or read; [`Error::Poisoned`] if a batch
    /// was refused. Nothing is changed.
    pub fn finish(self) -> Result<DryRunReport> {
        if self.poisoned {
            let path = self.root;
            return Err(Error::Poisoned { path });
        }
        let partitions = self.ids.partitions();
        let notes = notes_of(&self.builder, &self.schema, partitions)?;
        let partitions: Vec<_> = partitions.iter().cloned().zip(self.rows).collect();
        Ok(DryRunReport {
            root: self.root,
            rows: self.total,
            partitions,
            notes,
        })
    }
}

impl DatasetWriterBuilder {
    /// Begins a write that changes nothing, of batches that have `schema`: see [`DryRun`]. Memory, threads and whatever
    /// concerns finished files are of no account; what only encoders refuse, as a value that CSV has no place for, is not
    /// found out.
    ///
    /// # Errors
    /// Those of [`build`](DatasetWriterBuilder::build), as far as they do not come of writing. Nothing is changed.
    pub fn dry_run(self, schema: SchemaRef) -> Result<DryRun> {
        DryRun::begin(self, schema)
    }
}
