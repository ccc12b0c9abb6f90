//! Looking at the rows that a row group begins with, and choosing the encodings of its columns.

use std::fmt;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::Schema;
use parquet::basic::{Compression, Type};
use parquet::errors::Result;
use parquet::file::properties::WriterProperties;
use parquet::schema::types::SchemaDescriptor;

use super::super::compress::Compressors;
use super::choice::{Allowed, Choices};
use super::choose::{Look, choose};
use super::leaves;
use super::values::Values;
use crate::options::Encodings;
use crate::size::size_of_rows;

/// How many rows of a row group are looked at.
pub(in crate::format::parquet) const LOOK_ROWS: usize = 1 << 16;
/// The size of rows in memory that is looked at, if it is reached by fewer of them.
pub(in crate::format::parquet) const LOOK_BYTES: usize = 8 << 20;

/// What is chosen among for each leaf column, `None` where the properties say how it is encoded.
pub(in crate::format::parquet) struct Chooser {
    leaves: Vec<Option<Leaf>>,
}

/// What is chosen among for a leaf column.
#[derive(Clone)]
pub(super) struct Leaf {
    pub(super) empty: Values,
    allowed: Allowed,
    codec: Compression,
    compressors: Arc<Compressors>,
}

impl Leaf {
    /// Whether it is known of numbers in a dictionary alone if that is clearly the best.
    pub(super) fn takes_codes(&self) -> bool {
        let is_string = matches!(self.empty, Values::Bytes(_) | Values::Fixed { .. });
        self.allowed.dictionary_bytes.is_some() && (is_string || !self.allowed.all)
    }

    /// Looks at the values that a chunk begins with. Where all of them are to be one page, `levels` are what that page
    /// begins with.
    pub(super) fn look(&self, values: &Values, levels: Option<&[u8]>) -> Result<Look> {
        choose(
            values,
            self.allowed,
            (self.codec, &self.compressors),
            levels,
        )
    }
}

impl fmt::Debug for Chooser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chooser")
            .field("leaves", &self.leaves.len())
            .finish_non_exhaustive()
    }
}

impl Chooser {
    /// For files of these properties, but for the leaf columns that are `fixed`. What the properties say of the encoding
    /// of a column stays as it is. `None` where nothing is left to choose.
    ///
    /// Dictionaries get the encodings of the format's first version alone: pyarrow reads no other into a dictionary, and
    /// the Arrow schema in the file tells it to.
    pub(in crate::format::parquet) fn new(
        properties: &WriterProperties,
        (arrow_schema, schema): (&Schema, &SchemaDescriptor),
        encodings: Encodings,
        fixed: impl Fn(usize) -> bool,
        compressors: &Arc<Compressors>,
    ) -> Option<Self> {
        let dictionaries = leaves::are_dictionaries(arrow_schema.fields());
        let leaf = |number: usize| {
            let column = schema.column(number);
            let path = column.path();
            if fixed(number) || properties.encoding(path).is_some() {
                return None;
            }
            let limit = properties.column_dictionary_page_size_limit(path);
            Some(Leaf {
                empty: Values::of_column(&column)?,
                allowed: Allowed {
                    dictionary_bytes: properties
                        .dictionary_enabled(path)
                        .then(|| limit.saturating_sub(1)),
                    all: match encodings {
                        Encodings::Auto => !dictionaries.get(number).is_some_and(|is| *is),
                        Encodings::Compatible => false,
                    },
                    integers: match column.physical_type() {
                        Type::INT32 | Type::INT64 => true,
                        Type::BOOLEAN
                        | Type::INT96
                        | Type::FLOAT
                        | Type::DOUBLE
                        | Type::BYTE_ARRAY
                        | Type::FIXED_LEN_BYTE_ARRAY => false,
                    },
                },
                codec: properties.compression(path),
                compressors: Arc::clone(compressors),
            })
        };
        let leaves: Vec<_> = (0..schema.num_columns()).map(leaf).collect();
        let chooses = leaves.iter().any(Option::is_some);
        chooses.then_some(Chooser { leaves })
    }

    pub(super) fn leaf(&self, number: usize) -> Option<&Leaf> {
        self.leaves[number].as_ref()
    }

    /// The encodings of a field's leaf columns, the first of which is `first`, by the first rows of it.
    pub(in crate::format::parquet) fn choose<'a>(
        &self,
        (first, count): (usize, usize),
        arrays: impl Iterator<Item = &'a ArrayRef>,
    ) -> Result<Choices> {
        let leaves = &self.leaves[first..first + count];
        let empty = |leaf: &Option<Leaf>| leaf.as_ref().map(|leaf| leaf.empty.clone());
        let mut values: Vec<Option<Values>> = leaves.iter().map(empty).collect();
        let (mut rows, mut bytes) = (LOOK_ROWS, LOOK_BYTES);
        for array in arrays {
            let most = array.len().min(rows);
            let reaches = |rows: usize| size_of_rows(array, 0..rows) >= bytes;
            // As many rows as reach the size: all of one batch may take far more.
            let count = match reaches(most) {
                true => least_enough(most, reaches),
                false => most,
            };
            bytes = bytes.saturating_sub(size_of_rows(array, 0..count));
            rows -= count;
            leaves::append(&array.slice(0, count), &mut values)?;
            if bytes == 0 {
                break;
            }
        }
        let choose = |(leaf, values): (&Option<Leaf>, Option<Values>)| {
            let (Some(leaf), Some(values)) = (leaf, values) else {
                return Ok(None);
            };
            leaf.look(&values, None).map(|look| Some(look.choice))
        };
        leaves.iter().zip(values).map(choose).collect()
    }
}

/// The least number that is enough, where this one is, and every greater one.
pub(super) fn least_enough(enough: usize, is_enough: impl Fn(usize) -> bool) -> usize {
    let (mut without, mut with) = (0, enough);
    while without + 1 < with {
        let middle = without.midpoint(with);
        match is_enough(middle) {
            true => with = middle,
            false => without = middle,
        }
    }
    with
}
