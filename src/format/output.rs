//! The draft behind an encoder that has a buffer of its own.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result, Step};
use crate::staging::Draft;

/// Where the encoders of a buffer of their own put its bytes, so that an error of the disk can never
/// be taken for one of the encoder.
pub(super) struct Output {
    draft: Draft,
    path: PathBuf,
}

impl Output {
    pub(super) fn new(draft: Draft, path: &Path) -> Self {
        let path = path.to_owned();
        Output { draft, path }
    }

    pub(super) fn put(&mut self, step: Step, bytes: &[u8]) -> Result<()> {
        self.draft.write_all(bytes).map_err(|source| Error::Io {
            step,
            path: self.draft.path().to_owned(),
            source,
        })
    }

    pub(super) fn len(&self) -> u64 {
        self.draft.len()
    }

    /// The encoder's error.
    pub(super) fn refused(
        &self,
        step: Step,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Error {
        Error::encode(step, &self.path, source)
    }

    pub(super) fn into_draft(self) -> Draft {
        self.draft
    }
}
