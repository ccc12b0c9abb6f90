//! Putting an object only if what is there is what is expected, which one of several writers succeeds with.
//!
//! The reply may be lost, or be that of a repetition: what was put carries a token, by which its writer finds out what
//! happened.

use std::io;
use std::time::{Duration, Instant};

use bytes::Bytes;
use object_store::path::Path as Key;
use object_store::{Error, ObjectStore, PutMode, PutOptions, PutPayload};
use uuid::Uuid;

use super::error::{io_error, is_refused};
use super::request::{Request, attempted, tell_of_doubt};
use super::requests::{head, is_same, tokens};
use super::{Store, Version, wait};
use crate::pauses::Pauses;

/// The number of times that a doubtful request is made at least.
const ATTEMPTS: u32 = 5;
/// The longest pause between two of them.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// What has to be at a key for a swap.
#[derive(Debug, Clone)]
pub(crate) enum Expected {
    /// No object.
    Absent,
    /// This version of it.
    Version(Version),
    /// Whatever is there, also nothing.
    Any,
}

/// The result of a swap.
#[derive(Debug)]
pub(crate) enum Swapped {
    /// The object is the new one, of this version.
    Done(Version),
    /// Something else was there.
    Lost,
    /// Nothing was there, where a version was expected.
    Gone,
    /// The store does not tell whether it was done.
    Unknown(io::Error),
}

impl Store {
    /// Puts an object if what is there is what is expected, and finds out whether it did.
    ///
    /// # Errors
    /// What is certain to have changed nothing.
    pub(crate) fn swap(&self, key: &Key, bytes: Bytes, expected: Expected) -> io::Result<Swapped> {
        self.swap_within(Duration::ZERO, key, bytes, expected)
    }

    /// The same for what commits: a store that does not answer is asked again for minutes, since all that was done before would
    /// be lost.
    ///
    /// # Errors
    /// What is certain to have changed nothing.
    pub(crate) fn swap_patiently(
        &self,
        key: &Key,
        bytes: Bytes,
        expected: Expected,
    ) -> io::Result<Swapped> {
        self.swap_within(self.options.patience, key, bytes, expected)
    }

    fn swap_within(
        &self,
        patience: Duration,
        key: &Key,
        bytes: Bytes,
        expected: Expected,
    ) -> io::Result<Swapped> {
        let (repeating, once) = (&self.clients.repeating, &self.clients.once);
        let repeats = once.is_none();
        let store = once.as_ref().unwrap_or(repeating).clone();
        let key = key.clone();
        let times = (self.options.first_pause, patience);
        wait(async move { swap((store.as_ref(), repeats), times, &key, bytes, &expected).await })
    }
}

/// `repeats` says that the store may make a request more than once.
async fn swap(
    (store, repeats): (&dyn ObjectStore, bool),
    (first_pause, patience): (Duration, Duration),
    key: &Key,
    bytes: Bytes,
    expected: &Expected,
) -> io::Result<Swapped> {
    let token = Uuid::now_v7().to_string();
    let options = PutOptions {
        mode: match expected {
            Expected::Absent => PutMode::Create,
            Expected::Version(version) => PutMode::Update(version.clone()),
            Expected::Any => PutMode::Overwrite,
        },
        attributes: tokens(&token),
        ..PutOptions::default()
    };
    let payload = PutPayload::from(bytes);
    let mut pauses = Pauses::new(first_pause, LONGEST_PAUSE);
    let begun = Instant::now();
    let mut attempt = 1;
    loop {
        let put = store.put_opts(key, payload.clone(), options.clone());
        let error = match attempted(Request::Put, key, attempt, put).await {
            Ok(put) => return Ok(Swapped::Done(put.into())),
            Err(error) => error,
        };
        // Only then nothing can have been done yet.
        let is_first = attempt == 1 && !repeats;
        let is_certain = is_first && is_condition(&error);
        let is_taken = matches!(error, Error::AlreadyExists { .. });
        let is_lost = attempt == 1 && (is_condition(&error) || is_taken);
        let error = io_error(error);
        let found = head(store, key);
        if is_refused(&error) {
            let unsupported = error.kind() != io::ErrorKind::PermissionDenied;
            if is_first || attempt == 1 && unsupported {
                return Err(error);
            }
            return match found.await {
                Ok(Some(found)) if found.has_token(&token) => Ok(Swapped::Done(found.version)),
                // An attempt inside the client, if there was one, has not done it either.
                Ok(_) if attempt == 1 => Err(error),
                _ => Ok(Swapped::Unknown(error)),
            };
        }
        match (found.await, expected) {
            (Ok(Some(found)), _) if found.has_token(&token) => {
                return Ok(Swapped::Done(found.version));
            }
            (Ok(Some(found)), Expected::Version(version)) if is_same(&found.version, version) => {}
            (Ok(_), Expected::Any) => {}
            (Ok(Some(_)), _) if is_lost => return Ok(Swapped::Lost),
            // It may have been done, and somebody has replaced the object since.
            (Ok(Some(_)), _) => return Ok(Swapped::Unknown(error)),
            (Ok(None), Expected::Version(_)) if is_certain => return Ok(Swapped::Gone),
            // It may have been done, and somebody has removed the object since.
            (Ok(None), Expected::Version(_)) => return Ok(Swapped::Unknown(error)),
            // Not done yet, or not known.
            (Ok(None), Expected::Absent) | (Err(_), _) => {}
        }
        // A store that is overloaded is so for longer than a few attempts take.
        if attempt >= ATTEMPTS && begun.elapsed() >= patience {
            return Ok(Swapped::Unknown(error));
        }
        attempt += 1;
        tell_of_doubt(Request::Put, key, attempt, &error);
        tokio::time::sleep(pauses.longer()).await;
    }
}

/// Whether the store says that something else is there than was expected, or nothing. A conflict (409) says less: it is also
/// the answer to two requests at a time, of which one may have been done.
fn is_condition(error: &Error) -> bool {
    matches!(error, Error::Precondition { .. } | Error::NotFound { .. })
}
