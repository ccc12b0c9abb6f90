//! [`DatasetWriter`]: batches in any order become files of a data set, all of them or none.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{RecordBatch, RecordBatchWriter};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use uuid::Uuid;

use super::builder::DatasetWriterBuilder;
use super::{Engine, Finished, Progress, Stage};
use crate::disk::{DiskDirectory, DiskFile};
use crate::error::{Error, IoContext, Result, Step};
use crate::partition::Partition;
use crate::receipt::{ColumnStatistics, FileRecord, Receipt, ReceiptError, StatisticsReader};
use crate::staging::{Draft, home_of_root, resolve};
use crate::target::{LocalTarget, Target};
use crate::transaction::{Layout, StagedName, Transaction, Witnessed, open_area};
use crate::unify::{SchemaPolicy, conform};

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
    policy: SchemaPolicy,
    write_id: Option<String>,
    poisoned: bool,
}

impl fmt::Debug for DatasetWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatasetWriter")
            .field("root", &self.session.target.root())
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
        let DatasetWriterBuilder {
            root,
            by,
            mode,
            write_id,
            policy,
            staging,
            disk,
            on_file,
            engine: mut options,
        } = builder;
        check_write_id(write_id.as_deref())?;
        // What cannot be done is found out before anything is touched.
        let file_schema = Arc::clone(
            by.bind(&schema, options.keep_partition_columns)?
                .file_schema(),
        );
        let root = resolve(disk.as_ref(), &root)?;
        let home = home_of_root(disk.as_ref(), &root, &staging)?;
        let area = open_area(&disk, home)?;
        let scope = root
            .strip_prefix(area.home().root())
            .unwrap_or(Path::new(""))
            .to_owned();
        let target = Arc::new(LocalTarget::new(area));
        let transaction = Transaction::begin(Arc::clone(&target) as Arc<dyn Target>)?;
        let witnessed = Witnessed::begin(target.as_ref(), mode, &scope)?;
        let session = Arc::new(Session {
            id: transaction.id(),
            target,
            witnessed,
            scope,
            next: AtomicU64::new(0),
            statistics: Mutex::default(),
        });
        options.root = root;
        options.file_stem = Some(format!("part-{}", transaction.id()));
        let reader = StatisticsReader::new(&file_schema);
        let seen = Arc::clone(&session);
        options.on_file = Some(Arc::new(move |file: &Finished| {
            let columns = file.metadata.as_ref().map(|metadata| reader.read(metadata));
            let columns = columns.unwrap_or_default();
            if let (Some(call), Ok(record)) = (&on_file, record(file, columns.clone())) {
                call(&record);
            }
            seen.statistics().insert(file.staged.clone(), columns);
        }));
        let engine = Engine::new(
            Arc::clone(&session) as Arc<dyn Stage>,
            &schema,
            &by,
            options,
        )?;
        Ok(DatasetWriter {
            engine,
            session,
            transaction,
            schema,
            policy,
            write_id,
            poisoned: false,
        })
    }

    /// The schema of the batches.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// How far the write has come.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.engine.progress()
    }

    /// Takes the rows of a batch. They may be held in memory, or spilled, which takes its time.
    ///
    /// # Errors
    /// [`Error::SchemaMismatch`] if the batch has another schema; [`Error::Partition`] if a value
    /// cannot be in a path; [`Error::Io`] or [`Error::Encode`] if rows cannot be spilled;
    /// [`Error::Poisoned`] after any of these. Nothing is published.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let root = self.session.target.root();
        // Until it has gone well.
        if std::mem::replace(&mut self.poisoned, true) {
            return Err(Error::Poisoned {
                path: root.to_owned(),
            });
        }
        let batch = conform(batch, &self.schema, self.policy, root)?;
        self.engine.write(&batch)?;
        self.poisoned = false;
        Ok(())
    }

    /// Encodes, syncs and verifies all files, and commits them as one.
    ///
    /// # Errors
    /// Whatever the first step to fail says: nothing is published then, and nothing is left.
    /// [`Error::Conflict`] if another commit came between; [`Error::Aborted`] if this writer was taken
    /// for dead; nothing is published either. [`Error::Unknown`] if the record of the commit may have
    /// been written; [`Error::Unfinished`] if it was, and files are still to be published: the next
    /// writer, or [`recover`](crate::recover), finishes it.
    pub fn commit(self) -> Result<Receipt> {
        let DatasetWriter {
            engine,
            session,
            transaction,
            write_id,
            poisoned,
            ..
        } = self;
        if poisoned {
            return Err(Error::Poisoned {
                path: session.target.root().to_owned(),
            });
        }
        let mut files = engine.finish()?;
        files.sort_by(|a, b| a.file_name.cmp(&b.file_name));
        let place = session.target.place(session.id);
        let staged = |file: &Finished| StagedName {
            staged: file
                .staged
                .strip_prefix(&place)
                .unwrap_or(&file.staged)
                .to_owned(),
            directory: session.directory(&file.partition),
            name: file.file_name.clone(),
        };
        let staged: Vec<StagedName> = files.iter().map(staged).collect();
        let receipt = |layout: &Layout| {
            session
                .receipt(&files, layout, write_id.as_deref())
                .map_err(invalid_receipt)
        };
        transaction.commit(&session.witnessed, &staged, write_id.as_deref(), receipt)
    }

    /// Removes everything that was written. The same as dropping the writer.
    pub fn discard(self) {}
}

/// For code that is generic over Arrow's writers; `close` is [`commit`](DatasetWriter::commit).
impl RecordBatchWriter for DatasetWriter {
    fn write(&mut self, batch: &RecordBatch) -> std::result::Result<(), ArrowError> {
        DatasetWriter::write(self, batch)
            .map_err(|error| ArrowError::ExternalError(Box::new(error)))
    }

    fn close(self) -> std::result::Result<(), ArrowError> {
        let committed = self.commit().map(drop);
        committed.map_err(|error| ArrowError::ExternalError(Box::new(error)))
    }
}

/// What the engine and the transaction share.
#[derive(Debug)]
struct Session {
    target: Arc<LocalTarget>,
    id: Uuid,
    witnessed: Witnessed,
    /// The writer's root, below that of the data set.
    scope: PathBuf,
    next: AtomicU64,
    statistics: Mutex<HashMap<PathBuf, Vec<ColumnStatistics>>>,
}

impl Session {
    fn statistics(&self) -> std::sync::MutexGuard<'_, HashMap<PathBuf, Vec<ColumnStatistics>>> {
        self.statistics
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Where a partition's files go, below the data set's root.
    fn directory(&self, partition: &Partition) -> PathBuf {
        match self.scope.as_os_str().is_empty() {
            true => partition.path(),
            false => self.scope.join(partition.path()),
        }
    }

    fn receipt(
        &self,
        files: &[Finished],
        layout: &Layout,
        write_id: Option<&str>,
    ) -> std::result::Result<Receipt, ReceiptError> {
        let mut statistics = self.statistics();
        let records = files
            .iter()
            .map(|file| record(file, statistics.remove(&file.staged).unwrap_or_default()))
            .collect::<std::result::Result<_, _>>()?;
        let removed = layout
            .exchanges
            .iter()
            .flat_map(|exchange| exchange.removed.iter().map(|path| exchange.path.join(path)));
        let receipt =
            Receipt::new(self.id, self.witnessed.mode(), records)?.with_removed(removed)?;
        match write_id {
            Some(write_id) => receipt.with_write_id(write_id),
            None => Ok(receipt),
        }
    }
}

fn record(
    file: &Finished,
    columns: Vec<ColumnStatistics>,
) -> std::result::Result<FileRecord, ReceiptError> {
    let partition = file.partition.clone();
    let mut record = FileRecord::new(partition, file.file_name.as_str(), file.rows, file.bytes)?
        .with_columns(columns);
    if let Some(bytes) = file.footer_bytes {
        record = record.with_footer_bytes(bytes);
    }
    if let Some(row_groups) = file.row_groups {
        record = record.with_row_groups(row_groups as u64);
    }
    Ok(match file.content_hash {
        Some(hash) => record.with_content_hash(hash),
        None => record,
    })
}

fn check_write_id(write_id: Option<&str>) -> Result<()> {
    let Some(write_id) = write_id else {
        return Ok(());
    };
    let none = Receipt::new(Uuid::nil(), Default::default(), Vec::new());
    none.and_then(|receipt| receipt.with_write_id(write_id))
        .map(drop)
        .map_err(|error| Error::InvalidOption {
            option: "write_id",
            reason: error.to_string(),
        })
}

fn invalid_receipt(error: ReceiptError) -> Error {
    Error::InvalidOption {
        option: "receipt",
        reason: error.to_string(),
    }
}

impl Stage for Session {
    fn create(&self, hashing: bool) -> Result<Draft> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.target.create(self.id, number, hashing)
    }

    fn scratch(&self) -> Result<Box<dyn DiskFile>> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.target.scratch(self.id, number)
    }

    fn directory(&self) -> Result<Box<dyn DiskDirectory>> {
        let place = self.target.place(self.id);
        self.target
            .disk()
            .open_directory(&place)
            .at(Step::CreateStaging, &place)
    }

    fn touch(&self, partition: &Partition) -> Result<()> {
        self.witnessed
            .touch(self.target.as_ref(), &partition.path())
    }
}
