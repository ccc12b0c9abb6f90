//! Keys that open encrypted files: their writer's own, or those of somebody who checks a file.
//!
//! All that is known here of parquet-rs's encryption is in this module, behind the feature
//! `encryption`; without it there are no keys, and what is encrypted cannot be checked. parquet-rs
//! decrypts. Its cipher, AES-GCM, authenticates every module by itself, its place in the file included:
//! one that opens is the one that was written there with that key.

#[cfg(feature = "encryption")]
pub(crate) use enabled::{Keys, encryption};

#[cfg(not(feature = "encryption"))]
pub(crate) use disabled::{Keys, encryption};

use ::parquet::file::metadata::ColumnChunkMetaData;

/// Whether the column chunk is encrypted, and with it its statistics and page indexes.
pub(crate) fn is_encrypted(chunk: &ColumnChunkMetaData) -> bool {
    encryption(chunk).is_some()
}

#[cfg(feature = "encryption")]
mod enabled {
    use std::fmt;
    use std::sync::Arc;

    use ::parquet::encryption::decrypt::FileDecryptionProperties;
    use ::parquet::encryption::encrypt::FileEncryptionProperties;
    use ::parquet::errors::Result;
    use ::parquet::file::column_crypto_metadata::ColumnCryptoMetaData;
    use ::parquet::file::metadata::{
        ColumnChunkMetaData, PageIndexPolicy, ParquetMetaData, ParquetMetaDataOptions,
        ParquetMetaDataReader,
    };
    use ::parquet::file::properties::WriterProperties;
    use ::parquet::schema::types::SchemaDescriptor;
    use bytes::Bytes;

    use crate::format::parquet::crypto::Crypto;

    /// The decryption keys of an encrypted file.
    #[derive(Clone)]
    pub(crate) struct Keys {
        decryption: Arc<FileDecryptionProperties>,
        /// What the file was written with, where these are its writer's.
        encryption: Option<Arc<FileEncryptionProperties>>,
    }

    /// Hides the keys.
    impl fmt::Debug for Keys {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.debug_struct("Keys").finish_non_exhaustive()
        }
    }

    impl Keys {
        pub(crate) fn new(keys: &Arc<FileDecryptionProperties>) -> Self {
            Keys {
                decryption: Arc::clone(keys),
                encryption: None,
            }
        }

        /// The keys that decrypt files written with `properties`; `None` if these do not encrypt. They are no more
        /// than readers need: the prefix of the AAD is among them only where the file does not store it.
        pub(crate) fn of_writer(properties: &WriterProperties) -> Result<Option<Self>> {
            let Some(encryption) = properties.file_encryption_properties() else {
                return Ok(None);
            };
            let mut keys = FileDecryptionProperties::builder(encryption.footer_key().clone());
            let (columns, column_keys, _) = encryption.column_keys();
            for (column, key) in columns.iter().zip(column_keys) {
                keys = keys.with_column_key(column, key);
            }
            if let Some(prefix) = encryption.aad_prefix()
                && !encryption.store_aad_prefix()
            {
                keys = keys.with_aad_prefix(prefix.clone());
            }
            Ok(Some(Keys {
                decryption: keys.build()?,
                encryption: Some(Arc::clone(encryption)),
            }))
        }

        /// How the footer of a file that was just written has to be encrypted.
        pub(crate) fn expected(&self) -> Option<Crypto<'_>> {
            let encryption = self.encryption.as_ref()?;
            let prefix = encryption.aad_prefix().map(Vec::as_slice);
            let is_stored = encryption.store_aad_prefix();
            Some(Crypto {
                aad_prefix: prefix.filter(|_| is_stored),
                supply_aad_prefix: prefix.map(|_| !is_stored),
                key_metadata: encryption.footer_key_metadata().map(Vec::as_slice),
                ..Crypto::gcm()
            })
        }

        /// The first column that is to be encrypted and have a bloom filter, which parquet-rs would
        /// write as if nothing was encrypted: whoever has the file could ask it for values.
        pub(crate) fn column_in_the_clear(
            properties: &WriterProperties,
            schema: &SchemaDescriptor,
        ) -> Option<String> {
            let encryption = properties.file_encryption_properties()?;
            let (encrypted, ..) = encryption.column_keys();
            let mut paths = schema.columns().iter().map(|column| column.path());
            let path = paths.find(|path| {
                let is_encrypted = encrypted.is_empty() || encrypted.contains(&path.string());
                is_encrypted && properties.bloom_filter_properties(path).is_some()
            });
            path.map(|path| path.string())
        }

        /// Parses a footer, given with its length and the magic number, which are the end of the file.
        pub(crate) fn open_footer(&self, end: &Bytes) -> Result<ParquetMetaData> {
            let options = ParquetMetaDataOptions::new().with_encoding_stats_as_mask(false);
            ParquetMetaDataReader::new()
                .with_page_index_policy(PageIndexPolicy::Skip)
                .with_metadata_options(Some(options))
                .with_decryption_properties(Some(Arc::clone(&self.decryption)))
                .parse_and_finish(end)
        }

        /// Whether the column chunk has a key of its own that is not among these, so that nothing of it
        /// could be opened.
        pub(crate) fn lack(&self, chunk: &ColumnChunkMetaData) -> bool {
            match encryption(chunk) {
                Some(ColumnCryptoMetaData::ENCRYPTION_WITH_COLUMN_KEY(key)) => {
                    let column = key.path_in_schema.join(".");
                    let metadata = key.key_metadata.as_deref();
                    self.decryption.column_key(&column, metadata).is_err()
                }
                _ => false,
            }
        }
    }

    /// How the column chunk is encrypted.
    pub(crate) fn encryption(chunk: &ColumnChunkMetaData) -> Option<&ColumnCryptoMetaData> {
        chunk.crypto_metadata()
    }
}

#[cfg(not(feature = "encryption"))]
mod disabled {
    use std::convert::Infallible;

    use ::parquet::errors::Result;
    use ::parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
    use ::parquet::file::properties::WriterProperties;
    use ::parquet::schema::types::SchemaDescriptor;
    use bytes::Bytes;

    use crate::format::parquet::crypto::Crypto;

    /// The decryption keys of a build without the feature `encryption`: there are none.
    #[derive(Debug, Clone)]
    pub(crate) struct Keys(Infallible);

    impl Keys {
        pub(crate) fn of_writer(_: &WriterProperties) -> Result<Option<Self>> {
            Ok(None)
        }

        pub(crate) fn column_in_the_clear(
            _: &WriterProperties,
            _: &SchemaDescriptor,
        ) -> Option<String> {
            None
        }

        pub(crate) fn expected(&self) -> Option<Crypto<'_>> {
            match self.0 {}
        }

        pub(crate) fn open_footer(&self, _: &Bytes) -> Result<ParquetMetaData> {
            match self.0 {}
        }

        pub(crate) fn lack(&self, _: &ColumnChunkMetaData) -> bool {
            match self.0 {}
        }
    }

    pub(crate) fn encryption(_: &ColumnChunkMetaData) -> Option<&Infallible> {
        None
    }
}
