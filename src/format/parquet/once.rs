//! Bounds in footers: once, not also where readers of the format before its version 2.4 look for them.

use parquet::file::statistics::Statistics;

/// Statistics whose bounds are written once: not also in the fields that the format had before its version 2.4.
pub(super) fn said_once(statistics: Statistics) -> Statistics {
    match statistics {
        Statistics::Boolean(it) => Statistics::Boolean(it.with_backwards_compatible_min_max(false)),
        Statistics::Int32(it) => Statistics::Int32(it.with_backwards_compatible_min_max(false)),
        Statistics::Int64(it) => Statistics::Int64(it.with_backwards_compatible_min_max(false)),
        Statistics::Int96(it) => Statistics::Int96(it.with_backwards_compatible_min_max(false)),
        Statistics::Float(it) => Statistics::Float(it.with_backwards_compatible_min_max(false)),
        Statistics::Double(it) => Statistics::Double(it.with_backwards_compatible_min_max(false)),
        Statistics::ByteArray(it) => {
            Statistics::ByteArray(it.with_backwards_compatible_min_max(false))
        }
        Statistics::FixedLenByteArray(it) => {
            Statistics::FixedLenByteArray(it.with_backwards_compatible_min_max(false))
        }
    }
}
