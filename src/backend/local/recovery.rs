//! What the recovery of a whole data set does beside its transactions.

use std::path::PathBuf;

use super::LocalBackend;
use crate::backend::{Backend as _, OutOfReach, Survey};
use crate::disk::LockKind;
use crate::error::{Error, IoContext, Result, Step};
use crate::staging::{Area, Swept, sweep_for};

impl LocalBackend {
    /// Replaces the control directories of the root and of the directory that the caller named where they are not
    /// trusted, and tells of those that were.
    pub(super) fn repair(&self, dry_run: bool) -> Vec<Error> {
        let interrupt = self.area.home().interrupt();
        let mut told = Vec::new();
        for control in self.controls() {
            let renewed = match dry_run {
                true => Ok(()),
                false => control.renew(interrupt),
            };
            told.extend(renewed.err().map(|error| match error {
                Error::Io { path, source, .. } => Error::Read { path, source },
                error => error,
            }));
            let replaced = control.replaced(dry_run).into_iter();
            told.extend(replaced.map(|path| Error::SetAside { path, source: None }));
        }
        told
    }

    /// The areas that any writer would choose, and those that markers name.
    pub(super) fn survey(&self) -> Survey {
        let mut survey = Survey {
            places: Vec::new(),
            failed: Vec::new(),
        };
        for path in self.area.home().all_areas(self.disk.as_ref()) {
            let area = Area::at(&self.disk, self.area.home().clone(), path.clone());
            match area.check_owner() {
                Ok(()) => survey.places.push(Box::new(LocalBackend::new(area))),
                Err(source) => survey.failed.push(Error::Read { path, source }),
            }
        }
        match self.other_areas() {
            Ok(others) => {
                let announced = others.into_iter();
                let announced = announced.filter(|other| other.announced.is_some());
                survey
                    .places
                    .extend(announced.map(|other| Box::new(other) as _));
            }
            Err(error) => survey.failed.push(error),
        }
        survey
    }

    /// Removes the staging files of dead writers. In an area that only markers name nothing but their transactions is
    /// ours to touch.
    pub(super) fn sweep_files(&self, dry_run: bool) -> Swept {
        let mut swept = match self.announced {
            None => sweep_for(self.disk.as_ref(), self.area.path(), dry_run),
            Some(_) => Swept::default(),
        };
        swept.failed.extend(self.aside());
        swept
    }

    pub(super) fn report_out_of_reach(&self, dry_run: bool, forget: bool) -> OutOfReach {
        let mut out_of_reach = OutOfReach::default();
        if forget && !dry_run {
            match self.forget_out_of_reach() {
                Ok(forgotten) => out_of_reach.forgotten = forgotten,
                Err(error) => out_of_reach.failed.push(error),
            }
            return out_of_reach;
        }
        match self.distrusted_markers() {
            Ok(distrusted) => out_of_reach.failed.extend(distrusted),
            Err(error) => out_of_reach.failed.push(error),
        }
        let checked = self
            .neighbours()
            .and_then(|neighbours| self.check_announced(&neighbours, dry_run));
        out_of_reach.failed.extend(checked.err());
        out_of_reach
    }

    /// The markers of users who may not write in the data set, which are not looked at.
    fn distrusted_markers(&self) -> Result<Vec<Error>> {
        let mut distrusted = Vec::new();
        for control in self.controls() {
            for pending in control.pending().unwrap_or_default() {
                match self.check_writer(&control, &pending.path) {
                    Err(error @ Error::Distrusted { .. }) => distrusted.push(error),
                    checked => checked?,
                }
            }
        }
        Ok(distrusted)
    }

    /// Removes the markers of dead writers' transactions that are out of reach, and names them.
    fn forget_out_of_reach(&self) -> Result<Vec<PathBuf>> {
        let mut forgotten = Vec::new();
        match self.check_announced(&self.neighbours()?, false) {
            Err(Error::OutOfReach { .. }) => {}
            checked => return checked.map(|()| forgotten),
        }
        // A marker that was just being made was not locked yet.
        let _lock = self.lock(LockKind::Exclusive)?;
        let neighbours = self.neighbours()?;
        loop {
            match self.check_announced(&neighbours, false) {
                Err(Error::OutOfReach { marker, .. }) if !forgotten.contains(&marker) => {
                    let removed = self.disk.remove_file(&marker);
                    removed.at(Step::Decide, &marker)?;
                    forgotten.push(marker);
                }
                checked => return checked.map(|()| forgotten),
            }
        }
    }
}
