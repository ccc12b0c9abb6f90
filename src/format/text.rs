//! What the text formats share: UTF-8, digests of texts, instants whose offset has seconds, and how a file ends.
//!
//! Text has no types, so what is compared with the batches that came in is the text of every value,
//! not the value that some reader makes of it.

use std::collections::HashMap;
use std::io::{self, Read};

use arrow::array::timezone::Tz;
use arrow::array::{Array, AsArray as _, make_array};
use arrow::compute::cast;
use arrow::datatypes::{
    ArrowTimestampType, DataType, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use twox_hash::XxHash3_128;

use super::compressed::end_of_text;
use super::source::Source;
use super::{Contents, Fault};
use crate::damage::{Damage, Location};

/// The number of bytes that are read at once.
pub(super) const BUFFER: usize = 64 << 10;
/// The most bytes of a text that are read for the names of its columns.
pub(super) const HEAD: u64 = 16 << 20;

/// The most rows that are encoded as text at once; limits the memory taken.
pub(super) const ROWS_AT_ONCE: usize = 1024;

/// A running digest of the texts of every column.
#[derive(Clone)]
pub(super) struct TextDigests {
    columns: Vec<TextDigest>,
}

#[derive(Clone)]
struct TextDigest {
    hash: XxHash3_128,
    length: u64,
}

impl TextDigests {
    pub(super) fn new(columns: usize) -> Self {
        let empty = TextDigest {
            hash: XxHash3_128::new(),
            length: 0,
        };
        TextDigests {
            columns: vec![empty; columns],
        }
    }

    /// Adds to the text of the current row in a column; a column that does not exist has no digest.
    pub(super) fn push(&mut self, column: usize, text: &[u8]) {
        if let Some(digest) = self.columns.get_mut(column) {
            digest.hash.write(text);
            digest.length += text.len() as u64;
        }
    }

    /// Ends the text of the current row in a column. The length after it keeps neighbours apart.
    pub(super) fn end(&mut self, column: usize) {
        if let Some(digest) = self.columns.get_mut(column) {
            digest.hash.write(&digest.length.to_le_bytes());
            digest.length = 0;
        }
    }

    /// Ends the current row in a column, which is null there.
    #[cfg(feature = "csv")]
    pub(super) fn null(&mut self, column: usize) {
        if let Some(digest) = self.columns.get_mut(column) {
            digest.hash.write(&u64::MAX.to_le_bytes());
            digest.length = 0;
        }
    }

    pub(super) fn finish(&self) -> Vec<u128> {
        self.columns
            .iter()
            .map(|digest| digest.hash.finish_128())
            .collect()
    }
}

/// The end of 1972, in seconds since 1970: no later offset has seconds. The last such zone, Liberia, changed on 7
/// January 1972.
const END_OF_SECONDS: i64 = 94_694_400;

/// The rows of a column of timestamps whose offset from UTC has seconds, with their text in UTC.
///
/// Until 1972 some zones had such offsets. RFC 3339 has no place for the seconds, without which the text would name
/// another instant.
pub(super) fn in_utc(column: &dyn Array) -> Result<HashMap<usize, String>, ArrowError> {
    let plain = match column.data_type() {
        DataType::Dictionary(_, values) => values,
        DataType::RunEndEncoded(_, values) => values.data_type(),
        other => other,
    };
    let DataType::Timestamp(unit, Some(zone)) = plain else {
        return Ok(HashMap::new());
    };
    let zone: Tz = zone.parse()?;
    let times = cast(&make_array(column.to_data()), plain)?;
    let rows = match unit {
        TimeUnit::Second => with_seconds::<TimestampSecondType>(&times, zone, 1),
        TimeUnit::Millisecond => with_seconds::<TimestampMillisecondType>(&times, zone, 1_000),
        TimeUnit::Microsecond => with_seconds::<TimestampMicrosecondType>(&times, zone, 1_000_000),
        TimeUnit::Nanosecond => {
            with_seconds::<TimestampNanosecondType>(&times, zone, 1_000_000_000)
        }
    };
    let utc = DataType::Timestamp(*unit, Some("UTC".into()));
    let options = FormatOptions::default().with_display_error(false);
    let texts = rows.into_iter().map(|row| {
        let instant = cast(&times.slice(row, 1), &utc)?;
        let shown = ArrayFormatter::try_new(&instant, &options)?;
        Ok((row, shown.value(0).try_to_string()?))
    });
    texts.collect()
}

fn with_seconds<T: ArrowTimestampType>(
    times: &dyn Array,
    zone: Tz,
    units_per_second: i64,
) -> Vec<usize> {
    let times = times.as_primitive::<T>();
    // Later ones, which are nearly all, need not be looked up in the zone.
    let end = END_OF_SECONDS * units_per_second;
    let has_seconds = |row: &usize| {
        let time = times.value_as_datetime_with_tz(*row, zone);
        time.is_some_and(|time| (time.naive_local() - time.naive_utc()).num_seconds() % 60 != 0)
    };
    let early = (0..times.len()).filter(|row| times.is_valid(*row) && times.value(*row) < end);
    early.filter(has_seconds).collect()
}

/// Checks that a text that was written ends with the end of a line.
pub(super) fn check_end(source: &Source) -> Result<(), Fault> {
    let (len, last) = end_of_text(source)?;
    if last.is_some_and(|last| last != b'\n') {
        return Err(Damage::Unfinished {
            offset: len,
            missing: "the end of its last line",
        }
        .into());
    }
    Ok(())
}

/// Compares what was decoded with what was given.
pub(super) fn compare<'a>(
    (rows, found_rows): (u64, u64),
    (digests, found): (Option<&[u128]>, &TextDigests),
    columns: impl Iterator<Item = &'a String>,
) -> Result<Contents, Damage> {
    if rows != found_rows {
        return Err(Damage::Count {
            location: Location::file(),
            what: "the number of rows",
            expected: rows,
            found: found_rows,
        });
    }
    let found = found.finish();
    for ((column, expected), found) in columns.zip(digests.into_iter().flatten()).zip(&found) {
        if expected != found {
            return Err(Damage::Values {
                column: column.clone(),
            });
        }
    }
    Ok(Contents {
        rows: Some(rows),
        ..Contents::default()
    })
}

/// A reader that passes on UTF-8 and refuses other bytes: serde_json does not check it in what it ignores, nor
/// csv-core at all.
pub(super) struct Utf8<R> {
    inner: R,
    /// The beginning of a character whose rest was not read yet; at most three bytes.
    pending: Vec<u8>,
}

impl<R> Utf8<R> {
    pub(super) fn new(inner: R) -> Self {
        Utf8 {
            inner,
            pending: Vec::new(),
        }
    }
}

impl<R: Read> Read for Utf8<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        let invalid = || io::Error::new(io::ErrorKind::InvalidData, "not UTF-8");
        if count == 0 {
            return if self.pending.is_empty() || buffer.is_empty() {
                Ok(0)
            } else {
                Err(invalid())
            };
        }
        let mut rest = &buffer[..count];
        while let Some((byte, after)) = rest.split_first().filter(|_| !self.pending.is_empty()) {
            self.pending.push(*byte);
            rest = after;
            match std::str::from_utf8(&self.pending) {
                Ok(_) => self.pending.clear(),
                Err(error) if error.error_len().is_some() => return Err(invalid()),
                Err(_) => {}
            }
        }
        if let Err(error) = std::str::from_utf8(rest) {
            if error.error_len().is_some() {
                return Err(invalid());
            }
            self.pending.extend_from_slice(&rest[error.valid_up_to()..]);
        }
        Ok(count)
    }
}
