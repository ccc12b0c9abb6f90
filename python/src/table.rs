//! A table: a sequence of objects that any dataframe library also reads as Arrow data.

use std::sync::Arc;

use atomic_arrow::arrow::array::{ArrayRef, RecordBatch, StringArray, StructArray, UInt64Array};
use atomic_arrow::arrow::datatypes::{DataType, Field, SchemaRef};
use atomic_arrow::arrow::util::display::{ArrayFormatter, FormatOptions};
use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyIterator, PyList, PyTuple};
use pyo3_arrow::ffi::{ArrayIterator, to_schema_pycapsule, to_stream_pycapsule};

use crate::errors;
use crate::work::contained;

/// The most rows that are shown.
const SHOWN: usize = 20;

/// A sequence of objects, and the same as an Arrow table with a row for each.
///
/// Anything that reads the Arrow stream interface takes it: ``polars.DataFrame(table)``,
/// ``pyarrow.table(table)``, ``pandas.DataFrame.from_arrow(table)``.
#[pyclass(frozen, module = "atomic_arrow", generic)]
pub(crate) struct Table {
    items: Py<PyTuple>,
    batch: RecordBatch,
}

impl Table {
    pub(crate) fn new<'py, T>(
        py: Python<'py>,
        items: impl IntoIterator<Item = T, IntoIter: ExactSizeIterator>,
        batch: RecordBatch,
    ) -> PyResult<Self>
    where
        T: IntoPyObject<'py>,
    {
        let items = PyTuple::new(py, items)?.unbind();
        Ok(Table { items, batch })
    }
}

#[pymethods]
impl Table {
    /// Exports the rows through the Arrow C stream interface.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyCapsule>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        export(py, &self.batch, requested_schema)
    }

    /// Exports the columns through the Arrow C schema interface.
    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        export_schema(py, &self.batch.schema())
    }

    fn __len__(&self, py: Python<'_>) -> usize {
        self.items.bind(py).len()
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        self.items.bind(py).try_iter()
    }

    fn __getitem__<'py>(&self, py: Python<'py>, index: isize) -> PyResult<Bound<'py, PyAny>> {
        let items = self.items.bind(py);
        let place = match index < 0 {
            true => items.len().checked_add_signed(index),
            false => index.try_into().ok(),
        };
        let place = place.filter(|place| *place < items.len());
        items.get_item(place.ok_or_else(|| PyIndexError::new_err("index out of range"))?)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let items = self.items.bind(py);
        let shown = PyList::new(py, items.iter().take(SHOWN))?;
        let more = items.len().saturating_sub(SHOWN);
        Ok(match more {
            0 => format!("<Table of {}: {}>", items.len(), shown.repr()?),
            more => format!(
                "<Table of {}: {} and {more} more>",
                items.len(),
                shown.repr()?
            ),
        })
    }

    fn _repr_html_(&self) -> String {
        html(&self.batch)
    }
}

/// Makes a batch of named columns, each with whether it may have nulls.
pub(crate) fn batch<const N: usize>(
    py: Python<'_>,
    columns: [(&str, ArrayRef, bool); N],
) -> PyResult<RecordBatch> {
    RecordBatch::try_from_iter_with_nullable(columns)
        .map_err(|error| errors::refuse(py, "AtomicArrowError", error))
}

pub(crate) fn texts<T: AsRef<str>>(values: impl Iterator<Item = Option<T>>) -> ArrayRef {
    Arc::new(values.collect::<StringArray>())
}

pub(crate) fn numbers(values: impl Iterator<Item = Option<u64>>) -> ArrayRef {
    Arc::new(values.collect::<UInt64Array>())
}

/// A batch as a stream of one, for the Arrow C interface.
pub(crate) fn export<'py>(
    py: Python<'py>,
    batch: &RecordBatch,
    requested_schema: Option<Bound<'py, PyCapsule>>,
) -> PyResult<Bound<'py, PyCapsule>> {
    // A cast to the requested schema is other people's code.
    let exported = contained(|| {
        let field = Field::new("", DataType::Struct(batch.schema().fields().clone()), false);
        let rows: ArrayRef = Arc::new(StructArray::from(batch.clone()));
        let rows = ArrayIterator::new([Ok(rows)], Arc::new(field));
        to_stream_pycapsule(py, Box::new(rows), requested_schema)
    });
    Ok(exported.map_err(|panicked| panicked.raise(py))??)
}

/// A schema for the Arrow C interface.
pub(crate) fn export_schema<'py>(
    py: Python<'py>,
    schema: &SchemaRef,
) -> PyResult<Bound<'py, PyCapsule>> {
    Ok(to_schema_pycapsule(py, schema.as_ref())?)
}

/// A batch as a table for notebooks.
pub(crate) fn html(batch: &RecordBatch) -> String {
    let options = FormatOptions::default();
    let cell = |array: &ArrayRef, row: usize| match ArrayFormatter::try_new(array, &options) {
        Ok(formatter) => formatter.value(row).to_string(),
        Err(error) => error.to_string(),
    };
    let mut page = String::from("<table><thead><tr>");
    for field in batch.schema().fields() {
        page += &format!("<th>{}</th>", escape(field.name()));
    }
    page += "</tr></thead><tbody>";
    for row in 0..batch.num_rows().min(SHOWN) {
        page += "<tr>";
        for column in batch.columns() {
            page += &format!("<td>{}</td>", escape(&cell(column, row)));
        }
        page += "</tr>";
    }
    page += "</tbody></table>";
    if batch.num_rows() > SHOWN {
        page += &format!("<p>and {} more</p>", batch.num_rows() - SHOWN);
    }
    page
}

/// Escapes text for HTML.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// A number with commas between thousands.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of things, `1 file`, `2 files`.
pub(crate) fn plural(number: u64, thing: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{} {thing}{ending}", count(number))
}

/// A number of bytes in a unit that fits.
pub(crate) fn bytes(number: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if number < 1024 {
        return format!("{number} B");
    }
    let unit = (number.ilog2() / 10) as usize;
    let shown = number as f64 / (1_u64 << (10 * unit)) as f64;
    format!("{shown:.2} {}", UNITS[unit - 1])
}
