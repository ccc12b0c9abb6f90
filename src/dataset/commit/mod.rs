//! From staged files to a commit and its receipt, whoever staged them.
//!
//! Owns a write's session with its transaction, and the look at what is in the data set already. The order of steps
//! is the transaction's.

pub(super) mod jobs;
mod null_columns;
mod parts;
pub(super) mod session;
pub(super) mod staged_writes;
pub(super) mod surroundings;
pub(super) mod waiting;

use std::path::PathBuf;
use std::sync::Arc;

use uuid::Uuid;

use crate::dataset::builder::DatasetWriterBuilder;
use crate::error::{Error, Result, Step};
use crate::meter::Work;
use crate::options::{Durability, Interrupt};
use crate::receipt::{CommitMode, Metrics, Note, Part, Receipt, StagedFileRecord, WriteName};
use crate::record::Layout;
use crate::recover::{RecoverOptions, recover_with_options};
use crate::trace;
use crate::transaction::{ConflictCheck, StagedName, Target, Transaction};
use surroundings::Looked;

/// Commits what is staged in a transaction, after a look at what is there.
pub(super) fn commit(
    mut transaction: Transaction,
    conflicts: &ConflictCheck,
    files: Vec<StagedFileRecord>,
    (name, success_file): (Option<&WriteName>, bool),
    looked: Looked,
    interrupt: &Interrupt,
) -> Result<Receipt> {
    let Looked {
        mut notes,
        again,
        schema,
        ..
    } = looked;
    if again.is_some() {
        transaction.exclude_others();
    }
    if success_file {
        transaction.make_success_file();
    }
    let staged = |file: &StagedFileRecord| StagedName {
        staged: file.staged().into(),
        directory: conflicts.directory(file.file().partition()),
        name: file.file().name().to_owned(),
    };
    let staged: Vec<StagedName> = files.iter().map(staged).collect();
    let (id, backend) = (transaction.id(), transaction.backend());
    let root = backend.root();
    let receipt = |layout: &Layout| {
        interrupt.check(Step::Decide, root)?;
        if let Some(again) = again {
            notes.extend(again.look()?);
        }
        let files = files.into_iter().map(StagedFileRecord::into_file).collect();
        let exchanged = layout.exchanges.iter().flat_map(|exchange| {
            let removed = exchange.removed.iter();
            removed.map(|path| exchange.path.join(path))
        });
        let removed = exchanged.chain(layout.removed.iter().map(|removal| removal.path.clone()));
        let below_scope = |path: PathBuf| match path.strip_prefix(conflicts.scope()) {
            Ok(below) => below.to_owned(),
            Err(_) => path,
        };
        let removed = removed.map(below_scope);
        let mut receipt = Receipt::new(id, conflicts.mode(), files)?.with_removed(removed)?;
        if let Some(name) = name {
            receipt = receipt.with_name(name)?;
        }
        Ok(match schema {
            Some(schema) => receipt.with_schema(schema),
            None => receipt,
        })
    };
    let meter = transaction.meter();
    let commit = || transaction.commit(conflicts, staged, name, receipt);
    let Some(receipt) = meter.measure(Work::Publish, commit)? else {
        return ignored(id, conflicts.mode());
    };
    if receipt.transaction() != id {
        trace::recalled(receipt.transaction());
        return Ok(receipt);
    }
    let receipt = receipt.with_notes(notes).with_metrics(Metrics::of(&meter));
    let totals = receipt.totals();
    trace::committed(id, (totals.files, totals.rows, totals.bytes));
    tell_notes(&receipt);
    Ok(receipt)
}

/// The receipt of a write that is ignored because the data set has files.
pub(super) fn ignored(transaction: Uuid, mode: CommitMode) -> Result<Receipt> {
    let receipt = Receipt::new(transaction, mode, Vec::new())?;
    let receipt = receipt.with_notes(vec![Note::Ignored]);
    tell_notes(&receipt);
    Ok(receipt)
}

fn tell_notes(receipt: &Receipt) {
    for note in receipt.notes() {
        trace::noted(note.kind(), note);
    }
}

/// See [`DatasetWriterBuilder::already_committed`].
pub(super) fn already_committed(builder: &DatasetWriterBuilder) -> Result<Option<Receipt>> {
    let staging = &builder.staging;
    let name = name(builder.write_id.as_deref(), builder.part.sequence)?;
    let Some(name) = name.or_else(|| builder.part.name_of_commit()) else {
        return Ok(None);
    };
    check_durable(builder.engine.durability)?;
    let options = RecoverOptions::new()
        .staging(staging.clone())
        .interrupted_by(builder.engine.interrupt.clone())
        .on(Arc::clone(&builder.disk))
        .of_store(builder.object_store.clone());
    // What it cannot recover it says, and this need not.
    recover_with_options(&builder.root, &options)?;
    let target = Target {
        root: &builder.locate()?,
        staging,
        interrupt: &builder.engine.interrupt,
        rewrite_missing: builder.rewrite_missing,
        sync: builder.engine.sync,
    };
    let backend = target.find()?;
    let receipt = backend.recall(backend.scope(), &name)?;
    if let Some(receipt) = &receipt {
        trace::recalled(receipt.transaction());
    }
    Ok(receipt)
}

/// The name of a write, as its caller gives it.
///
/// # Errors
/// [`Error::InvalidOption`] if there can be no such name, or it is one that the commits of [jobs] have.
pub(super) fn name(write_id: Option<&str>, sequence: Option<u64>) -> Result<Option<WriteName>> {
    let Some(write_id) = write_id else {
        return Ok(None);
    };
    let invalid = |reason| Error::InvalidOption {
        option: "write_id",
        reason,
    };
    if write_id.starts_with(Part::COMMIT) {
        return Err(invalid(format!(
            "{write_id:?} is the name of the commit of a job: take another"
        )));
    }
    let name = WriteName::new(write_id, sequence);
    let none = Receipt::new(Uuid::nil(), CommitMode::default(), Vec::new());
    match none.and_then(|receipt| receipt.with_name(&name)) {
        Ok(_) => Ok(Some(name)),
        Err(error) => Err(invalid(error.to_string())),
    }
}

/// Refuses a number in a stream that nothing names.
pub(super) fn check_sequence(sequence: Option<u64>, is_named: bool) -> Result<()> {
    match sequence {
        Some(_) if !is_named => Err(Error::InvalidOption {
            option: "sequence",
            reason: "is the number in a stream, which write_id or job names".to_owned(),
        }),
        _ => Ok(()),
    }
}

/// Refuses to remember a write that a power cut could take.
pub(super) fn check_durable(durability: Durability) -> Result<()> {
    match durability {
        Durability::Unsynced => Err(Error::InvalidOption {
            option: "write_id",
            reason: "is remembered, and a power cut could take what was not synced".to_owned(),
        }),
        Durability::Synced => Ok(()),
    }
}
