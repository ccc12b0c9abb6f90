//! Other users of a directory, who leave a record, an area or a file in the way of root: each check of whose
//! something is taken away from the disk, and what comes of it must then show.
//!
//! Owners are real, which the simulated disk does not have. It takes root.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use atomic_arrow::disk::tap::{Call, Tap, Verb, Verdict, Watch};
use atomic_arrow::disk::{Disk, FileStatus, OsDisk};
use atomic_arrow::{AtomicFile, FileOptions, RecoverOptions, recover_with_options};
use serde_json::json;
use tempfile::TempDir;

use crate::Wrong;

const STRANGER: u32 = 20_001;
const TRANSACTION: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

/// What is taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    Nothing,
    /// The question what another user could do himself.
    Rights,
    /// Whom things belong to.
    Owners,
}

#[derive(Debug)]
struct Without(Taken);

impl Watch for Without {
    fn known(&self, _path: &Path, status: FileStatus) -> FileStatus {
        match self.0 {
            Taken::Owners => FileStatus {
                owner: None,
                ..status
            },
            Taken::Nothing | Taken::Rights => status,
        }
    }

    fn trusts_everybody(&self) -> bool {
        self.0 != Taken::Nothing
    }
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

type Play = fn(&Path, Taken) -> Result<Option<String>, io::Error>;

/// What is taken away, and who noticed; nothing where this is not root.
///
/// # Errors
/// If something cannot be played, or harm is done with nothing taken away.
pub fn all() -> Result<Vec<(String, Option<Wrong>)>, Wrong> {
    if !rustix::process::geteuid().is_root() {
        return Ok(Vec::new());
    }
    let plays: [(&str, Taken, Play); 4] = [
        (
            "the question what the author of a record could do himself",
            Taken::Rights,
            record,
        ),
        ("the look at whose a record is", Taken::Owners, record),
        (
            "the look at whose an area in a sticky directory is",
            Taken::Owners,
            area,
        ),
        (
            "the look at whose the published file is",
            Taken::Owners,
            file,
        ),
    ];
    let mut found = Vec::new();
    for (name, taken, play) in plays {
        let harm = |taken| -> Result<Option<String>, Wrong> {
            let directory = TempDir::new().map_err(|error| Wrong(format!("{name}: {error}")))?;
            let top = directory.path().canonicalize();
            let played = top.and_then(|top| play(&top, taken));
            played.map_err(|error| Wrong(format!("{name}: {error}")))
        };
        if let Some(harm) = harm(Taken::Nothing)? {
            return Err(Wrong(format!("{name} is there, and {harm}")));
        }
        found.push((name.to_owned(), harm(taken)?.map(Wrong)));
    }
    Ok(found)
}

fn disk(taken: Taken) -> Arc<dyn Disk> {
    Tap::on(Arc::new(OsDisk), Arc::new(Without(taken)))
}

/// A directory of this user with these permissions.
fn make(path: &Path, user: u32, bits: u32) -> io::Result<PathBuf> {
    fs::create_dir_all(path)?;
    chown(path, Some(user), Some(user))?;
    fs::set_permissions(path, Permissions::from_mode(bits))?;
    Ok(path.to_owned())
}

fn make_file(path: &Path, user: u32, content: &str) -> io::Result<()> {
    fs::write(path, content)?;
    chown(path, Some(user), Some(user))
}

/// A stranger's decision to replace a partition that he may not write in.
fn record(top: &Path, taken: Taken) -> io::Result<Option<String>> {
    let root = make(&top.join("lake"), 0, 0o755)?;
    let partition = make(&root.join("k=A"), 0, 0o755)?;
    make_file(&partition.join("old.parquet"), 0, "old")?;
    let area = make(&top.join(".lake.atomic"), 0, 0o777)?;
    let transaction = make(&area.join(TRANSACTION), STRANGER, 0o755)?;
    let new = make(&transaction.join("new-00000"), STRANGER, 0o755)?;
    make_file(&new.join("evil.parquet"), STRANGER, "evil")?;
    make_file(&transaction.join("lease"), STRANGER, "")?;
    let totals = json!({"files": 0, "partitions": 0, "rows": 0, "bytes": 0, "removed": 0});
    let record = json!({
        "decision": "committed", "version": 1, "transaction": TRANSACTION, "root": null, "scope": "",
        "write_id": null, "arrangement": [], "files": [],
        "exchanges": [{"staged": "new-00000", "path": "k=A", "witness": "evil.parquet",
            "files": ["evil.parquet"], "removed": ["old.parquet"]}],
        "receipt": {"version": 1, "transaction": TRANSACTION, "write_id": null, "mode": "append",
            "totals": totals, "files": [], "removed": []},
    });
    let record = record.to_string();
    make_file(&transaction.join("decision.record"), STRANGER, &record)?;
    let options = RecoverOptions::new().disk(disk(taken));
    // What it says of it is in other tests.
    drop(recover_with_options(&root, &options));
    let evil = partition.join("evil.parquet").exists();
    Ok(evil.then(|| "a stranger's decision was carried out".to_owned()))
}

fn write(path: &Path, disk: Arc<dyn Disk>) -> Result<(), atomic_arrow::Error> {
    let mut file = AtomicFile::create_with_options(path, FileOptions::new().disk(disk))?;
    let written = io::Write::write_all(&mut file, b"good");
    written.map_err(|source| atomic_arrow::Error::Read {
        path: path.to_owned(),
        source,
    })?;
    file.commit().map(drop)
}

/// An area of a stranger, where everybody may make files.
fn area(top: &Path, taken: Taken) -> io::Result<Option<String>> {
    #[derive(Debug)]
    struct Staged(Arc<std::sync::Mutex<Vec<PathBuf>>>);
    impl Watch for Staged {
        fn after(&self, call: &Call) -> Option<i32> {
            if call.verb == Verb::CreateFile
                && let Ok(mut paths) = self.0.lock()
            {
                paths.push(call.path.clone());
            }
            None
        }
    }
    let root = make(&top.join("all"), 0, 0o1777)?;
    make(&root.join("k=A"), 0, 0o1777)?;
    let theirs = make(&top.join(".all.atomic"), STRANGER, 0o1777)?;
    let paths = Arc::default();
    let disk = Tap::on(disk(taken), Arc::new(Staged(Arc::clone(&paths))));
    let done = write(&root.join("k=A/file"), disk);
    done.map_err(|error| io::Error::other(format!("{error:?}")))?;
    let paths = paths.lock().map(|paths| paths.clone()).unwrap_or_default();
    let there = paths.iter().any(|path| path.starts_with(&theirs));
    Ok(there.then(|| "something is staged where a stranger can exchange it".to_owned()))
}

/// A stranger's file in the place of what was verified.
fn file(top: &Path, taken: Taken) -> io::Result<Option<String>> {
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
