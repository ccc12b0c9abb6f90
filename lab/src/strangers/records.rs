//! Records, leases and receipts that others leave, or should not read.

use std::fs;
use std::io;
use std::os::unix::fs::chown;
use std::path::Path;
use std::sync::Arc;

use atomic_arrow::disk::tap::{Call, Tap, Verb, Verdict, Watch};
use atomic_arrow::{CommitMode, Error, Outcome, StagedWrites};
use serde_json::{Value, json};

use super::scene::{
    GROUP, OLD, OTHER_GROUP, READER, STRANGER, TRANSACTION, commit, decision, failed, is_stopped,
    leave, make, make_file, recover, set_list, staged, write,
};
use super::{Taken, disk};
use crate::cuts::run;

const EACCES: i32 = 13;
const ROOT: (u32, u32) = (0, 0);

/// A stranger's decision to replace a partition; `group` is that of what he leaves.
fn replaces(top: &Path, taken: Taken, area: (u32, u32), group: u32) -> io::Result<Option<String>> {
    let root = top.join("lake");
    let partition = root.join("k=A");
    make_file(&partition.join(OLD), 0, "old")?;
    let (area_group, bits) = area;
    let area = make(&top.join(".lake.atomic"), (0, area_group), bits)?;
    let transaction = leave(&area, (STRANGER, group), 0o755)?;
    let new = make(&transaction.join("new-00000"), (STRANGER, group), 0o755)?;
    make_file(&new.join("evil.parquet"), STRANGER, "evil")?;
    let record = decision(Some(("new-00000", "k=A")));
    make_file(&transaction.join("decision.record"), STRANGER, &record)?;
    recover(&root, taken)?;
    let evil = partition.join("evil.parquet").exists();
    Ok(evil.then(|| "a stranger's decision was carried out".to_owned()))
}

/// A stranger, who may not write in the partition, replaces it.
pub(super) fn replacing(top: &Path, taken: Taken) -> io::Result<Option<String>> {
    let root = make(&top.join("lake"), ROOT, 0o755)?;
    make(&root.join("k=A"), ROOT, 0o755)?;
    replaces(top, taken, (0, 0o777), STRANGER)
}

/// A stranger may make files in the partition, and not remove those of others.
pub(super) fn sticky(top: &Path, taken: Taken) -> io::Result<Option<String>> {
    let root = make(&top.join("lake"), ROOT, 0o777)?;
    make(&root.join("k=A"), ROOT, 0o1777)?;
    replaces(top, taken, (0, 0o777), STRANGER)
}

/// The partition is another group's, which a directory passed on to what he has made.
pub(super) fn passed_on(top: &Path, taken: Taken) -> io::Result<Option<String>> {
    let root = make(&top.join("lake"), (0, GROUP), 0o2775)?;
    make(&root.join("k=A"), (0, OTHER_GROUP), 0o2775)?;
    replaces(top, taken, (GROUP, 0o2775), OTHER_GROUP)
}

/// A stranger is of the group, which may not write in the partition, where an access control list lets another do so.
pub(super) fn mask(top: &Path, taken: Taken) -> io::Result<Option<String>> {
    let root = make(&top.join("lake"), (0, GROUP), 0o2775)?;
    let partition = make(&root.join("k=A"), (0, GROUP), 0o2775)?;
    set_list(&partition, 5, (READER, 7))?;
    replaces(top, taken, (GROUP, 0o2775), GROUP)
}

/// A data set for everybody, and what a stranger left in its area.
fn for_everybody(top: &Path) -> io::Result<(std::path::PathBuf, std::path::PathBuf)> {
    let root = make(&top.join("lake"), ROOT, 0o777)?;
    let area = make(&top.join(".lake.atomic"), ROOT, 0o777)?;
    let transaction = leave(&area, (STRANGER, STRANGER), 0o755)?;
    let record = transaction.join("decision.record");
    make_file(&record, STRANGER, &decision(None))?;
    Ok((root, transaction))
}

/// A stranger's lease is a directory.
pub(super) fn lease(top: &Path, taken: Taken) -> io::Result<Option<String>> {
    let (root, transaction) = for_everybody(top)?;
    fs::remove_file(transaction.join("lease"))?;
    make(&transaction.join("lease"), (STRANGER, STRANGER), 0o755)?;
    Ok(is_stopped(&root, taken))
}

/// A disk that does not open a stranger's record, since he has closed it.
#[derive(Debug)]
struct Closed;

impl Watch for Closed {
    fn before(&self, call: &Call) -> Verdict {
        let its = call.path.ends_with("decision.record")
            && call
                .path
                .parent()
                .is_some_and(|above| above.ends_with(TRANSACTION));
        match its && call.verb == Verb::OpenFile {
            true => Verdict::Fail(EACCES),
            false => Verdict::Pass,
        }
    }
}

/// A stranger closes what he has decided. To root nothing is closed, so the disk says so.
pub(super) fn closed(top: &Path, taken: Taken) -> io::Result<Option<String>> {
    let (root, _) = for_everybody(top)?;
    let disk = Tap::on(disk(taken), Arc::new(Closed));
    let write = ("B", CommitMode::Append);
    let told = commit(&root, disk, write, super::scene::as_usual);
    Ok(told
        .err()
        .map(|error| format!("a writer is stopped: {error:?}")))
}

/// What a stranger has staged for a partition that is closed to him.
pub(super) fn staged_where_closed(top: &Path, taken: Taken) -> io::Result<Option<String>> {
    let root = make(&top.join("lake"), ROOT, 0o755)?;
    let (write, _) = staged(&root)?;
    let told = StagedWrites::new([write]).disk(disk(taken)).commit();
    let done = told.is_ok();
    Ok(done.then(|| "what a stranger staged was committed".to_owned()))
}

/// A directory in the place of a file that a stranger has staged.
pub(super) fn staged_directory(top: &Path, taken: Taken) -> io::Result<Option<String>> {
    let root = make(&top.join("lake"), ROOT, 0o777)?;
    let (write, transaction) = staged(&root)?;
    let file = transaction.join("00000.staged");
    fs::remove_file(&file)?;
    let forged = make(&file, (STRANGER, STRANGER), 0o755)?;
    let record = transaction.join("staged.record");
    let mut forged_record: Value = serde_json::from_slice(&fs::read(&record)?)?;
    forged_record["files"][0]["file"]["bytes"] = json!(fs::metadata(forged)?.len());
    make_file(&record, STRANGER, &forged_record.to_string())?;
    let writes = StagedWrites::new([write]).schema_check(false);
    let told = writes.disk(disk(taken)).commit();
    let refused = told.as_ref().map_err(Error::outcome) == Err(Outcome::NotPublished);
    Ok((!refused).then(|| format!("what is no file was decided upon: {told:?}")))
}

/// An access control list keeps a reader out.
pub(super) fn receipt(top: &Path, taken: Taken) -> io::Result<Option<String>> {
    let root = make(&top.join("lake"), ROOT, 0o755)?;
    set_list(&root, 5, (READER, 0))?;
    let write = ("A", CommitMode::Append);
    commit(&root, disk(taken), write, |builder| {
        builder.write_id("monday")
    })
    .map_err(failed)?;
    let user = READER.to_string();
    for entry in fs::read_dir(top.join(".lake.atomic/writes"))? {
        let path = entry?.path();
        let how = [
            "--reuid",
            &user,
            "--regid",
            &user,
            "--clear-groups",
            "--",
            "cat",
        ];
        let how = how.map(AsRef::as_ref).into_iter().chain([path.as_os_str()]);
        if run("setpriv", how).is_ok() {
            return Ok(Some("whom a list keeps out reads a receipt".to_owned()));
        }
    }
    Ok(None)
}

/// Somebody who puts a file of his own in the place of a staged one, right before it is renamed.
#[derive(Debug)]
struct Swaps;

impl Watch for Swaps {
    fn before(&self, call: &Call) -> Verdict {
        if let (Verb::Rename, Some(from)) = (call.verb, &call.from) {
            let evil = from.with_extension("evil");
            let swapped = fs::write(&evil, "evil")
                .and_then(|()| chown(&evil, Some(STRANGER), None))
                .and_then(|()| fs::rename(&evil, from));
            // What does not come about is noticed.
            drop(swapped);
        }
        Verdict::Pass
    }
}

/// A stranger's file in the place of what was verified.
pub(super) fn published(top: &Path, taken: Taken) -> io::Result<Option<String>> {
    let path = top.join("file");
    let told = write(&path, Tap::on(disk(taken), Arc::new(Swaps)));
    let evil = fs::read(&path).is_ok_and(|content| content == b"evil");
    if !evil {
        return Err(io::Error::other("no file was exchanged"));
    }
    Ok(told
        .is_ok()
        .then(|| "a stranger's file is called published".to_owned()))
}
