//! Reading the rows of partitions in order, from memory and from spilled runs.
//!
//! Rows lie in sources, older ones first: runs that were spilled, then what is in memory. A
//! partition's rows are those of each layer in turn, so they come out in the order in which they
//! went in. They are given as chunks of a bounded number of rows: several small partitions, or a part
//! of one.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;

use super::buffer::Sorted;
use super::gather::Selection;
use super::memory::size_of_copy;
use super::scatter::Piece;
use super::spill::{Part, Run};
use crate::dataset::schedule::Portion;
use crate::error::{Error, Result};
use crate::scratch::Scratch;

/// The sources of the rows: spilled runs and memory, each sorted by partition.
#[derive(Debug)]
pub(in crate::dataset) struct RowSources<'a> {
    pub(in crate::dataset) runs: &'a [Run],
    pub(in crate::dataset) scratch: &'a Scratch,
    pub(in crate::dataset) memory: &'a Sorted,
}

/// A chunk: rows of bounded number and size, in order of partitions.
#[derive(Debug, Default)]
pub(in crate::dataset) struct RowChunk {
    pub(in crate::dataset) rows: Selection,
    /// The partitions of the rows, in order.
    pub(in crate::dataset) parts: Vec<Part>,
}

impl RowChunk {
    /// The rows before its middle, and the others. It has more than one.
    pub(in crate::dataset) fn halves(mut self) -> (RowChunk, RowChunk) {
        let mut left = self.rows.rows() / 2;
        let second = self.rows.split_off(left);
        let mut parts = Vec::new();
        self.parts.retain_mut(|part| {
            let before = part.rows.min(left);
            let is_before = left > 0 && before == part.rows;
            left -= before;
            if is_before {
                return true;
            }
            parts.push(Part {
                rows: part.rows - before,
                ..*part
            });
            part.rows = before;
            part.last = false;
            before > 0
        });
        let second = RowChunk {
            rows: second,
            parts,
        };
        (self, second)
    }
}

/// Reads the rows of a range of partitions.
#[derive(Debug)]
pub(in crate::dataset) struct Reader<'a> {
    sources: &'a RowSources<'a>,
    partitions: Range<u32>,
    portion: Portion,
    /// The index of the source of the next row; runs come before memory.
    layer: usize,
    /// The next row within the layer's rows of the partition; in memory, the next piece and the next
    /// row of it.
    row: u64,
    piece: usize,
    cursors: Vec<Cursor>,
    /// The memory of the rows of this chunk that were read from blocks.
    loaded: usize,
    /// For each batch in memory its index in the chunk, if it was added to it.
    places: Vec<Option<u32>>,
    used: Vec<u32>,
}

/// The block of a run that was read last.
#[derive(Debug, Default)]
struct Cursor {
    block: Option<Loaded>,
    place: Option<u32>,
}

#[derive(Debug)]
struct Loaded {
    /// The index of the block in the run.
    place: usize,
    batch: Arc<RecordBatch>,
    /// The average memory of a row of the block.
    row_bytes: usize,
}

impl<'a> Reader<'a> {
    pub(in crate::dataset) fn new(
        sources: &'a RowSources<'a>,
        partitions: Range<u32>,
        portion: Portion,
    ) -> Self {
        Reader {
            sources,
            partitions,
            portion,
            layer: 0,
            row: 0,
            piece: 0,
            cursors: sources.runs.iter().map(|_| Cursor::default()).collect(),
            loaded: 0,
            places: vec![None; sources.memory.batches.len()],
            used: Vec::new(),
        }
    }

    /// Calls `take` with all rows, chunk by chunk.
    ///
    /// `gather` puts a chunk's rows together unless they take more than its room, and then it gets them in
    /// halves.
    pub(in crate::dataset) fn for_each<E: From<Error>>(
        mut self,
        gather: impl Fn(&RowChunk, usize) -> Result<Option<RecordBatch>>,
        mut take: impl FnMut(&[Part], RecordBatch) -> Result<(), E>,
    ) -> Result<(), E> {
        while let Some(chunk) = self.next()? {
            let mut chunks = vec![chunk];
            while let Some(chunk) = chunks.pop() {
                if let Some(rows) = gather(&chunk, self.portion.bytes)? {
                    let RowChunk {
                        parts,
                        rows: gathered,
                    } = chunk;
                    drop(gathered);
                    take(&parts, rows)?;
                } else {
                    let (first, second) = chunk.halves();
                    chunks.extend([second, first]);
                }
            }
        }
        Ok(())
    }

    /// The next rows, or none when there are no more.
    fn next(&mut self) -> Result<Option<RowChunk>> {
        let mut chunk = RowChunk::default();
        self.loaded = 0;
        while !self.partitions.is_empty() && self.wanted(&chunk.rows) > 0 {
            let partition = self.partitions.start;
            let before = chunk.rows.rows();
            while self.layer <= self.sources.runs.len() && self.wanted(&chunk.rows) > 0 {
                self.read_layer(&mut chunk.rows)?;
            }
            let last = self.layer > self.sources.runs.len();
            let rows = chunk.rows.rows() - before;
            if rows > 0 || last {
                chunk.parts.push(Part {
                    partition,
                    rows,
                    last,
                });
            }
            if last {
                self.partitions.start += 1;
                self.layer = 0;
            }
        }
        for batch in self.used.drain(..) {
            self.places[batch as usize] = None;
        }
        for cursor in &mut self.cursors {
            cursor.place = None;
        }
        Ok((!chunk.parts.is_empty()).then_some(chunk))
    }

    /// How many more rows the chunk may have.
    fn wanted(&self, rows: &Selection) -> usize {
        self.portion.wanted(rows.rows(), self.loaded)
    }

    /// Reads from one layer until the chunk is full or the layer has no more of the partition.
    fn read_layer(&mut self, rows: &mut Selection) -> Result<()> {
        let partition = self.partitions.start;
        let done = match self.sources.runs.get(self.layer) {
            Some(run) => self.read_run(run, run.rows_of(partition), rows)?,
            None => self.read_memory(partition, rows),
        };
        if done {
            self.layer += 1;
            (self.row, self.piece) = (0, 0);
        }
        Ok(())
    }

    fn read_run(&mut self, run: &Run, of: Range<u64>, rows: &mut Selection) -> Result<bool> {
        while of.start + self.row < of.end {
            let wanted = self.wanted(rows);
            if wanted == 0 {
                return Ok(false);
            }
            let cursor = &mut self.cursors[self.layer];
            let (place, start) = run.find(of.start + self.row);
            let Loaded {
                batch, row_bytes, ..
            } = match &cursor.block {
                Some(loaded) if loaded.place == place => loaded,
                _ => {
                    cursor.place = None;
                    // The old block goes before the new one comes.
                    cursor.block = None;
                    let batch = run.load(self.sources.scratch, place)?;
                    cursor.block.insert(Loaded {
                        place,
                        row_bytes: size_of_copy(&batch) / batch.num_rows().max(1),
                        batch,
                    })
                }
            };
            let in_block = batch.num_rows() as u64 - start;
            let count = in_block
                .min(of.end - of.start - self.row)
                .min(wanted as u64);
            let place = *cursor
                .place
                .get_or_insert_with(|| rows.add_batch(Arc::clone(batch)));
            rows.push(Piece {
                batch: place,
                start: start as u32,
                rows: count as u32,
            });
            self.loaded += (*row_bytes as u64 * count) as usize;
            self.row += count;
        }
        Ok(true)
    }

    fn read_memory(&mut self, partition: u32, rows: &mut Selection) -> bool {
        let memory = self.sources.memory;
        let pieces = memory.pieces(partition as usize);
        while let Some(piece) = pieces.get(self.piece) {
            let wanted = self.wanted(rows);
            if wanted == 0 {
                return false;
            }
            let batch = piece.batch;
            let place = *self.places[batch as usize].get_or_insert_with(|| {
                self.used.push(batch);
                rows.add_batch(Arc::clone(&memory.batches[batch as usize]))
            });
            let left = piece.rows - self.row as u32;
            let count = left.min(u32::try_from(wanted).unwrap_or(u32::MAX));
            rows.push(Piece {
                batch: place,
                start: piece.start + self.row as u32,
                rows: count,
            });
            if count == left {
                self.piece += 1;
                self.row = 0;
            } else {
                self.row += u64::from(count);
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(parts: &[(u32, usize, bool)]) -> RowChunk {
        let mut chunk = RowChunk::default();
        let mut start = 0;
        for (partition, rows, last) in parts.iter().copied() {
            chunk.rows.push(Piece {
                batch: 0,
                start,
                rows: rows as u32,
            });
            // No neighbours, so that pieces stay as they are.
            start += rows as u32 + 1;
            chunk.parts.push(Part {
                partition,
                rows,
                last,
            });
        }
        chunk
    }

    fn parts(chunk: &RowChunk) -> Vec<(u32, usize, bool)> {
        let parts = chunk.parts.iter();
        parts
            .map(|part| (part.partition, part.rows, part.last))
            .collect()
    }

    #[test]
    fn halves_have_the_rows_of_the_whole_and_end_partitions_once() {
        for (whole, first, second) in [
            (vec![(3, 8, true)], vec![(3, 4, false)], vec![(3, 4, true)]),
            (
                vec![(3, 9, false)],
                vec![(3, 4, false)],
                vec![(3, 5, false)],
            ),
            (
                vec![(1, 2, true), (2, 2, true)],
                vec![(1, 2, true)],
                vec![(2, 2, true)],
            ),
            (
                vec![(1, 0, true), (2, 3, true), (4, 0, true), (5, 3, false)],
                vec![(1, 0, true), (2, 3, true)],
                vec![(4, 0, true), (5, 3, false)],
            ),
            (
                vec![(1, 1, true), (2, 6, true), (3, 1, false)],
                vec![(1, 1, true), (2, 3, false)],
                vec![(2, 3, true), (3, 1, false)],
            ),
        ] {
            let (one, other) = chunk(&whole).halves();
            assert_eq!((parts(&one), parts(&other)), (first, second), "{whole:?}");
            let rows = |chunk: &RowChunk| chunk.parts.iter().map(|part| part.rows).sum::<usize>();
            assert_eq!(
                (rows(&one), rows(&other)),
                (one.rows.rows(), other.rows.rows())
            );
        }
    }
}
