//! What is known to be staged for another to commit, so that its records are not read each time a writer opens the data
//! set: each of many workers would read those of all others.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use uuid::Uuid;

/// The longest time for which a record is not read again.
const LONGEST: Duration = Duration::from_secs(60);
/// The part of the time that something is kept for which its record is not read again.
const PART: u32 = 100;
/// From this number on, those whose time is over are forgotten first.
const MANY: usize = 1 << 16;

/// The time until which each is not looked at, by the machine's clock.
static KNOWN: Mutex<Option<HashMap<Uuid, SystemTime>>> = Mutex::new(None);

fn known() -> MutexGuard<'static, Option<HashMap<Uuid, SystemTime>>> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a transaction was found waiting a moment ago.
pub(super) fn is_known(transaction: Uuid, now: SystemTime) -> bool {
    let known = known();
    let until = known.as_ref().and_then(|known| known.get(&transaction));
    until.is_some_and(|until| now < *until && *until <= now + LONGEST)
}

/// Keeps in mind that a transaction waits, which is kept so long in all.
pub(super) fn remember(transaction: Uuid, now: SystemTime, keep: Duration) {
    let mut known = known();
    let known = known.get_or_insert_with(HashMap::new);
    if known.len() >= MANY {
        known.retain(|_, until| now < *until);
    }
    known.insert(transaction, now + (keep / PART).min(LONGEST));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_again_after_a_hundredth_of_its_time_and_a_minute_at_most() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 30);
        let day = Duration::from_secs(24 * 60 * 60);
        for (keep, read_again) in [
            (day, Duration::from_secs(60)),
            (Duration::from_secs(100), Duration::from_secs(1)),
            (Duration::ZERO, Duration::ZERO),
        ] {
            let id = Uuid::now_v7();
            assert!(!is_known(id, now));
            remember(id, now, keep);
            assert_eq!(is_known(id, now), !read_again.is_zero());
            assert!(!is_known(id, now + read_again));
            // A clock that was set back tells nothing.
            assert!(!is_known(id, now - Duration::from_secs(120)));
        }
    }
}
