//! Finishing files: sync and verification after the last byte is written.
//!
//! Where each file is synced by itself, threads of their own wait for the disk, so that encoding goes
//! on. Where the file system is synced as a whole, each file is verified at once, and all are synced together when the
//! last is written: the transaction gets them only then.

use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::Span;

use crate::dataset::options::Progress;
use crate::dataset::schedule::BESIDE;
use crate::dataset::staging_files::{EncodedFile, Finished, StagingFiles};
use crate::dataset::template::Template;
use crate::disk::{DiskDirectory, DiskFile, SyncScope};
use crate::error::{IoContext, Result, Step};
use crate::format::encode::verify_written;
use crate::format::parquet::KnownSchema;
use crate::format::written::Written;
use crate::meter::{Work, uncounted};
use crate::options::{Durability, Verify};
use crate::partition::Partition;
use crate::pool::{Failure, Halt};
use crate::receipt::StatisticsReader;
use crate::staged_file::verify_synced;
use crate::trace;

/// Threads that wait for the disk: the file system joins syncs that are asked for together.
const SYNC_THREADS: usize = 8;

/// The share of the memory limit that the statistics of columns may take until the commit.
const STATISTICS_SHARE: u64 = 8;
/// The size of the statistics of a column whose bounds are no long texts, in memory and in the record.
const STATISTICS_BYTES: u64 = 256;
/// Columns whose statistics are kept however many files there are.
const LEAST_COLUMNS: usize = 32;

/// A file's place among those of a write: the number of its partition, and its own in it.
pub(in crate::dataset) type Place = (u32, u32);

type Job = (Place, Partition, EncodedFile);

/// Syncs and verifies encoded files on threads of its own, and collects the finished ones.
pub(in crate::dataset) struct Finisher<'a> {
    template: &'a Template,
    staging: &'a dyn StagingFiles,
    /// The file system to sync when all files are written.
    together: Option<&'a dyn DiskDirectory>,
    queue: Mutex<Option<SyncSender<Job>>>,
    jobs: Mutex<Receiver<Job>>,
    failure: Failure,
    known: KnownSchema,
    statistics: StatisticsReader,
    /// The number of columns of each file whose statistics are kept.
    most_columns: usize,
    done: Mutex<Done>,
}

#[derive(Default)]
struct Done {
    files: Vec<(Place, Finished)>,
    progress: Progress,
}

impl<'a> Finisher<'a> {
    pub(in crate::dataset) fn new(
        template: &'a Template,
        staging: &'a dyn StagingFiles,
        directory: Option<&'a dyn DiskDirectory>,
        partitions: usize,
        progress: Progress,
    ) -> Self {
        let options = &template.options;
        let wanted = options.sync.is_together(partitions);
        let synced = options.durability == Durability::Synced;
        let together = directory.filter(|directory| {
            let possible = wanted && synced && options.verify < Verify::Checksum;
            possible && directory.reports_file_system_sync(SyncScope::Contents)
        });
        let waits = synced && together.is_none() || options.staging_threads.is_some();
        let (queue, jobs) = sync_channel(0);
        Finisher {
            template,
            staging,
            together,
            queue: Mutex::new(waits.then_some(queue)),
            jobs: Mutex::new(jobs),
            failure: Failure::default(),
            known: KnownSchema::default(),
            statistics: StatisticsReader::new(&template.schema),
            most_columns: columns_with_statistics(options.memory_limit, partitions),
            done: Mutex::new(Done {
                files: Vec::new(),
                progress,
            }),
        }
    }

    pub(in crate::dataset) fn staging(&self) -> &dyn StagingFiles {
        self.staging
    }

    pub(in crate::dataset) fn root(&self) -> &Path {
        &self.template.options.root
    }

    /// Runs `encode`, which uses `encoding` threads, while files are synced and verified, and gives the files in order
    /// when all are finished.
    pub(in crate::dataset) fn run(
        self,
        encoding: usize,
        encode: impl FnOnce(&Finisher<'a>) -> Result<(), Halt>,
    ) -> Result<Vec<Finished>> {
        let threads = match *self.queue() {
            Some(_) => self.waiting_threads(encoding),
            None => 0,
        };
        let span = Span::current();
        std::thread::scope(|scope| {
            let mut spawned = false;
            for _ in 0..threads {
                let thread = std::thread::Builder::new().name("atomic-arrow-sync".to_owned());
                let run = || {
                    let _inside = span.enter();
                    while let Some((place, partition, file)) = self.next_job() {
                        let finish = || self.finish_file(place, &partition, file);
                        self.failure.watch(self.root(), finish);
                    }
                };
                spawned |= thread.spawn_scoped(scope, run).is_ok();
            }
            // Without a thread to take jobs, a full queue would block for ever: files are then finished in place.
            if !spawned {
                self.queue().take();
            }
            self.failure.watch(self.root(), || encode(&self));
            // With the last sender gone, the threads end when the queue is empty.
            self.queue().take();
        });
        self.failure.into_result()?;
        if let Some(directory) = self.together {
            self.template.options.check_interrupt(Step::SyncFile)?;
            // One sync for all files: with many, a sync of each takes far longer.
            let meter = self.staging.meter();
            let synced = meter.measure(Work::Sync, || {
                directory.sync_file_system(SyncScope::Contents)
            });
            synced.at(Step::SyncFile, &self.template.options.root)?;
            trace::synced_together();
        }
        let done = self.done.into_inner();
        let mut files = done.unwrap_or_else(PoisonError::into_inner).files;
        // Threads finish files in any order; receipts are to be the same in each run.
        files.sort_unstable_by_key(|(place, _)| *place);
        Ok(files.into_iter().map(|(_, file)| file).collect())
    }

    /// The number of threads that sync and verify, and hand over, so that the limit of open files holds: each has up to two files
    /// open, and each encoding thread one.
    fn waiting_threads(&self, encoding: usize) -> usize {
        let open = self.template.options.max_open_files;
        let left = open.saturating_sub(BESIDE + encoding);
        let most = self.template.options.staging_threads;
        (left / 2).clamp(1, most.unwrap_or(SYNC_THREADS))
    }

    fn queue(&self) -> MutexGuard<'_, Option<SyncSender<Job>>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_job(&self) -> Option<Job> {
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.recv().ok()
    }

    /// Syncs and verifies an encoded file, or queues it for a thread that does so; waits while the queue is full.
    pub(in crate::dataset) fn take(
        &self,
        place: Place,
        partition: &Partition,
        file: EncodedFile,
    ) -> Result<(), Halt> {
        let queue = self.queue().clone();
        match queue {
            // There is a receiver as long as there is a queue.
            Some(queue) => uncounted(|| drop(queue.send((place, partition.clone(), file)))),
            None => uncounted(|| self.finish_file(place, partition, file))?,
        }
        match self.failure.happened() {
            true => Err(Halt::Elsewhere),
            false => Ok(()),
        }
    }

    /// Syncs a file ([`Step::SyncFile`]), unless all are synced together later, and verifies it ([`Step::Verify`]).
    fn finish_file(&self, place: Place, partition: &Partition, file: EncodedFile) -> Result<()> {
        let options = &self.template.options;
        let durability = match self.together {
            Some(_) => Durability::Unsynced,
            None => options.durability,
        };
        options.check_interrupt(Step::SyncFile)?;
        let mut draft = file.draft;
        let (len, level) = (draft.len(), options.verify);
        let check = |reopened: Arc<dyn DiskFile>| {
            let expected = Written {
                len,
                rows: file.rows,
                schema: &self.template.described,
                digests: file.digests.as_deref(),
                content: &file.content,
                known: Some(&self.known),
                keys: self.template.keys(),
            };
            verify_written(reopened, &expected, level).map(drop)
        };
        let check = (level != Verify::Skip).then_some(check);
        let meter = self.staging.meter();
        let written = meter.measure(Work::Sync, || draft.sync(durability, None))?;
        meter.measure(Work::Verify, || {
            verify_synced(&draft, &file.path, written, level, check)
        })?;
        // The file now belongs to the transaction, which removes it if it is not published.
        draft.disown();
        let metadata = file.content.parquet();
        let columns = metadata.map(|metadata| self.statistics.read(metadata));
        let mut columns = columns.unwrap_or_default();
        columns.truncate(self.most_columns);
        let finished = Finished {
            staged: draft.path().to_owned(),
            identity: draft.identity(),
            partition: partition.clone(),
            file_name: self.template.names().name(place.1, partition),
            rows: file.rows,
            row_groups: file.content.row_groups(),
            bytes: len,
            footer_bytes: file.footer_bytes,
            content_hash: written.checksum,
            columns,
        };
        drop(draft);
        self.staging.stage(&finished)?;
        trace::staged_file(&file.path, finished.rows, finished.bytes);
        if let Some(call) = &options.on_file {
            call(&finished);
        }
        self.finished(place, finished);
        Ok(())
    }

    fn finished(&self, place: Place, file: Finished) {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.progress.rows_finished += file.rows;
        done.progress.files_finished += 1;
        done.progress.bytes_finished += file.bytes;
        done.files.push((place, file));
        // Before another thread counts, so that what is told never goes back.
        self.template.options.progress(done.progress);
    }
}

/// The number of columns of each file whose statistics are kept until the commit. It depends on nothing that differs from
/// one run of a write to the next.
fn columns_with_statistics(memory_limit: u64, partitions: usize) -> usize {
    let limit = memory_limit / STATISTICS_SHARE;
    let columns = limit / STATISTICS_BYTES / partitions.max(1) as u64;
    usize::try_from(columns)
        .unwrap_or(usize::MAX)
        .max(LEAST_COLUMNS)
}
