//! One file of rows at a path: replaced in one step, in any format, and updated so that no update is lost.

use std::fs;
use std::path::Path;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use atomic_arrow::arrow::array::{
    Array as _, ArrayRef, DictionaryArray, Int64Array, RecordBatch, RecordBatchReader as _,
};
use atomic_arrow::arrow::datatypes::Int8Type;
use atomic_arrow::arrow::ipc::reader::FileReader;
use atomic_arrow::disk::OsDisk;
use atomic_arrow::disk::tap::{Call, Tap, Verb, Verdict, Watch};
use atomic_arrow::format::{Format, TextOptions};
use atomic_arrow::parquet::basic::{Compression, ZstdLevel};
use atomic_arrow::parquet::file::properties::WriterProperties;
use atomic_arrow::{
    AtomicArrowWriter, AtomicFile, Error, ErrorKind, FileOptions, FileUpdate, PublishMode,
    PublishedFile, RecoverOptions, SchemaPolicy, Verify, WriterOptions, recover_with_options,
};

use crate::ground::{directory, read, tree, weather};
use crate::tampered::Tampered;

fn days(days: &[i64]) -> RecordBatch {
    let column: ArrayRef = Arc::new(Int64Array::from(days.to_vec()));
    RecordBatch::try_from_iter([("day", column)]).unwrap()
}

fn write(path: &Path, batch: &RecordBatch, options: WriterOptions) -> Result<PublishedFile, Error> {
    let mut writer = AtomicArrowWriter::at_with_options(path, batch.schema(), options)?;
    writer.write(batch)?;
    writer.commit()
}

/// The days in a file.
fn days_in(path: &Path) -> Vec<i64> {
    let batches = read(path);
    let columns = batches.iter().map(|batch| batch.column(0));
    let columns = columns.map(|column| column.as_any().downcast_ref::<Int64Array>().unwrap());
    columns.flat_map(|days| days.values().to_vec()).collect()
}

/// Adds a day to a file of days.
fn add(path: &Path, day: i64) -> Result<PublishedFile, Error> {
    let update = FileUpdate::begin(path)?;
    let before = update.read()?;
    let new = days(&[day]);
    let mut writer = update.write(new.schema())?;
    writer.write_all(before.into_iter().flatten())?;
    writer.write(&new)?;
    writer.commit()
}

#[test]
fn a_file_at_a_path_replaces_what_is_there_and_leaves_nothing_else() {
    let (_guard, root) = directory();
    let path = root.join("cache/prices.parquet");
    for rows in [3, 5] {
        let file = write(&path, &weather("KSEA", rows), WriterOptions::new()).unwrap();
        assert_eq!(file.path(), path);
        assert_eq!(file.rows(), rows as u64);
        assert_eq!(file.format(), Format::Parquet);
        assert_eq!(
            (file.row_groups(), file.metadata().is_some()),
            (Some(1), true)
        );
        assert_eq!(read(&path)[0], weather("KSEA", rows));
        assert_eq!(tree(&root), ["cache/", "cache/prices.parquet"]);
    }
    let once = WriterOptions::new().mode(PublishMode::CreateNew);
    let error = write(&path, &weather("KSEA", 1), once).unwrap_err();
    assert!(matches!(error, Error::AlreadyExists { .. }), "{error:?}");
    assert_eq!(read(&path)[0].num_rows(), 5);

    let mut writer = AtomicArrowWriter::at(&path, weather("KSEA", 1).schema()).unwrap();
    writer.write(&weather("KSEA", 1)).unwrap();
    drop(writer);
    assert_eq!(read(&path)[0].num_rows(), 5);
    assert_eq!(tree(&root), ["cache/", "cache/prices.parquet"]);
}

#[test]
fn the_suffix_says_the_format_and_the_compression() {
    let (_guard, root) = directory();
    let rows = weather("KSEA", 2);
    let at = |name: &str| root.join(name);
    for level in [Verify::Footer, Verify::Decode] {
        let options = || WriterOptions::new().verify(level);
        let file = write(&at("a.csv"), &rows, options()).unwrap();
        assert_eq!(
            (file.format(), file.rows(), file.row_groups()),
            (Format::Csv, 2, None)
        );
        assert_eq!(
            fs::read_to_string(at("a.csv")).unwrap(),
            "station_id,temp\nKSEA,\nKSEA,1.0\n"
        );
        write(&at("a.ndjson"), &rows, options()).unwrap();
        assert!(
            fs::read_to_string(at("a.ndjson"))
                .unwrap()
                .starts_with("{\"station_id\":\"KSEA\"")
        );
        write(&at("a.csv.gz"), &rows, options()).unwrap();
        assert_eq!(fs::read(at("a.csv.gz")).unwrap()[..2], [0x1f, 0x8b]);
        let file = write(&at("a.arrow"), &rows, options()).unwrap();
        assert_eq!(
            (file.row_groups(), file.metadata().is_none()),
            (Some(1), true)
        );
        let reader = FileReader::try_new(fs::File::open(at("a.arrow")).unwrap(), None).unwrap();
        assert_eq!(
            reader.map(Result::unwrap).collect::<Vec<_>>(),
            std::slice::from_ref(&rows)
        );
    }
    let plain = write(
        &at("plain"),
        &rows,
        WriterOptions::new().format(Format::Parquet),
    )
    .unwrap();
    assert_eq!(plain.format(), Format::Parquet);
}

#[test]
fn what_a_path_and_options_contradict_is_refused_before_anything_is_made() {
    let (_guard, root) = directory();
    let rows = weather("KSEA", 2);
    let refused = |name: &str, options: WriterOptions| {
        let error = write(&root.join(name), &rows, options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error:?}");
        assert_eq!(tree(&root), Vec::<String>::new());
        error.to_string()
    };
    assert!(
        refused("prices", WriterOptions::new()).contains("has no suffix that tells the format")
    );
    assert!(
        refused("a.csv", WriterOptions::new().format(Format::Parquet)).contains("another format")
    );
    assert!(
        refused("a.parquet", WriterOptions::new().file_name("b.parquet")).starts_with("file_name")
    );
    let keep = WriterOptions::new().keep_partition_columns(true);
    assert!(refused("a.parquet", keep).starts_with("keep_partition_columns"));
    let properties = || WriterOptions::new().properties(WriterProperties::builder().build());
    assert!(refused("a.csv", properties()).starts_with("properties"));
    assert!(refused("a.arrow", properties()).starts_with("properties"));
    let zstd = WriterOptions::new().compression(Compression::ZSTD(ZstdLevel::default()));
    assert!(refused("a.csv", zstd).contains("is not what the suffix of"));
    let snappy = WriterOptions::new().compression(Compression::SNAPPY);
    assert!(refused("a.arrow", snappy).starts_with("compression"));
    let text = WriterOptions::new().text(TextOptions::new().csv_null("NA"));
    assert!(refused("a.parquet", text).starts_with("csv_null"));
    let stream = root.join("a.arrows");
    assert!(write(&stream, &rows, WriterOptions::new()).is_err());
}

#[test]
fn compression_is_set_beside_the_properties_and_the_defaults() {
    let (_guard, root) = directory();
    let path = root.join("a.parquet");
    let zstd = Compression::ZSTD(ZstdLevel::default());
    let codec = |options: WriterOptions| {
        let file = write(&path, &weather("KSEA", 100), options).unwrap();
        let footer = file.metadata().unwrap();
        footer.row_group(0).column(1).compression()
    };
    assert_eq!(codec(WriterOptions::new()), zstd);
    assert_eq!(
        codec(WriterOptions::new().compression(Compression::UNCOMPRESSED)),
        Compression::UNCOMPRESSED
    );
    let plain = || WriterProperties::builder().build();
    assert_eq!(
        codec(WriterOptions::new().properties(plain())),
        Compression::UNCOMPRESSED
    );
    let both = WriterOptions::new().properties(plain());
    assert_eq!(
        codec(both.compression(Compression::SNAPPY)),
        Compression::SNAPPY
    );
    let defaults = WriterOptions::default_properties().set_max_row_group_row_count(Some(7));
    assert_eq!(
        codec(WriterOptions::new().properties(defaults.build())),
        zstd
    );
}

#[test]
fn batches_in_other_physical_forms_are_taken_unless_it_is_asked_not_to() {
    let (_guard, root) = directory();
    let path = root.join("a.parquet");
    let schema = weather("KSEA", 1).schema();
    let dictionary: DictionaryArray<Int8Type> = ["KSEA"].into_iter().collect();
    let temp = Arc::clone(weather("KSEA", 1).column(1));
    let fields = [
        ("temp", temp),
        ("station_id", Arc::new(dictionary) as ArrayRef),
    ];
    let other =
        RecordBatch::try_from_iter_with_nullable(fields.map(|(name, column)| (name, column, true)))
            .unwrap();
    let mut writer = AtomicArrowWriter::at(&path, Arc::clone(&schema)).unwrap();
    writer.write(&other).unwrap();
    writer.commit().unwrap();
    assert_eq!(read(&path)[0], weather("KSEA", 1));
    let exact = WriterOptions::new().schema_policy(SchemaPolicy::Exact);
    let mut writer = AtomicArrowWriter::at_with_options(&path, schema, exact).unwrap();
    let error = writer.write(&other).unwrap_err();
    assert!(matches!(error, Error::SchemaMismatch { .. }), "{error:?}");
}

#[test]
fn an_ipc_file_has_the_dictionary_of_the_first_rows() {
    let (_guard, root) = directory();
    let path = root.join("a.arrow");
    let batch = |values: &[&str]| {
        let column: DictionaryArray<Int8Type> = values.iter().copied().collect();
        RecordBatch::try_from_iter([("name", Arc::new(column) as ArrayRef)]).unwrap()
    };
    let first = batch(&["a", "b", "a"]);
    let mut writer = AtomicArrowWriter::at(&path, first.schema()).unwrap();
    writer.write(&first).unwrap();
    writer.write(&batch(&["b"])).unwrap();
    writer.commit().unwrap();
    let reader = FileReader::try_new(fs::File::open(&path).unwrap(), None).unwrap();
    assert_eq!(
        reader.schema().field(0).data_type(),
        first.column(0).data_type()
    );
    assert_eq!(
        reader.map(|batch| batch.unwrap().num_rows()).sum::<usize>(),
        4
    );

    let mut writer = AtomicArrowWriter::at(&path, first.schema()).unwrap();
    writer.write(&first).unwrap();
    let error = writer.write(&batch(&["c"])).unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(
        cause.contains("not in the dictionary of the first rows"),
        "{cause}"
    );
}

#[test]
fn updates_of_one_file_wait_for_each_other_and_none_is_lost() {
    let (_guard, root) = directory();
    let path = root.join("new/history.parquet");
    std::thread::scope(|scope| {
        for first in [0, 100, 200] {
            let path = &path;
            scope.spawn(move || {
                for day in first..first + 8 {
                    add(path, day).unwrap();
                }
            });
        }
    });
    let mut found = days_in(&path);
    found.sort_unstable();
    let expected: Vec<i64> = [0..8, 100..108, 200..208].into_iter().flatten().collect();
    assert_eq!(found, expected);
    assert_eq!(tree(&root), ["new/", "new/history.parquet"]);
}

#[test]
fn an_update_waits_for_another_and_sees_what_that_wrote() {
    let (_guard, root) = directory();
    let path = root.join("history.parquet");
    add(&path, 1).unwrap();
    let held = FileUpdate::begin(&path).unwrap();
    assert!(held.exists());
    let (begun, waits) = channel();
    let (asked, told) = channel();
    let other = std::thread::spawn({
        let path = path.clone();
        move || {
            let asked = std::sync::Mutex::new(asked);
            let options = WriterOptions::new().interrupt_when(move |_| {
                let _ = asked.lock().unwrap().send(());
                false
            });
            let update = FileUpdate::begin_with_options(&path, options).unwrap();
            begun.send(()).unwrap();
            update.read().unwrap().unwrap().count()
        }
    });
    // It has asked whether to give up, so it waits.
    told.recv_timeout(Duration::from_secs(60)).unwrap();
    assert!(waits.try_recv().is_err());
    let new = days(&[2]);
    let mut writer = held.write(new.schema()).unwrap();
    writer.write(&new).unwrap();
    assert!(waits.try_recv().is_err());
    writer.commit().unwrap();
    assert_eq!(other.join().unwrap(), 1);
    assert_eq!(days_in(&path), [2]);
}

#[test]
fn a_wait_for_another_update_can_be_ended() {
    let (_guard, root) = directory();
    let path = root.join("history.parquet");
    let _held = FileUpdate::begin(&path).unwrap();
    let options = WriterOptions::new().interrupt_when(|_| true);
    let error = FileUpdate::begin_with_options(&path, options).unwrap_err();
    assert!(matches!(error, Error::Interrupted { .. }), "{error:?}");
    drop(FileUpdate::begin(root.join("other.parquet")).unwrap());
}

#[test]
fn a_file_that_somebody_changed_without_an_update_is_a_conflict() {
    let (_guard, root) = directory();
    let path = root.join("history.parquet");
    let publish = |update: FileUpdate| {
        let new = days(&[9]);
        let mut writer = update.write(new.schema()).unwrap();
        writer.write(&new).unwrap();
        writer.commit().unwrap_err()
    };
    // It comes to be.
    let update = FileUpdate::begin(&path).unwrap();
    assert!(!update.exists());
    assert!(update.read().unwrap().is_none());
    write(&path, &days(&[1]), WriterOptions::new()).unwrap();
    let error = publish(update);
    assert!(
        matches!(&error, Error::Conflict { path: at, .. } if *at == path),
        "{error:?}"
    );
    assert!(error.is_conflict());
    assert_eq!(days_in(&path), [1]);
    // It is replaced.
    let update = FileUpdate::begin(&path).unwrap();
    write(&path, &days(&[2]), WriterOptions::new()).unwrap();
    let error = update.read().unwrap_err();
    assert!(matches!(error, Error::Conflict { .. }), "{error:?}");
    assert!(matches!(publish(update), Error::Conflict { .. }));
    assert_eq!(days_in(&path), [2]);
    // It goes.
    let update = FileUpdate::begin(&path).unwrap();
    fs::remove_file(&path).unwrap();
    assert!(matches!(update.read().unwrap_err(), Error::Conflict { .. }));
    assert!(matches!(publish(update), Error::Conflict { .. }));
    assert_eq!(tree(&root), Vec::<String>::new());
}

#[test]
fn the_lock_of_an_update_goes_with_it_and_a_dead_ones_is_taken_over() {
    let (_guard, root) = directory();
    let path = root.join("history.parquet");
    let update = FileUpdate::begin(&path).unwrap();
    let locks = || {
        tree(&root)
            .into_iter()
            .filter(|name| name.contains("update-"))
    };
    assert_eq!(locks().count(), 1);
    let name = locks().next().unwrap();
    assert_eq!(fs::metadata(root.join(&name)).unwrap().len(), 0);
    drop(update);
    assert_eq!(tree(&root), Vec::<String>::new());
    // As after a crash: the file is there, and the kernel has given the lock back.
    fs::create_dir(root.join(".atomic")).unwrap();
    fs::write(root.join(&name), "").unwrap();
    add(&path, 1).unwrap();
    assert_eq!(tree(&root), ["history.parquet"]);
    // Another writer tidies it up as well.
    fs::create_dir(root.join(".atomic")).unwrap();
    fs::write(root.join(&name), "").unwrap();
    AtomicFile::create_with_options(root.join("x"), FileOptions::new())
        .unwrap()
        .commit()
        .unwrap();
    assert_eq!(tree(&root), ["history.parquet", "x"]);
}

/// Does something right before the lock of an update is tried.
struct BeforeTheLock(Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl std::fmt::Debug for BeforeTheLock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BeforeTheLock")
    }
}

impl Watch for BeforeTheLock {
    fn before(&self, call: &Call) -> Verdict {
        let is_lock = call.path.to_string_lossy().contains("update-");
        if call.verb == Verb::TryLock
            && is_lock
            && let Some(deed) = self.0.lock().unwrap().take()
        {
            deed();
        }
        Verdict::Pass
    }
}

#[test]
fn a_sweep_that_had_opened_the_lock_of_an_update_leaves_that_of_the_next() {
    let (_guard, root) = directory();
    let path = root.join("history.parquet");
    add(&path, 1).unwrap();
    let one = FileUpdate::begin(&path).unwrap();
    let next = Arc::new(Mutex::new(None));
    let (begun, at) = (Arc::clone(&next), path.clone());
    let deed = Box::new(move || {
        drop(one);
        *begun.lock().unwrap() = Some(FileUpdate::begin(at).unwrap());
    });
    let watch = Arc::new(BeforeTheLock(Mutex::new(Some(deed))));
    let disk = Tap::on(Arc::new(OsDisk), Arc::clone(&watch) as _);
    let recovery = recover_with_options(&root, &RecoverOptions::new().disk(disk)).unwrap();
    assert!(watch.0.lock().unwrap().is_none() && next.lock().unwrap().is_some());
    assert_eq!(recovery.removed, Vec::<std::path::PathBuf>::new());
    let at_once = WriterOptions::new().interrupt_when(|_| true);
    let third = FileUpdate::begin_with_options(&path, at_once);
    assert!(matches!(third, Err(Error::Interrupted { .. })), "{third:?}");
}

#[test]
fn an_update_whose_lock_cannot_be_had_leaves_nothing() {
    let (_guard, root) = directory();
    let path = root.join("history.parquet");
    let disk = Tampered::before_lock(|_| Err(std::io::ErrorKind::StorageFull.into()));
    let options = WriterOptions::new().disk(disk);
    FileUpdate::begin_with_options(&path, options).unwrap_err();
    assert_eq!(tree(&root), [""; 0]);
}

#[test]
fn an_update_reads_arrow_ipc_and_says_that_text_has_no_schema() {
    let (_guard, root) = directory();
    let path = root.join("history.arrow");
    write(&path, &days(&[1, 2]), WriterOptions::new()).unwrap();
    let update = FileUpdate::begin(&path).unwrap();
    let reader = update.read().unwrap().unwrap();
    assert_eq!(reader.schema(), days(&[]).schema());
    assert_eq!(
        reader.map(Result::unwrap).collect::<Vec<_>>(),
        [days(&[1, 2])]
    );
    drop(update);
    fs::write(&path, "ARROW1\0\0 and not much more").unwrap();
    let error = FileUpdate::begin(&path).unwrap().read().unwrap_err();
    assert!(matches!(error, Error::Read { .. }), "{error:?}");

    let path = root.join("history.csv");
    write(&path, &days(&[1, 2]), WriterOptions::new()).unwrap();
    let update = FileUpdate::begin(&path).unwrap();
    let error = update.read().unwrap_err();
    assert!(
        matches!(
            error,
            Error::InvalidOption {
                option: "format",
                ..
            }
        ),
        "{error:?}"
    );
    let error =
        FileUpdate::begin_with_options(&path, WriterOptions::new().mode(PublishMode::Replace));
    assert!(
        matches!(error, Err(Error::InvalidOption { option: "mode", .. })),
        "{error:?}"
    );
}

/// Who can open a file can lock it, and so keep those from updating who may.
#[test]
fn only_those_who_may_write_in_the_directory_can_take_the_lock() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_guard, root) = directory();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for (open_to, expected) in [(0o755, 0o000), (0o775, 0o060)] {
        fs::set_permissions(&root, fs::Permissions::from_mode(open_to)).unwrap();
        let update = FileUpdate::begin(root.join("history.parquet")).unwrap();
        let names = tree(&root);
        let lock = names.iter().find(|name| name.contains("update-")).unwrap();
        assert_eq!(mode(&root.join(lock)) & 0o077, expected, "{open_to:o}");
        drop(update);
    }
}
