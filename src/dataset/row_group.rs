//! Where a row group ends: after a number of rows or of bytes.

use std::io::Write;

use parquet::errors::Result;
use parquet::file::writer::SerializedFileWriter;

use super::template::Template;
use crate::format::parquet::{FileTemplate, RowGroup};

/// A row group being encoded, and its limits.
pub(super) struct Group {
    encoders: RowGroup,
    rows: usize,
    most_rows: usize,
    most_bytes: Option<usize>,
    /// At how many rows the bytes are looked at next.
    look_at: usize,
}

impl Group {
    /// Begins row group `number` of `file`, of at most `most_rows` rows and `most_bytes` bytes.
    pub(super) fn new<W: Write + Send>(
        template: &Template,
        common: &FileTemplate,
        (file, number): (&SerializedFileWriter<W>, usize),
        (most_rows, most_bytes): (usize, Option<usize>),
    ) -> Result<Self> {
        Ok(Group {
            encoders: common.row_group(file, number)?,
            rows: 0,
            most_rows,
            look_at: most_bytes.map_or(usize::MAX, |_| template.units.most_rows()),
            most_bytes,
        })
    }

    pub(super) fn encoders(&self) -> &RowGroup {
        &self.encoders
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn add_rows(&mut self, rows: usize) {
        self.rows += rows;
    }

    /// How many rows may be encoded before it is to be asked whether the row group ends.
    pub(super) fn room(&self) -> usize {
        self.most_rows.min(self.look_at) - self.rows
    }

    /// Whether the row group ends here; and if not, where it is to be asked again.
    ///
    /// The encoders are asked at few places, which depend on the rows alone: after a number of rows, and after a
    /// unit that was cut short because of its bytes. The next place is a multiple of `unit` rows further.
    pub(super) fn is_full(&mut self, unit: usize, by_bytes: bool) -> bool {
        if self.rows >= self.most_rows {
            return true;
        }
        let looks = by_bytes || self.rows >= self.look_at;
        let Some(most) = self.most_bytes.filter(|_| looks) else {
            return false;
        };
        let bytes = self.encoders.estimate();
        if bytes >= most {
            return true;
        }
        let rows_left = (most - bytes) as u128 * self.rows as u128 / bytes.max(1) as u128;
        let step = usize::try_from(rows_left * 3 / 4).unwrap_or(usize::MAX) / unit * unit;
        self.look_at = self.rows.saturating_add(step.max(unit));
        false
    }
}
