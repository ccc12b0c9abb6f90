//! The output of a Parquet writer: a draft, by way of a buffer.

use std::io::{self, Write};
use std::path::PathBuf;

use crate::staging::Draft;

/// An output that a Parquet file is written to.
pub(crate) trait FileOutput: Write + Send {
    /// Told where the footer begins, before it comes.
    fn footer_begins(&mut self, offset: u64);

    /// The first error of the disk so far, which is then forgotten, and the path of the file it is about.
    fn take_fault(&mut self) -> Option<(io::Error, PathBuf)>;
}

/// The draft, which the end takes out, and what is on its way to it.
pub(crate) struct Slot {
    draft: Option<Draft>,
    waiting: Vec<u8>,
    /// The last bytes written.
    tail: [u8; 8],
}

impl Slot {
    /// Column chunks come in small pieces, and a small file is written at once.
    const WAITING: usize = 64 << 10;

    pub(crate) fn new(draft: Draft) -> Self {
        Slot {
            draft: Some(draft),
            waiting: Vec::new(),
            tail: [0; 8],
        }
    }

    /// Takes the draft of a file that has ended, with the length of its footer and all that follows.
    pub(crate) fn take(&mut self) -> Option<(Draft, u64)> {
        let [a, b, c, d, ..] = self.tail;
        let footer = u64::from(u32::from_le_bytes([a, b, c, d])) + 8;
        Some((self.draft.take()?, footer))
    }
}

impl FileOutput for Slot {
    fn footer_begins(&mut self, offset: u64) {
        if let Some(draft) = &mut self.draft {
            draft.ends_from(offset);
        }
    }

    fn take_fault(&mut self) -> Option<(io::Error, PathBuf)> {
        let draft = self.draft.as_mut()?;
        Some((draft.take_fault()?, draft.path().to_owned()))
    }
}

impl Write for Slot {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.waiting.len() + bytes.len() > Slot::WAITING {
            self.flush()?;
        }
        self.waiting.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let Some(draft) = &mut self.draft else {
            return Err(io::ErrorKind::WriteZero.into());
        };
        draft.write_all(&self.waiting)?;
        for byte in &self.waiting[self.waiting.len().saturating_sub(8)..] {
            self.tail.rotate_left(1);
            self.tail[7] = *byte;
        }
        self.waiting.clear();
        Ok(())
    }
}

#[cfg(test)]
impl FileOutput for Vec<u8> {
    fn footer_begins(&mut self, _: u64) {}

    fn take_fault(&mut self) -> Option<(io::Error, PathBuf)> {
        None
    }
}
