//! Jobs: all that any process stages for one is committed or discarded as one, and nothing after that.
//!
//! The commit of a job is a named write, whose name no other write may have. That name closes the job: whoever stages looks
//! for it after his work is staged, and whoever closes a job looks for what is staged after that, so that one of the two sees
//! the other.

use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::receipt::Part;

/// Refuses the work of a job that is closed.
///
/// # Errors
/// [`Error::JobClosed`].
pub(in crate::dataset) fn check_open(backend: &dyn Backend, part: &Part) -> Result<()> {
    let Some(name) = part.name_of_commit() else {
        return Ok(());
    };
    match backend.recall(backend.scope(), &name) {
        Ok(None) => Ok(()),
        Ok(Some(_)) | Err(Error::AlreadyCommitted { .. }) => Err(closed(backend, part)),
        Err(error) => Err(error),
    }
}

pub(super) fn closed(backend: &dyn Backend, part: &Part) -> Error {
    Error::JobClosed {
        path: backend.path_of(backend.scope()),
        job: part.job.clone().unwrap_or_default(),
        sequence: part.sequence,
    }
}
