//! What a write takes in memory stays within its limit (promise P9), as the kernel counts it: with row
//! groups that are larger than the limit, and with partitions whose rows are larger than others'.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, DictionaryArray, Int32Array, RecordBatch, StringArray};
use atomic_arrow::parquet::basic::Compression;
use atomic_arrow::parquet::file::properties::WriterProperties;
use atomic_arrow::{DatasetWriter, PartitionBy};

use crate::child::{Child, Part, heard, say};
use crate::ground::{count_rows, directory, published};

const MIB: usize = 1 << 20;

/// Rows of `bytes` bytes each that nothing compresses, all of one partition.
fn rows(key: &str, count: usize, bytes: usize, seed: &mut u64) -> RecordBatch {
    let mut blob = || {
        let words = (0..bytes.div_ceil(8)).flat_map(|_| {
            *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (*seed ^ *seed >> 29).to_le_bytes()
        });
        words.take(bytes).collect::<Vec<u8>>()
    };
    let blobs: Vec<Vec<u8>> = (0..count).map(|_| blob()).collect();
    let columns: [(&str, ArrayRef); 2] = [
        ("key", Arc::new(StringArray::from(vec![key; count]))),
        ("blob", Arc::new(BinaryArray::from_iter_values(blobs))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

/// What the kernel says of this process's memory, in bytes.
fn status(name: &str) -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kilobytes = line.and_then(|line| line.trim_start_matches(':').trim().strip_suffix(" kB"));
    kilobytes.unwrap().parse::<usize>().unwrap() * 1024
}

/// [`Part::Memory`].
pub(crate) fn play(root: &Path) {
    let kind = heard().unwrap();
    // The program itself is in memory once it has done all of this.
    write(&root.with_file_name("before"), &kind, 1);
    // The peak is counted from here on: proc_pid_clear_refs(5).
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = status("VmRSS");
    write(root, &kind, 40);
    say(&status("VmHWM").saturating_sub(before).to_string());
}

/// Commits rows of a kind, a fortieth of them at a time, `times` times.
fn write(root: &Path, kind: &str, times: usize) {
    let mut seed = 1;
    let count = if kind == HUGE_VALUES { 200 } else { 5_000 };
    let small = rows("small", count, 10, &mut seed);
    let properties = WriterProperties::builder()
        .set_compression(Compression::UNCOMPRESSED)
        .set_write_batch_size(16)
        .build();
    let mut writer = DatasetWriter::builder(root)
        .partition_by(PartitionBy::column("key"))
        .properties(properties)
        .threads(1)
        .memory_limit(LIMIT as u64)
        .schema_check(false)
        .build(with_words(&small, kind).schema())
        .unwrap();
    for _ in 0..times {
        let large = match kind {
            LARGE_ROW_GROUP => rows("large", 2_000, 2_000, &mut seed),
            LARGE_ROWS => rows("large", 60, 50_000, &mut seed),
            LARGE_VALUES => rows("large", 5_000, 500, &mut seed),
            HUGE_VALUES => rows("large", 300, 500, &mut seed),
            other => panic!("{other}"),
        };
        writer.write(&with_words(&small, kind)).unwrap();
        writer.write(&with_words(&large, kind)).unwrap();
    }
    writer.commit().unwrap();
}

/// The rows, and where the values of dictionaries are large, one of such.
fn with_words(rows: &RecordBatch, kind: &str) -> RecordBatch {
    let (count, length) = match kind {
        LARGE_VALUES => (50, 1_000),
        HUGE_VALUES => (40, 20_000),
        _ => return rows.clone(),
    };
    let words = StringArray::from_iter_values((0..count).map(|word| format!("{word:0length$}")));
    let keys = Int32Array::from_iter_values((0..rows.num_rows() as i32).map(|row| row % count));
    let words = DictionaryArray::new(keys, Arc::new(words));
    let columns = rows
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect::<Vec<_>>();
    let columns = columns.into_iter().zip(rows.columns().iter().cloned());
    let words = ("words".to_owned(), Arc::new(words) as ArrayRef);
    RecordBatch::try_from_iter(columns.chain([words])).unwrap()
}

const LARGE_VALUES: &str = "large values of dictionaries";
const HUGE_VALUES: &str = "huge values of dictionaries";
const LARGE_ROW_GROUP: &str = "a large row group";
const LARGE_ROWS: &str = "large rows";
/// What the children may take.
const LIMIT: usize = 32 * MIB;
/// What comes on top: a batch, a page, a dictionary, what the allocator keeps.
const SLACK: usize = 16 * MIB;

/// By how much the memory of a child grows that commits rows `count` times.
fn grown(kind: &str, count: usize) -> usize {
    let (_directory, root) = directory();
    let mut child = Child::start(Part::Memory, &root);
    child.tell(kind);
    let grown: usize = child.says().unwrap().parse().unwrap();
    child.finish();
    let written: usize = published(&root).iter().map(|path| count_rows(path)).sum();
    assert_eq!(written, count);
    grown
}

/// 160 MB in one row group, as its settings have it.
#[test]
fn a_row_group_may_be_larger_than_the_memory_limit() {
    assert!(grown(LARGE_ROW_GROUP, 40 * 7_000) < LIMIT + SLACK);
}

/// 120 MB in 2,400 rows, and 200,000 rows of a few bytes each: what a row takes on average says little.
#[test]
fn a_partition_may_have_larger_rows_than_others() {
    assert!(grown(LARGE_ROWS, 40 * 5_060) < LIMIT + SLACK);
}

/// 100 MB, and 400,000 keys of values that would take 400 MB in their place, as they do where rows are spilled.
#[test]
fn the_values_of_dictionaries_may_be_large() {
    assert!(grown(LARGE_VALUES, 40 * 10_000) < LIMIT + SLACK);
}

/// 6 MB, and 20,000 keys of 40 values that would take 400 MB in their place.
#[test]
fn a_few_values_of_dictionaries_may_be_huge() {
    assert!(grown(HUGE_VALUES, 40 * 500) < LIMIT + SLACK);
}
