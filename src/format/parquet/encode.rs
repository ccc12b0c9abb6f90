//! Encoding batches as Parquet into a draft.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::properties::WriterProperties;

use super::keys::Keys;
use super::row_group::FileTemplate;
use super::rows::RowWriter;
use super::slot::Slot;
use crate::damage::Location;
use crate::error::{Error, Result, Step};
use crate::format::contained;
use crate::format::digest::{CannotDigest, ColumnDigests};
use crate::options::Verify;
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
    /// How the file will be checked: what is given is digested for [`Verify::Decode`].
    pub(crate) verify: Verify,
}

enum Writer {
    Rows(Box<RowWriter<Slot>>),
    /// Where content says where pages end, which parquet-rs lets nobody else do.
    Chunking(Box<ArrowWriter<Slot>>),
}

/// A Parquet file whose footer is written.
pub(crate) struct Encoded {
    pub(crate) draft: Draft,
    pub(crate) metadata: Arc<ParquetMetaData>,
    pub(crate) digests: Option<Vec<u128>>,
    /// The decryption keys, if the file is encrypted.
    pub(crate) keys: Option<Keys>,
}

impl Writer {
    fn new(draft: Draft, template: FileTemplate) -> Result<Self, ParquetError> {
        let slot = Slot::new(draft);
        if template.properties().content_defined_chunking().is_some() {
            let writer = template.arrow_writer(slot)?;
            return Ok(Writer::Chunking(Box::new(writer)));
        }
        let rows = RowWriter::new(template, slot)?;
        Ok(Writer::Rows(Box::new(rows)))
    }

    fn slot(&mut self) -> &mut Slot {
        match self {
            Writer::Rows(writer) => writer.inner_mut(),
            Writer::Chunking(writer) => writer.inner_mut(),
        }
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<(), ParquetError> {
        match self {
            Writer::Rows(writer) => writer.write(batch),
            Writer::Chunking(writer) => writer.write(batch),
        }
    }

    /// Ends the last row group.
    fn end_rows(&mut self) -> Result<(), ParquetError> {
        match self {
            Writer::Rows(writer) => writer.end_rows(),
            Writer::Chunking(writer) => writer.flush(),
        }
    }

    fn finish(&mut self) -> Result<ParquetMetaData, ParquetError> {
        match self {
            Writer::Rows(writer) => writer.finish(),
            Writer::Chunking(writer) => writer.finish(),
        }
    }
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
            FileTemplate::new(schema, properties, page_checksums)
        })
        .map_err(|panicked| Error::encode(Step::WriteRows, path, panicked))?
        .map_err(|source| Error::encode(Step::WriteRows, path, source))?;
        template.check()?;
        let keys = template.keys().cloned();
        let writer = Writer::new(draft, template)
            .map_err(|source| Error::encode(Step::WriteRows, path, source))?;
        Ok(Encoder {
            writer,
            path: path.to_owned(),
            digests,
            keys,
            max_row_group_rows,
        })
    }

    pub(crate) fn memory_size(&self) -> usize {
        match &self.writer {
            Writer::Rows(writer) => writer.memory_size(),
            Writer::Chunking(writer) => writer.memory_size(),
        }
    }

    /// Those of ended row groups.
    pub(crate) fn bytes_written(&self) -> u64 {
        let bytes = match &self.writer {
            Writer::Rows(writer) => writer.bytes_written(),
            Writer::Chunking(writer) => writer.bytes_written(),
        };
        bytes as u64
    }

    /// [`Step::WriteRows`].
    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        // The parquet writer recurses once for each row group that a batch spans.
        let mut offset = 0;
        while offset < batch.num_rows() {
            let rows = (batch.num_rows() - offset).min(self.max_row_group_rows);
            if let Err(source) = self.writer.write(&batch.slice(offset, rows)) {
                return Err(self.error(Step::WriteRows, source));
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

    /// [`Step::WriteFooter`].
    pub(crate) fn finish(mut self) -> Result<Encoded> {
        if let Err(source) = self.writer.end_rows() {
            return Err(self.error(Step::WriteFooter, source));
        }
        let end = self.bytes_written();
        if let Some(draft) = self.writer.slot().draft() {
            draft.ends_from(end);
        }
        let metadata = match self.writer.finish() {
            Ok(metadata) => Arc::new(metadata),
            Err(source) => return Err(self.error(Step::WriteFooter, source)),
        };
        match self.writer.slot().take() {
            Some((draft, _)) => {
                let digests = self.digests.map(|digests| digests.finish());
                Ok(Encoded {
                    draft,
                    metadata,
                    digests,
                    keys: self.keys,
                })
            }
            None => Err(Error::Poisoned { path: self.path }),
        }
    }

    /// A disk that is full is an error of the disk, however the encoder wraps it.
    fn error(&mut self, step: Step, source: ParquetError) -> Error {
        let draft = self.writer.slot().draft();
        let fault = draft.and_then(|draft| Some((draft.take_fault()?, draft.path().to_owned())));
        match fault {
            Some((source, path)) => Error::Io { step, path, source },
            None => Error::encode(step, &self.path, source),
        }
    }
}
