//! From batches split by partition to finished files, within bounds of memory and open files.
//!
//! Rows wait in memory until there are many of them, because an open file costs more memory than the
//! few rows of one batch that belong into it. Promise P9: neither the rows that wait, nor the open
//! files, nor what these hold in memory, grow with the input, whatever its order. Nothing is
//! published here.

use std::collections::HashMap;
use std::path::PathBuf;

use atomic_arrow::arrow::array::RecordBatch;
use atomic_arrow::{AtomicArrowWriter, Partition, StagedFile, WriterOptions};

use crate::exit::Failure;
use crate::signal::Interrupt;

/// What a fan-out may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Files that are open at once.
    pub(crate) open: usize,
    /// Bytes of rows that wait, but for one batch; and again bytes of unfinished row groups.
    pub(crate) bytes: usize,
}

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
    bounds: Bounds,
    interrupt: Interrupt,
    waiting: HashMap<Partition, Vec<RecordBatch>>,
    waiting_bytes: usize,
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
        bounds: Bounds,
        interrupt: Interrupt,
    ) -> Self {
        FanOut {
            root,
            options,
            bounds,
            interrupt,
            waiting: HashMap::new(),
            waiting_bytes: 0,
            open: HashMap::new(),
            staged: Vec::new(),
            writes: 0,
        }
    }

    /// Takes rows of a partition.
    pub(crate) fn take(&mut self, partition: Partition, rows: RecordBatch) {
        self.waiting.entry(partition).or_default().push(rows);
    }

    /// Counts a batch whose rows were all taken, and encodes what waits once that is much.
    pub(crate) fn settle(&mut self, bytes: usize) -> Result<(), Failure> {
        self.waiting_bytes += bytes;
        if self.waiting_bytes <= self.bounds.bytes {
            return Ok(());
        }
        for (partition, rows) in std::mem::take(&mut self.waiting) {
            self.encode(&partition, &rows)?;
            drop(rows);
            while self.encoder_bytes() > self.bounds.bytes {
                self.finish_heaviest(|open| open.writer.memory_size() as u64)?;
            }
        }
        self.waiting_bytes = 0;
        Ok(())
    }

    /// Finishes all files, sorted by their paths; `on_file` is called after each.
    pub(crate) fn finish(mut self, mut on_file: impl FnMut()) -> Result<Vec<Staged>, Failure> {
        for (partition, rows) in std::mem::take(&mut self.waiting) {
            self.encode(&partition, &rows)?;
            self.finish_file(&partition)?;
            on_file();
        }
        while !self.open.is_empty() {
            self.finish_longest_unused()?;
            on_file();
        }
        self.staged.sort_by(|a, b| a.file.path().cmp(b.file.path()));
        Ok(self.staged)
    }

    /// Appends rows to the partition's open file, or to a new one.
    fn encode(&mut self, partition: &Partition, rows: &[RecordBatch]) -> Result<(), Failure> {
        self.interrupt.check()?;
        self.writes += 1;
        if !self.open.contains_key(partition) {
            while self.open.len() >= self.bounds.open {
                self.finish_longest_unused()?;
            }
            let Some(first) = rows.first() else {
                return Ok(());
            };
            let writer = AtomicArrowWriter::create_with_options(
                &self.root,
                partition,
                first.schema(),
                self.options.clone(),
            )?;
            self.open
                .insert(partition.clone(), Open { writer, used: 0 });
        }
        if let Some(open) = self.open.get_mut(partition) {
            open.used = self.writes;
            for batch in rows {
                open.writer.write(batch)?;
            }
        }
        Ok(())
    }

    fn encoder_bytes(&self) -> usize {
        self.open
            .values()
            .map(|open| open.writer.memory_size())
            .sum()
    }

    fn finish_longest_unused(&mut self) -> Result<(), Failure> {
        self.finish_heaviest(|open| u64::MAX - open.used)
    }

    /// Finishes the open file for which `weight` is the greatest.
    fn finish_heaviest(&mut self, weight: impl Fn(&Open) -> u64) -> Result<(), Failure> {
        let heaviest = self.open.iter().max_by_key(|(_, open)| weight(open));
        match heaviest.map(|(partition, _)| partition.clone()) {
            Some(partition) => self.finish_file(&partition),
            None => Ok(()),
        }
    }

    fn finish_file(&mut self, partition: &Partition) -> Result<(), Failure> {
        self.interrupt.check()?;
        if let Some((partition, open)) = self.open.remove_entry(partition) {
            let file = open.writer.finish()?;
            self.staged.push(Staged { partition, file });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use atomic_arrow::Durability;
    use atomic_arrow::arrow::array::{ArrayRef, Int64Array};

    use super::*;

    fn rows(count: i64) -> RecordBatch {
        let column: ArrayRef = Arc::new(Int64Array::from_iter_values(0..count));
        RecordBatch::try_from_iter([("v", column)]).unwrap()
    }

    /// The names and rows of the files that come of such takes, with so much room.
    fn files(bounds: Bounds, takes: &[(&str, i64)]) -> Vec<(String, u64)> {
        let lake = tempfile::tempdir().unwrap();
        let options = WriterOptions::new().durability(Durability::Unsynced);
        let mut fan_out = FanOut::new(lake.path().join("x"), options, bounds, Interrupt::never());
        for (key, count) in takes {
            fan_out.take(Partition::new([("k", *key)]).unwrap(), rows(*count));
            fan_out.settle(1).unwrap();
            assert!(fan_out.open.len() <= bounds.open);
        }
        let staged = fan_out.finish(|| {}).unwrap();
        staged
            .iter()
            .map(|s| (s.partition.to_string(), s.file.num_rows()))
            .collect()
    }

    fn expected(files: &[(&str, u64)]) -> Vec<(String, u64)> {
        files
            .iter()
            .map(|(key, rows)| (format!("k={key}"), *rows))
            .collect()
    }

    const MIXED: [(&str, i64); 4] = [("a", 1), ("b", 2), ("a", 4), ("b", 8)];

    #[test]
    fn rows_that_fit_into_memory_become_one_file_a_partition() {
        let roomy = Bounds {
            open: 1,
            bytes: 1 << 20,
        };
        assert_eq!(files(roomy, &MIXED), expected(&[("a", 5), ("b", 10)]));
    }

    #[test]
    fn beyond_the_open_files_the_one_unused_for_longest_is_finished() {
        let lake = tempfile::tempdir().unwrap();
        let options = WriterOptions::new().durability(Durability::Unsynced);
        let bounds = Bounds {
            open: 2,
            bytes: 1 << 20,
        };
        let mut fan_out = FanOut::new(lake.path().join("x"), options, bounds, Interrupt::never());
        for key in ["a", "b", "a", "c"] {
            fan_out
                .encode(&Partition::new([("k", key)]).unwrap(), &[rows(1)])
                .unwrap();
        }
        let mut open: Vec<_> = fan_out.open.keys().map(ToString::to_string).collect();
        open.sort();
        assert_eq!(open, ["k=a", "k=c"]);
        assert_eq!(fan_out.staged[0].partition.to_string(), "k=b");
    }

    #[test]
    fn rows_and_encoders_beyond_the_bytes_are_finished_at_once() {
        let tight = Bounds { open: 10, bytes: 0 };
        let all = expected(&[("a", 1), ("a", 4), ("b", 2), ("b", 8)]);
        assert_eq!(files(tight, &MIXED), all);
    }
}
