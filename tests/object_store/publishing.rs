//! Who publishes a decided commit, its writer or whoever recovers it: what each tells, does once, and leaves to others.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use atomic_arrow::object_store::memory::InMemory;
use atomic_arrow::object_store::{ObjectStore, ObjectStoreExt as _};
use atomic_arrow::{
    CommitMode, Error, ObjectStoreOptions, Outcome, Receipt, RecoverOptions, Recovery,
    StagedWrites, Step, recover_with_options, staged_in_store,
};
use futures::FutureExt as _;

use crate::deaths::{LONG, large_of};
use crate::faulty_store::{Answer, Fault, FaultyStore, Request, Rule};
use crate::lake::{Lake, batch, owned, schema, write};

type Faulty = Arc<FaultyStore<InMemory>>;

const NOTHING: Fault = Fault::before(Answer::Doubtful);
/// What a writer puts that leaves its commit to others.
const RELEASED: &str = ".released";

fn lake() -> (Arc<Lake>, Faulty) {
    let (lake, store) = Lake::faulty();
    (Arc::new(lake), store)
}

/// Does something on another thread, as another process would: a request is made on the library's own threads.
fn elsewhere<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    std::thread::spawn(work).join().unwrap()
}

fn give_up(lake: &Lake) -> Recovery {
    let options = RecoverOptions::new()
        .object_store(lake.options())
        .abort_unfinished(true);
    recover_with_options(lake.root(), &options).unwrap()
}

/// Lets a writer die when it has decided its commit, before anything is published.
fn die_decided(store: &Faulty, write: impl FnOnce() -> atomic_arrow::Result<Receipt>) {
    for publication in [Request::Copy, Request::CompleteUpload] {
        store.fail(Rule::on(publication).always(), NOTHING);
    }
    // Who dies does not say that he leaves the rest to others.
    store.fail(Rule::on(Request::Put).at(RELEASED), NOTHING);
    let error = write().unwrap_err();
    assert_eq!(error.outcome(), Outcome::PublishedInPart, "{error}");
    store.heal();
    store.advance(LONG);
    store.take_seen();
}

/// The transactions that are left.
fn transactions(lake: &Lake) -> Vec<String> {
    let mut keys = lake.keys();
    // Without what is beside them, whose names are longer.
    keys.retain(|key| {
        let name = key.rsplit_once("/tx/");
        name.is_some_and(|(_, name)| name.len() == 36)
    });
    keys
}

fn copies(store: &Faulty) -> usize {
    store
        .take_counts()
        .get(&Request::Copy)
        .copied()
        .unwrap_or_default()
}

#[test]
fn a_commit_that_others_gave_up_is_not_told_as_done_nor_remembered() {
    for (published, outcome) in [(0, Outcome::NotPublished), (1, Outcome::Lost)] {
        let (lake, store) = lake();
        let others = {
            let (lake, store) = (Arc::clone(&lake), Arc::clone(&store));
            move || {
                store.advance(LONG);
                let lake = Arc::clone(&lake);
                let recovery = elsewhere(move || give_up(&lake));
                assert_eq!(recovery.abandoned.len(), 1, "{recovery:?}");
            }
        };
        let refused = Rule::on(Request::Copy).nth(published + 1);
        store.fail(refused.clone().always(), NOTHING);
        store.meanwhile(refused, others);
        let options = lake.options().parallel_requests(1);
        let named = lake.builder().object_store(options).write_id("monday");
        let error = write(named, &[("KJFK", 1.0), ("KSEA", 2.0)]).unwrap_err();
        assert_eq!(error.outcome(), outcome, "{error}");
        let Error::FilesLost {
            published: told, ..
        } = error
        else {
            panic!("{error}");
        };
        assert_eq!(told as usize, published);
        store.heal();
        assert_eq!(lake.files().len(), published);
        let keys = lake.keys();
        assert!(!keys.iter().any(|key| key.contains("/writes/")), "{keys:?}");
        // The name is free again.
        let again = write(lake.builder().write_id("monday"), &[("KORD", 3.0)]);
        assert!(!again.unwrap().replayed());
    }
}

#[test]
fn what_a_writer_leaves_in_order_is_finished_at_once() {
    for in_parts in [false, true] {
        let (lake, store) = lake();
        let publication = match in_parts {
            false => Request::Copy,
            true => Request::CompleteUpload,
        };
        store.fail(Rule::on(publication).always(), NOTHING);
        let left = match in_parts {
            false => lake.write(CommitMode::Append, &[("KSEA", 1.0)]),
            true => write(lake.in_parts(), &large_of("KSEA")),
        };
        let error = left.unwrap_err();
        assert_eq!(error.outcome(), Outcome::PublishedInPart, "{error}");
        store.heal();
        assert_eq!(lake.files(), Vec::<String>::new());
        let looked = recover_with_options(
            lake.root(),
            &RecoverOptions::new()
                .object_store(lake.options())
                .dry_run(true),
        );
        assert_eq!(looked.unwrap().finished.len(), 1);
        let recovery = lake.recover().unwrap();
        assert_eq!(recovery.finished.len(), 1, "{recovery:?}");
        assert_eq!(lake.files().len(), 1);
        let mut left = lake.leftovers();
        left.retain(|key| !key.ends_with(".late"));
        assert_eq!(left, Vec::<String>::new());
    }
    // The next writer finishes it, too, and one that waits for the lock at that moment.
    let (lake, store) = lake();
    store.fail(Rule::on(Request::Copy).nth(1).always(), NOTHING);
    let left = lake.write(CommitMode::ErrorIfExists, &[("KSEA", 1.0)]);
    assert_eq!(left.unwrap_err().outcome(), Outcome::PublishedInPart);
    store.heal();
    lake.write(CommitMode::ErrorIfExists, &[("KJFK", 2.0)])
        .unwrap();
    assert_eq!(lake.rows(), owned(&[("KJFK", 2.0), ("KSEA", 1.0)]));
}

#[test]
fn what_is_decided_is_published_although_the_store_fails_for_a_while() {
    let (_, store) = lake();
    // With the patience that writers have.
    let options = ObjectStoreOptions::new().store_with_parts(Arc::clone(&store));
    let client = Arc::clone(&store) as Arc<dyn ObjectStore>;
    let lake = Lake::new(client, options, "memory://lake");
    let copy = |number| Rule::on(Request::Copy).nth(number);
    store.fail(copy(1), NOTHING);
    store.fail(copy(4), Fault::after(Answer::Doubtful));
    let rows = [("KJFK", 1.0), ("KORD", 2.0), ("KSEA", 3.0)];
    lake.write(CommitMode::Append, &rows).unwrap();
    assert_eq!(lake.rows(), owned(&rows));
    assert_eq!(lake.leftovers(), Vec::<String>::new());
    // What it refuses is not asked for again.
    store.take_counts();
    store.fail(copy(1).always(), Fault::before(Answer::PermissionDenied));
    let refused = lake
        .write(CommitMode::Append, &[("KBOS", 4.0)])
        .unwrap_err();
    assert_eq!(refused.outcome(), Outcome::PublishedInPart, "{refused}");
    assert_eq!(copies(&store), 1);
    // Nor by who was told to give up.
    store.heal();
    assert_eq!(lake.recover().unwrap().finished.len(), 1);
    store.take_counts();
    store.fail(copy(1).always(), NOTHING);
    let gives_up = lake.builder().interrupt_when(|step| step == Step::Publish);
    let left = write(gives_up, &[("KPHX", 5.0)]).unwrap_err();
    assert_eq!(left.outcome(), Outcome::PublishedInPart, "{left}");
    assert_eq!(copies(&store), 1);
}

#[test]
fn whoever_asks_to_be_waited_for_is_not_taken_for_dead_sooner() {
    let hour = Duration::from_secs(60 * 60);
    let (lake, store) = lake();
    let patient = lake.options().dead_after(hour * 6);
    let mut writer = lake
        .builder()
        .object_store(patient)
        .build(schema())
        .unwrap();
    store.advance(LONG);
    let recovery = lake.recover().unwrap();
    assert_eq!(recovery.alive.len(), 1, "{recovery:?}");
    writer.write(&batch(&[("KSEA", 1.0)])).unwrap();
    store.advance(hour * 7);
    let recovery = elsewhere({
        let lake = Arc::clone(&lake);
        move || lake.recover().unwrap()
    });
    assert_eq!(recovery.aborted.len(), 1, "{recovery:?}");
    let error = writer.commit().unwrap_err();
    assert!(matches!(error, Error::Unknown { .. }), "{error}");
}

#[test]
fn a_writer_that_may_not_read_the_clock_once_goes_on() {
    let (lake, store) = lake();
    die_decided(&store, || lake.write(CommitMode::Append, &[("KSEA", 1.0)]));
    let denied = Fault::before(Answer::PermissionDenied);
    store.fail(Rule::on(Request::Put).at("/clock"), denied);
    let (told, ended) = channel();
    let writer = Arc::clone(&lake);
    std::thread::spawn(move || {
        let written = writer.write(CommitMode::Append, &[("KSEA", 2.0)]);
        told.send(written.map(drop)).unwrap();
    });
    let written = ended.recv_timeout(Duration::from_secs(20));
    written.expect("it ends").unwrap();
    assert_eq!(lake.rows(), owned(&[("KSEA", 1.0), ("KSEA", 2.0)]));
}

#[test]
fn a_writer_that_never_may_read_the_clock_says_so() {
    let (lake, store) = lake();
    let soon = lake.options().dead_after(Duration::from_secs(1));
    let builder = || {
        let builder = lake.builder().object_store(soon.clone());
        builder.mode(CommitMode::Append)
    };
    die_decided(&store, || write(builder(), &[("KSEA", 1.0)]));
    let denied = Fault::before(Answer::PermissionDenied);
    store.fail(Rule::on(Request::Put).at("/clock").always(), denied);
    std::thread::sleep(Duration::from_millis(2500));
    let (told, ended) = channel();
    let builder = builder();
    std::thread::spawn(move || {
        let written = write(builder, &[("KSEA", 2.0)]);
        told.send(written.map(drop)).unwrap();
    });
    let error = ended.recv_timeout(Duration::from_secs(20));
    let error = error.expect("it ends").unwrap_err();
    let told = format!("{error:?}");
    assert!(
        told.contains("clock") && told.contains("PermissionDenied"),
        "{told}"
    );
    assert_eq!(error.outcome(), Outcome::NotPublished);
}

/// The clock of the store is put again by somebody else while its age is asked for.
#[test]
fn a_slow_answer_about_the_clock_makes_nobody_older() {
    let (lake, store) = lake();
    let soon = lake.options().dead_after(Duration::from_secs(2));
    let builder = lake.builder().object_store(soon.clone());
    let mut writer = builder.build(schema()).unwrap();
    let clock = Arc::clone(&store);
    store.meanwhile(Rule::on(Request::Head).at("/clock"), move || {
        std::thread::sleep(Duration::from_secs(4));
        let key = ".weather.atomic/clock".into();
        let put = clock.put(&key, "later".into());
        put.now_or_never().unwrap().unwrap();
    });
    let options = RecoverOptions::new().object_store(soon);
    let recovery = recover_with_options(lake.root(), &options).unwrap();
    assert_eq!(recovery.aborted.len(), 0, "{recovery:?}");
    writer.write(&batch(&[("KSEA", 1.0)])).unwrap();
    writer.commit().unwrap();
}

#[test]
fn a_copy_that_a_store_only_says_it_did_keeps_its_source() {
    for files in [1, 3] {
        let (lake, store) = lake();
        store.fail(Rule::on(Request::Copy), Fault::before(Answer::Done));
        let rows = &[("KJFK", 1.0), ("KLAX", 2.0), ("KSEA", 3.0)][..files];
        let error = lake.write(CommitMode::Append, rows).unwrap_err();
        assert_eq!(error.outcome(), Outcome::PublishedInPart, "{error}");
        store.advance(LONG);
        assert_eq!(lake.recover().unwrap().finished.len(), 1);
        assert_eq!(lake.rows(), owned(rows));
        assert_eq!(transactions(&lake), Vec::<String>::new());
    }
}

#[test]
fn of_what_is_lost_the_error_counts_what_is_published() {
    let (lake, store) = lake();
    let gone = Fault::before(Answer::NotFound);
    store.fail(Rule::on(Request::CompleteUpload).always(), gone);
    let rows: Vec<_> = ["KJFK", "KLAX", "KSEA"]
        .into_iter()
        .flat_map(large_of)
        .collect();
    let error = write(lake.in_parts(), &rows).unwrap_err();
    let Error::FilesLost {
        lost,
        published,
        total,
        ..
    } = error
    else {
        panic!("{error}");
    };
    assert_eq!((lost, published, total), (3, 0, 3));
}

#[test]
fn an_aborted_write_whose_upload_cannot_be_removed_holds_up_nobody() {
    let (lake, store) = lake();
    lake.write(CommitMode::Append, &[("KSEA", 1.0)]).unwrap();
    let dying = Arc::clone(&store);
    store.meanwhile(Rule::on(Request::PutIfAbsent).at("/lock/"), move || {
        dying.fail(Rule::on_any().always(), NOTHING);
    });
    let overwrite = lake.in_parts().mode(CommitMode::OverwritePartitions);
    write(overwrite, &large_of("KLAX")).unwrap_err();
    store.heal();
    store.advance(LONG);
    let denied = Fault::before(Answer::PermissionDenied);
    store.fail(Rule::on(Request::AbortUpload).always(), denied);
    lake.write(CommitMode::OverwritePartitions, &[("KSEA", 2.0)])
        .unwrap();
    assert_eq!(lake.rows(), owned(&[("KSEA", 2.0)]));
    assert_eq!(transactions(&lake), Vec::<String>::new());
}

#[test]
fn a_commit_that_nobody_can_finish_holds_up_its_own_partitions_alone() {
    let (lake, store) = lake();
    lake.write(CommitMode::Append, &[("KJFK", 1.0), ("KSEA", 2.0)])
        .unwrap();
    let overwrite = |station: &str, row| {
        let rows = [(station, row)];
        lake.write(CommitMode::OverwritePartitions, &rows)
    };
    die_decided(&store, || overwrite("KJFK", 3.0));
    let staged = lake.keys();
    let staged = staged.iter().find(|key| key.ends_with(".staged"));
    let staged = staged.unwrap().as_str().into();
    let deleted = store.delete(&staged);
    deleted.now_or_never().unwrap().unwrap();
    for row in [4.0, 5.0] {
        overwrite("KSEA", row).unwrap();
        assert_eq!(lake.rows(), owned(&[("KJFK", 1.0), ("KSEA", row)]));
        // Also after its lock is the highest no more.
        let blocked = overwrite("KJFK", 6.0).unwrap_err();
        assert!(matches!(blocked, Error::Blocked { .. }), "{blocked}");
        lake.recover().unwrap();
    }
    assert_eq!(give_up(&lake).abandoned.len(), 1);
    overwrite("KJFK", 7.0).unwrap();
    assert_eq!(lake.rows(), owned(&[("KJFK", 7.0), ("KSEA", 5.0)]));
    lake.recover().unwrap();
    let mut left = lake.leftovers();
    left.retain(|key| !key.ends_with(".late") && !key.ends_with(".given-up"));
    assert_eq!(left, Vec::<String>::new());
}

fn stage_in_parts(lake: &Lake, station: &'static str) -> atomic_arrow::StagedWrite {
    let mut writer = lake.in_parts().build(schema()).unwrap();
    writer.write(&batch(&large_of(station))).unwrap();
    writer.stage().unwrap()
}

#[test]
fn who_gives_up_a_commit_of_staged_writes_removes_their_uploads() {
    let (lake, store) = lake();
    let staged = ["KJFK", "KSEA"].map(|station| stage_in_parts(&lake, station));
    die_decided(&store, || {
        let writes = StagedWrites::new(staged);
        writes.object_store(lake.options()).commit()
    });
    let publication = Rule::on(Request::CompleteUpload).always();
    store.fail(publication, NOTHING);
    assert_eq!(give_up(&lake).abandoned.len(), 1);
    let counts = store.take_counts();
    assert_eq!(counts[&Request::AbortUpload], 2, "{counts:?}");
    assert_eq!(transactions(&lake), Vec::<String>::new());
}

#[test]
fn what_failed_to_be_staged_is_not_on_offer() {
    let (lake, store) = lake();
    let mut writer = lake.builder().job("monday").build(schema()).unwrap();
    writer.write(&batch(&[("KSEA", 1.0)])).unwrap();
    // The decision is done, and nobody tells.
    let decision = Rule::on(Request::PutIfMatch).at("/tx/").times(5);
    store.fail(decision, Fault::after(Answer::Doubtful));
    let looks = Rule::on(Request::Head).at("/tx/").times(5);
    store.fail(looks, NOTHING);
    store.fail(Rule::on(Request::Get).at("/tx/"), NOTHING);
    let error = writer.stage().unwrap_err();
    assert_eq!(error.outcome(), Outcome::NotPublished, "{error}");
    let waiting = staged_in_store(lake.root(), &lake.options()).unwrap();
    assert_eq!(waiting.len(), 0);
    assert_eq!(transactions(&lake), Vec::<String>::new());
}

#[test]
fn what_may_be_staged_all_the_same_is_told_as_unknown() {
    let (lake, store) = lake();
    let mut writer = lake.builder().job("monday").build(schema()).unwrap();
    writer.write(&batch(&[("KSEA", 1.0)])).unwrap();
    let decision = Rule::on(Request::PutIfMatch).at("/tx/");
    store.fail(decision, Fault::after(Answer::Doubtful));
    let dying = Arc::clone(&store);
    store.meanwhile(Rule::on(Request::Head).at("/tx/"), move || {
        dying.fail(Rule::on_any().always(), NOTHING);
    });
    store.fail(Rule::on(Request::Head).at("/tx/"), NOTHING);
    let error = writer.stage().unwrap_err();
    assert_eq!(error.outcome(), Outcome::Unknown, "{error}");
    store.heal();
    let waiting = staged_in_store(lake.root(), &lake.options()).unwrap();
    assert_eq!(waiting.len(), 1);
}

#[test]
fn what_is_published_is_not_copied_again() {
    let (lake, store) = lake();
    let names: Vec<String> = (0..50).map(|number| format!("K{number:03}")).collect();
    let rows: Vec<(&str, f64)> = names.iter().map(|name| (name.as_str(), 1.0)).collect();
    store.fail(Rule::on(Request::Copy).nth(41).always(), NOTHING);
    lake.write(CommitMode::Append, &rows).unwrap_err();
    store.heal();
    store.advance(LONG);
    store.take_seen();
    assert_eq!(lake.recover().unwrap().finished.len(), 1);
    assert_eq!(lake.recover().unwrap().finished.len(), 0);
    assert_eq!(copies(&store), 10);
    assert_eq!(lake.rows().len(), 50);
}

#[test]
fn what_one_recovers_others_leave_to_him_while_he_lives() {
    let (lake, store) = lake();
    die_decided(&store, || lake.write(CommitMode::Append, &[("KSEA", 1.0)]));
    let seen = Arc::new(Mutex::new(None));
    let others = {
        let (lake, store, seen) = (Arc::clone(&lake), Arc::clone(&store), Arc::clone(&seen));
        move || {
            let other = Arc::clone(&lake);
            let while_alive = elsewhere(move || other.recover().unwrap());
            store.advance(LONG);
            let other = Arc::clone(&lake);
            let when_silent = elsewhere(move || other.recover().unwrap());
            *seen.lock().unwrap() = Some((while_alive, when_silent));
        }
    };
    store.meanwhile(Rule::on(Request::Copy), others);
    lake.recover().unwrap();
    let seen = seen.lock().unwrap().take();
    let (while_alive, when_silent) = seen.unwrap();
    assert_eq!(while_alive.alive.len(), 1, "{while_alive:?}");
    assert_eq!(when_silent.finished.len(), 1, "{when_silent:?}");
    assert_eq!(lake.rows(), owned(&[("KSEA", 1.0)]));
    let mut left = lake.leftovers();
    left.retain(|key| !key.ends_with(".late"));
    assert_eq!(left, Vec::<String>::new());
}

#[test]
fn whoever_failed_to_finish_a_commit_leaves_it_to_others_at_once() {
    let (lake, store) = lake();
    die_decided(&store, || lake.write(CommitMode::Append, &[("KSEA", 1.0)]));
    store.fail(Rule::on(Request::Copy), NOTHING);
    assert_eq!(lake.recover().unwrap().failed.len(), 1);
    assert_eq!(lake.recover().unwrap().finished.len(), 1);
    assert_eq!(lake.rows(), owned(&[("KSEA", 1.0)]));
}

/// The copies of whoever recovers while somebody else has claimed the commit at the same moment.
pub(crate) fn copies_of_two_that_claim(prepare: fn(&FaultyStore<InMemory>)) -> usize {
    let (lake, store) = lake();
    die_decided(&store, || lake.write(CommitMode::Append, &[("KSEA", 1.0)]));
    prepare(&store);
    let claim = format!("{}.claim", transactions(&lake)[0]).into();
    let other = Arc::clone(&store);
    store.meanwhile(Rule::on(Request::PutIfAbsent).at(".claim"), move || {
        let put = other.put(&claim, "theirs".into());
        put.now_or_never().unwrap().unwrap();
    });
    lake.recover().unwrap();
    copies(&store)
}

#[test]
fn of_two_that_claim_a_commit_one_publishes_it() {
    assert_eq!(copies_of_two_that_claim(|_| {}), 0);
}

#[test]
fn a_writer_that_is_slow_to_publish_is_not_taken_for_dead() {
    let (lake, store) = lake();
    let soon = lake.options().dead_after(Duration::from_secs(2));
    let alive = Arc::new(Mutex::new(None));
    let others = {
        let (lake, alive, soon) = (Arc::clone(&lake), Arc::clone(&alive), soon.clone());
        move || {
            std::thread::sleep(Duration::from_secs(4));
            let (lake, soon) = (Arc::clone(&lake), soon.clone());
            let recovery = elsewhere(move || {
                let options = RecoverOptions::new().object_store(soon);
                recover_with_options(lake.root(), &options).unwrap()
            });
            *alive.lock().unwrap() = Some(recovery);
        }
    };
    store.meanwhile(Rule::on(Request::Copy), others);
    let builder = lake.builder().object_store(soon);
    write(builder, &[("KSEA", 1.0)]).unwrap();
    let recovery = alive.lock().unwrap().take().unwrap();
    assert_eq!(recovery.alive.len(), 1, "{recovery:?}");
    assert_eq!(lake.leftovers(), Vec::<String>::new());
}

/// An overwrite of all that is there, for a moment: `None` if it waits for others.
fn overwrite_at_once(lake: &Lake) -> Option<Receipt> {
    let gives_up = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&gives_up);
    let builder = lake.builder().mode(CommitMode::Overwrite);
    let builder = builder.interrupt_when(move |_| asked.load(Ordering::Relaxed));
    std::thread::scope(|scope| {
        let written = scope.spawn(move || write(builder, &[("KORD", 9.0)]));
        for _ in 0..100 {
            if written.is_finished() {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        gives_up.store(true, Ordering::Relaxed);
        match written.join().unwrap() {
            Ok(receipt) => Some(receipt),
            Err(Error::Interrupted { .. }) => None,
            Err(error) => panic!("{error}"),
        }
    })
}

#[test]
fn a_late_copy_is_waited_for_from_when_its_source_went() {
    let (lake, store) = lake();
    die_decided(&store, || lake.write(CommitMode::Append, &[("KSEA", 1.0)]));
    let clock = Arc::clone(&store);
    store.meanwhile(Rule::on(Request::Delete).at(".staged"), move || {
        clock.advance(Duration::from_secs(16 * 60));
    });
    assert_eq!(lake.recover().unwrap().finished.len(), 1);
    assert!(overwrite_at_once(&lake).is_none());
    store.advance(Duration::from_secs(16 * 60));
    assert!(overwrite_at_once(&lake).is_some());
}

#[test]
fn a_success_file_that_comes_late_does_not_stand_in_a_commit_that_is_not_over() {
    let (lake, store) = lake();
    let marked = |lake: &Lake| write(lake.builder().success_file(true), &[("KSEA", 1.0)]);
    let others = {
        let (lake, store) = (Arc::clone(&lake), Arc::clone(&store));
        move || {
            store.advance(LONG);
            let (lake, store) = (Arc::clone(&lake), Arc::clone(&store));
            elsewhere(move || {
                lake.recover().unwrap();
                assert!(lake.keys().contains(&"weather/_SUCCESS".to_owned()));
                store.fail(Rule::on(Request::Copy).at(".parquet").always(), NOTHING);
                marked(&lake).unwrap_err();
            });
        }
    };
    store.meanwhile(Rule::on(Request::Copy).at("/_SUCCESS"), others);
    marked(&lake).unwrap();
    assert!(!lake.keys().contains(&"weather/_SUCCESS".to_owned()));
    store.heal();
    store.advance(LONG);
    lake.recover().unwrap();
    assert!(lake.keys().contains(&"weather/_SUCCESS".to_owned()));
}
