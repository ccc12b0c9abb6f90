//! [`ParquetProperties`]: properties of Parquet by their names, and as text.

use arrow::datatypes::Schema;
use parquet::arrow::ArrowSchemaConverter;
use parquet::basic::Compression;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{
    EnabledStatistics, WriterProperties, WriterPropertiesBuilder, WriterVersion,
};
use parquet::schema::types::ColumnPath;

use super::format::Format;
use super::parse::{self, InvalidValue, named};
use crate::error::{Error, Result};

/// How Parquet is written, by options that have names and values in text, as the command, the Python package and
/// configuration files have them.
///
/// | option | of | values |
/// |---|---|---|
/// | `compression` | all columns, or one | as [`parse::compression`] takes them |
/// | `dictionary` | all columns, or one | `on`, `off` |
/// | `dictionary_page_size` | all columns, or one | a [size](parse::size), beyond which a dictionary is given up |
/// | `statistics` | all columns, or one | `page`, `chunk`, `none` |
/// | `page_size` | all columns, or one | a [size](parse::size), at which a page ends |
/// | `bloom_filters` | one column | `on`, `off`, or `fpp=0.01 ndv=1000000` or one of these: the share of values that are taken for present although they are not, and the most distinct values of a row group |
/// | `row_group_size` | the file | a number of rows |
/// | `row_group_bytes` | the file | a [size](parse::size) |
/// | `page_rows` | the file | a number of rows |
/// | `data_page_version` | the file | `1`, `2` |
/// | `statistics_truncate` | the file | a number of bytes, to which the smallest and largest texts are cut; `none` |
/// | `metadata` | one key | a text |
///
/// A column is named by its path, such as `station.name`: a struct, list or map for all of its leaves, or the path of a
/// leaf as Parquet has it (`tags.list.element`). A column that the files do not have is an error, and so is any of these
/// options in another format, where none has an effect.
///
/// ```
/// use atomic_arrow::ParquetProperties;
///
/// let mut properties = ParquetProperties::new();
/// properties.set("row_group_size", None, "100000")?;
/// properties.set("compression", Some("note"), "gzip(6)")?;
/// properties.set("bloom_filters", Some("station_id"), "fpp=0.001")?;
/// assert!(properties.set("compression", Some("note"), "rar").is_err());
/// # Ok::<(), atomic_arrow::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ParquetProperties {
    settings: Vec<Setting>,
}

#[derive(Debug, Clone, PartialEq)]
struct Setting {
    option: &'static str,
    /// The column, or the key of metadata; all columns, or the file, where there is none.
    of: Option<String>,
    value: Value,
}

#[derive(Debug, Clone, PartialEq)]
enum Value {
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
}

/// A bloom filter; parquet-rs's own numbers where there are none.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct BloomFilter {
    fpp: Option<f64>,
    ndv: Option<u64>,
}

/// What an option is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Columns,
    OneColumn,
    File,
    Key,
}

const OPTIONS: &[(&str, Of)] = &[
    ("compression", Of::Columns),
    ("dictionary", Of::Columns),
    ("dictionary_page_size", Of::Columns),
    ("statistics", Of::Columns),
    ("page_size", Of::Columns),
    ("bloom_filters", Of::OneColumn),
    ("row_group_size", Of::File),
    ("row_group_bytes", Of::File),
    ("page_rows", Of::File),
    ("data_page_version", Of::File),
    ("statistics_truncate", Of::File),
    ("metadata", Of::Key),
];

const SWITCH: &[(&str, bool)] = &[
    ("on", true),
    ("off", false),
    ("true", true),
    ("false", false),
];

impl ParquetProperties {
    /// Nothing but the defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The names of all options.
    pub fn names() -> impl Iterator<Item = &'static str> {
        OPTIONS.iter().map(|(name, _)| *name)
    }

    /// Sets an option of a column, or of all columns or the file where none is given; of metadata it is the key that is
    /// given. What is set later goes before what was set earlier.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] if there is no such option, it has no such value, or it cannot be had by column.
    pub fn set(&mut self, option: &str, of: Option<&str>, value: &str) -> Result<()> {
        let Some(&(name, scope)) = OPTIONS.iter().find(|(name, _)| *name == option) else {
            let known: Vec<&str> = Self::names().collect();
            let reason = format!("{option:?} is none of {}", known.join(", "));
            return invalid("properties", reason);
        };
        match (scope, of) {
            (Of::File, Some(column)) => {
                let reason = format!("is of whole files, and not of column {column:?}");
                return invalid(name, reason);
            }
            (Of::OneColumn, None) => return invalid(name, "names no column".to_owned()),
            (Of::Key, None) => return invalid(name, "names no key".to_owned()),
            (Of::Columns, _) | (Of::File, None) | (Of::OneColumn | Of::Key, Some(_)) => {}
        }
        match value_of(name, value) {
            Ok(value) => {
                let of = of.map(str::to_owned);
                let option = name;
                self.settings.push(Setting { option, of, value });
                Ok(())
            }
            Err(error) => invalid(name, error.to_string()),
        }
    }

    /// Other properties with these set. `given` has all columns of the rows, `schema` those of the files.
    pub(crate) fn over(
        &self,
        properties: WriterProperties,
        format: Format,
        given: &Schema,
        schema: &Schema,
    ) -> Result<WriterProperties> {
        let Some(first) = self.settings.first() else {
            return Ok(properties);
        };
        if format != Format::Parquet {
            let reason = format!("is an option of Parquet, without effect in {format}");
            return invalid(first.option, reason);
        }
        let Ok(known) = ArrowSchemaConverter::new().convert(schema) else {
            // The writer says what is wrong with it.
            return Ok(properties);
        };
        let leaves: Vec<&ColumnPath> = known.columns().iter().map(|it| it.path()).collect();
        let mut metadata = properties.key_value_metadata().cloned().unwrap_or_default();
        let mut builder = properties.into_builder();
        for Setting { option, of, value } in &self.settings {
            match (of, value) {
                (Some(key), Value::Metadata(value)) => {
                    metadata.retain(|pair| pair.key != *key);
                    metadata.push(KeyValue::new(key.clone(), value.clone()));
                }
                (None, value) => builder = set_file(builder, value),
                (Some(column), value) => {
                    let within = leaves.iter().filter(|leaf| is_within(leaf, column));
                    let mut within = within.copied().peekable();
                    if within.peek().is_none() {
                        return invalid(option, unknown(column, given, &leaves));
                    }
                    builder =
                        within.fold(builder, |builder, leaf| set_column(builder, leaf, value));
                }
            }
        }
        if !metadata.is_empty() {
            builder = builder.set_key_value_metadata(Some(metadata));
        }
        Ok(builder.build())
    }
}

fn invalid<T>(option: &'static str, reason: String) -> Result<T> {
    Err(Error::InvalidOption { option, reason })
}

/// Whether a leaf is a column that is named by its path, or in it.
fn is_within(leaf: &ColumnPath, column: &str) -> bool {
    let path = leaf.string();
    let rest = path.strip_prefix(column);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn unknown(column: &str, given: &Schema, leaves: &[&ColumnPath]) -> String {
    if given.field_with_name(column).is_ok() {
        return format!("column {column:?} is a partition key, which is in the paths alone");
    }
    let known: Vec<String> = leaves
        .iter()
        .map(|leaf| format!("{:?}", leaf.string()))
        .collect();
    format!(
        "there is no column {column:?} in the files, which have {}",
        known.join(", ")
    )
}

fn value_of(option: &str, text: &str) -> std::result::Result<Value, InvalidValue> {
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

fn set_file(builder: WriterPropertiesBuilder, value: &Value) -> WriterPropertiesBuilder {
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
        // Never without a column or a key.
        Value::BloomFilter(_) | Value::Metadata(_) => builder,
    }
}

fn set_column(
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
        | Value::Metadata(_) => builder,
    }
}
