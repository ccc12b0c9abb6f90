//! [`StagedWrites`]: what several processes have staged becomes one commit.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use uuid::Uuid;

use super::null_columns::Retyper;
use super::parts::{StagedPart, Union};
use super::surroundings::{Looked, Surroundings};
use super::{check_durable, check_sequence, commit, jobs, name};
use crate::backend::Backend;
use crate::categories::KnownCategories;
use crate::disk::{Disk, OsDisk};
use crate::error::{Error, Result, Step};
use crate::existing::{Beside, look_into};
use crate::location::Location;
use crate::meaning::has_order;
use crate::options::{Durability, Interrupt, StagingPlace, SyncPolicy};
use crate::partition::Partition;
use crate::pool;
use crate::receipt::{CommitMode, Note, Part, Receipt, StagedWrite, Totals, WriteName};
use crate::store::ObjectStoreOptions;
use crate::trace;
use crate::transaction::{ConflictCheck, Target, Transaction, discard_job};

/// What several processes have staged of one data set, to be committed as one transaction, or
/// discarded.
///
/// Each worker writes its rows with a [`DatasetWriter`](crate::DatasetWriter) of its own and ends with
/// [`stage`](crate::DatasetWriter::stage); one driver gathers what they give and commits it: all of it
/// appears, or none (promise P7). Workers and driver may be threads, processes, or machines that
/// share a file system. What nobody commits or discards is removed after a time; see
/// [`keep_staged`](crate::DatasetWriterBuilder::keep_staged). [`StagedWrite`] has an example.
///
/// Each piece of work counts once: of several staged writes with the same
/// [task](crate::DatasetWriterBuilder::task) the first in order is committed, and the others are discarded. Where
/// that one is gone, no other takes its place: it may have been committed before.
#[derive(Clone)]
#[must_use = "what is staged is neither committed nor discarded by dropping this"]
pub struct StagedWrites {
    writes: Vec<StagedWrite>,
    expected_root: Option<PathBuf>,
    staging: Option<StagingPlace>,
    write_id: Option<String>,
    job: Option<String>,
    sequence: Option<u64>,
    rewrite_missing: bool,
    success_file: bool,
    interrupt: Interrupt,
    schema_check: bool,
    case_sensitive_names: bool,
    disk: Arc<dyn Disk>,
    object_store: ObjectStoreOptions,
}

impl fmt::Debug for StagedWrites {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StagedWrites")
            .field("writes", &self.writes)
            .field("write_id", &self.write_id)
            .field("job", &self.job)
            .field("sequence", &self.sequence)
            .finish_non_exhaustive()
    }
}

impl StagedWrites {
    /// Collects what the workers have staged. The receipt has their files in this order.
    pub fn new(writes: impl IntoIterator<Item = StagedWrite>) -> Self {
        StagedWrites {
            writes: writes.into_iter().collect(),
            expected_root: None,
            staging: None,
            write_id: None,
            job: None,
            sequence: None,
            rewrite_missing: false,
            success_file: false,
            interrupt: Interrupt::default(),
            schema_check: true,
            case_sensitive_names: false,
            disk: Arc::new(OsDisk),
            object_store: ObjectStoreOptions::default(),
        }
    }

    /// The data set that all of it has to be staged for, so that a record from elsewhere leads to no other; by default
    /// the first write says it. Where there is no write it has to be given.
    pub fn expect_root(mut self, root: impl AsRef<Path>) -> Self {
        self.expected_root = Some(root.as_ref().to_owned());
        self
    }

    /// Where the writers staged, for a job without any write; by default the first write says it, and without one it is
    /// [`StagingPlace::Auto`].
    pub fn staging(mut self, place: StagingPlace) -> Self {
        self.staging = Some(place);
        self
    }

    /// The root of the data set that all of it is staged for, absolute.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] if nothing is staged and no [root](Self::expect_root) given, or what is staged does not go
    /// together.
    pub fn root(&self) -> Result<PathBuf> {
        Ok(self.gather()?.root().to_owned())
    }

    /// The [job](crate::DatasetWriterBuilder::job) that is committed or discarded, which is needed where there is no
    /// write; by default that of the writes, which all have one or none.
    ///
    /// With a job [`commit`](Self::commit) publishes the writes that it was given, and discards whatever else any process
    /// staged for the job: attempts that were killed, or overtaken by others. [`discard`](Self::discard) discards all of
    /// it. Either closes the job: who stages for it later gets [`Error::JobClosed`], and a commit that is repeated gives the
    /// receipt of the first, whose [`write_id`](Receipt::write_id) is `job:` and the name of the job.
    pub fn job(mut self, job: impl Into<String>) -> Self {
        self.job = Some(job.into());
        self
    }

    /// The commit's name, so that it is done once although it is repeated, as
    /// [a writer's](crate::DatasetWriterBuilder::write_id); by default it has none.
    ///
    /// If a commit of this name has happened before, this one publishes nothing, gives the receipt of
    /// that one, and discards what is staged.
    pub fn write_id(mut self, write_id: impl Into<String>) -> Self {
        self.write_id = Some(write_id.into());
        self
    }

    /// The number of the commit in the stream that the [`write_id`](Self::write_id) or the [`job`](Self::job) names, as
    /// [a writer's](crate::DatasetWriterBuilder::sequence); by default that of the writes, which all have one or none.
    ///
    /// Of a stream of jobs, ending one ends those with lower numbers too.
    pub fn sequence(mut self, sequence: u64) -> Self {
        self.sequence = Some(sequence);
        self
    }

    /// Whether a commit of the same [name](Self::write_id) is done again if none of the files of the earlier
    /// one is there any more; by default it is not.
    pub fn rewrite_missing(mut self, rewrite: bool) -> Self {
        self.rewrite_missing = rewrite;
        self
    }

    /// Whether the commit publishes the file `_SUCCESS` last, as
    /// [a writer's](crate::DatasetWriterBuilder::success_file); by default it does not.
    pub fn success_file(mut self, publish: bool) -> Self {
        self.success_file = publish;
        self
    }

    /// Asked whether to give up, with the step that comes next, until all of it is decided, as by
    /// [a writer's](crate::DatasetWriterBuilder::interrupt_when); by default nothing is asked.
    ///
    /// Once it says so, [`commit`](Self::commit) ends with [`Error::Interrupted`], nothing is published, and what
    /// is staged stays so.
    pub fn interrupt_when(mut self, ask: impl Fn(Step) -> bool + Send + Sync + 'static) -> Self {
        self.interrupt = Interrupt::when(ask);
        self
    }

    /// Whether the commit looks at what the writes have staged, and at what is in the data set already; by
    /// default it does.
    ///
    /// All of them have to be of one format, with the same partition keys in the same order, and their
    /// columns go together as those of a [writer](crate::DatasetWriterBuilder::schema_check) and of the data set
    /// do, also in an overwrite; each writer gave its own schema. Where a column has no type in one of them, since all its
    /// values are null there, and one that is not nested in another, the Parquet files of that part are written again with
    /// the type, and verified. Where that cannot be, in Arrow IPC, in encrypted files, with bloom filters, and for lists, structs, maps and
    /// ordered dictionaries, it is refused: give the workers the schema.
    pub fn schema_check(mut self, check: bool) -> Self {
        self.schema_check = check;
        self
    }

    /// Whether names of columns may differ by case alone from those of other parts, and from those that are there; by
    /// default that is refused, if [anything is compared](Self::schema_check).
    pub fn case_sensitive_names(mut self, allowed: bool) -> Self {
        self.case_sensitive_names = allowed;
        self
    }

    /// How the object store is reached whose URL the root is, as in `s3://lake/weather`; by default as the environment says.
    /// For a path on a disk it has no effect.
    #[cfg(feature = "object_store")]
    #[cfg_attr(docsrs, doc(cfg(feature = "object_store")))]
    pub fn object_store(mut self, options: ObjectStoreOptions) -> Self {
        self.object_store = options;
        self
    }

    /// The disk that is written to, for tests; by default the operating system's ([`OsDisk`]).
    #[cfg(feature = "sim")]
    #[cfg_attr(docsrs, doc(cfg(feature = "sim")))]
    pub fn disk(mut self, disk: Arc<dyn Disk>) -> Self {
        self.disk = disk;
        self
    }

    /// Publishes everything as one transaction.
    ///
    /// The mode is that of the writers. If any of them was [unsynced](Durability::Unsynced), so is the
    /// commit. An overwrite conflicts with whatever was committed to the same
    /// partitions since the first of the writers looked at them.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] if there is nothing to commit and no [root](Self::expect_root) given, or writes of several
    /// data sets, modes, jobs or staging places, or of another data set than [the one that is expected](Self::expect_root);
    /// [`Error::Incompatible`] if readers could not take them, or them and what is there, for one
    /// data set; [`Error::StagedWriteGone`] if one is no longer there; [`Error::JobClosed`] if its job was discarded;
    /// [`Error::Conflict`] if another commit came between, and whatever else a step says: nothing is published then, and
    /// what is staged stays so, to be committed again or discarded. [`Error::Unknown`] and [`Error::Unfinished`] as for
    /// [`DatasetWriter::commit`](crate::DatasetWriter::commit).
    pub fn commit(&self) -> Result<Receipt> {
        let first = self.gather()?;
        let name = self.name(&first);
        let _inside = trace::commit(first.root(), WriteName::fields(name.as_ref())).entered();
        let backend = self.backend(&first)?;
        let receipt = match recall(backend.as_ref(), name.as_ref())? {
            Some(receipt) => {
                let discarded = receipt.files().is_empty()
                    && self.writes.iter().any(|write| write.totals().files > 0);
                if first.job().is_some() && discarded {
                    return Err(jobs::closed(backend.as_ref(), first.part()));
                }
                trace::recalled(receipt.transaction());
                receipt
            }
            None => self.commit_to(Arc::clone(&backend), &first, name.as_ref())?,
        };
        // Attempts that lost, or all of them if the commit had happened before. What cannot be
        // removed now is removed when its time is over.
        for staged in self.writes.iter().filter_map(StagedWrite::transaction) {
            let _ = backend.discard(staged);
        }
        // A commit of this call has done it before its decision went.
        if first.job().is_some() && receipt.replayed() {
            let _ = discard_job(backend.as_ref(), backend.scope(), first.part());
        }
        Ok(receipt.with_root(first.root()))
    }

    /// Removes everything that is staged, and closes the [job](Self::job), if it is of one. What is no longer there is no
    /// error.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] as for [`commit`](StagedWrites::commit); whatever a step says if the job cannot be closed:
    /// nothing is removed then; [`Error::Io`] or
    /// [`Error::Read`] if something cannot be removed: it stays until its time is over.
    pub fn discard(&self) -> Result<()> {
        if self.writes.is_empty() && self.job.is_none() && self.sequence.is_none() {
            return Ok(());
        }
        let first = self.gather()?;
        let backend = self.backend(&first)?;
        if let (Some(_), Some(name)) = (first.job(), self.name(&first))
            && recall(backend.as_ref(), Some(&name))?.is_none()
        {
            close(Arc::clone(&backend), &name, &self.interrupt)?;
        }
        let discards = self.writes.iter().filter_map(StagedWrite::transaction);
        let discarded = discards
            .map(|staged| backend.discard(staged))
            .fold(Ok(()), Result::and);
        match first.job() {
            Some(_) => discarded.and(discard_job(backend.as_ref(), backend.scope(), first.part())),
            None => discarded,
        }
    }

    /// Checks that all writes have one root, mode, job and staging place, and gives what they have in common.
    fn gather(&self) -> Result<StagedWrite> {
        name(self.write_id.as_deref(), self.sequence)?;
        let expected = self.expected_root.as_ref();
        let expected = expected.map(|root| self.locate(root)).transpose()?;
        let expected = expected.map(|location| location.path);
        let first = match (self.writes.first(), &expected) {
            (Some(first), _) => first.clone(),
            (None, Some(root)) => {
                let place = self.staging.clone().unwrap_or_default();
                let mode = CommitMode::Append;
                StagedWrite::new(root.clone(), place, None, mode, Totals::default())
            }
            (None, None) => {
                return Err(invalid(
                    "nothing is staged, and no root says of which data set",
                ));
            }
        };
        if let Some(expected) = &expected
            && let Some(another) = self.writes.iter().find(|write| write.root() != *expected)
        {
            let (of, expected) = (another.root().display(), expected.display());
            return Err(invalid(&format!(
                "they belong to {of}, and not to {expected}"
            )));
        }
        let job = self.job.as_deref().or(first.job());
        let sequence = self.sequence.or(first.sequence());
        let of_job = sequence.filter(|_| job.is_some());
        for write in &self.writes {
            if write.root() != first.root() {
                return Err(invalid("they belong to more than one data set"));
            }
            if write.staging() != first.staging() {
                return Err(invalid("they are staged in more than one kind of place"));
            }
            if write.mode() != first.mode() {
                return Err(invalid("they have more than one mode"));
            }
            if (write.job(), write.sequence()) != (job, of_job) {
                return Err(invalid("they belong to more than one job"));
            }
        }
        if job.is_some() && self.write_id.is_some() {
            return Err(Error::InvalidOption {
                option: "write_id",
                reason: "the commit of a job is named by the job".to_owned(),
            });
        }
        check_sequence(sequence, job.is_some() || self.write_id.is_some())?;
        let job = job.map(str::to_owned);
        Ok(first.with_part(Part {
            job,
            sequence,
            task: None,
        })?)
    }

    /// The name of the commit.
    fn name(&self, first: &StagedWrite) -> Option<WriteName> {
        let part = first.part();
        let by_write_id = |write_id| WriteName::new(write_id, part.sequence);
        let of_job = part.name_of_commit();
        of_job.or_else(|| self.write_id.as_deref().map(by_write_id))
    }

    fn locate(&self, root: &Path) -> Result<Location> {
        Location::of_directory(&self.disk, root, &self.object_store)
    }

    fn backend(&self, first: &StagedWrite) -> Result<Arc<dyn Backend>> {
        let target = Target {
            root: &self.locate(first.root())?,
            staging: first.staging(),
            interrupt: &self.interrupt,
            rewrite_missing: self.rewrite_missing,
            sync: SyncPolicy::default(),
        };
        target.open()
    }

    fn commit_to(
        &self,
        backend: Arc<dyn Backend>,
        first: &StagedWrite,
        name: Option<&WriteName>,
    ) -> Result<Receipt> {
        let mut transaction = Transaction::begin(Arc::clone(&backend), Durability::Synced)?;
        // What is moved into it must not be lost with it if the power fails.
        backend.sync_staged(transaction.id(), &[], Durability::Synced)?;
        let counted = self.counted_once();
        let parts = counted.iter().filter_map(|write| write.transaction());
        let parts: Vec<Uuid> = parts.collect();
        let threads = backend.threads_for(parts.len());
        let records = pool::map(threads, parts.len(), backend.root(), |number| {
            transaction.adopt(parts[number])
        })?;
        if records.iter().any(|record| record.unsynced) {
            if name.is_some() {
                check_durable(Durability::Unsynced)?;
            }
            transaction.leave_unsynced();
        }
        let scope = records.first().map(|record| &record.scope);
        if records
            .iter()
            .any(|record| record.mode != first.mode() || Some(&record.scope) != scope)
        {
            return Err(invalid("they are not what was staged"));
        }
        let conflicts = match ConflictCheck::joined(backend.as_ref(), &records)? {
            Some(conflicts) => conflicts,
            // Nobody had a row, and nothing is to be replaced.
            None if first.mode() != CommitMode::Overwrite => {
                ConflictCheck::begin(backend.as_ref(), first.mode(), backend.scope(), true)?
            }
            None => return Err(invalid("they are not what was staged")),
        };
        let places: Vec<PathBuf> = parts.iter().map(|part| backend.place(*part)).collect();
        let parts = StagedPart::all(&places, &records, self.schema_check)?;
        let root = self.locate(first.root())?;
        let looked = self.look(&root, first, &parts, &transaction)?;
        let retyper = Retyper::new(root.disk.as_ref(), backend.as_ref(), &transaction)?;
        let mut retyped = HashMap::new();
        for part in parts.iter().filter(|part| !part.typed.is_empty()) {
            for file in &part.record.files {
                self.interrupt.check(Step::Verify, backend.root())?;
                let new = retyper.retype(file, &part.typed)?;
                retyped.insert(file.staged().to_owned(), new);
            }
        }
        let files = records.into_iter().flat_map(|record| record.files);
        let files = files.map(|file| retyped.remove(file.staged()).unwrap_or(file));
        let receipt = commit(
            transaction,
            &conflicts,
            files.collect(),
            (name, self.success_file),
            looked,
            &self.interrupt,
        )?;
        Ok(match receipt.metrics() {
            Some(metrics) => {
                let staging = counted.iter().filter_map(|write| write.metrics());
                receipt.with_metrics(metrics.with_work_of(staging))
            }
            None => receipt,
        })
    }

    /// Compares the parts with each other and with what is there. Their files are in the transaction now.
    fn look(
        &self,
        root: &Location,
        first: &StagedWrite,
        parts: &[StagedPart<'_>],
        transaction: &Transaction,
    ) -> Result<Looked> {
        let mut union: Option<Union> = None;
        let mut notes = Vec::new();
        for part in parts {
            let told = part.lost.iter().filter(|note| !notes.contains(*note));
            notes.extend(told.cloned().collect::<Vec<_>>());
            let categories = match self.schema_check {
                true => categories(root.disk.as_ref(), part, transaction)?,
                false => KnownCategories::new(),
            };
            match &mut union {
                None => union = Some(Union::new(part, categories)),
                Some(union) if self.schema_check => {
                    let beside = Beside {
                        root: first.root(),
                        there: union.first.place,
                        format: part.format,
                        case_sensitive_names: self.case_sensitive_names,
                    };
                    notes.extend(union.add(beside, part, categories)?);
                }
                Some(_) => {}
            }
        }
        let Some(union) = union else {
            return Ok(said(vec![Note::NoRows]));
        };
        let row_schema = union.row_schema.clone().map(Arc::new);
        // What this build cannot write it cannot compare either.
        let Some(format) = union.first.format else {
            return Ok(said(notes));
        };
        let files = parts.iter().flat_map(|part| &part.record.files);
        let partitions: HashSet<&Partition> = files.map(|file| file.file().partition()).collect();
        let partitions: Vec<Partition> = partitions.into_iter().cloned().collect();
        let surroundings = Surroundings {
            disk: Arc::clone(&root.disk),
            root: root.path.clone(),
            mode: first.mode(),
            keys: union.first.record.rows.keys.clone(),
            format,
            case_sensitive_names: self.case_sensitive_names,
            schema_check: self.schema_check,
        };
        let mut looked = surroundings.look(union.ordered(), &partitions, None)?;
        notes.append(&mut looked.notes);
        let mut once = HashSet::new();
        notes.retain(|note| once.insert(note.clone()));
        looked.notes = notes;
        looked.schema = row_schema;
        Ok(looked)
    }

    /// What is staged, the first of each task.
    fn counted_once(&self) -> Vec<&StagedWrite> {
        let (mut transactions, mut tasks) = (HashSet::new(), HashSet::new());
        self.writes
            .iter()
            .filter(|write| write.task().is_none_or(|task| tasks.insert(task)))
            .filter(|write| {
                let staged = write.transaction();
                staged.is_some_and(|staged| transactions.insert(staged))
            })
            .collect()
    }
}

/// The categories of the ordered dictionaries of a part: those of its last file, which has most of them.
fn categories(
    disk: &dyn Disk,
    part: &StagedPart<'_>,
    transaction: &Transaction,
) -> Result<KnownCategories> {
    let last = part.record.files.last().filter(|_| has_order(&part.schema));
    let (Some(last), Some(format)) = (last, part.format) else {
        return Ok(KnownCategories::new());
    };
    let path = transaction.staged_path(last.staged());
    let found = look_into(disk, format, &path)?;
    if found.is_none() && !disk.has_links() {
        let root = transaction.backend().root().into();
        return Err(Error::Incompatible {
            path: root,
            what: "the order of a dictionary is".into(),
            given: "in a file that was uploaded in parts and cannot be read before it is published: choose a larger part \
                    size, or do not compare the parts"
                .into(),
            there: "compared with that of the other parts".into(),
            beside: path.into(),
        });
    }
    Ok(found.map(|(_, categories)| categories).unwrap_or_default())
}

/// The receipt of the commit of this name, if it has one and has happened.
fn recall(backend: &dyn Backend, name: Option<&WriteName>) -> Result<Option<Receipt>> {
    match name {
        Some(name) => backend.recall(backend.scope(), name),
        None => Ok(None),
    }
}

/// Commits nothing under a name, so that nobody else commits anything under it.
fn close(backend: Arc<dyn Backend>, name: &WriteName, interrupt: &Interrupt) -> Result<()> {
    let transaction = Transaction::begin(Arc::clone(&backend), Durability::Synced)?;
    let scope = backend.scope();
    let conflicts = ConflictCheck::begin(backend.as_ref(), CommitMode::Append, scope, true)?;
    let (named, nothing) = ((Some(name), false), said(Vec::new()));
    commit(
        transaction,
        &conflicts,
        Vec::new(),
        named,
        nothing,
        interrupt,
    )
    .map(drop)
}

fn said(notes: Vec<Note>) -> Looked {
    Looked {
        notes,
        ..Looked::default()
    }
}

fn invalid(reason: &str) -> Error {
    Error::InvalidOption {
        option: "staged writes",
        reason: reason.to_owned(),
    }
}
