//! What the engine writes, whatever the batches, threads and memory; and what it does when something
//! goes wrong.

mod formats;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};

use arrow::array::{
    ArrayRef, AsArray, Decimal128Array, DictionaryArray, Float64Array, Int32Array, Int64Array,
    ListArray, RecordBatch, RecordBatchOptions, StringArray, UInt32Array,
};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Int8Type, Int32Type, Int64Type, Schema};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use proptest::prelude::*;

use super::engine::Engine;
use super::hold::buffer::Buffer;
use super::options::EngineOptions;
use super::staging_files::{Finished, StagingFiles};
use super::*;
use crate::disk::sim::{FaultTime, SimDisk};
use crate::disk::{Disk, DiskDirectory, DiskFile, LockKind, LockOutcome, OsDisk};
use crate::error::{Error, Result, Step};
use crate::meter::Meter;
use crate::options::{Durability, StagingPlace, SyncPolicy, Verify};
use crate::partition::{Assignment, Partition, PartitionBy, PartitionError, PartitionValue};
use crate::staging::{Area, Draft, home_of_root};

/// Staging files in a directory of their own.
#[derive(Debug)]
pub(super) struct Place {
    directory: tempfile::TempDir,
    disk: Arc<dyn Disk>,
    area: Area,
    meter: Meter,
}

impl Place {
    pub(super) fn new() -> Arc<Self> {
        let directory = tempfile::tempdir().unwrap();
        let disk: Arc<dyn Disk> = Arc::new(OsDisk);
        let root = directory.path().join("lake");
        let home = home_of_root(disk.as_ref(), &root, &StagingPlace::Auto).unwrap();
        let area = Area::open(&disk, home).unwrap();
        Arc::new(Place {
            directory,
            disk,
            area,
            meter: Meter::default(),
        })
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join(".lake.atomic")
    }

    fn staged_files(&self) -> usize {
        std::fs::read_dir(self.path()).unwrap().count()
    }
}

impl StagingFiles for Place {
    fn touch(&self, _partition: &crate::partition::Partition) -> Result<()> {
        Ok(())
    }

    fn create(&self, hashing: bool) -> Result<Draft> {
        Draft::create(self.area.clone(), false, hashing)
    }

    fn scratch(&self) -> Result<Box<dyn DiskFile>> {
        let path = self.directory.path().join("scratch");
        let file = self.disk.create_file(&path, false).unwrap();
        self.disk.remove_file(&path).unwrap();
        Ok(file)
    }

    fn directory(&self) -> Result<Box<dyn DiskDirectory>> {
        Ok(self.disk.open_directory(self.directory.path()).unwrap())
    }

    fn meter(&self) -> &Meter {
        &self.meter
    }

    fn stage(&self, _file: &Finished) -> Result<()> {
        Ok(())
    }
}

fn options() -> EngineOptions {
    EngineOptions {
        durability: Durability::Unsynced,
        file_name: Some("part-{number}".to_owned()),
        ..EngineOptions::default()
    }
}

fn written(
    place: &Arc<Place>,
    by: &str,
    options: EngineOptions,
    batches: &[RecordBatch],
) -> Result<Vec<Finished>> {
    let schema = batches[0].schema();
    let staging: Arc<dyn StagingFiles> = Arc::clone(place) as Arc<dyn StagingFiles>;
    let mut engine = Engine::new(staging, &schema, &by.parse().unwrap(), options)?;
    for batch in batches {
        engine.write(batch)?;
    }
    engine.finish()
}

fn read(path: &Path) -> RecordBatch {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap())
        .unwrap()
        .build()
        .unwrap();
    let batches: Vec<RecordBatch> = reader.map(|batch| batch.unwrap()).collect();
    concat_batches(&batches[0].schema(), &batches).unwrap()
}

/// Row numbers, a key with a null and neighbours in the batch, a list, a dictionary, a text.
fn rows(numbers: std::ops::Range<i64>, key: impl Fn(i64) -> Option<i64>) -> RecordBatch {
    let count = numbers.clone();
    let keys: Int64Array = count.clone().map(&key).collect();
    let lists = count.clone().map(|n| {
        let items = (0..n % 4).map(|item| Some(item as i32 * 7));
        (n % 11 != 0).then(|| items.collect::<Vec<_>>())
    });
    let lists = ListArray::from_iter_primitive::<Int32Type, _, _>(lists);
    let words: Vec<String> = count.clone().map(|n| format!("word {}", n % 5)).collect();
    let words: DictionaryArray<Int32Type> = words.iter().map(String::as_str).collect();
    let texts: StringArray = count
        .clone()
        .map(|n| (n % 3 != 0).then(|| format!("text {n}")))
        .collect();
    let columns: [(&str, ArrayRef); 5] = [
        ("key", Arc::new(keys)),
        ("n", Arc::new(Int64Array::from_iter_values(numbers))),
        ("list", Arc::new(lists)),
        ("word", Arc::new(words)),
        ("text", Arc::new(texts)),
    ];
    let columns = columns.map(|(name, column)| (name, column, true));
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn cut(batch: &RecordBatch, size: usize) -> Vec<RecordBatch> {
    (0..batch.num_rows())
        .step_by(size)
        .map(|start| {
            let count = size.min(batch.num_rows() - start);
            let rows = UInt32Array::from_iter_values(start as u32..(start + count) as u32);
            arrow::compute::take_record_batch(batch, &rows).unwrap()
        })
        .collect()
}

/// Row groups of 100 rows, encoded 32 rows at once.
fn small_groups() -> WriterPropertiesBuilder {
    WriterProperties::builder()
        .set_write_batch_size(8)
        .set_data_page_row_count_limit(40)
        .set_max_row_group_row_count(Some(100))
}

fn scattered(modulus: i64) -> impl Fn(i64) -> Option<i64> {
    move |n| {
        let key = (n.wrapping_mul(2_654_435_761) >> 7).rem_euclid(modulus);
        (key > 0).then_some(key)
    }
}

fn contents(files: &[Finished]) -> Vec<(String, String, Vec<u8>)> {
    let content = |file: &Finished| {
        let bytes = std::fs::read(&file.staged).unwrap();
        (file.partition.to_string(), file.file_name.clone(), bytes)
    };
    files.iter().map(content).collect()
}

/// The row numbers in each partition, in the order in which they stand in its files.
fn numbers(files: &[Finished]) -> BTreeMap<String, Vec<i64>> {
    let mut numbers: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for file in files {
        let rows = read(&file.staged);
        assert_eq!(rows.num_rows() as u64, file.rows);
        assert_eq!(file.bytes, std::fs::metadata(&file.staged).unwrap().len());
        let column = rows
            .column_by_name("n")
            .unwrap()
            .as_primitive::<Int64Type>();
        let of = numbers.entry(file.partition.to_string()).or_default();
        of.extend(column.values());
    }
    numbers
}

fn expected(
    range: std::ops::Range<i64>,
    key: impl Fn(i64) -> Option<i64>,
) -> BTreeMap<String, Vec<i64>> {
    let mut numbers: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for n in range {
        let value = PartitionValue::from(key(n));
        let partition = Partition::new([("key", value)]).unwrap();
        numbers.entry(partition.to_string()).or_default().push(n);
    }
    numbers
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Every row is in the file of its partition, once, and rows of a partition keep their order.
    #[test]
    fn no_row_is_lost_or_moved(
        keys in prop::collection::vec(prop::option::weighted(0.9, 0_i64..40), 1..600),
        sizes in prop::collection::vec(1_usize..120, 1..8),
        threads in 1_usize..5,
        limit in prop::sample::select(vec![1_u64, 20_000, 200_000, 1 << 30]),
        sort in any::<bool>(),
    ) {
        let count = keys.len() as i64;
        let key = |n: i64| keys[n as usize];
        let all = rows(0..count, key);
        let mut batches = Vec::new();
        let mut start = 0;
        for size in sizes.iter().cycle() {
            let size = (*size).min(keys.len() - start);
            batches.push(all.slice(start, size));
            start += size;
            if start == keys.len() {
                break;
            }
        }
        let place = Place::new();
        let options = EngineOptions {
            threads,
            memory_limit: limit,
            properties: small_groups().build(),
            sort_by: if sort { vec![SortBy::column("n")] } else { Vec::new() },
            ..options()
        };
        let files = written(&place, "key", options, &batches).unwrap();
        prop_assert_eq!(numbers(&files), expected(0..count, key));
    }
}

#[test]
fn files_are_the_same_bytes_whatever_the_batches_threads_and_memory() {
    let all = rows(0..5_000, scattered(30));
    let large = rows(5_000..9_000, |_| Some(7));
    let all = concat_batches(&all.schema(), [&all, &large]).unwrap();
    let write = |size: usize, threads: usize, memory_limit: u64| {
        let place = Place::new();
        let options = EngineOptions {
            threads,
            memory_limit,
            properties: small_groups().build(),
            verify: Verify::Decode,
            ..options()
        };
        contents(&written(&place, "key", options, &cut(&all, size)).unwrap())
    };
    let reference = write(9_000, 1, 1 << 30);
    assert_eq!(reference.len(), 30);
    for (size, threads, memory_limit) in [
        (9_000, 4, 1 << 30),
        (700, 3, 1 << 30),
        (64, 1, 1),
        (333, 4, 300_000),
        (4_096, 2, 1 << 20),
    ] {
        assert!(
            reference == write(size, threads, memory_limit),
            "{size} {threads} {memory_limit}"
        );
    }
}

/// Texts of few values are held as codes, unless values are digested for verification.
#[test]
fn files_are_the_same_bytes_whether_or_not_values_are_held_as_codes() {
    const ROWS: i64 = 40_000;
    let text = |value: &dyn Fn(i64) -> Option<String>| -> ArrayRef {
        Arc::new((0..ROWS).map(value).collect::<StringArray>())
    };
    let few = text(&|row| (row % 13 != 5).then(|| format!("value {}", row * 31 % 40)));
    let bytes: ArrayRef = Arc::new(few.as_string::<i32>().clone());
    let columns: [(&str, ArrayRef); 7] = [
        (
            "key",
            Arc::new((0..ROWS).map(scattered(9)).collect::<Int64Array>()),
        ),
        (
            "bytes",
            arrow::compute::cast(&bytes, &DataType::LargeBinary).unwrap(),
        ),
        ("few", few),
        ("nothing", text(&|_| None)),
        // Too many for codes, from the beginning and later.
        ("many", text(&|row| Some(format!("{:x}", row * 7_919)))),
        (
            "more",
            text(&|row| Some(format!("{}", if row < 20_000 { row % 50 } else { row }))),
        ),
        // More than there are rows in a page.
        (
            "several",
            text(&|row| Some(format!("one of several values {}", row * 7_919 % 700))),
        ),
    ];
    let columns = columns.map(|(name, column)| (name, column, true));
    let all = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    for properties in [WriterProperties::new(), small_groups().build()] {
        let write = |verify: Verify, size: usize, threads: usize, memory_limit: u64| {
            let options = EngineOptions {
                threads,
                memory_limit,
                properties: properties.clone(),
                verify,
                ..options()
            };
            contents(&written(&Place::new(), "key", options, &cut(&all, size)).unwrap())
        };
        let reference = write(Verify::Decode, 8_192, 1, 1 << 30);
        for (size, threads, memory_limit) in [
            (40_000, 1, 1 << 30),
            (8_192, 2, 1 << 30),
            (900, 3, 4 << 20),
            (3_000, 2, 1 << 20),
            (25, 1, 1 << 30),
        ] {
            let coded = write(Verify::Footer, size, threads, memory_limit);
            assert!(reference == coded, "{size} {threads} {memory_limit}");
        }
    }
}

/// Where no row of a column is null, whether there is a buffer that says so depends on the rows beside.
#[test]
fn files_are_the_same_bytes_where_only_some_rows_are_near_nulls() {
    let texts = (0..60_000).map(|row: i64| (row > 3_000).then(|| format!("{:0100}", row * 7_919)));
    let texts: StringArray = texts.collect();
    let columns: [(&str, ArrayRef); 2] = [
        (
            "key",
            Arc::new((0..60_000).map(|row| row % 3).collect::<Int64Array>()),
        ),
        ("text", Arc::new(texts)),
    ];
    let all = RecordBatch::try_from_iter(columns).unwrap();
    let write = |threads: usize, memory_limit: u64| {
        let options = EngineOptions {
            threads,
            memory_limit,
            properties: WriterProperties::builder()
                .set_dictionary_enabled(false)
                .build(),
            ..options()
        };
        contents(&written(&Place::new(), "key", options, &cut(&all, 1_000)).unwrap())
    };
    let reference = write(1, 1 << 30);
    for (threads, memory_limit) in [(2, 1 << 30), (8, 64 << 20), (1, 16 << 20), (1, 4 << 20)] {
        assert!(
            reference == write(threads, memory_limit),
            "{threads} {memory_limit}"
        );
    }
}

#[test]
fn a_partition_that_takes_less_than_an_eighth_of_the_memory_is_sorted_as_a_whole() {
    let noise = |column: u64| {
        let values = (0..24_000_u64).map(|row| {
            let mixed = (row + column * 24_000).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            (mixed ^ mixed >> 31) as i64
        });
        Arc::new(values.collect::<Int64Array>()) as ArrayRef
    };
    let keys: Int64Array = (0..24_000).map(|row| row * 7 % 8).collect();
    let mut columns = vec![("key".to_owned(), Arc::new(keys) as ArrayRef)];
    columns.extend((0..30).map(|column| (format!("c{column}"), noise(column))));
    let all = RecordBatch::try_from_iter(columns).unwrap();
    let options = EngineOptions {
        memory_limit: 8 << 20,
        sort_by: vec![SortBy::column("c0")],
        ..options()
    };
    let files = written(&Place::new(), "key", options, &cut(&all, 500)).unwrap();
    assert_eq!(files.len(), 8);
}

#[test]
fn files_roll_at_rows_and_bytes_at_the_same_rows_whatever_the_memory() {
    let all = rows(0..6_000, |n| Some(n % 2 + 1));
    let write = |threads, memory_limit, rows, bytes| {
        let place = Place::new();
        let options = EngineOptions {
            threads,
            memory_limit,
            target_file_rows: rows,
            target_file_size: bytes,
            properties: small_groups()
                .set_max_row_group_row_count(Some(700))
                .build(),
            ..options()
        };
        let files = written(&place, "key", options, &cut(&all, 512)).unwrap();
        assert_eq!(numbers(&files), expected(0..6_000, |n| Some(n % 2 + 1)));
        let sizes: Vec<(u64, usize)> = files
            .iter()
            .map(|f| (f.rows, f.row_groups.unwrap()))
            .collect();
        let bytes: Vec<u64> = files.iter().map(|file| file.bytes).collect();
        (sizes, bytes, contents(&files))
    };
    let (sizes, _, _) = write(2, 1 << 30, Some(1_000), None);
    assert_eq!(sizes, [(1_000, 2); 6]);

    let whole = write(1, 1 << 30, None, None).1;
    let (sizes, bytes, reference) = write(1, 1 << 30, None, Some(whole[0] / 4));
    assert!(sizes.len() >= 6, "{sizes:?}");
    assert!(
        bytes.iter().all(|bytes| *bytes < whole[0] / 2),
        "{bytes:?} of {whole:?}"
    );
    assert!(reference == write(3, 1 << 30, None, Some(whole[0] / 4)).2);
    assert!(reference == write(2, 1, None, Some(whole[0] / 4)).2);
}

#[test]
fn sorted_files_say_so_and_are() {
    let all = rows(0..3_000, |n| Some(n % 4 + 1));
    let place = Place::new();
    let options = EngineOptions {
        sort_by: vec![SortBy::column("text").descending(true), SortBy::column("n")],
        properties: small_groups().build(),
        ..options()
    };
    let files = written(&place, "key", options, &cut(&all, 500)).unwrap();
    assert_eq!(files.len(), 4);
    for file in &files {
        let rows = read(&file.staged);
        let texts: Vec<_> = rows
            .column_by_name("text")
            .unwrap()
            .as_string::<i32>()
            .iter()
            .collect();
        let nulls = texts.iter().filter(|text| text.is_none()).count();
        let (values, last) = texts.split_at(texts.len() - nulls);
        assert!(nulls > 0 && last.iter().all(Option::is_none));
        assert!(values.is_sorted_by(|one, other| one > other));
        let metadata = ParquetRecordBatchReaderBuilder::try_new(File::open(&file.staged).unwrap())
            .unwrap()
            .metadata()
            .clone();
        // "n" is the first leaf of the file, but "text" comes after a list, whose leaves differ.
        assert!(metadata.row_group(0).sorting_columns().is_none());
    }
    let options = EngineOptions {
        sort_by: vec![SortBy::column("n").descending(true).nulls_first(true)],
        ..super::tests::options()
    };
    let files = written(&place, "key", options, &cut(&all, 500)).unwrap();
    let metadata = ParquetRecordBatchReaderBuilder::try_new(File::open(&files[0].staged).unwrap())
        .unwrap()
        .metadata()
        .clone();
    let expected = SortingColumn {
        column_idx: 0,
        descending: true,
        nulls_first: true,
    };
    assert_eq!(
        metadata.row_group(0).sorting_columns(),
        Some(&vec![expected])
    );
}

#[test]
fn many_partitions_fit_into_little_memory_and_few_open_files() {
    const PARTITIONS: i64 = 20_000;
    let place = Place::new();
    let most = Arc::new(AtomicUsize::new(0));
    let (seen, directory) = (Arc::clone(&most), place.directory.path().to_owned());
    let spilled = Arc::new(AtomicUsize::new(0));
    let rows_spilled = Arc::clone(&spilled);
    let options = EngineOptions {
        memory_limit: 1 << 20,
        threads: 4,
        max_open_files: 12,
        properties: WriterProperties::builder()
            .set_statistics_enabled(EnabledStatistics::None)
            .build(),
        on_file: Some(Arc::new(move |file: &Finished| {
            if file.staged.to_string_lossy().ends_with("7.staged") || seen.load(Relaxed) == 0 {
                seen.fetch_max(open_files(&directory), Relaxed);
            }
        })),
        on_progress: Some(Arc::new(move |progress: Progress| {
            rows_spilled.fetch_max(progress.rows_spilled as usize, Relaxed);
        })),
        ..options()
    };
    let batch = |start: i64| {
        let range = start..start + 5_000;
        let keys: Int64Array = range.clone().map(|n| n * 7_919 % PARTITIONS).collect();
        let columns: [(&str, ArrayRef); 2] = [
            ("key", Arc::new(keys)),
            ("n", Arc::new(Int64Array::from_iter_values(range))),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
    };
    let batches: Vec<RecordBatch> = (0..12).map(|number| batch(number * 5_000)).collect();
    let files = written(&place, "key", options, &batches).unwrap();
    assert_eq!(files.len() as i64, PARTITIONS);
    assert!(files.iter().all(|file| file.rows == 3));
    let some = read(&files[4_321].staged);
    assert_eq!(
        some.column(0).as_primitive::<Int64Type>().values(),
        &[4_321, 24_321, 44_321]
    );
    assert!(spilled.load(Relaxed) > 30_000);
    assert!(
        (1..=12).contains(&most.load(Relaxed)),
        "{most:?} files were open"
    );
}

/// How many files below a directory this process has open.
fn open_files(directory: &Path) -> usize {
    let open = std::fs::read_dir("/proc/self/fd").unwrap();
    let path =
        |entry: std::io::Result<std::fs::DirEntry>| std::fs::read_link(entry.ok()?.path()).ok();
    let below = open
        .filter_map(path)
        .filter(|path| path.starts_with(directory));
    below.count()
}

#[test]
fn nothing_comes_of_nothing() {
    let place = Place::new();
    let none = rows(0..0, |_| None);
    assert!(
        written(&place, "key", options(), std::slice::from_ref(&none))
            .unwrap()
            .is_empty()
    );
    let staging: Arc<dyn StagingFiles> = Arc::clone(&place) as Arc<dyn StagingFiles>;
    let by = "key".parse().unwrap();
    let engine = Engine::new(staging, &none.schema(), &by, options()).unwrap();
    assert!(engine.finish().unwrap().is_empty());
    assert_eq!(place.staged_files(), 0);
}

#[test]
fn without_keys_there_is_one_partition() {
    let place = Place::new();
    let staging: Arc<dyn StagingFiles> = Arc::clone(&place) as Arc<dyn StagingFiles>;
    let batch = rows(0..100, |_| None);
    let by = PartitionBy::default();
    let mut engine = Engine::new(staging, &batch.schema(), &by, options()).unwrap();
    engine.write(&batch).unwrap();
    assert_eq!(
        (engine.progress().rows, engine.progress().partitions),
        (100, 1)
    );
    let files = engine.finish().unwrap();
    assert_eq!(
        (files.len(), files[0].rows, files[0].partition.len()),
        (1, 100, 0)
    );
    assert!(read(&files[0].staged).column_by_name("key").is_some());
}

#[test]
fn a_bad_value_poisons_the_engine_and_leaves_nothing() {
    let place = Place::new();
    let texts = |texts: Vec<&str>| {
        let count = texts.len();
        let columns: [(&str, ArrayRef); 2] = [
            ("key", Arc::new(StringArray::from(texts))),
            ("n", Arc::new(Int64Array::from(vec![1; count]))),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
    };
    let good = texts(vec!["a", "b"]);
    let staging: Arc<dyn StagingFiles> = Arc::clone(&place) as Arc<dyn StagingFiles>;
    let by = "key".parse().unwrap();
    let mut engine = Engine::new(staging, &good.schema(), &by, options()).unwrap();
    engine.write(&good).unwrap();
    let error = engine.write(&texts(vec!["a", "", "c"])).unwrap_err();
    assert!(
        matches!(
            &error,
            Error::Partition(PartitionError::EmptyString { row: Some(1), .. })
        ),
        "{error:?}"
    );
    assert!(matches!(engine.write(&good), Err(Error::Poisoned { .. })));
    assert!(matches!(engine.finish(), Err(Error::Poisoned { .. })));
    assert_eq!(place.staged_files(), 0);
}

/// Staging files on which something fails after some files.
#[derive(Debug)]
struct Failing {
    place: Arc<Place>,
    left: AtomicUsize,
    panics: bool,
    scratch_fails: bool,
}

impl StagingFiles for Failing {
    fn touch(&self, _partition: &crate::partition::Partition) -> Result<()> {
        Ok(())
    }

    fn create(&self, hashing: bool) -> Result<Draft> {
        if self.left.fetch_sub(1, Relaxed) == 0 {
            assert!(!self.panics, "as the test wants");
            let (step, path) = (Step::CreateStaging, PathBuf::from("here"));
            let source = std::io::ErrorKind::StorageFull.into();
            return Err(Error::Io { step, path, source });
        }
        self.place.create(hashing)
    }

    fn scratch(&self) -> Result<Box<dyn DiskFile>> {
        match self.scratch_fails {
            true => Ok(Box::new(Full)),
            false => self.place.scratch(),
        }
    }

    fn directory(&self) -> Result<Box<dyn DiskDirectory>> {
        self.place.directory()
    }

    fn meter(&self) -> &Meter {
        &self.place.meter
    }

    fn stage(&self, _file: &Finished) -> Result<()> {
        Ok(())
    }
}

/// A file on a disk that is full.
#[derive(Debug)]
struct Full;

impl DiskFile for Full {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        Err(std::io::ErrorKind::StorageFull.into())
    }
    fn read_at(&self, _: &mut [u8], _: u64) -> std::io::Result<usize> {
        Ok(0)
    }
    fn status(&self) -> std::io::Result<crate::disk::FileStatus> {
        Err(std::io::ErrorKind::Unsupported.into())
    }
    fn set_mode(&self, _: u32) -> std::io::Result<()> {
        Ok(())
    }
    fn sync(&self) -> std::io::Result<()> {
        Ok(())
    }
    fn check_close(&self) -> std::io::Result<()> {
        Ok(())
    }
    fn drop_cache(&self) -> std::io::Result<()> {
        Ok(())
    }
    fn try_lock(&self, _: LockKind) -> std::io::Result<LockOutcome> {
        Ok(LockOutcome::Held)
    }
    fn lock(&self, _: LockKind, _: &dyn Fn() -> bool) -> std::io::Result<LockOutcome> {
        Ok(LockOutcome::Held)
    }
}

fn fail(panics: bool, scratch_fails: bool, left: usize, options: EngineOptions) -> Error {
    let staging = Arc::new(Failing {
        place: Place::new(),
        left: AtomicUsize::new(left),
        panics,
        scratch_fails,
    });
    let batch = rows(0..2_000, scattered(50));
    let by = "key".parse().unwrap();
    let mut engine = Engine::new(staging, &batch.schema(), &by, options).unwrap();
    let write = |engine: &mut Engine| {
        cut(&batch, 100)
            .iter()
            .try_for_each(|batch| engine.write(batch))
    };
    match write(&mut engine) {
        Ok(()) => engine.finish().unwrap_err(),
        Err(error) => {
            assert!(matches!(engine.finish(), Err(Error::Poisoned { .. })));
            error
        }
    }
}

#[test]
fn a_panic_of_a_worker_is_an_error_and_nothing_hangs() {
    for sync in [SyncPolicy::EachFile, SyncPolicy::FileSystem] {
        for threads in [1, 4] {
            let durability = Durability::Synced;
            let options = EngineOptions {
                threads,
                sync,
                durability,
                ..options()
            };
            let error = fail(true, false, 20, options);
            let source = std::error::Error::source(&error).unwrap().to_string();
            assert_eq!(source, "a worker panicked: as the test wants");
        }
    }
}

#[test]
fn a_panic_in_a_callback_is_an_error_and_nothing_hangs() {
    let options = EngineOptions {
        on_file: Some(Arc::new(|_: &Finished| panic!("as the caller wants"))),
        durability: Durability::Synced,
        sync: SyncPolicy::EachFile,
        threads: 3,
        ..options()
    };
    let error = fail(false, false, 1_000, options);
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(source, "a worker panicked: as the caller wants");
}

#[test]
fn a_full_disk_is_told_as_such_when_staging_and_when_spilling() {
    let error = fail(
        false,
        false,
        20,
        EngineOptions {
            threads: 3,
            ..options()
        },
    );
    assert!(
        matches!(
            error,
            Error::Io {
                step: Step::CreateStaging,
                ..
            }
        ),
        "{error:?}"
    );
    let options = EngineOptions {
        memory_limit: 1,
        ..options()
    };
    let error = fail(false, true, 1_000, options);
    assert!(
        matches!(
            error,
            Error::Io {
                step: Step::WriteRows,
                ..
            }
        ),
        "{error:?}"
    );
}

#[test]
fn dictionaries_may_differ_from_batch_to_batch() {
    let batch = |number: i64| {
        let words: Vec<String> = (0..200).map(|n| format!("{}", number * 150 + n)).collect();
        let words: DictionaryArray<Int8Type> = words[..100].iter().map(String::as_str).collect();
        let columns: [(&str, ArrayRef); 3] = [
            (
                "key",
                Arc::new(Int64Array::from_iter_values((0..100).map(|n| n % 7))),
            ),
            ("n", Arc::new(Int64Array::from_iter_values(0..100))),
            ("word", Arc::new(words)),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
    };
    let batches: Vec<RecordBatch> = (0..10).map(batch).collect();
    let place = Place::new();
    let write = |memory_limit| {
        let options = EngineOptions {
            memory_limit,
            ..options()
        };
        contents(&written(&place, "key", options, &batches).unwrap())
    };
    let files = write(1 << 30);
    assert_eq!(files.len(), 7);
    assert!(files == write(30_000));
    // Keys as dictionaries, with values that no row has and nulls.
    let keys = StringArray::from(vec![Some("unused"), Some("b"), None, Some("a")]);
    let indices = Int32Array::from(vec![Some(3), None, Some(1), Some(2), Some(3)]);
    let keys = DictionaryArray::<Int32Type>::new(indices, Arc::new(keys));
    let columns: [(&str, ArrayRef); 2] = [
        ("key", Arc::new(keys)),
        ("n", Arc::new(Int64Array::from_iter_values(0..5))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let files = written(&place, "key", options(), &[batch]).unwrap();
    let of: Vec<(String, u64)> = files
        .iter()
        .map(|f| (f.partition.to_string(), f.rows))
        .collect();
    let null = "key=__HIVE_DEFAULT_PARTITION__".to_owned();
    assert_eq!(
        of,
        [("key=a".to_owned(), 2), (null, 2), ("key=b".to_owned(), 1)]
    );
}

#[test]
fn keys_of_several_columns_and_types_are_told_apart() {
    let batch = RecordBatch::try_from_iter([
        (
            "a",
            Arc::new(Int32Array::from(vec![1, 1, 2, 1, 2, 1])) as ArrayRef,
        ),
        (
            "b",
            Arc::new(Float64Array::from(vec![0.0, 1.0, 0.0, -0.0, 0.5, 1.0])),
        ),
        (
            "c",
            Arc::new(
                Decimal128Array::from(vec![1, 1, 1, 1, 1, 2])
                    .with_precision_and_scale(20, 1)
                    .unwrap(),
            ),
        ),
        ("n", Arc::new(Int64Array::from_iter_values(0..6))),
    ])
    .unwrap();
    let place = Place::new();
    let files = written(&place, "a,b,c", options(), &[batch]).unwrap();
    let of: Vec<(String, u64)> = files
        .iter()
        .map(|f| (f.partition.to_string(), f.rows))
        .collect();
    let expected = [
        ("a=1/b=0.0/c=0.1", 2),
        ("a=1/b=1.0/c=0.1", 1),
        ("a=2/b=0.0/c=0.1", 1),
        ("a=2/b=0.5/c=0.1", 1),
        ("a=1/b=1.0/c=0.2", 1),
    ];
    assert_eq!(of, expected.map(|(name, rows)| (name.to_owned(), rows)));
}

#[test]
fn a_slice_of_a_large_batch_is_not_held_as_a_whole() {
    let all = rows(0..20_000, |_| Some(1));
    let mut buffer = Buffer::new(all.schema(), &[]);
    let part = all.slice(5_000, 100);
    let cost = buffer
        .push(part.clone(), Assignment::Runs(vec![(0, 100)]), 10_000)
        .unwrap();
    assert!(cost.held < 150_000, "{cost:?}");
    let cost = buffer
        .push(all.clone(), Assignment::Runs(vec![(0, 20_000)]), usize::MAX)
        .unwrap();
    assert!(cost.held > 500_000, "{cost:?}");
    let cost = buffer
        .push(part, Assignment::Runs(vec![(0, 100)]), 0)
        .unwrap();
    assert_eq!(cost.held, 0);
}

#[test]
fn what_cannot_be_done_is_said_at_once() {
    let schema = rows(0..1, |_| None).schema();
    let refused = |by: &str, options| {
        let staging: Arc<dyn StagingFiles> = Place::new();
        Engine::new(staging, &schema, &by.parse().unwrap(), options)
            .unwrap_err()
            .to_string()
    };
    let sort_by = |column: &str| EngineOptions {
        sort_by: vec![SortBy::column(column)],
        ..options()
    };
    assert!(refused("key", sort_by("key")).contains("no column \"key\""));
    assert!(refused("key", sort_by("list")).contains("nested"));
    assert!(refused("key,n,word,text,nothing", options()).contains("nothing"));
    let properties = WriterProperties::builder()
        .set_sorting_columns(Some(Vec::new()))
        .build();
    assert!(
        refused(
            "key",
            EngineOptions {
                properties,
                ..options()
            }
        )
        .contains("sort_by")
    );
    let staging: Arc<dyn StagingFiles> = Place::new();
    let only =
        RecordBatch::try_from_iter([("key", Arc::new(Int64Array::from(vec![1])) as ArrayRef)])
            .unwrap();
    let error =
        Engine::new(staging, &only.schema(), &"key".parse().unwrap(), options()).unwrap_err();
    assert!(matches!(
        error,
        Error::Partition(PartitionError::NoColumnsLeft)
    ));
}

#[test]
fn many_files_are_synced_with_the_file_system_and_few_by_themselves() {
    let write = |partitions, options: EngineOptions| {
        let staging = Arc::new(Simulated::new());
        let batch = rows(0..400, scattered(partitions));
        let by = "key".parse().unwrap();
        let options = EngineOptions {
            durability: Durability::Synced,
            ..options
        };
        let as_staging: Arc<dyn StagingFiles> = Arc::clone(&staging) as Arc<dyn StagingFiles>;
        let mut engine = Engine::new(as_staging, &batch.schema(), &by, options).unwrap();
        engine.write(&batch).unwrap();
        let files = engine.finish().unwrap();
        let calls = staging.disk.calls();
        let count = |name: &str| calls.iter().filter(|call| call.starts_with(name)).count();
        let counted = (count("sync_file_system"), count("sync_file "));
        (files.len(), counted)
    };
    assert_eq!(write(8, options()), (8, (0, 8)));
    assert_eq!(write(80, options()), (80, (1, 0)));
    let each = EngineOptions {
        sync: SyncPolicy::EachFile,
        ..options()
    };
    assert_eq!(write(80, each), (80, (0, 80)));
    let checksum = EngineOptions {
        verify: Verify::Checksum,
        sync: SyncPolicy::FileSystem,
        ..options()
    };
    assert_eq!(write(8, checksum), (8, (0, 8)));
}

/// Staging files on a disk that can lose power.
#[derive(Debug)]
struct Simulated {
    disk: SimDisk,
    meter: Meter,
    area: Area,
}

impl Simulated {
    fn new() -> Self {
        let disk = SimDisk::new();
        let as_disk: Arc<dyn Disk> = Arc::new(disk.clone());
        let home = home_of_root(as_disk.as_ref(), Path::new("/lake"), &StagingPlace::Auto).unwrap();
        let area = Area::open(&as_disk, home).unwrap();
        let meter = Meter::default();
        Simulated { disk, meter, area }
    }
}

impl StagingFiles for Simulated {
    fn touch(&self, _partition: &crate::partition::Partition) -> Result<()> {
        Ok(())
    }

    fn create(&self, hashing: bool) -> Result<Draft> {
        Draft::create(self.area.clone(), false, hashing)
    }

    fn scratch(&self) -> Result<Box<dyn DiskFile>> {
        Ok(self.disk.create_file(Path::new("/scratch"), true).unwrap())
    }

    fn directory(&self) -> Result<Box<dyn DiskDirectory>> {
        Ok(self.disk.open_directory(Path::new("/")).unwrap())
    }

    fn meter(&self) -> &Meter {
        &self.meter
    }

    fn stage(&self, _file: &Finished) -> Result<()> {
        Ok(())
    }
}

#[test]
fn what_is_finished_survives_a_power_cut_however_it_was_synced() {
    for sync in [SyncPolicy::EachFile, SyncPolicy::FileSystem] {
        let staging = Arc::new(Simulated::new());
        let batch = rows(0..10, |n| Some(n % 2));
        let options = EngineOptions {
            durability: Durability::Synced,
            sync,
            ..options()
        };
        let as_staging: Arc<dyn StagingFiles> = Arc::clone(&staging) as Arc<dyn StagingFiles>;
        let by = "key".parse().unwrap();
        let mut engine = Engine::new(as_staging, &batch.schema(), &by, options).unwrap();
        engine.write(&batch).unwrap();
        let files = engine.finish().unwrap();
        // The names become durable with the transaction.
        let directory = staging
            .disk
            .open_directory(files[0].staged.parent().unwrap())
            .unwrap();
        directory.sync().unwrap();
        let whole: Vec<Vec<u8>> = files
            .iter()
            .map(|file| staging.disk.read(&file.staged).unwrap())
            .collect();
        let found: Vec<SimDisk> = staging.disk.moments().pop().unwrap().after_power_loss();
        let kept = found.iter().filter_map(|disk| {
            let content: std::io::Result<Vec<_>> =
                files.iter().map(|file| disk.read(&file.staged)).collect();
            content.ok()
        });
        let kept: Vec<Vec<Vec<u8>>> = kept.collect();
        assert!(!kept.is_empty());
        assert!(kept.iter().all(|content| *content == whole));
    }
}

#[test]
fn a_failed_sync_of_the_file_system_is_an_error() {
    let staging = Arc::new(Simulated::new());
    let batch = rows(0..50, |n| Some(n % 3));
    let options = EngineOptions {
        durability: Durability::Synced,
        sync: SyncPolicy::FileSystem,
        ..options()
    };
    let disk = staging.disk.clone();
    let as_staging: Arc<dyn StagingFiles> = Arc::clone(&staging) as Arc<dyn StagingFiles>;
    let mut engine = Engine::new(
        as_staging,
        &batch.schema(),
        &"key".parse().unwrap(),
        options,
    )
    .unwrap();
    engine.write(&batch).unwrap();
    let failing = disk.clone();
    disk.before_call("sync_file_system", move || {
        failing.fail_call(failing.calls().len(), 5, FaultTime::Before);
    });
    let error = engine.finish().unwrap_err();
    assert!(
        matches!(
            error,
            Error::Io {
                step: Step::SyncFile,
                ..
            }
        ),
        "{error:?}"
    );
}

#[test]
fn progress_and_files_are_told() {
    let told: Arc<Mutex<Vec<Progress>>> = Arc::default();
    let names: Arc<Mutex<Vec<PathBuf>>> = Arc::default();
    let (telling, naming) = (Arc::clone(&told), Arc::clone(&names));
    let options = EngineOptions {
        on_progress: Some(Arc::new(move |progress| {
            telling.lock().unwrap().push(progress)
        })),
        on_file: Some(Arc::new(move |file: &Finished| {
            assert!(!file.columns.is_empty() && file.staged.exists());
            naming.lock().unwrap().push(file.staged.clone());
        })),
        hash_content: true,
        ..options()
    };
    let place = Place::new();
    let batches = cut(&rows(0..100, |n| Some(n % 3 + 1)), 40);
    let files = written(&place, "key", options, &batches).unwrap();
    let told = told.lock().unwrap();
    assert_eq!(
        told.iter()
            .map(|progress| progress.rows)
            .collect::<Vec<_>>(),
        [40, 80, 100, 100, 100, 100]
    );
    let last = told
        .iter()
        .max_by_key(|progress| progress.files_finished)
        .unwrap();
    assert_eq!(
        (last.files_finished, last.rows_finished, last.partitions),
        (3, 100, 3)
    );
    assert_eq!(
        last.bytes_finished,
        files.iter().map(|file| file.bytes).sum::<u64>()
    );
    assert_eq!(names.lock().unwrap().len(), 3);
    for file in &files {
        let bytes = std::fs::read(&file.staged).unwrap();
        assert_eq!(
            file.content_hash,
            Some(twox_hash::XxHash3_128::oneshot(&bytes))
        );
        let footer = &bytes[bytes.len() - file.footer_bytes.unwrap() as usize..];
        let metadata = parquet::file::metadata::ParquetMetaDataReader::decode_metadata(
            &footer[..footer.len() - 8],
        );
        assert_eq!(
            metadata.unwrap().file_metadata().num_rows() as u64,
            file.rows
        );
    }
}

#[test]
fn rows_without_columns_are_refused_and_no_rows_are_no_file() {
    let schema = Arc::new(Schema::empty());
    let rows = |count| {
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        RecordBatch::try_new_with_options(Arc::clone(&schema), Vec::new(), &options).unwrap()
    };
    for threads in [1, 2] {
        let write = |count| {
            let options = EngineOptions {
                threads,
                ..options()
            };
            written(&Place::new(), "", options, &[rows(count)])
        };
        assert!(write(0).unwrap().is_empty());
        let error = write(3).unwrap_err();
        assert!(
            matches!(
                error,
                Error::InvalidOption {
                    option: "schema",
                    ..
                }
            ),
            "{error:?}"
        );
    }
}

#[test]
fn tables_of_other_formats_are_overwritten_only_if_allowed() {
    use crate::{CommitMode, DatasetWriter, Error, TableFormat};
    use arrow::datatypes::{DataType, Field};

    let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)]));
    for (log, format) in [
        ("_delta_log/0.json", TableFormat::DeltaLake),
        ("metadata/v1.metadata.json", TableFormat::Iceberg),
        (".hoodie/hoodie.properties", TableFormat::Hudi),
        ("_spark_metadata/0", TableFormat::SparkStreaming),
    ] {
        let lake = tempfile::tempdir().unwrap();
        let table = lake.path().join("table");
        let log = table.join(log);
        std::fs::create_dir_all(log.parent().unwrap()).unwrap();
        std::fs::write(&log, b"{}").unwrap();
        assert_eq!(TableFormat::at(&table).unwrap(), Some(format));
        for root in [table.clone(), table.join("data"), table.join("k=1/j=2")] {
            for mode in [CommitMode::Overwrite, CommitMode::OverwritePartitions] {
                let writer = DatasetWriter::builder(&root).mode(mode);
                let error = writer.build(Arc::clone(&schema)).unwrap_err();
                assert!(matches!(error, Error::Conflict { .. }), "{error:?}");
            }
        }
        let append = DatasetWriter::builder(&table).build(Arc::clone(&schema));
        append.unwrap().commit().unwrap();
        assert!(log.exists());
        let kinds = crate::inspect(&table).unwrap().oddities;
        assert!(kinds.iter().any(|oddity| oddity.kind() == "table"));
        let overwrite = DatasetWriter::builder(&table)
            .mode(CommitMode::Overwrite)
            .overwrite_table(true)
            .build(Arc::clone(&schema));
        overwrite.unwrap().commit().unwrap();
        assert!(!log.exists());
    }
    // Neither a directory of that name nor a table beside the root is a sign of one.
    let lake = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(lake.path().join("weather/metadata")).unwrap();
    std::fs::create_dir_all(lake.path().join("_delta_log")).unwrap();
    assert_eq!(TableFormat::at(lake.path().join("weather")).unwrap(), None);
    assert_eq!(TableFormat::at(lake.path().join("absent")).unwrap(), None);
}
