//! Turning a decoder's panic into an error.
//!
//! Owns nothing but that. The Parquet and Arrow IPC decoders assert where damaged bytes contradict
//! each other; to the user this is a damaged file, not a fault of the program. Whatever panicked
//! must not be used again, and running out of memory is not caught.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use atomic_arrow::panic_message;

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work`; if it panics, gives what the panic said, and prints nothing.
pub(super) fn guard<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !GUARDED.get() {
                hook(info);
            }
        }));
    });
    GUARDED.set(true);
    // The caller drops what `work` touched, so no broken state is looked at.
    let result = catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(false);
    result.map_err(|payload| panic_message(payload.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_message() {
        assert_eq!(guard(|| 1), Ok(1));
        assert_eq!(guard(|| panic!("fixed")), Err::<(), _>("fixed".to_owned()));
        let n = 3;
        assert_eq!(
            guard(|| panic!("row {n}")),
            Err::<(), _>("row 3".to_owned())
        );
        assert!(!GUARDED.get());
    }
}
