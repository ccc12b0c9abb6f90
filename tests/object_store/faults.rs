//! The store that lets requests fail does what its tests rest on.

use std::sync::Arc;
use std::time::Duration;

use atomic_arrow::object_store::memory::InMemory;
use atomic_arrow::object_store::{Error, ObjectStore as _, ObjectStoreExt as _, PutMode};
use futures::FutureExt as _;

use crate::faulty_store::{Answer, Fault, FaultyStore, Request, Rule};

fn faulty() -> FaultyStore<InMemory> {
    FaultyStore::new(Arc::new(InMemory::new()))
}

/// The answer of the store in memory, which is there at once.
fn now<T>(answer: impl Future<Output = T>) -> T {
    answer.now_or_never().unwrap()
}

#[test]
fn a_fault_before_a_request_changes_nothing_and_one_after_it_does() {
    let store = faulty();
    let key = "lake/a".into();
    store.fail(Rule::on(Request::Put), Fault::before(Answer::AlreadyExists));
    let error = now(store.put(&key, "one".into())).unwrap_err();
    assert!(matches!(error, Error::AlreadyExists { .. }), "{error}");
    assert!(now(store.head(&key)).is_err());

    store.fail(
        Rule::on(Request::PutIfAbsent).at("lake/"),
        Fault::after(Answer::Doubtful),
    );
    let create = || store.put_opts(&key, "two".into(), PutMode::Create.into());
    let error = now(create()).unwrap_err();
    assert!(matches!(error, Error::Generic { .. }), "{error}");
    assert_eq!(now(store.head(&key)).unwrap().size, 3);
    let error = now(create()).unwrap_err();
    assert!(matches!(error, Error::AlreadyExists { .. }), "{error}");
}

#[test]
fn a_rule_is_for_the_requests_that_it_names_and_no_others() {
    let store = faulty();
    store.fail(
        Rule::on(Request::Put).at("/b").nth(2).times(2),
        Fault::before(Answer::PermissionDenied),
    );
    let put = |key: &str| now(store.put(&key.into(), "x".into())).is_ok();
    let done = ["a/a", "a/b", "a/a", "a/b", "a/b", "a/b"].map(put);
    assert_eq!(done, [true, true, true, false, false, true]);
    assert_eq!(store.take_counts(), [(Request::Put, 6)].into());
    assert!(store.take_seen().is_empty());
}

#[test]
fn somebody_else_may_come_between_and_the_clock_of_the_store_may_go_on() {
    let inner = Arc::new(InMemory::new());
    let store = FaultyStore::new(Arc::clone(&inner));
    let other = Arc::clone(&inner);
    store.meanwhile(Rule::on(Request::PutIfAbsent), move || {
        now(other.put(&"a".into(), "theirs".into())).unwrap();
    });
    let key = "a".into();
    let create = store.put_opts(&key, "ours".into(), PutMode::Create.into());
    assert!(matches!(now(create), Err(Error::AlreadyExists { .. })));

    now(store.put(&"b".into(), "early".into())).unwrap();
    store.advance(Duration::from_secs(3600));
    now(store.put(&"c".into(), "late".into())).unwrap();
    let modified = |key: &str| now(store.head(&key.into())).unwrap().last_modified;
    let between = (modified("c") - modified("b")).num_seconds();
    assert!((3600..3660).contains(&between), "{between}");
}
