//! Units: the rows that are given to the encoders at once.
//!
//! Where pages and record batches end depends on it, so it depends on the rows alone: neither on the
//! batches in which they came, nor on memory or threads.

use std::ops::Range;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema};

use crate::size::{size_of_rows, varies};

/// The most mini-batches of the encoders in a unit.
const MINI_BATCHES: usize = 4;
/// A unit ends with the row with which its texts, bytes and lists reach this many bytes.
const BYTES: usize = 4 << 20;

/// How rows are divided into units.
#[derive(Debug)]
pub(in crate::dataset) struct Units {
    /// The most rows of a unit.
    rows: usize,
    /// The columns whose rows are not all of one size.
    varying: Vec<usize>,
}

/// The ends of the units among some rows.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::dataset) struct Cut {
    /// For each unit the row after its last, ascending.
    pub(in crate::dataset) ends: Vec<usize>,
    /// Whether the last unit ended because of its bytes rather than its rows.
    pub(in crate::dataset) by_bytes: bool,
}

impl Cut {
    /// One unit of `rows` rows.
    pub(in crate::dataset) fn at(rows: usize) -> Self {
        Cut {
            ends: vec![rows],
            by_bytes: false,
        }
    }

    /// The rows of each unit.
    pub(in crate::dataset) fn units(&self) -> impl Iterator<Item = Range<usize>> {
        let starts = std::iter::once(&0).chain(&self.ends);
        starts.zip(&self.ends).map(|(start, end)| *start..*end)
    }

    /// The rows of each unit, no more than `most` at once.
    pub(in crate::dataset) fn pieces(&self, most: usize) -> impl Iterator<Item = Range<usize>> {
        self.units().flat_map(move |unit| {
            let starts = unit.clone().step_by(most);
            starts.map(move |start| start..unit.end.min(start + most))
        })
    }
}

/// The rows of a batch that belong to a unit.
#[derive(Debug, PartialEq, Eq)]
struct Part {
    rows: usize,
    end: End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The unit is not complete: rows that come later belong to it.
    Open,
    Rows,
    Bytes,
}

impl Units {
    pub(in crate::dataset) fn new(schema: &Schema, write_batch_size: usize) -> Self {
        let fields = schema.fields().iter().enumerate();
        let varying = fields.filter(|(_, field)| match field.data_type() {
            DataType::Dictionary(_, values) => varies(values),
            other => varies(other),
        });
        Units {
            rows: write_batch_size.max(1).saturating_mul(MINI_BATCHES),
            varying: varying.map(|(index, _)| index).collect(),
        }
    }

    /// The most rows of a unit.
    pub(in crate::dataset) fn most_rows(&self) -> usize {
        self.rows
    }

    /// Counts the rows of `batch` that belong to the unit that `begun` has begun, of at most `room` rows in all; also
    /// gives its end, if it ends in `batch`.
    pub(in crate::dataset) fn complete(
        &self,
        begun: &RecordBatch,
        batch: &RecordBatch,
        room: usize,
    ) -> (usize, Option<Cut>) {
        let rows = begun.num_rows();
        let part = self.part(
            batch,
            0,
            room.min(self.rows) - rows,
            self.size(begun, 0, rows),
        );
        let cut = (part.end != End::Open).then(|| Cut {
            ends: vec![rows + part.rows],
            by_bytes: part.end == End::Bytes,
        });
        (part.rows, cut)
    }

    /// The ends of the units in the first `room` rows of `batch`, up to the first unit after which `stops` answers
    /// yes; `stops` is told whether the unit was cut short by its bytes. A unit that `last` rows leave open ends with
    /// them.
    pub(in crate::dataset) fn cut(
        &self,
        batch: &RecordBatch,
        room: usize,
        last: bool,
        stops: impl Fn(bool) -> bool,
    ) -> Cut {
        let mut cut = Cut::default();
        let (mut start, rows) = (0, batch.num_rows());
        while start < rows.min(room) {
            let part = self.part(batch, start, self.rows.min(room - start), 0);
            if part.end == End::Open && !last {
                break;
            }
            start += part.rows;
            cut.ends.push(start);
            cut.by_bytes = part.end == End::Bytes;
            if stops(cut.by_bytes) {
                break;
            }
        }
        cut
    }

    /// The rows from `start` on of a unit that has at most `most` more rows, and `bytes` already.
    fn part(&self, batch: &RecordBatch, start: usize, most: usize, bytes: usize) -> Part {
        let rows = most.min(batch.num_rows() - start);
        let reaches = |rows: usize| bytes + self.size(batch, start, rows) >= BYTES;
        if !reaches(rows) {
            let end = if rows == most { End::Rows } else { End::Open };
            return Part { rows, end };
        }
        // The first row with which it does.
        let (mut without, mut with) = (0, rows);
        while without + 1 < with {
            let middle = without.midpoint(with);
            match reaches(middle) {
                true => with = middle,
                false => without = middle,
            }
        }
        let end = if with == most { End::Rows } else { End::Bytes };
        Part { rows: with, end }
    }

    fn size(&self, batch: &RecordBatch, start: usize, rows: usize) -> usize {
        let columns = self.varying.iter().map(|index| batch.column(*index));
        columns
            .map(|column| size_of_rows(column, start..start + rows))
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, BinaryArray, DictionaryArray, Int64Array};
    use arrow::compute::cast;
    use arrow::datatypes::Int32Type;

    use super::*;

    /// Numbers, and as many bytes in each row.
    fn rows(sizes: &[usize]) -> RecordBatch {
        let blobs = sizes.iter().map(|size| vec![7; *size]);
        let columns: [(&str, ArrayRef); 2] = [
            (
                "n",
                Arc::new(Int64Array::from_iter_values(0..sizes.len() as i64)),
            ),
            ("blob", Arc::new(BinaryArray::from_iter_values(blobs))),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    fn units(batch: &RecordBatch) -> Units {
        Units::new(&batch.schema(), 2)
    }

    fn cut(batch: &RecordBatch, room: usize, last: bool) -> (Vec<usize>, bool) {
        let cut = units(batch).cut(batch, room, last, |_| false);
        (cut.ends, cut.by_bytes)
    }

    #[test]
    fn a_unit_ends_after_so_many_rows() {
        let batch = rows(&[1; 20]);
        assert_eq!(cut(&batch, 100, false), (vec![8, 16], false));
        assert_eq!(cut(&batch, 100, true), (vec![8, 16, 20], false));
        assert_eq!(cut(&batch, 11, false), (vec![8, 11], false));
        assert_eq!(cut(&rows(&[1; 7]), 100, false), (vec![], false));
        assert_eq!(cut(&rows(&[]), 100, true), (vec![], false));
    }

    #[test]
    fn a_unit_ends_with_the_row_that_makes_it_too_large() {
        let (half, whole) = (BYTES / 2, BYTES);
        let batch = rows(&[half, half, half, half - 1, 1, whole, 1, 2 * whole, 1]);
        assert_eq!(cut(&batch, 100, false), (vec![2, 5, 6, 8], true));
        assert_eq!(cut(&batch, 100, true), (vec![2, 5, 6, 8, 9], false));
        assert_eq!(cut(&batch, 4, false), (vec![2, 4], false));
        let stopped = units(&batch).cut(&batch, 100, false, |by_bytes| by_bytes);
        assert_eq!(
            stopped,
            Cut {
                ends: vec![2],
                by_bytes: true
            }
        );
    }

    #[test]
    fn it_does_not_matter_how_much_of_a_unit_came_before() {
        let third = BYTES / 3 + 1;
        let batch = rows(&[third, 1, third, 1, 1, third, third, 1]);
        for before in 1..5 {
            let (begun, rest) = (batch.slice(0, before), batch.slice(before, 8 - before));
            let (rows, cut) = units(&batch).complete(&begun, &rest, 100);
            let expected = Cut {
                ends: vec![6],
                by_bytes: true,
            };
            assert_eq!((before + rows, cut), (6, Some(expected)));
            let few = rest.slice(0, 1);
            assert_eq!(units(&batch).complete(&begun, &few, 100), (1, None));
            let (rows, cut) = units(&batch).complete(&begun, &rest, 5);
            assert_eq!((before + rows, cut), (5, Some(Cut::at(5))));
        }
    }

    /// Dictionaries are resolved where rows are spilled, and files are to be the same.
    #[test]
    fn values_count_the_same_in_a_dictionary_and_by_themselves() {
        let long = "x".repeat(BYTES / 4);
        let texts = [Some(long.as_str()), None, Some("short")]
            .into_iter()
            .cycle()
            .take(30);
        let dictionary: DictionaryArray<Int32Type> = texts.collect();
        let of = |column: ArrayRef| RecordBatch::try_from_iter([("text", column)]).unwrap();
        let texts = of(cast(&dictionary, &DataType::Utf8).unwrap());
        let dictionary = of(Arc::new(dictionary));
        let units = |batch: &RecordBatch| {
            Units::new(&batch.schema(), 1_000).cut(batch, 1_000, true, |_| false)
        };
        assert_eq!(units(&dictionary), units(&texts));
        assert_eq!(units(&dictionary).ends, [10, 22, 30]);
        let part = dictionary.slice(5, 20);
        assert_eq!(units(&part), units(&texts.slice(5, 20)));
    }
}
