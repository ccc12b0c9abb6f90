//! Encoding batches as one Parquet file, into a draft.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

use super::file::{Encoded, FileWriter, disk_error, encoded, end_footer};
use super::keys::Keys;
use super::row_group::FileTemplate;
use super::rows::RowWriter;
use super::slot::{FileOutput as _, Slot};
use crate::categories::KnownCategories;
use crate::damage::Location;
use crate::error::{Error, Result, Step};
use crate::format::contained;
use crate::format::digest::{CannotDigest, ColumnDigests};
use crate::options::{Encodings, Verify};
use crate::staging::Draft;

/// A Parquet file being written.
pub(crate) struct Encoder {
    writer: Writer,
    path: PathBuf,
    digests: Option<ColumnDigests>,
    keys: Option<Keys>,
    max_row_group_rows: usize,
}

/// The options of a Parquet file.
#[derive(Clone)]
pub(crate) struct ParquetOptions {
    pub(crate) properties: WriterProperties,
    /// Whether pages carry checksums: never where properties encrypt or chunk by content.
    pub(crate) page_checksums: bool,
    /// Whether Arrow's schema stands in the footer: `None` where it does if it tells more than Parquet's types.
    pub(crate) arrow_schema: Option<bool>,
    /// Which encodings are chosen among: not where properties encrypt or chunk by content.
    pub(crate) encodings: Encodings,
    /// How the file will be checked: what is given is digested for [`Verify::Decode`].
    pub(crate) verify: Verify,
}

enum Writer {
    Rows(Box<RowWriter<Slot>>),
    /// Where content says where pages end, which parquet-rs lets nobody else do.
    Chunking(Box<ArrowWriter<Slot>>),
}

impl Encoder {
    /// `path` is the final path, for errors.
    pub(crate) fn new(
        draft: Draft,
        path: &Path,
        schema: &SchemaRef,
        options: ParquetOptions,
    ) -> Result<Self> {
        let cannot_digest = |cannot: CannotDigest| Error::InvalidOption {
            option: "verify",
            reason: cannot.to_string(),
        };
        let ParquetOptions {
            properties,
            page_checksums,
            arrow_schema,
            encodings,
            verify,
        } = options;
        let digests = match verify >= Verify::Decode {
            true => Some(ColumnDigests::new(schema).map_err(cannot_digest)?),
            false => None,
        };
        let max_row_group_rows = properties
            .max_row_group_row_count()
            .unwrap_or(usize::MAX)
            .max(1);
        // It panics over a type that it does not know.
        let template = contained(&Location::file(), || {
            FileTemplate::new(
                schema,
                properties,
                (page_checksums, arrow_schema),
                encodings,
            )
        })
        .map_err(|panicked| Error::encode(Step::WriteRows, path, panicked))?
        .map_err(|source| Error::encode(Step::WriteRows, path, source))?;
        template.check()?;
        let keys = template.keys().cloned();
        let slot = Slot::new(draft);
        let writer = match template.properties().content_defined_chunking() {
            Some(_) => template
                .arrow_writer(slot)
                .map(|writer| Writer::Chunking(Box::new(writer)))
                .map_err(|source| Error::encode(Step::WriteRows, path, source))?,
            None => {
                let file = FileWriter::new(Arc::new(template), slot, path.to_owned())?;
                Writer::Rows(Box::new(RowWriter(file)))
            }
        };
        Ok(Encoder {
            writer,
            path: path.to_owned(),
            digests,
            keys,
            max_row_group_rows,
        })
    }

    /// The decryption keys, if the file is encrypted.
    pub(crate) fn keys(&self) -> Option<&Keys> {
        self.keys.as_ref()
    }

    /// The categories of ordered dictionaries, as far as rows have come.
    pub(crate) fn categories(&self) -> KnownCategories {
        match &self.writer {
            Writer::Rows(writer) => writer.0.template().categories(),
            // It has no ordered dictionaries.
            Writer::Chunking(_) => KnownCategories::new(),
        }
    }

    pub(crate) fn memory_size(&self) -> usize {
        match &self.writer {
            Writer::Rows(rows) => rows.0.memory_size(),
            Writer::Chunking(writer) => writer.memory_size(),
        }
    }

    /// Those of ended row groups.
    pub(crate) fn bytes_written(&self) -> u64 {
        match &self.writer {
            Writer::Rows(rows) => rows.0.bytes_written(),
            Writer::Chunking(writer) => writer.bytes_written() as u64,
        }
    }

    /// The rows of the open row group, and their estimated size in the file.
    pub(crate) fn in_progress(&self) -> (usize, usize) {
        match &self.writer {
            Writer::Rows(rows) => (rows.0.open_rows(), rows.0.size_so_far()),
            Writer::Chunking(writer) => (writer.in_progress_rows(), writer.in_progress_size()),
        }
    }

    /// Ends the open row group, if it has rows.
    pub(crate) fn flush(&mut self) -> Result<()> {
        match &mut self.writer {
            Writer::Rows(rows) => rows.0.end_row_group(1),
            Writer::Chunking(writer) => writer
                .flush()
                .map_err(|source| error(writer, Step::WriteRows, &self.path, source)),
        }
    }

    /// Adds to the key-value metadata of the footer.
    pub(crate) fn append_metadata(&mut self, key: &str, value: &str) {
        let pair = KeyValue::new(key.to_owned(), value.to_owned());
        match &mut self.writer {
            Writer::Rows(rows) => rows.0.append_metadata(pair),
            Writer::Chunking(writer) => writer.append_key_value_metadata(pair),
        }
    }

    /// [`Step::WriteRows`].
    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        // parquet-rs's own writer recurses once for each row group that a batch spans.
        let mut offset = 0;
        while offset < batch.num_rows() {
            let rows = (batch.num_rows() - offset).min(self.max_row_group_rows);
            let part = batch.slice(offset, rows);
            match &mut self.writer {
                Writer::Rows(writer) => writer.write(&part)?,
                Writer::Chunking(writer) => writer
                    .write(&part)
                    .map_err(|source| error(writer, Step::WriteRows, &self.path, source))?,
            }
            offset += rows;
        }
        match &mut self.digests {
            Some(digests) => digests
                .update(batch)
                .map_err(|source| Error::encode(Step::WriteRows, &self.path, source)),
            None => Ok(()),
        }
    }

    /// [`Step::WriteFooter`]. Gives the digests of what was written, too, one a column, if it was digested.
    pub(crate) fn finish(self) -> Result<(Encoded, Option<Vec<u128>>)> {
        let file = match self.writer {
            Writer::Rows(rows) => rows.0.finish(1)?,
            Writer::Chunking(mut writer) => {
                let ended = writer.flush().and_then(|()| {
                    let end = writer.bytes_written() as u64;
                    writer.inner_mut().row_groups_ended(end);
                    let metadata = writer.finish()?;
                    end_footer(writer.inner_mut(), metadata)
                });
                let metadata = ended
                    .map_err(|source| error(&mut writer, Step::WriteFooter, &self.path, source))?;
                encoded(writer.inner_mut(), metadata, self.path)?
            }
        };
        Ok((file, self.digests.map(|digests| digests.finish())))
    }
}

fn error(writer: &mut ArrowWriter<Slot>, step: Step, path: &Path, source: ParquetError) -> Error {
    disk_error(writer.inner_mut(), step).unwrap_or_else(|| Error::encode(step, path, source))
}
