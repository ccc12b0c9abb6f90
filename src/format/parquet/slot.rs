//! The output of a Parquet writer: a draft, by way of a buffer.

use std::hash::Hasher as _;
use std::io::{self, Write};
use std::path::PathBuf;

use twox_hash::XxHash3_64;

use crate::format::proof;
use crate::staging::Draft;

/// An output that a Parquet file is written to.
pub(crate) trait FileOutput: Write + Send {
    /// Called with the offset where the row groups end, before what follows them is written.
    fn row_groups_ended(&mut self, offset: u64);

    /// Called when the file has ended, and puts its hashes into its footer. Gives the writer's name with them, if
    /// they have a place there.
    fn footer_ended(&mut self) -> io::Result<Option<String>>;

    /// The first error of the disk so far, which is then forgotten, and the path of the file it is about.
    fn take_fault(&mut self) -> Option<(io::Error, PathBuf)>;
}

/// The draft, which the end takes out, and what is on its way to it.
pub(crate) struct Slot {
    draft: Option<Draft>,
    waiting: Vec<u8>,
    /// Whether all bytes are held back until the end of the file.
    is_held: bool,
    /// The hash of the bytes written to the draft so far.
    hash: XxHash3_64,
    footer_bytes: u64,
}

impl Slot {
    /// The size of the buffer before the draft: column chunks come in small pieces.
    const WAITING: usize = 64 << 10;

    pub(crate) fn new(draft: Draft) -> Self {
        Slot {
            draft: Some(draft),
            waiting: Vec::new(),
            is_held: false,
            hash: XxHash3_64::new(),
            footer_bytes: 0,
        }
    }

    /// Takes the draft of a file that has ended, with the length of its footer and all that follows.
    pub(crate) fn take(&mut self) -> Option<(Draft, u64)> {
        Some((self.draft.take()?, self.footer_bytes))
    }
}

/// The offset of the footer in the last bytes of a file.
fn footer_start(bytes: &[u8]) -> Option<usize> {
    let (rest, [a, b, c, d, ..]) = bytes.split_last_chunk::<8>()?;
    let length = u32::from_le_bytes([*a, *b, *c, *d]) as usize;
    rest.len().checked_sub(length)
}

/// Writes the hashes of a file into its footer: `bytes` end the file, and `hash` is of the bytes before them.
fn prove(mut hash: XxHash3_64, bytes: &mut [u8], footer: usize) -> Option<String> {
    let (body, end) = bytes.split_at_mut(footer);
    hash.write(body);
    let name = proof::find(end)?;
    proof::complete(hash.finish(), end, name)
}

impl FileOutput for Slot {
    fn row_groups_ended(&mut self, offset: u64) {
        if let Some(draft) = &mut self.draft {
            draft.ends_from(offset);
        }
        self.is_held = true;
    }

    fn footer_ended(&mut self) -> io::Result<Option<String>> {
        let footer = footer_start(&self.waiting).ok_or(io::ErrorKind::InvalidData)?;
        self.footer_bytes = (self.waiting.len() - footer) as u64;
        let name = prove(self.hash.clone(), &mut self.waiting, footer);
        self.is_held = false;
        self.flush()?;
        Ok(name)
    }

    fn take_fault(&mut self) -> Option<(io::Error, PathBuf)> {
        let draft = self.draft.as_mut()?;
        Some((draft.take_fault()?, draft.path().to_owned()))
    }
}

impl Write for Slot {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.is_held && self.waiting.len() + bytes.len() > Slot::WAITING {
            self.flush()?;
        }
        self.waiting.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.is_held {
            return Ok(());
        }
        let Some(draft) = &mut self.draft else {
            return Err(io::ErrorKind::WriteZero.into());
        };
        draft.write_all(&self.waiting)?;
        self.hash.write(&self.waiting);
        self.waiting.clear();
        Ok(())
    }
}

#[cfg(test)]
impl FileOutput for Vec<u8> {
    fn row_groups_ended(&mut self, _: u64) {}

    fn footer_ended(&mut self) -> io::Result<Option<String>> {
        let footer = footer_start(self).ok_or(io::ErrorKind::InvalidData)?;
        Ok(prove(XxHash3_64::new(), self, footer))
    }

    fn take_fault(&mut self) -> Option<(io::Error, PathBuf)> {
        None
    }
}
