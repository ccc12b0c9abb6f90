//! Writers that Python owns: one call at a time, and never in another process.
//!
//! A forked process has a copy of every writer of its parent, but none of the threads, and must not
//! remove what the parent stages. So a copy is refused every call, and is forgotten instead of dropped.

use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::{self, ThreadId};
use std::time::Duration;

use pyo3::prelude::*;

use crate::errors;
use crate::work::Origin;

/// The time between two looks whether another thread's call has ended.
const PATIENCE: Duration = Duration::from_millis(1);

/// Something that writes, until it is finished or discarded.
pub(crate) struct Owned<W> {
    what: &'static str,
    /// The process that opened it.
    origin: Origin,
    writer: Mutex<Option<W>>,
    /// The thread whose call has the writer.
    holder: Mutex<Option<ThreadId>>,
}

impl<W> Owned<W> {
    /// Whether this is another process than that which opened it.
    pub(crate) fn is_elsewhere(&self) -> bool {
        self.origin.is_elsewhere()
    }
}

impl<W: Send> Owned<W> {
    pub(crate) fn new(what: &'static str, writer: W) -> Self {
        Owned {
            what,
            origin: Origin::here(),
            writer: Mutex::new(Some(writer)),
            holder: Mutex::new(None),
        }
    }

    /// Runs a call on the writer, once other threads' have ended.
    pub(crate) fn with<T>(
        &self,
        py: Python<'_>,
        call: impl FnOnce(&mut W) -> PyResult<T>,
    ) -> PyResult<T> {
        let mut writer = self.lock(py)?;
        let writer = writer.as_mut().ok_or_else(|| self.closed(py))?;
        *self.holder() = Some(thread::current().id());
        let done = call(writer);
        *self.holder() = None;
        done
    }

    /// Runs a call that lends the writer to a thread, once other threads' calls have ended. A writer that
    /// does not come back is closed.
    pub(crate) fn lend<T>(
        &self,
        py: Python<'_>,
        call: impl FnOnce(W) -> PyResult<(Option<W>, T)>,
    ) -> PyResult<T> {
        let mut held = self.lock(py)?;
        let writer = held.take().ok_or_else(|| self.closed(py))?;
        *self.holder() = Some(thread::current().id());
        let done = call(writer);
        *self.holder() = None;
        let (writer, done) = done?;
        *held = writer;
        Ok(done)
    }

    fn closed(&self, py: Python<'_>) -> PyErr {
        let message = format_args!("this {} is closed", self.what);
        errors::refuse(py, "ClosedError", message)
    }

    /// Takes the writer out, so that it is closed for every call to come; `None` if it was before.
    pub(crate) fn take(&self, py: Python<'_>) -> PyResult<Option<W>> {
        Ok(self.lock(py)?.take())
    }

    /// Refuses a call in another process than the one that opened the writer: locks may be held there by threads that
    /// do not exist.
    pub(crate) fn check_process(&self, py: Python<'_>) -> PyResult<()> {
        let what = self.what;
        if !self.is_elsewhere() {
            return Ok(());
        }
        let message = format_args!(
            "this {what} was opened by another process, before a fork: open one in this process"
        );
        Err(errors::refuse(py, "ForkedError", message))
    }

    fn lock(&self, py: Python<'_>) -> PyResult<MutexGuard<'_, Option<W>>> {
        self.check_process(py)?;
        loop {
            match self.writer.try_lock() {
                Ok(writer) => return Ok(writer),
                Err(TryLockError::Poisoned(poisoned)) => return Ok(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) => {}
            }
            if *self.holder() == Some(thread::current().id()) {
                let what = self.what;
                let message = format_args!("this {what} is in use by the call that called back");
                return Err(errors::refuse(py, "BusyError", message));
            }
            py.check_signals()?;
            py.detach(|| thread::sleep(PATIENCE));
        }
    }

    fn holder(&self) -> MutexGuard<'_, Option<ThreadId>> {
        self.holder.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<W> Drop for Owned<W> {
    fn drop(&mut self) {
        if self.is_elsewhere() {
            // The parent's to discard.
            let writer = self
                .writer
                .get_mut()
                .unwrap_or_else(PoisonError::into_inner);
            std::mem::forget(writer.take());
        }
    }
}
