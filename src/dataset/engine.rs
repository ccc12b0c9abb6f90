//! The engine: turns batches of rows into finished files, one or more for each partition.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::encode;
use super::encode::file;
use super::encode::finish::Finisher;
use super::file_name::FileNames;
use super::hold::buffer::Buffer;
use super::hold::gather::unless_too_large;
use super::hold::reader::{Reader, RowSources};
use super::hold::spill::Run;
use super::options::{EngineOptions, Progress};
use super::schedule::{Budget, Schedule, block, even_ranges};
use super::staging_files::{Finished, StagingFiles};
use super::template::Template;
use crate::categories::KnownCategories;
use crate::disk::DiskDirectory;
use crate::error::{Error, Result, Step};
use crate::format::parquet::PageSpill;
use crate::options::Durability;
use crate::partition::{Partition, PartitionBy, PartitionIds, PartitionSplitter};
use crate::pool;
use crate::scratch::Scratch;
use crate::size::size_of_dictionaries;
use crate::stored::{convert_batch, schema_in_files};
use crate::trace;

/// Turns batches into finished files, one or more for each partition.
///
/// The first error poisons it; dropping it discards everything but the files themselves, which are
/// the transaction's.
pub(crate) struct Engine {
    staging: Arc<dyn StagingFiles>,
    template: Template,
    budget: Budget,
    /// The directory of the staging files, opened before the first is written: see [`StagingFiles::directory`].
    directory: Option<Box<dyn DiskDirectory>>,
    splitter: PartitionSplitter,
    ids: PartitionIds,
    buffer: Buffer,
    /// The rows of each partition that are in the buffer.
    held: Vec<u64>,
    /// The rows of each partition that are in runs.
    spilled: Vec<u64>,
    runs: Vec<Run>,
    scratch: Arc<Scratch>,
    progress: Progress,
    /// The size in memory of all rows given so far, spilled ones included.
    row_bytes: u64,
    /// Whether a file is written also if there are no rows.
    writes_empty: bool,
    poisoned: bool,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("progress", &self.progress)
            .field("held", &self.buffer.bytes())
            .field("poisoned", &self.poisoned)
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// Binds the keys to the schema of the batches, and checks what is asked for.
    pub(crate) fn new(
        staging: Arc<dyn StagingFiles>,
        schema: &SchemaRef,
        by: &PartitionBy,
        options: EngineOptions,
    ) -> Result<Self> {
        let splitter = by.bind(schema, options.keep_partition_columns)?;
        let schema = schema_in_files(options.format, splitter.file_schema());
        let template = Template::new(options, schema)?;
        file::rehearse(&template, staging.as_ref())?;
        let directory = match template.options.durability {
            Durability::Synced => Some(staging.directory()?),
            Durability::Unsynced => None,
        };
        let budget = Budget::new(&template);
        let makes_scratch = Arc::clone(&staging);
        let scratch = Scratch::new(&template.options.root, move || makes_scratch.scratch());
        let scratch = Arc::new(scratch);
        let spill = PageSpill::new(budget.pages, Arc::clone(&scratch));
        let template = template.spilling(Arc::new(spill));
        Ok(Engine {
            budget,
            buffer: Buffer::new(Arc::clone(&template.schema), &template.codeable()),
            splitter,
            ids: PartitionIds::default(),
            staging,
            template,
            directory,
            held: Vec::new(),
            spilled: Vec::new(),
            runs: Vec::new(),
            scratch,
            progress: Progress::default(),
            row_bytes: 0,
            writes_empty: false,
            poisoned: false,
        })
    }

    /// The partitions that have rows so far, in order of appearance.
    pub(crate) fn partitions(&self) -> &[Partition] {
        self.ids.partitions()
    }

    /// The categories of ordered dictionaries in the rows so far.
    pub(crate) fn categories(&self) -> KnownCategories {
        self.template.categories()
    }

    /// The schema of the rows as the caller gave it, without what [files do not keep](schema_in_files).
    pub(crate) fn given_schema(&self) -> &SchemaRef {
        self.splitter.file_schema()
    }

    /// The names of the files.
    pub(super) fn names(&self) -> &FileNames {
        self.template.names()
    }

    /// Writes one file without rows into the root, so that the data set has a schema.
    pub(crate) fn write_empty(&mut self) -> Result<()> {
        self.writes_empty = true;
        self.staging.touch(&Partition::none())
    }

    pub(crate) fn memory_size(&self) -> usize {
        self.bytes()
    }

    pub(crate) fn progress(&self) -> Progress {
        self.progress
    }

    /// Takes the rows of a batch. They may be held, or spilled, which takes its time.
    ///
    /// # Errors
    /// [`Error::Partition`] if the batch has another schema or a value cannot be in a path;
    /// [`Error::InvalidOption`] if the name of a partition's file is too long; [`Error::Io`] or [`Error::Encode`] if rows cannot be spilled; [`Error::Interrupted`];
    /// [`Error::Poisoned`] after any of these. Nothing is published.
    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.check_poisoned()?;
        // Until it has gone well.
        self.poisoned = true;
        self.template.options.check_interrupt(Step::WriteRows)?;
        self.template.observe(batch)?;
        let mut parts = vec![batch.clone()];
        while let Some(part) = parts.pop() {
            let rows = part.num_rows();
            if rows > 1 && self.resolves_too_much(&part) {
                let middle = rows / 2;
                parts.push(part.slice(middle, rows - middle));
                parts.push(part.slice(0, middle));
                continue;
            }
            if !self.hold(&part)? {
                // Dictionaries are resolved from now on.
                self.spill()?;
                parts.push(part);
            } else if self.bytes() > self.budget.held {
                self.spill()?;
            }
        }
        self.poisoned = false;
        self.template.options.progress(self.progress);
        Ok(())
    }

    /// Whether replacing the dictionaries of these rows by their values would take too large a part of the memory
    /// limit.
    fn resolves_too_much(&self, batch: &RecordBatch) -> bool {
        self.buffer.resolves() && size_of_dictionaries(batch) > self.budget.resolved
    }

    fn check_poisoned(&self) -> Result<()> {
        let path = &self.template.options.root;
        match self.poisoned {
            true => Err(Error::Poisoned { path: path.clone() }),
            false => Ok(()),
        }
    }

    /// Adds rows to the buffer; answers no, and adds nothing, if the buffer has to be spilled first.
    fn hold(&mut self, batch: &RecordBatch) -> Result<bool> {
        let (rows, assignment) = self.splitter.assign(batch, &mut self.ids)?;
        let partitions = self.ids.partitions().len();
        for partition in &self.ids.partitions()[self.held.len()..] {
            let names = self.template.names();
            if names.has_partition() {
                names.check_length(partition)?;
            }
            self.staging.touch(partition)?;
        }
        self.held.resize(partitions, 0);
        self.spilled.resize(partitions, 0);
        let root = &self.template.options.root;
        let rows = match Arc::ptr_eq(&self.template.schema, self.splitter.file_schema()) {
            true => rows,
            false => convert_batch(rows, &self.template.schema, root, self.progress.rows)?,
        };
        let failed = |source| Error::encode(Step::WriteRows, root, source);
        let threads = Schedule::threads(self.budget);
        let rows = self.buffer.code(rows, &assignment, threads, root)?;
        let rows = self.buffer.share_dictionaries(rows).map_err(failed)?;
        // Else what is held would be resolved at once, and could take many times as much.
        if self.buffer.would_resolve(&rows) > self.budget.resolved {
            return Ok(false);
        }
        assignment.count(&mut self.held);
        let count = rows.num_rows() as u64;
        if count > 0 {
            let room = self.budget.held.saturating_sub(self.bytes());
            let cost = self.buffer.push(rows, assignment, room);
            let cost = cost.map_err(failed)?;
            self.row_bytes += cost.copied as u64;
        }
        self.progress.rows += count;
        self.progress.partitions = partitions as u64;
        Ok(true)
    }

    /// The memory of all that the engine holds; encoders do not count, since there are none before the end.
    fn bytes(&self) -> usize {
        let runs: usize = self.runs.iter().map(Run::memory).sum();
        self.buffer.bytes() + self.ids.memory() + runs
    }

    /// The average size of a row in memory.
    fn row_size(&self) -> usize {
        (self.row_bytes / self.progress.rows.max(1)).max(1) as usize
    }

    /// Moves all rows from memory into a run.
    fn spill(&mut self) -> Result<()> {
        let threads = Schedule::threads(self.budget);
        let ranges = even_ranges(&self.held, threads);
        let root = &self.template.options.root;
        let failed = |source| Error::encode(Step::WriteRows, root, source);
        let memory = self.buffer.take_sorted(self.held.len()).map_err(failed)?;
        let sources = RowSources {
            runs: &[],
            scratch: &self.scratch,
            memory: &memory,
        };
        let block = block(self.budget, self.row_size());
        let parts: Vec<Mutex<Run>> = ranges.iter().map(|_| Mutex::default()).collect();
        pool::for_each(threads, ranges.len(), root, |number| {
            let mut run = parts[number].lock().unwrap_or_else(PoisonError::into_inner);
            Reader::new(&sources, ranges[number].clone(), block).for_each(
                |chunk, room| {
                    let gathered = chunk.rows.gather(&self.template.schema, room);
                    let rows = unless_too_large(gathered, root)?;
                    // Blocks have the values in the place of dictionaries.
                    let fits = |rows: &RecordBatch| {
                        rows.num_rows() == 1 || size_of_dictionaries(rows) <= room
                    };
                    Ok(rows.filter(fits))
                },
                |parts, rows| {
                    self.template.options.check_interrupt(Step::WriteRows)?;
                    run.append(&self.scratch, &rows, parts)
                },
            )
        })?;
        let mut run = Run::default();
        for part in parts {
            run.extend(part.into_inner().unwrap_or_else(PoisonError::into_inner));
        }
        trace::spilled(run.rows());
        self.progress.rows_spilled += run.rows();
        self.runs.push(run);
        for (spilled, held) in self.spilled.iter_mut().zip(&mut self.held) {
            *spilled += std::mem::take(held);
        }
        self.buffer.resolve_dictionaries();
        Ok(())
    }

    /// Encodes, syncs and verifies every file, and gives them in the order in which their partitions
    /// appeared.
    ///
    /// # Errors
    /// [`Error::Poisoned`] if a write failed before; else whatever the first step to fail says.
    /// Nothing is published, and every staging file is the transaction's to remove.
    pub(crate) fn finish(mut self) -> Result<Vec<Finished>> {
        self.check_poisoned()?;
        let partitions = self.ids.partitions().len();
        let root = &self.template.options.root;
        let failed = |source| Error::encode(Step::WriteRows, root, source);
        let memory = self.buffer.take_sorted(partitions).map_err(failed)?;
        let rows: Vec<u64> = self
            .held
            .iter()
            .zip(&self.spilled)
            .map(|(a, b)| a + b)
            .collect();
        let (row_size, runs) = (self.row_size(), self.runs.len());
        let schedule = Schedule::new(
            self.budget,
            &rows,
            row_size,
            self.template.units.most_rows(),
            runs,
        );
        let sources = RowSources {
            runs: &self.runs,
            scratch: &self.scratch,
            memory: &memory,
        };
        let finisher = Finisher::new(
            &self.template,
            self.staging.as_ref(),
            self.directory.as_deref(),
            partitions,
            self.progress,
        );
        let empty = [Partition::none()];
        let is_empty = self.writes_empty && partitions == 0;
        finisher.run(schedule.threads, |finisher| {
            let encoding = encode::Encoding {
                template: &self.template,
                finisher,
                sources: &sources,
                schedule: &schedule,
                partitions: match is_empty {
                    true => &empty,
                    false => self.ids.partitions(),
                },
            };
            match is_empty {
                true => encoding.empty_file(),
                false => encoding.run(),
            }
        })
    }
}
