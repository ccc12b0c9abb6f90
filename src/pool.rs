//! Runs many tasks on several threads: the first error wins, and panics become errors.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tracing::Span;

use crate::error::{Error, Result, Step};
use crate::meter;

/// A panic of a thread, as the cause of an error.
#[derive(Debug, thiserror::Error)]
#[error("a worker panicked: {0}")]
struct WorkerPanicked(String);

/// The reason why a task ends before it is done.
#[derive(Debug)]
pub(crate) enum Halt {
    /// The task failed with this error.
    Failed(Error),
    /// Another task failed, and its error counts.
    Elsewhere,
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Halt::Failed(error)
    }
}

/// The first error of tasks that several threads run together.
#[derive(Debug, Default)]
pub(crate) struct Failure {
    stop: AtomicBool,
    first: Mutex<Option<Error>>,
}

impl Failure {
    /// Whether a task failed, so that no other should begin.
    pub(crate) fn happened(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Runs a task unless another failed before, and keeps its error or panic.
    pub(crate) fn watch<T, E: Into<Halt>>(
        &self,
        path: &Path,
        work: impl FnOnce() -> Result<T, E>,
    ) -> Option<T> {
        if self.happened() {
            return None;
        }
        let done = catch_unwind(AssertUnwindSafe(work));
        let error = match done {
            Ok(Ok(done)) => return Some(done),
            Ok(Err(halt)) => match halt.into() {
                Halt::Failed(error) => error,
                Halt::Elsewhere => return None,
            },
            Err(payload) => panicked(path, payload.as_ref()),
        };
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert(error);
        self.stop.store(true, Ordering::Release);
        None
    }

    /// The error that happened first, if one did.
    pub(crate) fn into_result(self) -> Result<()> {
        let first = self.first.into_inner();
        first
            .unwrap_or_else(PoisonError::into_inner)
            .map_or(Ok(()), Err)
    }
}

fn panicked(path: &Path, payload: &(dyn Any + Send)) -> Error {
    Error::encode(
        Step::WriteRows,
        path,
        WorkerPanicked(panic_message(payload)),
    )
}

/// The message of a panic that was caught, as text.
pub fn panic_message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>();
    text.map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}

/// Runs `count` tasks on up to `threads` threads, this one among them.
///
/// Each piece is begun in order. After an error or a panic no further one is begun; the first that
/// happened is returned when all threads have ended. Where a piece halts because of what failed elsewhere, no
/// further one is begun by its thread. The time of the other threads counts with the [work](meter) of this one.
pub(crate) fn for_each<E: Into<Halt>>(
    threads: usize,
    count: usize,
    path: &Path,
    work: impl Fn(usize) -> Result<(), E> + Sync,
) -> Result<()> {
    let span = Span::current();
    let failure = Failure::default();
    let next = AtomicUsize::new(0);
    let helped = Mutex::new(Duration::ZERO);
    let run = || {
        loop {
            let item = next.fetch_add(1, Ordering::Relaxed);
            if item >= count || failure.watch(path, || work(item)).is_none() {
                return;
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.min(count) {
            // Where the system gives no thread, the others do the work.
            let spawned = std::thread::Builder::new()
                .name("atomic-arrow".to_owned())
                .spawn_scoped(scope, || {
                    let _inside = span.enter();
                    let ((), time) = meter::timed(run);
                    *helped.lock().unwrap_or_else(PoisonError::into_inner) += time;
                });
            if spawned.is_err() {
                break;
            }
        }
        run();
    });
    meter::add_helpers(*helped.lock().unwrap_or_else(PoisonError::into_inner));
    failure.into_result()
}

/// Runs tasks that each are a few calls of the file system, and gives their results in order. Where there are many, several
/// run at the same time: renames and looks in different directories do not wait for each other.
pub(crate) fn map_calls<T: Send + Sync>(
    count: usize,
    path: &Path,
    work: impl Fn(usize) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    map(threads_for_calls(count), count, path, work)
}

/// The number of threads for so many tasks that each are a few calls of the file system.
pub(crate) fn threads_for_calls(count: usize) -> usize {
    // Of fewer, to begin threads takes longer.
    const MANY: usize = 256;
    const THREADS: usize = 8;
    if count < MANY { 1 } else { THREADS }
}

/// Runs tasks on up to `threads` threads, and gives their results in order.
pub(crate) fn map<T: Send + Sync>(
    threads: usize,
    count: usize,
    path: &Path,
    work: impl Fn(usize) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let slots: Vec<OnceLock<T>> = (0..count).map(|_| OnceLock::new()).collect();
    for_each(threads, count, path, |number| {
        let _ = slots[number].set(work(number)?);
        Ok::<_, Error>(())
    })?;
    Ok(slots.into_iter().filter_map(OnceLock::into_inner).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_many_calls_come_in_their_order_and_the_first_error_ends_them() {
        for count in [0, 1, 255, 256, 5000] {
            let twice = map_calls(count, Path::new("/"), |number| Ok(number * 2)).unwrap();
            assert!(
                twice
                    .iter()
                    .copied()
                    .eq((0..count).map(|number| number * 2))
            );
        }
        let begun = AtomicUsize::new(0);
        let failed = map_calls(100_000, Path::new("/"), |number| {
            begun.fetch_add(1, Ordering::Relaxed);
            match number {
                7 => Err(Error::Poisoned { path: "/7".into() }),
                number => Ok(number),
            }
        });
        assert!(matches!(failed, Err(Error::Poisoned { .. })));
        assert!(begun.into_inner() < 100_000);
    }
}
