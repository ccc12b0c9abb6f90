//! [`ParquetKeys`]: the keys of encrypted Parquet, by which it is written, checked and read.

use std::fmt;
use std::sync::Arc;

use parquet::encryption::decrypt::FileDecryptionProperties;
use parquet::encryption::encrypt::FileEncryptionProperties;
use parquet::schema::types::ColumnPath;

use super::parquet_values::is_within;
use crate::error::{Error, Result};

/// The keys that Parquet is encrypted with ([`ParquetProperties::encrypt`](crate::ParquetProperties::encrypt)), or opened
/// with ([`VerifyOptions::keys`](crate::verify::VerifyOptions::keys)).
///
/// A key has 16 or 32 bytes, for AES-GCM of 128 or 256 bits. With a key for the footer alone, all columns are encrypted
/// with that. With keys for columns, **the other columns are in the clear**. Printed, it shows no key.
///
/// ```
/// use std::sync::Arc;
/// use atomic_arrow::arrow::array::{ArrayRef, Int64Array, RecordBatch};
/// use atomic_arrow::verify::{VerifyOptions, verify_path_with_options};
/// use atomic_arrow::{AtomicArrowWriter, ParquetKeys, ParquetProperties, WriterOptions};
/// # let lake = tempfile::tempdir()?;
/// # let path = lake.path().join("wind.parquet");
///
/// let keys = ParquetKeys::new(b"0123456789abcdef")?.column("wind", b"fedcba9876543210")?;
/// let wind: ArrayRef = Arc::new(Int64Array::from(vec![5, 6, 7]));
/// let batch = RecordBatch::try_from_iter([("wind", wind)])?;
/// let options = WriterOptions::new().parquet(ParquetProperties::new().encrypt(keys.clone()));
/// let mut writer = AtomicArrowWriter::at_with_options(&path, batch.schema(), options)?;
/// writer.write(&batch)?;
/// writer.commit()?;
///
/// let options = VerifyOptions::new().keys(keys);
/// let summary = verify_path_with_options(&path, &options, |report| {
///     assert!(report.is_sound());
///     Ok(())
/// })?;
/// assert_eq!(summary.files, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ParquetKeys {
    footer: Vec<u8>,
    columns: Vec<(String, Vec<u8>)>,
    aad_prefix: Option<Vec<u8>>,
}

/// Hides the keys.
impl fmt::Debug for ParquetKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.columns.iter().map(|(column, _)| column);
        f.debug_struct("ParquetKeys")
            .field("columns", &columns.collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

impl ParquetKeys {
    /// The key of the footer, which is that of all columns too if none gets its own.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] if it has neither 16 nor 32 bytes.
    pub fn new(footer_key: impl AsRef<[u8]>) -> Result<Self> {
        Ok(ParquetKeys {
            footer: key("footer_key", footer_key.as_ref())?,
            columns: Vec::new(),
            aad_prefix: None,
        })
    }

    /// The keys by options of which each may be missing; `None` if all are.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] if there is another option without a key of the footer; those of the other methods.
    pub fn from_parts(
        footer_key: Option<Vec<u8>>,
        column_keys: Vec<(String, Vec<u8>)>,
        aad_prefix: Option<Vec<u8>>,
    ) -> Result<Option<Self>> {
        let Some(footer_key) = footer_key else {
            let needs = |option| {
                let reason = "the key of the footer is needed too".to_owned();
                Err(Error::InvalidOption { option, reason })
            };
            return match (column_keys.is_empty(), aad_prefix) {
                (true, None) => Ok(None),
                (false, _) => needs("column_keys"),
                (true, Some(_)) => needs("aad_prefix"),
            };
        };
        let mut keys = Self::new(footer_key)?;
        for (column, key) in column_keys {
            keys = keys.column(column, key)?;
        }
        match aad_prefix {
            Some(prefix) => keys.aad_prefix(prefix).map(Some),
            None => Ok(Some(keys)),
        }
    }

    /// The key of a column by its path, such as `station.name`; of a struct, list or map, of all that is in it.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] if it has neither 16 nor 32 bytes, or the column, or one in or around it, has a key already.
    pub fn column(mut self, path: impl Into<String>, column_key: impl AsRef<[u8]>) -> Result<Self> {
        let path = path.into();
        let others = self.columns.iter().map(|(other, _)| other);
        let mut others = others.filter(|other| is_within(other, &path) || is_within(&path, other));
        if let Some(other) = others.next() {
            return Err(Error::InvalidOption {
                option: "column_keys",
                reason: format!("columns {other:?} and {path:?} are one, or one is in the other"),
            });
        }
        let column_key = key("column_keys", column_key.as_ref())?;
        self.columns.push((path, column_key));
        Ok(self)
    }

    /// The prefix of the AAD, a text such as the name of the data set, by which a file that is exchanged for another one
    /// that was written with the same keys is found; by default none. Where files store it, readers need not know it.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] if it is empty.
    pub fn aad_prefix(mut self, prefix: impl Into<Vec<u8>>) -> Result<Self> {
        let prefix = prefix.into();
        if prefix.is_empty() {
            return Err(Error::InvalidOption {
                option: "aad_prefix",
                reason: "is empty".to_owned(),
            });
        }
        self.aad_prefix = Some(prefix);
        Ok(self)
    }

    pub(crate) fn has_aad_prefix(&self) -> bool {
        self.aad_prefix.is_some()
    }

    /// The columns that have keys of their own.
    pub(crate) fn columns(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|(column, _)| column.as_str())
    }

    /// The keys of those leaves that have their own.
    fn of_leaves<'a>(
        &'a self,
        leaves: &'a [&'a ColumnPath],
    ) -> impl Iterator<Item = (String, &'a [u8])> {
        let leaves = leaves.iter().map(|leaf| leaf.string());
        leaves.filter_map(|leaf| {
            let (_, key) = self
                .columns
                .iter()
                .find(|(path, _)| is_within(&leaf, path))?;
            Some((leaf, key.as_slice()))
        })
    }

    /// Whether nothing but the key of the footer is needed.
    pub(crate) fn is_uniform(&self) -> bool {
        self.columns.is_empty()
    }

    /// As parquet-rs writes with them.
    pub(super) fn encryption(
        &self,
        leaves: &[&ColumnPath],
        plaintext_footer: bool,
        store_aad_prefix: bool,
    ) -> parquet::errors::Result<Arc<FileEncryptionProperties>> {
        let mut encryption = FileEncryptionProperties::builder(self.footer.clone())
            .with_plaintext_footer(plaintext_footer);
        for (leaf, key) in self.of_leaves(leaves) {
            encryption = encryption.with_column_key(&leaf, key.to_vec());
        }
        if let Some(prefix) = &self.aad_prefix {
            encryption = encryption
                .with_aad_prefix(prefix.clone())
                .with_aad_prefix_storage(store_aad_prefix);
        }
        encryption.build()
    }

    /// As parquet-rs reads with them a file that has these leaves.
    pub(crate) fn decryption(
        &self,
        leaves: &[&ColumnPath],
    ) -> parquet::errors::Result<Arc<FileDecryptionProperties>> {
        let mut decryption = FileDecryptionProperties::builder(self.footer.clone());
        for (leaf, key) in self.of_leaves(leaves) {
            decryption = decryption.with_column_key(&leaf, key.to_vec());
        }
        if let Some(prefix) = &self.aad_prefix {
            decryption = decryption.with_aad_prefix(prefix.clone());
        }
        decryption.build()
    }
}

fn key(option: &'static str, key: &[u8]) -> Result<Vec<u8>> {
    match key.len() {
        16 | 32 => Ok(key.to_vec()),
        length => Err(Error::InvalidOption {
            option,
            reason: format!("a key has 16 or 32 bytes, and this one has {length}"),
        }),
    }
}
