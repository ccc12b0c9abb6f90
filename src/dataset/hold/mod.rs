//! Rows between being given and being encoded: held in memory as they came, spilled beyond the limit, and gathered
//! by partition.
//!
//! Knows which partition each row has by its number, and nothing of files.

pub(super) mod buffer;
pub(super) mod coded;
pub(super) mod gather;
mod memory;
mod quota;
pub(super) mod reader;
mod scatter;
pub(super) mod spill;
