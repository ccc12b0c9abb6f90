//! Single files in object stores: published by one request, whole or absent, whatever becomes of its answer.

use std::io::Write as _;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use atomic_arrow::object_store::memory::InMemory;
use atomic_arrow::object_store::{ObjectStore, ObjectStoreExt as _};
use atomic_arrow::{
    AtomicArrowWriter, AtomicFile, Durability, Error, FileOptions, FileUpdate, Format,
    ObjectStoreOptions, Outcome, Partition, PublishMode, Result, StagingPlace, Verify,
    WriterOptions,
};
use futures::{FutureExt as _, TryStreamExt as _};

use crate::faulty_store::{Answer, Fault, FaultyStore, Request, Rule};

const PATH: &str = "memory://lake/raw/data.json";
const KEY: &str = "raw/data.json";
const HISTORY: &str = "memory://lake/cache/history.parquet";

struct Bucket {
    store: Arc<FaultyStore<InMemory>>,
    inner: Arc<InMemory>,
    spool: tempfile::TempDir,
}

impl Bucket {
    fn new() -> Self {
        let inner = Arc::new(InMemory::new());
        Bucket {
            store: Arc::new(FaultyStore::new(Arc::clone(&inner))),
            inner,
            spool: tempfile::tempdir().unwrap(),
        }
    }

    fn reached(&self) -> ObjectStoreOptions {
        let store = Arc::clone(&self.store) as Arc<dyn ObjectStore>;
        ObjectStoreOptions::new()
            .store(store)
            .spool(self.spool.path())
            .part_size(5 << 20)
            .for_tests()
    }

    fn options(&self, mode: PublishMode) -> FileOptions {
        FileOptions::new().mode(mode).object_store(self.reached())
    }

    fn begin(&self, mode: PublishMode, bytes: &[u8]) -> Result<AtomicFile> {
        let mut file = AtomicFile::create_with_options(PATH, self.options(mode))?;
        file.write_all(bytes).unwrap();
        Ok(file)
    }

    fn write(&self, mode: PublishMode, bytes: &[u8]) -> Result<()> {
        self.begin(mode, bytes)?.commit().map(drop)
    }

    /// What somebody else puts.
    fn put(&self, key: &str, bytes: &[u8]) {
        now(self.inner.put(&key.into(), bytes.to_vec().into())).unwrap();
    }

    fn get(&self, key: &str) -> Option<Vec<u8>> {
        let found = now(self.inner.get(&key.into())).ok()?;
        Some(now(found.bytes()).unwrap().to_vec())
    }

    fn keys(&self) -> Vec<String> {
        let listed: Vec<_> = now(self.inner.list(None).try_collect()).unwrap();
        let keys = listed.into_iter().map(|object| object.location.to_string());
        keys.collect()
    }

    fn key_of(&self, path: &std::path::Path) -> atomic_arrow::object_store::path::Path {
        let key = path
            .to_str()
            .unwrap()
            .strip_prefix("memory://lake/")
            .unwrap();
        atomic_arrow::object_store::path::Path::parse(key).unwrap()
    }

    /// The number of files in the spool.
    fn spooled(&self) -> usize {
        let area = std::fs::read_dir(self.spool.path().join(".atomic"));
        let names = area.into_iter().flatten().map(|entry| entry.unwrap());
        let names = names.map(|entry| entry.file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(".staged")).count()
    }

    fn writer_options(&self) -> WriterOptions {
        WriterOptions::new().object_store(self.reached())
    }

    /// Adds a day to the history, as a job does that reads, merges and writes.
    fn begin_update(&self) -> Result<FileUpdate> {
        FileUpdate::begin_with_options(HISTORY, self.writer_options())
    }

    fn add(&self, update: FileUpdate, day: i64) -> Result<()> {
        let before = update.read()?;
        let mut writer = update.write(days(&[]).schema())?;
        writer.write_all(before.into_iter().flatten())?;
        writer.write(&days(&[day]))?;
        writer.commit().map(drop)
    }

    fn history(&self) -> Vec<i64> {
        let Some(read) = self.begin_update().unwrap().read().unwrap() else {
            return Vec::new();
        };
        let batches = read.map(|batch| batch.unwrap());
        let days = batches.flat_map(|batch| {
            let days = batch.column(0).as_any().downcast_ref::<Int64Array>();
            days.unwrap().values().to_vec()
        });
        days.collect()
    }
}

/// The answer of the store in memory, which is there at once.
fn now<T>(answer: impl Future<Output = T>) -> T {
    answer.now_or_never().unwrap()
}

fn days(days: &[i64]) -> RecordBatch {
    let days: ArrayRef = Arc::new(Int64Array::from(days.to_vec()));
    RecordBatch::try_from_iter([("day", days)]).unwrap()
}

/// Bytes that are longer than a part.
fn large(seed: u8) -> Vec<u8> {
    let block: Vec<u8> = (0..=255_u8).map(|byte| byte ^ seed).collect();
    block.repeat(12 << 12)
}

#[test]
fn a_file_is_published_by_one_request_and_looked_at_once() {
    let bucket = Bucket::new();
    let mut file = bucket.begin(PublishMode::CreateNew, b"{}").unwrap();
    file.write_all(b"\n").unwrap();
    let staged = file.finish().unwrap();
    assert_eq!(bucket.keys(), Vec::<String>::new());
    assert!(staged.staging_path().starts_with(bucket.spool.path()));
    assert_eq!(bucket.spooled(), 1);
    bucket.store.take_counts();
    let published = staged.publish().unwrap();
    assert_eq!(published.path().to_str(), Some(PATH));
    assert_eq!(published.bytes(), 3);
    let expected = [(Request::PutIfAbsent, 1), (Request::Head, 1)];
    assert_eq!(bucket.store.take_counts(), expected.into());
    assert_eq!(bucket.get(KEY).unwrap(), b"{}\n");
    assert_eq!(bucket.spooled(), 0);
}

#[test]
fn nothing_is_put_of_what_is_not_committed() {
    let bucket = Bucket::new();
    drop(bucket.begin(PublishMode::CreateNew, b"{}").unwrap());
    let staged = bucket
        .begin(PublishMode::Replace, &large(0))
        .unwrap()
        .finish();
    staged.unwrap().discard();
    let options = bucket.options(PublishMode::CreateNew).format(Format::Json);
    let mut file = AtomicFile::create_with_options(PATH, options).unwrap();
    file.write_all(b"{").unwrap();
    let error = file.commit().unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
    assert!(
        bucket
            .store
            .take_counts()
            .keys()
            .all(|request| *request >= Request::Head && *request <= Request::ListDirectory)
    );
    assert_eq!(bucket.spooled(), 0);
}

#[test]
fn a_taken_name_is_an_error_before_and_when_the_file_is_published() {
    let bucket = Bucket::new();
    bucket.put(KEY, b"theirs");
    let error = bucket.begin(PublishMode::CreateNew, b"ours").unwrap_err();
    assert!(matches!(error, Error::AlreadyExists { .. }), "{error}");

    let bucket = Bucket::new();
    let file = bucket.begin(PublishMode::CreateNew, b"ours").unwrap();
    bucket.put(KEY, b"theirs");
    let error = file.commit().unwrap_err();
    assert!(matches!(error, Error::AlreadyExists { .. }), "{error}");
    assert_eq!(bucket.get(KEY).unwrap(), b"theirs");

    bucket.write(PublishMode::Replace, b"ours").unwrap();
    assert_eq!(bucket.get(KEY).unwrap(), b"ours");
}

#[test]
fn a_doubtful_answer_is_found_out_and_never_guessed() {
    let faults = [
        Fault::before(Answer::Doubtful),
        Fault::after(Answer::Doubtful),
        Fault::before(Answer::AlreadyExists),
        Fault::after(Answer::AlreadyExists),
        Fault::before(Answer::Precondition),
        Fault::after(Answer::Precondition),
    ];
    for fault in faults {
        for (mode, request) in [
            (PublishMode::CreateNew, Request::PutIfAbsent),
            (PublishMode::Replace, Request::Put),
        ] {
            let bucket = Bucket::new();
            bucket.store.fail(Rule::on(request).at(KEY).times(2), fault);
            let written = bucket.write(mode, b"ours");
            assert!(written.is_ok(), "{mode:?}, {fault:?}: {written:?}");
            assert_eq!(bucket.get(KEY).unwrap(), b"ours");
        }
        let bucket = Bucket::new();
        bucket.add(bucket.begin_update().unwrap(), 1).unwrap();
        let rule = Rule::on(Request::PutIfMatch).times(2);
        bucket.store.fail(rule, fault);
        let updated = bucket.add(bucket.begin_update().unwrap(), 2);
        assert!(updated.is_ok(), "{fault:?}: {updated:?}");
        assert_eq!(bucket.history(), [1, 2]);
    }
}

#[test]
fn where_the_store_does_not_tell_the_outcome_is_unknown() {
    for fault in [
        Fault::before(Answer::Doubtful),
        Fault::after(Answer::Doubtful),
    ] {
        for (mode, request) in [
            (PublishMode::CreateNew, Request::PutIfAbsent),
            (PublishMode::Replace, Request::Put),
        ] {
            let bucket = Bucket::new();
            let file = bucket.begin(mode, b"ours").unwrap();
            bucket.store.fail(Rule::on(request).always(), fault);
            let silent = Fault::before(Answer::Doubtful);
            bucket.store.fail(Rule::on(Request::Head).always(), silent);
            let error = file.commit().unwrap_err();
            assert!(matches!(error, Error::Unknown { .. }), "{error}");
            assert_eq!(error.outcome(), Outcome::Unknown);
            assert_eq!(bucket.spooled(), 0);
        }
    }
}

#[test]
fn a_refusal_leaves_what_was_there() {
    let bucket = Bucket::new();
    let silent = Fault::before(Answer::Doubtful);
    bucket.store.fail(Rule::on(Request::Head), silent);
    let error = bucket.begin(PublishMode::Replace, b"ours").unwrap_err();
    assert_eq!(error.outcome(), Outcome::NotPublished, "{error}");
    bucket.put(KEY, b"before");
    let refused = Fault::before(Answer::PermissionDenied);
    bucket.store.fail(Rule::on(Request::Put), refused);
    let error = bucket.write(PublishMode::Replace, b"ours").unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error}");
    assert_eq!(error.outcome(), Outcome::NotPublished);
    assert_eq!(bucket.get(KEY).unwrap(), b"before");
}

#[test]
fn a_long_file_that_may_replace_is_uploaded_in_parts() {
    let bucket = Bucket::new();
    bucket.put(KEY, b"before");
    let inner = Arc::clone(&bucket.inner);
    bucket
        .store
        .meanwhile(Rule::on(Request::CompleteUpload), move || {
            let found = now(inner.get(&KEY.into())).unwrap();
            assert_eq!(now(found.bytes()).unwrap(), "before");
        });
    let bytes = large(1);
    bucket.write(PublishMode::Replace, &bytes).unwrap();
    assert!(bucket.get(KEY).unwrap() == bytes);
    let counts = bucket.store.take_counts();
    assert_eq!(counts[&Request::PutPart], 3);
    assert!(!counts.contains_key(&Request::Put) && !counts.contains_key(&Request::AbortUpload));
}

#[test]
fn an_upload_in_parts_that_fails_is_aborted_and_one_whose_end_is_doubtful_is_looked_for() {
    let before = large(1);
    let ours = large(2);
    for (request, fault, result) in [
        (
            Request::BeginUpload,
            Fault::before(Answer::Doubtful),
            Outcome::NotPublished,
        ),
        (
            Request::PutPart,
            Fault::before(Answer::Doubtful),
            Outcome::NotPublished,
        ),
        (
            Request::CompleteUpload,
            Fault::before(Answer::PermissionDenied),
            Outcome::NotPublished,
        ),
        (
            Request::CompleteUpload,
            Fault::before(Answer::Doubtful),
            Outcome::Unknown,
        ),
    ] {
        let bucket = Bucket::new();
        bucket.write(PublishMode::Replace, &before).unwrap();
        bucket.store.take_counts();
        bucket.store.fail(Rule::on(request), fault);
        let error = bucket.write(PublishMode::Replace, &ours).unwrap_err();
        assert_eq!(error.outcome(), result, "{request:?}: {error}");
        assert!(bucket.get(KEY).unwrap() == before);
        let aborted = bucket
            .store
            .take_counts()
            .contains_key(&Request::AbortUpload);
        assert_eq!(aborted, request != Request::BeginUpload, "{request:?}");
    }
    for answer in [Answer::Doubtful, Answer::AlreadyExists, Answer::NotFound] {
        let bucket = Bucket::new();
        bucket
            .store
            .fail(Rule::on(Request::CompleteUpload), Fault::after(answer));
        bucket.write(PublishMode::Replace, &ours).unwrap();
        assert!(bucket.get(KEY).unwrap() == ours);
    }
}

#[test]
fn a_long_file_that_must_not_replace_does_not() {
    let bucket = Bucket::new();
    let file = bucket.begin(PublishMode::CreateNew, &large(1)).unwrap();
    bucket.put(KEY, b"theirs");
    let error = file.commit().unwrap_err();
    assert!(matches!(error, Error::AlreadyExists { .. }), "{error}");
    assert_eq!(bucket.keys(), [KEY]);
    assert_eq!(bucket.get(KEY).unwrap(), b"theirs");

    let bucket = Bucket::new();
    bucket.write(PublishMode::CreateNew, &large(1)).unwrap();
    assert!(bucket.get(KEY).unwrap() == large(1));
    assert_eq!(bucket.keys(), [KEY]);
}

#[test]
fn what_was_changed_in_the_spool_is_not_put() {
    for (mode, bytes) in [
        (PublishMode::CreateNew, b"ours".to_vec()),
        (PublishMode::CreateNew, large(1)),
        (PublishMode::Replace, large(1)),
    ] {
        let bucket = Bucket::new();
        let staged = bucket.begin(mode, &bytes).unwrap().finish().unwrap();
        let mut changed = bytes.clone();
        changed[2] ^= 1;
        std::fs::write(staged.staging_path(), changed).unwrap();
        let error = staged.publish().unwrap_err();
        assert_eq!(error.outcome(), Outcome::NotPublished, "{error}");
        assert_eq!(bucket.keys(), Vec::<String>::new());
    }
}

#[test]
fn of_two_updates_that_read_the_same_the_later_is_a_conflict() {
    let bucket = Bucket::new();
    bucket.add(bucket.begin_update().unwrap(), 1).unwrap();
    let (one, other) = (
        bucket.begin_update().unwrap(),
        bucket.begin_update().unwrap(),
    );
    assert!(one.exists());
    bucket.add(one, 2).unwrap();
    let error = bucket.add(other, 3).unwrap_err();
    assert!(matches!(error, Error::Conflict { .. }), "{error}");

    // He had read it before the other published.
    let (one, other) = (
        bucket.begin_update().unwrap(),
        bucket.begin_update().unwrap(),
    );
    let mut late = other.write(days(&[]).schema()).unwrap();
    late.write(&days(&[4])).unwrap();
    bucket.add(one, 3).unwrap();
    let error = late.commit().unwrap_err();
    assert!(matches!(error, Error::Conflict { .. }), "{error}");
    assert_eq!(bucket.history(), [1, 2, 3]);

    // The same of a file that is not there yet, or not any more.
    let bucket = Bucket::new();
    let (one, other) = (
        bucket.begin_update().unwrap(),
        bucket.begin_update().unwrap(),
    );
    assert!(!one.exists());
    bucket.add(one, 1).unwrap();
    let error = bucket.add(other, 2).unwrap_err();
    assert!(matches!(error, Error::Conflict { .. }), "{error}");
    let update = bucket.begin_update().unwrap();
    let mut writer = update.write(days(&[]).schema()).unwrap();
    writer.write(&days(&[3])).unwrap();
    now(bucket.inner.delete(&"cache/history.parquet".into())).unwrap();
    let error = writer.commit().unwrap_err();
    // A store that is given may have made the request twice, and somebody have removed what the first put.
    assert!(matches!(error, Error::Unknown { .. }), "{error}");
    assert_eq!(bucket.history(), [0_i64; 0]);
}

#[test]
fn rows_are_added_to_a_partition_in_a_store_and_compared_with_those_that_are_there() {
    let bucket = Bucket::new();
    let root = "memory://lake/weather";
    let partition = Partition::new([("station_id", "KSEA/1")]).unwrap();
    let create = |options: WriterOptions, batch: &RecordBatch| {
        let mut writer =
            AtomicArrowWriter::create_with_options(root, &partition, batch.schema(), options)?;
        writer.write(batch)?;
        writer.commit()
    };
    let file = create(bucket.writer_options(), &days(&[1])).unwrap();
    create(bucket.writer_options(), &days(&[2])).unwrap();
    let directory = "memory://lake/weather/station_id=KSEA%2F1";
    assert_eq!(file.path().parent().unwrap().to_str(), Some(directory));
    assert_eq!(bucket.keys().len(), 2);

    let other: ArrayRef = Arc::new(arrow::array::StringArray::from(vec!["one"]));
    let other = RecordBatch::try_from_iter([("day", other)]).unwrap();
    let error = create(bucket.writer_options(), &other).unwrap_err();
    assert!(matches!(error, Error::Incompatible { .. }), "{error}");

    // Of a name that nobody else has nothing is asked, and a long file goes in parts.
    let values =
        Int64Array::from_iter_values((0..2 << 20).map(|value: i64| {
            value.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64 as i64) ^ (value << 40)
        }));
    let long = RecordBatch::try_from_iter([("day", Arc::new(values) as ArrayRef)]).unwrap();
    let compression = atomic_arrow::parquet::basic::Compression::UNCOMPRESSED;
    let plain = bucket
        .writer_options()
        .compression(compression)
        .schema_check(false);
    bucket.store.take_counts();
    let long = create(plain, &long).unwrap();
    assert!(long.bytes() > 5 << 20, "{}", long.bytes());
    let counts = bucket.store.take_counts();
    assert_eq!(
        (
            counts[&Request::BeginUpload],
            counts[&Request::Head],
            counts.len()
        ),
        (1, 1, 4),
        "{counts:?}"
    );
    now(bucket.inner.delete(&bucket.key_of(long.path()))).unwrap();

    let named = || bucket.writer_options().file_name("days.parquet");
    create(named(), &days(&[3])).unwrap();
    let error = create(named(), &days(&[4])).unwrap_err();
    assert!(matches!(error, Error::AlreadyExists { .. }), "{error}");
    create(named().mode(PublishMode::Replace), &days(&[4])).unwrap();
    assert_eq!(bucket.keys().len(), 3);
    assert_eq!(bucket.spooled(), 0);
}

#[test]
fn what_no_object_store_can_keep_is_refused() {
    let bucket = Bucket::new();
    let options = || bucket.options(PublishMode::Replace);
    for options in [
        options().durability(Durability::Unsynced),
        options().staging(StagingPlace::Inside),
    ] {
        let error = AtomicFile::create_with_options(PATH, options).unwrap_err();
        assert!(matches!(error, Error::InvalidOption { .. }), "{error}");
    }
    let update = bucket.writer_options().durability(Durability::Unsynced);
    let error = FileUpdate::begin_with_options(HISTORY, update).unwrap_err();
    assert!(matches!(error, Error::InvalidOption { .. }), "{error}");
    bucket.put("raw/day/1.json", b"{}");
    for path in [
        "memory://lake",
        "memory://lake/",
        "memory://lake/raw/",
        "memory://lake/raw/day",
        "memory://lake/.atomic/tx/1.json",
        "memory://lake/.weather.atomic/1.json",
    ] {
        let error = AtomicFile::create_with_options(path, options()).unwrap_err();
        assert!(
            matches!(error, Error::InvalidPath { .. }),
            "{path}: {error}"
        );
    }
    bucket.put("table/_delta_log/0.json", b"{}");
    bucket.put("table/part.parquet", b"");
    let table = AtomicFile::create_with_options("memory://lake/table/part.parquet", options());
    assert!(matches!(table, Err(Error::Conflict { .. })));
    let other = FileOptions::new().object_store(ObjectStoreOptions::new());
    let error = AtomicFile::create_with_options(PATH, other).unwrap_err();
    assert!(matches!(error, Error::InvalidPath { .. }), "{error}");
}

#[test]
fn a_file_goes_into_a_store_at_each_level_of_verification() {
    let bucket = Bucket::new();
    for level in [
        Verify::Skip,
        Verify::Footer,
        Verify::Checksum,
        Verify::Decode,
    ] {
        let options = bucket.writer_options().verify(level);
        let mut writer =
            AtomicArrowWriter::at_with_options(HISTORY, days(&[]).schema(), options).unwrap();
        writer.write(&days(&[1, 2])).unwrap();
        let staged = writer.finish().unwrap();
        assert_eq!(staged.rows(), 2);
        assert_eq!(staged.publish().unwrap().path().to_str(), Some(HISTORY));
        assert_eq!(bucket.history(), [1, 2]);
    }
}
