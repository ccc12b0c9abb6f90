//! Why a server cannot run here, and what a test does then.

#[path = "../../tests/support/skip.rs"]
mod said;

use std::fmt;

/// A server cannot run on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped(pub(crate) String);

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Skipped {}

/// What there is, or `None` after saying on standard error that the calling test is skipped, and why.
///
/// # Panics
/// If it is missing and `ATOMIC_ARROW_REQUIRE_ALL` is 1.
#[track_caller]
pub fn or_skip<T>(result: Result<T, Skipped>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(reason) => {
            said::skip(reason);
            None
        }
    }
}
