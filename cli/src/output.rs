//! Standard output, to which results go.
//!
//! A reader that has gone away (a broken
//! pipe) is a quiet end of the output and not of the work: nothing here panics.

use std::fmt::Display;
use std::io::{self, StdoutLock, Write};

use serde_json::Value;

use crate::exit::{Exit, Failure};

/// Standard output, until its reader goes away.
pub(crate) struct Output {
    stdout: StdoutLock<'static>,
    failed: Option<io::Error>,
}

impl Output {
    pub(crate) fn new() -> Self {
        Output {
            stdout: io::stdout().lock(),
            failed: None,
        }
    }

    /// Writes one line.
    pub(crate) fn line(&mut self, line: impl Display) {
        self.write(|stdout| writeln!(stdout, "{line}"));
    }

    /// Writes one line in one piece, so that processes which share an output do not mix their lines, and flushes it.
    ///
    /// # Errors
    /// It cannot be written, also because its reader is gone: for what somebody has to get.
    pub(crate) fn deliver(&mut self, line: &str) -> io::Result<()> {
        let line = format!("{line}\n");
        self.stdout.write_all(line.as_bytes())?;
        self.stdout.flush()
    }

    /// Writes text as it is.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.write(|stdout| stdout.write_all(bytes));
    }

    /// Writes one JSON value, readably.
    pub(crate) fn json(&mut self, value: &Value) {
        self.line(format_args!("{value:#}"));
    }

    /// Ends the output and says how the run ended.
    ///
    /// A result that cannot be written is a failure, unless something `was_published`: that is not
    /// undone by it, and exit code 1 would say so.
    pub(crate) fn finish(mut self, exit: Exit, was_published: bool) -> Exit {
        self.write(StdoutLock::flush);
        let Some(error) = self
            .failed
            .filter(|e| e.kind() != io::ErrorKind::BrokenPipe)
        else {
            return exit;
        };
        Failure::io("standard output: the result cannot be written", &error).print();
        if exit == Exit::Done && !was_published {
            Exit::Failed
        } else {
            exit
        }
    }

    fn write(&mut self, write: impl FnOnce(&mut StdoutLock<'static>) -> io::Result<()>) {
        if self.failed.is_none() {
            self.failed = write(&mut self.stdout).err();
        }
    }
}
