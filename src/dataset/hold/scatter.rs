//! Putting scattered rows together column by column, reading each batch once from its start to its end.
//!
//! The rows of a partition are strewn over all batches. Taken in the order in which they are wanted, each
//! would be waited for; taken in the order in which they lie, the memory is read ahead. Columns whose
//! values have a fixed width, texts and bytes are moved here; Arrow's `interleave` moves the others.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, GenericByteArray, RecordBatch, make_array};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::compute::interleave;
use arrow::datatypes::{ArrowNativeType, ByteArrayType, DataType};
use arrow::error::ArrowError;
use arrow::util::bit_util::{ceil, unset_bit};

use super::quota::{GatherError, MemoryQuota};
use crate::size::{size_of_rows, varies};

/// Neighbouring rows of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::dataset) struct Piece {
    /// The index of the batch.
    pub(in crate::dataset) batch: u32,
    pub(in crate::dataset) start: u32,
    pub(in crate::dataset) rows: u32,
}

/// The source and target of each row that is copied.
#[derive(Debug)]
pub(in crate::dataset) struct Moves {
    /// The moves, in the order of the batches that rows are taken from.
    rows: Vec<Move>,
    /// For each batch the range of its moves.
    batches: Vec<Range<usize>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Move {
    from: u32,
    to: u32,
}

impl Moves {
    /// The moves that put `pieces` of `batches` batches one after another; they have less than 2³² rows together.
    pub(in crate::dataset) fn new(pieces: &[Piece], batches: usize) -> Moves {
        let mut ends = vec![0_usize; batches];
        for piece in pieces {
            ends[piece.batch as usize] += piece.rows as usize;
        }
        let mut sum = 0;
        let starts = ends.iter_mut().map(|end| {
            let start = sum;
            sum += *end;
            *end = start;
            start
        });
        let starts: Vec<usize> = starts.collect();
        let mut rows = vec![Move::default(); sum];
        let mut to = 0;
        for piece in pieces {
            let next = &mut ends[piece.batch as usize];
            for from in piece.start..piece.start + piece.rows {
                rows[*next] = Move { from, to };
                *next += 1;
                to += 1;
            }
        }
        let batches = starts.into_iter().zip(ends).map(|(start, end)| start..end);
        Moves {
            batches: batches.collect(),
            rows,
        }
    }

    fn of(&self, batch: usize) -> &[Move] {
        &self.rows[self.batches[batch].clone()]
    }

    /// The rows of one column, which has the same type in all batches.
    pub(in crate::dataset) fn column(
        &self,
        batches: &[Arc<RecordBatch>],
        column: usize,
        room: &MemoryQuota,
    ) -> Result<ArrayRef, GatherError> {
        let arrays: Vec<&ArrayRef> = batches.iter().map(|batch| batch.column(column)).collect();
        let Some(first) = arrays.first() else {
            return Ok(interleave(&[], &[])?);
        };
        match first.data_type() {
            DataType::Utf8 => self.bytes::<arrow::datatypes::Utf8Type>(&arrays, room),
            DataType::LargeUtf8 => self.bytes::<arrow::datatypes::LargeUtf8Type>(&arrays, room),
            DataType::Binary => self.bytes::<arrow::datatypes::BinaryType>(&arrays, room),
            DataType::LargeBinary => self.bytes::<arrow::datatypes::LargeBinaryType>(&arrays, room),
            DataType::Dictionary(keys, _) if share_values(&arrays) => {
                match keys.primitive_width() {
                    Some(1) => Ok(self.fixed::<u8>(&arrays)?),
                    Some(2) => Ok(self.fixed::<u16>(&arrays)?),
                    Some(4) => Ok(self.fixed::<u32>(&arrays)?),
                    _ => Ok(self.any(&arrays)?),
                }
            }
            // As wide as numbers, but not always aligned as these.
            DataType::Interval(_) => Ok(self.any(&arrays)?),
            other => match other.primitive_width() {
                Some(1) => Ok(self.fixed::<u8>(&arrays)?),
                Some(2) => Ok(self.fixed::<u16>(&arrays)?),
                Some(4) => Ok(self.fixed::<u32>(&arrays)?),
                Some(8) => Ok(self.fixed::<u64>(&arrays)?),
                Some(16) => Ok(self.fixed::<i128>(&arrays)?),
                _ => {
                    if varies(other) {
                        room.take(self.size(&arrays))?;
                    }
                    Ok(self.any(&arrays)?)
                }
            },
        }
    }

    /// The memory that the rows of a column take.
    fn size(&self, arrays: &[&ArrayRef]) -> usize {
        let sizes = arrays.iter().enumerate().map(|(batch, array)| {
            let rows = self.of(batch).iter().map(|row| row.from as usize);
            rows.map(|row| size_of_rows(array, row..row + 1))
                .sum::<usize>()
        });
        sizes.sum()
    }

    fn fixed<T: ArrowNativeType>(&self, arrays: &[&ArrayRef]) -> Result<ArrayRef, ArrowError> {
        let mut values = vec![T::default(); self.rows.len()];
        for (batch, array) in arrays.iter().enumerate() {
            let data = array.to_data();
            let [buffer] = data.buffers() else {
                return self.any(arrays);
            };
            let from = &buffer.typed_data::<T>()[data.offset()..data.offset() + data.len()];
            for row in self.of(batch) {
                values[row.to as usize] = from[row.from as usize];
            }
        }
        let data = arrays[0].to_data().into_builder();
        let data = data
            .offset(0)
            .len(values.len())
            .buffers(vec![Buffer::from_vec(values)])
            .nulls(self.nulls(arrays));
        Ok(make_array(data.build()?))
    }

    fn bytes<T: ByteArrayType>(
        &self,
        arrays: &[&ArrayRef],
        room: &MemoryQuota,
    ) -> Result<ArrayRef, GatherError> {
        let mut ends = vec![0_usize; self.rows.len() + 1];
        for (batch, array) in arrays.iter().enumerate() {
            let offsets = array.as_bytes::<T>().offsets();
            for row in self.of(batch) {
                let from = row.from as usize;
                let length = offsets[from + 1] - offsets[from];
                ends[row.to as usize + 1] = length.as_usize();
            }
        }
        let mut sum = 0;
        for end in &mut ends {
            sum += *end;
            *end = sum;
        }
        room.take(sum)?;
        let mut values = vec![0_u8; sum];
        for (batch, array) in arrays.iter().enumerate() {
            let array = array.as_bytes::<T>();
            let (offsets, from) = (array.offsets(), array.values());
            for row in self.of(batch) {
                let (to, row) = (row.to as usize, row.from as usize);
                let text = &from[offsets[row].as_usize()..offsets[row + 1].as_usize()];
                values[ends[to]..ends[to + 1]].copy_from_slice(text);
            }
        }
        let offsets: ScalarBuffer<T::Offset> = ends.into_iter().map(T::Offset::usize_as).collect();
        let array = GenericByteArray::<T>::try_new(
            OffsetBuffer::new(offsets),
            Buffer::from_vec(values),
            self.nulls(arrays),
        )?;
        Ok(Arc::new(array))
    }

    fn nulls(&self, arrays: &[&ArrayRef]) -> Option<NullBuffer> {
        if arrays.iter().all(|array| array.null_count() == 0) {
            return None;
        }
        let mut valid = vec![u8::MAX; ceil(self.rows.len(), 8)];
        for (batch, array) in arrays.iter().enumerate() {
            let Some(nulls) = array.nulls() else {
                continue;
            };
            for row in self.of(batch) {
                if nulls.is_null(row.from as usize) {
                    unset_bit(&mut valid, row.to as usize);
                }
            }
        }
        let valid = BooleanBuffer::new(Buffer::from_vec(valid), 0, self.rows.len());
        let nulls = NullBuffer::new(valid);
        (nulls.null_count() > 0).then_some(nulls)
    }

    fn any(&self, arrays: &[&ArrayRef]) -> Result<ArrayRef, ArrowError> {
        let mut places = vec![(0, 0); self.rows.len()];
        for batch in 0..arrays.len() {
            for row in self.of(batch) {
                places[row.to as usize] = (batch, row.from as usize);
            }
        }
        let arrays: Vec<&dyn Array> = arrays.iter().map(|array| array.as_ref()).collect();
        interleave(&arrays, &places)
    }
}

/// Whether arrays are dictionaries with the same values in memory.
fn share_values(arrays: &[&ArrayRef]) -> bool {
    let values = |array: &ArrayRef| {
        let dictionary = array.as_any_dictionary_opt();
        dictionary.map(|dictionary| dictionary.values().to_data())
    };
    let Some(first) = arrays.first().and_then(|array| values(array)) else {
        return false;
    };
    let mut rest = arrays[1..].iter();
    rest.all(|array| values(array).is_some_and(|values| values.ptr_eq(&first)))
}

#[cfg(test)]
mod tests {
    use arrow::array::{
        ArrowPrimitiveType, BinaryArray, BooleanArray, Decimal128Array, Decimal256Array,
        LargeStringArray, ListArray, PrimitiveArray, StringArray, StringViewArray,
    };
    use arrow::datatypes::{Float64Type, Int8Type, Int16Type, Int32Type, i256};
    use proptest::prelude::*;

    use super::*;

    fn numbers<T: ArrowPrimitiveType>(values: &[Option<i8>], of: fn(i8) -> T::Native) -> ArrayRef {
        let values = values.iter().map(|value| value.map(of));
        Arc::new(PrimitiveArray::<T>::from_iter(values))
    }

    /// Columns of many types, in a part of a larger batch.
    fn batch(values: &[Option<i8>], skip: usize) -> RecordBatch {
        let texts = || {
            let text = |value: &i8| "é".repeat(usize::from(value.unsigned_abs()) % 7);
            values.iter().map(move |value| value.as_ref().map(text))
        };
        let decimals = values.iter().map(|value| value.map(i128::from));
        let wide = values.iter().map(|value| value.map(i256::from));
        let bools = values.iter().map(|value| value.map(|value| value > 0));
        let lists = values.iter().map(|value| Some(vec![*value; 2]));
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("i8", numbers::<Int8Type>(values, |value| value)),
            ("i16", numbers::<Int16Type>(values, i16::from)),
            ("i32", numbers::<Int32Type>(values, i32::from)),
            ("f64", numbers::<Float64Type>(values, f64::from)),
            ("decimal", Arc::new(Decimal128Array::from_iter(decimals))),
            ("wide decimal", Arc::new(Decimal256Array::from_iter(wide))),
            ("bool", Arc::new(BooleanArray::from_iter(bools))),
            ("text", Arc::new(StringArray::from_iter(texts()))),
            ("large text", Arc::new(LargeStringArray::from_iter(texts()))),
            ("bytes", Arc::new(BinaryArray::from_iter(texts()))),
            ("view", Arc::new(StringViewArray::from_iter(texts()))),
            (
                "list",
                Arc::new(ListArray::from_iter_primitive::<Int8Type, _, _>(lists)),
            ),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        batch.slice(skip, batch.num_rows() - skip)
    }

    proptest! {
        /// Whatever the types, the nulls and the places of rows.
        #[test]
        fn rows_come_in_the_order_of_their_pieces(
            batches in prop::collection::vec(
                (prop::collection::vec(any::<Option<i8>>(), 9..40), 0..9_usize),
                1..4,
            ),
            wanted in prop::collection::vec((any::<u32>(), any::<u32>(), 0..3_u32), 1..30),
        ) {
            let batches: Vec<Arc<RecordBatch>> = batches
                .iter()
                .map(|(values, skip)| Arc::new(batch(values, (*skip).min(values.len() - 3))))
                .collect();
            let pieces: Vec<Piece> = wanted
                .into_iter()
                .map(|(batch, start, rows)| {
                    let batch = batch % batches.len() as u32;
                    let last = batches[batch as usize].num_rows() as u32 - rows;
                    Piece { batch, start: start % (last + 1), rows }
                })
                .collect();
            let moves = Moves::new(&pieces, batches.len());
            let places: Vec<(usize, usize)> = pieces
                .iter()
                .flat_map(|piece| {
                    let rows = piece.start as usize..(piece.start + piece.rows) as usize;
                    rows.map(|row| (piece.batch as usize, row))
                })
                .collect();
            for column in 0..batches[0].num_columns() {
                let arrays: Vec<&dyn Array> =
                    batches.iter().map(|batch| batch.column(column).as_ref()).collect();
                let expected = interleave(&arrays, &places).unwrap();
                let room = MemoryQuota::new(usize::MAX, places.len());
                prop_assert_eq!(&moves.column(&batches, column, &room).unwrap(), &expected);
            }
        }
    }
}
