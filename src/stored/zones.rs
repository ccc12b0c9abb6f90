//! Time zones that are offsets, as files of Parquet have them.
//!
//! Polars 2.1 opens no Parquet file in whose embedded Arrow schema a time zone is an offset of parts of an hour, or of
//! more than twelve hours to the west or fourteen to the east; pyarrow 26 has no values where the offset is spelt `+05`
//! or `+0530`. Parquet itself has instants in UTC alone, so that an instant stays what it was in any of them.
//!
//! | given | in a file of Parquet |
//! |---|---|
//! | `+05:00`, `-08`, `+0100` | `+05:00`, `-08:00`, `+01:00` |
//! | `+05:30`, `-13:00` | `UTC` |
//!
//! Rows are divided by their zone as it was given, before this.

use std::sync::Arc;

use arrow::array::timezone::Tz;
use arrow::datatypes::{DataType, FieldRef, Schema, SchemaRef};

use super::{map_field, map_fields, map_within};
use crate::format::Format;
use crate::nested::{below, inner_fields};
use crate::receipt::Note;

/// The schema of files whose rows have the given one.
pub(crate) fn readable_zones(format: Format, given: &SchemaRef) -> SchemaRef {
    if format == Format::Parquet {
        return map_fields(given, |field| map_field(field, &readable_type));
    }
    Arc::clone(given)
}

/// The notes on offsets that the files do not keep.
pub(crate) fn lost_offsets(format: Format, given: &Schema) -> Vec<Note> {
    let mut lost = Vec::new();
    if format == Format::Parquet {
        for field in given.fields() {
            find_lost(field.name(), field, &mut lost);
        }
    }
    lost
}

fn find_lost(path: &str, field: &FieldRef, lost: &mut Vec<Note>) {
    if let DataType::Timestamp(_, Some(zone)) = field.data_type()
        && let Some(Offset::Other) = offset_of(zone)
    {
        lost.push(Note::OffsetNotKept {
            column: path.to_owned(),
            offset: zone.to_string(),
        });
    }
    for inner in inner_fields(field.data_type()) {
        find_lost(&below(path, field.data_type(), inner), inner, lost);
    }
}

fn readable_type(given: &DataType) -> DataType {
    match given {
        DataType::Timestamp(unit, Some(zone)) => {
            let zone = match offset_of(zone) {
                Some(Offset::Readable(spelt)) => spelt.into(),
                Some(Offset::Other) => "UTC".into(),
                None => Arc::clone(zone),
            };
            DataType::Timestamp(*unit, Some(zone))
        }
        other => map_within(other, &readable_type),
    }
}

enum Offset {
    /// An offset that all readers know, as they spell it.
    Readable(String),
    Other,
}

/// The offset that a zone is; `None` if it is a name.
fn offset_of(zone: &str) -> Option<Offset> {
    if !zone.starts_with(['+', '-']) {
        return None;
    }
    let spelt = zone.parse::<Tz>().ok()?.to_string();
    let hours = spelt
        .strip_suffix(":00")
        .and_then(|hours| hours.parse().ok());
    Some(match hours {
        Some(-12..=14) => Offset::Readable(spelt),
        _ => Offset::Other,
    })
}
