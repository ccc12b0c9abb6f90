//! Rows into row groups, one batch after another: what parquet-rs's `ArrowWriter` does, with pages that
//! are finished here.
//!
//! Row groups end where those of `ArrowWriter` would.

use std::io::Write;

use arrow::array::RecordBatch;
use parquet::errors::Result;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::writer::SerializedFileWriter;

use super::row_group::{FileTemplate, RowGroup};

/// A file, the last row group of which may be open.
pub(super) struct RowWriter<W: Write> {
    template: FileTemplate,
    file: SerializedFileWriter<W>,
    open: Option<(RowGroup, usize)>,
}

impl<W: Write + Send> RowWriter<W> {
    pub(super) fn new(template: FileTemplate, output: W) -> Result<Self> {
        Ok(RowWriter {
            file: template.file(output)?,
            template,
            open: None,
        })
    }

    pub(super) fn memory_size(&self) -> usize {
        let open = self.open.as_ref();
        open.map_or(0, |(group, _)| group.memory_size())
    }

    pub(super) fn bytes_written(&self) -> usize {
        self.file.bytes_written()
    }

    pub(super) fn inner_mut(&mut self) -> &mut W {
        self.file.inner_mut()
    }

    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.template.observe(batch)?;
        // Where a batch is cut, a page may end: what is cut off waits for its turn by itself.
        let mut waiting = vec![batch.clone()];
        while let Some(batch) = waiting.pop() {
            let rows = batch.num_rows();
            if rows == 0 {
                continue;
            }
            let (group, held) = match self.open.take() {
                Some(open) => open,
                None => (
                    self.template
                        .row_group(&self.file, self.file.flushed_row_groups().len())?,
                    0,
                ),
            };
            match self.room(&group, held, rows) {
                0 => {
                    self.end(group)?;
                    waiting.push(batch);
                }
                room if room < rows => {
                    self.open = Some((group, held));
                    waiting.push(batch.slice(room, rows - room));
                    waiting.push(batch.slice(0, room));
                }
                _ => self.encode(group, held, &batch)?,
            }
        }
        Ok(())
    }

    /// How many of `rows` may come at once into a row group that has `held`.
    fn room(&self, group: &RowGroup, held: usize, rows: usize) -> usize {
        let properties = self.template.properties();
        let most_rows = properties.max_row_group_row_count().unwrap_or(usize::MAX);
        if rows > most_rows - held {
            return most_rows - held;
        }
        let Some(most) = properties.max_row_group_bytes().filter(|_| held > 0) else {
            return rows;
        };
        let bytes = group.estimate();
        match bytes / held {
            _ if bytes >= most => 0,
            0 => rows,
            row => rows.min((most - bytes) / row),
        }
    }

    fn encode(&mut self, group: RowGroup, held: usize, batch: &RecordBatch) -> Result<()> {
        let rows = batch.num_rows();
        for field in 0..self.template.fields() {
            group.encode(field, batch, std::iter::once(0..rows))?;
        }
        let held = held + rows;
        let properties = self.template.properties();
        let most_rows = properties.max_row_group_row_count();
        let most_bytes = properties.max_row_group_bytes();
        if most_rows.is_some_and(|most| held >= most)
            || most_bytes.is_some_and(|most| group.estimate() >= most)
        {
            return self.end(group);
        }
        self.open = Some((group, held));
        Ok(())
    }

    fn end(&mut self, group: RowGroup) -> Result<()> {
        let mut writer = self.file.next_row_group()?;
        for field in 0..self.template.fields() {
            for chunk in group.end(field)? {
                chunk.append_to(&mut writer)?;
            }
        }
        writer.close().map(drop)
    }

    /// Ends the open row group, if there is one.
    pub(super) fn end_rows(&mut self) -> Result<()> {
        self.open
            .take()
            .map_or(Ok(()), |(group, _)| self.end(group))
    }

    /// Writes the footer.
    pub(super) fn finish(&mut self) -> Result<ParquetMetaData> {
        self.end_rows()?;
        self.file.finish()
    }
}
