//! Verification and inspection of what is in an object store, and the requests that they make.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use atomic_arrow::inspect::{InspectOptions, Oddity, inspect_with_options};
use atomic_arrow::object_store::memory::InMemory;
use atomic_arrow::object_store::{ObjectStore, ObjectStoreExt as _};
use atomic_arrow::verify::{VerifyOptions, verify_path_with_options};
use atomic_arrow::{DatasetWriter, Error, ObjectStoreOptions, PartitionBy, TableFormat, Verify};
use futures::{FutureExt as _, TryStreamExt as _};

use crate::faulty_store::{Answer, Fault, FaultyStore, Request, Rule};

const ROOT: &str = "memory://lake/weather";

struct Lake {
    store: Arc<FaultyStore<InMemory>>,
    inner: Arc<InMemory>,
    spool: tempfile::TempDir,
}

impl Lake {
    fn new() -> Self {
        let inner = Arc::new(InMemory::new());
        Lake {
            store: Arc::new(FaultyStore::new(Arc::clone(&inner))),
            inner,
            spool: tempfile::tempdir().unwrap(),
        }
    }

    fn options(&self) -> ObjectStoreOptions {
        let store = Arc::clone(&self.store) as Arc<dyn ObjectStore>;
        ObjectStoreOptions::new()
            .store(store)
            .spool(self.spool.path())
    }

    /// Writes a file of `rows` rows into each of so many partitions.
    fn write(&self, partitions: usize, rows: usize) {
        let mut writer = self.writer();
        for partition in 0..partitions {
            writer.write(&batch(partition, rows)).unwrap();
        }
        writer.commit().unwrap();
        self.store.take_counts();
    }

    fn writer(&self) -> DatasetWriter {
        DatasetWriter::builder(ROOT)
            .partition_by(PartitionBy::column("station_id"))
            .object_store(self.options())
            .build(batch(0, 0).schema())
            .unwrap()
    }

    fn put(&self, key: &str, bytes: &[u8]) {
        now(self.inner.put(&key.into(), bytes.to_vec().into())).unwrap();
    }

    fn get(&self, key: &str) -> Vec<u8> {
        let found = now(self.inner.get(&key.into())).unwrap();
        now(found.bytes()).unwrap().to_vec()
    }

    /// The keys of the data files, in order.
    fn files(&self) -> Vec<String> {
        let listed = self.inner.list(Some(&"weather".into()));
        let listed: Vec<_> = now(listed.try_collect()).unwrap();
        let mut keys: Vec<String> = listed
            .into_iter()
            .map(|object| object.location.to_string())
            .collect();
        keys.sort();
        keys
    }

    /// The files that were checked, and whether each is sound.
    fn verify(&self, path: &str, level: Verify) -> Vec<(PathBuf, bool)> {
        self.try_verify(path, level).unwrap()
    }

    fn try_verify(&self, path: &str, level: Verify) -> atomic_arrow::Result<Vec<(PathBuf, bool)>> {
        let mut reports = Vec::new();
        let options = VerifyOptions::new()
            .level(level)
            .object_store(self.options());
        verify_path_with_options(path, &options, |report| {
            reports.push((report.path().to_owned(), report.is_sound()));
            Ok(())
        })?;
        Ok(reports)
    }

    fn inspect(&self) -> atomic_arrow::inspect::Inspection {
        let options = InspectOptions::new().object_store(self.options());
        inspect_with_options(ROOT, &options).unwrap()
    }
}

/// The answer of the store in memory, which is there at once.
fn now<T>(answer: impl Future<Output = T>) -> T {
    answer.now_or_never().unwrap()
}

/// Rows that do not compress.
fn batch(partition: usize, rows: usize) -> RecordBatch {
    let station = format!("K{partition:03}");
    let stations = StringArray::from_iter_values(std::iter::repeat_n(station, rows));
    let values = (0..rows as u64).map(|row| {
        let mixed = (row + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) as i64
    });
    let columns: [(&str, ArrayRef); 2] = [
        ("station_id", Arc::new(stations)),
        ("value", Arc::new(Int64Array::from_iter_values(values))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

/// The number of requests of each kind, without those that were not made.
fn counts<const N: usize>(counts: [(Request, usize); N]) -> BTreeMap<Request, usize> {
    counts.into()
}

#[test]
fn footers_of_a_data_set_are_verified_by_one_list_and_one_request_for_each_short_file() {
    let lake = Lake::new();
    lake.write(40, 100);
    let reports = lake.verify(ROOT, Verify::Footer);
    assert_eq!(reports.len(), 40);
    assert!(reports.iter().all(|(_, sound)| *sound));
    assert!(
        reports[0]
            .0
            .starts_with("memory://lake/weather/station_id=K000")
    );
    let expected = counts([
        (Request::Head, 1),
        (Request::List, 1),
        (Request::GetRange, 40),
    ]);
    assert_eq!(lake.store.take_counts(), expected);
}

#[test]
fn of_a_long_file_the_ends_are_read_for_its_footer_and_nothing_between() {
    let lake = Lake::new();
    lake.write(3, 200_000);
    let before = lake.files();
    for key in &before {
        assert!(lake.get(key).len() > 1 << 20);
    }
    assert!(
        lake.verify(ROOT, Verify::Footer)
            .iter()
            .all(|(_, sound)| *sound)
    );
    assert_eq!(lake.store.take_counts()[&Request::GetRange], 6);

    let one = format!("memory://lake/{}", before[0]);
    assert!(lake.verify(&one, Verify::Footer)[0].1);
    let expected = counts([(Request::Head, 1), (Request::GetRange, 2)]);
    assert_eq!(lake.store.take_counts(), expected);
}

#[test]
fn the_ends_of_the_next_files_are_read_while_one_is_verified() {
    let lake = Lake::new();
    lake.write(20, 100);
    let options = VerifyOptions::new().object_store(lake.options());
    let mut read = Vec::new();
    verify_path_with_options(ROOT, &options, |_| {
        read.push(lake.store.take_counts().get(&Request::GetRange).copied());
        Ok(())
    })
    .unwrap();
    assert_eq!(
        (read[0], read[1], read[16], read[17]),
        (Some(16), None, Some(4), None)
    );
}

#[test]
fn every_byte_of_an_object_is_checked_where_that_is_asked_for() {
    let lake = Lake::new();
    lake.write(2, 200_000);
    for level in [Verify::Checksum, Verify::Decode] {
        assert!(lake.verify(ROOT, level).iter().all(|(_, sound)| *sound));
        let gets = lake.store.take_counts()[&Request::GetRange];
        assert!(gets <= 12, "{gets} requests for two files of 1.6 MB");
    }
    let key = &lake.files()[1];
    let mut bytes = lake.get(key);
    bytes[700_000] ^= 1;
    lake.put(key, &bytes);
    let sound = |level| {
        let reports = lake.verify(ROOT, level);
        reports.iter().map(|(_, sound)| *sound).collect::<Vec<_>>()
    };
    assert_eq!(sound(Verify::Checksum), [true, false]);
    bytes.truncate(1_000_000);
    lake.put(key, &bytes);
    assert_eq!(sound(Verify::Footer), [true, false]);
}

#[test]
fn text_in_an_object_store_is_read_as_on_a_disk() {
    let lake = Lake::new();
    let lines: String = (0..30_000).map(|row| format!("{row},windy\n")).collect();
    lake.put("weather/a.csv", format!("row,wind\n{lines}").as_bytes());
    lake.put("weather/b.csv", b"row,wind\n1,\"calm\n");
    let long: String = (0..3_000_000).map(|row| format!("{row},windy\n")).collect();
    lake.put("weather/c.csv", format!("row,wind\n{long}").as_bytes());
    lake.put("weather/_SUCCESS", b"");
    lake.put("weather/.hidden.csv", b"\"");
    let reports = lake.verify(ROOT, Verify::Footer);
    let sound: Vec<bool> = reports.iter().map(|(_, sound)| *sound).collect();
    assert_eq!(sound, [true, false, true]);
    let seen = lake.store.take_seen();
    let of_long = seen.iter().filter(|(_, key)| key.ends_with("c.csv"));
    assert_eq!(
        of_long.count(),
        8,
        "of a file of 41 MB all but the first by requests of 8 MiB: {seen:?}"
    );
}

#[test]
fn what_a_store_does_not_answer_is_an_error_and_no_damage() {
    let lake = Lake::new();
    let nothing = lake.try_verify(ROOT, Verify::Footer).unwrap_err();
    assert!(matches!(nothing, Error::Read { .. }), "{nothing}");

    lake.write(2, 200_000);
    lake.store.fail(
        Rule::on(Request::GetRange).at("K001").always(),
        Fault::before(Answer::Doubtful),
    );
    let error = lake.try_verify(ROOT, Verify::Footer).unwrap_err();
    assert!(matches!(error, Error::Read { .. }), "{error}");
    assert!(
        error.path().unwrap().to_str().unwrap().contains("K001"),
        "{error}"
    );
    lake.store.heal();

    // Somebody replaces the object between two requests.
    let inner = Arc::clone(&lake.inner);
    let key = lake.files()[0].clone();
    let other = lake.get(&lake.files()[1]);
    let place = key.clone();
    lake.store
        .meanwhile(Rule::on(Request::GetRange).at(&key).nth(3), move || {
            now(inner.put(&place.as_str().into(), other.clone().into())).unwrap();
        });
    let error = lake.try_verify(ROOT, Verify::Checksum).unwrap_err();
    let Error::Read { source, .. } = error else {
        panic!("{error}");
    };
    assert!(source.to_string().contains("replaced"), "{source}");
}

#[test]
fn a_data_set_is_inspected_as_on_a_disk_and_nothing_is_written() {
    let lake = Lake::new();
    lake.write(3, 100);
    lake.write(1, 50);
    lake.put("weather/station_id=K001/notes.txt", b"windy");
    lake.put("weather/station_id=K002/.crc", b"");
    let inspection = lake.inspect();
    let totals = inspection.totals();
    assert_eq!((totals.partitions, totals.files, totals.rows), (3, 4, 350));
    assert_eq!(inspection.root, PathBuf::from(ROOT));
    let partition = inspection.partitions[1].partition.as_ref().unwrap();
    assert_eq!(partition.path(), PathBuf::from("station_id=K001"));
    let kinds: Vec<&str> = inspection.oddities.iter().map(Oddity::kind).collect();
    assert_eq!(kinds, ["foreign-file", "hidden", "small-files"]);

    let made = lake.store.take_counts();
    assert_eq!(made[&Request::GetRange], 4, "{made:?}");
    assert!(
        made.keys()
            .all(|request| *request >= Request::Head && *request <= Request::ListDirectory),
        "{made:?}"
    );
    let asked: usize = made.values().sum();
    assert!(asked <= 12, "{made:?}");
}

#[test]
fn what_a_dead_writer_left_in_a_store_is_an_oddity() {
    let lake = Lake::new();
    lake.write(1, 100);
    let mut writer = lake.writer();
    writer.write(&batch(1, 10)).unwrap();
    assert!(lake.inspect().oddities.is_empty(), "its writer lives");
    lake.store.advance(Duration::from_secs(3600));
    let oddities = lake.inspect().oddities;
    assert_eq!(oddities.len(), 1, "{oddities:?}");
    assert!(
        matches!(&oddities[0], Oddity::StagingLeftover { path } if path.starts_with("memory://lake/.weather.atomic/tx"))
    );
    drop(writer);
    lake.store.fail(
        Rule::on(Request::Put).always(),
        Fault::before(Answer::PermissionDenied),
    );
    let _alive = lake.writer();
    assert!(
        lake.inspect().oddities.is_empty(),
        "also for who may only read"
    );
}

#[test]
fn a_table_of_another_format_is_recognised_in_a_store() {
    let lake = Lake::new();
    lake.put("weather/_delta_log/00000000000000000000.json", b"{}");
    lake.put("trips/metadata/00000.metadata.json", b"{}");
    let at = |path: &str| TableFormat::in_store(path, &lake.options()).unwrap();
    assert_eq!(
        at("memory://lake/weather/station_id=K001"),
        Some(TableFormat::DeltaLake)
    );
    assert_eq!(at("memory://lake/trips/data"), Some(TableFormat::Iceberg));
    assert_eq!(at("memory://lake/other"), None);
    let given = ObjectStoreOptions::new().store(Arc::clone(&lake.store) as Arc<dyn ObjectStore>);
    assert_eq!(
        TableFormat::in_store("memory://data", &given).unwrap(),
        None
    );
    let tables: Vec<_> = lake.inspect().oddities;
    assert!(
        tables
            .iter()
            .any(|oddity| matches!(oddity, Oddity::Table { .. }))
    );
}
