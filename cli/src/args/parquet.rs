//! Options of Parquet, for all columns or by column.

use atomic_arrow::{Error, ParquetProperties};
use clap::Args;

use super::keys::KeyArgs;

/// How Parquet is written.
#[derive(Debug, Args)]
#[command(next_help_heading = "Parquet")]
pub(crate) struct ParquetArgs {
    /// Rows of a row group, at most [default: 1048576]
    #[arg(long, value_name = "ROWS")]
    row_group_size: Option<String>,

    /// Bytes of a row group, at most, such as 128MiB [default: no limit]
    #[arg(long, value_name = "BYTES")]
    row_group_bytes: Option<String>,

    /// Bytes at which a page ends, such as 64KiB, also by column as in 'note=2MiB' [default: 1MiB, of texts and bytes 4MiB]
    #[arg(long, value_name = "BYTES", value_delimiter = ',')]
    page_size: Vec<String>,

    /// Rows of a page, at most [default: 20000]
    #[arg(long, value_name = "ROWS")]
    page_rows: Option<String>,

    /// The version of data pages, 1 or 2 [default: 1]
    #[arg(long, value_name = "VERSION")]
    data_page_version: Option<String>,

    /// Whether dictionaries are tried, on or off, also by column as in 'off,station_id=on' [default: on]
    #[arg(long, value_name = "SWITCH", value_delimiter = ',')]
    dictionary: Vec<String>,

    /// Bytes beyond which a dictionary is given up, also by column [default: 1MiB]
    #[arg(long, value_name = "BYTES", value_delimiter = ',')]
    dictionary_page_size: Vec<String>,

    /// Which statistics there are: of each page, of each chunk, or none; also by column as in 'note=none'
    /// [default: page]
    #[arg(long, value_name = "LEVEL", value_delimiter = ',')]
    statistics: Vec<String>,

    /// Bytes to which the smallest and largest texts are cut in statistics, or none [default: 64]
    #[arg(long, value_name = "BYTES")]
    statistics_truncate: Option<String>,

    /// Columns with bloom filters, such as 'station_id,note(fpp=0.01 ndv=100000)' [default: none]
    ///
    /// fpp is the share of values that are taken for present although they are not, ndv the most distinct values of a
    /// row group. A column within a struct or list is named by its path, such as station.name.
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    bloom_filters: Vec<String>,

    /// Field ids of columns, by which tables such as Iceberg's know them, as in 'note=7,tags.list.element=8' [default: those
    /// that Parquet input has]
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    field_ids: Vec<String>,

    /// Whether Arrow's own schema stands in the footer, on or off [default: where it tells more than Parquet's types]
    ///
    /// With off readers go by Parquet's types alone, and columns are refused that these do not tell: time zones but UTC,
    /// durations, lists of one length, ordered dictionaries, most extension types.
    #[arg(long, value_name = "SWITCH")]
    arrow_schema: Option<String>,

    /// A pair for the metadata of every file; may be given several times
    #[arg(long, value_name = "KEY=VALUE")]
    metadata: Vec<String>,

    /// Whether anybody may read the footer of an encrypted file, with its schema, on or off [default: off]
    ///
    /// It is signed with the footer's key then. Statistics of encrypted columns are encrypted either way.
    #[arg(long, value_name = "SWITCH")]
    plaintext_footer: Option<String>,

    /// Whether files tell --aad-prefix, so that readers need not know it, on or off [default: on]
    #[arg(long, value_name = "SWITCH")]
    store_aad_prefix: Option<String>,

    #[command(flatten)]
    keys: KeyArgs,
}

impl ParquetArgs {
    /// The properties; `compression` has the codecs of single columns, as in `note=snappy`.
    pub(crate) fn properties(&self, compression: &[String]) -> Result<ParquetProperties, Error> {
        let mut properties = ParquetProperties::new();
        for (option, value) in [
            ("row_group_size", &self.row_group_size),
            ("row_group_bytes", &self.row_group_bytes),
            ("page_rows", &self.page_rows),
            ("data_page_version", &self.data_page_version),
            ("statistics_truncate", &self.statistics_truncate),
            ("arrow_schema", &self.arrow_schema),
            ("plaintext_footer", &self.plaintext_footer),
            ("store_aad_prefix", &self.store_aad_prefix),
        ] {
            if let Some(value) = value {
                properties.set(option, None, value)?;
            }
        }
        for (option, values) in [
            ("compression", compression),
            ("page_size", &self.page_size),
            ("dictionary", &self.dictionary),
            ("dictionary_page_size", &self.dictionary_page_size),
            ("statistics", &self.statistics),
            ("field_ids", &self.field_ids),
        ] {
            for text in values {
                match text.rsplit_once('=') {
                    Some((column, value)) => properties.set(option, Some(column.trim()), value)?,
                    None => properties.set(option, None, text)?,
                }
            }
        }
        for text in &self.bloom_filters {
            match text.strip_suffix(')').and_then(|it| it.split_once('(')) {
                Some((column, how)) => {
                    properties.set("bloom_filters", Some(column.trim()), how)?;
                }
                None => properties.set("bloom_filters", Some(text.trim()), "on")?,
            }
        }
        for text in &self.metadata {
            match text.split_once('=') {
                Some((key, value)) => properties.set("metadata", Some(key), value)?,
                None => properties.set("metadata", None, text)?,
            }
        }
        Ok(match self.keys.keys()? {
            Some(keys) => properties.encrypt(keys),
            None => properties,
        })
    }
}
