//! How many requests are made, and how many at a time: docs/object-stores.md tells users.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use atomic_arrow::object_store::memory::InMemory;
use atomic_arrow::{CommitMode, Error, StagedWrites};

use crate::deaths::large_of;
use crate::faulty_store::{Answer, Fault, FaultyStore, Request, Rule};
use crate::lake::{Lake, batch, schema, write};

/// The number of these requests whose key contains a text.
fn count(seen: &[(Request, String)], request: Request, part: &str) -> usize {
    let of_it = |(kind, key): &&(Request, String)| *kind == request && key.contains(part);
    seen.iter().filter(of_it).count()
}

#[test]
fn opening_a_data_set_with_nothing_to_recover_lists_transactions_once() {
    let (lake, store) = Lake::faulty();
    lake.write(CommitMode::Append, &[("KSEA", 1.0)]).unwrap();
    store.take_seen();
    let writer = lake.builder().build(schema()).unwrap();
    let seen = store.take_seen();
    assert_eq!(
        count(&seen, Request::ListDirectory, ".weather.atomic/tx"),
        1
    );
    drop(writer);
}

#[test]
fn an_exclusive_commit_makes_three_requests_for_the_lock_and_later_ones_five() {
    let (lake, store) = Lake::faulty();
    for (station, expected) in [("KJFK", 3), ("KLAX", 5)] {
        store.take_seen();
        lake.write(CommitMode::ErrorIfExists, &[(station, 2.0)])
            .unwrap();
        let seen = store.take_seen();
        let is_for_the_lock = |(kind, key): &&(Request, String)| match kind {
            Request::Delete => false,
            // Whether its holder lives; others try the store.
            Request::Head => key.contains(".weather.atomic/tx/") && !key.ends_with("/probe"),
            _ => key.contains(".weather.atomic/lock"),
        };
        let made = seen.iter().filter(is_for_the_lock).count();
        assert_eq!(made, expected, "{seen:#?}");
    }
}

#[test]
fn few_named_writes_list_the_receipts_of_all() {
    let (lake, store) = Lake::faulty();
    for number in 0..20 {
        let builder = lake.builder().write_id(format!("write {number}"));
        write(builder, &[("KSEA", 1.0)]).unwrap();
    }
    let seen = store.take_seen();
    let of_receipts = |(kind, key): &&(Request, String)| {
        *kind != Request::Delete && key.contains(".weather.atomic/writes/")
    };
    assert_eq!(seen.iter().filter(of_receipts).count(), 20 * 4);
    // By chance: one in 64.
    let lists = count(&seen, Request::List, ".weather.atomic/writes");
    assert!(lists < 8, "{lists}");
}

#[test]
fn the_receipts_of_named_writes_that_are_old_are_removed_by_recovery() {
    let (lake, store) = Lake::faulty();
    write(lake.builder().write_id("monday"), &[("KSEA", 1.0)]).unwrap();
    let receipts = || {
        let keys = lake.keys().into_iter();
        keys.filter(|key| key.contains("/writes/")).count()
    };
    lake.recover().unwrap();
    assert_eq!(receipts(), 1);
    store.advance(Duration::from_secs(31 * 24 * 60 * 60));
    lake.recover().unwrap();
    assert_eq!(receipts(), 0);
}

#[test]
fn a_wait_for_one_commit_does_not_read_the_others_again_and_again() {
    let (lake, store) = Lake::faulty();
    lake.write(CommitMode::Append, &[("KSEA", 1.0)]).unwrap();
    let others: Vec<_> = (0..3)
        .map(|_| lake.builder().build(schema()).unwrap())
        .collect();
    // It is decided, and some of it is published.
    let copies = Rule::on(Request::Copy).nth(2).always();
    store.fail(copies, Fault::before(Answer::Doubtful));
    // Nor can its writer say that it leaves the rest to others.
    let released = Rule::on(Request::Put).at(".released");
    store.fail(released, Fault::before(Answer::Doubtful));
    let unfinished = lake.write(CommitMode::Append, &[("KJFK", 2.0), ("KSEA", 3.0)]);
    assert!(
        matches!(unfinished, Err(Error::Unfinished { .. })),
        "{unfinished:?}"
    );
    store.heal();
    store.take_seen();
    let begun = Instant::now();
    let gives_up = move |_| begun.elapsed() > Duration::from_secs(2);
    let builder = lake.builder().mode(CommitMode::Overwrite);
    let waits = write(builder.interrupt_when(gives_up), &[("KORD", 4.0)]);
    assert!(matches!(waits, Err(Error::Interrupted { .. })), "{waits:?}");
    let seen = store.take_seen();
    let polls = count(&seen, Request::ListDirectory, ".weather.atomic/tx");
    assert!(polls > 5, "{polls}");
    for other in &others {
        let reads = count(&seen, Request::Get, &other.transaction().to_string());
        assert!(reads <= 1, "{reads} reads in {polls} polls");
    }
}

#[test]
fn the_looks_at_files_that_go_are_taken_as_many_at_a_time_as_is_said() {
    let (lake, store) = Lake::faulty();
    let names: Vec<String> = (0..12).map(|number| format!("K{number:03}")).collect();
    let rows: Vec<(&str, f64)> = names.iter().map(|name| (name.as_str(), 1.0)).collect();
    lake.write(CommitMode::Append, &rows).unwrap();
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let seen = Arc::clone(&most);
    let looks = Rule::on(Request::Head).at("weather/station_id").always();
    store.meanwhile(looks, move || {
        seen.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(20));
        now.fetch_sub(1, Ordering::SeqCst);
    });
    let overwrite = lake
        .builder()
        .mode(CommitMode::Overwrite)
        .object_store(lake.options().parallel_requests(3));
    let receipt = write(overwrite, &[("KORD", 2.0)]).unwrap();
    assert_eq!(receipt.totals().removed, 12);
    let most = most.load(Ordering::SeqCst);
    assert!((2..=3).contains(&most), "{most}");
}

/// The requests that are billed since the last call.
fn billed(store: &FaultyStore<InMemory>) -> usize {
    let counts = store.take_counts().into_iter();
    let billed = counts.filter(|(kind, _)| *kind != Request::Delete);
    billed.map(|(_, count)| count).sum()
}

#[test]
fn a_file_makes_four_requests_more_than_it_has_parts() {
    let (lake, store) = Lake::faulty();
    lake.write(CommitMode::Append, &[("KSEA", 1.0)]).unwrap();
    let rows_of = |stations: &[&'static str]| {
        let rows = stations.iter().copied().flat_map(large_of);
        rows.collect::<Vec<_>>()
    };
    let requests = |stations: &[&'static str]| {
        store.take_seen();
        write(lake.in_parts(), &rows_of(stations)).unwrap();
        let seen = store.take_seen();
        let parts = count(&seen, Request::PutPart, "");
        let free = count(&seen, Request::Delete, "");
        (seen.len() - free, parts)
    };
    // The second write to these partitions: each look at what is there is the same.
    requests(&["KJFK", "KLAX"]);
    let (of_two, parts_of_two) = requests(&["KJFK", "KLAX"]);
    let (of_one, parts_of_one) = requests(&["KJFK"]);
    assert!(parts_of_one > 2);
    assert_eq!(of_two - of_one, parts_of_two - parts_of_one + 4);
}

#[test]
fn a_success_file_makes_four_requests_beside_those_for_the_lock() {
    let (lake, store) = Lake::faulty();
    let requests = |with| {
        store.take_seen();
        write(lake.builder().success_file(with), &[("KSEA", 1.0)]).unwrap();
        billed(&store)
    };
    requests(true);
    assert_eq!(requests(true) - requests(false), 4 + 5);
}

#[test]
fn the_work_of_each_worker_makes_six_requests_in_a_commit_and_two_for_each_file() {
    let (lake, store) = Lake::faulty();
    lake.write(CommitMode::Append, &[("KSEA", 1.0)]).unwrap();
    let requests = |workers: usize, rows: &[(&str, f64)]| {
        let stage = |_| {
            let mut writer = lake.builder().build(schema()).unwrap();
            writer.write(&batch(rows)).unwrap();
            writer.stage().unwrap()
        };
        let staged: Vec<_> = (0..workers).map(stage).collect();
        store.take_seen();
        let staged = StagedWrites::new(staged).object_store(lake.options());
        staged.commit().unwrap();
        billed(&store)
    };
    let one = [("KSEA", 2.0)];
    let two = [("KJFK", 2.0), ("KSEA", 2.0)];
    requests(1, &two);
    let (few, many) = (requests(10, &one), requests(20, &one));
    // The PUT of a file was made when it was staged.
    assert_eq!(many - few, 10 * (6 + 1));
    let more_files = requests(10, &two);
    assert_eq!(more_files - few, 10);
}

#[test]
fn an_overwrite_makes_three_lists_of_each_directory_and_a_look_at_each_file_that_goes() {
    let (lake, store) = Lake::faulty();
    let files = 4;
    for _ in 0..files {
        let rows = [("KJFK", 1.0), ("KSEA", 1.0)];
        lake.write(CommitMode::Append, &rows).unwrap();
    }
    store.take_seen();
    let rows = [("KJFK", 2.0), ("KSEA", 2.0)];
    let receipt = lake.write(CommitMode::OverwritePartitions, &rows).unwrap();
    assert_eq!(receipt.totals().removed, 2 * files);
    let seen = store.take_seen();
    for (station, _) in rows {
        let directory = format!("weather/station_id={station}");
        assert_eq!(count(&seen, Request::List, &directory), 3);
        let new = format!("{directory}/part-{}", receipt.transaction());
        let looks_at_all = count(&seen, Request::Head, &directory) as u64;
        let looks_at_new = count(&seen, Request::Head, &new) as u64;
        assert_eq!(looks_at_all - looks_at_new, files);
    }
}
