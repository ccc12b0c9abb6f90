//! How much memory the messages of Arrow IPC may take once they are decoded.
//!
//! A message declares what its compressed buffers become, which may be thousands of times what is
//! stored. [`IpcBounds`] sums that up before anything is decoded, with the dictionaries that are held
//! from earlier messages. A buffer of LZ4 may declare too little: Arrow's decoder notices that only once
//! it has decompressed it, to at most 255 times what is stored.

use std::collections::HashMap;

use arrow::error::ArrowError;

use super::message::{Body, Dictionary, parse_message};

/// Bytes in memory that any message may take.
const LEAST_LIMIT: u64 = 256 << 20;
/// The factor by which a message may exceed its stored bytes, where that is more.
const MOST_RATIO: u64 = 64;

/// Limits the memory that the messages of an Arrow IPC file or stream take once they are decoded.
///
/// A message may become 256 MiB, or 64 times the bytes that are stored for it, or what is given to
/// [`IpcBounds::new`], whichever is the most. The dictionaries of earlier messages count too.
///
/// ```
/// use atomic_arrow::arrow::array::{ArrayRef, Int64Array, RecordBatch};
/// use atomic_arrow::arrow::ipc::writer::{IpcDataGenerator, IpcWriteOptions};
/// use atomic_arrow::arrow::ipc::writer::{DictionaryTracker, IpcWriteContext};
/// use atomic_arrow::format::IpcBounds;
///
/// let wind: ArrayRef = std::sync::Arc::new(Int64Array::from(vec![5, 6, 7]));
/// let batch = RecordBatch::try_from_iter([("wind", wind)])?;
/// let (_, message) = IpcDataGenerator::default().encode(
///     &batch,
///     &mut DictionaryTracker::new(false),
///     &IpcWriteOptions::default(),
///     &mut IpcWriteContext::default(),
/// )?;
///
/// let mut bounds = IpcBounds::new(0);
/// assert_eq!(bounds.check(&message.ipc_message, &message.arrow_data), Ok(()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct IpcBounds {
    at_least: u64,
    /// The dictionaries that are held, by their numbers.
    dictionaries: HashMap<i64, Sizes>,
}

/// A message of Arrow IPC that would take more memory than is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a record batch of {stored} bytes, with its dictionaries, becomes {decoded} bytes in memory, \
     and at most {limit} are allowed"
)]
#[non_exhaustive]
pub struct IpcTooLarge {
    /// The bytes that are stored for it and for the dictionaries that are held.
    pub stored: u64,
    /// The bytes that they become.
    pub decoded: u64,
    /// The most that they may become.
    pub limit: u64,
}

/// The bytes of a message, as it is stored and as it is decoded.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sizes {
    pub(super) stored: u64,
    pub(super) decoded: u64,
}

impl Sizes {
    fn and(self, other: Sizes) -> Sizes {
        Sizes {
            stored: self.stored.saturating_add(other.stored),
            decoded: self.decoded.saturating_add(other.decoded),
        }
    }
}

impl IpcBounds {
    /// The limits at the beginning of a file or stream. Messages of up to `at_least` bytes are always allowed.
    #[must_use]
    pub fn new(at_least: u64) -> Self {
        IpcBounds {
            at_least,
            dictionaries: HashMap::new(),
        }
    }

    /// Checks the next message before it is decoded: its metadata, a flatbuffer, and its body. What is
    /// malformed passes: the decoder finds it.
    ///
    /// # Errors
    /// It would take more memory than is allowed.
    pub fn check(&mut self, metadata: &[u8], body: &[u8]) -> Result<(), IpcTooLarge> {
        let Ok(message) = parse_message(metadata) else {
            return Ok(());
        };
        let prefix = |offset: u64| -> Result<i64, ArrowError> {
            let bytes = usize::try_from(offset).ok().and_then(|at| body.get(at..));
            let bytes = bytes.and_then(|bytes| bytes.first_chunk());
            Ok(bytes.map_or(0, |bytes| i64::from_le_bytes(*bytes)))
        };
        let stored = (metadata.len() as u64).saturating_add(body.len() as u64);
        match decoded(&message, prefix) {
            Ok(decoded) => self.admit(message.dictionary, Sizes { stored, decoded }),
            Err(_) => Ok(()),
        }
    }

    /// Counts a message of these sizes, which holds a dictionary or rows.
    pub(super) fn admit(
        &mut self,
        dictionary: Option<Dictionary>,
        message: Sizes,
    ) -> Result<(), IpcTooLarge> {
        let held = self.dictionaries.values().copied();
        let all = held.fold(message, Sizes::and);
        let by_ratio = all.stored.saturating_mul(MOST_RATIO);
        let limit = LEAST_LIMIT.max(self.at_least).max(by_ratio);
        if all.decoded > limit {
            return Err(IpcTooLarge {
                stored: all.stored,
                decoded: all.decoded,
                limit,
            });
        }
        if let Some(Dictionary { id, is_delta }) = dictionary {
            let known = self.dictionaries.entry(id).or_default();
            *known = match is_delta {
                true => known.and(message),
                false => message,
            };
        }
        Ok(())
    }
}

/// The size of the buffers of a message once they are decoded; `prefix` reads the eight bytes at an offset of the
/// body, which declare the length of a compressed buffer.
pub(super) fn decoded<E>(
    message: &Body,
    mut prefix: impl FnMut(u64) -> Result<i64, E>,
) -> Result<u64, E> {
    let mut sum: u64 = 0;
    for buffer in &message.buffers {
        let stored = u64::try_from(buffer.length()).unwrap_or(0);
        let declared = match (message.compressed && stored >= 8, buffer.offset()) {
            (true, offset @ 0..) => prefix(offset.unsigned_abs())?,
            _ => -1,
        };
        // -1 says that the buffer is not compressed after all.
        sum = sum.saturating_add(u64::try_from(declared).unwrap_or(stored));
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn sizes(stored: u64, decoded: u64) -> Sizes {
        Sizes { stored, decoded }
    }

    fn of(id: i64, is_delta: bool) -> Option<Dictionary> {
        Some(Dictionary { id, is_delta })
    }

    #[test]
    fn a_message_may_take_256_mib_or_64_times_what_is_stored_or_what_is_told() {
        let admit = |at_least, message| IpcBounds::new(at_least).admit(None, message);
        assert_eq!(admit(0, sizes(10, 256 * MIB)), Ok(()));
        let too_large = admit(0, sizes(10, 256 * MIB + 1)).unwrap_err();
        assert_eq!(
            too_large.to_string(),
            "a record batch of 10 bytes, with its dictionaries, becomes 268435457 bytes in memory, \
             and at most 268435456 are allowed"
        );
        assert_eq!(admit(0, sizes(5 * MIB, 320 * MIB)), Ok(()));
        assert!(admit(0, sizes(5 * MIB, 320 * MIB + 1)).is_err());
        assert_eq!(admit(300 * MIB, sizes(10, 300 * MIB)), Ok(()));
        assert!(admit(0, sizes(u64::MAX, u64::MAX)).is_ok());
    }

    #[test]
    fn dictionaries_count_as_long_as_they_are_held() {
        let mut bounds = IpcBounds::new(0);
        assert_eq!(bounds.admit(of(1, false), sizes(10, 200 * MIB)), Ok(()));
        assert!(bounds.admit(None, sizes(10, 100 * MIB)).is_err());
        assert!(bounds.admit(of(2, false), sizes(10, 100 * MIB)).is_err());
        assert!(bounds.admit(of(1, true), sizes(10, 100 * MIB)).is_err());
        assert_eq!(bounds.admit(of(1, true), sizes(10, 50 * MIB)), Ok(()));
        assert!(bounds.admit(None, sizes(10, 10 * MIB)).is_err());
        // One that replaces another takes its place.
        let mut bounds = IpcBounds::new(0);
        assert_eq!(bounds.admit(of(1, false), sizes(10, 100 * MIB)), Ok(()));
        assert_eq!(bounds.admit(of(1, false), sizes(10, 50 * MIB)), Ok(()));
        assert_eq!(bounds.admit(None, sizes(10, 200 * MIB)), Ok(()));
    }
}
