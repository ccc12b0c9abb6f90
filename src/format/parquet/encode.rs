//! Encoding batches as Parquet into a draft.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::properties::WriterProperties;

use crate::error::{Error, Result, Step};
use crate::format::contained;
use crate::format::digest::{CannotDigest, ColumnDigests};
use crate::staging::Draft;
use crate::verify::Location;

/// A Parquet file being written.
pub(crate) struct Encoder {
    writer: ArrowWriter<Slot>,
    path: PathBuf,
    digests: Option<ColumnDigests>,
    max_row_group_rows: usize,
}

/// The draft, which `finish` takes out: the writer gives back what it writes to only unfinished.
struct Slot(Option<Draft>);

impl Write for Slot {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Some(draft) => draft.write(bytes),
            None => Err(io::ErrorKind::WriteZero.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A Parquet file whose footer is written.
pub(crate) struct Encoded {
    pub(crate) draft: Draft,
    pub(crate) metadata: Arc<ParquetMetaData>,
    pub(crate) digests: Option<Vec<u128>>,
}

impl Encoder {
    /// `path` is the final path, for errors.
    pub(crate) fn new(
        draft: Draft,
        path: &Path,
        schema: &SchemaRef,
        properties: WriterProperties,
        digesting: bool,
    ) -> Result<Self> {
        let cannot_digest = |cannot: CannotDigest| Error::InvalidOption {
            option: "verify",
            reason: cannot.to_string(),
        };
        let digests = match digesting {
            true => Some(ColumnDigests::new(schema).map_err(cannot_digest)?),
            false => None,
        };
        let max_row_group_rows = properties
            .max_row_group_row_count()
            .unwrap_or(usize::MAX)
            .max(1);
        // It panics over a type that it does not know.
        let writer = contained(&Location::file(), || {
            super::types::check(schema).and_then(|()| {
                ArrowWriter::try_new(Slot(Some(draft)), Arc::clone(schema), Some(properties))
            })
        })
        .map_err(|panicked| encode_error(Step::WriteRows, path, panicked.into()))?
        .map_err(|source| encode_error(Step::WriteRows, path, source.into()))?;
        Ok(Encoder {
            writer,
            path: path.to_owned(),
            digests,
            max_row_group_rows,
        })
    }

    pub(crate) fn memory_size(&self) -> usize {
        self.writer.memory_size()
    }

    /// Those of ended row groups.
    pub(crate) fn bytes_written(&self) -> u64 {
        self.writer.bytes_written() as u64
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
                .map_err(|source| encode_error(Step::WriteRows, &self.path, source.into())),
            None => Ok(()),
        }
    }

    /// [`Step::WriteFooter`].
    pub(crate) fn finish(mut self) -> Result<Encoded> {
        let metadata = match self.writer.finish() {
            Ok(metadata) => Arc::new(metadata),
            Err(source) => return Err(self.error(Step::WriteFooter, source)),
        };
        match self.writer.inner_mut().0.take() {
            Some(draft) => {
                let digests = self.digests.map(|digests| digests.finish());
                Ok(Encoded {
                    draft,
                    metadata,
                    digests,
                })
            }
            None => Err(Error::Poisoned { path: self.path }),
        }
    }

    /// A disk that is full is an error of the disk, however the encoder wraps it.
    fn error(&mut self, step: Step, source: ParquetError) -> Error {
        let draft = self.writer.inner_mut().0.as_mut();
        let fault = draft.and_then(|draft| Some((draft.take_fault()?, draft.path().to_owned())));
        match fault {
            Some((source, path)) => Error::Io { step, path, source },
            None => encode_error(step, &self.path, source.into()),
        }
    }
}

fn encode_error(
    step: Step,
    path: &Path,
    source: Box<dyn std::error::Error + Send + Sync>,
) -> Error {
    Error::Encode {
        step,
        path: path.to_owned(),
        source,
    }
}
