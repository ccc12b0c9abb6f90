//! Carrying a decision out, by its writer or by whoever recovers it.

use std::io;
use std::path::Path;

use crate::backend::{Backend, Published};
use crate::error::{Error, Result};
use crate::options::Durability;
use crate::receipt::{Note, Part};
use crate::record::Plan;

/// Publishes a decided plan and ends its transaction. What goes wrong after all of it is published is no error of a
/// commit: it is told beside the receipt.
pub(super) fn carry_out(backend: &dyn Backend, plan: &Plan, recovering: bool) -> Result<Vec<Note>> {
    let unfinished = |source| Error::Unfinished {
        path: backend.root().to_owned(),
        author: backend.other_author(plan.transaction),
        source: Box::new(source),
    };
    let published = backend.publish(plan, recovering).map_err(|source| {
        let power_cut = recovering && plan.durability() == Durability::Unsynced;
        // That files are gone says more than the error that followed from it.
        match (source, backend.check_whole(plan)) {
            (lost @ Error::FilesLost { .. }, _) => lost,
            (_, Err(lost @ Error::FilesLost { .. })) if !power_cut => lost,
            (source, _) => unfinished(source),
        }
    })?;
    let Published {
        mut left,
        guard: _until_ended,
    } = published;
    let mut notes = Vec::new();
    let ended = backend.remember(plan).and_then(|()| {
        // Before the decision goes: who dies here leaves it to whoever recovers the commit.
        if let Some(job) = plan.name().as_ref().and_then(Part::of_commit) {
            let _ = discard_job(backend, &plan.scope, &job);
        }
        backend.end(plan, &left)
    });
    match ended {
        Ok(more) => left.extend(more),
        // All of it is published. Whoever recovers it must know that it is still there.
        Err(error) if recovering => {
            return Err(Error::NotRemoved {
                path: backend.place(plan.transaction),
                source: io::Error::other(error),
            });
        }
        Err(error) => {
            let is_gone = matches!(backend.decision(plan.transaction), Ok(None));
            if let Some(name) = plan.name().filter(|_| is_gone)
                && matches!(backend.recall(&plan.scope, &name), Ok(None))
            {
                notes.push(Note::NameNotKept { write_id: name.id });
            }
            left.push(error);
        }
    }
    for note in left.iter().map(Note::leftover) {
        // Publishing and ending may report the same file.
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    Ok(notes)
}

/// Removes all that is staged for a job, of a stream of jobs also for earlier ones, as far as it can be.
///
/// # Errors
/// The first that was in the way; the rest is removed all the same.
pub(crate) fn discard_job(backend: &dyn Backend, scope: &Path, job: &Part) -> Result<()> {
    let waiting = backend.waiting()?.into_iter();
    let of_job = waiting.filter(|waiting| {
        let record = &waiting.record;
        record.scope == scope && record.part().ends_with(job)
    });
    of_job
        .map(|waiting| backend.discard(waiting.transaction))
        .fold(Ok(()), Result::and)
}
