//! Carrying out a decided plan, and removing its decision.

use std::io;

use super::check::FileState;
use super::{DECISION, LocalBackend, REPLACED, fingerprint};
use crate::backend::Backend as _;
use crate::disk::PublishMode;
use crate::error::{Error, IoContext, Result, Step};
use crate::options::Durability;
use crate::record::{Decision, Plan, Removal};

impl LocalBackend {
    /// Publishes what is not published yet of a plan, and gives the files that should go and cannot be removed.
    pub(super) fn publish_plan(&self, plan: &Plan, recovering: bool) -> Result<Vec<Error>> {
        let directory = self.place(plan.transaction);
        // A dead writer's record may not have become durable yet; nothing may show before it is.
        let mut mover = self.mover(plan.durability());
        mover.lenient = recovering && plan.durability() == Durability::Unsynced;
        match mover.sync(&directory) {
            // Somebody who took us for dead has done all of this, or else it is lost.
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                if !mover.lenient {
                    self.check_files(plan, FileState::Published)?;
                }
                return Ok(Vec::new());
            }
            synced => synced?,
        }
        if !mover.lenient {
            self.check_files(plan, FileState::Staged)?;
        }
        let success_file = plan.success_file();
        if let Some(path) = &success_file {
            mover.withdraw_success_file(path)?;
        }
        mover.arrange(&directory, &plan.arrangement)?;
        mover.move_files(&directory, &self.root, &plan.files)?;
        let mut left = mover.exchange_all(&directory, &plan.exchanges)?;
        if !mover.lenient {
            self.check_files(plan, FileState::Published)?;
        }
        left.extend(mover.remove_files(&self.root, &self.unchanged(&plan.removed)?)?);
        if let Some(path) = &success_file {
            mover.make_success_file(path)?;
        }
        Ok(left)
    }

    /// Removes a decision, durably, and what is left of its transaction. Gives what cannot be removed. Where that is so
    /// of files that it replaced, a record of them stays.
    pub(super) fn remove_decision(
        &self,
        plan: &Plan,
        left: &[Error],
        abandoned: bool,
    ) -> Result<Vec<Error>> {
        let directory = self.place(plan.transaction);
        self.sync_adopted(&directory, plan)?;
        self.end_rewritten(&directory, plan, abandoned)?;
        let decision = directory.join(DECISION);
        let record = directory.join(REPLACED);
        let of_exchanges = self.left_of_exchanges(plan, left)?;
        let removed = match left.is_empty() {
            false if of_exchanges.is_empty() => {
                self.disk.rename(&decision, &record, PublishMode::Replace)
            }
            false => {
                let mut rest = plan.clone();
                rest.removed.extend(of_exchanges);
                let rest = Decision::Committed(Box::new(rest));
                self.put(plan.transaction, &record, &rest, PublishMode::Replace)?;
                self.disk.remove_file(&decision)
            }
            true => self.disk.remove_file(&decision),
        };
        match removed {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            removed => removed.at(Step::SyncDirectory, &decision)?,
        }
        // If it came back after a crash, it would be carried out again, over what came since: so also
        // where nothing else is synced.
        self.mover(Durability::Synced).sync(&directory)?;
        // By name, since they may be in directories that are more closed than the transaction's.
        for exchange in &plan.exchanges {
            let old = directory.join(&exchange.staged);
            let _ = self
                .mover(Durability::Unsynced)
                .remove_files(&old, &exchange.removed);
        }
        Ok(self.remove(plan.transaction).err().into_iter().collect())
    }

    /// Removals of the files that are left of a directory which was replaced file by file. The plan has only their names,
    /// which others may use from now on, so each gets its fingerprint.
    fn left_of_exchanges(&self, plan: &Plan, left: &[Error]) -> Result<Vec<Removal>> {
        let mut removals = Vec::new();
        let success_file = plan.success_file();
        for error in left {
            let Some(path) = error
                .path()
                .and_then(|path| path.strip_prefix(&self.root).ok())
            else {
                continue;
            };
            if success_file.as_deref() == Some(path) {
                continue; // The one that is there now is this commit's.
            }
            let of_exchange = plan.exchanges.iter().any(|exchange| {
                let below = path.strip_prefix(&exchange.path);
                below.is_ok_and(|below| exchange.removed.iter().any(|file| file == below))
            });
            let whole = self.root.join(path);
            if of_exchange
                && let Some((_, status)) = self.disk.status(&whole).at(Step::Publish, &whole)?
            {
                removals.push(Removal::new(path.to_owned(), fingerprint(&status)));
            }
        }
        Ok(removals)
    }
}
