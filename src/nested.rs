//! The types within a nested type.

use arrow::datatypes::{DataType, Field, FieldRef};

/// The fields directly within a list, struct, map, union or column of runs. A dictionary has none.
pub(crate) fn inner_fields(data_type: &DataType) -> Vec<&FieldRef> {
    match data_type {
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _)
        | DataType::Map(item, _)
        | DataType::RunEndEncoded(_, item) => vec![item],
        DataType::Struct(fields) => fields.iter().collect(),
        DataType::Union(fields, _) => fields.iter().map(|(_, field)| field).collect(),
        _ => Vec::new(),
    }
}

/// The path of a field that lies directly within a type, which is at `path`: items of lists are `[]`, and the entries
/// of a map have its own path.
pub(crate) fn below(path: &str, within: &DataType, field: &Field) -> String {
    match within {
        DataType::Map(..) => path.to_owned(),
        DataType::FixedSizeList(..) | DataType::RunEndEncoded(..) => format!("{path}[]"),
        list if list_item(list).is_some() => format!("{path}[]"),
        _ => format!("{path}.{}", field.name()),
    }
}

/// The types directly within a type, also that of a dictionary's values.
pub(crate) fn inner_types(data_type: &DataType) -> Vec<&DataType> {
    match data_type {
        DataType::Dictionary(_, values) => vec![values],
        other => inner_fields(other)
            .into_iter()
            .map(|field| field.data_type())
            .collect(),
    }
}

/// Whether a type is run-end encoded, or has such a type within it.
pub(crate) fn has_runs(data_type: &DataType) -> bool {
    matches!(data_type, DataType::RunEndEncoded(..)) || has_runs_within(data_type)
}

/// Whether a type has a run-end-encoded type within it; it may be one itself.
pub(crate) fn has_runs_within(data_type: &DataType) -> bool {
    inner_types(data_type).into_iter().any(has_runs)
}

/// The item of a list of any length; lists of one length are another logical type.
pub(crate) fn list_item(data_type: &DataType) -> Option<&FieldRef> {
    match data_type {
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item) => Some(item),
        _ => None,
    }
}

/// Whether the type is one of bytes of any length.
pub(crate) fn is_binary(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView
    )
}
