//! The threads on which requests to object stores run.
//!
//! The engine is synchronous, and its caller may be inside a runtime of his own, where waiting for a future of another is
//! not allowed: a request runs on a runtime of this crate, and its caller waits on a channel.

use std::future::Future;
use std::io;
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, PoisonError};

use tokio::runtime::{Builder, Handle, Runtime};
use tracing::Instrument as _;

/// Threads that requests share: they wait for the network nearly all of their time.
const THREADS: usize = 2;

/// The runtime, and the process that made it: after a fork none of its threads is there.
static RUNTIME: Mutex<Option<(u32, Runtime)>> = Mutex::new(None);

fn handle() -> io::Result<Handle> {
    let mut runtime = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    let process = std::process::id();
    match runtime.as_ref() {
        Some((made_by, runtime)) if *made_by == process => Ok(runtime.handle().clone()),
        other_process => {
            // Its threads cannot be waited for, as dropping it would.
            if other_process.is_some() {
                std::mem::forget(runtime.take());
            }
            let made = Builder::new_multi_thread()
                .worker_threads(THREADS)
                .thread_name("atomic-arrow-store")
                .enable_all()
                .build()?;
            let handle = made.handle().clone();
            *runtime = Some((process, made));
            Ok(handle)
        }
    }
}

/// Runs a request and waits for its answer. May be called from any thread, also one of a runtime, which is blocked then.
///
/// # Errors
/// That there are no threads, or that the client of the store panicked; else those of the request.
pub(crate) fn wait<T, F>(request: F) -> io::Result<T>
where
    T: Send + 'static,
    F: Future<Output = io::Result<T>> + Send + 'static,
{
    let (answer, answers) = sync_channel(1);
    let answered = async move {
        // Whoever waited is gone if it cannot be sent.
        let _ = answer.send(request.await);
    };
    handle()?.spawn(answered.in_current_span());
    answers
        .recv()
        .unwrap_or_else(|_| Err(io::Error::other("the client of the object store panicked")))
}
