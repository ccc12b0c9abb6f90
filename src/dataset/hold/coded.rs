//! Texts and bytes of few distinct values, held as codes: what is moved from row to row is then two bytes, and each value is
//! looked up once a row as rows come, and not again when they are encoded.
//!
//! Codes are numbers in one dictionary for all rows that are held, which only grows.

use std::hash::BuildHasher as _;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, GenericByteArray, UInt16Array};
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{ArrowNativeType as _, ByteArrayType, DataType, UInt16Type};
use arrow::error::ArrowError;
use hashbrown::{DefaultHashBuilder, HashTable};

use crate::short_texts::{ShortText, ShortTexts};

/// The most distinct values, and bytes of them.
const MOST_VALUES: usize = 1 << 12;
const MOST_BYTES: usize = 256 << 10;
/// After how many rows it is asked whether the values repeat enough, and how often each must be there on average.
const FIRST: usize = 1 << 10;
const REPEATED: usize = 4;

/// The codes of the values of a column.
#[derive(Debug, Default)]
pub(super) struct Coder {
    hasher: DefaultHashBuilder,
    codes: HashTable<u16>,
    short: ShortTexts,
    /// Where each value ends.
    ends: Vec<usize>,
    bytes: Vec<u8>,
    rows: usize,
    /// The values as an array, if there is one of all of them.
    values: Option<ArrayRef>,
}

/// Whether a column of the type may be held as codes.
pub(in crate::dataset) fn is_codeable(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Binary | DataType::LargeBinary
    )
}

impl Coder {
    /// The values of an array as codes, or `None` where they are too many.
    pub(super) fn code(&mut self, array: &ArrayRef) -> Result<Option<ArrayRef>, ArrowError> {
        match array.data_type() {
            DataType::Utf8 => self.code_strings(array.as_string::<i32>()),
            DataType::LargeUtf8 => self.code_strings(array.as_string::<i64>()),
            DataType::Binary => self.code_strings(array.as_binary::<i32>()),
            DataType::LargeBinary => self.code_strings(array.as_binary::<i64>()),
            _ => Ok(None),
        }
    }

    fn code_strings<T: ByteArrayType>(
        &mut self,
        array: &GenericByteArray<T>,
    ) -> Result<Option<ArrayRef>, ArrowError> {
        let mut codes: Vec<u16> = Vec::with_capacity(array.len());
        let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0);
        let (offsets, bytes) = (array.value_offsets(), array.value_data());
        for row in 0..array.len() {
            if nulls.is_some_and(|nulls| nulls.is_null(row)) {
                codes.push(0);
                continue;
            }
            let (start, end) = (offsets[row].as_usize(), offsets[row + 1].as_usize());
            let short = ShortText::of(bytes, start, end);
            let code = match short.and_then(|short| self.short.get(short)) {
                Some(code) => code as u16,
                None => {
                    let Some(code) = self.code_of(&bytes[start..end]) else {
                        return Ok(None);
                    };
                    if let Some(short) = short {
                        self.short.put(short, code.into());
                    }
                    code
                }
            };
            codes.push(code);
            self.rows += 1;
            if self.rows == FIRST && self.ends.len() > FIRST / REPEATED {
                return Ok(None);
            }
        }
        let codes = UInt16Array::new(codes.into(), nulls.cloned());
        let values = self.values::<T>()?;
        Ok(Some(Arc::new(DictionaryArray::<UInt16Type>::try_new(
            codes, values,
        )?)))
    }

    fn value(&self, code: u16) -> &[u8] {
        value(&self.ends, &self.bytes, code)
    }

    /// The code of a value, a new one if it has none; `None` where there is no room for it.
    fn code_of(&mut self, text: &[u8]) -> Option<u16> {
        let hash = self.hasher.hash_one(text);
        if let Some(code) = self.codes.find(hash, |code| self.value(*code) == text) {
            return Some(*code);
        }
        if self.ends.len() == MOST_VALUES || self.bytes.len() + text.len() > MOST_BYTES {
            return None;
        }
        let code = self.ends.len() as u16;
        self.bytes.extend_from_slice(text);
        self.ends.push(self.bytes.len());
        let (hasher, ends, bytes) = (&self.hasher, &self.ends, &self.bytes);
        self.codes.insert_unique(hash, code, |code| {
            hasher.hash_one(value(ends, bytes, *code))
        });
        self.values = None;
        Some(code)
    }

    fn values<T: ByteArrayType>(&mut self) -> Result<ArrayRef, ArrowError> {
        if let Some(values) = &self.values {
            return Ok(Arc::clone(values));
        }
        let ends = std::iter::once(&0).chain(&self.ends);
        let offsets: ScalarBuffer<T::Offset> = match self.ends.is_empty() {
            // A dictionary without a value has no codes, not even for nulls.
            true => [0, 0].map(T::Offset::usize_as).to_vec().into(),
            false => ends.map(|end| T::Offset::usize_as(*end)).collect(),
        };
        let bytes = Buffer::from_slice_ref(&self.bytes);
        let values = GenericByteArray::<T>::try_new(OffsetBuffer::new(offsets), bytes, None)?;
        Ok(Arc::clone(self.values.insert(Arc::new(values))))
    }

    /// An array of codes with the values that all rows share which came so far.
    pub(super) fn shared(&self, array: &ArrayRef) -> ArrayRef {
        match (array.as_any_dictionary_opt(), &self.values) {
            (Some(codes), Some(values)) => codes.with_values(Arc::clone(values)),
            _ => Arc::clone(array),
        }
    }
}

fn value<'a>(ends: &[usize], bytes: &'a [u8], code: u16) -> &'a [u8] {
    let code = usize::from(code);
    let start = if code == 0 { 0 } else { ends[code - 1] };
    &bytes[start..ends[code]]
}

#[cfg(test)]
mod tests {
    use arrow::array::StringArray;
    use arrow::compute::cast;

    use super::*;

    fn texts(values: &[Option<String>]) -> ArrayRef {
        Arc::new(StringArray::from_iter(values.iter().cloned()))
    }

    #[test]
    fn codes_stand_for_the_values_also_when_more_come_later() {
        let mut coder = Coder::default();
        let batches = [
            texts(&[None, None]),
            texts(&[
                Some("a".into()),
                None,
                Some(String::new()),
                Some("a".into()),
            ]),
            texts(&[Some("b".into()), Some("a".into())]).slice(1, 1),
            texts(&[Some("long and new".into()), None]),
        ];
        let coded: Vec<ArrayRef> = batches
            .iter()
            .map(|batch| coder.code(batch).unwrap().unwrap())
            .collect();
        for (batch, coded) in batches.iter().zip(&coded) {
            let shared = coder.shared(coded);
            for codes in [coded, &shared] {
                assert_eq!(&cast(codes, &DataType::Utf8).unwrap(), batch);
            }
        }
        let values = |array: &ArrayRef| coder.shared(array).as_any_dictionary().values().to_data();
        assert!(values(&coded[1]).ptr_eq(&values(&coded[3])));
    }

    #[test]
    fn values_that_are_too_many_or_too_long_have_no_codes() {
        let many = |count: usize, length: usize| {
            let values = (0..count).map(|row| Some(format!("{row:0length$}")));
            texts(&values.collect::<Vec<_>>())
        };
        for (values, has) in [
            (many(FIRST / REPEATED, 5), true),
            (many(FIRST - 1, 5), true),
            // Hardly any is there again.
            (many(FIRST, 5), false),
            (
                many(FIRST / REPEATED, 2 * MOST_BYTES / FIRST * REPEATED),
                false,
            ),
        ] {
            assert_eq!(Coder::default().code(&values).unwrap().is_some(), has);
        }
        let mut coder = Coder::default();
        let few = texts(&vec![Some("a".into()); 100 * MOST_VALUES]);
        assert!(coder.code(&few).unwrap().is_some());
        assert!(coder.code(&many(MOST_VALUES - 1, 5)).unwrap().is_some());
        assert!(coder.code(&many(MOST_VALUES, 6)).unwrap().is_none());
    }
}
