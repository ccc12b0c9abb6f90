//! Writing the rows of one partition, in order, into one file or several.
//!
//! Row groups and files end where the rows and the settings say, never where memory or threads do.

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;

use super::file::OpenFile;
use super::finish::Finisher;
use super::units::Cut;
use crate::dataset::template::Template;
use crate::error::{Error, Result, Step};
use crate::partition::Partition;
use crate::pool::Halt;

/// Writes the rows of one partition.
pub(in crate::dataset) struct PartitionWriter<'a> {
    template: &'a Template,
    finisher: &'a Finisher<'a>,
    partition: &'a Partition,
    number: u32,
    file: Option<OpenFile<'a>>,
    files: u32,
    /// Rows of a unit whose other rows have not come yet.
    carried: Option<RecordBatch>,
    threads: usize,
}

impl<'a> PartitionWriter<'a> {
    pub(in crate::dataset) fn new(
        template: &'a Template,
        finisher: &'a Finisher<'a>,
        (number, partition): (u32, &'a Partition),
        threads: usize,
    ) -> Self {
        PartitionWriter {
            template,
            finisher,
            partition,
            number,
            file: None,
            files: 0,
            carried: None,
            threads,
        }
    }

    /// Encodes rows; `last` says that no rows follow which could share a unit with these.
    pub(in crate::dataset) fn write(
        &mut self,
        batch: &RecordBatch,
        last: bool,
    ) -> Result<(), Halt> {
        let units = &self.template.units;
        let mut start = 0;
        while start < batch.num_rows() || (last && self.carried.is_some()) {
            let left = batch.slice(start, batch.num_rows() - start);
            let carried = self.carried.take();
            let file = self.open()?;
            let room = file.room()?;
            let (rows, cut) = match carried {
                Some(begun) => {
                    let (count, cut) = units.complete(&begun, &left, room);
                    start += count;
                    let rows = self.joined(&begun, &left.slice(0, count))?;
                    let cut = cut.or_else(|| last.then(|| Cut::at(rows.num_rows())));
                    (rows, cut)
                }
                None => {
                    let cut = units.cut(&left, room, last, |by_bytes| file.asks_after(by_bytes));
                    let count = cut.ends.last().copied().unwrap_or(left.num_rows());
                    start += count;
                    let cut = (!cut.ends.is_empty()).then_some(cut);
                    (left.slice(0, count), cut)
                }
            };
            let Some(cut) = cut else {
                self.carried = Some(rows);
                continue;
            };
            let threads = self.threads;
            if self.open()?.encode(&rows, &cut, threads)? {
                self.end_file()?;
            }
        }
        Ok(())
    }

    /// The carried rows followed by `rows`, as one batch.
    fn joined(&self, carried: &RecordBatch, rows: &RecordBatch) -> Result<RecordBatch> {
        match rows.num_rows() {
            0 => Ok(carried.clone()),
            _ => concat_batches(&carried.schema(), [carried, rows]).map_err(|source| {
                Error::encode(Step::WriteRows, &self.template.options.root, source)
            }),
        }
    }

    fn open(&mut self) -> Result<&mut OpenFile<'a>> {
        let file = match self.file.take() {
            Some(file) => file,
            None => {
                let name = self.template.names().name(self.files, self.partition);
                let root = &self.template.options.root;
                let path = root.join(self.partition.path()).join(name);
                let draft = self.finisher.staging().create(self.template.hashing())?;
                self.files += 1;
                OpenFile::new(self.template, draft, path)?
            }
        };
        Ok(self.file.insert(file))
    }

    /// Begins a file, also if no rows follow.
    pub(in crate::dataset) fn begin_file(&mut self) -> Result<()> {
        self.open().map(drop)
    }

    /// Ends the file; rows that follow go into another.
    pub(in crate::dataset) fn end_file(&mut self) -> Result<(), Halt> {
        let Some(file) = self.file.take() else {
            return Ok(());
        };
        let encoded = file.finish(self.threads)?;
        let place = (self.number, self.files - 1);
        self.finisher.take(place, self.partition, encoded)
    }
}
