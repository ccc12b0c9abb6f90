//! Putting rows from several batches together, in order.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use arrow::compute::{cast, concat};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;

use super::scatter::Moves;

/// Below this many rows a piece, rows are copied one by one, else piece by piece.
const LONG: usize = 24;

/// Neighbouring rows of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    /// Which batch, by its place in a list.
    pub(super) batch: u32,
    pub(super) start: u32,
    pub(super) rows: u32,
}

/// Rows out of several batches, not yet put together.
#[derive(Debug, Default)]
pub(super) struct Selection {
    batches: Vec<Arc<RecordBatch>>,
    pieces: Vec<Piece>,
    rows: usize,
}

/// A selection made ready for gathering columns.
pub(super) struct Gather<'a> {
    selection: &'a Selection,
    /// Each row's way, where pieces are short.
    moves: Option<Moves>,
}

impl Selection {
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Adds a batch that pieces may be of, and says which place it has.
    pub(super) fn add_batch(&mut self, batch: Arc<RecordBatch>) -> u32 {
        self.batches.push(batch);
        self.batches.len() as u32 - 1
    }

    pub(super) fn push(&mut self, piece: Piece) {
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

    pub(super) fn ready(&self) -> Gather<'_> {
        let short = self.rows < LONG * self.pieces.len() && self.pieces.len() > 1;
        let moves = short.then(|| Moves::new(&self.pieces, self.batches.len()));
        Gather {
            selection: self,
            moves,
        }
    }

    /// All columns of the rows.
    pub(super) fn gather(&self, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
        if self.rows == 0 {
            return Ok(RecordBatch::new_empty(Arc::clone(schema)));
        }
        let gather = self.ready();
        let columns = (0..schema.fields().len()).map(|column| gather.column(column));
        batch_of(schema, columns.collect::<Result<_, _>>()?, self.rows)
    }
}

/// Makes a batch of gathered columns.
pub(super) fn batch_of(
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

/// The same rows, the values of dictionaries in their place.
pub(super) fn without_dictionaries(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
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
    pub(super) fn column(&self, column: usize) -> Result<ArrayRef, ArrowError> {
        let Selection {
            batches, pieces, ..
        } = self.selection;
        debug_assert!(!pieces.is_empty(), "no rows are not gathered");
        if let [piece] = pieces.as_slice() {
            let array = batches[piece.batch as usize].column(column);
            return Ok(array.slice(piece.start as usize, piece.rows as usize));
        }
        let gathered = match &self.moves {
            Some(moves) => moves.column(batches, column)?,
            None => {
                let slices = pieces.iter().map(|piece| {
                    let array = batches[piece.batch as usize].column(column);
                    array.slice(piece.start as usize, piece.rows as usize)
                });
                let slices: Vec<ArrayRef> = slices.collect();
                let slices: Vec<&dyn Array> = slices.iter().map(AsRef::as_ref).collect();
                concat(&slices)?
            }
        };
        Ok(compact(gathered))
    }
}

/// Views keep all the memory they once pointed into.
pub(super) fn compact(array: ArrayRef) -> ArrayRef {
    match array.data_type() {
        DataType::Utf8View => Arc::new(array.as_string_view().gc()),
        DataType::BinaryView => Arc::new(array.as_binary_view().gc()),
        _ => array,
    }
}
