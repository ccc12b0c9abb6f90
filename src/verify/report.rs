//! The results of checking files.

use std::path::{Path, PathBuf};

use super::Damage;
use crate::format::{Contents, Format, PageCount};
use crate::options::Verify;

/// The result of checking one file: what it holds, or what is wrong with it.
#[derive(Debug)]
pub struct FileReport {
    pub(super) path: PathBuf,
    pub(super) format: Format,
    pub(super) level: Verify,
    pub(super) bytes: u64,
    pub(super) contents: Contents,
    pub(super) damage: Option<Damage>,
}

impl FileReport {
    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The format that it was checked as.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// How closely it was checked.
    #[must_use]
    pub fn level(&self) -> Verify {
        self.level
    }

    /// Its length.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Its rows, where the format has rows; `None` if it is damaged or was not checked.
    #[must_use]
    pub fn rows(&self) -> Option<u64> {
        self.contents.rows
    }

    /// Its row groups (Parquet) or record batches (Arrow IPC); `None` if it is damaged or was not
    /// checked.
    #[must_use]
    pub fn row_groups(&self) -> Option<usize> {
        self.contents.row_groups
    }

    /// How many pages were read and how many of them carried a checksum; `None` if the level or the
    /// format has none, or the file is damaged.
    #[must_use]
    pub fn pages(&self) -> Option<PageCount> {
        self.contents.pages
    }

    /// Whether the file was checked and nothing was found to be wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.damage.is_none()
    }

    /// What is wrong, of several things the one found first; or why it cannot be told
    /// ([`Damage::NotCheckable`]).
    #[must_use]
    pub fn damage(&self) -> Option<&Damage> {
        self.damage.as_ref()
    }
}

/// The results of checking many files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Summary {
    /// How many files were checked.
    pub files: u64,
    /// How many of them are damaged.
    pub damaged: u64,
    /// How many of them cannot be checked here ([`Damage::NotCheckable`]), such as those encrypted with keys that are not
    /// given.
    pub not_checkable: u64,
    /// The rows of those that are sound, where their format has rows.
    pub rows: u64,
    /// The bytes of all of them.
    pub bytes: u64,
}

impl Summary {
    pub(super) fn add(&mut self, report: &FileReport) {
        self.files += 1;
        match report.damage() {
            None => {}
            Some(Damage::NotCheckable { .. }) => self.not_checkable += 1,
            Some(_) => self.damaged += 1,
        }
        self.rows += report.rows().unwrap_or(0);
        self.bytes += report.bytes();
    }
}
