//! Types that Parquet has a place for, and parquet-rs does not.

use arrow::datatypes::{DataType, Schema};
use parquet::errors::ParquetError;

/// Refuses what parquet-rs panics at once rows come: dictionaries of views (seen in version 59.3).
pub(crate) fn check(schema: &Schema) -> Result<(), ParquetError> {
    let views = |field: &&arrow::datatypes::FieldRef| has_dictionary_of_views(field.data_type());
    match schema.fields().iter().find(views) {
        Some(field) => Err(ParquetError::NYI(format!(
            "column {:?} has a dictionary of views; cast its values to Utf8 or Binary",
            field.name()
        ))),
        None => Ok(()),
    }
}

fn has_dictionary_of_views(data_type: &DataType) -> bool {
    use DataType::{
        Dictionary, FixedSizeList, LargeList, LargeListView, List, ListView, Map, RunEndEncoded,
        Struct,
    };
    match data_type {
        Dictionary(_, values) => {
            matches!(values.as_ref(), DataType::Utf8View | DataType::BinaryView)
        }
        Struct(fields) => fields
            .iter()
            .any(|field| has_dictionary_of_views(field.data_type())),
        List(items)
        | LargeList(items)
        | ListView(items)
        | LargeListView(items)
        | FixedSizeList(items, _)
        | Map(items, _)
        | RunEndEncoded(_, items) => has_dictionary_of_views(items.data_type()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::Field;

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
}
