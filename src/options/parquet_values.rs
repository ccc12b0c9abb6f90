//! Values of the options of Parquet: reading them as text, and setting the property of parquet-rs that each one is.

use parquet::basic::Compression;
use parquet::file::properties::{EnabledStatistics, WriterPropertiesBuilder, WriterVersion};
use parquet::schema::types::ColumnPath;

use super::parse::{self, InvalidValue, named};

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Compression(Compression),
    Dictionary(bool),
    DictionaryPageSize(usize),
    Statistics(EnabledStatistics),
    PageSize(usize),
    BloomFilter(Option<BloomFilter>),
    RowGroupRows(usize),
    RowGroupBytes(usize),
    PageRows(usize),
    DataPageVersion(WriterVersion),
    StatisticsTruncate(Option<usize>),
    Metadata(String),
    PlaintextFooter(bool),
    StoreAadPrefix(bool),
    FieldId(i32),
    ArrowSchema(bool),
}

/// A bloom filter; parquet-rs's own numbers where there are none.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct BloomFilter {
    fpp: Option<f64>,
    ndv: Option<u64>,
}

const SWITCH: &[(&str, bool)] = &[
    ("on", true),
    ("off", false),
    ("true", true),
    ("false", false),
];

/// Reads the value of an option.
pub(super) fn value_of(option: &str, text: &str) -> std::result::Result<Value, InvalidValue> {
    let number = || match text.trim().parse::<usize>() {
        Ok(0) => Err(InvalidValue::new("at least 1 is needed")),
        Ok(number) => Ok(number),
        Err(_) => Err(InvalidValue::new(format!("{text:?} is no number"))),
    };
    let size = || match parse::size(text)?.try_into() {
        Ok(0) => Err(InvalidValue::new("at least 1 byte is needed")),
        Ok(bytes) => Ok(bytes),
        Err(_) => Err(InvalidValue::new(format!("{text:?} is too much"))),
    };
    Ok(match option {
        "compression" => Value::Compression(parse::compression(text)?),
        "dictionary" => Value::Dictionary(named(text, SWITCH)?),
        "dictionary_page_size" => Value::DictionaryPageSize(size()?),
        "statistics" => Value::Statistics(named(
            text,
            &[
                ("page", EnabledStatistics::Page),
                ("chunk", EnabledStatistics::Chunk),
                ("none", EnabledStatistics::None),
            ],
        )?),
        "page_size" => Value::PageSize(size()?),
        "bloom_filters" => Value::BloomFilter(bloom_filter(text)?),
        "row_group_size" => Value::RowGroupRows(number()?),
        "row_group_bytes" => Value::RowGroupBytes(size()?),
        "page_rows" => Value::PageRows(number()?),
        "data_page_version" => Value::DataPageVersion(named(
            text,
            &[
                ("1", WriterVersion::PARQUET_1_0),
                ("2", WriterVersion::PARQUET_2_0),
            ],
        )?),
        "statistics_truncate" => Value::StatisticsTruncate(match text.trim() {
            "none" => None,
            _ => Some(number()?),
        }),
        "field_ids" => Value::FieldId(match text.trim().parse() {
            Ok(id) if id >= 0 => id,
            _ => {
                return Err(InvalidValue::new(format!(
                    "{text:?} is no number from 0 to {}",
                    i32::MAX
                )));
            }
        }),
        "arrow_schema" => Value::ArrowSchema(named(text, SWITCH)?),
        "plaintext_footer" => Value::PlaintextFooter(named(text, SWITCH)?),
        "store_aad_prefix" => Value::StoreAadPrefix(named(text, SWITCH)?),
        _ => Value::Metadata(text.to_owned()),
    })
}

/// Reads `on`, `off`, or numbers by their names.
fn bloom_filter(text: &str) -> std::result::Result<Option<BloomFilter>, InvalidValue> {
    if !text.contains('=') {
        return Ok(named(text, SWITCH)?.then(BloomFilter::default));
    }
    let mut filter = BloomFilter::default();
    for part in text.split_whitespace() {
        let wrong = |what: &str| Err(InvalidValue::new(format!("{part:?}: {what}")));
        match part.split_once('=') {
            Some(("fpp", fpp)) => match fpp.parse() {
                Ok(fpp) if 0.0 < fpp && fpp < 1.0 => filter.fpp = Some(fpp),
                _ => return wrong("a number between 0 and 1 is needed"),
            },
            Some(("ndv", ndv)) => match ndv.parse() {
                Ok(ndv) if ndv > 0 => filter.ndv = Some(ndv),
                _ => return wrong("a whole number from 1 on is needed"),
            },
            _ => return wrong("is neither fpp= nor ndv="),
        }
    }
    Ok(Some(filter))
}

/// Sets a property of all columns or of the file.
pub(super) fn set_file(builder: WriterPropertiesBuilder, value: &Value) -> WriterPropertiesBuilder {
    match *value {
        Value::Compression(codec) => builder.set_compression(codec),
        Value::Dictionary(enabled) => builder.set_dictionary_enabled(enabled),
        Value::DictionaryPageSize(bytes) => builder.set_dictionary_page_size_limit(bytes),
        Value::Statistics(level) => builder.set_statistics_enabled(level),
        Value::PageSize(bytes) => builder.set_data_page_size_limit(bytes),
        Value::RowGroupRows(rows) => builder.set_max_row_group_row_count(Some(rows)),
        Value::RowGroupBytes(bytes) => builder.set_max_row_group_bytes(Some(bytes)),
        Value::PageRows(rows) => builder.set_data_page_row_count_limit(rows),
        Value::DataPageVersion(version) => builder.set_writer_version(version),
        Value::StatisticsTruncate(bytes) => builder
            .set_statistics_truncate_length(bytes)
            .set_column_index_truncate_length(bytes),
        // What adds the schema to the properties asks for it.
        Value::ArrowSchema(_) => builder,
        // Taken together with the keys.
        Value::PlaintextFooter(_) | Value::StoreAadPrefix(_) => builder,
        // Never without a column or a key.
        Value::BloomFilter(_) | Value::Metadata(_) | Value::FieldId(_) => builder,
    }
}

/// Sets a property of a leaf.
pub(super) fn set_column(
    builder: WriterPropertiesBuilder,
    leaf: &ColumnPath,
    value: &Value,
) -> WriterPropertiesBuilder {
    let leaf = leaf.clone();
    match *value {
        Value::Compression(codec) => builder.set_column_compression(leaf, codec),
        Value::Dictionary(enabled) => builder.set_column_dictionary_enabled(leaf, enabled),
        Value::DictionaryPageSize(bytes) => {
            builder.set_column_dictionary_page_size_limit(leaf, bytes)
        }
        Value::Statistics(level) => builder.set_column_statistics_enabled(leaf, level),
        Value::PageSize(bytes) => builder.set_column_data_page_size_limit(leaf, bytes),
        Value::BloomFilter(None) => builder.set_column_bloom_filter_enabled(leaf, false),
        Value::BloomFilter(Some(BloomFilter { fpp, ndv })) => {
            let mut builder = builder.set_column_bloom_filter_enabled(leaf.clone(), true);
            if let Some(fpp) = fpp {
                builder = builder.set_column_bloom_filter_fpp(leaf.clone(), fpp);
            }
            match ndv {
                Some(ndv) => builder.set_column_bloom_filter_max_ndv(leaf, ndv),
                None => builder,
            }
        }
        // Never of a column.
        Value::RowGroupRows(_)
        | Value::RowGroupBytes(_)
        | Value::PageRows(_)
        | Value::DataPageVersion(_)
        | Value::StatisticsTruncate(_)
        | Value::Metadata(_)
        | Value::ArrowSchema(_)
        | Value::PlaintextFooter(_)
        | Value::StoreAadPrefix(_) => builder,
        // In the schema of the file.
        Value::FieldId(_) => builder,
    }
}

/// Whether a path is that of a column, or of one in it.
pub(super) fn is_within(path: &str, column: &str) -> bool {
    let rest = path.strip_prefix(column);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
