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
    let Some(job) = &part.job else {
        return Ok(());
    };
    match backend.recall(backend.scope(), &Part::commit_of(job)) {
        Ok(None) => Ok(()),
        Ok(Some(_)) | Err(Error::AlreadyCommitted { .. }) => Err(closed(backend, job)),
        Err(error) => Err(error),
    }
}

pub(super) fn closed(backend: &dyn Backend, job: &str) -> Error {
    Error::JobClosed {
        // Without a separator at its end.
        path: backend.root().join(backend.scope()).components().collect(),
        job: job.to_owned(),
    }
}

/// Removes all that is staged for a job, as far as it can be.
///
/// # Errors
/// The first that was in the way; the rest is removed all the same.
pub(super) fn discard_all(backend: &dyn Backend, job: &str) -> Result<()> {
    let waiting = backend.waiting()?.into_iter();
    let of_job = waiting.filter(|waiting| {
        let record = &waiting.record;
        record.job.as_deref() == Some(job) && record.scope == backend.scope()
    });
    of_job
        .map(|waiting| backend.discard(waiting.transaction))
        .fold(Ok(()), Result::and)
}
