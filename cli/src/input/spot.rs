//! [`Spot`]: where in a text a row stands.

use std::fmt;

/// The line on which a row begins, and its number where it is an element of an array; both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(crate) line: u64,
    pub(super) element: Option<u64>,
}

impl From<u64> for Spot {
    fn from(line: u64) -> Self {
        let element = None;
        Spot { line, element }
    }
}

impl fmt::Display for Spot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "line {}", self.line)?;
        match self.element {
            Some(element) => write!(formatter, ", element {element}"),
            None => Ok(()),
        }
    }
}
