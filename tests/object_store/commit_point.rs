//! The commit point where a store does not answer, answers too late, or says the wrong thing.

use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use atomic_arrow::object_store::memory::InMemory;
use atomic_arrow::parquet::basic::Compression;
use atomic_arrow::{CommitMode, Error, ErrorKind, ObjectStoreOptions, Outcome};
use atomic_arrow_store_servers::{Fault as ServerFault, Kind, Proxy, RequestKind, Server, or_skip};

use crate::deaths::large;
use crate::faulty_store::{Answer, Fault, FaultyStore, Request, Rule};
use crate::lake::{Lake, owned, write};
use crate::servers::lake_at;

/// A data set with rows, which was written by a process that knows its store.
fn seeded() -> (Lake, std::sync::Arc<FaultyStore<InMemory>>) {
    let (lake, store) = Lake::faulty();
    lake.write(CommitMode::Append, &[("KJFK", 1.0)]).unwrap();
    (lake, store)
}

fn decision() -> Rule {
    Rule::on(Request::PutIfMatch).at("/tx/")
}

#[test]
fn a_decision_that_was_done_is_not_told_as_aborted_because_its_repetition_was_refused() {
    let (lake, store) = seeded();
    store.ignore_metadata();
    store.fail(decision(), Fault::after(Answer::Precondition));
    lake.write(CommitMode::Append, &[("KSEA", 2.0)]).unwrap();
    assert_eq!(lake.rows(), owned(&[("KJFK", 1.0), ("KSEA", 2.0)]));
    assert_eq!(lake.leftovers(), Vec::<String>::new());
}

#[test]
fn a_decision_whose_reply_is_lost_is_found_by_what_it_says() {
    let (lake, store) = seeded();
    store.ignore_metadata();
    store.fail(decision(), Fault::after(Answer::Doubtful));
    lake.write(CommitMode::Append, &[("KSEA", 2.0)]).unwrap();
    assert_eq!(lake.rows().len(), 2);
}

#[test]
fn a_store_that_keeps_no_metadata_is_refused_when_a_process_first_writes_to_it() {
    let (lake, store) = Lake::faulty();
    store.ignore_metadata();
    let error = lake
        .write(CommitMode::Append, &[("KSEA", 1.0)])
        .unwrap_err();
    assert!(error.to_string().contains("metadata"), "{error}");
    assert_eq!(lake.keys(), Vec::<String>::new());
}

#[test]
fn a_decision_that_cannot_be_made_is_taken_back_so_that_it_is_certain_that_nothing_is_published() {
    let (lake, store) = seeded();
    let five = decision().times(5);
    store.fail(five, Fault::before(Answer::Doubtful));
    let error = lake
        .write(CommitMode::Append, &[("KSEA", 2.0)])
        .unwrap_err();
    assert_eq!(error.outcome(), Outcome::NotPublished, "{error}");
    assert_eq!(lake.leftovers(), Vec::<String>::new());
    assert_eq!(lake.rows(), owned(&[("KJFK", 1.0)]));
}

#[test]
fn a_decision_that_nothing_is_known_of_is_unknown() {
    let (lake, store) = seeded();
    store.fail(decision().always(), Fault::before(Answer::Doubtful));
    let error = lake
        .write(CommitMode::Append, &[("KSEA", 2.0)])
        .unwrap_err();
    assert_eq!(error.outcome(), Outcome::Unknown, "{error}");
}

#[test]
fn a_store_that_is_overloaded_for_seconds_costs_no_commit() {
    let (lake, store) = seeded();
    let options = ObjectStoreOptions::new()
        .store_with_parts(std::sync::Arc::clone(&store))
        .spool(lake.spool.path());
    let builder = lake.builder().object_store(options);
    // Longer than other requests are made again.
    let six = decision().times(6);
    store.fail(six, Fault::before(Answer::Doubtful));
    write(builder, &[("KSEA", 2.0)]).unwrap();
    assert_eq!(lake.rows().len(), 2);
}

#[test]
fn what_changes_in_the_spool_after_it_was_verified_is_not_published() {
    let (lake, store) = seeded();
    let options = lake.options().part_size(4 << 10).parallel_requests(1);
    let builder = lake
        .builder()
        .compression(Compression::UNCOMPRESSED)
        .object_store(options);
    let spool = lake.spool.path().to_owned();
    store.meanwhile(Rule::on(Request::PutPart), move || {
        flip_near_the_end(&spool)
    });
    let error = write(builder, &large()).unwrap_err();
    assert_eq!(error.outcome(), Outcome::NotPublished, "{error}");
    assert!(matches!(error, Error::Io { .. }), "{error}");
    assert_eq!(lake.leftovers(), Vec::<String>::new());
    assert_eq!(lake.rows(), owned(&[("KJFK", 1.0)]));
}

fn flip_near_the_end(spool: &Path) {
    let path = staged_file(spool).expect("a staged file in the spool");
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.seek(SeekFrom::End(-6000)).unwrap();
    file.read_exact(&mut byte).unwrap();
    file.seek(SeekFrom::Current(-1)).unwrap();
    file.write_all(&[byte[0] ^ 1]).unwrap();
}

/// The file below a directory that is longer than a part.
fn staged_file(directory: &Path) -> Option<PathBuf> {
    for entry in std::fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let status = entry.metadata().unwrap();
        if status.is_dir() {
            if let Some(found) = staged_file(&entry.path()) {
                return Some(found);
            }
        } else if status.len() > 4 << 10 {
            return Some(entry.path());
        }
    }
    None
}

/// A data set behind a proxy that a test lets fail.
fn behind_a_proxy() -> Option<(Server, Proxy, Lake)> {
    let server = or_skip(Server::start(Kind::SeaweedFs))?;
    server.make_bucket("lake").unwrap();
    let proxy = Proxy::in_front_of(&server).unwrap();
    let lake = lake_at(Kind::SeaweedFs, &proxy.url("lake"), &proxy.options());
    lake.write(CommitMode::Append, &[("KJFK", 1.0)]).unwrap();
    Some((server, proxy, lake))
}

#[test]
fn a_small_request_does_not_wait_long_for_a_server_that_hangs() {
    let Some((_server, proxy, lake)) = behind_a_proxy() else {
        return;
    };
    for kind in [RequestKind::PutReplace, RequestKind::List] {
        let hangs = atomic_arrow_store_servers::Rule::nth(1, kind, ServerFault::Hang);
        proxy.add(hangs);
        let begun = Instant::now();
        // In tests a small request is answered within a second.
        let builder = lake.builder().object_store(lake.options().for_tests());
        write(builder, &[("KSEA", 2.0)]).unwrap();
        assert!(begun.elapsed() < Duration::from_secs(20), "{kind:?}");
        proxy.clear();
    }
    assert_eq!(lake.rows().len(), 3);
    proxy.release();
    assert_eq!(lake.rows().len(), 3);
}

#[test]
fn an_error_of_an_overloaded_store_says_that_it_passes() {
    let Some((_server, proxy, lake)) = behind_a_proxy() else {
        return;
    };
    let busy = atomic_arrow_store_servers::Rule::every(
        RequestKind::PutCreate,
        ServerFault::RefuseBefore(503),
    );
    proxy.add(busy);
    let error = lake
        .write(CommitMode::Append, &[("KSEA", 2.0)])
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::System);
    assert!(error.is_retryable(), "{error}");
}
