//! From staged files to a commit and its receipt, whoever staged them.

use std::path::PathBuf;

use uuid::Uuid;

use super::Interrupt;
use crate::error::{Error, Result, Step};
use crate::receipt::{Receipt, ReceiptError, StagedFileRecord};
use crate::transaction::{Layout, StagedName, Transaction, Witnessed};

/// Commits what is staged in a transaction.
pub(super) fn commit(
    transaction: Transaction,
    witnessed: &Witnessed,
    files: Vec<StagedFileRecord>,
    write_id: Option<&str>,
    interrupt: &Interrupt,
) -> Result<Receipt> {
    let staged = |file: &StagedFileRecord| StagedName {
        staged: file.staged().into(),
        directory: witnessed.directory(file.file().partition()),
        name: file.file().name().to_owned(),
    };
    let staged: Vec<StagedName> = files.iter().map(staged).collect();
    let (id, target) = (transaction.id(), transaction.target());
    let root = target.root();
    let receipt = |layout: &Layout| {
        interrupt.check(Step::Decide, root)?;
        let files = files.into_iter().map(StagedFileRecord::into_file).collect();
        let exchanged = layout.exchanges.iter().flat_map(|exchange| {
            let removed = exchange.removed.iter();
            removed.map(|path| exchange.path.join(path))
        });
        let removed = exchanged.chain(layout.removed.iter().cloned());
        let below_scope = |path: PathBuf| match path.strip_prefix(witnessed.scope()) {
            Ok(below) => below.to_owned(),
            Err(_) => path,
        };
        let removed = removed.map(below_scope);
        Receipt::new(id, witnessed.mode(), files)
            .and_then(|receipt| receipt.with_removed(removed))
            .and_then(|receipt| match write_id {
                Some(write_id) => receipt.with_write_id(write_id),
                None => Ok(receipt),
            })
            .map_err(invalid_receipt)
    };
    transaction.commit(witnessed, &staged, write_id, receipt)
}

pub(super) fn check_write_id(write_id: Option<&str>) -> Result<()> {
    let Some(write_id) = write_id else {
        return Ok(());
    };
    let none = Receipt::new(Uuid::nil(), Default::default(), Vec::new());
    none.and_then(|receipt| receipt.with_write_id(write_id))
        .map(drop)
        .map_err(|error| Error::InvalidOption {
            option: "write_id",
            reason: error.to_string(),
        })
}

pub(super) fn invalid_receipt(error: ReceiptError) -> Error {
    Error::InvalidOption {
        option: "receipt",
        reason: error.to_string(),
    }
}
