//! Arrow data of other libraries, through the C data and stream interfaces of Arrow
//! (<https://arrow.apache.org/docs/format/CDataInterface.html>).
//!
//! They are read here, and not by pyo3-arrow, since arrow 59 panics on a struct in a struct, and on structs in lists of a fixed
//! size, that begin behind the first of their values: pyarrow hands over each slice of such a column so.
#![allow(unsafe_code)]

use std::ffi::CStr;
use std::sync::Arc;

use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi, from_ffi_and_data_type};
use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use atomic_arrow::arrow::array::{ArrayData, ArrayDataBuilder, ArrayRef, make_array};
use atomic_arrow::arrow::datatypes::{DataType, Field, FieldRef};
use atomic_arrow::arrow::error::ArrowError;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use pyo3_arrow::ffi::{ArrayIterator, ArrayReader};

/// The arrays of a stream of another library.
struct ForeignStream {
    stream: FFI_ArrowArrayStream,
    field: FieldRef,
}

/// The arrays of an object that has `__arrow_c_stream__`.
///
/// # Errors
/// Whatever that method raises, a `TypeError` if it gives no stream, and a `ValueError` if the stream was read before or
/// has no schema.
pub(crate) fn stream(data: &Bound<'_, PyAny>) -> PyResult<Box<dyn ArrayReader + Send>> {
    let capsule = data.call_method0("__arrow_c_stream__")?;
    let capsule = capsule.cast_into::<PyCapsule>()?;
    let pointer = capsule.pointer_checked(Some(c"arrow_array_stream"))?;
    // SAFETY: a capsule of this name holds a stream. It is moved out, and what stays in the capsule is released.
    let mut stream = unsafe { FFI_ArrowArrayStream::from_raw(pointer.as_ptr().cast()) };
    let Some(get_schema) = stream.get_schema.filter(|_| stream.release.is_some()) else {
        return Err(PyValueError::new_err("the stream was read already"));
    };
    let mut schema = FFI_ArrowSchema::empty();
    // SAFETY: the stream is not released, and both pointers are valid for the call.
    let code = unsafe { get_schema(&mut stream, &mut schema) };
    if code != 0 {
        let reason = format!(
            "the stream has no schema: {}",
            last_error(&mut stream, code)
        );
        return Err(PyValueError::new_err(reason));
    }
    let field = Field::try_from(&schema);
    let field = field.map_err(|error| PyValueError::new_err(error.to_string()))?;
    Ok(Box::new(ForeignStream {
        stream,
        field: Arc::new(field),
    }))
}

/// The one array of an object that has `__arrow_c_array__`.
///
/// # Errors
/// Whatever that method raises, and a `TypeError` if it gives no array.
pub(crate) fn array(data: &Bound<'_, PyAny>) -> PyResult<Box<dyn ArrayReader + Send>> {
    let pair = data.call_method0("__arrow_c_array__")?;
    let (schema, array): (Bound<'_, PyCapsule>, Bound<'_, PyCapsule>) = pair.extract()?;
    let schema = schema.pointer_checked(Some(c"arrow_schema"))?;
    let array = array.pointer_checked(Some(c"arrow_array"))?;
    // SAFETY: a capsule of this name holds a schema, and lives until the end of this function.
    let schema = unsafe { schema.cast::<FFI_ArrowSchema>().as_ref() };
    // SAFETY: a capsule of this name holds an array. It is moved out, and what stays in the capsule is released.
    let array = unsafe { FFI_ArrowArray::from_raw(array.as_ptr().cast()) };
    if array.is_released() {
        return Err(PyValueError::new_err("the array was read already"));
    }
    let type_error = |error: ArrowError| PyTypeError::new_err(error.to_string());
    let field = Field::try_from(schema).map_err(type_error)?;
    // SAFETY: the producer vouches that the array is of the schema; its values are checked before they are read.
    let data = unsafe { from_ffi(array, schema) }.and_then(settled);
    let array = make_array(data.map_err(type_error)?);
    Ok(Box::new(ArrayIterator::new([Ok(array)], Arc::new(field))))
}

/// What the stream says of its last error.
fn last_error(stream: &mut FFI_ArrowArrayStream, code: i32) -> String {
    let message = stream.get_last_error.map(|get| {
        // SAFETY: the stream is not released.
        unsafe { get(stream) }
    });
    match message.filter(|message| !message.is_null()) {
        // SAFETY: it is a text of C that lives until the next call.
        Some(message) => unsafe { CStr::from_ptr(message) }.to_string_lossy().into(),
        None => format!("its error has the code {code} and no message"),
    }
}

impl Iterator for ForeignStream {
    type Item = Result<ArrayRef, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let get_next = self.stream.get_next?;
        let mut array = FFI_ArrowArray::empty();
        // SAFETY: the stream is not released, and both pointers are valid for the call.
        let code = unsafe { get_next(&mut self.stream, &mut array) };
        if code != 0 {
            let reason = last_error(&mut self.stream, code);
            return Some(Err(ArrowError::CDataInterface(reason)));
        }
        if array.is_released() {
            return None;
        }
        // SAFETY: the producer vouches that the array is of the schema; its values are checked before they are read.
        let data = unsafe { from_ffi_and_data_type(array, self.field.data_type().clone()) };
        Some(data.and_then(settled).map(make_array))
    }
}

impl ArrayReader for ForeignStream {
    fn field(&self) -> FieldRef {
        Arc::clone(&self.field)
    }
}

/// How many values of its members each value has, of a type whose members are as long as itself, whatever its offset.
fn members_of_each(data_type: &DataType) -> Option<usize> {
    match data_type {
        DataType::Struct(_) => Some(1),
        DataType::FixedSizeList(_, size) => Some(usize::try_from(*size).unwrap_or(0)),
        _ => None,
    }
}

/// The same values, of which structs and lists of a fixed size have no offset, but members that are cut to their length.
fn settled(data: ArrayData) -> Result<ArrayData, ArrowError> {
    let members = data.child_data().iter().cloned();
    let members = members.map(settled).collect::<Result<Vec<_>, _>>()?;
    let (offset, len) = (data.offset(), data.len());
    let Some(each) = members_of_each(data.data_type()) else {
        return Ok(rebuilt(data.into_builder().child_data(members)));
    };
    let (first, count) = (offset.saturating_mul(each), len.saturating_mul(each));
    let members = members.into_iter().map(|member| cut(member, first, count));
    let members = members.collect::<Result<Vec<_>, _>>()?;
    Ok(rebuilt(data.into_builder().offset(0).child_data(members)))
}

/// A part of settled values, settled too.
fn cut(data: ArrayData, offset: usize, len: usize) -> Result<ArrayData, ArrowError> {
    if offset.checked_add(len).is_none_or(|end| end > data.len()) {
        let reason = format!(
            "{} values of type {} where {len} behind {offset} belong",
            data.len(),
            data.data_type()
        );
        return Err(ArrowError::CDataInterface(reason));
    }
    let Some(each) = members_of_each(data.data_type()) else {
        return Ok(data.slice(offset, len));
    };
    if (offset, len) == (0, data.len()) {
        return Ok(data);
    }
    let members = data.child_data().iter().cloned();
    let members = members.map(|member| cut(member, offset * each, len * each));
    let members = members.collect::<Result<Vec<_>, _>>()?;
    let nulls = data.nulls().map(|nulls| nulls.slice(offset, len));
    let builder = data.into_builder().offset(0).len(len).nulls(nulls);
    Ok(rebuilt(builder.child_data(members)))
}

fn rebuilt(data: ArrayDataBuilder) -> ArrayData {
    // SAFETY: the buffers are those that were given, and the members the same values; all of it is checked
    // before it is read.
    unsafe { data.build_unchecked() }
}
