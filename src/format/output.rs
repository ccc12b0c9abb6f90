//! The output of an encoder with a buffer of its own: a draft, compressed as a whole or not.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::compressed::{Codec, Compressor};
use crate::error::{Error, IoContext, Result, Step};
use crate::staging::Draft;

/// Passes the bytes of an encoder's buffer to the draft. The encoder never sees an error of the disk, so that it
/// cannot be taken for one of the encoder.
pub(super) struct Output {
    draft: Draft,
    path: PathBuf,
    compressor: Compressor,
}

impl Output {
    pub(super) fn new(draft: Draft, path: &Path, codec: Codec) -> Result<Self> {
        let compressor = Compressor::new(codec);
        Ok(Output {
            compressor: compressor
                .map_err(|source| Error::encode(Step::WriteRows, path, source))?,
            draft,
            path: path.to_owned(),
        })
    }

    pub(super) fn put(&mut self, step: Step, bytes: &[u8]) -> Result<()> {
        let Output {
            draft,
            path,
            compressor,
        } = self;
        compressor.write(
            bytes,
            |bytes| draft.write_all(bytes).at(step, draft.path()),
            |source| Error::encode(step, path, source),
        )
    }

    /// The number of bytes written to the draft so far.
    pub(super) fn len(&self) -> u64 {
        self.draft.len()
    }

    /// An error of the encoder as the crate's [`Error`].
    pub(super) fn refused(
        &self,
        step: Step,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Error {
        Error::encode(step, &self.path, source)
    }

    /// Ends the file.
    pub(super) fn finish(self) -> Result<Draft> {
        let Output {
            mut draft,
            path,
            compressor,
        } = self;
        let rest = compressor.finish();
        let rest = rest.map_err(|source| Error::encode(Step::WriteFooter, &path, source))?;
        let written = draft.write_all(&rest);
        written.at(Step::WriteFooter, draft.path())?;
        Ok(draft)
    }
}
