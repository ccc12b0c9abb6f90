//! The rows that a row group begins with, held until encodings can be chosen by them.

use std::ops::Range;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::error::ArrowError;

use super::column::{LOOK_BYTES, LOOK_ROWS};
use crate::size::size_of_rows;

/// How many batches are held before they are joined.
const MOST_LOOSE: usize = 128;

/// The first rows of a row group, those of each piece to be encoded at once.
#[derive(Default)]
pub(super) struct Held {
    rows: Vec<(RecordBatch, Vec<Range<usize>>)>,
    bytes: usize,
    /// How many of the last batches are as they came.
    loose: usize,
}

impl Held {
    /// Their size in memory.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes them out, with their pieces.
    pub(super) fn take(&mut self) -> Vec<(RecordBatch, Vec<Range<usize>>)> {
        std::mem::take(self).rows
    }

    /// How many of the pieces are needed to choose encodings, the row group having so many rows already.
    pub(super) fn wanted(
        &self,
        rows: usize,
        batch: &RecordBatch,
        pieces: &[Range<usize>],
    ) -> usize {
        let (mut rows, mut bytes) = (rows, self.bytes);
        let is_enough = |piece: &Range<usize>| {
            rows += piece.len();
            bytes += size_of(batch, piece);
            rows >= LOOK_ROWS || bytes >= LOOK_BYTES
        };
        let before = pieces.iter().position(is_enough);
        before.map_or(pieces.len(), |before| before + 1)
    }

    pub(super) fn add(
        &mut self,
        batch: &RecordBatch,
        pieces: &[Range<usize>],
    ) -> Result<(), ArrowError> {
        let (Some(first), Some(last)) = (pieces.first(), pieces.last()) else {
            return Ok(());
        };
        let moved = |piece: &Range<usize>| piece.start - first.start..piece.end - first.start;
        let pieces = pieces.iter().map(moved).collect();
        let batch = batch.slice(first.start, last.end - first.start);
        self.bytes += size_of(&batch, &(0..batch.num_rows()));
        self.rows.push((batch, pieces));
        self.loose += 1;
        if self.loose == MOST_LOOSE {
            self.join()?;
        }
        Ok(())
    }

    /// Joins the last batches: small ones take more memory than their rows.
    fn join(&mut self) -> Result<(), ArrowError> {
        let loose = self.rows.split_off(self.rows.len() - self.loose);
        self.loose = 0;
        let batches: Vec<&RecordBatch> = loose.iter().map(|(batch, _)| batch).collect();
        let Some(first) = batches.first() else {
            return Ok(());
        };
        let joined = concat_batches(first.schema_ref(), batches.iter().copied())?;
        let mut pieces = Vec::new();
        let mut before = 0;
        for (batch, of_batch) in &loose {
            pieces.extend(
                of_batch
                    .iter()
                    .map(|piece| piece.start + before..piece.end + before),
            );
            before += batch.num_rows();
        }
        self.rows.push((joined, pieces));
        Ok(())
    }

    pub(super) fn is_enough(&self, rows: usize) -> bool {
        rows >= LOOK_ROWS || self.bytes >= LOOK_BYTES
    }
}

/// The size of some rows in memory.
fn size_of(batch: &RecordBatch, rows: &Range<usize>) -> usize {
    let columns = batch.columns().iter();
    columns
        .map(|column| size_of_rows(column, rows.clone()))
        .sum()
}
