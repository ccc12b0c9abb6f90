//! Callbacks that several threads have, and one at a time calls.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A callback for the thread that calls it; one that panicked has ended what it was told of.
pub(crate) fn one_at_a_time<C>(call: &Mutex<C>) -> MutexGuard<'_, C> {
    call.lock().unwrap_or_else(PoisonError::into_inner)
}
