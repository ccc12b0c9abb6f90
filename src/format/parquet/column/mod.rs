//! The encoding of column chunks: looking at the values of one, and choosing what they are encoded as.
//!
//! What pages are made of, and compressing and finishing them, is `page_store.rs`'s.

mod bits;
mod choose;
mod delta;
mod dictionary;
mod encode;
mod leaves;
mod look;
mod values;

pub(super) use choose::Choices;
pub(super) use look::{Chooser, LOOK_ROWS};

#[cfg(test)]
mod tests;
