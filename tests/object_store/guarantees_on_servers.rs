//! What docs/object-stores.md promises, through the clients of each store, behind a proxy that lets their requests fail.

use std::error::Error as _;
use std::io::Write as _;
use std::sync::{Arc, Mutex};

use atomic_arrow::verify::{VerifyOptions, verify_path_with_options};
use atomic_arrow::{
    AtomicFile, CommitMode, Error, FileOptions, Outcome, PublishMode, object_store_hint,
};
use atomic_arrow_store_servers::{Fault, Kind, Moment, Proxy, RequestKind, Rule, Server, or_skip};

use crate::lake::{Lake, owned, write};
use crate::servers::lake_at;

/// A data set with a row, behind a proxy.
struct Place {
    lake: Lake,
    proxy: Proxy,
    server: Server,
    kind: Kind,
}

impl Place {
    fn on(kind: Kind) -> Option<Self> {
        let server = or_skip(Server::start(kind))?;
        server.make_bucket("lake").unwrap();
        let proxy = Proxy::in_front_of(&server).unwrap();
        let lake = lake_at(kind, &proxy.url("lake"), &proxy.options());
        lake.write(CommitMode::Append, &[("KSEA", 1.0)]).unwrap();
        Some(Place {
            lake,
            proxy,
            server,
            kind,
        })
    }

    /// The same data set, past the proxy.
    fn direct(&self) -> Lake {
        let (url, options) = (self.server.url("lake"), self.server.options());
        lake_at(self.kind, &url, &options)
    }

    fn append(&self, station: &str, temp: f64) -> atomic_arrow::Result<()> {
        let options = self.lake.options().for_tests();
        let builder = self.lake.builder().object_store(options);
        write(builder, &[(station, temp)]).map(drop)
    }

    /// Puts a file by itself, whose key is `raw/a.csv`, in parts where it is long.
    fn put(&self, bytes: &[u8]) -> atomic_arrow::Result<()> {
        let options = self.lake.options().for_tests().part_size(5 << 20);
        let options = FileOptions::new()
            .mode(PublishMode::Replace)
            .object_store(options);
        let url = format!("{}/raw/a.csv", self.proxy.url("lake"));
        let mut file = AtomicFile::create_with_options(url, options)?;
        file.write_all(bytes).unwrap();
        file.commit().map(drop)
    }
}

fn places() -> impl Iterator<Item = Place> {
    Kind::ALL.into_iter().filter_map(Place::on)
}

#[test]
fn a_doubtful_answer_to_what_commits_is_looked_into() {
    let doubtful = [
        Fault::DropReply,
        Fault::RefuseAfter(500),
        Fault::RefuseAfter(409),
        Fault::ErrorBodyAfter,
    ];
    for place in places() {
        let mut expected = owned(&[("KSEA", 1.0)]);
        for (number, fault) in doubtful.into_iter().enumerate() {
            for kind in [RequestKind::PutReplace, RequestKind::Copy] {
                let station = format!("K{number}{kind:?}");
                let rule = Rule::nth(1, kind, fault);
                place.proxy.add(match kind {
                    RequestKind::PutReplace => rule.keys("*/tx/*"),
                    _ => rule,
                });
                let about = format!("{} {kind:?} {fault:?}", place.kind.name());
                match place.append(&station, 2.0) {
                    Ok(()) => {}
                    Err(error) => panic!("{about}: {error}"),
                }
                place.proxy.clear();
                expected.push((station, 2.0));
                expected.sort_by(|one, other| one.partial_cmp(other).unwrap());
                assert_eq!(place.lake.rows(), expected, "{about}");
                assert_eq!(place.lake.leftovers(), Vec::<String>::new(), "{about}");
            }
        }
    }
}

#[test]
fn of_several_that_want_a_new_partition_for_themselves_one_gets_it() {
    for place in places() {
        let lake = place.direct();
        let winners = Mutex::new(0);
        std::thread::scope(|scope| {
            for writer in 0..4_u32 {
                let (lake, winners) = (&lake, &winners);
                scope.spawn(move || {
                    let rows = [("KRACE", f64::from(writer))];
                    match lake.write(CommitMode::ErrorIfExists, &rows) {
                        Ok(_) => *winners.lock().unwrap() += 1,
                        Err(Error::Conflict { .. }) => {}
                        Err(error) => panic!("{error}"),
                    }
                });
            }
        });
        assert_eq!(*winners.lock().unwrap(), 1, "{}", place.kind.name());
        assert_eq!(lake.rows().len(), 2);
    }
}

#[test]
fn what_is_staged_must_be_there_as_it_was_put_at_the_commit_point() {
    for place in places() {
        let direct = place.direct();
        let changed = Arc::new(Mutex::new(0));
        let counted = Arc::clone(&changed);
        place.proxy.on_request(move |moment, seen| {
            if moment == Moment::Arrived
                && seen.kind == RequestKind::List
                && seen.keys.iter().any(|key| key.contains(".files"))
            {
                let change = || direct.change_staged();
                let number = std::thread::scope(|scope| scope.spawn(change).join().unwrap());
                *counted.lock().unwrap() += number;
            }
        });
        let error = place.append("KJFK", 2.0).unwrap_err();
        assert!(*changed.lock().unwrap() > 0, "{}", place.kind.name());
        assert!(matches!(error, Error::StagingLost { .. }), "{error}");
        assert_eq!(error.outcome(), Outcome::NotPublished);
        assert_eq!(place.lake.rows(), owned(&[("KSEA", 1.0)]));
    }
}

#[test]
fn a_long_file_whose_upload_is_not_ended_is_not_there_and_the_old_one_is() {
    let long = b"a,b\n1,2\n".repeat(1_500_000);
    for place in places() {
        let refused = Rule::every(RequestKind::CompleteUpload, Fault::RefuseBefore(400));
        for old in [None, Some(b"a\n1\n".as_slice())] {
            if let Some(old) = old {
                place.put(old).unwrap();
            }
            place.proxy.add(refused.clone());
            place.put(&long).unwrap_err();
            place.proxy.clear();
            let found = place.lake.object("raw/a.csv");
            assert_eq!(found.as_deref(), old, "{}", place.kind.name());
        }
        place.put(&long).unwrap();
        assert_eq!(place.lake.object("raw/a.csv"), Some(long.clone()));
    }
}

#[test]
fn what_is_put_in_s3_has_a_checksum_that_the_store_checks() {
    let Some(place) = Place::on(Kind::SeaweedFs) else {
        return;
    };
    let unchecked = Arc::new(Mutex::new(Vec::new()));
    let (found, puts) = (Arc::clone(&unchecked), Arc::new(Mutex::new(0)));
    let counted = Arc::clone(&puts);
    place.proxy.on_request(move |moment, seen| {
        let puts = [
            RequestKind::Put,
            RequestKind::PutCreate,
            RequestKind::PutReplace,
            RequestKind::UploadPart,
        ];
        if moment == Moment::Arrived && puts.contains(&seen.kind) {
            *counted.lock().unwrap() += 1;
            if !seen.has_checksum {
                found.lock().unwrap().push(seen.clone());
            }
        }
    });
    place.append("KJFK", 2.0).unwrap();
    place.put(&b"a,b\n1,2\n".repeat(1_500_000)).unwrap();
    assert_eq!(*unchecked.lock().unwrap(), []);
    // At least a file, the object of its transaction, twice, and three parts.
    assert!(*puts.lock().unwrap() >= 6);
}

#[test]
fn empty_objects_that_stand_for_directories_are_passed_over_and_stay() {
    for place in places() {
        let key = |name: &str| format!("weather/station_id={name}/");
        let markers = ["weather/".to_owned(), key("KSEA"), key("KJFK")];
        for marker in &markers {
            place.server.put("lake", marker, "").unwrap();
        }
        let seen = |lake: &Lake| -> Vec<String> {
            let keys = lake.keys().into_iter();
            keys.filter(|key| markers.contains(&format!("{key}/")))
                .collect()
        };
        let before = seen(&place.lake);
        assert_eq!(before.len(), markers.len());
        for mode in [CommitMode::Append, CommitMode::OverwritePartitions] {
            for station in ["KSEA", "KJFK"] {
                place.lake.write(mode, &[(station, 2.0)]).unwrap();
            }
        }
        assert_eq!(place.lake.rows(), owned(&[("KJFK", 2.0), ("KSEA", 2.0)]));
        let options = VerifyOptions::new().object_store(place.lake.options());
        let mut sound = Vec::new();
        verify_path_with_options(place.lake.root(), &options, |file| {
            sound.push(file.is_sound());
            Ok(())
        })
        .unwrap();
        assert_eq!(sound, [true; 2]);
        assert_eq!(seen(&place.lake), before);
    }
}

#[test]
fn beside_a_key_that_cannot_be_named_nothing_is_written_until_it_is_removed() {
    // SeaweedFS makes one slash of two.
    let places = places().filter(|place| place.kind != Kind::SeaweedFs);
    for Place { lake, server, .. } in places {
        let key = "weather/station_id=KSEA//x.parquet";
        server.put("lake", key, "text").unwrap();
        for mode in [
            CommitMode::Append,
            CommitMode::OverwritePartitions,
            CommitMode::Overwrite,
        ] {
            let error = lake.write(mode, &[("KSEA", 2.0)]).unwrap_err();
            assert_eq!(error.outcome(), Outcome::NotPublished, "{error}");
            let hint = error.source().and_then(object_store_hint);
            assert!(hint.is_some_and(|hint| hint.contains("slashes")), "{error}");
        }
        server.delete("lake", key).unwrap();
        lake.write(CommitMode::Append, &[("KSEA", 2.0)]).unwrap();
        assert_eq!(lake.rows(), owned(&[("KSEA", 1.0), ("KSEA", 2.0)]));
    }
}
