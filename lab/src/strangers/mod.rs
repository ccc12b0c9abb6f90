//! Other users of a directory, who leave a record, an area, a marker or a file in the way of root: each check on
//! ground that others share is taken away from the disk, and what comes of it must then show.
//!
//! Owners, access control lists and mounts are real, which the simulated disk does not have. It takes root.

mod control;
mod records;
mod removal;
mod scene;

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use atomic_arrow::disk::tap::{Call, Tap, Trust, Verb, Watch};
use atomic_arrow::disk::{Disk, EntryKind, FileStatus, Identity, OsDisk, Place};
use tempfile::TempDir;

use crate::Wrong;
use crate::cuts::run;

/// The check that is taken away from the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    Nothing,
    /// The question what another user could do himself.
    Rights,
    /// That of a sticky directory only the owner of a name removes it.
    Sticky,
    /// The question whether somebody is of a group, and what it may do beside an access control list.
    Membership,
    /// The question who else can change a directory.
    Others,
    /// The owners of files and directories.
    Owners,
    /// The identity of the lock.
    LockIdentity,
    /// The fingerprint that tells a replaced file from a later one at the same path.
    Fingerprint,
    /// The borders of mounts.
    Mounts,
    /// The kinds of files that are not regular.
    Kinds,
    /// Access control lists, where something is to be shared as the data set is.
    Lists,
}

#[derive(Debug)]
struct Without(Taken);

impl Watch for Without {
    fn known(&self, path: &Path, status: FileStatus) -> FileStatus {
        match self.0 {
            Taken::Owners => FileStatus {
                owner: None,
                ..status
            },
            Taken::LockIdentity if path.ends_with("lock") => FileStatus {
                identity: Identity {
                    device: 1,
                    file: 1,
                    born: None,
                },
                ..status
            },
            Taken::Fingerprint if path.ends_with(scene::OLD) => FileStatus {
                identity: Identity {
                    device: status.identity.device,
                    file: 1,
                    born: None,
                },
                len: 0,
                modified: SystemTime::UNIX_EPOCH,
                ..status
            },
            _ => status,
        }
    }

    fn kind(&self, path: &Path, kind: EntryKind) -> EntryKind {
        let is_file = |path: &Path| {
            path.ends_with("lease") || path.extension().is_some_and(|end| end == "staged")
        };
        match self.0 == Taken::Kinds && is_file(path) {
            true => EntryKind::File,
            false => kind,
        }
    }

    fn placed(&self, _path: &Path, place: Place) -> Place {
        match self.0 {
            Taken::Mounts => Place {
                mount_root: false,
                mount: None,
                ..place
            },
            _ => place,
        }
    }

    fn trusts(&self, question: Trust<'_>, disk: &dyn Disk) -> io::Result<bool> {
        match (self.0, question) {
            (Taken::Rights | Taken::Owners, _)
            | (Taken::Others, Trust::OnlyWritersCanChange(..)) => Ok(true),
            (
                Taken::Sticky,
                Trust::CouldChange {
                    user,
                    by,
                    directory,
                    ..
                },
            ) => disk.could_change(user, by, directory, None),
            (Taken::Membership, Trust::CouldChange { directory, .. }) => {
                const GROUP_CHANGES: u32 = 0o030;
                let found = disk.status(directory)?;
                let all_of_group =
                    found.is_some_and(|(_, found)| found.mode & GROUP_CHANGES == GROUP_CHANGES);
                Ok(all_of_group || question.ask(disk)?)
            }
            _ => question.ask(disk),
        }
    }

    fn after(&self, call: &Call) -> Option<i32> {
        // Who can change the control directory is looked at each time.
        let is_control = call.path.iter().any(|name| name == ".atomic");
        if self.0 == Taken::Lists && call.verb == Verb::CopyPermissions && !is_control {
            let bits = if call.path.is_dir() { 0o755 } else { 0o644 };
            let shared = rustix::fs::removexattr(&call.path, scene::ACCESS_LIST)
                .map_err(io::Error::from)
                .and_then(|()| fs::set_permissions(&call.path, Permissions::from_mode(bits)));
            // What has no list is shared as it was.
            drop(shared);
        }
        None
    }
}

fn disk(taken: Taken) -> Arc<dyn Disk> {
    Tap::on(Arc::new(OsDisk), Arc::new(Without(taken)))
}

/// Says what harm is done in a directory without what is taken away, if any is.
type Play = fn(&Path, Taken) -> io::Result<Option<String>>;

const PLAYS: [(&str, Taken, Play); 23] = [
    (
        "the question what the author of a record could do himself",
        Taken::Rights,
        records::replacing,
    ),
    (
        "the look at whose a record is",
        Taken::Owners,
        records::replacing,
    ),
    (
        "the question who removes what is in a sticky directory, of the author of a record",
        Taken::Sticky,
        records::sticky,
    ),
    (
        "the question whether the author of a record is of a group that was passed on to what he made",
        Taken::Membership,
        records::passed_on,
    ),
    (
        "the difference between the mask of an access control list and what the group may do",
        Taken::Membership,
        records::mask,
    ),
    (
        "the look at what kind of thing a lease is",
        Taken::Kinds,
        records::lease,
    ),
    (
        "the look at whose a closed transaction is",
        Taken::Owners,
        records::closed,
    ),
    (
        "the question whether who staged something could commit it himself",
        Taken::Rights,
        records::staged_where_closed,
    ),
    (
        "the look at what kind of thing another has staged",
        Taken::Kinds,
        records::staged_directory,
    ),
    (
        "the access control list of a data set, where its receipts are kept",
        Taken::Lists,
        records::receipt,
    ),
    (
        "the question whether the owner of a marker may write",
        Taken::Rights,
        control::marker,
    ),
    (
        "the look at whose a marker is",
        Taken::Owners,
        control::marker,
    ),
    (
        "the question whether the owner of a marker could change the area that it names",
        Taken::Rights,
        control::area_of_marker,
    ),
    (
        "the question who else can change the control directory",
        Taken::Others,
        control::directory,
    ),
    (
        "the look at which file the lock is",
        Taken::LockIdentity,
        control::lock,
    ),
    (
        "the look for a mount in what is removed of a dead transaction",
        Taken::Mounts,
        removal::mount_in_dead,
    ),
    (
        "the look for a mount where files are removed that were replaced",
        Taken::Mounts,
        removal::mount_below,
    ),
    (
        "the question whether who left a transaction could remove what is in it",
        Taken::Rights,
        removal::moved,
    ),
    (
        "the question who could have moved something into what another left",
        Taken::Others,
        removal::moved_deeper,
    ),
    (
        "the look at which file it was that is left of a partition that was replaced",
        Taken::Fingerprint,
        removal::written_since,
    ),
    (
        "the look at whose an area in a sticky directory is",
        Taken::Owners,
        control::area_of_stranger,
    ),
    (
        "the look at whose the published file is",
        Taken::Owners,
        records::published,
    ),
    (
        "the question whether the owner of an area is trusted",
        Taken::Rights,
        control::area_of_reader,
    ),
];

/// Takes each check away; returns for each what noticed it, and nothing where this is not root.
///
/// # Errors
/// If something cannot be played, or harm is done with nothing taken away.
pub fn all() -> Result<Vec<(String, Option<Wrong>)>, Wrong> {
    if !rustix::process::geteuid().is_root() {
        return Ok(Vec::new());
    }
    let mounts = run("unshare", ["--mount", "--propagation", "private", "true"]).is_ok();
    let mut found = Vec::new();
    for (name, taken, play) in PLAYS {
        if taken == Taken::Mounts && !mounts {
            continue;
        }
        let harm = |taken| -> Result<Option<String>, Wrong> {
            let wrong = |error: io::Error| Wrong(format!("{name}: {error}"));
            let directory = TempDir::new().map_err(wrong)?;
            let open = Permissions::from_mode(0o755);
            fs::set_permissions(directory.path(), open).map_err(wrong)?;
            let top = directory.path().canonicalize().map_err(wrong)?;
            play(&top, taken).map_err(wrong)
        };
        if let Some(harm) = harm(Taken::Nothing)? {
            return Err(Wrong(format!("{name} is there, and {harm}")));
        }
        found.push((name.to_owned(), harm(taken)?.map(Wrong)));
    }
    Ok(found)
}
