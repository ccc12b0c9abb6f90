//! The values of partition keys and of statistics, to Python and back.

use atomic_arrow::receipt::{Bound as StatisticsBound, ColumnStatistics, StatisticsValue};
use atomic_arrow::{Partition, PartitionValue};
use pyo3::IntoPyObjectExt as _;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyString};

/// A partition as a dict: `None`, `bool`, `int`, `float`, and for all else the text in the path.
pub(crate) fn partition_dict<'py>(
    py: Python<'py>,
    partition: &Partition,
) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (key, value) in partition.iter() {
        let value = match value {
            PartitionValue::Null => py.None().into_bound(py),
            PartitionValue::Boolean(value) => value.into_bound_py_any(py)?,
            PartitionValue::Int(value) => value.into_bound_py_any(py)?,
            PartitionValue::UInt(value) => value.into_bound_py_any(py)?,
            PartitionValue::Float(value) => value.into_bound_py_any(py)?,
            value => value.to_string().into_bound_py_any(py)?,
        };
        dict.set_item(key, value)?;
    }
    Ok(dict)
}

/// A partition of keys and values, which Python has reduced to these types.
pub(crate) fn partition_fields(
    fields: &Bound<'_, PyDict>,
) -> PyResult<Vec<(String, PartitionValue)>> {
    let mut taken = Vec::with_capacity(fields.len());
    for (key, value) in fields {
        taken.push((key.extract()?, partition_value(&value)?));
    }
    Ok(taken)
}

fn partition_value(value: &Bound<'_, PyAny>) -> PyResult<PartitionValue> {
    if value.is_none() {
        Ok(PartitionValue::Null)
    } else if value.is_instance_of::<PyBool>() {
        Ok(PartitionValue::Boolean(value.extract()?))
    } else if value.is_instance_of::<PyInt>() {
        match value.extract::<i64>() {
            Ok(value) => Ok(PartitionValue::Int(value)),
            Err(_) => Ok(PartitionValue::UInt(value.extract()?)),
        }
    } else if value.is_instance_of::<PyFloat>() {
        Ok(PartitionValue::Float(value.extract()?))
    } else if value.is_instance_of::<PyString>() {
        Ok(PartitionValue::String(value.extract()?))
    } else {
        let kind = value.get_type().name()?;
        Err(PyTypeError::new_err(format!(
            "a partition's value cannot be a {kind}"
        )))
    }
}

/// The statistics of a column as a dict.
pub(crate) fn statistics_dict<'py>(
    py: Python<'py>,
    column: &ColumnStatistics,
) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("column", &*column.column)?;
    dict.set_item("min_exact", column.min.as_ref().map(|bound| bound.exact))?;
    dict.set_item("max_exact", column.max.as_ref().map(|bound| bound.exact))?;
    dict.set_item("min", bound(py, column.min.as_ref())?)?;
    dict.set_item("max", bound(py, column.max.as_ref())?)?;
    dict.set_item("null_count", column.null_count)?;
    Ok(dict)
}

fn bound<'py>(
    py: Python<'py>,
    bound: Option<&StatisticsBound>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let value = bound.map(|bound| match &bound.value {
        StatisticsValue::Boolean(value) => value.into_bound_py_any(py),
        StatisticsValue::Int(value) => value.into_bound_py_any(py),
        StatisticsValue::UInt(value) => value.into_bound_py_any(py),
        StatisticsValue::Float(value) => value.into_bound_py_any(py),
        StatisticsValue::Text(value) => (&**value).into_bound_py_any(py),
        _ => Ok(py.None().into_bound(py)),
    });
    value.transpose()
}
