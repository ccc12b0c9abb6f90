//! Refuses types that Parquet, parquet-rs or common readers cannot store or read back.

use crate::nested::{below, has_runs_within};
use crate::refused::Refused;
use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Field, Schema};

/// Refuses columns of types on which parquet-rs panics (seen in version 59.3), which readers cannot open, or which
/// would come back as another type.
pub(crate) fn check(schema: &Schema) -> Result<(), Refused> {
    schema
        .fields()
        .iter()
        .try_for_each(|field| check_field(field.name(), field))
}

/// Checks one field, and those within it; `path` is its path.
fn check_field(path: &str, field: &Field) -> Result<(), Refused> {
    if field.dict_is_ordered() == Some(true) && !keeps_order(field.data_type()) {
        return refuse(
            path,
            "an ordered dictionary of other values than texts",
            "readers of Parquet see its values without their order; write Arrow IPC, make it unordered, or cast it \
             to its values",
        );
    }
    check_type(path, field.data_type())
}

/// Whether the categories of an ordered dictionary keep their order (`ordered.rs`).
fn keeps_order(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => {
            matches!(values.as_ref(), DataType::Utf8 | DataType::LargeUtf8)
        }
        _ => false,
    }
}

fn check_type(path: &str, data_type: &DataType) -> Result<(), Refused> {
    use DataType::{
        Decimal32, Decimal64, Decimal128, Decimal256, Dictionary, FixedSizeBinary, FixedSizeList,
        Interval, LargeList, LargeListView, List, ListView, Map, RunEndEncoded, Struct, Union,
    };
    match data_type {
        Union(..) => refuse(
            path,
            "a union",
            "Parquet has none; give it as a struct of one nullable member for each type",
        ),
        data_type if has_runs_within(data_type) => refuse(
            path,
            "of runs within another type",
            "cast it to a type of their values",
        ),
        FixedSizeBinary(0) => refuse(
            path,
            "of binary values of no bytes",
            "Parquet has no such type; leave the column out, or cast it to Binary",
        ),
        Interval(_) => refuse(
            path,
            "an interval",
            "Polars and Spark cannot open Parquet with it; give it as a duration, as a struct of numbers or as text",
        ),
        Decimal32(precision, scale)
        | Decimal64(precision, scale)
        | Decimal128(precision, scale)
        | Decimal256(precision, scale)
            if *scale < 0 =>
        {
            let digits = u32::from(*precision) + u32::from(scale.unsigned_abs());
            refuse(
                path,
                "a decimal of negative scale",
                &format!("Parquet has none; cast it to a decimal of {digits} digits and scale 0"),
            )
        }
        Decimal256(precision, _) if *precision > DECIMAL128_MAX_PRECISION => refuse(
            path,
            "a decimal of more than 38 digits",
            "Polars and Spark cannot open Parquet with it; cast it to fewer digits, or to text",
        ),
        Struct(fields) if fields.is_empty() => refuse(
            path,
            "a struct without members",
            "Parquet has none; leave the column out",
        ),
        Dictionary(_, values) => match values.as_ref() {
            DataType::Utf8View | DataType::BinaryView => refuse(
                path,
                "a dictionary of views",
                "cast its values to Utf8 or Binary",
            ),
            values => check_type(path, values),
        },
        Struct(fields) => fields
            .iter()
            .try_for_each(|field| check_field(&below(path, data_type, field), field)),
        List(items)
        | LargeList(items)
        | ListView(items)
        | LargeListView(items)
        | FixedSizeList(items, _)
        | Map(items, _)
        | RunEndEncoded(_, items) => check_field(&below(path, data_type, items), items),
        _ => Ok(()),
    }
}

fn refuse(path: &str, what: &str, why: &str) -> Result<(), Refused> {
    Err(Refused::new(path, format!("it is {what}: {why}")))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::{IntervalUnit, UnionMode};

    use super::*;

    #[test]
    fn a_dictionary_of_views_is_refused_wherever_it_is() {
        let dictionary = |values| DataType::Dictionary(Box::new(DataType::Int32), Box::new(values));
        let nested = |data_type| {
            let items = Arc::new(Field::new("item", data_type, true));
            DataType::List(Arc::new(Field::new_struct("item", vec![items], true)))
        };
        let check = |data_type| check(&Schema::new(vec![Field::new("a", data_type, true)]));
        for values in [DataType::Utf8View, DataType::BinaryView] {
            assert!(check(values.clone()).is_ok());
            assert!(check(dictionary(values.clone())).is_err());
            assert!(check(nested(dictionary(values))).is_err());
        }
        assert!(check(nested(dictionary(DataType::Utf8))).is_ok());
    }

    #[test]
    fn what_cannot_be_kept_is_refused_by_its_path() {
        let number = Arc::new(Field::new("n", DataType::Int32, true));
        let union = DataType::Union([(0, number)].into_iter().collect(), UnionMode::Sparse);
        let dictionary = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8));
        let numbers = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Int64));
        let ordered = |data_type| Field::new("odd", data_type, true).with_dict_is_ordered(true);
        let odd = |data_type| Field::new("odd", data_type, true);
        for (field, what) in [
            (odd(union), "a union"),
            (odd(DataType::FixedSizeBinary(0)), "no bytes"),
            (
                odd(DataType::Struct(arrow::datatypes::Fields::empty())),
                "without members",
            ),
            (
                odd(DataType::Interval(IntervalUnit::DayTime)),
                "an interval",
            ),
            (odd(DataType::Decimal256(39, 2)), "38 digits"),
            (odd(DataType::Decimal128(5, -2)), "7 digits and scale 0"),
            (ordered(numbers), "ordered"),
        ] {
            let within = Field::new_struct("s", vec![field.clone()], true);
            let list = Field::new("l", DataType::List(Arc::new(within)), true);
            for (field, path) in [(field, "\"odd\""), (list, "\"l[].odd\"")] {
                let said = check(&Schema::new(vec![field])).unwrap_err().to_string();
                assert!(said.contains(path) && said.contains(what), "{said}");
            }
        }
        assert!(check(&Schema::new(vec![odd(dictionary.clone())])).is_ok());
        assert!(check(&Schema::new(vec![ordered(dictionary)])).is_ok());
    }
}
