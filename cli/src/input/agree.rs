//! How the columns of several inputs become one schema, and giving each batch that schema.
//!
//! Owns which types unite: those of which one holds every value of both, such as a string in any of
//! its physical forms, a column of nothing but nulls and any other, and a narrower number and a wider
//! one. Columns go by name, whatever their order. Nothing that could change a value is converted.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use arrow::error::ArrowError;

use super::InputError;

/// The schema that holds the columns of both: the first one's, with types widened where needed.
///
/// # Errors
/// The first column that only one has, or whose types do not unite.
pub(super) fn merge(path: &Path, first: &Schema, found: &Schema) -> Result<Schema, InputError> {
    let disagree = |column: &str, difference: String| InputError::Disagree {
        path: path.to_owned(),
        column: column.to_owned(),
        difference,
    };
    let extra = |field: &&FieldRef| first.column_with_name(field.name()).is_none();
    if let Some(extra) = found.fields().iter().find(extra) {
        return Err(disagree(
            extra.name(),
            "is not in the first input".to_owned(),
        ));
    }
    let fields = first.fields().iter().map(|expected| {
        let name = expected.name();
        let Some((_, field)) = found.column_with_name(name) else {
            return Err(disagree(
                name,
                "is missing; the first input has it".to_owned(),
            ));
        };
        merge_field(expected, field).ok_or_else(|| {
            let (is, was) = (field.data_type(), expected.data_type());
            InputError::TypesDisagree {
                path: path.to_owned(),
                column: name.clone(),
                difference: format!("is {is}, but {was} in the first input"),
            }
        })
    });
    let fields = fields.collect::<Result<Fields, _>>()?;
    Ok(Schema::new_with_metadata(fields, first.metadata().clone()))
}

/// The field that holds the values of both, of the first one's name and metadata.
pub(super) fn merge_field(first: &FieldRef, found: &Field) -> Option<FieldRef> {
    let data_type = merge_types(first.data_type(), found.data_type())?;
    let is_null = |field: &Field| field.is_nullable() || *field.data_type() == DataType::Null;
    let nullable = is_null(first) || is_null(found);
    if data_type == *first.data_type() && nullable == first.is_nullable() {
        return Some(Arc::clone(first));
    }
    let merged = first.as_ref().clone().with_data_type(data_type);
    Some(Arc::new(merged.with_nullable(nullable)))
}

/// The type that holds every value of both, the first one where it does; `None` where there is none.
pub(super) fn merge_types(first: &DataType, found: &DataType) -> Option<DataType> {
    use DataType::{
        Decimal128, Decimal256, Dictionary, FixedSizeList, Map, Null, Struct, Timestamp,
    };
    if first == found || *found == Null {
        return Some(first.clone());
    }
    if first.is_integer() && found.is_integer() {
        return wider_integer(first, found);
    }
    match (first, found) {
        (Null, _) => Some(found.clone()),
        (Dictionary(keys, first), Dictionary(other, found)) => {
            let (keys, values) = (wider_integer(keys, other)?, merge_types(first, found)?);
            Some(Dictionary(Box::new(keys), Box::new(values)))
        }
        // A dictionary's keys may be too narrow for values that are in none.
        (Dictionary(_, first), found) => merge_types(first, found),
        (first, Dictionary(_, found)) => merge_types(first, found),
        (first, found) if first.is_string() && found.is_string() => Some(first.clone()),
        (first, found) if is_binary(first) && is_binary(found) => Some(first.clone()),
        (first, found) if first.is_floating() && found.is_floating() => {
            let wider = first.primitive_width() >= found.primitive_width();
            Some(if wider { first } else { found }.clone())
        }
        (Decimal128(p, s), Decimal128(q, t)) => {
            let (precision, scale) = wider_decimal((*p, *s), (*q, *t))?;
            (precision <= 38).then_some(Decimal128(precision, scale))
        }
        (Decimal256(p, s), Decimal256(q, t)) => {
            let (precision, scale) = wider_decimal((*p, *s), (*q, *t))?;
            (precision <= 76).then_some(Decimal256(precision, scale))
        }
        (Timestamp(unit, Some(zone)), Timestamp(other, Some(found))) => {
            (unit == other && is_utc(zone) && is_utc(found)).then(|| first.clone())
        }
        (Struct(first), Struct(found)) => {
            let fields = first.iter().zip(found).map(|(first, found)| {
                (first.name() == found.name()).then(|| merge_field(first, found))?
            });
            let fields = fields.collect::<Option<Fields>>()?;
            (first.len() == found.len()).then_some(Struct(fields))
        }
        (Map(first, sorted), Map(found, found_sorted)) if sorted == found_sorted => {
            let (Struct(entry), Struct(other)) = (first.data_type(), found.data_type()) else {
                return None;
            };
            // The names of entries, keys and values are of no account.
            let fields = entry.iter().zip(other).map(|(a, b)| merge_field(a, b));
            let fields = Struct(fields.collect::<Option<Fields>>()?);
            let entries = first.as_ref().clone().with_data_type(fields);
            Some(Map(Arc::new(entries), *sorted))
        }
        (FixedSizeList(first, size), FixedSizeList(found, other)) if size == other => {
            Some(FixedSizeList(merge_field(first, found)?, *size))
        }
        (first, found) => {
            let item = merge_field(list_item(first)?, list_item(found)?)?;
            Some(match first {
                DataType::LargeList(_) => DataType::LargeList(item),
                DataType::ListView(_) => DataType::ListView(item),
                DataType::LargeListView(_) => DataType::LargeListView(item),
                _ => DataType::List(item),
            })
        }
    }
}

fn wider_integer(first: &DataType, found: &DataType) -> Option<DataType> {
    use DataType::{Int8, Int16, Int32, Int64, UInt64};
    let width = |t: &DataType| t.primitive_width().unwrap_or_default();
    let (signed, unsigned) = match (first.is_signed_integer(), found.is_signed_integer()) {
        (true, false) => (first, found),
        (false, true) => (found, first),
        _ => {
            let wider = width(first) >= width(found);
            return Some(if wider { first } else { found }.clone());
        }
    };
    if *unsigned == UInt64 {
        return None;
    }
    let holds = |t: &DataType| width(t) >= width(signed) && width(t) > width(unsigned);
    [Int8, Int16, Int32, Int64].into_iter().find(holds)
}

fn wider_decimal(first: (u8, i8), found: (u8, i8)) -> Option<(u8, i8)> {
    let whole = |(precision, scale): (u8, i8)| i16::from(precision) - i16::from(scale);
    let scale = first.1.max(found.1);
    let precision = whole(first).max(whole(found)) + i16::from(scale);
    Some((u8::try_from(precision).ok()?, scale))
}

fn is_binary(data_type: &DataType) -> bool {
    use DataType::{Binary, BinaryView, LargeBinary};
    matches!(data_type, Binary | LargeBinary | BinaryView)
}

fn is_utc(zone: &str) -> bool {
    matches!(zone, "UTC" | "Etc/UTC" | "Z" | "+00:00" | "+00" | "+0000")
}

fn list_item(data_type: &DataType) -> Option<&FieldRef> {
    match data_type {
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item) => Some(item),
        _ => None,
    }
}

/// Gives a batch the schema that its own was merged into.
///
/// # Errors
/// A column that is missing, or whose values are more than its new type can address at once.
pub(super) fn conform(batch: RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    if batch.schema_ref() == schema {
        return Ok(batch);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let columns = schema.fields().iter().enumerate().map(|(index, field)| {
        let in_place = batch.schema_ref().fields().get(index);
        let at = match in_place.is_some_and(|found| found.name() == field.name()) {
            true => index,
            false => batch.schema_ref().index_of(field.name())?,
        };
        convert(batch.column(at), field.data_type())
    });
    let columns = columns.collect::<Result<_, _>>()?;
    RecordBatch::try_new_with_options(schema.clone(), columns, &options)
}

fn convert(column: &ArrayRef, data_type: &DataType) -> Result<ArrayRef, ArrowError> {
    if column.data_type() == data_type {
        return Ok(column.clone());
    }
    // Not safe, as arrow calls it: what does not fit must be an error and never a null.
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    // By way of its own values, since arrow makes of a null among a dictionary's values an empty view.
    match column.data_type() {
        DataType::Dictionary(_, values) if !matches!(data_type, DataType::Dictionary(..)) => {
            let plain = cast_with_options(column, values, &options)?;
            cast_with_options(&plain, data_type, &options)
        }
        _ => cast_with_options(column, data_type, &options),
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, Int64Array, ListArray};
    use arrow::datatypes::{Int64Type, TimeUnit};

    use super::*;

    fn schema(fields: &[(&str, DataType, bool)]) -> Schema {
        let fields = fields
            .iter()
            .map(|(n, t, null)| Field::new(*n, t.clone(), *null));
        Schema::new(fields.collect::<Vec<_>>())
    }

    #[test]
    fn each_difference_that_does_not_unite_is_named() {
        use DataType::{Int64, Utf8};
        let first = schema(&[("a", Int64, false), ("b", Utf8, true)]);
        let found = [
            (
                schema(&[("a", Int64, false)]),
                "f: column `b` is missing; the first input has it",
            ),
            (
                schema(&[("a", Int64, false), ("b", Int64, true)]),
                "f: column `b` is Int64, but Utf8 in the first input",
            ),
            (
                schema(&[("a", Int64, false), ("b", Utf8, true), ("c", Utf8, true)]),
                "f: column `c` is not in the first input",
            ),
        ];
        for (found, expected) in found {
            let error = merge(Path::new("f"), &first, &found).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn types_unite_where_one_holds_all_values() {
        use DataType::{
            Decimal128, Dictionary, Float32, Float64, Int8, Int16, Int32, Int64, LargeUtf8, List,
            Null, Struct, Timestamp, UInt8, UInt64, Utf8, Utf8View,
        };
        let dictionary = |keys: DataType| Dictionary(Box::new(keys), Box::new(Utf8));
        let list = |item: DataType, nullable| List(Arc::new(Field::new_list_field(item, nullable)));
        let one = |name: &str, t: DataType| Struct(vec![Field::new(name, t, true)].into());
        let micros = |zone: &str| Timestamp(TimeUnit::Microsecond, Some(zone.into()));
        for (first, found, expected) in [
            (Utf8, LargeUtf8, Some(Utf8)),
            (Utf8View, Utf8, Some(Utf8View)),
            (dictionary(Int8), Utf8, Some(Utf8)),
            (dictionary(Int8), dictionary(Int32), Some(dictionary(Int32))),
            (Null, Int64, Some(Int64)),
            (Int64, Null, Some(Int64)),
            (Int32, Int64, Some(Int64)),
            (UInt8, Int8, Some(Int16)),
            (UInt64, Int64, None),
            (Float32, Float64, Some(Float64)),
            (Int64, Float64, None),
            (Int64, Utf8, None),
            (Decimal128(5, 2), Decimal128(6, 1), Some(Decimal128(7, 2))),
            (
                list(Null, true),
                list(Int64, false),
                Some(list(Int64, true)),
            ),
            (
                list(Int64, false),
                list(Int64, true),
                Some(list(Int64, true)),
            ),
            (one("a", Null), one("a", Utf8), Some(one("a", Utf8))),
            (one("a", Utf8), one("b", Utf8), None),
            (micros("UTC"), micros("+00:00"), Some(micros("UTC"))),
            (micros("UTC"), micros("Europe/Berlin"), None),
        ] {
            assert_eq!(merge_types(&first, &found), expected, "{first} and {found}");
        }
    }

    #[test]
    fn nullability_and_metadata_are_the_widest_and_the_first() {
        let first = schema(&[("a", DataType::Int64, true)]);
        let tight = schema(&[("a", DataType::Int64, false)]);
        assert_eq!(merge(Path::new("f"), &first, &tight).unwrap(), first);
        assert_eq!(merge(Path::new("f"), &tight, &first).unwrap(), first);
        let tagged = first
            .clone()
            .with_metadata([("k".into(), "v".into())].into());
        let merged = merge(Path::new("f"), &first, &tagged).unwrap();
        assert_eq!(merged, first);
        let column = Arc::new(Int64Array::from(vec![1]));
        let batch = RecordBatch::try_new(Arc::new(tagged), vec![column]).unwrap();
        let first = Arc::new(first);
        assert_eq!(conform(batch, &first).unwrap().schema(), first);
    }

    #[test]
    fn lists_of_another_item_name_are_given_the_first_name() {
        let list = |name: &str| DataType::List(Arc::new(Field::new(name, DataType::Int64, true)));
        let first = Arc::new(schema(&[("l", list("item"), true)]));
        let found = schema(&[("l", list("element"), true)]);
        merge(Path::new("f"), &first, &found).unwrap();

        let values = ListArray::from_iter_primitive::<Int64Type, _, _>([Some(vec![Some(1)]), None]);
        let (_, offsets, items, nulls) = values.into_parts();
        let DataType::List(item) = list("element") else {
            panic!("not a list");
        };
        let column = Arc::new(ListArray::new(item, offsets, items, nulls));
        let batch = RecordBatch::try_new(Arc::new(found), vec![column]).unwrap();
        let batch = conform(batch, &first).unwrap();
        assert_eq!(batch.schema(), first);
        assert_eq!(batch.column(0).null_count(), 1);
    }
}
