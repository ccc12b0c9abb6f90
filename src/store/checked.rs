//! Which stores of this process were tried and need not be tried again.

use std::collections::HashSet;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};

use object_store::ObjectStore;

/// What tells a store from others in this process.
pub(super) enum Client {
    /// One that a caller gives, by its address.
    Given(Arc<dyn ObjectStore>),
    /// One that is made here, by all that it is made of.
    Made(String),
}

/// The stores that passed.
#[derive(Default)]
struct Checked {
    /// A weak pointer keeps the address of a client that is gone from being another's.
    given: Vec<Weak<dyn ObjectStore>>,
    made: HashSet<String>,
}

static CHECKED: LazyLock<Mutex<Checked>> = LazyLock::new(Mutex::default);

impl Client {
    pub(super) fn is_checked(&self) -> bool {
        let checked = checked();
        match self {
            Client::Given(client) => {
                let mut given = checked.given.iter();
                given.any(|known| std::ptr::addr_eq(known.as_ptr(), Arc::as_ptr(client)))
            }
            Client::Made(name) => checked.made.contains(name),
        }
    }

    pub(super) fn set_checked(self) {
        let mut checked = checked();
        match self {
            Client::Given(client) => {
                checked.given.retain(|known| known.strong_count() > 0);
                checked.given.push(Arc::downgrade(&client));
            }
            Client::Made(name) => {
                checked.made.insert(name);
            }
        }
    }
}

fn checked() -> MutexGuard<'static, Checked> {
    CHECKED.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;

    #[test]
    fn a_client_at_the_address_of_one_that_is_gone_is_another() {
        for _ in 0..1000 {
            let client: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
            assert!(!Client::Given(Arc::clone(&client)).is_checked());
            Client::Given(Arc::clone(&client)).set_checked();
            assert!(Client::Given(client).is_checked());
        }
        assert!(checked().given.len() < 10);
    }
}
