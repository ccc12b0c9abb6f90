//! What docs/object-stores.md promises of staged and published objects, and of commits that meet, on a store in memory.

use std::sync::Arc;

use atomic_arrow::object_store::memory::InMemory;
use atomic_arrow::object_store::path::Path as Key;
use atomic_arrow::object_store::{ObjectStore as _, ObjectStoreExt as _};
use atomic_arrow::{AtomicFile, CommitMode, Error, FileOptions, Outcome};
use futures::{FutureExt as _, TryStreamExt as _};

use crate::deaths::{LONG, large};
use crate::faulty_store::{Answer, Fault, FaultyStore, Request, Rule};
use crate::lake::{Lake, alter, owned, write};

type Faulty = Arc<FaultyStore<InMemory>>;

const STAGED: &str = ".staged";

fn seeded() -> (Arc<Lake>, Faulty) {
    let (lake, store) = Lake::faulty();
    lake.write(CommitMode::Append, &[("KSEA", 1.0)]).unwrap();
    (Arc::new(lake), store)
}

/// What is done at once, as it is in memory.
fn now<T>(done: impl Future<Output = T>) -> T {
    done.now_or_never().unwrap()
}

/// Changes the bytes of every object whose key has this in it; those of whom nothing is left are removed.
fn change(store: &Faulty, part: &str, change: fn(&mut Vec<u8>)) {
    let listed: Vec<_> = now(store.list(None).try_collect()).unwrap();
    for object in listed {
        let key: Key = object.location;
        if !key.as_ref().contains(part) {
            continue;
        }
        let found = now(store.get(&key)).unwrap();
        let mut bytes = now(found.bytes()).unwrap().to_vec();
        change(&mut bytes);
        if bytes.is_empty() {
            now(store.delete(&key)).unwrap();
        } else {
            now(store.put(&key, bytes.into())).unwrap();
        }
    }
}

/// Somebody changes objects just before a request.
fn somebody_changes(store: &Faulty, rule: Rule, part: &'static str, how: fn(&mut Vec<u8>)) {
    let other = Arc::clone(store);
    store.meanwhile(rule, move || change(&other, part, how));
}

#[test]
fn what_was_stored_wrongly_is_found_before_it_is_visible_where_it_is_read_back() {
    for rows in [large(), vec![("KLAX", 2.0)]] {
        let (lake, store) = seeded();
        somebody_changes(
            &store,
            Rule::on(Request::Head).at(STAGED),
            STAGED,
            |bytes| alter(bytes),
        );
        let options = lake.options().part_size(4 << 10).read_back(true);
        store.take_seen();
        let error = write(lake.builder().object_store(options), &rows).unwrap_err();
        assert!(matches!(error, Error::Damaged { .. }), "{error}");
        assert_eq!(error.outcome(), Outcome::NotPublished);
        // Parts cannot be read before they are put together, and then they are visible.
        let seen = store.take_seen().into_iter();
        let parts = seen.filter(|(kind, _)| *kind == Request::PutPart);
        assert_eq!(
            parts.filter(|(_, key)| key.starts_with("weather/")).count(),
            0
        );
        assert_eq!(lake.leftovers(), Vec::<String>::new());
        assert_eq!(lake.rows(), owned(&[("KSEA", 1.0)]));
    }
}

#[test]
fn a_file_by_itself_cannot_be_read_back_before_it_is_visible() {
    let (lake, _store) = seeded();
    let options = FileOptions::new().object_store(lake.options().read_back(true));
    let refused = AtomicFile::create_with_options("memory://lake/a.json", options).unwrap_err();
    let Error::InvalidOption { option, .. } = refused else {
        panic!("{refused}");
    };
    assert_eq!(option, "read_back");
}

#[test]
fn what_is_staged_must_be_there_as_it_was_put_at_the_commit_point() {
    let shorter = |bytes: &mut Vec<u8>| bytes.truncate(bytes.len() - 1);
    for how in [|bytes: &mut Vec<u8>| alter(bytes), shorter, Vec::clear] {
        let (lake, store) = seeded();
        let looks = Rule::on(Request::List).at(".files").always();
        somebody_changes(&store, looks, STAGED, how);
        let error = lake
            .write(CommitMode::Append, &[("KJFK", 2.0), ("KLAX", 3.0)])
            .unwrap_err();
        assert!(matches!(error, Error::StagingLost { .. }), "{error}");
        assert_eq!(error.outcome(), Outcome::NotPublished);
        assert_eq!(lake.leftovers(), Vec::<String>::new());
        assert_eq!(lake.rows(), owned(&[("KSEA", 1.0)]));
    }
}

#[test]
fn a_file_that_is_published_in_another_length_keeps_its_staged_object() {
    let (lake, store) = seeded();
    let shorter = |bytes: &mut Vec<u8>| bytes.truncate(bytes.len() - 1);
    let looks = Rule::on(Request::Head).at("weather/station_id=KJFK");
    somebody_changes(&store, looks.always(), "weather/station_id=KJFK", shorter);
    let error = lake
        .write(CommitMode::Append, &[("KJFK", 2.0)])
        .unwrap_err();
    assert_eq!(error.outcome(), Outcome::PublishedInPart, "{error}");
    let staged = lake.keys().into_iter();
    assert_eq!(staged.filter(|key| key.ends_with(STAGED)).count(), 1);
    store.heal();
    store.advance(LONG);
    assert!(lake.recover().unwrap().failed.is_empty());
    assert_eq!(lake.rows(), owned(&[("KJFK", 2.0), ("KSEA", 1.0)]));
}

#[test]
fn a_store_without_conditions_is_refused_when_a_process_first_writes_to_it() {
    for ignores in [true, false] {
        let (lake, store) = Lake::faulty();
        if ignores {
            store.ignore_conditions("");
        } else {
            let refused = Fault::before(Answer::NotSupported);
            store.fail(Rule::on(Request::PutIfMatch).always(), refused);
        }
        let error = lake
            .write(CommitMode::Append, &[("KSEA", 1.0)])
            .unwrap_err();
        assert!(error.to_string().contains("If-None-Match"), "{error}");
        assert_eq!(error.outcome(), Outcome::NotPublished);
        assert_eq!(lake.files(), Vec::<String>::new());
    }
}

#[test]
fn an_overwrite_conflicts_with_what_came_to_its_partitions_meanwhile() {
    let (lake, store) = seeded();
    let other = Arc::clone(&lake);
    let locked = Rule::on(Request::PutIfAbsent).at("/lock/");
    store.meanwhile(locked, move || {
        let other = Arc::clone(&other);
        let append = move || other.write(CommitMode::Append, &[("KSEA", 2.0)]).unwrap();
        std::thread::spawn(append).join().unwrap();
    });
    let error = lake
        .write(CommitMode::OverwritePartitions, &[("KSEA", 3.0)])
        .unwrap_err();
    assert!(matches!(error, Error::Conflict { .. }), "{error}");
    assert_eq!(lake.rows(), owned(&[("KSEA", 1.0), ("KSEA", 2.0)]));
    assert_eq!(lake.leftovers(), Vec::<String>::new());
}

#[test]
fn an_append_goes_on_beside_a_commit_that_is_decided_and_not_over() {
    let (lake, store) = seeded();
    let copies = Rule::on(Request::Copy).always();
    store.fail(copies, Fault::before(Answer::Doubtful));
    let unfinished = lake.write(CommitMode::OverwritePartitions, &[("KSEA", 2.0)]);
    assert!(unfinished.is_err());
    store.heal();
    store.take_seen();
    lake.write(CommitMode::Append, &[("KSEA", 3.0)]).unwrap();
    let seen = store.take_seen();
    let locks = seen.iter().filter(|(_, key)| key.contains("/lock/"));
    assert_eq!(locks.count(), 0, "{seen:?}");
    assert!(lake.rows().contains(&("KSEA".to_owned(), 3.0)));
    store.advance(LONG);
    lake.recover().unwrap();
    // What the overwrite found when it was decided goes, and what came since stays.
    assert_eq!(lake.rows(), owned(&[("KSEA", 2.0), ("KSEA", 3.0)]));
}

#[test]
fn a_recovery_tells_once_of_an_upload_that_the_store_refuses_to_remove() {
    let (lake, store) = seeded();
    let dying = Arc::clone(&store);
    store.meanwhile(decision(), move || {
        dying.fail(Rule::on_any().always(), Fault::before(Answer::Doubtful));
    });
    write(lake.in_parts(), &large()).unwrap_err();
    store.heal();
    store.advance(LONG);
    let denied = Fault::before(Answer::PermissionDenied);
    store.fail(Rule::on(Request::AbortUpload).always(), denied);
    let failed = [(), ()].map(|()| lake.recover().unwrap().failed.len());
    assert_eq!(failed, [1, 0]);
    assert_eq!(lake.leftovers(), Vec::<String>::new());
}

fn decision() -> Rule {
    Rule::on(Request::PutIfMatch).at("/tx/")
}
