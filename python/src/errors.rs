//! The library's errors as Python exceptions (promise P5).
//!
//! The classes are Python's (`atomic_arrow._errors`); here each error finds its own, and is told what
//! is on disk.

use std::error::Error as StdError;
use std::fmt::Write as _;
use std::io;
use std::path::Path;

use atomic_arrow::{Error, Face, Outcome, Remedy, object_store_hint};
use pyo3::exceptions::PySystemError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::place::Place;

/// The name of the exception class of an error.
fn class_of(error: &Error) -> &'static str {
    match error {
        Error::Partition(_) => "PartitionError",
        Error::InvalidPath { .. } => "InvalidPathError",
        Error::InvalidOption { .. } => "InvalidOptionError",
        Error::SchemaMismatch { .. } => "SchemaMismatchError",
        Error::StrayRow { .. } => "StrayRowError",
        Error::Poisoned { .. } => "PoisonedError",
        Error::Interrupted { .. } => "StoppedError",
        Error::StagedWriteGone { .. } => "StagedWriteGoneError",
        Error::Encode { .. } => "EncodeError",
        Error::Io { .. } => "IoError",
        Error::StagingLost { .. } => "StagingLostError",
        Error::Damaged { .. } => "DamagedError",
        Error::AlreadyExists { .. } => "AlreadyExistsError",
        Error::NotDurable { .. } => "NotDurableError",
        Error::Unknown { .. } => "UnknownOutcomeError",
        Error::Aborted { .. } => "AbortedError",
        Error::Conflict { .. } => "ConflictError",
        Error::Incompatible { .. } => "IncompatibleError",
        Error::AlreadyCommitted { .. } => "AlreadyCommittedError",
        Error::JobClosed { .. } => "JobClosedError",
        Error::OutOfReach { .. } => "OutOfReachError",
        Error::Unfinished { .. } => "UnfinishedError",
        Error::FilesLost { .. } => "FilesLostError",
        Error::Blocked { .. } => "BlockedError",
        Error::InvalidDecision { .. } => "InvalidDecisionError",
        Error::Distrusted { .. } => "DistrustedError",
        Error::ControlDistrusted { .. } => "ControlDistrustedError",
        Error::SetAside { .. } => "SetAsideError",
        Error::NotRemoved { .. } => "NotRemovedError",
        Error::Read { .. } => "ReadError",
        _ => "AtomicArrowError",
    }
}

/// The name that Python has for an outcome.
pub(crate) fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::NotPublished => "not_published",
        Outcome::PublishedNotDurable => "published_not_durable",
        Outcome::PublishedInPart => "published_in_part",
        Outcome::Lost => "lost",
        _ => "unknown",
    }
}

/// A text in which remedies are spelled as arguments of Python.
fn in_words(text: impl ToString) -> String {
    Remedy::in_words_of(Face::Python, &text.to_string())
}

/// An error and its causes, each on a line of its own.
pub(crate) fn with_causes(
    text: impl ToString,
    mut cause: Option<&(dyn StdError + 'static)>,
) -> String {
    let mut lines = in_words(text);
    while let Some(error) = cause {
        let text = in_words(error);
        if !lines.contains(&text) {
            // Writing to a string does not fail.
            let _ = write!(lines, "\n  because: {text}");
        }
        cause = error.source();
    }
    lines
}

/// The error number of the system, if the system failed, or where there is none, a kind for which Python has a
/// number.
fn system_error(error: &Error) -> (Option<i32>, Option<&'static str>) {
    let mut cause = StdError::source(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            let kind = match error.kind() {
                io::ErrorKind::NotFound => Some("ENOENT"),
                io::ErrorKind::PermissionDenied => Some("EACCES"),
                io::ErrorKind::AlreadyExists => Some("EEXIST"),
                io::ErrorKind::StorageFull => Some("ENOSPC"),
                io::ErrorKind::Unsupported => Some("ENOTSUP"),
                _ => None,
            };
            return (error.raw_os_error(), kind);
        }
        cause = error.source();
    }
    (None, None)
}

/// The attributes of an exception of the package.
struct Carried<'a> {
    class: &'static str,
    message: String,
    outcome: &'static str,
    step: Option<&'static str>,
    path: Option<&'a Path>,
    errno: (Option<i32>, Option<&'static str>),
    is_retryable: bool,
}

impl Carried<'_> {
    /// The attributes of an exception that no error of the library causes.
    fn by_itself(class: &'static str, message: String, outcome: &'static str) -> Self {
        Carried {
            class,
            message,
            outcome,
            step: None,
            path: None,
            errno: (None, None),
            is_retryable: false,
        }
    }
}

fn make(py: Python<'_>, carried: Carried<'_>) -> PyErr {
    let made = (|| {
        let fields = PyDict::new(py);
        fields.set_item("outcome", carried.outcome)?;
        fields.set_item("step", carried.step)?;
        fields.set_item("path", carried.path.map(Place::from))?;
        match carried.errno {
            (Some(number), _) => fields.set_item("errno", number)?,
            (None, kind) => fields.set_item("errno", kind)?,
        }
        fields.set_item("is_retryable", carried.is_retryable)?;
        let module = py.import("atomic_arrow._errors")?;
        module.call_method("make", (carried.class, carried.message), Some(&fields))
    })();
    made.map_or_else(|error| error, PyErr::from_value)
}

/// A hint on what Python's face has and the library's words do not name.
fn hint(error: &Error) -> &'static str {
    match error {
        Error::SchemaMismatch {
            row: None, remedy, ..
        } if remedy.contains("write with a schema") => {
            "\n  hint: the schema is that of the first rows, or of all frames of a list; schema= gives another, which \
             holds those of later rows too"
        }
        _ => "",
    }
}

/// A hint on what to do about a failure of an object store.
fn store_hint(error: &Error) -> String {
    let mut cause = StdError::source(error);
    while let Some(error) = cause {
        if let Some(hint) = object_store_hint(error) {
            return format!("\n  hint: {hint}");
        }
        cause = error.source();
    }
    String::new()
}

/// The exception for an error of the library.
pub(crate) fn raise(py: Python<'_>, error: &Error) -> PyErr {
    make(
        py,
        Carried {
            class: class_of(error),
            message: with_causes(error, error.source()) + hint(error) + &store_hint(error),
            outcome: outcome_name(error.outcome()),
            step: error.step().map(|step| step.name()),
            path: error.path(),
            errno: system_error(error),
            is_retryable: error.is_retryable(),
        },
    )
}

/// An exception that the binding itself has to raise; nothing was published by it.
pub(crate) fn refuse(py: Python<'_>, class: &'static str, message: impl ToString) -> PyErr {
    let outcome = outcome_name(Outcome::NotPublished);
    make(py, Carried::by_itself(class, message.to_string(), outcome))
}

/// The exception for an invalid option.
pub(crate) fn invalid_option(py: Python<'_>, option: &str, reason: impl ToString) -> PyErr {
    let reason = reason.to_string();
    refuse(py, "InvalidOptionError", format_args!("{option}: {reason}"))
}

/// The exception for a panic of the library.
pub(crate) fn panicked(py: Python<'_>, message: &str, outcome: Outcome) -> PyErr {
    let message = format!("the library panicked: {message}");
    make(
        py,
        Carried::by_itself("PanicError", message, outcome_name(outcome)),
    )
}

/// The exception of a signal's handler or callback, with a note of what is on disk because of it.
///
/// A `KeyboardInterrupt` becomes the package's own; anything else stays what it is, with a note.
pub(crate) fn interrupted(
    py: Python<'_>,
    raised: PyErr,
    outcome: &'static str,
    path: Option<&Path>,
) -> PyErr {
    let made = (|| {
        let module = py.import("atomic_arrow._errors")?;
        module.call_method1(
            "interrupted",
            (raised.clone_ref(py), outcome, path.map(Place::from)),
        )
    })();
    match made {
        Ok(exception) if exception.is(raised.value(py)) => raised,
        Ok(exception) => PyErr::from_value(exception),
        Err(_) => raised,
    }
}

/// The exception for what the interpreter itself cannot do.
pub(crate) fn internal(message: &'static str) -> PyErr {
    PySystemError::new_err(message)
}

/// The value of an option, in the type that it takes.
///
/// # Errors
/// That of the conversion, naming the option.
pub(crate) fn given<'a, 'py, T: FromPyObject<'a, 'py>>(
    option: &str,
    value: &'a Bound<'py, PyAny>,
) -> PyResult<T> {
    value.extract::<T>().map_err(|error| {
        let (py, error): (_, PyErr) = (value.py(), error.into());
        PyErr::from_type(error.get_type(py), format!("{option}: {}", error.value(py)))
    })
}
