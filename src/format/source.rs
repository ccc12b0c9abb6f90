//! An open file of the disk as the decoders want it: bytes by range, or a reader that can seek.
//!
//! A decoder wraps what the disk says into an error of its own, often as text. So that a disk that
//! would not read is never taken for damaged bytes, [`Source`] keeps the disk's error aside and
//! [`Source::settle`] asks for it first.

use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, PoisonError};

use ::parquet::errors::ParquetError;
use ::parquet::file::reader::{ChunkReader, Length};
use bytes::Bytes;

use super::Fault;
use crate::disk::DiskFile;

/// The number of bytes that are read ahead where the length is not known: a page header is short.
const HEADER_BUFFER: usize = 1 << 10;

/// An open file of the disk, its length when it was opened, and the first error of reading it.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    file: Arc<dyn DiskFile>,
    len: u64,
    /// The end of the file, once it was read: its offset and its bytes.
    end: Option<(u64, Bytes)>,
    failure: Arc<Mutex<Option<io::Error>>>,
}

impl Source {
    pub(crate) fn new(file: Arc<dyn DiskFile>) -> io::Result<Self> {
        let len = file.status()?.len;
        Ok(Source {
            file,
            len,
            end: None,
            failure: Arc::default(),
        })
    }

    /// Reads the last `length` bytes, or as many as there are, and keeps them for later reads.
    pub(crate) fn read_end(&mut self, length: u64) -> io::Result<Bytes> {
        let length = length.min(self.len);
        let start = self.len - length;
        let end = self.read(start, length)?;
        self.end = Some((start, end.clone()));
        Ok(end)
    }

    fn read_before(&self, start: u64, length: usize) -> Option<Bytes> {
        let (kept, end) = self.end.as_ref()?;
        let from = usize::try_from(start.checked_sub(*kept)?).ok()?;
        let to = from.checked_add(length)?;
        (to <= end.len()).then(|| end.slice(from..to))
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Reads `length` bytes at `start`; fewer only where the file ends.
    pub(crate) fn read(&self, start: u64, length: u64) -> io::Result<Bytes> {
        let length = length.min(self.len.saturating_sub(start));
        let length =
            usize::try_from(length).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
        if let Some(bytes) = self.read_before(start, length) {
            return Ok(bytes);
        }
        let mut buffer = vec![0; length];
        let mut filled = 0;
        while filled < length {
            match self
                .file
                .read_at(&mut buffer[filled..], start + filled as u64)
            {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) => return Err(self.remember(error)),
            }
        }
        buffer.truncate(filled);
        Ok(buffer.into())
    }

    /// A reader of the file from `start` on.
    pub(crate) fn reader(&self, start: u64) -> SourceReader {
        SourceReader {
            source: self.clone(),
            position: start,
        }
    }

    /// The outcome of a check of this file: damage that was found because the disk refused a read becomes the error
    /// of the disk.
    pub(crate) fn settle<T>(&self, outcome: Result<T, Fault>) -> Result<T, Fault> {
        outcome.map_err(|fault| {
            let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
            failure.take().map_or(fault, Fault::Io)
        })
    }

    /// Keeps the disk's error and gives the decoder one like it.
    fn remember(&self, error: io::Error) -> io::Error {
        let told = io::Error::new(error.kind(), error.to_string());
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.get_or_insert(error);
        told
    }
}

impl Length for Source {
    fn len(&self) -> u64 {
        self.len
    }
}

impl ChunkReader for Source {
    type T = BufReader<SourceReader>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(BufReader::with_capacity(HEADER_BUFFER, self.reader(start)))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        // Before anything is allocated: the length comes from the file's own declarations.
        let fits = start
            .checked_add(length as u64)
            .is_some_and(|end| end <= self.len);
        let bytes = if fits {
            self.read(start, length as u64)?
        } else {
            Bytes::new()
        };
        if bytes.len() != length {
            let end = self.len;
            return Err(ParquetError::EOF(format!(
                "{length} bytes at {start} are not within the file of {end} bytes"
            )));
        }
        Ok(bytes)
    }
}

/// Reads a [`Source`] from a position on.
#[derive(Debug)]
pub(crate) struct SourceReader {
    source: Source,
    position: u64,
}

impl Read for SourceReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match self.source.file.read_at(buffer, self.position) {
            Ok(count) => count,
            Err(error) => return Err(self.source.remember(error)),
        };
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for SourceReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(delta) => self.source.len.checked_add_signed(delta),
            SeekFrom::Current(delta) => self.position.checked_add_signed(delta),
        };
        self.position = target.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}
