//! One Parquet file being encoded: where its row groups and the file end, and its footer.

use std::cmp::Reverse;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, FieldRef, Schema};
use parquet::errors::ParquetError;
use parquet::file::writer::SerializedFileWriter;

use super::gather::without_dictionaries;
use super::row_group::Group;
use super::stage::EncodedFile;
use super::template::Template;
use super::units::Cut;
use crate::error::{Error, Result, Step};
use crate::format::digest::ColumnDigests;
use crate::format::encode::Content;
use crate::format::parquet::{Ended, FileTemplate, Slot, own_error};
use crate::pool::for_each;
use crate::staging::Draft;

/// A file whose footer is not written yet.
pub(super) struct ParquetFile<'a> {
    template: &'a Template,
    common: &'a FileTemplate,
    output: Output,
    group: Option<Group>,
    /// How many row groups have ended.
    groups: usize,
    /// The columns, those first that took longest at the rows before: so all threads end at about one time.
    order: Vec<usize>,
    digests: Option<ColumnDigests>,
    rows: u64,
}

/// Where column chunks go.
struct Output {
    writer: SerializedFileWriter<Slot>,
    /// A row group that is not written yet.
    ended: Option<Vec<Ended>>,
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
            .map_err(|source| Error::encode(Step::WriteRows, &path, source))?;
        Ok(ParquetFile {
            template,
            common,
            output: Output {
                writer,
                ended: None,
                path,
            },
            group: None,
            groups: 0,
            order: (0..common.fields()).collect(),
            digests,
            rows: 0,
        })
    }

    /// How many rows may be encoded before it is to be asked whether the row group or file ends.
    pub(super) fn room(&mut self) -> Result<usize> {
        let group = match self.group.take() {
            Some(group) => group,
            None => self
                .begin_group()
                .map_err(|source| self.output.error(Step::WriteRows, source))?,
        };
        let room = group.room();
        self.group = Some(group);
        Ok(room)
    }

    fn begin_group(&mut self) -> Result<Group, ParquetError> {
        let options = &self.template.options;
        let written = self.output.writer.bytes_written() as u64;
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
            (&self.output.writer, self.groups),
            (most_rows, most_bytes),
        )
    }

    /// Encodes units of rows, no more than there is [`room`](ParquetFile::room) for, columns side by side on up
    /// to `threads` threads, while the row group before them is written. Says whether the file ends here.
    pub(super) fn encode(
        &mut self,
        batch: &RecordBatch,
        cut: &Cut,
        threads: usize,
    ) -> Result<bool> {
        let path = &self.output.path.clone();
        if batch.num_columns() == 0 {
            return Err(Error::InvalidOption {
                option: "schema",
                reason: "Parquet has no rows without columns".to_owned(),
            });
        }
        if let Some(digests) = &mut self.digests {
            let digested = without_dictionaries(batch).and_then(|batch| digests.update(&batch));
            digested.map_err(|source| Error::encode(Step::WriteRows, path, source))?;
        }
        let Some(mut group) = self.group.take() else {
            return Ok(false);
        };
        let at_once = self.at_once();
        let took: Vec<AtomicU64> = self.order.iter().map(|_| AtomicU64::new(0)).collect();
        let writes = usize::from(self.output.ended.is_some());
        let output = Mutex::new(&mut self.output);
        for_each(threads, writes + took.len(), path, |number| {
            let Some(number) = number.checked_sub(writes) else {
                return locked(&output).write_ended();
            };
            let column = self.order[number];
            let begun = Instant::now();
            let encoded = group.encoders().encode(column, batch, cut.pieces(at_once));
            took[column].store(begun.elapsed().as_nanos() as u64, Ordering::Relaxed);
            encoded.map_err(|source| encode_error(Step::WriteRows, path, source))
        })?;
        self.order
            .sort_by_key(|column| Reverse(took[*column].load(Ordering::Relaxed)));
        group.add_rows(batch.num_rows());
        self.rows += batch.num_rows() as u64;
        if group.is_full(self.template.units.most_rows(), cut.by_bytes) {
            self.end_group(&group, threads)?;
            // Where its length says when the file ends, or nobody could encode meanwhile, it is written now.
            if threads == 1 || self.template.options.target_file_bytes.is_some() {
                self.output.write_ended()?;
            }
            return Ok(self.is_full());
        }
        self.group = Some(group);
        Ok(false)
    }

    /// How many rows the encoders get at once.
    ///
    /// parquet-rs asks after each write batch whether a page ends, but of columns that have no buffer of
    /// nulls after as many rows as a page has at most. Whether a column without nulls has such a buffer
    /// depends on how its rows came, so that they get no more than both.
    fn at_once(&self) -> usize {
        let properties = self.common.properties();
        let least = properties
            .write_batch_size()
            .min(properties.data_page_row_count_limit());
        least.max(1)
    }

    fn is_full(&self) -> bool {
        let options = &self.template.options;
        let written = self.output.writer.bytes_written() as u64;
        // What is left is not worth a row group.
        let nearly = |target: u64| written >= target - target / 8;
        options.target_file_bytes.is_some_and(nearly)
            || options
                .target_file_rows
                .is_some_and(|target| self.rows >= target)
    }

    fn end_group(&mut self, group: &Group, threads: usize) -> Result<()> {
        let path = &self.output.path;
        let fields = self.common.fields();
        let ended: Vec<Mutex<Vec<_>>> = (0..fields).map(|_| Mutex::default()).collect();
        for_each(threads, fields, path, |index| {
            let chunks = group.encoders().end(index);
            *locked(&ended[index]) =
                chunks.map_err(|source| encode_error(Step::WriteRows, path, source))?;
            Ok::<(), Error>(())
        })?;
        let chunks = ended
            .into_iter()
            .flat_map(|chunks| chunks.into_inner().unwrap_or_else(PoisonError::into_inner));
        self.output.ended = Some(chunks.collect());
        self.groups += 1;
        Ok(())
    }

    /// [`Step::WriteFooter`].
    pub(super) fn finish(mut self, threads: usize) -> Result<EncodedFile> {
        self.output.write_ended()?;
        if let Some(group) = self.group.take()
            && group.rows() > 0
        {
            self.end_group(&group, threads)?;
            self.output.write_ended()?;
        }
        let (content, draft, footer_bytes) = self.output.finish()?;
        Ok(EncodedFile {
            draft,
            content,
            digests: self.digests.map(|digests| digests.finish()),
            rows: self.rows,
            footer_bytes: Some(footer_bytes),
            path: self.output.path,
        })
    }
}

impl Output {
    /// Writes the row group that has ended, if there is one.
    fn write_ended(&mut self) -> Result<()> {
        let Some(chunks) = self.ended.take() else {
            return Ok(());
        };
        let written = (|| {
            let mut writer = self.writer.next_row_group()?;
            for chunk in chunks {
                chunk.append_to(&mut writer)?;
            }
            writer.close().map(drop)
        })();
        written.map_err(|source| self.error(Step::WriteRows, source))
    }

    fn finish(&mut self) -> Result<(Content, Draft, u64)> {
        let end = self.writer.bytes_written() as u64;
        if let Some(draft) = self.writer.inner_mut().draft() {
            draft.ends_from(end);
        }
        let content = match self.writer.finish() {
            Ok(metadata) => Content::Parquet(Arc::new(metadata)),
            Err(source) => return Err(self.error(Step::WriteFooter, source)),
        };
        match self.writer.inner_mut().take() {
            Some((draft, footer_bytes)) => Ok((content, draft, footer_bytes)),
            None => Err(Error::Poisoned {
                path: self.path.clone(),
            }),
        }
    }

    /// A disk that is full is an error of the disk, however the encoder wraps it.
    fn error(&mut self, step: Step, source: ParquetError) -> Error {
        let draft = self.writer.inner_mut().draft();
        let fault = draft.and_then(|draft| Some((draft.take_fault()?, draft.path().to_owned())));
        match fault {
            Some((source, path)) => Error::Io { step, path, source },
            None => encode_error(step, &self.path, source),
        }
    }
}

fn encode_error(step: Step, path: &Path, source: ParquetError) -> Error {
    own_error(source).unwrap_or_else(|source| Error::encode(step, path, source))
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
