//! Work off the calling thread, so that this one can heed signals and run callbacks meanwhile.
//!
//! Python handles signals on its main thread alone, and only while that asks for them. So rows are
//! worked on by a thread of their own, which lives as long as one call, and the calling thread looks up
//! every few milliseconds. What is raised then asks the library to stop; the call ends when the library
//! has, so that what is on disk is known.
//!
//! What runs on the calling thread may fork. The new process has no worker to wait for: it is told so by an
//! exception, or is left with its own, and touches nothing that a thread of its parent may have held.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use atomic_arrow::{Outcome, panic_message};
use pyo3::prelude::*;

use crate::{errors, logging};

/// The time between two looks of the waiting thread at signals and callbacks.
const TICK: Duration = Duration::from_millis(20);

/// The message of a panic.
#[derive(Debug)]
pub(crate) struct Panicked(pub(crate) String);

impl Panicked {
    /// The exception for a panic at an unknown step.
    pub(crate) fn raise(&self, py: Python<'_>) -> PyErr {
        errors::panicked(py, &self.0, Outcome::Unknown)
    }

    /// The exception for a panic before anything was to be published.
    pub(crate) fn raise_unpublished(&self, py: Python<'_>) -> PyErr {
        errors::panicked(py, &self.0, Outcome::NotPublished)
    }
}

/// Calls the library without the GIL; a panic of it becomes an exception.
pub(crate) fn detached<T: Send>(py: Python<'_>, work: impl FnOnce() -> T + Send) -> PyResult<T> {
    logging::ask(py)?;
    let done = py.detach(|| contained(work));
    logging::tell(py)?;
    done.map_err(|panicked| panicked.raise(py))
}

pub(crate) fn contained<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(work))
        .map_err(|payload| Panicked(panic_message(payload.as_ref())))
}

/// Checks signals, and hands on what the library told.
pub(crate) fn heed(py: Python<'_>) -> PyResult<()> {
    logging::tell(py)?;
    py.check_signals()
}

/// The tasks of the calling thread while it waits: it checks signals, runs callbacks, and hands on messages.
pub(crate) trait Meanwhile: Sync {
    /// Called every few milliseconds.
    fn tick(&self, py: Python<'_>) -> PyResult<()> {
        heed(py)
    }

    /// The flag that is set when a tick failed, for the library to see.
    fn stop(&self) -> &AtomicBool;
}

/// The process that opened a writer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin(u32);

impl Origin {
    pub(crate) fn here() -> Self {
        Origin(process::id())
    }

    /// Whether this is another process, which was forked since.
    pub(crate) fn is_elsewhere(self) -> bool {
        self.0 != process::id()
    }
}

fn forked(py: Python<'_>) -> PyErr {
    let message = "the call was made by another process, before a fork, which has it: make one in this process";
    errors::refuse(py, "ForkedError", message)
}

/// A thread that does one job after another, each with an answer.
pub(crate) struct Worker<'a, J, R> {
    jobs: Sender<J>,
    answers: Mutex<Receiver<Result<R, Panicked>>>,
    meanwhile: &'a dyn Meanwhile,
    origin: Origin,
}

impl<J: Send, R: Send> Worker<'_, J, R> {
    /// Queues a job.
    pub(crate) fn give(&self, job: J) {
        if self.origin.is_elsewhere() {
            return;
        }
        // There is a receiver as long as there is a worker.
        let _ = self.jobs.send(job);
    }

    /// Waits for the next answer, and returns it with the exception that was raised meanwhile.
    pub(crate) fn answer(&self, py: Python<'_>) -> (Result<R, Panicked>, Option<PyErr>) {
        let mut raised = None;
        loop {
            if self.origin.is_elsewhere() {
                let raised = raised.unwrap_or_else(|| forked(py));
                return (
                    Err(Panicked("it is in another process".to_owned())),
                    Some(raised),
                );
            }
            // Once stopped, the library answers soon.
            let wait = if raised.is_none() {
                TICK
            } else {
                Duration::MAX
            };
            match py.detach(|| receive(&self.answers, wait)) {
                Ok(answer) => return (answer, raised),
                Err(RecvTimeoutError::Timeout) => {
                    if let Err(error) = self.meanwhile.tick(py) {
                        self.meanwhile.stop().store(true, Ordering::Relaxed);
                        raised = Some(error);
                    }
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return (Err(Panicked("the thread is gone".to_owned())), raised);
                }
            }
        }
    }
}

fn receive<R>(answers: &Mutex<Receiver<R>>, wait: Duration) -> Result<R, RecvTimeoutError> {
    let answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
    match wait {
        Duration::MAX => answers.recv().map_err(|_| RecvTimeoutError::Disconnected),
        wait => answers.recv_timeout(wait),
    }
}

/// Starts a worker for as long as `body` runs, and lends it what it works on. That comes back, but not in a
/// process that `body` forked: there it is the parent's.
pub(crate) fn with_worker<S: Send + 'static, J: Send + 'static, R: Send + 'static, T>(
    py: Python<'_>,
    meanwhile: &dyn Meanwhile,
    mut lent: S,
    mut work: impl FnMut(&mut S, J) -> R + Send + 'static,
    body: impl FnOnce(&Worker<'_, J, R>) -> T,
) -> PyResult<(Option<S>, T)> {
    logging::ask(py)?;
    let (jobs, taken) = channel();
    let (answering, answers) = channel();
    let run = move || {
        for job in taken {
            if answering.send(contained(|| work(&mut lent, job))).is_err() {
                break;
            }
        }
        lent
    };
    let named = thread::Builder::new().name("atomic-arrow-work".to_owned());
    let thread = named.spawn(run)?;
    let worker = Worker {
        jobs,
        answers: Mutex::new(answers),
        meanwhile,
        origin: Origin::here(),
    };
    let done = body(&worker);
    if worker.origin.is_elsewhere() {
        // Dropped, they would look for the thread that is not there.
        mem::forget((worker, thread));
        return Ok((None, done));
    }
    let Worker { jobs, answers, .. } = worker;
    drop(jobs);
    // The thread may need the GIL to let go of what Python lent it.
    let lent = py.detach(|| {
        while receive(&answers, Duration::MAX).is_ok() {}
        thread.join()
    });
    // Its panics are answers.
    Ok((lent.ok(), done))
}

/// Hands over what was found; nobody listens any more where it says `false`.
pub(crate) type Find<F> = Arc<dyn Fn(F) -> bool + Send + Sync>;

/// Runs work that only reads on a thread which is left to itself once something is raised: it ends on
/// its own, and nobody waits for it.
///
/// `work` hands over what it finds; `found` is called with it, on this thread.
pub(crate) fn apart<F: Send + 'static, R: Send + 'static>(
    py: Python<'_>,
    work: impl FnOnce(Find<F>) -> R + Send + 'static,
    mut found: impl FnMut(F) -> PyResult<()>,
) -> PyResult<R> {
    logging::ask(py)?;
    let (finding, findings) = channel();
    let run = move || {
        let finder = finding.clone();
        // Nobody listens any more once something was raised.
        let find: Find<F> = Arc::new(move |one| finder.send(Finding::One(one)).is_ok());
        let done = contained(|| work(find));
        let _ = finding.send(Finding::All(done));
    };
    thread::Builder::new()
        .name("atomic-arrow-read".to_owned())
        .spawn(run)?;
    let findings = Mutex::new(findings);
    let origin = Origin::here();
    loop {
        if origin.is_elsewhere() {
            mem::forget(findings);
            return Err(forked(py));
        }
        match py.detach(|| receive(&findings, TICK)) {
            Ok(Finding::One(one)) => found(one)?,
            Ok(Finding::All(done)) => {
                logging::tell(py)?;
                return done.map_err(|panicked| panicked.raise(py));
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Panicked("the thread is gone".to_owned()).raise(py));
            }
        }
        heed(py)?;
    }
}

enum Finding<F, R> {
    One(F),
    All(Result<R, Panicked>),
}

/// Runs one task, and returns its result with the exception that was raised meanwhile.
pub(crate) fn run<R: Send + 'static>(
    py: Python<'_>,
    meanwhile: &dyn Meanwhile,
    work: impl FnOnce() -> R + Send + 'static,
) -> PyResult<(R, Option<PyErr>)> {
    let origin = Origin::here();
    let (_, (answer, raised)) = with_worker(
        py,
        meanwhile,
        Some(work),
        |work, ()| work.take().map(|work| work()),
        |worker| {
            worker.give(());
            worker.answer(py)
        },
    )?;
    match (answer, raised) {
        (Err(_), Some(raised)) if origin.is_elsewhere() => Err(raised),
        // Once more: what comes now would be raised after the call, when nobody can say what is on disk.
        (Ok(Some(answer)), raised) => Ok((answer, raised.or_else(|| meanwhile.tick(py).err()))),
        (Ok(None), _) => Err(errors::internal("work was asked for twice")),
        (Err(panicked), _) => Err(panicked.raise(py)),
    }
}
