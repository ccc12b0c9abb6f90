//! [`ParquetProperties`]: properties of Parquet by their names, and as text.

use arrow::datatypes::Schema;
use parquet::arrow::ArrowSchemaConverter;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

use super::arrow_schema;
use super::field_ids::FieldIds;
use super::format::Format;
#[cfg(feature = "encryption")]
use super::parquet_keys::ParquetKeys;
use super::parquet_values::{Value, is_within, set_column, set_file, value_of};
use crate::error::{Error, Result};
use crate::names;
use crate::nearest::suggestion;

/// How Parquet is written, by options that have names and values in text, as the command, the Python package and
/// configuration files have them.
///
/// | option | of | values |
/// |---|---|---|
/// | `compression` | all columns, or one | as [`parse::compression`](crate::parse::compression) takes them |
/// | `dictionary` | all columns, or one | `on`, `off` |
/// | `dictionary_page_size` | all columns, or one | a [size](crate::parse::size), beyond which a dictionary is given up |
/// | `statistics` | all columns, or one | `page`, `chunk`, `none` |
/// | `page_size` | all columns, or one | a [size](crate::parse::size), at which a page ends; 1 MiB, as by default, is 4 MiB for texts and bytes |
/// | `bloom_filters` | one column | `on`, `off`, or `fpp=0.01 ndv=1000000` or one of these: the share of values that are taken for present although they are not, and the most distinct values of a row group |
/// | `field_ids` | one column | a number, by which tables such as Iceberg's know the column; a struct, list or map has its own beside those of what is in it (`tags.list.element`, `counts.key_value.key`) |
/// | `row_group_size` | the file | a number of rows |
/// | `row_group_bytes` | the file | a [size](crate::parse::size) |
/// | `page_rows` | the file | a number of rows |
/// | `data_page_version` | the file | `1`, `2` |
/// | `statistics_truncate` | the file | a number of bytes, to which the smallest and largest texts are cut; `none` |
/// | `arrow_schema` | the file | `on`, `off`: whether Arrow's own schema stands in the footer, by which readers give columns the types that they were given in. By default it does where it tells more than Parquet's types. With `off`, columns are refused that Parquet's types do not tell: time zones but UTC, durations, lists of one length, ordered dictionaries, most extension types |
/// | `metadata` | one key | a text |
/// | `plaintext_footer` | the file | `on`, `off`: whether anybody may read the footer of a file that is encrypted |
/// | `store_aad_prefix` | the file | `on`, `off`: whether an encrypted file tells the prefix of its AAD |
///
/// Keys are no texts: they are given to `encrypt` (feature `encryption`).
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
    #[cfg(feature = "encryption")]
    keys: Option<ParquetKeys>,
}

#[derive(Debug, Clone, PartialEq)]
struct Setting {
    option: &'static str,
    /// The column, or the key of metadata; all columns, or the file, where there is none.
    of: Option<String>,
    value: Value,
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
    ("field_ids", Of::OneColumn),
    ("arrow_schema", Of::File),
    ("metadata", Of::Key),
    ("plaintext_footer", Of::File),
    ("store_aad_prefix", Of::File),
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
            let meant = suggestion(option, known.iter().copied());
            let reason = format!("{option:?} is none of {}{meant}", known.join(", "));
            return invalid("properties", reason);
        };
        match (scope, of) {
            (Of::File, Some(column)) => {
                let reason = format!("is of whole files, and not of column {column:?}");
                return invalid(name, reason);
            }
            (Of::OneColumn, None) => {
                return invalid(name, format!("no column is named for {value:?}"));
            }
            (Of::Key, None) => return invalid(name, format!("no key is named for {value:?}")),
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

    /// Encrypts the files with these keys.
    ///
    /// Each file is verified with them before it is published: what is encrypted is authenticated as it is opened. Its pages
    /// carry no checksums, and receipts tell nothing of the values of encrypted columns. A bloom filter of an encrypted
    /// column is refused, since it would not be encrypted. Partition values are in the paths, as ever, and **rows that are
    /// spilled lie in the staging area as they are**, until the write ends: keep it where nobody else reads, or give enough
    /// memory.
    #[cfg(feature = "encryption")]
    #[cfg_attr(docsrs, doc(cfg(feature = "encryption")))]
    #[must_use]
    pub fn encrypt(mut self, keys: ParquetKeys) -> Self {
        self.keys = Some(keys);
        self
    }

    /// The keys, if the files are encrypted.
    #[cfg(feature = "encryption")]
    pub(crate) fn keys(&self) -> Option<&ParquetKeys> {
        self.keys.as_ref()
    }

    /// Other properties with these set. `given` has all columns of the rows, `schema` those of the files.
    pub(crate) fn over(
        &self,
        properties: WriterProperties,
        format: Format,
        given: &Schema,
        schema: &Schema,
    ) -> Result<WriterProperties> {
        let Some(first) = self.first() else {
            return Ok(properties);
        };
        if format != Format::Parquet {
            let reason = format!("is an option of Parquet, without effect in {format}");
            return invalid(first, reason);
        }
        let Ok(known) = ArrowSchemaConverter::new().convert(schema) else {
            // The writer says what is wrong with it.
            return Ok(properties);
        };
        if self.embeds_arrow_schema() == Some(false) {
            arrow_schema::check(schema, &known)?;
        }
        let leaves: Vec<&ColumnPath> = known.columns().iter().map(|it| it.path()).collect();
        let mut metadata = properties.key_value_metadata().cloned().unwrap_or_default();
        let mut builder = properties.into_builder();
        for Setting { option, of, value } in &self.settings {
            match (of, value) {
                (Some(key), Value::Metadata(value)) => {
                    metadata.retain(|pair| pair.key != *key);
                    metadata.push(KeyValue::new(key.clone(), value.clone()));
                }
                // Of fields, which are not only the leaves.
                (_, Value::FieldId(_)) => {}
                (None, value) => builder = set_file(builder, value),
                (Some(column), value) => {
                    let within = leaves
                        .iter()
                        .filter(|leaf| is_within(&leaf.string(), column));
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
        Ok(self.encrypting(builder, given, &leaves)?.build())
    }

    /// The field ids, which are in the schema of the files.
    pub(crate) fn field_ids(&self) -> FieldIds {
        let mut ids = Vec::new();
        for Setting { of, value, .. } in &self.settings {
            if let (Some(column), Value::FieldId(id)) = (of, value) {
                ids.push((column.clone(), *id));
            }
        }
        FieldIds::new(ids)
    }

    /// Whether Arrow's schema stands in the footer: `None` where it does if it tells more than Parquet's types.
    pub(crate) fn embeds_arrow_schema(&self) -> Option<bool> {
        self.switch("arrow_schema")
    }

    /// The first option that is given.
    fn first(&self) -> Option<&'static str> {
        #[cfg(feature = "encryption")]
        if self.keys.is_some() {
            return Some("footer_key");
        }
        self.settings.first().map(|setting| setting.option)
    }

    /// Whether a switch of the file is set, if it was given; the last one of its name counts.
    fn switch(&self, name: &str) -> Option<bool> {
        let settings = self.settings.iter().rev();
        let mut values = settings.filter(|setting| setting.option == name);
        match values.next()?.value {
            Value::ArrowSchema(on) | Value::PlaintextFooter(on) | Value::StoreAadPrefix(on) => {
                Some(on)
            }
            _ => None,
        }
    }

    /// Properties that encrypt, if there are keys; without them options of encryption are refused.
    #[cfg_attr(not(feature = "encryption"), allow(unused_variables))]
    fn encrypting(
        &self,
        builder: WriterPropertiesBuilder,
        given: &Schema,
        leaves: &[&ColumnPath],
    ) -> Result<WriterPropertiesBuilder> {
        let plaintext_footer = self.switch("plaintext_footer");
        let store_aad_prefix = self.switch("store_aad_prefix");
        #[cfg(feature = "encryption")]
        if let Some(keys) = &self.keys {
            if store_aad_prefix.is_some() && !keys.has_aad_prefix() {
                let reason = "has no effect without a prefix of the AAD".to_owned();
                return invalid("store_aad_prefix", reason);
            }
            for column in keys.columns() {
                if !leaves.iter().any(|leaf| is_within(&leaf.string(), column)) {
                    return invalid("column_keys", unknown(column, given, leaves));
                }
            }
            let (plaintext_footer, store_aad_prefix) = (
                plaintext_footer.unwrap_or(false),
                store_aad_prefix.unwrap_or(true),
            );
            return match keys.encryption(leaves, plaintext_footer, store_aad_prefix) {
                Ok(encryption) => Ok(builder.with_file_encryption_properties(encryption)),
                Err(error) => invalid("footer_key", error.to_string()),
            };
        }
        for (option, is_given) in [
            ("plaintext_footer", plaintext_footer.is_some()),
            ("store_aad_prefix", store_aad_prefix.is_some()),
        ] {
            if is_given {
                let reason =
                    "has no effect where nothing is encrypted: there is no key of the footer";
                return invalid(option, reason.to_owned());
            }
        }
        Ok(builder)
    }
}

fn invalid<T>(option: &'static str, reason: String) -> Result<T> {
    Err(Error::InvalidOption { option, reason })
}

fn unknown(column: &str, given: &Schema, leaves: &[&ColumnPath]) -> String {
    let known: Vec<String> = leaves.iter().map(|leaf| leaf.string()).collect();
    names::no_column(column, given, known.iter().map(String::as_str))
}
