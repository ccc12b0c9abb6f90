//! Changes of names in the simulated disk: made at once, durable when their directories are synced.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;

use super::tree::{Change, Tree, not_found, parent_and_name};

impl Tree {
    /// Changes what names refer to, all in one change.
    fn change(&mut self, names: Vec<(u64, OsString, Option<u64>)>) -> io::Result<()> {
        for (directory, name, to) in &names {
            let directory = self.directory_mut(*directory)?;
            match to {
                Some(node) => directory.entries.insert(name.clone(), *node),
                None => directory.entries.remove(name),
            };
        }
        self.pending.push(Change { names });
        self.changed = true;
        Ok(())
    }

    pub(super) fn set_entry(
        &mut self,
        directory: u64,
        name: &OsStr,
        to: Option<u64>,
    ) -> io::Result<()> {
        self.change(vec![(directory, name.to_owned(), to)])
    }

    /// Makes every change of the directory durable, and with each the earlier ones that it rests on.
    pub(super) fn sync_directory(&mut self, node: u64) -> io::Result<()> {
        self.directory(node)?;
        let mut durable: Vec<Change> = Vec::new();
        let mut pending = Vec::new();
        for change in std::mem::take(&mut self.pending).into_iter().rev() {
            let of_this = change
                .names
                .iter()
                .any(|(directory, ..)| *directory == node);
            if of_this || durable.iter().any(|later| later.touches(&change)) {
                durable.push(change);
            } else {
                pending.push(change);
            }
        }
        pending.reverse();
        self.pending = pending;
        for change in durable.iter().rev() {
            self.make_durable(change)?;
        }
        self.changed = true;
        Ok(())
    }

    /// Makes every name durable, but no content.
    pub(super) fn sync_all_directories(&mut self) -> io::Result<()> {
        for change in std::mem::take(&mut self.pending) {
            self.make_durable(&change)?;
        }
        self.changed = true;
        Ok(())
    }

    pub(super) fn make_durable(&mut self, change: &Change) -> io::Result<()> {
        for (directory, name, to) in &change.names {
            let directory = self.directory_mut(*directory)?;
            match to {
                Some(node) => directory.durable.insert(name.clone(), *node),
                None => directory.durable.remove(name),
            };
        }
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path, replace: bool) -> io::Result<()> {
        let (from_parent, from_name) = parent_and_name(from)?;
        let (to_parent, to_name) = parent_and_name(to)?;
        let (from_parent, to_parent) = (self.find(from_parent)?, self.find(to_parent)?);
        let node = *self
            .directory(from_parent)?
            .entries
            .get(from_name)
            .ok_or_else(not_found)?;
        if let Some(there) = self.directory(to_parent)?.entries.get(to_name) {
            if self.directory(*there).is_ok() {
                return Err(io::ErrorKind::IsADirectory.into());
            }
            if !replace {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
        }
        let there = (to_parent, to_name.to_owned(), Some(node));
        let gone = (from_parent, from_name.to_owned(), None);
        if self.journaled {
            self.change(vec![there, gone])?;
        } else {
            self.change(vec![there])?;
            self.change(vec![gone])?;
        }
        self.last_named.insert(to.to_owned(), node);
        Ok(())
    }

    /// Lets two names change places.
    pub(super) fn exchange(&mut self, one: &Path, other: &Path) -> io::Result<()> {
        let (one_parent, one_name) = parent_and_name(one)?;
        let (other_parent, other_name) = parent_and_name(other)?;
        let (one, other) = (self.find(one)?, self.find(other)?);
        let (one_parent, other_parent) = (self.find(one_parent)?, self.find(other_parent)?);
        self.change(vec![
            (one_parent, one_name.to_owned(), Some(other)),
            (other_parent, other_name.to_owned(), Some(one)),
        ])
    }
}
