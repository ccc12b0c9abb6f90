//! One file being encoded: Parquet by columns side by side, every other format in order.
//!
//! Formats without row groups get rows in units, counted from the file's first row, so that what is
//! in the file depends on the rows alone; they end after a unit.

use std::path::PathBuf;

use arrow::array::RecordBatch;

use super::parquet_file::ParquetFile;
use super::units::Cut;
use crate::dataset::staging_files::{EncodedFile, StagingFiles};
use crate::dataset::template::Template;
use crate::error::Result;
use crate::format::encode::{Encoder, Encoding};
use crate::staging::Draft;

/// A file whose last byte is not written yet.
pub(in crate::dataset) enum OpenFile<'a> {
    Parquet(Box<ParquetFile<'a>>),
    Plain(PlainFile<'a>),
}

/// A file of a format without row groups.
pub(in crate::dataset) struct PlainFile<'a> {
    template: &'a Template,
    encoder: Encoder,
    path: PathBuf,
}

/// Checks that the format can store the schema with these options, by beginning a file and discarding it: only the
/// encoder knows.
pub(in crate::dataset) fn rehearse(template: &Template, staging: &dyn StagingFiles) -> Result<()> {
    if template.parquet.is_some() {
        return Ok(());
    }
    let path = template.options.root.clone();
    OpenFile::new(template, staging.create(false)?, path).map(drop)
}

impl<'a> OpenFile<'a> {
    pub(in crate::dataset) fn new(
        template: &'a Template,
        draft: Draft,
        path: PathBuf,
    ) -> Result<Self> {
        Ok(match &template.parquet {
            Some(common) => {
                let file = ParquetFile::new(template, common, draft, path)?;
                OpenFile::Parquet(Box::new(file))
            }
            None => OpenFile::Plain(PlainFile::new(template, draft, path)?),
        })
    }

    /// The number of rows that may be encoded before the size of the row group and file has to be checked again.
    pub(in crate::dataset) fn room(&mut self) -> Result<usize> {
        match self {
            OpenFile::Parquet(file) => file.room(),
            OpenFile::Plain(file) => Ok(file.room()),
        }
    }

    /// Whether the size has to be checked after this unit; `by_bytes` says that its bytes cut it short.
    pub(in crate::dataset) fn asks_after(&self, by_bytes: bool) -> bool {
        match self {
            OpenFile::Parquet(_) => by_bytes,
            OpenFile::Plain(file) => file.template.options.target_file_size.is_some(),
        }
    }

    /// Encodes units of rows, at most [`room`](OpenFile::room) of them, on up to `threads` threads where the format
    /// allows several. Says whether the file ends here.
    pub(in crate::dataset) fn encode(
        &mut self,
        batch: &RecordBatch,
        cut: &Cut,
        threads: usize,
    ) -> Result<bool> {
        match self {
            OpenFile::Parquet(file) => file.encode(batch, cut, threads),
            OpenFile::Plain(file) => file.encode(batch, cut),
        }
    }

    /// Writes the footer ([`Step::WriteFooter`](crate::error::Step::WriteFooter)).
    pub(in crate::dataset) fn finish(self, threads: usize) -> Result<EncodedFile> {
        match self {
            OpenFile::Parquet(file) => file.finish(threads),
            OpenFile::Plain(file) => file.finish(),
        }
    }
}

impl<'a> PlainFile<'a> {
    fn new(template: &'a Template, draft: Draft, path: PathBuf) -> Result<Self> {
        let encoding = Encoding {
            format: template.options.format,
            properties: template.options.properties.clone(),
            page_checksums: template.options.page_checksums,
            arrow_schema: template.options.arrow_schema,
            encodings: template.options.encodings,
            text: template.options.text.clone(),
            verify: template.options.verify,
            #[cfg(feature = "ipc")]
            dictionaries: template.dictionaries.clone(),
        };
        Ok(PlainFile {
            encoder: Encoder::new(draft, &path, &template.schema, encoding)?,
            template,
            path,
        })
    }

    fn room(&self) -> usize {
        let target = self.template.options.target_file_rows;
        target.map_or(usize::MAX, |target| {
            usize::try_from(target.saturating_sub(self.encoder.rows())).unwrap_or(usize::MAX)
        })
    }

    fn encode(&mut self, batch: &RecordBatch, cut: &Cut) -> Result<bool> {
        for unit in cut.units() {
            self.encoder.write(&batch.slice(unit.start, unit.len()))?;
        }
        let options = &self.template.options;
        let reached = |target: Option<u64>, is: u64| target.is_some_and(|target| is >= target);
        Ok(reached(options.target_file_rows, self.encoder.rows())
            || reached(options.target_file_size, self.encoder.bytes_written()))
    }

    fn finish(self) -> Result<EncodedFile> {
        let encoded = self.encoder.finish()?;
        Ok(EncodedFile {
            draft: encoded.draft,
            content: encoded.content,
            digests: encoded.digests,
            rows: encoded.rows,
            footer_bytes: None,
            path: self.path,
        })
    }
}
