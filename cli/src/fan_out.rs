//! One writer for each partition that rows come for, and a bound on how many are open.
//!
//! Everything stays staged until all rows are in (promise P9: memory is bounded by the open writers
//! and by [`BUFFERED`], whatever the order of rows). Publishing is not done here.

use std::collections::HashMap;
use std::path::PathBuf;

use atomic_arrow::arrow::array::RecordBatch;
use atomic_arrow::{AtomicArrowWriter, Partition, StagedFile, WriterOptions};

use crate::exit::Failure;
use crate::signal::Interrupt;

/// Bytes of unfinished row groups held in memory, at most, but for one batch.
const BUFFERED: usize = 512 << 20;

/// A finished file and the partition that it belongs to.
#[derive(Debug)]
pub(crate) struct Staged {
    pub(crate) partition: Partition,
    pub(crate) file: StagedFile,
}

/// Writes each partition's rows into files of its own.
#[derive(Debug)]
pub(crate) struct FanOut {
    root: PathBuf,
    options: WriterOptions,
    max_open: usize,
    interrupt: Interrupt,
    open: HashMap<Partition, Open>,
    staged: Vec<Staged>,
    writes: u64,
}

#[derive(Debug)]
struct Open {
    writer: AtomicArrowWriter,
    /// The number of the write that came last.
    used: u64,
}

impl FanOut {
    pub(crate) fn new(
        root: PathBuf,
        options: WriterOptions,
        max_open: usize,
        interrupt: Interrupt,
    ) -> Self {
        let (open, staged) = (HashMap::new(), Vec::new());
        FanOut {
            root,
            options,
            max_open,
            interrupt,
            open,
            staged,
            writes: 0,
        }
    }

    /// Appends rows to the partition's open file, or to a new one.
    pub(crate) fn write(
        &mut self,
        partition: Partition,
        rows: &RecordBatch,
    ) -> Result<(), Failure> {
        self.interrupt.check()?;
        self.writes += 1;
        if !self.open.contains_key(&partition) {
            while self.open.len() >= self.max_open {
                self.finish_one(|open| u64::MAX - open.used)?;
            }
            let writer = AtomicArrowWriter::create_with_options(
                &self.root,
                &partition,
                rows.schema(),
                self.options.clone(),
            )?;
            self.open
                .insert(partition.clone(), Open { writer, used: 0 });
        }
        if let Some(open) = self.open.get_mut(&partition) {
            open.used = self.writes;
            open.writer.write(rows)?;
        }
        Ok(())
    }

    /// Finishes files until what the open ones hold in memory is within bounds.
    pub(crate) fn shrink(&mut self) -> Result<(), Failure> {
        while self
            .open
            .values()
            .map(|open| open.writer.memory_size())
            .sum::<usize>()
            > BUFFERED
        {
            self.finish_one(|open| open.writer.memory_size() as u64)?;
        }
        Ok(())
    }

    /// Finishes all files, sorted by partition; `on_file` is called after each.
    pub(crate) fn finish(mut self, mut on_file: impl FnMut()) -> Result<Vec<Staged>, Failure> {
        while !self.open.is_empty() {
            self.interrupt.check()?;
            self.finish_one(|open| u64::MAX - open.used)?;
            on_file();
        }
        self.staged.sort_by(|a, b| a.file.path().cmp(b.file.path()));
        Ok(self.staged)
    }

    /// How many files there are, open and finished.
    pub(crate) fn files(&self) -> usize {
        self.open.len() + self.staged.len()
    }

    /// Finishes the open file for which `weight` is the greatest.
    fn finish_one(&mut self, weight: impl Fn(&Open) -> u64) -> Result<(), Failure> {
        let heaviest = self.open.iter().max_by_key(|(_, open)| weight(open));
        let Some(partition) = heaviest.map(|(partition, _)| partition.clone()) else {
            return Ok(());
        };
        if let Some(open) = self.open.remove(&partition) {
            let file = open.writer.finish()?;
            self.staged.push(Staged { partition, file });
        }
        Ok(())
    }
}
