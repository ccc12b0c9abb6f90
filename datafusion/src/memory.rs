//! The share of a query's memory pool that a write takes.

use std::sync::Arc;

use datafusion::execution::memory_pool::{
    MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};

use crate::error::Result;

/// What a write takes of a limited pool at first, as a divisor: the query before it needs memory too.
const SHARE: usize = 4;

/// What is asked for at most where the user gives no limit; the library's own default.
const MOST: usize = 1 << 30;

/// Where halving what is asked for ends.
const LEAST: usize = 8 << 20;

/// Reserves what the writer may hold, for as long as the reservation lives, and gives the writer's limit; `None` is the
/// library's default.
///
/// # Errors
/// That of the pool, if not even a few megabytes are free, or not as much as the user has asked for.
pub(crate) fn reserve(
    pool: &Arc<dyn MemoryPool>,
    asked: Option<u64>,
) -> Result<(MemoryReservation, Option<u64>)> {
    // What is reserved is not given back before the end, so that a fair pool must not count on it.
    let reservation = MemoryConsumer::new("AtomicSink").register(pool);
    if let Some(bytes) = asked {
        reservation.try_grow(usize::try_from(bytes).unwrap_or(usize::MAX))?;
        return Ok((reservation, asked));
    }
    let MemoryLimit::Finite(limit) = pool.memory_limit() else {
        return Ok((reservation, None));
    };
    let mut wanted = (limit / SHARE).clamp(LEAST, MOST);
    loop {
        match reservation.try_grow(wanted) {
            Ok(()) => return Ok((reservation, Some(wanted as u64))),
            Err(error) if wanted == LEAST => return Err(error),
            Err(_) => wanted = (wanted / 2).max(LEAST),
        }
    }
}
