//! Whether properties can be written at all, which is to be known before the first row.
//!
//! parquet-rs takes every codec and encoding as a property, and panics at the first row group over one
//! that is not compiled in or has no place for the type of the column.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{Compression, Encoding, Type};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::properties::WriterProperties;
use parquet::file::serialized_reader::SerializedPageReader;
use parquet::schema::types::{ColumnDescPtr, ColumnDescriptor, ColumnPath, SchemaDescriptor};

/// Why no file of this schema can be written with these properties, by the name of the property.
pub(super) fn refusal(properties: &WriterProperties, schema: &SchemaDescriptor) -> Option<String> {
    let mut columns = schema.columns().iter();
    let refused = columns.find_map(|column| {
        codec_refusal(properties, column).or_else(|| encoding_refusal(properties, column))
    });
    refused.or_else(|| unknown_column(properties, schema))
}

/// Why a column cannot be compressed as it is to be.
fn codec_refusal(properties: &WriterProperties, column: &ColumnDescPtr) -> Option<String> {
    let codec = properties.compression(column.path());
    let (name, feature) = match codec {
        Compression::UNCOMPRESSED => return None,
        Compression::LZO => {
            return Some(
                "compression LZO: nothing here writes it; ZSTD and LZ4_RAW are alike".to_owned(),
            );
        }
        Compression::ZSTD(_) => ("ZSTD", "zstd"),
        Compression::SNAPPY => ("SNAPPY", "snap"),
        Compression::GZIP(_) => ("GZIP", "flate2"),
        Compression::BROTLI(_) => ("BROTLI", "brotli"),
        Compression::LZ4 => ("LZ4", "lz4"),
        Compression::LZ4_RAW => ("LZ4_RAW", "lz4"),
    };
    if is_built_in(codec, column) {
        return None;
    }
    Some(format!(
        "compression {name}: takes the feature \"codecs\" of this crate, or {feature:?} of parquet"
    ))
}

/// Whether this build has the codec, which only parquet-rs's reader tells without a panic.
fn is_built_in(codec: Compression, column: &ColumnDescPtr) -> bool {
    let chunk = ColumnChunkMetaData::builder(Arc::clone(column))
        .set_compression(codec)
        .build();
    let reader =
        chunk.and_then(|chunk| SerializedPageReader::new(Arc::new(Bytes::new()), &chunk, 0, None));
    reader.is_ok()
}

/// Why the values of a column cannot be encoded as they are to be, where they are in no dictionary.
fn encoding_refusal(properties: &WriterProperties, column: &ColumnDescriptor) -> Option<String> {
    let encoding = properties.encoding(column.path())?;
    let of_types: &[Type] = match encoding {
        Encoding::PLAIN => return None,
        Encoding::RLE => &[Type::BOOLEAN],
        Encoding::DELTA_BINARY_PACKED => &[Type::INT32, Type::INT64],
        Encoding::DELTA_LENGTH_BYTE_ARRAY => &[Type::BYTE_ARRAY],
        Encoding::DELTA_BYTE_ARRAY => &[Type::BYTE_ARRAY, Type::FIXED_LEN_BYTE_ARRAY],
        Encoding::BYTE_STREAM_SPLIT => &[
            Type::INT32,
            Type::INT64,
            Type::FLOAT,
            Type::DOUBLE,
            Type::FIXED_LEN_BYTE_ARRAY,
        ],
        // Of dictionaries it is the properties that tell; bits are packed within other encodings.
        #[allow(deprecated)]
        Encoding::PLAIN_DICTIONARY | Encoding::RLE_DICTIONARY | Encoding::BIT_PACKED => &[],
    };
    if of_types.contains(&column.physical_type()) {
        return None;
    }
    let known: Vec<String> = of_types.iter().map(ToString::to_string).collect();
    let (path, found) = (column.path().string(), column.physical_type());
    Some(match known.is_empty() {
        true => format!("encoding {encoding} of column {path:?}: is not one of values"),
        false => format!(
            "encoding {encoding} of column {path:?}: is for {}, and the column is stored as {found}",
            known.join(", ")
        ),
    })
}

/// Names a column that has properties of its own, and that the file does not have: they would be without effect.
fn unknown_column(properties: &WriterProperties, schema: &SchemaDescriptor) -> Option<String> {
    let columns = schema.columns().iter();
    let known: BTreeSet<&[String]> = columns.map(|column| column.path().parts()).collect();
    let mut named = named_columns(&format!("{properties:?}")).into_iter();
    let unknown = named.find(|parts| !known.contains(parts.as_slice()))?;
    let path = ColumnPath::new(unknown);
    let what = match properties.bloom_filter_properties(&path) {
        Some(_) => "a bloom filter",
        None => "properties",
    };
    let within = schema.columns().iter().map(|column| column.path());
    let within = within.filter(|leaf| leaf.parts().first() == path.parts().first());
    let within: Vec<String> = within.map(|leaf| format!("{:?}", leaf.string())).collect();
    let remedy = match within.is_empty() {
        true => "partition keys are in the paths alone".to_owned(),
        false => format!("it is stored as {}", within.join(", ")),
    };
    Some(format!(
        "column {:?} has {what} of its own, and there is no such column in the files: {remedy}",
        path.string()
    ))
}

/// The paths of the columns that have properties of their own. Nothing but their debug text tells; one of another form
/// tells nothing.
fn named_columns(text: &str) -> Vec<Vec<String>> {
    // Within a text of somebody else its quote would be escaped.
    const BEGINNING: &str = "ColumnPath { parts: [\"";
    let mut paths = Vec::new();
    for (at, _) in text.match_indices(BEGINNING) {
        let mut rest = &text[at + BEGINNING.len() - 1..];
        let mut parts = Vec::new();
        while let Some((part, after)) = quoted(rest) {
            parts.push(part);
            rest = after.strip_prefix(", ").unwrap_or(after);
        }
        paths.push(parts);
    }
    paths
}

/// The text in the quotes that another begins with, and what comes after them.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut characters = text.strip_prefix('"')?.char_indices();
    let mut found = String::new();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((found, &text[at + 2..])),
            '\\' => found.push(match characters.next()?.1 {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                '0' => '\0',
                'u' => {
                    let digits = characters.by_ref().skip(1).map(|(_, digit)| digit);
                    let digits: String = digits.take_while(|digit| *digit != '}').collect();
                    char::from_u32(u32::from_str_radix(&digits, 16).ok()?)?
                }
                other => other,
            }),
            other => found.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_with_properties_of_their_own_are_found_by_their_paths() {
        let path = |parts: &[&str]| -> Vec<String> {
            parts.iter().map(|part| (*part).to_owned()).collect()
        };
        let mut expected = vec![
            path(&["temp"]),
            path(&["trips", "list", "element"]),
            path(&["a \"quoted\", [one]\\ with\nlines \u{7} and ∂"]),
        ];
        let mut properties = WriterProperties::builder()
            .set_created_by("ColumnPath { parts: [\"forged\"] }".to_owned());
        for parts in &expected {
            properties =
                properties.set_column_bloom_filter_enabled(ColumnPath::new(parts.clone()), true);
        }
        let mut found = named_columns(&format!("{:?}", properties.build()));
        found.sort();
        expected.sort();
        assert_eq!(found, expected);
    }
}
