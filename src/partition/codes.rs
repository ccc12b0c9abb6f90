//! Small numbers for the values of key columns, the same in every batch.
//!
//! Equal values have equal codes. Values are hashed by what they are,
//! integers and texts directly, dictionaries once per value that is used; other types through the
//! row format of Arrow.

use std::hash::BuildHasher;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, GenericStringArray, OffsetSizeTrait, UInt32Array,
};
use arrow::buffer::NullBuffer;
use arrow::compute::take;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};
use hashbrown::{DefaultHashBuilder, HashMap, HashTable};

use crate::short_texts::{ShortText, ShortTexts};

/// The codes of one key column.
#[derive(Debug, Default)]
pub(super) struct Codes {
    numbers: HashMap<u64, u32>,
    texts: Texts,
    short: ShortTexts,
    converter: Option<RowConverter>,
    null: Option<u32>,
    next: u32,
}

/// Byte strings with a code each, in one allocation.
#[derive(Debug, Default)]
struct Texts {
    hasher: DefaultHashBuilder,
    table: HashTable<(usize, usize, u32)>,
    bytes: Vec<u8>,
}

impl Texts {
    fn code(&mut self, text: &[u8], next: &mut u32) -> u32 {
        let hash = self.hasher.hash_one(text);
        let (bytes, hasher) = (&self.bytes, &self.hasher);
        let same = |&(start, end, _): &(usize, usize, u32)| bytes[start..end] == *text;
        if let Some((_, _, code)) = self.table.find(hash, same) {
            return *code;
        }
        let start = self.bytes.len();
        let rehash = |&(start, end, _): &(usize, usize, u32)| hasher.hash_one(&bytes[start..end]);
        let code = take_next(next);
        self.table
            .insert_unique(hash, (start, start + text.len(), code), rehash);
        self.bytes.extend_from_slice(text);
        code
    }
}

fn take_next(next: &mut u32) -> u32 {
    let code = *next;
    *next += 1;
    code
}

impl Codes {
    /// The code of each row of a column.
    pub(super) fn of(&mut self, column: &ArrayRef) -> Result<Vec<u32>, ArrowError> {
        let nulls = column.nulls().cloned();
        Ok(match column.data_type() {
            DataType::Utf8 => self.strings(column.as_string::<i32>()),
            DataType::LargeUtf8 => self.strings(column.as_string::<i64>()),
            DataType::Utf8View => {
                let column = column.as_string_view();
                self.texts(nulls, column.len(), |row| column.value(row).as_bytes())
            }
            DataType::Boolean => {
                let column: &BooleanArray = column.as_boolean();
                self.numbers(nulls, column.len(), |row| u64::from(column.value(row)))
            }
            DataType::Dictionary(_, _) => return self.dictionary(column),
            other => {
                let width = other.primitive_width();
                let data = column.to_data();
                match (width, data.buffers()) {
                    (Some(1), [values]) => {
                        let values = values.typed_data::<u8>();
                        self.numbers(nulls, column.len(), |row| values[row].into())
                    }
                    (Some(2), [values]) => {
                        let values = values.typed_data::<u16>();
                        self.numbers(nulls, column.len(), |row| values[row].into())
                    }
                    (Some(4), [values]) => {
                        let values = values.typed_data::<u32>();
                        self.numbers(nulls, column.len(), |row| values[row].into())
                    }
                    (Some(8), [values]) => {
                        let values = values.typed_data::<u64>();
                        self.numbers(nulls, column.len(), |row| values[row])
                    }
                    _ => return self.rows(column),
                }
            }
        })
    }

    fn null(&mut self) -> u32 {
        *self.null.get_or_insert_with(|| take_next(&mut self.next))
    }

    fn numbers(
        &mut self,
        nulls: Option<NullBuffer>,
        rows: usize,
        value: impl Fn(usize) -> u64,
    ) -> Vec<u32> {
        let mut last = None;
        let code = |row| {
            if nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
                return self.null();
            }
            let value = value(row);
            match last {
                Some((same, code)) if same == value => code,
                _ => {
                    let next = &mut self.next;
                    let code = *self.numbers.entry(value).or_insert_with(|| take_next(next));
                    last = Some((value, code));
                    code
                }
            }
        };
        (0..rows).map(code).collect()
    }

    fn strings<O: OffsetSizeTrait>(&mut self, column: &GenericStringArray<O>) -> Vec<u32> {
        let nulls = column.nulls().filter(|nulls| nulls.null_count() > 0);
        let (offsets, bytes) = (column.value_offsets(), column.value_data());
        let code = |row: usize| {
            if nulls.is_some_and(|nulls| nulls.is_null(row)) {
                return self.null();
            }
            let (start, end) = (offsets[row].as_usize(), offsets[row + 1].as_usize());
            let short = ShortText::of(bytes, start, end);
            if let Some(code) = short.and_then(|short| self.short.get(short)) {
                return code;
            }
            let code = self.texts.code(&bytes[start..end], &mut self.next);
            if let Some(short) = short {
                self.short.put(short, code);
            }
            code
        };
        (0..column.len()).map(code).collect()
    }

    fn texts<'a>(
        &mut self,
        nulls: Option<NullBuffer>,
        rows: usize,
        value: impl Fn(usize) -> &'a [u8],
    ) -> Vec<u32> {
        let code = |row| {
            if nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
                self.null()
            } else {
                self.texts.code(value(row), &mut self.next)
            }
        };
        (0..rows).map(code).collect()
    }

    /// The codes of a dictionary column: looks up each value once, and only those that rows have.
    fn dictionary(&mut self, column: &ArrayRef) -> Result<Vec<u32>, ArrowError> {
        let dictionary = column.as_any_dictionary();
        let values = dictionary.values();
        if values.is_empty() {
            let null = self.null();
            return Ok(vec![null; column.len()]);
        }
        let keys = dictionary.normalized_keys();
        let nulls = dictionary.keys().nulls();
        let is_null = |row| nulls.is_some_and(|nulls| nulls.is_null(row));
        // What is 0 for a value that no row has becomes its place among those that some row has.
        let mut places = vec![0_u32; values.len()];
        let mut used = Vec::new();
        for (row, key) in keys.iter().enumerate() {
            if places[*key] == 0 && !is_null(row) {
                used.push(*key as u32);
                places[*key] = used.len() as u32;
            }
        }
        let codes = self.of(&take(values, &UInt32Array::from(used), None)?)?;
        let code = |(row, key): (usize, &usize)| match is_null(row) {
            true => self.null(),
            false => codes[places[*key] as usize - 1],
        };
        Ok(keys.iter().enumerate().map(code).collect())
    }

    fn rows(&mut self, column: &ArrayRef) -> Result<Vec<u32>, ArrowError> {
        let converter = match &mut self.converter {
            Some(converter) => converter,
            none => {
                let field = SortField::new(column.data_type().clone());
                none.insert(RowConverter::new(vec![field])?)
            }
        };
        let rows = converter.convert_columns(std::slice::from_ref(column))?;
        let code = |row: arrow::row::Row<'_>| self.texts.code(row.as_ref(), &mut self.next);
        Ok(rows.iter().map(code).collect())
    }
}
