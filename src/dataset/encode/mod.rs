//! From gathered rows to finished files: many partitions side by side, or the columns of one large file.
//!
//! Owns where files and row groups end, and what is done with a file after its last byte: sync and verification.
//! Where rows come from is `hold`'s, where files stand and what becomes of them the transaction's.

pub(super) mod encoders;
pub(super) mod file;
pub(super) mod finish;
mod parquet_file;
mod partition_writer;
pub(super) mod units;

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::{SortColumn, SortOptions, lexsort_to_indices, take_record_batch};
use arrow::error::ArrowError;

use crate::dataset::hold::gather::{batch_of, unless_too_large};
use crate::dataset::hold::reader::{Reader, RowChunk, RowSources};
use crate::dataset::hold::spill::Part;
use crate::dataset::schedule::Schedule;
use crate::dataset::template::Template;
use crate::error::{Error, Result, Step};
use crate::meter::Work;
use crate::partition::Partition;
use crate::pool::{Halt, for_each};
use finish::Finisher;
use partition_writer::PartitionWriter;

/// The inputs of encoding: rows, schedule, template and the queue of finished files.
pub(super) struct Encoding<'a> {
    pub(super) template: &'a Template,
    pub(super) finisher: &'a Finisher<'a>,
    pub(super) sources: &'a RowSources<'a>,
    pub(super) schedule: &'a Schedule,
    pub(super) partitions: &'a [Partition],
}

impl Encoding<'_> {
    pub(super) fn run(&self) -> Result<(), Halt> {
        let Schedule {
            threads,
            wide,
            narrow,
            ..
        } = self.schedule;
        for partition in wide {
            self.encode(*partition..partition + 1, *threads)?;
        }
        for_each(*threads, narrow.len(), self.root(), |number| {
            let partitions = narrow[number].clone();
            match self.is_sorting() {
                // A chunk is sorted as a whole, so that it must not begin with another partition.
                true => partitions
                    .into_iter()
                    .try_for_each(|partition| self.encode(partition..partition + 1, 1)),
                false => self.encode(partitions, 1),
            }
        })?;
        Ok(())
    }

    /// Writes a file without rows, of the first partition.
    pub(super) fn empty_file(&self) -> Result<(), Halt> {
        for partition in self.partitions.iter().take(1) {
            let mut writer = PartitionWriter::new(self.template, self.finisher, (0, partition), 1);
            writer.begin_file()?;
            writer.end_file()?;
        }
        Ok(())
    }

    fn is_sorting(&self) -> bool {
        !self.template.options.sort_by.is_empty()
    }

    fn root(&self) -> &std::path::Path {
        &self.template.options.root
    }

    /// Encodes partitions one after another, the columns of each on up to `threads` threads.
    fn encode(&self, partitions: Range<u32>, threads: usize) -> Result<(), Halt> {
        let meter = self.finisher.staging().meter();
        meter.measure(Work::Encode, || self.encode_files(partitions, threads))
    }

    fn encode_files(&self, partitions: Range<u32>, threads: usize) -> Result<(), Halt> {
        let portion = match self.is_sorting() {
            true => self.schedule.window,
            false => self.schedule.chunk,
        };
        let mut writer = None;
        Reader::new(self.sources, partitions, portion).for_each(
            |chunk, room| self.gather(chunk, room, threads),
            |parts, rows| {
                self.template.options.check_interrupt(Step::WriteRows)?;
                self.write(parts, rows, &mut writer, threads)
            },
        )
    }

    /// Writes the rows of `parts`; `writer` is that of the partition in which the previous rows ended.
    fn write<'a>(
        &'a self,
        parts: &[Part],
        rows: RecordBatch,
        writer: &mut Option<PartitionWriter<'a>>,
        threads: usize,
    ) -> Result<(), Halt> {
        let sorting = self.is_sorting();
        let mut left = rows;
        for part in parts {
            if part.rows == 0 && writer.is_none() {
                continue;
            }
            let number = part.partition;
            let open = writer.get_or_insert_with(|| {
                let partition = (number, &self.partitions[number as usize]);
                PartitionWriter::new(self.template, self.finisher, partition, threads)
            });
            let mut rows = left.slice(0, part.rows);
            left = match left.num_rows() - part.rows {
                // Else it would keep the memory of all.
                0 => RecordBatch::new_empty(left.schema()),
                rest => left.slice(part.rows, rest),
            };
            if sorting {
                rows = self
                    .sorted(&rows)
                    .map_err(|source| Error::encode(Step::WriteRows, self.root(), source))?;
            }
            open.write(&rows, part.last || sorting)?;
            if part.last || sorting {
                open.end_file()?;
            }
            if part.last {
                *writer = None;
            }
        }
        Ok(())
    }

    /// The rows of a chunk, columns side by side, or none if they take more than `room`.
    fn gather(&self, chunk: &RowChunk, room: usize, threads: usize) -> Result<Option<RecordBatch>> {
        let schema = &self.template.schema;
        if threads == 1 || chunk.rows.rows() == 0 {
            return unless_too_large(chunk.rows.gather(schema, room), self.root());
        }
        let gather = chunk.rows.ready(room);
        let columns: Vec<Mutex<Option<ArrayRef>>> =
            schema.fields().iter().map(|_| Mutex::default()).collect();
        for_each(threads, columns.len(), self.root(), |index| {
            let gathered = unless_too_large(gather.column(index), self.root())?;
            *columns[index]
                .lock()
                .unwrap_or_else(PoisonError::into_inner) = gathered;
            Ok::<(), Error>(())
        })?;
        let columns = columns
            .into_iter()
            .map(|column| column.into_inner().unwrap_or_else(PoisonError::into_inner));
        let Some(columns) = columns.collect() else {
            return Ok(None);
        };
        let batch = batch_of(schema, columns, chunk.rows.rows());
        batch
            .map(Some)
            .map_err(|source| Error::encode(Step::WriteRows, self.root(), source))
    }

    /// Sorts rows by the columns of `sort_by`; the sort is stable.
    fn sorted(&self, rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let mut columns = Vec::new();
        for by in &self.template.options.sort_by {
            if let Some(values) = rows.column_by_name(&by.column) {
                let options = SortOptions {
                    descending: by.descending,
                    nulls_first: by.nulls_first,
                };
                columns.push(SortColumn {
                    values: Arc::clone(values),
                    options: Some(options),
                });
            }
        }
        let places: UInt32Array = (0..rows.num_rows() as u32).collect();
        columns.push(SortColumn {
            values: Arc::new(places),
            options: None,
        });
        let order = lexsort_to_indices(&columns, None)?;
        take_record_batch(rows, &order)
    }
}
