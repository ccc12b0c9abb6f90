//! Gathering: copies rows of several batches, in a given order, into one batch.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use arrow::compute::{cast, concat};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;

use super::quota::{GatherError, MemoryQuota};
use super::scatter::{Moves, Piece};
use crate::error::{Error, Step};
use crate::size::{size_of_rows, varies};

/// The least average rows of a piece at which rows are copied piece by piece rather than one by one.
const LONG: usize = 24;

/// A list of rows of several batches that are to become one batch.
#[derive(Debug, Default)]
pub(in crate::dataset) struct Selection {
    batches: Vec<Arc<RecordBatch>>,
    pieces: Vec<Piece>,
    rows: usize,
}

/// A selection made ready for gathering columns.
pub(in crate::dataset) struct Gather<'a> {
    selection: &'a Selection,
    /// The source and target of each row, where pieces are short.
    moves: Option<Moves>,
    /// The quota of columns whose rows are not all of one size.
    room: MemoryQuota,
}

/// The gathered rows, or none if they take more memory than the quota.
pub(in crate::dataset) fn unless_too_large<T>(
    gathered: Result<T, GatherError>,
    root: &Path,
) -> Result<Option<T>, Error> {
    match gathered {
        Ok(gathered) => Ok(Some(gathered)),
        Err(GatherError::TooLarge) => Ok(None),
        Err(GatherError::Failed(source)) => Err(Error::encode(Step::WriteRows, root, source)),
    }
}

impl Selection {
    pub(in crate::dataset) fn rows(&self) -> usize {
        self.rows
    }

    /// Adds a batch that pieces may refer to, and returns its index.
    pub(in crate::dataset) fn add_batch(&mut self, batch: Arc<RecordBatch>) -> u32 {
        self.batches.push(batch);
        self.batches.len() as u32 - 1
    }

    pub(in crate::dataset) fn push(&mut self, piece: Piece) {
        self.rows += piece.rows as usize;
        if let Some(last) = self.pieces.last_mut()
            && last.batch == piece.batch
            && last.start + last.rows == piece.start
        {
            last.rows += piece.rows;
            return;
        }
        self.pieces.push(piece);
    }

    /// Removes all but the first `rows` rows, and returns those removed.
    pub(in crate::dataset) fn split_off(&mut self, rows: usize) -> Selection {
        let mut rest = Selection {
            batches: self.batches.clone(),
            ..Selection::default()
        };
        let pieces = std::mem::take(&mut self.pieces);
        self.rows = 0;
        for piece in pieces {
            let before = (rows - self.rows).min(piece.rows as usize) as u32;
            let after = Piece {
                start: piece.start + before,
                rows: piece.rows - before,
                ..piece
            };
            for (selection, rows, piece) in
                [(&mut *self, before, piece), (&mut rest, after.rows, after)]
            {
                if rows > 0 {
                    selection.push(Piece { rows, ..piece });
                }
            }
        }
        rest
    }

    /// Prepares to gather columns; those with rows of varying size may take `room` bytes together.
    pub(in crate::dataset) fn ready(&self, room: usize) -> Gather<'_> {
        let short = self.rows < LONG * self.pieces.len() && self.pieces.len() > 1;
        let moves = short.then(|| Moves::new(&self.pieces, self.batches.len()));
        Gather {
            selection: self,
            moves,
            room: MemoryQuota::new(room, self.rows),
        }
    }

    /// All columns of the rows.
    pub(in crate::dataset) fn gather(
        &self,
        schema: &SchemaRef,
        room: usize,
    ) -> Result<RecordBatch, GatherError> {
        if self.rows == 0 {
            return Ok(RecordBatch::new_empty(Arc::clone(schema)));
        }
        let gather = self.ready(room);
        let columns = (0..schema.fields().len()).map(|column| gather.column(column));
        let columns = columns.collect::<Result<_, _>>()?;
        Ok(batch_of(schema, columns, self.rows)?)
    }
}

/// Makes a batch of gathered columns.
pub(in crate::dataset) fn batch_of(
    schema: &SchemaRef,
    columns: Vec<ArrayRef>,
    rows: usize,
) -> Result<RecordBatch, ArrowError> {
    // Where dictionaries were resolved, their values stand in the column's place.
    let differs = schema
        .fields()
        .iter()
        .zip(&columns)
        .any(|(field, column)| field.data_type() != column.data_type());
    let schema = if differs {
        let fields = schema.fields().iter().zip(&columns).map(|(field, column)| {
            let field = field.as_ref().clone();
            field.with_data_type(column.data_type().clone())
        });
        Arc::new(arrow::datatypes::Schema::new(fields.collect::<Vec<_>>()))
    } else {
        Arc::clone(schema)
    };
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(schema, columns, &options)
}

/// The same rows, with dictionaries replaced by their values.
pub(in crate::dataset) fn without_dictionaries(
    batch: &RecordBatch,
) -> Result<RecordBatch, ArrowError> {
    let resolved = |column: &ArrayRef| match column.data_type() {
        DataType::Dictionary(_, values) => cast(column, values),
        _ => Ok(Arc::clone(column)),
    };
    let columns = batch.columns().iter().map(resolved);
    let columns = columns.collect::<Result<_, _>>()?;
    batch_of(batch.schema_ref(), columns, batch.num_rows())
}

impl Gather<'_> {
    /// One column of the rows.
    pub(in crate::dataset) fn column(&self, column: usize) -> Result<ArrayRef, GatherError> {
        let Selection {
            batches, pieces, ..
        } = self.selection;
        debug_assert!(!pieces.is_empty(), "no rows are not gathered");
        let slice = |piece: &Piece| {
            let array = batches[piece.batch as usize].column(column);
            array.slice(piece.start as usize, piece.rows as usize)
        };
        let size = |slice: &ArrayRef| match varies(slice.data_type()) {
            true => size_of_rows(slice, 0..slice.len()),
            false => 0,
        };
        let gathered = match &self.moves {
            Some(moves) => moves.column(batches, column, &self.room)?,
            None => {
                let slices: Vec<ArrayRef> = pieces.iter().map(slice).collect();
                self.room.take(slices.iter().map(size).sum())?;
                if let [slice] = slices.as_slice() {
                    return Ok(Arc::clone(slice));
                }
                let slices: Vec<&dyn Array> = slices.iter().map(AsRef::as_ref).collect();
                concat(&slices)?
            }
        };
        Ok(compact(gathered))
    }
}

/// Copies an array of views into buffers of its own: views keep all the memory that they ever pointed into.
pub(in crate::dataset) fn compact(array: ArrayRef) -> ArrayRef {
    match array.data_type() {
        DataType::Utf8View => Arc::new(array.as_string_view().gc()),
        DataType::BinaryView => Arc::new(array.as_binary_view().gc()),
        _ => array,
    }
}
