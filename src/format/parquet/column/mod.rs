//! The encoding of column chunks: looking at the values of one, choosing what they are encoded as, and the pages of columns
//! that are not nested.
//!
//! What becomes of pages, compressing and finishing them, is `page_store.rs`'s. A page that was compressed to choose an
//! encoding is not compressed again. Nested columns, and those whose pages are not finished there, are encoded by
//! parquet-rs, as chosen here.

mod bits;
mod bounds;
mod choice;
mod choose;
mod chunk;
mod delta;
mod dictionary;
mod encode;
mod estimate;
mod flat;
mod leaves;
mod levels;
mod look;
mod statistics;
mod totals;
mod values;

pub(super) use choice::Choices;
pub(super) use chunk::ChunkEncoder;
pub(super) use flat::Column;
pub(super) use look::{Chooser, LOOK_BYTES, LOOK_ROWS};

#[cfg(test)]
mod oracle_tests;
#[cfg(test)]
mod tests;
