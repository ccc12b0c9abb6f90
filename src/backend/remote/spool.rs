//! The local directory in which files are encoded and verified before they are uploaded.

use std::sync::Arc;

use uuid::Uuid;

use super::{RemoteBackend, locked};
use crate::backend::{Backend as _, Guard, LocalBackend, Taken};
use crate::error::Result;
use crate::location::spool;
use crate::staging::{Area, Workspace};

/// A transaction's part of the spool.
pub(super) struct Spooled {
    spool: Arc<LocalBackend>,
    id: Uuid,
    /// Says that its writer lives.
    _lease: Guard,
}

impl Spooled {
    pub(super) fn begin(spool: Arc<LocalBackend>) -> Result<Self> {
        let (id, lease) = spool.begin()?;
        Ok(Spooled {
            spool,
            id,
            _lease: lease,
        })
    }

    pub(super) fn workspace(&self) -> Result<Workspace> {
        // What is uploaded is compared with what was verified.
        Ok(self.spool.workspace(self.id)?.hashing_all())
    }

    /// Removes it. What stays the next writer removes.
    pub(super) fn remove(&self) {
        let _ = self.spool.remove(self.id);
    }
}

impl RemoteBackend {
    /// The spool, which is opened when it is needed: what dead writers left there is removed.
    pub(super) fn spool(&self) -> Result<Arc<LocalBackend>> {
        let mut kept = locked(&self.spool);
        if let Some(spool) = &*kept {
            return Ok(Arc::clone(spool));
        }
        let (disk, home) = spool(&self.store)?;
        let opened = LocalBackend::new(Area::open(&disk, home)?);
        for id in opened.transactions()? {
            if let Ok(Taken::Ours(_lease)) = opened.take(id) {
                // What is in the way is for the next one.
                let _ = opened.remove(id);
            }
        }
        let opened = Arc::new(opened);
        *kept = Some(Arc::clone(&opened));
        Ok(opened)
    }
}
