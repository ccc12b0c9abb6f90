//! One Parquet file being encoded: its row groups, and the columns of each side by side.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, FieldRef, Schema};
use parquet::arrow::arrow_writer::{ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::errors::ParquetError;
use parquet::file::writer::SerializedFileWriter;

use super::file::EncodedFile;
use super::gather::without_dictionaries;
use super::template::{ParquetTemplate, Template};
use crate::error::{Error, Result, Step};
use crate::format::digest::ColumnDigests;
use crate::format::encode::Content;
use crate::pool::for_each;
use crate::staging::Draft;

/// A file whose footer is not written yet.
pub(super) struct ParquetFile<'a> {
    template: &'a Template,
    common: &'a ParquetTemplate,
    writer: SerializedFileWriter<Slot>,
    columns: ArrowRowGroupWriterFactory,
    group: Option<Group>,
    digests: Option<ColumnDigests>,
    rows: u64,
    path: PathBuf,
}

/// A row group whose rows are in the encoders.
struct Group {
    /// The encoders of each field's leaves.
    fields: Vec<Mutex<Vec<ArrowColumnWriter>>>,
    rows: usize,
    most_rows: usize,
    most_bytes: Option<usize>,
    /// At how many rows the bytes are looked at next.
    look_at: usize,
}

/// The draft, which the end takes out, and the last bytes written to it.
struct Slot {
    draft: Option<Draft>,
    tail: [u8; 8],
}

impl Write for Slot {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(draft) = &mut self.draft else {
            return Err(io::ErrorKind::WriteZero.into());
        };
        let count = draft.write(bytes)?;
        for byte in &bytes[count.saturating_sub(8)..count] {
            self.tail.rotate_left(1);
            self.tail[7] = *byte;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> ParquetFile<'a> {
    pub(super) fn new(
        template: &'a Template,
        common: &'a ParquetTemplate,
        draft: Draft,
        path: PathBuf,
    ) -> Result<Self> {
        let digests = match template.digesting() {
            true => Some(digests_of(template.schema())?),
            false => None,
        };
        let slot = Slot {
            draft: Some(draft),
            tail: [0; 8],
        };
        let schema = Arc::clone(&common.schema);
        let writer = SerializedFileWriter::new(slot, schema, Arc::clone(&common.properties))
            .map_err(|source| Error::Encode {
                step: Step::WriteRows,
                path: path.clone(),
                source: Box::new(source),
            })?;
        let columns = ArrowRowGroupWriterFactory::new(&writer, Arc::clone(&template.schema));
        Ok(ParquetFile {
            template,
            common,
            writer,
            columns,
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
        let room = group.most_rows.min(group.look_at) - group.rows;
        self.group = Some(group);
        Ok(room)
    }

    fn begin_group(&mut self) -> Result<Group, ParquetError> {
        let options = &self.template.options;
        let properties = &self.common.properties;
        let number = self.writer.flushed_row_groups().len();
        let mut leaves = self.columns.create_column_writers(number)?.into_iter();
        let fields = self.common.leaves.iter();
        let fields = fields.map(|count| Mutex::new(leaves.by_ref().take(*count).collect()));
        let written = self.writer.bytes_written() as u64;
        let most_rows = properties.max_row_group_row_count().unwrap_or(usize::MAX);
        let rows_left = options
            .target_file_rows
            .map_or(u64::MAX, |target| target.saturating_sub(self.rows));
        let bytes_left = options
            .target_file_bytes
            .map(|target| target.saturating_sub(written) as usize);
        let most_bytes = match (properties.max_row_group_bytes(), bytes_left) {
            (Some(most), Some(left)) => Some(most.min(left)),
            (most, left) => most.or(left),
        };
        Ok(Group {
            fields: fields.collect(),
            rows: 0,
            most_rows: most_rows
                .min(usize::try_from(rows_left).unwrap_or(usize::MAX))
                .max(1),
            look_at: most_bytes.map_or(usize::MAX, |_| self.template.chunk),
            most_bytes,
        })
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
        let (fields, chunk) = (batch.schema_ref().fields(), self.template.chunk);
        for_each(threads, fields.len(), &self.path, |index| {
            let mut leaves = group.fields[index]
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            encode_field(&fields[index], batch.column(index), &mut leaves, chunk).map_err(
                |source| Error::Encode {
                    step: Step::WriteRows,
                    path: self.path.clone(),
                    source: Box::new(source),
                },
            )
        })?;
        group.rows += batch.num_rows();
        self.rows += batch.num_rows() as u64;
        if group.is_full(chunk) {
            self.end_group(group, threads)?;
            return Ok(self.is_full());
        }
        self.group = Some(group);
        Ok(false)
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
        let ended: Vec<Mutex<Vec<_>>> = group.fields.iter().map(|_| Mutex::default()).collect();
        for_each(threads, group.fields.len(), &self.path, |index| {
            let mut leaves = group.fields[index]
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let chunks: Result<Vec<_>, ParquetError> =
                leaves.drain(..).map(ArrowColumnWriter::close).collect();
            let chunks = chunks.map_err(|source| Error::Encode {
                step: Step::WriteRows,
                path: self.path.clone(),
                source: Box::new(source),
            })?;
            *ended[index].lock().unwrap_or_else(PoisonError::into_inner) = chunks;
            Ok(())
        })?;
        let written = (|| {
            let mut writer = self.writer.next_row_group()?;
            for chunks in ended {
                for chunk in chunks.into_inner().unwrap_or_else(PoisonError::into_inner) {
                    chunk.append_to_row_group(&mut writer)?;
                }
            }
            writer.close().map(drop)
        })();
        written.map_err(|source| self.error(Step::WriteRows, source))
    }

    /// [`Step::WriteFooter`].
    pub(super) fn finish(mut self, threads: usize) -> Result<EncodedFile> {
        if let Some(group) = self.group.take()
            && group.rows > 0
        {
            self.end_group(group, threads)?;
        }
        let content = match self.writer.finish() {
            Ok(metadata) => Content::Parquet(Arc::new(metadata)),
            Err(source) => return Err(self.error(Step::WriteFooter, source)),
        };
        let slot = self.writer.inner_mut();
        let [a, b, c, d, ..] = slot.tail;
        match slot.draft.take() {
            Some(draft) => Ok(EncodedFile {
                draft,
                content,
                digests: self.digests.map(|digests| digests.finish()),
                rows: self.rows,
                footer_bytes: Some(u64::from(u32::from_le_bytes([a, b, c, d])) + 8),
                path: self.path,
            }),
            None => Err(Error::Poisoned { path: self.path }),
        }
    }

    /// A disk that is full is an error of the disk, however the encoder wraps it.
    fn error(&mut self, step: Step, source: ParquetError) -> Error {
        let draft = self.writer.inner_mut().draft.as_mut();
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

impl Group {
    /// Whether the row group ends here; and if not, where it is to be asked again.
    ///
    /// The encoders are asked at few places, which depend on the rows alone.
    fn is_full(&mut self, chunk: usize) -> bool {
        if self.rows >= self.most_rows {
            return true;
        }
        let Some(most) = self.most_bytes.filter(|_| self.rows >= self.look_at) else {
            return false;
        };
        let leaves = |field: &Mutex<Vec<ArrowColumnWriter>>| {
            let leaves = field.lock().unwrap_or_else(PoisonError::into_inner);
            let sizes = leaves
                .iter()
                .map(ArrowColumnWriter::get_estimated_total_bytes);
            sizes.sum::<usize>()
        };
        let bytes: usize = self.fields.iter().map(leaves).sum();
        if bytes >= most {
            return true;
        }
        let rows_left = (most - bytes) as u128 * self.rows as u128 / bytes.max(1) as u128;
        let step = usize::try_from(rows_left * 3 / 4).unwrap_or(usize::MAX) / chunk * chunk;
        self.look_at = self.rows.saturating_add(step.max(chunk));
        false
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

fn encode_field(
    field: &FieldRef,
    array: &ArrayRef,
    writers: &mut [ArrowColumnWriter],
    chunk: usize,
) -> Result<(), ParquetError> {
    for start in (0..array.len()).step_by(chunk) {
        let rows = chunk.min(array.len() - start);
        let leaves = compute_leaves(field, &array.slice(start, rows))?;
        for (writer, leaf) in writers.iter_mut().zip(&leaves) {
            writer.write(leaf)?;
        }
    }
    Ok(())
}
