//! What the tests of dying and sleeping writers rest on is taken away, and they have to notice.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use std::sync::Arc;

use atomic_arrow::object_store::memory::InMemory;
use atomic_arrow::{CommitMode, Error, Outcome, RecoverOptions, recover_with_options};

use crate::deaths::{LONG, Scenario, sleep_at_every_request};
use crate::faulty_store::{Answer, Fault, FaultyStore, Request, Rule};
use crate::lake::{Lake, batch, owned, schema};
use crate::publishing::copies_of_two_that_claim;

/// Whether a check fails.
fn notices(check: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(check)).is_err()
}

#[test]
fn without_conditions_a_writer_that_was_aborted_commits() {
    assert!(notices(|| sleep_at_every_request(
        Scenario::Append,
        |store| store.ignore_conditions("/tx/")
    )));
}

#[test]
fn without_tokens_nobody_can_tell_what_became_of_a_lost_reply() {
    let commit = |prepare: fn(&FaultyStore<InMemory>)| {
        let (lake, store) = Lake::faulty();
        lake.write(CommitMode::Append, &[("KSEA", 1.0)]).unwrap();
        prepare(&store);
        let lock = Rule::on(Request::PutIfAbsent).at("/lock/");
        store.fail(lock, Fault::after(Answer::Doubtful));
        lake.write(CommitMode::ErrorIfExists, &[("KJFK", 2.0)])
    };
    commit(|_| {}).unwrap();
    let error = commit(|store| store.ignore_metadata()).unwrap_err();
    assert_eq!(error.outcome(), Outcome::NotPublished);
}

#[test]
fn without_a_condition_two_hold_the_lock() {
    let both = |prepare: fn(&FaultyStore<InMemory>)| {
        let (lake, store) = Lake::faulty();
        lake.write(CommitMode::Append, &[("KSEA", 1.0)]).unwrap();
        prepare(&store);
        let lake = Arc::new(lake);
        let other = Arc::clone(&lake);
        // As one is about to make the lock, the other makes it and writes.
        store.meanwhile(Rule::on(Request::PutIfAbsent).at("/lock/"), move || {
            let other = Arc::clone(&other);
            let writes = move || other.write(CommitMode::ErrorIfExists, &[("KJFK", 2.0)]);
            std::thread::spawn(writes).join().unwrap().unwrap();
        });
        lake.write(CommitMode::OverwritePartitions, &[("KSEA", 3.0)])
            .unwrap();
        let locks = lake.keys().into_iter();
        locks
            .filter(|key| key.contains("/lock/"))
            .collect::<Vec<_>>()
    };
    let kept = both(|_| {});
    let lost = both(|store| store.ignore_conditions("/lock/"));
    assert!(kept[0] > lost[0], "{kept:?} {lost:?}");
}

#[test]
fn without_a_condition_two_publish_what_one_has_claimed() {
    assert_eq!(copies_of_two_that_claim(|_| {}), 0);
    assert_eq!(
        copies_of_two_that_claim(|store| store.ignore_conditions(".claim")),
        1
    );
}

#[test]
fn a_writer_that_waits_for_rows_is_not_taken_for_dead_but_one_that_is_silent_is() {
    let soon = Duration::from_millis(1500);
    let commit = |dead_after: Duration, wait: fn(&FaultyStore<InMemory>)| {
        let (lake, store) = Lake::faulty();
        lake.write(CommitMode::Append, &[("KJFK", 1.0)]).unwrap();
        let options = lake.options().dead_after(dead_after);
        let builder = lake.builder().object_store(options.clone());
        let mut writer = builder.build(schema()).unwrap();
        wait(&store);
        let recover = RecoverOptions::new().object_store(options);
        let recovery = recover_with_options(lake.root(), &recover).unwrap();
        writer.write(&batch(&[("KSEA", 2.0)]))?;
        writer.commit()?;
        assert_eq!(recovery.alive.len(), 1);
        assert_eq!(lake.rows(), owned(&[("KJFK", 1.0), ("KSEA", 2.0)]));
        Ok::<(), Error>(())
    };
    commit(soon, |_| std::thread::sleep(Duration::from_secs(3))).unwrap();
    // Its next sign of life would come a minute later.
    let silent = commit(Duration::from_secs(15 * 60), |store| store.advance(LONG));
    // The client of a store that is given may have made the request twice: then somebody may have carried it out.
    assert!(matches!(silent, Err(Error::Unknown { .. })), "{silent:?}");
}
