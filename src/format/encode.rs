//! Encoding batches into a draft in any format, and checking the file against what was given.
//!
//! | format | `Footer` | `Decode` |
//! |---|---|---|
//! | Parquet | length, structure and footer | every value, by a digest of each column |
//! | Arrow IPC | length, every message's frame, schema, number of batches and rows | the same |
//! | NDJSON | length, and that the last line ends | number of rows; the text of every value, by a digest of each column |
//! | CSV | the same, and the header | number of rows and of fields; the text of every value, by a digest of each column |
//!
//! Text that is compressed as a whole is read to its end at `Footer` too, which checks its checksums.
//! What a text file holds cannot be told without reading all of it, so its rows are counted at
//! `Decode` only. `Checksum` adds nothing here: the hash of the whole file is its caller's. Errors of
//! the disk are [`Error::Io`] whatever the format, never [`Error::Encode`]; after any error an
//! encoder can only be dropped.

use std::path::Path;
use std::sync::Arc;

use ::parquet::file::properties::WriterProperties;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

#[cfg(feature = "ipc")]
use super::dictionaries::Dictionaries;
use super::written::{Content, Written};
use super::{Contents, Fault, Format, TextOptions, parquet};
#[cfg(any(feature = "csv", feature = "ipc", feature = "json"))]
use super::{compressed::Codec, output::Output};
use crate::categories::KnownCategories;
use crate::disk::DiskFile;
#[cfg(feature = "ipc")]
use crate::error::Step;
use crate::error::{Error, Result};
use crate::options::{Encodings, Verify};
use crate::staging::Draft;

/// How batches are encoded.
#[derive(Clone)]
pub(crate) struct Encoding {
    pub(crate) format: Format,
    /// For Parquet, and of its default compression those that Arrow IPC has: zstd, LZ4 and none.
    pub(crate) properties: WriterProperties,
    /// Whether pages of Parquet carry checksums.
    pub(crate) page_checksums: bool,
    /// Whether Arrow's schema stands in the footer of Parquet.
    pub(crate) arrow_schema: Option<bool>,
    /// For Parquet.
    pub(crate) encodings: Encodings,
    /// For NDJSON and CSV.
    pub(crate) text: TextOptions,
    /// How the file will be checked: what is given is digested for [`Verify::Decode`].
    pub(crate) verify: Verify,
    /// For Arrow IPC, the dictionaries of all that is going to be written.
    #[cfg(feature = "ipc")]
    pub(crate) dictionaries: Option<Arc<Dictionaries>>,
}

/// A file of rows being written.
pub(crate) struct Encoder {
    kind: Kind,
    rows: u64,
}

enum Kind {
    Parquet(Box<parquet::Encoder>),
    #[cfg(feature = "ipc")]
    Ipc(Box<super::ipc::encode::Encoder>),
    #[cfg(feature = "json")]
    Ndjson(Box<super::json::encode::Encoder>),
    #[cfg(feature = "csv")]
    Csv(Box<super::csv::encode::Encoder>),
}

/// A file of rows whose last byte is written.
pub(crate) struct Encoded {
    pub(crate) draft: Draft,
    pub(crate) rows: u64,
    pub(crate) content: Content,
    pub(crate) digests: Option<Vec<u128>>,
}

impl Encoder {
    /// Starts a file of batches that have `schema`. `path` is the final path, for errors.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] if the format or an option of it cannot be written;
    /// [`Error::Encode`] if the format has no place for a type of the schema; [`Error::Io`] if the
    /// disk refuses what begins the file.
    pub(crate) fn new(
        draft: Draft,
        path: &Path,
        schema: &SchemaRef,
        encoding: Encoding,
    ) -> Result<Self> {
        let Encoding {
            format,
            properties,
            page_checksums,
            arrow_schema,
            encodings,
            text,
            verify,
            #[cfg(feature = "ipc")]
            dictionaries,
        } = encoding;
        text.check(format)?;
        #[cfg(any(feature = "csv", feature = "ipc", feature = "json"))]
        let codec = Codec::of(text.compression)?;
        #[cfg(any(feature = "csv", feature = "ipc", feature = "json"))]
        let digesting = verify >= Verify::Decode;
        let kind = match format {
            Format::Parquet => Kind::Parquet(Box::new(parquet::Encoder::new(
                draft,
                path,
                schema,
                parquet::ParquetOptions {
                    properties,
                    page_checksums,
                    arrow_schema,
                    encodings,
                    verify,
                },
            )?)),
            #[cfg(feature = "ipc")]
            Format::Ipc => Kind::Ipc(Box::new(super::ipc::encode::Encoder::new(
                Output::new(draft, path, codec)?,
                match dictionaries {
                    Some(dictionaries) => dictionaries,
                    None => Arc::new(
                        Dictionaries::new(schema, 0)
                            .map_err(|source| Error::encode(Step::WriteRows, path, source))?,
                    ),
                },
                &properties,
                digesting,
            )?)),
            #[cfg(feature = "json")]
            Format::Ndjson => Kind::Ndjson(Box::new(super::json::encode::Encoder::new(
                Output::new(draft, path, codec)?,
                schema,
                text.non_finite,
                digesting,
            )?)),
            #[cfg(feature = "csv")]
            Format::Csv => Kind::Csv(Box::new(super::csv::encode::Encoder::new(
                Output::new(draft, path, codec)?,
                schema,
                text.csv_null,
                digesting,
            )?)),
            #[allow(unreachable_patterns)]
            other => {
                return Err(Error::InvalidOption {
                    option: "format",
                    reason: format!("data sets cannot be written as {other}"),
                });
            }
        };
        Ok(Encoder { kind, rows: 0 })
    }

    /// How many bytes went to the draft so far.
    pub(crate) fn bytes_written(&self) -> u64 {
        match &self.kind {
            Kind::Parquet(encoder) => encoder.bytes_written(),
            #[cfg(feature = "ipc")]
            Kind::Ipc(encoder) => encoder.bytes_written(),
            #[cfg(feature = "json")]
            Kind::Ndjson(encoder) => encoder.bytes_written(),
            #[cfg(feature = "csv")]
            Kind::Csv(encoder) => encoder.bytes_written(),
        }
    }

    /// The memory of the encoder: the open row group.
    pub(crate) fn memory_size(&self) -> usize {
        match &self.kind {
            Kind::Parquet(encoder) => encoder.memory_size(),
            // What comes is encoded and written at once.
            #[cfg(feature = "ipc")]
            Kind::Ipc(_) => 0,
            #[cfg(feature = "json")]
            Kind::Ndjson(_) => 0,
            #[cfg(feature = "csv")]
            Kind::Csv(_) => 0,
        }
    }

    /// The rows of the open row group, and their estimated size in the file; none where there are no row groups.
    pub(crate) fn in_progress(&self) -> (usize, usize) {
        match &self.kind {
            Kind::Parquet(encoder) => encoder.in_progress(),
            #[allow(unreachable_patterns)]
            _ => (0, 0),
        }
    }

    /// Ends the open row group of a Parquet file, if it has rows.
    pub(crate) fn flush(&mut self) -> Result<()> {
        match &mut self.kind {
            Kind::Parquet(encoder) => encoder.flush(),
            #[allow(unreachable_patterns)]
            _ => Ok(()),
        }
    }

    /// Adds to the key-value metadata of the footer. Says whether the format has such.
    pub(crate) fn append_metadata(&mut self, key: &str, value: &str) -> bool {
        match &mut self.kind {
            Kind::Parquet(encoder) => encoder.append_metadata(key, value),
            #[cfg(feature = "ipc")]
            Kind::Ipc(encoder) => encoder.append_metadata(key, value),
            #[allow(unreachable_patterns)]
            _ => return false,
        }
        true
    }

    /// The decryption keys of an encrypted Parquet file.
    pub(crate) fn keys(&self) -> Option<&parquet::Keys> {
        match &self.kind {
            Kind::Parquet(encoder) => encoder.keys(),
            #[allow(unreachable_patterns)]
            _ => None,
        }
    }

    /// The categories of ordered dictionaries of Parquet, as far as rows have come.
    pub(crate) fn categories(&self) -> KnownCategories {
        match &self.kind {
            Kind::Parquet(encoder) => encoder.categories(),
            #[allow(unreachable_patterns)]
            _ => KnownCategories::new(),
        }
    }

    /// How many rows were given so far.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// [`Step::WriteRows`]. The batch has the schema's types.
    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        match &mut self.kind {
            Kind::Parquet(encoder) => encoder.write(batch),
            #[cfg(feature = "ipc")]
            Kind::Ipc(encoder) => encoder.write(batch),
            #[cfg(feature = "json")]
            Kind::Ndjson(encoder) => encoder.write(batch),
            #[cfg(feature = "csv")]
            Kind::Csv(encoder) => encoder.write(batch),
        }?;
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    /// [`Step::WriteFooter`].
    pub(crate) fn finish(self) -> Result<Encoded> {
        let (draft, content, digests) = match self.kind {
            Kind::Parquet(encoder) => {
                let (file, digests) = encoder.finish()?;
                (file.draft, Content::Parquet(file.metadata), digests)
            }
            #[cfg(feature = "ipc")]
            Kind::Ipc(encoder) => encoder.finish()?,
            #[cfg(feature = "json")]
            Kind::Ndjson(encoder) => encoder.finish()?,
            #[cfg(feature = "csv")]
            Kind::Csv(encoder) => encoder.finish()?,
        };
        Ok(Encoded {
            draft,
            rows: self.rows,
            content,
            digests,
        })
    }
}

/// Checks a file that was just written against what was written; the table above says how.
pub(crate) fn verify_written(
    file: Arc<dyn DiskFile>,
    written: &Written<'_>,
    level: Verify,
) -> std::result::Result<Contents, Fault> {
    match written.content {
        Content::Parquet(metadata) => {
            let written = parquet::WrittenParquet {
                len: written.len,
                metadata,
                rows: written.rows,
                schema: written.schema,
                digests: written.digests,
                known: written.known,
                keys: written.keys,
            };
            parquet::verify_written(file, &written, level)
        }
        #[cfg(any(feature = "csv", feature = "ipc", feature = "json"))]
        _ => verify_other(file, written, level),
    }
}

/// [`verify_written`] of all but Parquet, which compares the length itself.
#[cfg(any(feature = "csv", feature = "ipc", feature = "json"))]
fn verify_other(
    file: Arc<dyn DiskFile>,
    written: &Written<'_>,
    level: Verify,
) -> std::result::Result<Contents, Fault> {
    if level == Verify::Skip {
        return Ok(Contents::default());
    }
    let source = super::source::Source::new(file)?;
    if source.len() != written.len {
        let (expected, found) = (written.len, source.len());
        return Err(crate::damage::Damage::Length { expected, found }.into());
    }
    source.settle(match written.content {
        #[cfg(feature = "ipc")]
        Content::Ipc { schema, batches } => {
            super::ipc::encode::verify_written(&source, written, (schema, *batches), level)
        }
        #[cfg(feature = "json")]
        Content::Ndjson => super::json::encode::verify_written(&source, written, level),
        #[cfg(feature = "csv")]
        Content::Csv { header } => {
            super::csv::encode::verify_written(&source, written, header, level)
        }
        Content::Parquet(_) => Ok(Contents::default()),
    })
}

#[cfg(test)]
mod tests;
