//! Which transactions are alive: each has a `lease`, on which its writer holds a lock.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::time::Duration;

use uuid::Uuid;

use super::check::{DESCRIPTORS, check_descriptors};
use super::{ATTEMPTS, DECISION, LocalBackend, NEW, RECEIPT, REPLACED, STAGED, unless_gone};
use crate::backend::{Backend as _, Guard, Taken};
use crate::disk::{Entry, EntryKind};
use crate::error::{Error, IoContext, Result, Step};
use crate::staging::{SCRATCH, claim, is_dead};

const LEASE: &str = "lease";
/// How often a writer shows that it is alive: many times before it would be taken for dead.
const SIGN_OF_LIFE: Duration = Duration::from_secs(10 * 60);

impl LocalBackend {
    /// Makes the directory of a transaction, with a lease that we hold.
    pub(super) fn begin(&self) -> Result<(Uuid, Guard)> {
        check_descriptors(self.disk.as_ref(), &self.root, DESCRIPTORS)?;
        for _ in 0..ATTEMPTS {
            let id = Uuid::now_v7();
            match self.try_to_make(id) {
                Ok(Some(lease)) => {
                    self.note_own(id);
                    return Ok((id, lease));
                }
                Ok(None) => {}
                Err(error) => {
                    // Also what is there although the call that made it failed.
                    let directory = self.place(id);
                    let _ = self.disk.remove_file(&directory.join(LEASE));
                    let _ = self.disk.remove_directory(&directory);
                    self.area.tidy();
                    return Err(error);
                }
            }
        }
        Err(io::Error::from(io::ErrorKind::NotFound)).at(Step::CreateStaging, self.area.path())
    }

    /// Makes the directory and takes the lease; `None` if somebody removed one of them before the lease was ours.
    fn try_to_make(&self, id: Uuid) -> Result<Option<Guard>> {
        let disk = self.disk.as_ref();
        let directory = self.place(id);
        let lease = directory.join(LEASE);
        match disk.create_directory(&directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.area.make_again()?;
                return Ok(None);
            }
            made => made.at(Step::CreateStaging, &directory)?,
        }
        // Now that something is in it, nobody can put another in its place.
        self.area
            .check_usable()
            .at(Step::CreateStaging, self.area.path())?;
        // Others who share the data set may have to finish what is staged here.
        let _ = disk.copy_group_and_mode(&directory, &self.root);
        let file = match disk.open_or_create_file(&lease) {
            // Swept while it was empty.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            made => made.at(Step::CreateStaging, &lease)?,
        };
        // Root makes it for the owner.
        let _ = disk.copy_group_and_mode(&lease, &self.root);
        let claimed = claim(disk, &lease, file.as_ref());
        let ours = claimed.at(Step::CreateStaging, &lease)?.is_some();
        Ok(ours.then(|| Box::new(file) as Guard))
    }

    /// Takes the lease of a transaction if its writer is dead.
    pub(super) fn take(&self, transaction: Uuid) -> Result<Taken> {
        let directory = self.place(transaction);
        let lease = directory.join(LEASE);
        let reading = |source| Error::Read {
            path: lease.clone(),
            source,
        };
        match self.disk.status(&lease).map_err(reading)? {
            None | Some((EntryKind::File, _)) => {}
            // Nobody holds what cannot be locked; somebody has put it there.
            Some(_) => return Ok(Taken::Ours(Box::new(()))),
        }
        let opened = match self.disk.open_file(&lease, true) {
            // Another user's: reading is enough to lock it.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                self.disk.open_file(&lease, false)
            }
            opened => opened,
        };
        let file = match opened {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // Being made, being removed, or robbed of its lease by a crash.
                return match self.disk.remove_directory(&directory) {
                    Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
                        if self.disk.status(&lease).map_err(reading)?.is_some() {
                            self.take(transaction)
                        } else if self.is_ours(&directory).map_err(reading)? {
                            Ok(Taken::Ours(Box::new(())))
                        } else {
                            Ok(Taken::Gone)
                        }
                    }
                    _ => Ok(Taken::Gone),
                };
            }
            Err(error) => return Err(self.unopened(&lease, error)?),
        };
        if !is_dead(self.disk.as_ref(), &lease, file.as_ref()).map_err(reading)? {
            return Ok(Taken::Alive);
        }
        // It may have been finished between opening and locking.
        match self.disk.status(&lease).map_err(reading)? {
            Some(_) => Ok(Taken::Ours(Box::new(file))),
            None => Ok(Taken::Gone),
        }
    }

    /// Writes to the lease from time to time, which shows that its writer is alive where locks are not trusted.
    pub(super) fn keep_alive(&self, transaction: Uuid) -> Result<()> {
        let now = self.disk.now();
        match self.own().get_mut(&transaction) {
            Some(own) if now.duration_since(own.alive).unwrap_or_default() >= SIGN_OF_LIFE => {
                own.alive = now;
            }
            _ => return Ok(()),
        }
        let lease = self.place(transaction).join(LEASE);
        let touched = self
            .disk
            .open_file(&lease, true)
            .and_then(|mut file| file.write(b" "));
        match touched {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Error::Aborted {
                path: self.place(transaction),
            }),
            touched => touched.map(drop).at(Step::WriteRows, &lease),
        }
    }

    /// Whether a directory holds only what a transaction's directory can hold. Before the decision there are no
    /// directories in it but those of adopted transactions.
    pub(super) fn is_transaction(&self, directory: &Path, decided: bool) -> io::Result<bool> {
        for entry in unless_gone(self.disk.list(directory))?.unwrap_or_default() {
            let is_id = || {
                let name = entry.path.file_name().and_then(OsStr::to_str);
                name.is_some_and(|name| Uuid::try_parse(name).is_ok())
            };
            let is_it = match entry.kind {
                EntryKind::File if entry.path.ends_with(LEASE) => true,
                EntryKind::Directory if is_id() => self.is_transaction(&entry.path, false)?,
                EntryKind::Directory => decided && is_known(&entry),
                _ => is_known(&entry),
            };
            if !is_it {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether a directory without a lease is that of a transaction: a user may have named a directory of his own as
    /// staging area.
    fn is_ours(&self, directory: &Path) -> io::Result<bool> {
        Ok(self.disk.list(directory)?.iter().all(is_known))
    }
}

/// Whether something has a name and kind that is found in the directory of a transaction, besides the lease.
fn is_known(entry: &Entry) -> bool {
    let stem = entry.path.file_stem().and_then(OsStr::to_str);
    let end = entry.path.extension().and_then(OsStr::to_str);
    let (stem, end) = (stem.unwrap_or_default(), end.unwrap_or_default());
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_id = |text: &str| Uuid::try_parse(text).is_ok();
    match (entry.kind, end) {
        (EntryKind::Directory, "") => {
            is_id(stem)
                || stem.strip_prefix("new-").is_some_and(is_number)
                || ["new", RECEIPT].contains(&stem)
        }
        (EntryKind::File, "staged") => is_number(stem) || is_id(stem),
        (EntryKind::File, SCRATCH) => is_number(stem),
        (EntryKind::File, NEW) => is_id(stem),
        (EntryKind::File, _) => {
            let records = [DECISION, STAGED, REPLACED];
            records.iter().any(|name| entry.path.ends_with(name))
        }
        _ => false,
    }
}
