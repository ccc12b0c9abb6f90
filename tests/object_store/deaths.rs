//! A writer that dies at any request, or sleeps there until others have done their work: all or nothing, nothing left, and
//! nothing brought back.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use atomic_arrow::object_store::memory::InMemory;
use atomic_arrow::{CommitMode, Outcome, Receipt, StagedWrites};

use crate::faulty_store::{Answer, Fault, FaultyStore, Request, Rule};
use crate::lake::{Lake, Rows, batch, owned, schema, write};

const SEEDED: [(&str, f64); 2] = [("KJFK", 1.0), ("KSEA", 2.0)];
/// Longer than a silent writer is taken for alive.
pub(crate) const LONG: Duration = Duration::from_secs(20 * 60);
/// More requests than any scenario makes.
const MANY: usize = 500;

/// A write that a test lets die.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Scenario {
    Append,
    OverwritePartitions,
    Overwrite,
    ErrorIfExists,
    Named,
    Staged,
    InParts,
    SuccessFile,
}

impl Scenario {
    pub(crate) const ALL: [Scenario; 8] = [
        Scenario::Append,
        Scenario::OverwritePartitions,
        Scenario::Overwrite,
        Scenario::ErrorIfExists,
        Scenario::Named,
        Scenario::Staged,
        Scenario::InParts,
        Scenario::SuccessFile,
    ];

    pub(crate) fn run(self, lake: &Lake) -> atomic_arrow::Result<Receipt> {
        let rows = [("KLAX", 3.0), ("KSEA", 4.0)];
        match self {
            Scenario::Append => lake.write(CommitMode::Append, &rows),
            Scenario::OverwritePartitions => lake.write(CommitMode::OverwritePartitions, &rows),
            Scenario::Overwrite => lake.write(CommitMode::Overwrite, &rows),
            Scenario::ErrorIfExists => lake.write(CommitMode::ErrorIfExists, &rows[..1]),
            Scenario::SuccessFile => write(lake.builder().success_file(true), &rows),
            Scenario::Named => write(lake.builder().write_id("monday"), &rows),
            Scenario::Staged => {
                let stage = |rows: &[(&str, f64)]| {
                    let mut writer = lake.builder().build(schema())?;
                    writer.write(&batch(rows))?;
                    writer.stage()
                };
                let staged = [stage(&rows[..1])?, stage(&rows[1..])?];
                StagedWrites::new(staged)
                    .object_store(lake.options())
                    .commit()
            }
            Scenario::InParts => write(lake.in_parts(), &large()),
        }
    }

    /// The rows when it is committed, after those that were there.
    fn rows_after(self) -> Rows {
        match self {
            Scenario::Append | Scenario::Named | Scenario::SuccessFile | Scenario::Staged => {
                owned(&[("KJFK", 1.0), ("KLAX", 3.0), ("KSEA", 2.0), ("KSEA", 4.0)])
            }
            Scenario::OverwritePartitions => owned(&[("KJFK", 1.0), ("KLAX", 3.0), ("KSEA", 4.0)]),
            Scenario::Overwrite => owned(&[("KLAX", 3.0), ("KSEA", 4.0)]),
            Scenario::ErrorIfExists => owned(&[("KJFK", 1.0), ("KLAX", 3.0), ("KSEA", 2.0)]),
            Scenario::InParts => {
                let mut rows = owned(&SEEDED);
                rows.extend(owned(&large()));
                rows.sort_by(|one, other| one.partial_cmp(other).unwrap());
                rows
            }
        }
    }
}

pub(crate) fn large() -> Vec<(&'static str, f64)> {
    large_of("KLAX")
}

/// Rows of one partition that are longer than a part of 4 KiB.
pub(crate) fn large_of(station: &'static str) -> Vec<(&'static str, f64)> {
    let value = |row: u64| f64::from_bits(row.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 12);
    (0..2_000).map(|row| (station, value(row))).collect()
}

/// What is changed about a store before a scenario begins.
pub(crate) type Prepare = fn(&FaultyStore<InMemory>);

fn seeded(prepare: Prepare) -> (Lake, Arc<FaultyStore<InMemory>>) {
    let (lake, store) = Lake::faulty();
    lake.write(CommitMode::Append, &SEEDED).unwrap();
    prepare(&store);
    store.take_seen();
    (lake, store)
}

/// Recovery by another process, long after, and a look at what is there.
fn check(lake: &Lake, scenario: Scenario, result: &atomic_arrow::Result<Receipt>, at: &str) {
    let about = format!("{scenario:?} {at}: {result:?}");
    let recovery = lake.recover().unwrap();
    assert!(recovery.failed.is_empty(), "{about}: {recovery:?}");
    let rows = lake.rows();
    let (before, after) = (owned(&SEEDED), scenario.rows_after());
    assert!(
        rows == before || rows == after,
        "{about}: {} rows",
        rows.len()
    );
    let marked = lake.keys().iter().any(|key| key.ends_with("/_SUCCESS"));
    let is_marked = matches!(scenario, Scenario::SuccessFile) && rows == after;
    assert_eq!(marked, is_marked, "{about}");
    match result {
        Ok(_) => assert!(rows == after, "{about}"),
        Err(error) if error.outcome() == Outcome::NotPublished => {
            assert!(rows == before, "{about}");
        }
        Err(_) => {}
    }
    // What is staged for another process stays for a day.
    store_is_clean(lake, matches!(scenario, Scenario::Staged), &about);
}

fn store_is_clean(lake: &Lake, may_wait: bool, about: &str) {
    let mut left = lake.leftovers();
    left.retain(|key| !key.contains("/writes/") && !key.ends_with(".late"));
    if !may_wait {
        assert_eq!(left, Vec::<String>::new(), "{about}");
    }
}

fn die_at_every_request(scenario: Scenario, last_is_done: bool, prepare: Prepare) {
    for number in 1..MANY {
        let (lake, store) = seeded(prepare);
        let nothing = Fault::before(Answer::Doubtful);
        if last_is_done {
            let last = Rule::on_any().nth(number);
            store.fail(last, Fault::after(Answer::Doubtful));
            store.fail(Rule::on_any().nth(number + 1).always(), nothing);
        } else {
            store.fail(Rule::on_any().nth(number).always(), nothing);
        }
        let result = scenario.run(&lake);
        let made = store.take_seen().len();
        store.heal();
        store.advance(LONG);
        check(&lake, scenario, &result, &format!("at request {number}"));
        if made < number {
            return;
        }
    }
    panic!("{scenario:?} makes more than {MANY} requests");
}

#[test]
fn a_writer_that_dies_before_any_request_leaves_all_or_nothing() {
    for scenario in Scenario::ALL {
        die_at_every_request(scenario, false, |_| {});
    }
}

#[test]
fn a_writer_that_dies_after_any_request_leaves_all_or_nothing() {
    for scenario in Scenario::ALL {
        die_at_every_request(scenario, true, |_| {});
    }
}

fn fail_once_at_every_request(scenario: Scenario, fault: Fault, prepare: Prepare) {
    for number in 1..MANY {
        let (lake, store) = seeded(prepare);
        store.fail(Rule::on_any().nth(number), fault);
        let result = scenario.run(&lake);
        let made = store.take_seen().len();
        store.heal();
        store.advance(LONG);
        check(&lake, scenario, &result, &format!("{fault:?} at {number}"));
        if made < number {
            return;
        }
    }
    panic!("{scenario:?} makes more than {MANY} requests");
}

#[test]
fn a_request_that_fails_once_is_told_truly_or_done() {
    for scenario in Scenario::ALL {
        for fault in [
            Fault::before(Answer::Doubtful),
            Fault::after(Answer::Doubtful),
            Fault::before(Answer::AlreadyExists),
            Fault::after(Answer::AlreadyExists),
            Fault::before(Answer::Precondition),
            Fault::after(Answer::Precondition),
            Fault::before(Answer::PermissionDenied),
        ] {
            fail_once_at_every_request(scenario, fault, |_| {});
        }
    }
}

/// Whoever recovers a commit that is decided may die too.
#[test]
fn a_recovery_that_dies_at_any_request_leaves_the_rest_to_the_next() {
    for scenario in Scenario::ALL {
        for number in 1.. {
            assert!(number < MANY, "{scenario:?} makes more requests");
            let (lake, store) = seeded(|_| {});
            for publication in [Request::Copy, Request::CompleteUpload] {
                let rule = Rule::on(publication).always();
                store.fail(rule, Fault::before(Answer::Doubtful));
            }
            let result = scenario.run(&lake);
            let error = result.as_ref().unwrap_err();
            assert_eq!(error.outcome(), Outcome::PublishedInPart, "{error}");
            store.heal();
            store.advance(LONG);
            store.take_seen();
            let rest = Rule::on_any().nth(number).always();
            store.fail(rest, Fault::before(Answer::Doubtful));
            let _ = lake.recover();
            let made = store.take_seen().len();
            store.heal();
            store.advance(LONG);
            let at = format!("recovered until request {number}");
            check(&lake, scenario, &result, &at);
            assert!(lake.rows() == scenario.rows_after(), "{scenario:?} {at}");
            if made < number {
                break;
            }
        }
    }
}

#[test]
fn a_writer_that_wakes_up_two_commits_later_brings_nothing_back() {
    for scenario in Scenario::ALL {
        sleep_at_every_request(scenario, |_| {});
    }
}

pub(crate) fn sleep_at_every_request(scenario: Scenario, prepare: Prepare) {
    for number in 1..MANY {
        let (lake, store) = seeded(prepare);
        let lake = Arc::new(lake);
        let removed = Arc::new(Mutex::new(0));
        let others = {
            let (lake, store, removed) =
                (Arc::clone(&lake), Arc::clone(&store), Arc::clone(&removed));
            move || {
                store.heal();
                store.advance(LONG);
                let (lake, removed) = (Arc::clone(&lake), Arc::clone(&removed));
                let store = Arc::clone(&store);
                // The request is made on the library's own threads.
                let others = std::thread::spawn(move || {
                    let overwrite = |row: f64| {
                        let written = lake.write(CommitMode::Overwrite, &[("KORD", row)]);
                        written.unwrap().totals().removed
                    };
                    lake.recover().unwrap();
                    *removed.lock().unwrap() = lake.files().len();
                    // Until then a copy that was asked for may come.
                    store.advance(LONG);
                    overwrite(8.0);
                    overwrite(9.0);
                });
                others.join().unwrap();
            }
        };
        store.meanwhile(Rule::on_any().nth(number), others);
        let result = scenario.run(&lake);
        let woken = *removed.lock().unwrap() > 0;
        if !woken {
            break;
        }
        store.advance(LONG);
        let about = format!("{scenario:?} at request {number}: {result:?}");
        assert!(lake.recover().unwrap().failed.is_empty(), "{about}");
        let rows = lake.rows();
        let alone = owned(&[("KORD", 9.0)]);
        if rows != alone {
            // It slept before it began, and is later than the others.
            assert!(result.is_ok(), "{about}");
            assert!(!rows.contains(&("KORD".to_owned(), 8.0)), "{about}");
            assert!(!rows.contains(&("KJFK".to_owned(), 1.0)), "{about}");
        } else if let Err(error) = &result {
            let outcome = error.outcome();
            assert!(outcome != Outcome::Lost, "{about}");
            let carried_out = *removed.lock().unwrap() > 2;
            let denied = outcome == Outcome::NotPublished;
            assert!(!(carried_out && denied), "{about}");
        } else {
            // It was carried out before the others overwrote it.
            let files = *removed.lock().unwrap();
            let overwrites = matches!(scenario, Scenario::Overwrite);
            assert!(files > 2 || overwrites, "{about}: {files} files");
        }
        store_is_clean(&lake, true, &about);
    }
}

/// Whoever overwrites at once must not remove files that a recovery would publish again.
#[test]
fn an_overwrite_right_after_an_append_died_removes_all_of_it_or_comes_before() {
    for number in 1..MANY {
        let mut made = 0;
        for fault in [
            Fault::before(Answer::Doubtful),
            Fault::after(Answer::Doubtful),
        ] {
            let (lake, store) = seeded(|_| {});
            store.fail(Rule::on_any().nth(number), fault);
            let rest = Rule::on_any().nth(number + 1).always();
            store.fail(rest, Fault::before(Answer::Doubtful));
            let result = Scenario::Append.run(&lake);
            made = store.take_seen().len();
            store.heal();
            let gives_up = Arc::new(AtomicBool::new(false));
            let overwrite = || {
                let asked = Arc::clone(&gives_up);
                let builder = lake.builder().mode(CommitMode::Overwrite);
                let builder = builder.interrupt_when(move |_| asked.load(Ordering::Relaxed));
                write(builder, &[("KORD", 8.0)])
            };
            let first = std::thread::scope(|scope| {
                let first = scope.spawn(overwrite);
                for _ in 0..40 {
                    if first.is_finished() {
                        break;
                    }
                    std::thread::sleep(Duration::from_millis(10));
                }
                // It waits for a commit whose writer may be alive.
                gives_up.store(true, Ordering::Relaxed);
                first.join().unwrap()
            });
            gives_up.store(false, Ordering::Relaxed);
            store.advance(LONG);
            let about = format!("{fault:?} at request {number}: {result:?}, {first:?}");
            let recovery = lake.recover().unwrap();
            assert!(recovery.failed.is_empty(), "{about}: {recovery:?}");
            if first.is_err() {
                // Until then a copy that was asked for may come.
                store.advance(LONG);
                overwrite().unwrap();
            }
            let rows = lake.rows();
            let after_it = owned(&[("KLAX", 3.0), ("KORD", 8.0), ("KSEA", 4.0)]);
            // Of what nothing was visible yet, all may come after it.
            let is_after = first.is_ok() && rows == after_it;
            assert!(is_after || rows == owned(&[("KORD", 8.0)]), "{about}");
        }
        if made < number {
            return;
        }
    }
}
