//! [`DatasetWriter`]: batches in any order become files of a data set, all of them or none.

use std::error::Error as StdError;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{RecordBatch, RecordBatchWriter};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use tracing::Span;
use uuid::Uuid;

use super::builder::DatasetWriterBuilder;
use super::commit::jobs::check_open;
use super::commit::session::Session;
use super::commit::surroundings::{Looked, Surroundings};
use super::commit::{already_committed, check_durable, check_sequence, commit, ignored, name};
use super::engine::Engine;
use super::file_name::FileNames;
use super::options::{EngineOptions, Progress};
use super::staging_files::{Finished, StagingFiles};
use crate::categories::KnownCategories;
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::existing::Existing;
use crate::location::Location;
use crate::meaning::Ordered;
use crate::meter::Work;
use crate::names;
use crate::options::{Durability, Interrupt, SchemaPolicy, StagingPlace};
use crate::partition::Partition;
use crate::presence::{Counted, holds_files};
use crate::receipt::{CommitMode, Note, Part, Receipt, StagedFileRecord, StagedWrite, WriteName};
use crate::record::StagedRows;
use crate::staging::resolve;
use crate::stored::{StoredTypes, schema_in_files};
use crate::table_format::TableFormat;
use crate::trace;
use crate::transaction::{ConflictCheck, Target, Transaction, is_ignored_now};
use crate::unify::conform;

/// Writes batches into a Hive-partitioned data set, as one transaction: all of its files appear, or
/// none of them, whatever crashes and whenever (promise P7).
///
/// Rows may come in any order. They are held within a memory limit and spilled beyond it (promise
/// P9), and each partition becomes one file, or more if a target size is set. Dropping the writer,
/// also by a panic, discards everything; the first error poisons it.
///
/// ```
/// use std::sync::Arc;
/// use atomic_arrow::arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
/// use atomic_arrow::{DatasetWriter, PartitionBy};
/// # let lake = tempfile::tempdir()?;
/// # let root = lake.path().join("weather");
///
/// let stations: ArrayRef = Arc::new(StringArray::from(vec!["KSEA", "KJFK", "KSEA"]));
/// let temperatures: ArrayRef = Arc::new(Float64Array::from(vec![11.5, 3.0, 12.25]));
/// let batch = RecordBatch::try_from_iter([("station_id", stations), ("temp", temperatures)])?;
///
/// let mut writer = DatasetWriter::builder(&root)
///     .partition_by(PartitionBy::column("station_id"))
///     .build(batch.schema())?;
/// writer.write(&batch)?;
/// let receipt = writer.commit()?;
///
/// assert_eq!((receipt.totals().files, receipt.totals().rows), (2, 3));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a writer that is not committed is discarded"]
pub struct DatasetWriter {
    // Before the transaction, so that nothing is written to it any more when it goes.
    engine: Engine,
    session: Arc<Session>,
    transaction: Transaction,
    schema: SchemaRef,
    stored: StoredTypes,
    /// Whether the schema is nobody's business.
    hides_schema: bool,
    surroundings: Surroundings,
    /// A file that is in the data set already, if one was looked for and found.
    existing: Option<Existing>,
    rows: u64,
    policy: SchemaPolicy,
    name: Option<WriteName>,
    success_file: bool,
    part: Part,
    staging: StagingPlace,
    keep: Duration,
    interrupt: Interrupt,
    span: Span,
    poisoned: bool,
}

impl fmt::Debug for DatasetWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatasetWriter")
            .field("root", &self.session.backend.root())
            .field("engine", &self.engine)
            .finish_non_exhaustive()
    }
}

impl DatasetWriter {
    /// Begins to set up a writer of the data set at `root`.
    pub fn builder(root: impl AsRef<Path>) -> DatasetWriterBuilder {
        DatasetWriterBuilder::new(root.as_ref())
    }

    pub(super) fn open(builder: DatasetWriterBuilder, schema: SchemaRef) -> Result<Self> {
        let Checked {
            mut options,
            location,
            surroundings,
            stored,
            existing,
            name,
        } = checked(&builder, &schema)?;
        let DatasetWriterBuilder {
            by,
            mode,
            overwrite_table,
            rewrite_missing,
            success_file,
            part,
            policy,
            staging,
            keep,
            disk,
            on_file,
            ..
        } = builder;
        let root = surroundings.root.clone();
        let hides_schema = options.hides_schema();
        options.limit_open_files(disk.as_ref(), &root)?;
        let durability = options.durability;
        if let Some(parallel_requests) = location.parallel_requests() {
            // The files of the spool need not outlive this process, and are uploaded beside each other.
            options.durability = Durability::Unsynced;
            options.staging_threads = Some(parallel_requests);
        }
        // Other processes, which may work in another directory, look for what is staged by this path.
        let staging = match staging {
            StagingPlace::Directory(given) => {
                StagingPlace::Directory(resolve(disk.as_ref(), &given)?)
            }
            place => place,
        };
        let target = Target {
            root: &location,
            staging: &staging,
            interrupt: &options.interrupt,
            rewrite_missing,
            sync: options.sync,
        };
        let backend = target.open()?;
        check_open(backend.as_ref(), &part)?;
        let mut transaction = Transaction::begin(Arc::clone(&backend), durability)?;
        let span = trace::write(&root, transaction.id(), WriteName::fields(name.as_ref()));
        transaction.tell_within(&span);
        let scope = backend.scope();
        let conflicts = ConflictCheck::begin(backend.as_ref(), mode, scope, overwrite_table)?;
        // A named write may have made what is there itself, which its commit finds out.
        if name.is_none() {
            conflicts.check_new(backend.as_ref())?;
        }
        let session = Arc::new(Session::new(&transaction, conflicts, &root)?);
        let interrupt = options.interrupt.clone();
        options.root = root;
        options.given = Some(Arc::clone(&schema));
        options.write = Some(transaction.id());
        options.on_file = on_file.map(|call| {
            let told = move |file: &Finished| {
                if let Ok(record) = file.clone().into_record() {
                    call(&record);
                }
            };
            Arc::new(told) as Arc<dyn Fn(&Finished) + Send + Sync>
        });
        let engine = Engine::new(
            Arc::clone(&session) as Arc<dyn StagingFiles>,
            stored.schema(),
            &by,
            options,
        )?;
        Ok(DatasetWriter {
            engine,
            session,
            transaction,
            schema,
            stored,
            hides_schema,
            surroundings,
            existing,
            rows: 0,
            policy,
            name,
            success_file,
            part,
            staging,
            keep,
            interrupt,
            span,
            poisoned: false,
        })
    }

    /// The schema of the batches.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The transaction's id. A receipt with another one is that of an earlier commit of the same
    /// [`write_id`](DatasetWriterBuilder::write_id).
    #[must_use]
    pub fn transaction(&self) -> Uuid {
        self.transaction.id()
    }

    /// How far the write has come.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.engine.progress()
    }

    /// The memory that rows and bookkeeping take now, in bytes; encoders begin with the commit.
    #[must_use]
    pub fn memory_size(&self) -> usize {
        self.engine.memory_size()
    }

    /// Takes the rows of a batch. They may be held in memory, or spilled, which takes its time.
    ///
    /// # Errors
    /// [`Error::SchemaMismatch`] if the batch has another schema; [`Error::Partition`] if a value
    /// cannot be in a path; [`Error::InvalidOption`] if it makes [the name of a file](DatasetWriterBuilder::file_name)
    /// too long; [`Error::Encode`] if a value has no place in the type that is
    /// [stored](DatasetWriterBuilder::format), or rows cannot be spilled; [`Error::Io`] if the disk refuses them;
    /// [`Error::Interrupted`] if [that was asked for](DatasetWriterBuilder::interrupt_when);
    /// [`Error::Poisoned`] after any of these. Nothing is published.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let span = self.span.clone();
        let _inside = span.enter();
        let root = self.session.backend.root();
        // Until it has gone well.
        if std::mem::replace(&mut self.poisoned, true) {
            return Err(Error::Poisoned {
                path: root.to_owned(),
            });
        }
        let session = Arc::clone(&self.session);
        let rows = session.meter.measure(Work::Split, || self.take(batch))?;
        self.rows += rows as u64;
        self.poisoned = false;
        Ok(())
    }

    /// Takes the rows of a batch, and gives their number.
    fn take(&mut self, batch: &RecordBatch) -> Result<usize> {
        let root = self.session.backend.root();
        self.session.keep_alive()?;
        let schema = match self.policy {
            SchemaPolicy::Exact => &self.schema,
            SchemaPolicy::Unify => self.stored.unified(),
        };
        let batch = conform(batch, schema, self.policy, root, self.rows)?;
        let batch = self.stored.batch(batch, root, self.rows)?;
        self.engine.write(&batch)?;
        Ok(batch.num_rows())
    }

    /// Takes the rows of all batches, until the source of them fails: then rows are missing, and the writer is
    /// poisoned. Gives the number of rows that came.
    ///
    /// # Errors
    /// [`Error::Source`] with what the source said; else those of [`write`](DatasetWriter::write). Nothing is published.
    pub fn write_all<E>(
        &mut self,
        batches: impl IntoIterator<Item = std::result::Result<RecordBatch, E>>,
    ) -> Result<u64>
    where
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        let before = self.rows;
        for batch in batches {
            match batch {
                Ok(batch) => self.write(&batch)?,
                Err(error) => {
                    self.poisoned = true;
                    let path = self.session.backend.root().to_owned();
                    let source = error.into();
                    return Err(Error::Source { path, source });
                }
            }
        }
        Ok(self.rows - before)
    }

    /// Encodes, syncs and verifies all files, and commits them as one.
    ///
    /// # Errors
    /// Whatever the first step to fail says: nothing is published then, and nothing is left.
    /// [`Error::Incompatible`] if readers could not take the files and those there [for one data
    /// set](DatasetWriterBuilder::schema_check); [`Error::Conflict`] if another commit came between; [`Error::InvalidPath`] if a partition's
    /// directory is a symbolic link, or lies below one within the root; [`Error::Aborted`] if this writer was taken
    /// for dead; [`Error::Interrupted`]; nothing is published either. [`Error::Unknown`] if the record of the commit may have
    /// been written; [`Error::Unfinished`] if it was, and files are still to be published: the next
    /// writer, or [`recover`](crate::recover), finishes it.
    pub fn commit(mut self) -> Result<Receipt> {
        let of_stage = [
            ("job", self.part.job.is_some()),
            ("task", self.part.task.is_some()),
        ];
        refuse_given(of_stage, "names what is staged for others to commit")?;
        let span = self.span.clone();
        let _write = span.enter();
        let _commit = trace::commit(
            &self.surroundings.root,
            WriteName::fields(self.name.as_ref()),
        )
        .entered();
        let mut looked = self.look()?;
        if looked.ignored {
            let mode = self.session.conflicts.mode();
            return Ok(ignored(self.transaction(), mode)?.with_root(&self.surroundings.root));
        }
        looked.schema = self.row_schema();
        let (name, interrupt) = (self.name.clone(), self.interrupt.clone());
        let success_file = self.success_file;
        let root = self.surroundings.root.clone();
        let (session, transaction, files) = self.finish()?;
        let marks = (name.as_ref(), success_file);
        let conflicts = &session.conflicts;
        let receipt = commit(transaction, conflicts, files, marks, looked, &interrupt)?;
        Ok(receipt.with_root(&root))
    }

    /// Looks at the data set as it is now, before anything is encoded.
    fn look(&mut self) -> Result<Looked> {
        let backend = &self.session.backend;
        if self.poisoned {
            return Ok(Looked::default()); // Which is the error that follows.
        }
        if let Some(name) = &self.name
            && backend.recall(backend.scope(), name)?.is_some()
        {
            return Ok(Looked::default());
        }
        // So that nothing is encoded in vain; the commit looks again, under the lock.
        self.session.conflicts.check_new(backend.as_ref())?;
        if is_ignored_now(backend.as_ref(), &self.session.conflicts)? {
            return Ok(Looked {
                ignored: true,
                ..Looked::default()
            });
        }
        let given = Ordered {
            schema: self.engine.given_schema(),
            categories: &self.engine.categories(),
        };
        let looked =
            self.surroundings
                .look(given, self.engine.partitions(), self.existing.take())?;
        if looked.writes_empty {
            self.engine.write_empty()?;
        }
        Ok(looked)
    }

    /// Encodes, syncs and verifies all files, and leaves them for another process to commit, with
    /// what others have staged: see [`StagedWrites`](super::StagedWrites).
    ///
    /// They are kept, whatever becomes of this process, for
    /// [a day](DatasetWriterBuilder::keep_staged) unless something else was asked for; then the next
    /// writer, or [`recover`](crate::recover), removes them.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] if the write has an id or a success file, which are the commit's, or the [names of its
    /// files](DatasetWriterBuilder::file_name) have no `{uuid}`; else whatever the first
    /// step to fail says. Nothing is published, and nothing is left; after [`Error::Unknown`] all of it may be staged.
    pub fn stage(self) -> Result<StagedWrite> {
        let span = self.span.clone();
        let _write = span.enter();
        let _stage = trace::stage().entered();
        let of_commit = [
            ("write_id", self.name.is_some()),
            ("success_file", self.success_file),
        ];
        refuse_given(of_commit, "belongs to the commit of what is staged")?;
        self.engine.names().check_staged()?;
        let (staging, keep, part) = (self.staging.clone(), self.keep, self.part.clone());
        let Surroundings { keys, format, .. } = &self.surroundings;
        let schemas = (self.engine.given_schema(), self.row_schema());
        let rows = StagedRows::new(keys.clone(), *format, schemas);
        let (session, transaction, files) = self.finish()?;
        session.stage(transaction, (rows, files), part, (staging, keep))
    }

    /// The schema of the rows with the types of the files, also of the columns that are in no file, unless the files hide
    /// it.
    fn row_schema(&self) -> Option<SchemaRef> {
        let schema = || schema_in_files(self.surroundings.format, self.stored.schema());
        (!self.hides_schema).then(schema)
    }

    /// Finishes all files, and leaves publishing or removing them to the transaction.
    fn finish(self) -> Result<(Arc<Session>, Transaction, Vec<StagedFileRecord>)> {
        let DatasetWriter {
            engine,
            session,
            transaction,
            poisoned,
            ..
        } = self;
        if poisoned {
            return Err(Error::Poisoned {
                path: session.backend.root().to_owned(),
            });
        }
        let mut files = engine.finish()?;
        files.sort_by(|a, b| a.file_name.cmp(&b.file_name));
        let files = session.records(files)?;
        Ok((session, transaction, files))
    }

    /// Removes everything that was written. The same as dropping the writer.
    pub fn discard(self) {}
}

/// For code that is generic over Arrow's writers; `close` is [`commit`](DatasetWriter::commit).
impl RecordBatchWriter for DatasetWriter {
    fn write(&mut self, batch: &RecordBatch) -> std::result::Result<(), ArrowError> {
        DatasetWriter::write(self, batch).map_err(ArrowError::from)
    }

    fn close(self) -> std::result::Result<(), ArrowError> {
        self.commit().map(drop).map_err(ArrowError::from)
    }
}

impl DatasetWriterBuilder {
    /// The receipt of the write of this [name](Self::write_id), or of the commit of this [job](Self::job), if it was
    /// committed before and is still remembered: what [`commit`](DatasetWriter::commit) would give after all rows were
    /// encoded in vain. That of a job that was discarded has no files. Always `None` without a name.
    ///
    /// What dead writers left of the data set is finished or removed first, as by
    /// [`recover`](crate::recover): one of them may have been at this write. Where it answers `None`,
    /// another may still commit it before this one does, which `commit` then finds.
    ///
    /// # Errors
    /// [`Error::InvalidPath`](crate::Error::InvalidPath) and
    /// [`Error::InvalidOption`](crate::Error::InvalidOption) if what is asked for cannot be done;
    /// [`Error::Read`](crate::Error::Read) and
    /// [`Error::InvalidDecision`](crate::Error::InvalidDecision) if a receipt cannot be read. Nothing
    /// is published but what had been committed.
    pub fn already_committed(&self) -> Result<Option<Receipt>> {
        let receipt = already_committed(self)?;
        let receipt = receipt.map(|receipt| Ok(receipt.with_root(&self.locate()?.path)));
        receipt.transpose()
    }

    /// Opens the data set for batches that have `schema`: finishes or removes what dead writers left,
    /// and begins a transaction.
    ///
    /// # Errors
    /// [`Error::InvalidPath`](crate::Error::InvalidPath), [`Error::Partition`](crate::Error::Partition)
    /// and [`Error::InvalidOption`](crate::Error::InvalidOption) if what is asked for cannot be done, or
    /// two columns have one name;
    /// [`Error::Conflict`](crate::Error::Conflict) if a table of another format would be overwritten, or the data set
    /// has files and [may have none](CommitMode::ErrorIfAnyExists);
    /// [`Error::Encode`](crate::Error::Encode) if the format has no place for a type of the schema;
    /// [`Error::Io`](crate::Error::Io) if no staging area can be made. Nothing is published.
    pub fn build(self, schema: SchemaRef) -> Result<DatasetWriter> {
        DatasetWriter::open(self, schema)
    }
}

/// Refuses the first of these options that is given, for a reason.
fn refuse_given<const N: usize>(options: [(&'static str, bool); N], reason: &str) -> Result<()> {
    match options.into_iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((option, _)) => Err(Error::InvalidOption {
            option,
            reason: reason.to_owned(),
        }),
    }
}

/// A write that can be begun: its options, where it goes, and what it stores.
pub(super) struct Checked {
    pub(super) options: EngineOptions,
    pub(super) location: Location,
    pub(super) surroundings: Surroundings,
    pub(super) stored: StoredTypes,
    /// A file of the data set, if it was looked at.
    existing: Option<Existing>,
    name: Option<WriteName>,
}

/// Finds out what cannot be done, before anything is touched.
pub(super) fn checked(builder: &DatasetWriterBuilder, schema: &SchemaRef) -> Result<Checked> {
    let by = &builder.by;
    let mut options = builder.engine.clone();
    if let Some(compression) = builder.compression {
        options.compress(compression);
    }
    let sequence = builder.part.sequence;
    let name = name(builder.write_id.as_deref(), sequence)?;
    if name.is_some() {
        check_durable(options.durability)?;
    }
    check_sequence(sequence, name.is_some() || builder.part.job.is_some())?;
    if let Some((option, error)) = builder.part.problem() {
        return Err(Error::InvalidOption {
            option,
            reason: error.to_string(),
        });
    }
    let bound = by.bind(schema, options.keep_partition_columns)?;
    if !builder.case_sensitive_names {
        names::check_case(schema, names::keys(by))?;
    }
    let location = builder.locate()?;
    if location.store.is_some() && options.durability == Durability::Unsynced {
        return Err(Error::InvalidOption {
            option: "durability",
            reason: "an object store keeps what it has acknowledged: nothing can be left unsynced"
                .to_owned(),
        });
    }
    let surroundings = Surroundings {
        keys: by.keys().iter().map(|key| key.name().to_owned()).collect(),
        disk: Arc::clone(&location.disk),
        root: location.path.clone(),
        mode: builder.mode,
        format: options.format,
        case_sensitive_names: builder.case_sensitive_names,
        schema_check: builder.schema_check,
    };
    let (stored, existing) = surroundings.stored(schema, bound.file_schema())?;
    let bound = by.bind(stored.schema(), options.keep_partition_columns)?;
    options.take_named(schema, bound.file_schema())?;
    options.check(schema, bound.file_schema())?;
    let names = FileNames::new(&options)?;
    names.check(&options, builder.mode, !by.is_empty())?;
    if location.store.is_some() {
        names.check_unique()?;
    }
    if !builder.overwrite_table {
        check_table(location.disk.as_ref(), &location.path, builder.mode)?;
    }
    Ok(Checked {
        options,
        location,
        surroundings,
        stored,
        existing,
        name,
    })
}

/// Checks a commit of rows of these partitions against the data set as it is now, changes nothing, and gives the notes that
/// the commit would have.
pub(super) fn notes_of(
    builder: &DatasetWriterBuilder,
    schema: &SchemaRef,
    partitions: &[Partition],
) -> Result<Vec<Note>> {
    let by = &builder.by;
    let Location {
        disk, path: root, ..
    } = builder.locate()?;
    let names = FileNames::new(&builder.engine)?;
    names.check(&builder.engine, builder.mode, !by.is_empty())?;
    for partition in partitions {
        names.check_length(partition)?;
    }
    if !builder.overwrite_table {
        check_table(disk.as_ref(), &root, builder.mode)?;
        check_tables_below(disk.as_ref(), &root, builder.mode, partitions)?;
    }
    if is_ignored(disk.as_ref(), builder.mode, &root, partitions)? {
        return Ok(vec![Note::Ignored]);
    }
    let keep = builder.engine.keep_partition_columns;
    let surroundings = Surroundings {
        keys: by.keys().iter().map(|key| key.name().to_owned()).collect(),
        disk,
        root,
        mode: builder.mode,
        format: builder.engine.format,
        case_sensitive_names: builder.case_sensitive_names,
        schema_check: builder.schema_check,
    };
    let bound = by.bind(schema, keep)?;
    let (stored, existing) = surroundings.stored(schema, bound.file_schema())?;
    let bound = by.bind(stored.schema(), keep)?;
    let given = Ordered {
        schema: bound.file_schema(),
        categories: &KnownCategories::new(),
    };
    let looked = surroundings.look(given, partitions, existing)?;
    Ok(looked.notes)
}

/// Whether the write is to be ignored because of what is in the data set.
///
/// # Errors
/// [`Error::Conflict`] if there are files where the mode allows none.
fn is_ignored(
    disk: &dyn Disk,
    mode: CommitMode,
    root: &Path,
    partitions: &[Partition],
) -> Result<bool> {
    let guarded: Vec<PathBuf> = match mode {
        CommitMode::Append | CommitMode::OverwritePartitions | CommitMode::Overwrite => Vec::new(),
        CommitMode::Ignore => return holds_files(disk, root, Counted::Visible),
        CommitMode::ErrorIfAnyExists => vec![root.to_owned()],
        CommitMode::ErrorIfExists => {
            let partitions = partitions.iter();
            partitions
                .map(|partition| root.join(partition.path()))
                .collect()
        }
    };
    for path in guarded {
        if holds_files(disk, &path, Counted::All)? {
            let reason = "has files already";
            return Err(Error::Conflict { path, reason });
        }
    }
    Ok(false)
}

/// Refuses to remove files that a table of another format has in its log.
fn check_table(disk: &dyn Disk, root: &Path, mode: CommitMode) -> Result<()> {
    match mode {
        CommitMode::Append
        | CommitMode::ErrorIfExists
        | CommitMode::ErrorIfAnyExists
        | CommitMode::Ignore => return Ok(()),
        CommitMode::OverwritePartitions | CommitMode::Overwrite => {}
    }
    match TableFormat::find(disk, root)? {
        None => Ok(()),
        Some(format) => Err(Error::Conflict {
            path: root.to_owned(),
            reason: format.refusal(),
        }),
    }
}

/// Refuses to remove tables of other formats that lie below what the write replaces.
fn check_tables_below(
    disk: &dyn Disk,
    root: &Path,
    mode: CommitMode,
    partitions: &[Partition],
) -> Result<()> {
    let replaced: Vec<PathBuf> = match mode {
        CommitMode::Append
        | CommitMode::ErrorIfExists
        | CommitMode::ErrorIfAnyExists
        | CommitMode::Ignore => Vec::new(),
        CommitMode::OverwritePartitions => {
            let partitions = partitions.iter();
            partitions
                .map(|partition| root.join(partition.path()))
                .collect()
        }
        CommitMode::Overwrite => vec![root.to_owned()],
    };
    for directory in replaced {
        if let Some((format, path)) = TableFormat::below(disk, &directory)? {
            let reason = format.refusal();
            return Err(Error::Conflict { path, reason });
        }
    }
    Ok(())
}
