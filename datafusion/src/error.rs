//! Errors of the library as those of DataFusion, from which they can be got back.

use std::error::Error as _;

use atomic_arrow::Error;
use datafusion::error::DataFusionError;

pub(crate) type Result<T> = datafusion::error::Result<T>;

/// An error of the library, which [`error_of`] gives back.
pub(crate) fn external(error: Error) -> DataFusionError {
    let mut all = error.to_string();
    let mut cause = error.source();
    // DataFusion prints an error without its causes.
    while let Some(below) = cause {
        all = format!("{all}: {below}");
        cause = below.source();
    }
    let alone = error.source().is_none();
    let error = DataFusionError::External(Box::new(error));
    if alone { error } else { error.context(all) }
}

/// Refuses an option, or what a statement says, for a reason.
pub(crate) fn invalid<T>(option: &'static str, reason: impl Into<String>) -> Result<T> {
    let reason = reason.into();
    Err(external(Error::InvalidOption { option, reason }))
}

/// The error of the library that is in one of DataFusion's, whatever is around it.
#[must_use]
pub fn error_of(error: &DataFusionError) -> Option<&Error> {
    match error.find_root() {
        DataFusionError::External(cause) => cause.downcast_ref::<Error>(),
        _ => None,
    }
}
