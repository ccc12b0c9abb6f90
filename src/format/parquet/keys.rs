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

    use ::parquet::arrow::arrow_reader::ArrowReaderOptions;
    use ::parquet::encryption::decrypt::FileDecryptionProperties;
    use ::parquet::encryption::encrypt::FileEncryptionProperties;
    use ::parquet::errors::Result;
    use ::parquet::file::column_crypto_metadata::ColumnCryptoMetaData;
    use ::parquet::file::metadata::{
        ColumnChunkMetaData, PageIndexPolicy, ParquetMetaData, ParquetMetaDataOptions,
        ParquetMetaDataReader,
    };
    use ::parquet::file::properties::WriterProperties;
    use ::parquet::file::reader::ChunkReader;
    use ::parquet::schema::types::SchemaDescriptor;
    use bytes::Bytes;

    use crate::format::parquet::crypto::Crypto;
    use crate::options::ParquetKeys;

    /// The decryption keys of an encrypted file.
    #[derive(Clone)]
    pub(crate) struct Keys {
        opening: Opening,
        /// What the file was written with, where these are its writer's.
        encryption: Option<Arc<FileEncryptionProperties>>,
    }

    #[derive(Clone)]
    enum Opening {
        Given(Arc<FileDecryptionProperties>),
        /// Of columns by their names, which only a footer turns into those of leaves.
        ByName(ParquetKeys),
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
                opening: Opening::Given(Arc::clone(keys)),
                encryption: None,
            }
        }

        pub(crate) fn of_reader(keys: ParquetKeys) -> Self {
            Keys {
                opening: Opening::ByName(keys),
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
                opening: Opening::Given(keys.build()?),
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

        /// Parses a footer, given with its length and the magic number, which are the end of the file; and says of which
        /// column the key is missing, so that nothing of it could be opened, and in which row group.
        pub(crate) fn open_footer(
            &self,
            end: &Bytes,
        ) -> Result<(ParquetMetaData, Option<(usize, String)>)> {
            let decryption = self.reading(end)?;
            let metadata = parse(end, &decryption)?;
            let missing = metadata.row_groups().iter().enumerate();
            let mut missing = missing.filter_map(|(index, group)| {
                let chunk = group
                    .columns()
                    .iter()
                    .find(|chunk| lacks(&decryption, chunk))?;
                Some((index, chunk.column_descr().path().string()))
            });
            let missing = missing.next();
            Ok((metadata, missing))
        }

        /// The options of a reader of a file, with the keys if there are any.
        pub(crate) fn opening<T: ChunkReader>(
            keys: Option<&Self>,
            file: &T,
            options: ArrowReaderOptions,
        ) -> Result<ArrowReaderOptions> {
            match keys {
                Some(keys) => Ok(options.with_file_decryption_properties(keys.reading(file)?)),
                None => Ok(options),
            }
        }

        /// What a reader of a file, or of its end, has to open it with.
        fn reading<T: ChunkReader>(&self, file: &T) -> Result<Arc<FileDecryptionProperties>> {
            let keys = match &self.opening {
                Opening::Given(decryption) => return Ok(Arc::clone(decryption)),
                Opening::ByName(keys) => keys,
            };
            let decryption = keys.decryption(&[])?;
            if keys.is_uniform() {
                return Ok(decryption);
            }
            let metadata = parse(file, &decryption)?;
            let leaves = metadata.file_metadata().schema_descr().columns();
            let leaves: Vec<_> = leaves.iter().map(|leaf| leaf.path()).collect();
            keys.decryption(&leaves)
        }
    }

    fn parse<T: ChunkReader>(
        file: &T,
        decryption: &Arc<FileDecryptionProperties>,
    ) -> Result<ParquetMetaData> {
        let options = ParquetMetaDataOptions::new().with_encoding_stats_as_mask(false);
        ParquetMetaDataReader::new()
            .with_page_index_policy(PageIndexPolicy::Skip)
            .with_metadata_options(Some(options))
            .with_decryption_properties(Some(Arc::clone(decryption)))
            .parse_and_finish(file)
    }

    /// Whether the column chunk has a key of its own that is not known.
    fn lacks(decryption: &FileDecryptionProperties, chunk: &ColumnChunkMetaData) -> bool {
        match encryption(chunk) {
            Some(ColumnCryptoMetaData::ENCRYPTION_WITH_COLUMN_KEY(key)) => {
                let column = key.path_in_schema.join(".");
                let metadata = key.key_metadata.as_deref();
                decryption.column_key(&column, metadata).is_err()
            }
            _ => false,
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

    use ::parquet::arrow::arrow_reader::ArrowReaderOptions;
    use ::parquet::errors::Result;
    use ::parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
    use ::parquet::file::properties::WriterProperties;
    use ::parquet::file::reader::ChunkReader;
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

        pub(crate) fn opening<T: ChunkReader>(
            _: Option<&Self>,
            _: &T,
            options: ArrowReaderOptions,
        ) -> Result<ArrowReaderOptions> {
            Ok(options)
        }

        pub(crate) fn open_footer(
            &self,
            _: &Bytes,
        ) -> Result<(ParquetMetaData, Option<(usize, String)>)> {
            match self.0 {}
        }
    }

    pub(crate) fn encryption(_: &ColumnChunkMetaData) -> Option<&Infallible> {
        None
    }
}
