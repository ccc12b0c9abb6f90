//! Where the row groups of a file by itself end: where those of parquet-rs's `ArrowWriter` would.

use arrow::array::RecordBatch;

use super::file::FileWriter;
use super::slot::FileOutput;
use crate::error::{Error, Result, Step};

/// A file that takes rows, one batch after another.
pub(super) struct RowWriter<W: FileOutput>(pub(super) FileWriter<W>);

impl<W: FileOutput> RowWriter<W> {
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let file = &mut self.0;
        file.template()
            .observe(batch)
            .map_err(|source| Error::encode(Step::WriteRows, file.path(), source))?;
        // Where a batch is cut, a page may end: what is cut off waits for its turn by itself.
        let mut waiting = vec![batch.clone()];
        while let Some(batch) = waiting.pop() {
            match (self.room(batch.num_rows())?, batch.num_rows()) {
                (_, 0) => {}
                (0, _) => {
                    self.0.end_row_group(1)?;
                    waiting.push(batch);
                }
                (room, rows) if room < rows => {
                    waiting.push(batch.slice(room, rows - room));
                    waiting.push(batch.slice(0, room));
                }
                (_, rows) => self.encode(&batch, rows)?,
            }
        }
        Ok(())
    }

    /// The most rows and bytes of a row group.
    fn limits(&self) -> (Option<usize>, Option<usize>) {
        let properties = self.0.template().properties();
        let most_rows = properties.max_row_group_row_count();
        (most_rows, properties.max_row_group_bytes())
    }

    /// How many of `rows` may come at once into the open row group.
    fn room(&mut self, rows: usize) -> Result<usize> {
        let (most_rows, most_bytes) = self.limits();
        let held = self.0.open_rows();
        if let Some(most) = most_rows.filter(|most| rows > most - held) {
            return Ok(most - held);
        }
        let Some(most) = most_bytes.filter(|_| held > 0) else {
            return Ok(rows);
        };
        let bytes = self.0.open_bytes(most, 1)?;
        Ok(match bytes / held {
            _ if bytes >= most => 0,
            0 => rows,
            row => rows.min((most - bytes) / row),
        })
    }

    fn encode(&mut self, batch: &RecordBatch, rows: usize) -> Result<()> {
        self.0.encode(batch, std::slice::from_ref(&(0..rows)), 1)?;
        let (most_rows, most_bytes) = self.limits();
        let mut is_full = most_rows.is_some_and(|most| self.0.open_rows() >= most);
        if let Some(most) = most_bytes.filter(|_| !is_full) {
            is_full = self.0.open_bytes(most, 1)? >= most;
        }
        match is_full {
            true => self.0.end_row_group(1),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use arrow::datatypes::SchemaRef;
    use parquet::file::properties::WriterProperties;

    use super::super::page_spill::PageSpill;
    use super::super::row_group::FileTemplate;
    use super::*;
    use crate::options::Encodings;

    /// A writer into memory, with or without checksums of pages.
    pub(in super::super) fn writer(
        schema: &SchemaRef,
        (properties, checksums): (WriterProperties, bool),
        spill: Option<Arc<PageSpill>>,
        encodings: Encodings,
    ) -> Result<RowWriter<Vec<u8>>> {
        let path = PathBuf::from("/lake/part-0.parquet");
        let template = FileTemplate::new(schema, properties, (checksums, None), encodings)
            .map_err(|source| Error::encode(Step::WriteRows, &path, source))?;
        let file = FileWriter::new(Arc::new(template), Vec::new(), path)?;
        Ok(RowWriter(file.spilling(spill)))
    }

    /// The bytes of a file of some batches.
    pub(in super::super) fn file_of(
        batches: &[RecordBatch],
        properties: (WriterProperties, bool),
        spill: Option<Arc<PageSpill>>,
    ) -> Result<Vec<u8>> {
        file_of_encodings(batches, properties, spill, Encodings::Auto)
    }

    /// The bytes of a file of some batches.
    pub(in super::super) fn file_of_encodings(
        batches: &[RecordBatch],
        properties: (WriterProperties, bool),
        spill: Option<Arc<PageSpill>>,
        encodings: Encodings,
    ) -> Result<Vec<u8>> {
        let mut writer = writer(&batches[0].schema(), properties, spill, encodings)?;
        for batch in batches {
            writer.write(batch)?;
        }
        writer.0.end(1)?;
        Ok(std::mem::take(writer.0.inner_mut()))
    }
}
