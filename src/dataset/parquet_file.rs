//! One Parquet file being encoded: where its row groups and the file end, and its footer.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, FieldRef, Schema};
use parquet::errors::ParquetError;
use parquet::file::writer::SerializedFileWriter;

use super::file::EncodedFile;
use super::gather::without_dictionaries;
use super::row_group::Group;
use super::template::Template;
use crate::error::{Error, Result, Step};
use crate::format::digest::ColumnDigests;
use crate::format::encode::Content;
use crate::format::parquet::{FileTemplate, Slot};
use crate::pool::for_each;
use crate::staging::Draft;

/// A file whose footer is not written yet.
pub(super) struct ParquetFile<'a> {
    template: &'a Template,
    common: &'a FileTemplate,
    writer: SerializedFileWriter<Slot>,
    group: Option<Group>,
    digests: Option<ColumnDigests>,
    rows: u64,
    path: PathBuf,
}

impl<'a> ParquetFile<'a> {
    pub(super) fn new(
        template: &'a Template,
        common: &'a FileTemplate,
        draft: Draft,
        path: PathBuf,
    ) -> Result<Self> {
        let digests = match template.digesting() {
            true => Some(digests_of(template.schema())?),
            false => None,
        };
        let writer = common
            .file(Slot::new(draft))
            .map_err(|source| Error::Encode {
                step: Step::WriteRows,
                path: path.clone(),
                source: Box::new(source),
            })?;
        Ok(ParquetFile {
            template,
            common,
            writer,
            group: None,
            digests,
            rows: 0,
            path,
        })
    }

    /// How many rows may be encoded before it is to be asked whether the row group or file ends.
    pub(super) fn room(&mut self) -> Result<usize> {
        let group = match self.group.take() {
            Some(group) => group,
            None => self
                .begin_group()
                .map_err(|source| self.error(Step::WriteRows, source))?,
        };
        let room = group.room();
        self.group = Some(group);
        Ok(room)
    }

    fn begin_group(&mut self) -> Result<Group, ParquetError> {
        let options = &self.template.options;
        let written = self.writer.bytes_written() as u64;
        let rows_left = options
            .target_file_rows
            .map_or(u64::MAX, |target| target.saturating_sub(self.rows));
        let bytes_left = options
            .target_file_bytes
            .map(|target| target.saturating_sub(written) as usize);
        let properties = self.common.properties();
        let most_rows = properties.max_row_group_row_count().unwrap_or(usize::MAX);
        let most_bytes = match (properties.max_row_group_bytes(), bytes_left) {
            (Some(most), Some(left)) => Some(most.min(left)),
            (most, left) => most.or(left),
        };
        let most_rows = most_rows
            .min(usize::try_from(rows_left).unwrap_or(usize::MAX))
            .max(1);
        Group::new(
            self.template,
            self.common,
            &self.writer,
            (most_rows, most_bytes),
        )
    }

    /// Encodes rows, no more than there is [`room`](ParquetFile::room) for, columns side by side on up
    /// to `threads` threads. Says whether the file ends here.
    pub(super) fn encode(&mut self, batch: &RecordBatch, threads: usize) -> Result<bool> {
        if let Some(digests) = &mut self.digests {
            let digested = without_dictionaries(batch).and_then(|batch| digests.update(&batch));
            digested.map_err(|source| Error::Encode {
                step: Step::WriteRows,
                path: self.path.clone(),
                source: Box::new(source),
            })?;
        }
        let Some(mut group) = self.group.take() else {
            return Ok(false);
        };
        let chunk = self.template.chunk;
        for_each(threads, batch.num_columns(), &self.path, |index| {
            group
                .encoders()
                .encode(index, batch, chunk)
                .map_err(|source| self.encode_error(source))
        })?;
        group.add_rows(batch.num_rows());
        self.rows += batch.num_rows() as u64;
        if group.is_full(chunk) {
            self.end_group(group, threads)?;
            return Ok(self.is_full());
        }
        self.group = Some(group);
        Ok(false)
    }

    fn encode_error(&self, source: ParquetError) -> Error {
        Error::Encode {
            step: Step::WriteRows,
            path: self.path.clone(),
            source: Box::new(source),
        }
    }

    fn is_full(&self) -> bool {
        let options = &self.template.options;
        let written = self.writer.bytes_written() as u64;
        // What is left is not worth a row group.
        let nearly = |target: u64| written >= target - target / 8;
        options.target_file_bytes.is_some_and(nearly)
            || options
                .target_file_rows
                .is_some_and(|target| self.rows >= target)
    }

    fn end_group(&mut self, group: Group, threads: usize) -> Result<()> {
        let fields = self.common.fields();
        let ended: Vec<Mutex<Vec<_>>> = (0..fields).map(|_| Mutex::default()).collect();
        for_each(threads, fields, &self.path, |index| {
            let chunks = group.encoders().end(index);
            let chunks = chunks.map_err(|source| self.encode_error(source))?;
            *ended[index].lock().unwrap_or_else(PoisonError::into_inner) = chunks;
            Ok(())
        })?;
        let written = (|| {
            let mut writer = self.writer.next_row_group()?;
            for chunks in ended {
                for chunk in chunks.into_inner().unwrap_or_else(PoisonError::into_inner) {
                    chunk.append_to(&mut writer)?;
                }
            }
            writer.close().map(drop)
        })();
        written.map_err(|source| self.error(Step::WriteRows, source))
    }

    /// [`Step::WriteFooter`].
    pub(super) fn finish(mut self, threads: usize) -> Result<EncodedFile> {
        if let Some(group) = self.group.take()
            && group.rows() > 0
        {
            self.end_group(group, threads)?;
        }
        let end = self.writer.bytes_written() as u64;
        if let Some(draft) = self.writer.inner_mut().draft() {
            draft.ends_from(end);
        }
        let content = match self.writer.finish() {
            Ok(metadata) => Content::Parquet(Arc::new(metadata)),
            Err(source) => return Err(self.error(Step::WriteFooter, source)),
        };
        match self.writer.inner_mut().take() {
            Some((draft, footer_bytes)) => Ok(EncodedFile {
                draft,
                content,
                digests: self.digests.map(|digests| digests.finish()),
                rows: self.rows,
                footer_bytes: Some(footer_bytes),
                path: self.path,
            }),
            None => Err(Error::Poisoned { path: self.path }),
        }
    }

    /// A disk that is full is an error of the disk, however the encoder wraps it.
    fn error(&mut self, step: Step, source: ParquetError) -> Error {
        let draft = self.writer.inner_mut().draft();
        let fault = draft.and_then(|draft| Some((draft.take_fault()?, draft.path().to_owned())));
        match fault {
            Some((source, path)) => Error::Io { step, path, source },
            None => Error::Encode {
                step,
                path: self.path.clone(),
                source: Box::new(source),
            },
        }
    }
}

/// Rows come with dictionaries or without, and their digests are the same.
fn digests_of(schema: &Schema) -> Result<ColumnDigests> {
    let values = |field: &FieldRef| match field.data_type() {
        DataType::Dictionary(_, values) => Arc::new(
            field
                .as_ref()
                .clone()
                .with_data_type(values.as_ref().clone()),
        ),
        _ => Arc::clone(field),
    };
    let fields: Vec<FieldRef> = schema.fields().iter().map(values).collect();
    ColumnDigests::new(&Schema::new(fields)).map_err(|cannot| Error::InvalidOption {
        option: "verify",
        reason: cannot.to_string(),
    })
}
