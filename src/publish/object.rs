//! The end of the protocol in an object store: one PUT, or the end of an upload in parts.

use std::io;
use std::path::Path;

use crate::error::{Error, IoContext, Result, Step};
use crate::staging::{Draft, DraftSums};
use crate::store::{Expected, Payload, Store, Swapped};

/// Publishes a finished draft as the object at `path`, if what is there is what is expected, and removes the draft.
///
/// What the store does not answer is found out by looking: each object tells which request wrote it.
///
/// # Errors
/// [`Error::AlreadyExists`] if something else is there than was expected, or nothing; [`Error::Io`] if the store refuses:
/// nothing is published then. [`Error::Unknown`] if it does not tell.
pub(crate) fn publish_object(
    draft: Draft,
    store: &Store,
    path: &Path,
    written: DraftSums,
    expected: Expected,
) -> Result<()> {
    let key = store.key(path)?;
    let file = draft.reopen()?;
    let payload = Payload {
        file: file.as_ref(),
        bytes: written.len,
        hash: written.checksum,
    };
    let unknown = |source| Error::Unknown {
        step: Step::Publish,
        path: path.to_owned(),
        source,
    };
    let version = match store
        .publish(&key, &payload, expected)
        .at(Step::Publish, path)?
    {
        Swapped::Done(version) => version,
        Swapped::Lost | Swapped::Gone => {
            return Err(Error::AlreadyExists {
                path: path.to_owned(),
            });
        }
        Swapped::Unknown(source) => return Err(unknown(source)),
    };
    // The store has acknowledged it; that it cannot be asked now is no error.
    if let Ok(Some(found)) = store.head(&key)
        && found.has_version(&version)
        && found.size != written.len
    {
        return Err(unknown(io::Error::new(
            io::ErrorKind::InvalidData,
            format!(
                "the object has {} bytes, and not {}",
                found.size, written.len
            ),
        )));
    }
    Ok(())
}
