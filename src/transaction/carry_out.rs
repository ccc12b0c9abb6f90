//! Carrying a decision out, by its writer or by whoever recovers it.

use std::io;

use crate::backend::{Backend, Published};
use crate::error::{Error, Result};
use crate::options::Durability;
use crate::receipt::Note;
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
    match backend.end(plan, &left) {
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
            if let Some(write_id) = plan.write_id.clone().filter(|_| is_gone)
                && matches!(backend.recall(&plan.scope, &write_id), Ok(None))
            {
                notes.push(Note::NameNotKept { write_id });
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
