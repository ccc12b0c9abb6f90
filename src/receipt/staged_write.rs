//! [`StagedWrite`]: what one process has staged and another commits, as it is kept on disk and as it is sent.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    CommitMode, FileRecord, Metrics, ReceiptError, Totals, WriteName, check_version, path,
    read_json, wire,
};
use crate::local_path::store_url;
use crate::options::StagingPlace;

/// The version that is written, and the only one that is read.
const VERSION: u32 = 1;

/// A file that is staged, and will be at its path once the transaction is committed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "wire::Staged")]
pub(crate) struct StagedFileRecord {
    staged: String,
    file: FileRecord,
}

impl StagedFileRecord {
    /// A staged file by its name in the directory of its transaction: `….staged`, with at most one
    /// directory before it.
    pub(crate) fn new(staged: impl Into<String>, file: FileRecord) -> Result<Self, ReceiptError> {
        let staged = staged.into();
        path::check_staged(&staged)?;
        Ok(StagedFileRecord { staged, file })
    }

    /// The record of the file once it stands in `directory`, that of another transaction.
    pub(crate) fn within(self, directory: &str) -> Result<Self, ReceiptError> {
        StagedFileRecord::new(format!("{directory}/{}", self.staged), self.file)
    }

    pub(crate) fn staged(&self) -> &str {
        &self.staged
    }

    pub(crate) fn file(&self) -> &FileRecord {
        &self.file
    }

    pub(crate) fn into_file(self) -> FileRecord {
        self.file
    }
}

/// The names of what is staged: the job that it is a part of, its number where the job is a stream of jobs, and the work
/// that it is in that.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) job: Option<String>,
    pub(crate) sequence: Option<u64>,
    pub(crate) task: Option<String>,
}

impl Part {
    /// # Errors
    /// One of them is empty, too long, or has control characters.
    pub(crate) fn check(&self) -> Result<(), ReceiptError> {
        self.problem().map_or(Ok(()), |(_, error)| Err(error))
    }

    /// The name that cannot be, and why.
    pub(crate) fn problem(&self) -> Option<(&'static str, ReceiptError)> {
        let job = self.job.as_deref().map(|job| {
            // The name of its commit is longer.
            path::check_text("job", job)
                .and_then(|()| path::check_text("job", &format!("{}{job}", Self::COMMIT)))
        });
        let task = self
            .task
            .as_deref()
            .map(|task| path::check_text("task", task));
        let checked = [("job", job), ("task", task)].into_iter();
        let mut problems = checked.filter_map(|(what, checked)| Some((what, checked?.err()?)));
        problems.next()
    }

    /// The name of the commit of the job.
    pub(crate) fn name_of_commit(&self) -> Option<WriteName> {
        let job = self.job.as_ref()?;
        let id = format!("{}{job}", Self::COMMIT);
        Some(WriteName::new(id, self.sequence))
    }

    /// The job whose commit has this name, if it is that of one.
    pub(crate) fn of_commit(name: &WriteName) -> Option<Self> {
        let job = name.id.strip_prefix(Self::COMMIT)?;
        Some(Part {
            job: Some(job.to_owned()),
            sequence: name.sequence,
            task: None,
        })
    }

    /// Whether the end of the job ends this one too: it is the same, or an earlier one of the same stream.
    pub(crate) fn ends_with(&self, job: &Part) -> bool {
        let of_stream = self.sequence.is_some() == job.sequence.is_some();
        self.job == job.job && of_stream && self.sequence <= job.sequence
    }

    /// What the names of the commits of jobs begin with, and those of no others.
    pub(crate) const COMMIT: &str = "job:";
}

/// What one process has staged of a data-set write that another commits.
///
/// Made by [`DatasetWriter::stage`](crate::DatasetWriter::stage) and given, with those of other
/// processes, to [`StagedWrites`](crate::StagedWrites). Plain data, which says where the files stand
/// and how much they hold: sending it, keeping it and losing it change nothing on disk. It names
/// directories that whoever commits or discards it writes to: take it from your own workers only.
///
/// ```
/// use std::sync::Arc;
/// use atomic_arrow::arrow::array::{ArrayRef, Int64Array, RecordBatch};
/// use atomic_arrow::{DatasetWriter, StagedWrite, StagedWrites};
/// # let lake = tempfile::tempdir()?;
/// # let root = lake.path().join("counts");
///
/// // In a worker:
/// let counts: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
/// let batch = RecordBatch::try_from_iter([("count", counts)])?;
/// let builder = DatasetWriter::builder(&root).task("part 7 of 9");
/// let mut writer = builder.build(batch.schema())?;
/// writer.write(&batch)?;
/// let message = writer.stage()?.to_json()?;
///
/// // In the driver:
/// let staged = StagedWrite::from_json(message)?;
/// let receipt = StagedWrites::new([staged]).commit()?;
/// assert_eq!(receipt.totals().rows, 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Wire", into = "Wire")]
pub struct StagedWrite {
    root: PathBuf,
    staging: StagingPlace,
    transaction: Option<Uuid>,
    mode: CommitMode,
    part: Part,
    totals: Totals,
    metrics: Option<Metrics>,
}

impl StagedWrite {
    pub(crate) fn new(
        root: PathBuf,
        staging: StagingPlace,
        transaction: Option<Uuid>,
        mode: CommitMode,
        totals: Totals,
    ) -> Self {
        StagedWrite {
            root,
            staging,
            transaction,
            mode,
            part: Part::default(),
            totals,
            metrics: None,
        }
    }

    pub(crate) fn with_metrics(mut self, metrics: Metrics) -> Self {
        self.metrics = Some(metrics);
        self
    }

    pub(crate) fn with_part(mut self, part: Part) -> Result<Self, ReceiptError> {
        part.check()?;
        self.part = part;
        Ok(self)
    }

    /// The data set's root, absolute.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where it is staged.
    #[must_use]
    pub fn staging(&self) -> &StagingPlace {
        &self.staging
    }

    /// The transaction in which the files are staged, which is another than that of the commit. There is none without
    /// files, unless the write overwrites the whole data set.
    #[must_use]
    pub fn transaction(&self) -> Option<Uuid> {
        self.transaction
    }

    /// What the commit is to do with what is there.
    #[must_use]
    pub fn mode(&self) -> CommitMode {
        self.mode
    }

    /// The [job](crate::DatasetWriterBuilder::job) that it is a part of, if it is of one.
    #[must_use]
    pub fn job(&self) -> Option<&str> {
        self.part.job.as_deref()
    }

    /// The [number of the job](crate::DatasetWriterBuilder::sequence) in its stream, if it has one.
    #[must_use]
    pub fn sequence(&self) -> Option<u64> {
        self.part.sequence
    }

    pub(crate) fn part(&self) -> &Part {
        &self.part
    }

    /// The [name of the work](crate::DatasetWriterBuilder::task) that was done, if it has one.
    #[must_use]
    pub fn task(&self) -> Option<&str> {
        self.part.task.as_deref()
    }

    /// The sums over the staged files.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// What the time of this process was spent on, up to the end of [`stage`](crate::DatasetWriter::stage); `None` if the JSON
    /// that this was read from did not say.
    #[must_use]
    pub fn metrics(&self) -> Option<Metrics> {
        self.metrics
    }

    /// As JSON, with the fields that the methods are named for and a `version`.
    ///
    /// # Errors
    /// The root is not UTF-8.
    pub fn to_json(&self) -> Result<String, ReceiptError> {
        serde_json::to_string(self).map_err(|error| ReceiptError::Json(error.into()))
    }

    /// Reads what [`to_json`](StagedWrite::to_json) wrote; nothing else is taken.
    ///
    /// # Errors
    /// The text is no JSON or not that of a staged write, or a directory in it is not absolute.
    pub fn from_json(json: impl AsRef<[u8]>) -> Result<Self, ReceiptError> {
        read_json(json.as_ref())
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    version: u32,
    root: PathBuf,
    staging: StagingPlace,
    transaction: Option<Uuid>,
    mode: CommitMode,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    job: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sequence: Option<u64>,
    task: Option<String>,
    totals: Totals,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    metrics: Option<Metrics>,
}

impl From<StagedWrite> for Wire {
    fn from(staged: StagedWrite) -> Self {
        let StagedWrite {
            root,
            staging,
            transaction,
            mode,
            part:
                Part {
                    job,
                    sequence,
                    task,
                },
            totals,
            metrics,
        } = staged;
        Wire {
            version: VERSION,
            root,
            staging,
            transaction,
            mode,
            job,
            sequence,
            task,
            totals,
            metrics,
        }
    }
}

impl TryFrom<Wire> for StagedWrite {
    type Error = ReceiptError;

    fn try_from(wire: Wire) -> Result<Self, ReceiptError> {
        check_version(wire.version, VERSION)?;
        let directory = match &wire.staging {
            StagingPlace::Directory(directory) => Some(directory),
            _ => None,
        };
        for (what, path) in [("root", Some(&wire.root)), ("staging", directory)] {
            let is_whole = |path: &PathBuf| path.is_absolute() || store_url(path).is_some();
            if let Some(path) = path.filter(|path| !is_whole(path)) {
                let path = path.to_string_lossy();
                return Err(ReceiptError::invalid(what, &path, "is not absolute"));
            }
        }
        let mut staged = StagedWrite::new(
            wire.root,
            wire.staging,
            wire.transaction,
            wire.mode,
            wire.totals,
        );
        staged.metrics = wire.metrics;
        staged.with_part(Part {
            job: wire.job,
            sequence: wire.sequence,
            task: wire.task,
        })
    }
}
