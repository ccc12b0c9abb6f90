//! Where the row groups of a Parquet file in a data set end, and where the file ends.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::RecordBatch;

use super::units::Cut;
use crate::dataset::staging_files::EncodedFile;
use crate::dataset::template::Template;
use crate::error::{Error, Result, Step};
use crate::format::digest::ColumnDigests;
use crate::format::parquet::{FileTemplate, FileWriter, Slot};
use crate::format::written::Content;
use crate::staging::Draft;

/// A file whose footer is not written yet.
pub(in crate::dataset) struct ParquetFile<'a> {
    template: &'a Template,
    file: FileWriter<Slot>,
    /// The limits of the open row group.
    limits: Option<Limits>,
    digests: Option<ColumnDigests>,
    rows: u64,
}

/// The limits of a row group: a number of rows, and of bytes.
struct Limits {
    most_rows: usize,
    most_bytes: Option<usize>,
    /// The number of rows at which the size in bytes is estimated next.
    look_at: usize,
}

impl<'a> ParquetFile<'a> {
    pub(in crate::dataset) fn new(
        template: &'a Template,
        common: &Arc<FileTemplate>,
        draft: Draft,
        path: PathBuf,
    ) -> Result<Self> {
        let digests = match template.digesting() {
            true => Some(ColumnDigests::new(template.schema()).map_err(|cannot| {
                Error::InvalidOption {
                    option: "verify",
                    reason: cannot.to_string(),
                }
            })?),
            false => None,
        };
        let file = FileWriter::new(Arc::clone(common), Slot::new(draft), path)?;
        Ok(ParquetFile {
            template,
            file: file.spilling(template.spill.clone()),
            limits: None,
            digests,
            rows: 0,
        })
    }

    /// The number of rows that may be encoded before the size of the row group and file has to be checked again.
    pub(in crate::dataset) fn room(&mut self) -> Result<usize> {
        self.file.begin_row_group()?;
        let limits = match self.limits.take() {
            Some(limits) => limits,
            None => self.new_limits(),
        };
        let room = limits.most_rows.min(limits.look_at) - self.file.open_rows();
        self.limits = Some(limits);
        Ok(room)
    }

    /// The limits of the next row group, such that the file ends at its target size.
    fn new_limits(&self) -> Limits {
        let options = &self.template.options;
        let written = self.file.bytes_written();
        let rows_left = options
            .target_file_rows
            .map_or(u64::MAX, |target| target.saturating_sub(self.rows));
        let bytes_left = options
            .target_file_size
            .map(|target| target.saturating_sub(written) as usize);
        let properties = self.file.template().properties();
        let most_rows = properties.max_row_group_row_count().unwrap_or(usize::MAX);
        let most_bytes = match (properties.max_row_group_bytes(), bytes_left) {
            (Some(most), Some(left)) => Some(most.min(left)),
            (most, left) => most.or(left),
        };
        Limits {
            most_rows: most_rows
                .min(usize::try_from(rows_left).unwrap_or(usize::MAX))
                .max(1),
            most_bytes,
            look_at: most_bytes.map_or(usize::MAX, |_| self.template.units.most_rows()),
        }
    }

    /// Encodes units of rows, no more than there is [`room`](ParquetFile::room) for, columns side by side on up
    /// to `threads` threads, while the row group before them is written. Says whether the file ends here.
    pub(in crate::dataset) fn encode(
        &mut self,
        batch: &RecordBatch,
        cut: &Cut,
        threads: usize,
    ) -> Result<bool> {
        if batch.num_columns() == 0 {
            return Err(Error::InvalidOption {
                option: "schema",
                reason: "Parquet has no rows without columns".to_owned(),
            });
        }
        if let Some(digests) = &mut self.digests {
            let path = self.file.path();
            let digested = digests.update(batch);
            digested.map_err(|source| Error::encode(Step::WriteRows, path, source))?;
        }
        let pieces: Vec<Range<usize>> = cut.pieces(self.at_once()).collect();
        self.file.encode(batch, &pieces, threads)?;
        self.rows += batch.num_rows() as u64;
        if !self.is_row_group_full(cut.by_bytes, threads)? {
            return Ok(false);
        }
        self.limits = None;
        self.file.end_row_group(threads)?;
        if self.template.options.target_file_size.is_some() {
            // Its length says when the file ends.
            self.file.write_ended()?;
        }
        Ok(self.is_full())
    }

    /// How many rows the encoders get at once.
    ///
    /// parquet-rs asks after each write batch whether a page ends, but of columns that have no buffer of
    /// nulls after as many rows as a page has at most. Whether a column without nulls has such a buffer
    /// depends on how its rows came, so that they get no more than both.
    fn at_once(&self) -> usize {
        let properties = self.file.template().properties();
        let least = properties
            .write_batch_size()
            .min(properties.data_page_row_count_limit());
        least.max(1)
    }

    /// Whether the row group is full; sets at how many rows to check again if it is not.
    ///
    /// The encoders are asked at few places, which depend on the rows alone: after a number of rows, and after a
    /// unit that was cut short because of its bytes. The next place is a multiple of a unit's rows further.
    fn is_row_group_full(&mut self, by_bytes: bool, threads: usize) -> Result<bool> {
        let (rows, unit) = (self.file.open_rows(), self.template.units.most_rows());
        let Some(limits) = &mut self.limits else {
            return Ok(false);
        };
        if rows >= limits.most_rows {
            return Ok(true);
        }
        let looks = by_bytes || rows >= limits.look_at;
        let Some(most) = limits.most_bytes.filter(|_| looks) else {
            return Ok(false);
        };
        let bytes = self.file.open_bytes(most, threads)?;
        if bytes >= most {
            return Ok(true);
        }
        let rows_left = (most - bytes) as u128 * rows as u128 / bytes.max(1) as u128;
        let step = usize::try_from(rows_left * 3 / 4).unwrap_or(usize::MAX) / unit * unit;
        limits.look_at = rows.saturating_add(step.max(unit));
        Ok(false)
    }

    fn is_full(&self) -> bool {
        let options = &self.template.options;
        let written = self.file.bytes_written();
        // What is left is not worth a row group.
        let nearly = |target: u64| written >= target - target / 8;
        options.target_file_size.is_some_and(nearly)
            || options
                .target_file_rows
                .is_some_and(|target| self.rows >= target)
    }

    /// Ends the last row group and writes the footer ([`Step::WriteFooter`]).
    pub(in crate::dataset) fn finish(self, threads: usize) -> Result<EncodedFile> {
        let path = self.file.path().to_owned();
        let file = self.file.finish(threads)?;
        Ok(EncodedFile {
            draft: file.draft,
            content: Content::Parquet(file.metadata),
            digests: self.digests.map(|digests| digests.finish()),
            rows: self.rows,
            footer_bytes: Some(file.footer_bytes),
            path,
        })
    }
}
