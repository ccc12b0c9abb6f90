//! Rows that had to leave memory: runs of rows in order of their partitions, in scratch files.
//!
//! A run is written as blocks, Arrow IPC streams of one batch each, compressed with LZ4, and what is
//! needed to find a partition's rows in it stays in memory. Each block has a checksum, so that what
//! comes back is what left. The scratch files are as many as there are threads, whatever the number
//! of runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::CompressionType;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::{IpcWriteOptions, StreamWriter};
use twox_hash::XxHash3_128;

use super::gather::{Selection, without_dictionaries};
use crate::disk::DiskFile;
use crate::error::{Error, IoContext, Result, Step};

/// A scratch file, which only grows.
#[derive(Debug)]
pub(super) struct Scratch {
    file: Box<dyn DiskFile>,
    len: u64,
    /// The data set's root; for messages.
    root: PathBuf,
}

/// A batch in a scratch file.
#[derive(Debug, Clone, Copy)]
struct Block {
    scratch: u32,
    offset: u64,
    len: u32,
    /// Its place among the rows of its run.
    first_row: u64,
    hash: u128,
}

/// Rows in order of their partitions.
#[derive(Debug, Default)]
pub(super) struct Run {
    blocks: Vec<Block>,
    /// The partitions that it has rows of, ascending, each with its first row.
    partitions: Vec<(u32, u64)>,
    rows: u64,
}

#[derive(Debug, thiserror::Error)]
enum Unreadable {
    #[error("spilled rows came back changed")]
    Changed,
    #[error("a spilled block is too large")]
    TooLarge,
}

impl Scratch {
    pub(super) fn new(file: Box<dyn DiskFile>, root: &Path) -> Self {
        Scratch {
            file,
            len: 0,
            root: root.to_owned(),
        }
    }

    fn append(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let written = match self.file.write(bytes) {
                Ok(0) => Err(std::io::ErrorKind::WriteZero.into()),
                written => written,
            };
            let written = written.at(Step::WriteRows, &self.root)?;
            self.len += written as u64;
            bytes = &bytes[written..];
        }
        Ok(())
    }

    fn read(&self, block: &Block) -> Result<RecordBatch> {
        let mut bytes = vec![0; block.len as usize];
        let mut filled = 0;
        while filled < bytes.len() {
            let offset = block.offset + filled as u64;
            let read = match self.file.read_at(&mut bytes[filled..], offset) {
                Ok(0) => Err(std::io::ErrorKind::UnexpectedEof.into()),
                read => read,
            };
            filled += read.at(Step::WriteRows, &self.root)?;
        }
        if XxHash3_128::oneshot(&bytes) != block.hash {
            return Err(self.unreadable(Unreadable::Changed));
        }
        let mut reader = StreamReader::try_new(bytes.as_slice(), None)
            .map_err(|source| encode(&self.root, source))?;
        match reader.next() {
            Some(batch) => batch.map_err(|source| encode(&self.root, source)),
            None => Err(self.unreadable(Unreadable::Changed)),
        }
    }

    fn unreadable(&self, source: Unreadable) -> Error {
        Error::Encode {
            step: Step::WriteRows,
            path: self.root.clone(),
            source: Box::new(source),
        }
    }
}

pub(super) fn encode(path: &Path, source: ArrowError) -> Error {
    Error::Encode {
        step: Step::WriteRows,
        path: path.to_owned(),
        source: Box::new(source),
    }
}

impl Run {
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    pub(super) fn memory(&self) -> usize {
        self.blocks.len() * size_of::<Block>() + self.partitions.len() * 16
    }

    /// Adds a block; `parts` are the partitions of its rows, ascending, each with its rows.
    pub(super) fn append(
        &mut self,
        scratch: &mut Scratch,
        number: usize,
        rows: &Selection,
        parts: impl Iterator<Item = (u32, usize)>,
        schema: &SchemaRef,
    ) -> Result<()> {
        if rows.rows() == 0 {
            return Ok(());
        }
        let bytes = rows
            .gather(schema)
            .and_then(|batch| block_of(&batch))
            .map_err(|source| encode(&scratch.root, source))?;
        let Ok(len) = u32::try_from(bytes.len()) else {
            return Err(scratch.unreadable(Unreadable::TooLarge));
        };
        let block = Block {
            scratch: number as u32,
            offset: scratch.len,
            len,
            first_row: self.rows,
            hash: XxHash3_128::oneshot(&bytes),
        };
        scratch.append(&bytes)?;
        self.blocks.push(block);
        for (partition, rows) in parts {
            if self
                .partitions
                .last()
                .is_none_or(|last| last.0 != partition)
            {
                self.partitions.push((partition, self.rows));
            }
            self.rows += rows as u64;
        }
        Ok(())
    }

    /// Adds the rows of a run of later partitions.
    pub(super) fn extend(&mut self, next: Run) {
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

    /// Which of its rows are of a partition.
    pub(super) fn rows_of(&self, partition: u32) -> std::ops::Range<u64> {
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

    /// The block that has a row, by its place, and the row's place in it.
    pub(super) fn find(&self, row: u64) -> (usize, u64) {
        let after = self.blocks.partition_point(|block| block.first_row <= row);
        let place = after.saturating_sub(1);
        (place, row - self.blocks[place].first_row)
    }

    pub(super) fn load(&self, scratch: &[Scratch], place: usize) -> Result<Arc<RecordBatch>> {
        let block = &self.blocks[place];
        scratch[block.scratch as usize].read(block).map(Arc::new)
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
