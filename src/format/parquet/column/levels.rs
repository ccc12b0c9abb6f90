//! Which rows of a flat column have a value: its definition levels.

use arrow::buffer::NullBuffer;

use super::bits::put_run;
use super::encode;

/// The definition levels of rows, 1 where there is a value and 0 where there is none.
#[derive(Debug, Default)]
pub(super) struct Levels {
    rows: usize,
    /// One a row; none as long as all rows have a value.
    levels: Vec<u8>,
}

impl Levels {
    /// Adds rows that all have a value.
    pub(super) fn add_values(&mut self, rows: usize) {
        self.rows += rows;
        if !self.levels.is_empty() {
            self.levels.resize(self.rows, 1);
        }
    }

    /// Adds rows, of which `nulls` says which have a value.
    pub(super) fn add(&mut self, nulls: &NullBuffer) {
        if nulls.null_count() == 0 {
            return self.add_values(nulls.len());
        }
        self.levels.resize(self.rows, 1);
        self.rows += nulls.len();
        let bits = nulls
            .inner()
            .inner()
            .bit_chunks(nulls.offset(), nulls.len());
        for word in bits.iter() {
            let levels: [u8; 64] = std::array::from_fn(|bit| (word >> bit & 1) as u8);
            self.levels.extend_from_slice(&levels);
        }
        let rest = bits.remainder_bits();
        let of_rest = (0..bits.remainder_len()).map(|bit| (rest >> bit & 1) as u8);
        self.levels.extend(of_rest);
    }

    /// How many values the first rows have.
    pub(super) fn values_of(&self, rows: usize) -> usize {
        match self.levels.get(..rows) {
            Some(levels) if !self.levels.is_empty() => {
                levels.iter().copied().map(usize::from).sum()
            }
            _ => rows,
        }
    }

    /// How many rows it takes to have so many values, which are not more than there are.
    pub(super) fn rows_of(&self, values: usize) -> usize {
        if self.levels.is_empty() {
            return values;
        }
        let mut found = 0;
        let last = self.levels.iter().position(|level| {
            found += usize::from(*level);
            found == values
        });
        last.map_or(self.rows, |last| last + 1)
    }

    /// Encodes the levels of the first rows as a page begins with them.
    pub(super) fn encode(&self, rows: usize, into: &mut Vec<u8>) {
        match self.levels.get(..rows) {
            Some(levels) if !self.levels.is_empty() => encode::bits(levels, into),
            _ => encode::sized(into, |into| put_run(1, rows, 1, into)),
        }
    }

    pub(super) fn remove_first(&mut self, rows: usize) {
        self.rows -= rows;
        if !self.levels.is_empty() {
            self.levels.drain(..rows);
        }
    }

    /// The memory they take, in bytes.
    pub(super) fn memory_size(&self) -> usize {
        self.levels.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_with_a_value_are_counted_and_encoded_whether_or_not_there_are_nulls() {
        let nulls = |rows: usize| NullBuffer::from_iter((0..rows).map(|row| row % 5 != 3));
        // Not at the beginning of a byte.
        let some = nulls(210).slice(7, 200);
        for first in [0, 30, 100] {
            let mut levels = Levels::default();
            levels.add_values(first);
            let mut expected = vec![1_u8; first];
            let check = |levels: &Levels, expected: &[u8]| {
                let rows = expected.len() * 2 / 3;
                let values = expected[..rows].iter().filter(|level| **level == 1).count();
                assert_eq!(levels.values_of(rows), values);
                assert!(levels.rows_of(values) <= rows);
                assert_eq!(levels.values_of(levels.rows_of(values)), values);
                let (mut bytes, mut of_expected) = (Vec::new(), Vec::new());
                levels.encode(rows, &mut bytes);
                encode::bits(&expected[..rows], &mut of_expected);
                assert_eq!(bytes, of_expected);
            };
            check(&levels, &expected);
            levels.add(&some);
            expected.extend(some.iter().map(u8::from));
            levels.add(&NullBuffer::new_valid(40));
            expected.extend([1; 40]);
            levels.add_values(3);
            expected.extend([1; 3]);
            check(&levels, &expected);
            levels.remove_first(60);
            check(&levels, &expected[60..]);
        }
    }
}
