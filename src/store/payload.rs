//! A file that is uploaded, as it is read.

use std::io;

use bytes::Bytes;
use twox_hash::XxHash3_128;

use crate::disk::DiskFile;

/// The most parts that S3 takes.
const MOST_PARTS: u64 = 10_000;

/// A file that is put as an object.
pub(crate) struct Payload<'a> {
    pub(crate) file: &'a dyn DiskFile,
    /// Its length in bytes.
    pub(crate) bytes: u64,
    /// The XXH3 hash (128 bits) of all bytes, as they were written.
    pub(crate) hash: Option<u128>,
}

impl Payload<'_> {
    /// Reads all of it.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] if it is not what was written.
    pub(super) fn whole(&self) -> io::Result<Bytes> {
        let bytes = read(self.file, 0, self.bytes)?;
        let mut hasher = XxHash3_128::new();
        hasher.write(&bytes);
        self.check(&hasher)?;
        Ok(bytes)
    }

    /// Compares the bytes that were read, and will be visible, with those that were written.
    pub(super) fn check(&self, hasher: &XxHash3_128) -> io::Result<()> {
        match self.hash {
            Some(hash) if hash != hasher.finish_128() => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the staged file is not what was written",
            )),
            _ => Ok(()),
        }
    }
}

/// The size of the parts of a file of so many bytes: as was asked for, if there are not too many then.
pub(super) fn part_size(asked: u64, bytes: u64) -> u64 {
    asked.max(bytes.div_ceil(MOST_PARTS))
}

/// Reads a range of a file, all of it.
pub(super) fn read(file: &dyn DiskFile, start: u64, length: u64) -> io::Result<Bytes> {
    let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read_at(&mut bytes[filled..], start + filled as u64)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => filled += count,
        }
    }
    Ok(bytes.into())
}
