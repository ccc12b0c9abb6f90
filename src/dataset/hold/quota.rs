//! The memory quota for gathered columns.

use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::error::ArrowError;

/// The memory that is left for columns with rows of varying size.
#[derive(Debug)]
pub(in crate::dataset) struct MemoryQuota {
    left: AtomicUsize,
    rows: usize,
}

/// Why columns could not be gathered.
#[derive(Debug)]
pub(in crate::dataset) enum GatherError {
    /// The rows exceed the quota, or the offsets of a column.
    TooLarge,
    Failed(ArrowError),
}

impl From<ArrowError> for GatherError {
    fn from(error: ArrowError) -> Self {
        GatherError::Failed(error)
    }
}

impl MemoryQuota {
    /// A quota of `bytes`, for columns of `rows` rows.
    pub(in crate::dataset) fn new(bytes: usize, rows: usize) -> Self {
        MemoryQuota {
            left: AtomicUsize::new(bytes),
            rows,
        }
    }

    /// Reserves the memory that a column is going to need.
    pub(in crate::dataset) fn take(&self, bytes: usize) -> Result<(), GatherError> {
        let less = |left: usize| left.checked_sub(bytes);
        let relaxed = Ordering::Relaxed;
        let fits = self.left.fetch_update(relaxed, relaxed, less).is_ok();
        // Offsets of 32 bits reach no further.
        let reached = bytes <= i32::MAX as usize;
        // One row cannot be made less, and is of an array with such offsets itself.
        match (fits && reached) || self.rows == 1 {
            true => Ok(()),
            false => Err(GatherError::TooLarge),
        }
    }
}
