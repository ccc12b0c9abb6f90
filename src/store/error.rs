//! Errors of clients as errors of the system.

use std::error::Error as StdError;
use std::io;

use object_store::Error;
use object_store::client::{HttpError, HttpErrorKind};

use super::request::is_passing;

/// Whether the store refused the request whatever is there, so that nothing was done.
pub(crate) fn is_refused(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::PermissionDenied
            | io::ErrorKind::Unsupported
            | io::ErrorKind::InvalidFilename
            | io::ErrorKind::InvalidInput
    )
}

/// An error of a store as one of the system: something else than was expected is
/// [`AlreadyExists`](io::ErrorKind::AlreadyExists), a store that has too much to do
/// [`ResourceBusy`](io::ErrorKind::ResourceBusy).
pub(crate) fn io_error(error: Error) -> io::Error {
    let kind = match &error {
        Error::NotFound { .. } => io::ErrorKind::NotFound,
        Error::AlreadyExists { .. } | Error::Precondition { .. } | Error::NotModified { .. } => {
            io::ErrorKind::AlreadyExists
        }
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => {
            io::ErrorKind::PermissionDenied
        }
        Error::NotSupported { .. } | Error::NotImplemented { .. } => io::ErrorKind::Unsupported,
        Error::InvalidPath { .. } => io::ErrorKind::InvalidFilename,
        error => kind_of_cause(error),
    };
    io::Error::new(kind, error)
}

/// The kind of an error that says nothing itself, by its causes.
fn kind_of_cause(error: &Error) -> io::ErrorKind {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<HttpError>() {
            return match error.kind() {
                HttpErrorKind::Timeout => io::ErrorKind::TimedOut,
                HttpErrorKind::Connect => io::ErrorKind::NotConnected,
                HttpErrorKind::Request | HttpErrorKind::Interrupted => {
                    io::ErrorKind::ConnectionReset
                }
                _ => io::ErrorKind::Other,
            };
        }
        if let Some(kind) = kind_of_answer(&error.to_string()) {
            return kind;
        }
        cause = error.source();
    }
    io::ErrorKind::Other
}

/// The kind of an answer by its status, which is in the text of the client's error alone.
fn kind_of_answer(text: &str) -> Option<io::ErrorKind> {
    // Of the status 200, with an error that passes in its body.
    if text.starts_with("Server returned error response: ") {
        return Some(io::ErrorKind::ResourceBusy);
    }
    if text.starts_with("Received redirect without LOCATION") {
        return Some(io::ErrorKind::InvalidInput);
    }
    let answer = text.strip_prefix("Server returned non-2xx status code: ")?;
    let status: u16 = answer.get(..3)?.parse().ok()?;
    match status {
        408 => Some(io::ErrorKind::TimedOut),
        // S3 says so of a request that came too slowly.
        400 if answer.contains("RequestTimeout") => Some(io::ErrorKind::TimedOut),
        status if is_passing(status) => Some(io::ErrorKind::ResourceBusy),
        300..=499 => Some(io::ErrorKind::InvalidInput),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &'static str) -> io::ErrorKind {
        let error = Error::Generic {
            store: "test",
            source: Box::new(io::Error::other(io::Error::other(text))),
        };
        io_error(error).kind()
    }

    #[test]
    fn what_passes_is_told_from_what_does_not() {
        for (text, expected) in [
            (
                "Server returned non-2xx status code: 503 Service Unavailable: slow down",
                io::ErrorKind::ResourceBusy,
            ),
            (
                "Server returned non-2xx status code: 429 Too Many Requests: ",
                io::ErrorKind::ResourceBusy,
            ),
            (
                "Server returned non-2xx status code: 400 Bad Request: <Code>RequestTimeout</Code>",
                io::ErrorKind::TimedOut,
            ),
            (
                "Server returned non-2xx status code: 400 Bad Request: <Code>KeyTooLongError</Code>",
                io::ErrorKind::InvalidInput,
            ),
            (
                "Server returned error response: <Code>SlowDown</Code>",
                io::ErrorKind::ResourceBusy,
            ),
            ("error decoding", io::ErrorKind::Other),
        ] {
            assert_eq!(kind(text), expected, "{text}");
        }
        for (cause, expected) in [
            (HttpErrorKind::Timeout, io::ErrorKind::TimedOut),
            (HttpErrorKind::Connect, io::ErrorKind::NotConnected),
            (HttpErrorKind::Interrupted, io::ErrorKind::ConnectionReset),
            (HttpErrorKind::Decode, io::ErrorKind::Other),
        ] {
            let error = Error::Generic {
                store: "test",
                source: Box::new(HttpError::new(cause, io::Error::other("cause"))),
            };
            assert_eq!(io_error(error).kind(), expected, "{cause:?}");
        }
    }
}
