//! Writing the rows of one partition, in order, into one file or several.
//!
//! Row groups and files end where the rows and the settings say, never where memory or threads do.

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;

use super::file::OpenFile;
use super::seal::Sealer;
use super::spill::encode;
use super::template::Template;
use crate::error::Result;
use crate::partition::Partition;

/// Writes the rows of one partition.
pub(super) struct PartitionWriter<'a> {
    template: &'a Template,
    sealer: &'a Sealer<'a>,
    partition: &'a Partition,
    number: u32,
    file: Option<OpenFile<'a>>,
    files: u32,
    /// Rows that are fewer than are encoded at once.
    carried: Option<RecordBatch>,
    threads: usize,
}

impl<'a> PartitionWriter<'a> {
    pub(super) fn new(
        template: &'a Template,
        sealer: &'a Sealer<'a>,
        (number, partition): (u32, &'a Partition),
        threads: usize,
    ) -> Self {
        PartitionWriter {
            template,
            sealer,
            partition,
            number,
            file: None,
            files: 0,
            carried: None,
            threads,
        }
    }

    /// Takes rows; `last` if none follow that may be encoded together with these.
    pub(super) fn write(&mut self, batch: &RecordBatch, last: bool) -> Result<()> {
        let chunk = self.template.chunk;
        let mut start = 0;
        loop {
            let left = batch.num_rows() - start;
            let carried = self.carried.as_ref().map_or(0, RecordBatch::num_rows);
            if left == 0 && (carried == 0 || !last) {
                return Ok(());
            }
            let room = self.open()?.room()?;
            let count = if carried > 0 {
                left.min(room.min(chunk) - carried)
            } else if left >= room {
                room
            } else if last || left < chunk {
                left
            } else {
                left / chunk * chunk
            };
            let rows = self.joined(batch.slice(start, count))?;
            start += count;
            if rows.num_rows() < room.min(chunk) && !last {
                self.carried = Some(rows);
            } else {
                let threads = self.threads;
                if self.open()?.encode(&rows, threads)? {
                    self.end_file()?;
                }
            }
        }
    }

    /// The carried rows and these.
    fn joined(&mut self, rows: RecordBatch) -> Result<RecordBatch> {
        match self.carried.take() {
            None => Ok(rows),
            Some(carried) if rows.num_rows() == 0 => Ok(carried),
            Some(carried) => concat_batches(&carried.schema(), [&carried, &rows])
                .map_err(|source| encode(&self.template.options.root, source)),
        }
    }

    fn open(&mut self) -> Result<&mut OpenFile<'a>> {
        let file = match self.file.take() {
            Some(file) => file,
            None => {
                let name = self.template.file_name(self.files);
                let root = &self.template.options.root;
                let path = root.join(self.partition.path()).join(name);
                let draft = self.sealer.stage().create(self.template.hashing())?;
                self.files += 1;
                OpenFile::new(self.template, draft, path)?
            }
        };
        Ok(self.file.insert(file))
    }

    /// Ends the file; rows that follow go into another.
    pub(super) fn end_file(&mut self) -> Result<()> {
        let Some(file) = self.file.take() else {
            return Ok(());
        };
        let encoded = file.finish(self.threads)?;
        let place = (self.number, self.files - 1);
        self.sealer.take(place, self.partition, encoded)
    }
}
