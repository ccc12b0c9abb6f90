//! Rebuilds columns so that equal rows have equal buffers, however the arrays came about.
//!
//! IPC writes an array's buffers as they are, with what lies masked under nulls, behind the last bit,
//! and in shared memory that views point into. Rows of `arrow::row` know only the values, and arrays
//! made of rows are new: so what is in a file depends on the values alone. Columns of types that do not
//! come back from rows as they were stay as they are.

use arrow::array::{ArrayRef, new_empty_array};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};

/// Rebuilds the columns of one schema.
pub(super) struct Canonical {
    schema: SchemaRef,
    columns: Vec<Option<RowConverter>>,
}

impl Canonical {
    pub(super) fn new(schema: SchemaRef) -> Self {
        let types = schema.fields().iter().map(|field| field.data_type());
        Canonical {
            columns: types.map(converter).collect(),
            schema,
        }
    }

    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Rebuilds a column of the schema, by its index, as a new array of the same values.
    pub(super) fn column(&self, number: usize, column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
        let Some(converter) = &self.columns[number] else {
            return Ok(column.clone());
        };
        let rows = converter.convert_columns(std::slice::from_ref(column))?;
        let mut columns = converter.convert_rows(&rows)?;
        Ok(columns.pop().unwrap_or_else(|| column.clone()))
    }
}

/// The row converter of a type, if arrays of the type can be made from rows.
fn converter(data_type: &DataType) -> Option<RowConverter> {
    let converter = RowConverter::new(vec![SortField::new(data_type.clone())]).ok()?;
    let rows = converter.convert_columns(&[new_empty_array(data_type)]);
    let columns = converter.convert_rows(&rows.ok()?).ok()?;
    let same = columns.iter().all(|column| column.data_type() == data_type);
    same.then_some(converter)
}
