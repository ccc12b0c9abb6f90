//! Single files on the servers that speak the protocols of S3 and Azure.

use std::io::Write as _;
use std::sync::{Arc, Mutex};

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use atomic_arrow::inspect::{InspectOptions, Oddity, inspect_with_options};
use atomic_arrow::verify::{VerifyOptions, verify_path_with_options};
use atomic_arrow::{
    AtomicFile, Error, FileOptions, FileUpdate, ObjectStoreOptions, PublishMode, Result, Verify,
    WriterOptions,
};
use atomic_arrow_store_servers::{Kind, Server, or_skip};

struct Bucket {
    server: Server,
    spool: tempfile::TempDir,
}

impl Bucket {
    fn on(kind: Kind) -> Option<Self> {
        let server = or_skip(Server::start(kind))?;
        server.make_bucket("lake").unwrap();
        let spool = tempfile::tempdir().unwrap();
        Some(Bucket { server, spool })
    }

    fn url(&self, key: &str) -> String {
        format!("{}/{key}", self.server.url("lake"))
    }

    fn reached(&self) -> ObjectStoreOptions {
        let options = ObjectStoreOptions::new()
            .spool(self.spool.path())
            .part_size(5 << 20);
        let settings = self.server.options().into_iter();
        settings.fold(options, |options, (name, value)| options.set(name, value))
    }

    fn write(&self, key: &str, mode: PublishMode, bytes: &[u8]) -> Result<()> {
        let options = FileOptions::new().mode(mode).object_store(self.reached());
        let mut file = AtomicFile::create_with_options(self.url(key), options)?;
        file.write_all(bytes).unwrap();
        file.commit().map(drop)
    }

    fn begin_update(&self) -> FileUpdate {
        let options = WriterOptions::new().object_store(self.reached());
        FileUpdate::begin_with_options(self.url("cache/days.parquet"), options).unwrap()
    }

    fn add(&self, update: FileUpdate, day: i64) -> Result<u64> {
        let before = update.read()?;
        let mut writer = update.write(days(day).schema())?;
        writer.write_all(before.into_iter().flatten())?;
        writer.write(&days(day))?;
        Ok(writer.commit()?.rows())
    }

    /// The number of sound files, and that of others.
    fn verify(&self, key: &str) -> (u64, u64) {
        let options = VerifyOptions::new()
            .level(Verify::Decode)
            .object_store(self.reached());
        let (mut sound, mut others) = (0, 0);
        verify_path_with_options(self.url(key), &options, |report| {
            match report.is_sound() {
                true => sound += 1,
                false => others += 1,
            }
            Ok(())
        })
        .unwrap();
        (sound, others)
    }
}

fn days(day: i64) -> RecordBatch {
    let days: ArrayRef = Arc::new(Int64Array::from(vec![day]));
    RecordBatch::try_from_iter([("day", days)]).unwrap()
}

fn files_on(kind: Kind) {
    let Some(bucket) = Bucket::on(kind) else {
        return;
    };
    let taken = |result: Result<()>| {
        let error = result.unwrap_err();
        assert!(matches!(error, Error::AlreadyExists { .. }), "{error}");
    };
    bucket
        .write("raw/a.csv", PublishMode::CreateNew, b"a\n1\n")
        .unwrap();
    taken(bucket.write("raw/a.csv", PublishMode::CreateNew, b"a\n2\n"));
    bucket
        .write("raw/a.csv", PublishMode::Replace, b"a\n3\n")
        .unwrap();
    let large = b"a,b\n1,2\n".repeat(1_500_000);
    bucket
        .write("raw/b c.csv", PublishMode::Replace, &large)
        .unwrap();
    bucket
        .write("raw/b c.csv", PublishMode::Replace, &large)
        .unwrap();
    taken(bucket.write("raw/b c.csv", PublishMode::CreateNew, &large));
    bucket
        .write("raw/d.csv", PublishMode::CreateNew, &large)
        .unwrap();
    // The header of the long ones comes again and again, which is text all the same.
    assert_eq!(bucket.verify("raw"), (3, 0));

    for day in 1..=3 {
        assert_eq!(bucket.add(bucket.begin_update(), day).unwrap(), day as u64);
    }
    let (one, other) = (bucket.begin_update(), bucket.begin_update());
    assert_eq!(bucket.add(one, 4).unwrap(), 4);
    let error = bucket.add(other, 5).unwrap_err();
    assert!(matches!(error, Error::Conflict { .. }), "{error}");
    assert_eq!(bucket.verify("cache/days.parquet"), (1, 0));
    race(&bucket);

    let options = InspectOptions::new().object_store(bucket.reached());
    let inspection = inspect_with_options(bucket.url("cache"), &options).unwrap();
    let totals = inspection.totals();
    assert_eq!((totals.files, totals.rows), (1, 8));
    let kinds: Vec<&str> = inspection.oddities.iter().map(Oddity::kind).collect();
    assert_eq!(kinds, [""; 0]);
}

/// Several begin at once: of those who want one name one wins, and no update is lost.
fn race(bucket: &Bucket) {
    let winners = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for writer in 0..4_i64 {
            let winners = &winners;
            scope.spawn(move || {
                let text = format!("writer\n{writer}\n");
                match bucket.write("raw/race.csv", PublishMode::CreateNew, text.as_bytes()) {
                    Ok(()) => winners.lock().unwrap().push(writer),
                    Err(error) => {
                        let taken = matches!(error, Error::AlreadyExists { .. });
                        assert!(taken, "{error}");
                    }
                }
                let day = writer + 10;
                while let Err(error) = bucket.add(bucket.begin_update(), day) {
                    assert!(matches!(error, Error::Conflict { .. }), "{error}");
                }
            });
        }
    });
    assert_eq!(winners.into_inner().unwrap().len(), 1);
    let read = bucket.begin_update().read().unwrap().unwrap();
    let rows: usize = read.map(|batch| batch.unwrap().num_rows()).sum();
    assert_eq!(rows, 8);
}

#[test]
fn single_files_work_on_seaweedfs() {
    files_on(Kind::SeaweedFs);
}

#[test]
fn single_files_work_on_moto() {
    files_on(Kind::Moto);
}

#[test]
fn single_files_work_on_azurite() {
    files_on(Kind::Azurite);
}

#[test]
fn single_files_work_on_fake_gcs() {
    files_on(Kind::FakeGcs);
}
