//! The success file of a commit: gone before the first of its files is published, made anew after the last.
//!
//! Both verbs are idempotent. Whoever sees the file, and knows that this commit has begun, sees all of it.

use std::io;
use std::path::Path;

use super::moves::Mover;
use super::unless_gone;
use crate::error::{IoContext, Result, Step};
use crate::publish::{self, Share};
use crate::staging::check_inside;

impl Mover<'_> {
    /// Removes the success file of an earlier commit, durably, before anything else changes.
    pub(super) fn withdraw_success_file(&self, path: &Path) -> Result<()> {
        let path = self.root.join(path);
        let directory = path.parent().unwrap_or(self.root);
        check_inside(self.disk, self.root, directory)?;
        unless_gone(self.disk.remove_file(&path)).at(Step::Publish, &path)?;
        // Also where nothing was to be removed any more: whoever did that may have died before this.
        match self.disk.status(directory).at(Step::Publish, directory)? {
            None => Ok(()),
            Some(_) => self.sync(directory),
        }
    }

    /// Makes the success file, durably, when all else is published and durable.
    pub(super) fn make_success_file(&self, path: &Path) -> Result<()> {
        let path = self.root.join(path);
        let directory = path.parent().unwrap_or(self.root);
        check_inside(self.disk, self.root, directory)?;
        let share = Share {
            top: self.root,
            model: self.root,
        };
        publish::prepare(
            self.disk,
            &[directory.to_owned()].into(),
            self.durability,
            share,
        )?;
        match self.disk.create_file(&path, false) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            created => drop(created.at(Step::Publish, &path)?),
        }
        self.sync(directory)
    }
}
