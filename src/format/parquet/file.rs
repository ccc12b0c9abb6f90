//! A Parquet file being written: row groups in order, the columns of each encoded side by side, then the
//! footer.
//!
//! Where a row group ends is for its owner to say, and how many threads there are.

use std::cmp::Reverse;
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use arrow::array::RecordBatch;
use parquet::errors::ParquetError;
use parquet::file::metadata::{FileMetaData, KeyValue, ParquetMetaData, ParquetMetaDataBuilder};
use parquet::file::writer::SerializedFileWriter;

use super::column::Choices;
use super::held::Held;
use super::page_spill::{PageSpill, own_error};
use super::row_group::{Ended, FileTemplate, RowGroup};
use super::slot::{FileOutput, Slot};
use crate::error::{Error, Result, Step};
use crate::pool::for_each;
use crate::staging::Draft;

/// A file whose footer is not written yet.
pub(crate) struct FileWriter<W: Write> {
    template: Arc<FileTemplate>,
    spill: Option<Arc<PageSpill>>,
    output: Output<W>,
    open: Option<Open>,
    /// How many row groups have ended.
    ended: usize,
    /// The columns, those first that took longest at the rows before: so all threads end at about one time.
    order: Vec<usize>,
}

/// The row group whose rows are being encoded.
struct Open {
    stage: Stage,
    rows: usize,
}

enum Stage {
    /// Rows are held until they are enough to choose encodings by, or all.
    Looking(Held),
    Encoding(RowGroup),
}

/// Where column chunks go.
struct Output<W: Write> {
    writer: SerializedFileWriter<W>,
    /// A row group that has ended and is not written yet.
    ended: Option<Vec<Ended>>,
    path: PathBuf,
    /// What is being done, for errors: [`Step::WriteRows`], then [`Step::WriteFooter`].
    step: Step,
}

/// A file whose footer is written.
pub(crate) struct Encoded {
    pub(crate) draft: Draft,
    pub(crate) metadata: Arc<ParquetMetaData>,
    /// The length of what ends the file: metadata, its length, magic number.
    pub(crate) footer_bytes: u64,
}

impl<W: FileOutput> FileWriter<W> {
    /// Begins a file. `path` is its final path, for errors.
    pub(crate) fn new(template: Arc<FileTemplate>, output: W, path: PathBuf) -> Result<Self> {
        let writer = template
            .file(output)
            .map_err(|source| Error::encode(Step::WriteRows, &path, source))?;
        Ok(FileWriter {
            order: (0..template.fields()).collect(),
            template,
            spill: None,
            output: Output {
                writer,
                ended: None,
                path,
                step: Step::WriteRows,
            },
            open: None,
            ended: 0,
        })
    }

    /// The same, encoded pages going where `spill` says when they are too many for memory.
    pub(crate) fn spilling(mut self, spill: Option<Arc<PageSpill>>) -> Self {
        self.spill = spill;
        self
    }

    pub(crate) fn template(&self) -> &FileTemplate {
        &self.template
    }

    pub(crate) fn path(&self) -> &Path {
        &self.output.path
    }

    /// How many bytes of row groups were written so far.
    pub(crate) fn bytes_written(&self) -> u64 {
        self.output.writer.bytes_written() as u64
    }

    /// How many rows the open row group has.
    pub(crate) fn open_rows(&self) -> usize {
        self.open.as_ref().map_or(0, |open| open.rows)
    }

    /// The estimated size of the open row group in the file, in bytes. Where its rows are still held, and would reach
    /// `most` as they are, they are encoded first on up to `threads` threads, since only then their size is known.
    pub(crate) fn open_bytes(&mut self, most: usize, threads: usize) -> Result<usize> {
        if let Some(Stage::Looking(held)) = self.open.as_ref().map(|open| &open.stage) {
            if held.bytes() < most {
                return Ok(held.bytes());
            }
            self.encode_held(threads)?;
            self.choose(threads)?;
        }
        Ok(self.size_so_far())
    }

    /// The estimated size of the open row group in the file, in bytes; of rows that are still held, the size that they
    /// have in memory.
    pub(crate) fn size_so_far(&self) -> usize {
        match self.open.as_ref().map(|open| &open.stage) {
            Some(Stage::Encoding(encoders)) => encoders.estimate(),
            Some(Stage::Looking(held)) => held.bytes(),
            None => 0,
        }
    }

    /// The memory of the open row group's encoders and of the rows that wait for them, in bytes.
    pub(crate) fn memory_size(&self) -> usize {
        match self.open.as_ref().map(|open| &open.stage) {
            Some(Stage::Encoding(encoders)) => encoders.memory_size(),
            Some(Stage::Looking(held)) => held.bytes(),
            None => 0,
        }
    }

    /// Adds to the key-value metadata of the footer.
    pub(super) fn append_metadata(&mut self, pair: KeyValue) {
        self.output.writer.append_key_value_metadata(pair);
    }

    /// Begins a row group, unless one is open.
    pub(crate) fn begin_row_group(&mut self) -> Result<()> {
        if self.open.is_none() {
            let stage = match self.template.chooses() {
                true => Stage::Looking(Held::default()),
                false => Stage::Encoding(self.encoders(Vec::new())?),
            };
            self.open = Some(Open { stage, rows: 0 });
        }
        Ok(())
    }

    /// The encoders of the next row group.
    fn encoders(&mut self, choices: Choices) -> Result<RowGroup> {
        let spill = self.spill.as_ref();
        let writer = &self.output.writer;
        let encoders = self.template.row_group(writer, self.ended, spill, choices);
        encoders.map_err(|source| self.output.error(source))
    }

    /// Encodes the rows of a batch, those of each piece at once, into the open row group, or a new one; columns
    /// side by side on up to `threads` threads, while the row group before is written. Pieces follow one another.
    pub(crate) fn encode(
        &mut self,
        batch: &RecordBatch,
        pieces: &[Range<usize>],
        threads: usize,
    ) -> Result<()> {
        self.begin_row_group()?;
        let mut pieces = pieces;
        if let Some(open) = &mut self.open
            && let Stage::Looking(held) = &mut open.stage
        {
            let (hold, rest) = pieces.split_at(held.wanted(open.rows, batch, pieces));
            held.add(batch, hold).map_err(|source| {
                encode_error(Step::WriteRows, &self.output.path, source.into())
            })?;
            open.rows += hold.iter().map(Range::len).sum::<usize>();
            if !held.is_enough(open.rows) {
                return Ok(());
            }
            pieces = rest;
            self.encode_held(threads)?;
            self.choose(threads)?;
        }
        if pieces.is_empty() {
            return Ok(());
        }
        if let Some(open) = &mut self.open {
            open.rows += pieces.iter().map(Range::len).sum::<usize>();
        }
        self.encode_pieces(batch, pieces, threads)
    }

    /// Gives the rows that are held, if there are any, to encoders. Those that choose for themselves wait until they are to
    /// [choose](FileWriter::choose), or end.
    fn encode_held(&mut self, threads: usize) -> Result<()> {
        let Some(Open {
            stage: Stage::Looking(held),
            ..
        }) = &mut self.open
        else {
            return Ok(());
        };
        let rows = held.take();
        let (template, Output { path, step, .. }) = (&self.template, &self.output);
        let before = template.chosen_before();
        let chosen = Mutex::new(template.unchosen());
        for_each(threads, before.len(), path, |number| {
            let (leaves, choices) = template
                .choose(before[number], &rows)
                .map_err(|source| encode_error(*step, path, source))?;
            locked(&chosen)[leaves].copy_from_slice(&choices);
            Ok::<(), Error>(())
        })?;
        let choices = chosen.into_inner().unwrap_or_else(PoisonError::into_inner);
        let encoders = self.encoders(choices)?;
        if let Some(open) = &mut self.open {
            open.stage = Stage::Encoding(encoders);
        }
        rows.iter()
            .try_for_each(|(batch, pieces)| self.encode_pieces(batch, pieces, threads))
    }

    /// Chooses the encodings of the columns that choose for themselves, by the rows that they have.
    fn choose(&mut self, threads: usize) -> Result<()> {
        let Some(Stage::Encoding(encoders)) = self.open.as_ref().map(|open| &open.stage) else {
            return Ok(());
        };
        let Output { path, step, .. } = &self.output;
        for_each(threads, self.template.fields(), path, |field| {
            let chosen = encoders.choose(field);
            chosen.map_err(|source| encode_error(*step, path, source))
        })
    }

    fn encode_pieces(
        &mut self,
        batch: &RecordBatch,
        pieces: &[Range<usize>],
        threads: usize,
    ) -> Result<()> {
        let Some(Open {
            stage: Stage::Encoding(encoders),
            ..
        }) = &self.open
        else {
            return Ok(());
        };
        let order = &self.order;
        let took: Vec<AtomicU64> = order.iter().map(|_| AtomicU64::new(0)).collect();
        let writes = usize::from(self.output.ended.is_some());
        let path = &self.output.path.clone();
        let output = Mutex::new(&mut self.output);
        for_each(threads, writes + took.len(), path, |number| {
            let Some(number) = number.checked_sub(writes) else {
                return locked(&output).write_ended();
            };
            let column = order[number];
            let begun = Instant::now();
            let encoded = encoders.encode(column, batch, pieces);
            took[column].store(begun.elapsed().as_nanos() as u64, Ordering::Relaxed);
            encoded.map_err(|source| encode_error(Step::WriteRows, path, source))
        })?;
        self.order
            .sort_by_key(|column| Reverse(took[*column].load(Ordering::Relaxed)));
        Ok(())
    }

    /// Ends the open row group, if it has rows. With one thread it is written now, else when rows come again or the
    /// file ends.
    pub(crate) fn end_row_group(&mut self, threads: usize) -> Result<()> {
        self.end_open(threads)?;
        match threads {
            1 => self.output.write_ended(),
            _ => Ok(()),
        }
    }

    /// Ends the open row group, if it has rows, and keeps it to be written.
    fn end_open(&mut self, threads: usize) -> Result<()> {
        self.encode_held(threads)?;
        let open = self.open.take().filter(|open| open.rows > 0);
        let Some(Stage::Encoding(encoders)) = open.map(|open| open.stage) else {
            return Ok(());
        };
        self.output.write_ended()?;
        let Output { path, step, .. } = &self.output;
        let fields = self.template.fields();
        let chunks: Vec<Mutex<Vec<Ended>>> = (0..fields).map(|_| Mutex::default()).collect();
        for_each(threads, fields, path, |field| {
            let ended = encoders.end(field);
            *locked(&chunks[field]) = ended.map_err(|source| encode_error(*step, path, source))?;
            Ok::<(), Error>(())
        })?;
        let chunks = chunks
            .into_iter()
            .flat_map(|chunks| chunks.into_inner().unwrap_or_else(PoisonError::into_inner));
        self.output.ended = Some(chunks.collect());
        self.ended += 1;
        Ok(())
    }

    /// Writes the row group that has ended, if it is not written yet.
    pub(crate) fn write_ended(&mut self) -> Result<()> {
        self.output.write_ended()
    }

    /// Ends the last row group and writes the footer.
    pub(super) fn end(&mut self, threads: usize) -> Result<ParquetMetaData> {
        self.output.step = Step::WriteFooter;
        let is_only = self.ended == 0;
        self.end_open(threads)?;
        if is_only {
            self.output.slim();
        }
        self.output.write_ended()?;
        let end = self.bytes_written();
        self.inner_mut().row_groups_ended(end);
        let ended = self.output.writer.finish();
        let ended = ended.and_then(|metadata| end_footer(self.inner_mut(), metadata));
        ended.map_err(|source| self.output.error(source))
    }

    /// The output.
    pub(super) fn inner_mut(&mut self) -> &mut W {
        self.output.writer.inner_mut()
    }
}

impl FileWriter<Slot> {
    /// Ends the last row group and writes the footer.
    pub(crate) fn finish(mut self, threads: usize) -> Result<Encoded> {
        let metadata = self.end(threads)?;
        let path = self.path().to_owned();
        encoded(self.inner_mut(), metadata, path)
    }
}

/// Ends a file whose footer was written, and gives its metadata as they are in the file.
pub(super) fn end_footer(
    output: &mut impl FileOutput,
    metadata: ParquetMetaData,
) -> Result<ParquetMetaData, ParquetError> {
    let Some(name) = output.footer_ended()? else {
        return Ok(metadata);
    };
    let file = metadata.file_metadata();
    let file = FileMetaData::new(
        file.version(),
        file.num_rows(),
        Some(name),
        file.key_value_metadata().cloned(),
        file.schema_descr_ptr(),
        file.column_orders().cloned(),
    );
    let mut rest = metadata.into_builder();
    Ok(ParquetMetaDataBuilder::new(file)
        .set_row_groups(rest.take_row_groups())
        .set_column_index(rest.take_column_index())
        .set_offset_index(rest.take_offset_index())
        .build())
}

/// Takes the draft of a file whose footer is written.
pub(super) fn encoded(
    slot: &mut Slot,
    metadata: ParquetMetaData,
    path: PathBuf,
) -> Result<Encoded> {
    let (draft, footer_bytes) = slot.take().ok_or(Error::Poisoned { path })?;
    Ok(Encoded {
        draft,
        metadata: Arc::new(metadata),
        footer_bytes,
    })
}

impl<W: FileOutput> Output<W> {
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
        written.map_err(|source| self.error(source))
    }

    /// Leaves the page index out of a file whose only row group has ended, if every column chunk of it is one page. All
    /// chunks of a file have an offset index, or none.
    fn slim(&mut self) {
        if let Some(chunks) = self.ended.take() {
            self.ended = Some(match chunks.iter().all(Ended::is_one_page) {
                true => chunks.into_iter().map(Ended::without_page_index).collect(),
                false => chunks,
            });
        }
    }

    fn error(&mut self, source: ParquetError) -> Error {
        disk_error(self.writer.inner_mut(), self.step)
            .unwrap_or_else(|| encode_error(self.step, &self.path, source))
    }
}

/// The error of the disk, if there was one: a disk that is full is that, however the encoder wraps it.
pub(super) fn disk_error(output: &mut impl FileOutput, step: Step) -> Option<Error> {
    let (source, path) = output.take_fault()?;
    Some(Error::Io { step, path, source })
}

fn encode_error(step: Step, path: &Path, source: ParquetError) -> Error {
    own_error(source).unwrap_or_else(|source| Error::encode(step, path, source))
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
