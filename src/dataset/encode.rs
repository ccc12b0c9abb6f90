//! Encoding all partitions: many files side by side, or the columns of one large file.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::{SortColumn, SortOptions, lexsort_to_indices, take_record_batch};
use arrow::error::ArrowError;

use super::gather::batch_of;
use super::layout::Layout;
use super::partition_writer::PartitionWriter;
use super::reader::{Layers, Reader, Slab};
use super::seal::Sealer;
use super::spill::encode as encode_error;
use super::template::Template;
use crate::error::{Result, Step};
use crate::partition::Partition;
use crate::pool::for_each;

/// All that is needed to encode partitions.
pub(super) struct Encoding<'a> {
    pub(super) template: &'a Template,
    pub(super) sealer: &'a Sealer<'a>,
    pub(super) layers: &'a Layers<'a>,
    pub(super) layout: &'a Layout,
    pub(super) partitions: &'a [Partition],
}

impl Encoding<'_> {
    pub(super) fn run(&self) -> Result<()> {
        let Layout {
            threads,
            wide,
            narrow,
            ..
        } = self.layout;
        for partition in wide {
            self.encode(*partition..partition + 1, *threads)?;
        }
        for_each(*threads, narrow.len(), self.root(), |number| {
            let partitions = narrow[number].clone();
            match self.is_sorting() {
                // A slab is sorted as a whole, so that it must not begin with another partition.
                true => partitions
                    .into_iter()
                    .try_for_each(|partition| self.encode(partition..partition + 1, 1)),
                false => self.encode(partitions, 1),
            }
        })
    }

    fn is_sorting(&self) -> bool {
        !self.template.options.sort_by.is_empty()
    }

    fn root(&self) -> &std::path::Path {
        &self.template.options.root
    }

    /// Encodes partitions one after another, the columns of each on up to `threads` threads.
    fn encode(&self, partitions: Range<u32>, threads: usize) -> Result<()> {
        let sorting = self.is_sorting();
        let slab_rows = match sorting {
            true => self.layout.window_rows,
            false => self.layout.slab_rows,
        };
        let mut reader = Reader::new(self.layers, partitions, slab_rows);
        let mut writer = None;
        while let Some(slab) = reader.next()? {
            self.template.options.check_interrupt(Step::WriteRows)?;
            let rows = self.gather(&slab, threads)?;
            let mut start = 0;
            for part in &slab.parts {
                if part.rows == 0 && writer.is_none() {
                    continue;
                }
                let number = part.partition;
                let writer_of = || {
                    let partition = (number, &self.partitions[number as usize]);
                    PartitionWriter::new(self.template, self.sealer, partition, threads)
                };
                let open: &mut PartitionWriter<'_> = writer.get_or_insert_with(writer_of);
                let mut rows = rows.slice(start, part.rows);
                start += part.rows;
                if sorting {
                    rows = self
                        .sorted(&rows)
                        .map_err(|source| encode_error(self.root(), source))?;
                }
                open.write(&rows, part.last || sorting)?;
                if part.last || sorting {
                    open.end_file()?;
                }
                if part.last {
                    writer = None;
                }
            }
        }
        Ok(())
    }

    fn gather(&self, slab: &Slab, threads: usize) -> Result<RecordBatch> {
        let schema = &self.template.schema;
        let failed = |source| encode_error(self.root(), source);
        if threads == 1 || slab.rows.rows() == 0 {
            return slab.rows.gather(schema).map_err(failed);
        }
        let gather = slab.rows.ready();
        let columns: Vec<Mutex<Option<ArrayRef>>> =
            schema.fields().iter().map(|_| Mutex::default()).collect();
        for_each(threads, columns.len(), self.root(), |index| {
            let gathered = gather.column(index).map_err(failed)?;
            *columns[index]
                .lock()
                .unwrap_or_else(PoisonError::into_inner) = Some(gathered);
            Ok(())
        })?;
        let columns = columns
            .into_iter()
            .filter_map(|column| column.into_inner().unwrap_or_else(PoisonError::into_inner));
        batch_of(schema, columns.collect(), slab.rows.rows()).map_err(failed)
    }

    /// The rows in the order that was asked for; those that are equal in it stay as they stood.
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
