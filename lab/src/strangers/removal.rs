//! Things of others that they moved or mounted to where something is removed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use atomic_arrow::disk::tap::{Call, Tap, Verb, Verdict, Watch};
use atomic_arrow::{CommitMode, StagingPlace};

use super::scene::{
    OLD, STRANGER, as_usual, commit, died, earlier, failed, leave, make, make_file, recover,
};
use super::{Taken, disk};
use crate::Wrong;
use crate::cuts::run;

const ROOT: (u32, u32) = (0, 0);

/// Something that is mounted, until it is dropped.
struct Mounted(PathBuf);

impl Mounted {
    fn bind(from: &Path, at: &Path) -> io::Result<Self> {
        let mounted = run(
            "mount",
            ["--bind".as_ref(), from.as_os_str(), at.as_os_str()],
        );
        let mounted = mounted.map_err(|Wrong(what)| io::Error::other(what));
        mounted.map(|()| Mounted(at.to_owned()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // The namespace of the laboratory goes with it.
        let _ = run("umount", ["-l".as_ref(), self.0.as_os_str()]);
    }
}

/// A data set of root, and what somebody left in its area.
fn left(top: &Path, user: u32, bits: u32) -> io::Result<(PathBuf, PathBuf)> {
    let root = make(&top.join("lake"), ROOT, 0o777)?;
    let area = make(&top.join(".lake.atomic"), ROOT, 0o777)?;
    Ok((root, leave(&area, (user, user), bits)?))
}

/// Recovers, and says whether a file of others is gone that was at this path below the area.
fn recovered(root: &Path, taken: Taken, below: &str) -> io::Result<Option<String>> {
    recover(root, taken)?;
    let area = root.with_file_name(".lake.atomic");
    let mut entries = fs::read_dir(area).into_iter().flatten();
    let stays = entries.any(|entry| entry.is_ok_and(|entry| entry.path().join(below).exists()));
    Ok((!stays).then(|| "a file of others was removed".to_owned()))
}

/// A directory of others is mounted in a dead transaction.
pub(super) fn mount_in_dead(top: &Path, taken: Taken) -> io::Result<Option<String>> {
    let (root, transaction) = left(top, 0, 0o755)?;
    // Its removal has begun: it is renamed no more, with what is mounted in it.
    let dead = transaction.with_extension("dead");
    fs::rename(transaction, &dead)?;
    let others = make(&top.join("others"), ROOT, 0o755)?;
    make_file(&others.join("file"), 0, "precious")?;
    let at = make(&dead.join("new-00000"), ROOT, 0o755)?;
    let mounted = Mounted::bind(&others, &at)?;
    recover(&root, taken)?;
    drop(mounted);
    let gone = !others.join("file").exists();
    Ok(gone.then(|| "a file in a mount was removed".to_owned()))
}

/// A partition that is to be emptied is a mount by the time that a dead writer's commit is finished.
pub(super) fn mount_below(top: &Path, taken: Taken) -> io::Result<Option<String>> {
    let root = make(&top.join("lake"), ROOT, 0o755)?;
    earlier(&root)?;
    let at = (Verb::Rename, "decision.record");
    died(&root, ("B", CommitMode::Overwrite), at, |builder| {
        builder.staging(StagingPlace::Inside)
    })?;
    let partition = root.join("k=A");
    let mounted = Mounted::bind(&partition, &partition)?;
    recover(&root, taken)?;
    drop(mounted);
    let gone = fs::read_dir(partition)?.next().is_none();
    Ok(gone.then(|| "a file in a mount was removed".to_owned()))
}

/// A stranger has moved a directory of others, in which he may write, into what he left.
pub(super) fn moved(top: &Path, taken: Taken) -> io::Result<Option<String>> {
    let (root, transaction) = left(top, STRANGER, 0o755)?;
    let theirs = make(&transaction.join("theirs"), ROOT, 0o777)?;
    let private = make(&theirs.join("private"), ROOT, 0o700)?;
    make_file(&private.join("file"), 0, "precious")?;
    recovered(&root, taken, "theirs/private/file")
}

/// A stranger has moved a directory of others into what root left.
pub(super) fn moved_deeper(top: &Path, taken: Taken) -> io::Result<Option<String>> {
    let (root, transaction) = left(top, 0, 0o777)?;
    let theirs = make(&transaction.join("theirs"), ROOT, 0o777)?;
    let private = make(&theirs.join("private"), ROOT, 0o700)?;
    make_file(&private.join("file"), 0, "precious")?;
    recovered(&root, taken, "theirs/private/file")
}

/// A disk that exchanges no directories, and does not remove the old file.
#[derive(Debug)]
struct Keeps;

impl Watch for Keeps {
    fn before(&self, call: &Call) -> Verdict {
        const EACCES: i32 = 13;
        const EOPNOTSUPP: i32 = 95;
        match call.verb {
            Verb::Exchange => Verdict::Fail(EOPNOTSUPP),
            Verb::RemoveFile if call.path.ends_with(OLD) => Verdict::Fail(EACCES),
            _ => Verdict::Pass,
        }
    }
}

/// Somebody writes a file under the name of one that was replaced and could not be removed.
pub(super) fn written_since(top: &Path, taken: Taken) -> io::Result<Option<String>> {
    let root = make(&top.join("lake"), ROOT, 0o777)?;
    let file = make(&root.join("k=A"), ROOT, 0o777)?.join(OLD);
    make_file(&file, 0, "old")?;
    let disk = Tap::on(disk(taken), Arc::new(Keeps));
    let write = ("A", CommitMode::OverwritePartitions);
    commit(&root, disk, write, as_usual).map_err(failed)?;
    fs::remove_file(&file)?;
    make_file(&file, STRANGER, "written since")?;
    recover(&root, taken)?;
    Ok((!file.exists()).then(|| "a file was removed that was written since".to_owned()))
}
