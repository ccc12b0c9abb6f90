//! Spilled rows: runs in the scratch file, each sorted by partition.
//!
//! A run is written as blocks, Arrow IPC streams of one batch each, compressed with LZ4, and what is
//! needed to find a partition's rows in it stays in memory.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use arrow::ipc::CompressionType;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::{IpcWriteOptions, StreamWriter};

use super::gather::without_dictionaries;
use crate::error::{Error, Result, Step};
use crate::scratch::{Extent, Scratch};

/// A batch in the scratch file.
#[derive(Debug, Clone, Copy)]
struct Block {
    extent: Extent,
    /// The index of its first row in the run.
    first_row: u64,
}

/// The rows of one partition in a chunk.
#[derive(Debug, Clone, Copy)]
pub(in crate::dataset) struct Part {
    pub(in crate::dataset) partition: u32,
    pub(in crate::dataset) rows: usize,
    /// Whether these are the last rows of the partition.
    pub(in crate::dataset) last: bool,
}

/// A run: rows sorted by partition, in blocks of the scratch file.
#[derive(Debug, Default)]
pub(in crate::dataset) struct Run {
    blocks: Vec<Block>,
    /// The partitions that have rows in the run, ascending, each with the index of its first row.
    partitions: Vec<(u32, u64)>,
    rows: u64,
}

impl Run {
    pub(in crate::dataset) fn rows(&self) -> u64 {
        self.rows
    }

    pub(in crate::dataset) fn memory(&self) -> usize {
        self.blocks.len() * size_of::<Block>() + self.partitions.len() * 16
    }

    /// Adds a block of rows; `parts` are the partitions of the rows, in order.
    pub(in crate::dataset) fn append(
        &mut self,
        scratch: &Scratch,
        rows: &RecordBatch,
        parts: &[Part],
    ) -> Result<()> {
        if rows.num_rows() == 0 {
            return Ok(());
        }
        let bytes = block_of(rows)
            .map_err(|source| Error::encode(Step::WriteRows, scratch.root(), source))?;
        self.blocks.push(Block {
            extent: scratch.append(&bytes)?,
            first_row: self.rows,
        });
        for part in parts {
            if self
                .partitions
                .last()
                .is_none_or(|last| last.0 != part.partition)
            {
                self.partitions.push((part.partition, self.rows));
            }
            self.rows += part.rows as u64;
        }
        Ok(())
    }

    /// Appends another run, which has only later partitions.
    pub(in crate::dataset) fn extend(&mut self, next: Run) {
        let rows = self.rows;
        self.blocks.extend(next.blocks.into_iter().map(|mut block| {
            block.first_row += rows;
            block
        }));
        let partitions = next.partitions.into_iter();
        self.partitions
            .extend(partitions.map(|(partition, first)| (partition, first + rows)));
        self.rows += next.rows;
    }

    /// The range of rows that belong to a partition.
    pub(in crate::dataset) fn rows_of(&self, partition: u32) -> std::ops::Range<u64> {
        let found = self
            .partitions
            .binary_search_by_key(&partition, |entry| entry.0);
        match found {
            Ok(place) => {
                let next = self.partitions.get(place + 1);
                self.partitions[place].1..next.map_or(self.rows, |next| next.1)
            }
            Err(_) => 0..0,
        }
    }

    /// The index of the block that has a row, and the index of the row in that block.
    pub(in crate::dataset) fn find(&self, row: u64) -> (usize, u64) {
        let after = self.blocks.partition_point(|block| block.first_row <= row);
        let place = after.saturating_sub(1);
        (place, row - self.blocks[place].first_row)
    }

    pub(in crate::dataset) fn load(
        &self,
        scratch: &Scratch,
        place: usize,
    ) -> Result<Arc<RecordBatch>> {
        let bytes = scratch.read(&self.blocks[place].extent)?;
        let failed = |source: ArrowError| Error::encode(Step::WriteRows, scratch.root(), source);
        let mut reader = StreamReader::try_new(bytes.as_slice(), None).map_err(failed)?;
        match reader.next() {
            Some(batch) => batch.map(Arc::new).map_err(failed),
            None => Err(scratch.changed()),
        }
    }
}

fn block_of(batch: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
    // Each block would carry the whole dictionary, and come back with one of its own.
    let batch = &without_dictionaries(batch)?;
    let options =
        IpcWriteOptions::default().try_with_compression(Some(CompressionType::LZ4_FRAME))?;
    let mut writer = StreamWriter::try_new_with_options(Vec::new(), &batch.schema(), options)?;
    writer.write(batch)?;
    writer.into_inner()
}
