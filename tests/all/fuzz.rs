//! Everything that reads bytes which it did not write, over valid ones that were mutated at random:
//! data files, the records of transactions, receipts, staged writes, directory names, inspection.
//!
//! Nothing panics, runs out of memory, or touches what is outside of the data set and its area. The
//! random numbers are fixed by `ATOMIC_ARROW_SEED`, 1 by default; `ATOMIC_ARROW_FULL=1` has a hundred
//! times as many cases:
//!
//! ```text
//! ATOMIC_ARROW_FULL=1 ATOMIC_ARROW_SEED=$RANDOM cargo test --test all fuzz:: -- --nocapture
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use atomic_arrow::disk::Disk;
use atomic_arrow::disk::sim::SimDisk;
use atomic_arrow::verify::{Damage, verify_file};
use atomic_arrow::{
    CommitMode, DatasetWriter, DatasetWriterBuilder, InspectOptions, Partition, PartitionBy,
    Receipt, RecoverOptions, StagedWrite, StagedWrites, Verify, inspect_with_options,
    recover_with_options,
};
use proptest::prelude::Rng as _;
use proptest::test_runner::{RngAlgorithm, TestRng};
use serde_json::{Value, json};

use crate::bounded::{Hand, put, run, say_row, show};
use crate::child::{Part, heard, say};
use crate::ground::stations;
use crate::kills::{full, report};
use crate::samples::small;
use crate::support::skip;

const SEED: &str = "ATOMIC_ARROW_SEED";
const ROOT: &str = "/lake/weather";
const AREA: &str = "/lake/.weather.atomic";
/// What belongs to others.
const STRANGERS: [&str; 6] = [
    "/etc/passwd",
    "/lake/other/part-0.parquet",
    "/lake/.other.atomic/01890a5d-ac96-774b-bcce-b302099a8057/lease",
    "/lake/weather2/part-0.parquet",
    "/lake/precious.json",
    "/00000.staged",
];

/// Random numbers that are the same for the same seed.
struct Dice(TestRng);

impl Dice {
    fn new(seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        Dice(TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
    }

    /// A number below `end`, or 0.
    fn below(&mut self, end: usize) -> usize {
        (self.0.next_u64() % (end as u64).max(1)) as usize
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// Numbers at which code errs.
const EDGES: [u64; 12] = [
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0xffff,
    i32::MAX as u64,
    u32::MAX as u64,
    1 << 40,
    i64::MAX as u64,
    u64::MAX,
];

/// Does something to bytes, mostly near their end, where footers are.
fn mutate(dice: &mut Dice, bytes: &mut Vec<u8>, other: &[u8]) {
    if bytes.is_empty() {
        bytes.push(0);
    }
    let len = bytes.len();
    let at = match dice.below(3) {
        0 => dice.below(len),
        1 => len - 1 - dice.below(len.min(16)),
        _ => len - 1 - dice.below(len.min(1200)),
    };
    let edge = *dice.of(&EDGES);
    match dice.below(9) {
        0 | 1 => bytes[at] ^= 1 << dice.below(8),
        2 => bytes[at] = dice.below(256) as u8,
        3 => bytes.truncate(at),
        4 => {
            let count = 1 + dice.below(8);
            bytes.drain(at..(at + count).min(len));
        }
        // A number of fixed width.
        5 => {
            let width = *dice.of(&[1, 2, 4, 8]);
            for (byte, value) in bytes[at..].iter_mut().zip(&edge.to_le_bytes()[..width]) {
                *byte = *value;
            }
        }
        // A number as Thrift has it.
        6 => {
            let (mut value, mut varint) = (edge, Vec::new());
            while value > 0x7f {
                varint.push(value as u8 | 0x80);
                value >>= 7;
            }
            varint.push(value as u8);
            let end = (at + dice.below(varint.len() + 1)).min(len);
            bytes.splice(at..end, varint);
        }
        7 => {
            let from = dice.below(len);
            let part = bytes[from..(from + 64).min(len)].to_vec();
            let times = 1 + dice.below(40);
            bytes.splice(at..at, part.repeat(times));
        }
        _ => {
            let from = dice.below(other.len());
            let part = other[from..(from + 64).min(other.len())].to_vec();
            let end = (at + part.len()).min(len);
            bytes.splice(at..end, part);
        }
    }
}

/// Texts that may stand in a record, and should not.
const TEXTS: [&str; 23] = [
    "/lake/new.parquet",
    "/etc/new/x.parquet",
    "/lake/precious.json",
    "",
    ".",
    "..",
    "../../etc/passwd",
    "/etc/passwd",
    "/lake/other",
    "station_id=KSEA/../../precious.json",
    "station_id=KSEA",
    "station_id=KJFK/part-0.parquet",
    ".atomic/lock",
    "lease",
    "decision.record",
    "00000.staged",
    "00001.staged",
    "new",
    "new-00000",
    "a\0b",
    "\\..\\..\\x",
    "01890a5d-ac96-774b-bcce-b302099a8057/00000.staged",
    "committed",
];

/// Does something to a record: to one value of it, wherever that is.
fn mutate_json(dice: &mut Dice, value: &mut Value) {
    let inner = match value {
        Value::Array(items) if !items.is_empty() => items.len(),
        Value::Object(fields) if !fields.is_empty() => fields.len(),
        _ => 0,
    };
    if inner > 0 && dice.below(20) > 0 {
        let at = dice.below(inner);
        match value {
            Value::Array(items) => return mutate_json(dice, &mut items[at]),
            Value::Object(fields) => {
                if let Some(field) = fields.values_mut().nth(at) {
                    return mutate_json(dice, field);
                }
            }
            _ => {}
        }
    }
    match (dice.below(6), &mut *value) {
        (0, Value::Array(items)) => {
            let times = *dice.of(&[2, 3, 2_000]);
            let copied: Vec<Value> = items.iter().take(3).cloned().collect();
            items.extend((0..times).flat_map(|_| copied.clone()));
        }
        (1, Value::Array(items)) => drop(items.pop()),
        (0, Value::Object(fields)) => {
            let key = fields.keys().nth(dice.below(fields.len())).cloned();
            key.map(|key| fields.remove(&key));
        }
        (1, Value::Object(fields)) => {
            fields.insert((*dice.of(&TEXTS)).to_owned(), json!(1));
        }
        (2, value) => *value = Value::Null,
        (3, value) => *value = json!(*dice.of(&EDGES)),
        (4, value) => *value = json!("x".repeat(*dice.of(&[255, 256, 5_000, 70_000]))),
        (_, value) => *value = json!(*dice.of(&TEXTS)),
    }
}

/// Some mutations of a record, of its text too.
fn mutated(dice: &mut Dice, record: &[u8]) -> Vec<u8> {
    let mut value: Value = serde_json::from_slice(record).unwrap();
    // What names files to move and remove comes first.
    let naming = ["arrangement", "files", "exchanges", "scope", "before"];
    let naming: Vec<&str> = naming
        .into_iter()
        .filter(|name| value.get(name).is_some())
        .collect();
    for _ in 0..=dice.below(3) {
        let part = match naming.get(dice.below(naming.len() + 2)) {
            Some(name) if value.get(name).is_some() => &mut value[*name],
            _ => &mut value,
        };
        mutate_json(dice, part);
    }
    let mut bytes = value.to_string().into_bytes();
    if dice.below(4) == 0 {
        mutate(dice, &mut bytes, record);
    }
    bytes
}

type Content = BTreeMap<PathBuf, Vec<u8>>;

fn content(disk: &SimDisk) -> Content {
    let read = |path: PathBuf| disk.read(&path).ok().map(|bytes| (path, bytes));
    disk.files().into_iter().filter_map(read).collect()
}

/// A disk on which all of this is.
fn disk_of(content: &Content) -> SimDisk {
    let disk = SimDisk::new();
    for (path, bytes) in content {
        disk.put(path, bytes).unwrap();
    }
    disk
}

/// What is neither the data set's nor in its area.
fn outside(disk: &SimDisk) -> (Content, BTreeSet<PathBuf>) {
    let ours = |path: &PathBuf| path.starts_with(ROOT) || path.starts_with(AREA);
    let mut files = content(disk);
    files.retain(|path, _| !ours(path));
    let directories = disk.directories().into_iter().filter(|path| !ours(path));
    (files, directories.collect())
}

fn builder(disk: &SimDisk, mode: CommitMode) -> DatasetWriterBuilder {
    DatasetWriter::builder(ROOT)
        .partition_by(PartitionBy::column("station_id"))
        .mode(mode)
        .threads(1)
        .disk(Arc::new(disk.clone()))
}

fn begun(builder: DatasetWriterBuilder) -> DatasetWriter {
    let batch = stations(&["KSEA", "KJFK"]);
    let mut writer = builder.build(batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer
}

/// A disk with strangers' files and a data set.
fn scene() -> SimDisk {
    let disk = SimDisk::new();
    for path in STRANGERS {
        disk.put(path, b"a stranger's").unwrap();
    }
    begun(builder(&disk, CommitMode::Append)).commit().unwrap();
    disk
}

fn ending<'a>(content: &'a Content, name: &str) -> Option<&'a PathBuf> {
    content.keys().find(|path| path.ends_with(name))
}

/// What a power cut leaves right after a commit was decided.
fn decided(mode: CommitMode) -> Content {
    let disk = scene();
    let begin = disk.moments().len();
    let named = builder(&disk, mode).write_id("monday");
    begun(named).commit().unwrap();
    for moment in disk.moments().into_iter().skip(begin) {
        for found in moment.after_power_loss() {
            let content = content(&found);
            let staged = content.keys().filter(|path| {
                path.ends_with("staged") || path.extension().is_some_and(|end| end == "staged")
            });
            if ending(&content, "decision.record").is_some() && staged.count() == 2 {
                return content;
            }
        }
    }
    panic!("no moment has a decision");
}

fn recover(disk: &SimDisk) {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let options = |dry| RecoverOptions::new().disk(Arc::clone(&disk)).dry_run(dry);
    for dry_run in [true, false, false] {
        let _ = recover_with_options(ROOT, &options(dry_run));
    }
}

/// Everybody comes by a disk with a mutated record, and nobody touches what is outside.
fn visit(disk: &SimDisk, staged: Option<&StagedWrite>) -> bool {
    let before = outside(disk);
    let inspecting = InspectOptions::new().disk(Arc::new(disk.clone()));
    let _ = inspect_with_options(ROOT, &inspecting);
    if let Some(staged) = staged {
        let writes = StagedWrites::new([staged.clone()]).disk(Arc::new(disk.clone()));
        let _ = writes.commit();
        let _ = writes.discard();
    }
    recover(disk);
    for mode in [CommitMode::Append, CommitMode::Overwrite] {
        let batch = stations(&["KLGA"]);
        let named = builder(disk, mode).write_id("monday");
        if let Ok(mut writer) = named.build(batch.schema()) {
            let _ = writer.write(&batch).and_then(|()| writer.commit());
        }
    }
    outside(disk) == before
}

struct Tally {
    cases: usize,
    refused: usize,
    panics: usize,
}

fn files(hand: &Hand, dice: &mut Dice, cases: usize) -> Tally {
    let samples = small();
    let mut tally = Tally {
        cases,
        refused: 0,
        panics: 0,
    };
    for case in 0..cases {
        let (sample, other) = (dice.below(samples.len()), dice.below(samples.len()));
        let mut bytes = samples[sample].bytes.clone();
        for _ in 0..=dice.below(4) {
            mutate(dice, &mut bytes, &samples[other].bytes);
        }
        let suffix = samples[sample].format.suffixes()[0];
        let path = hand.path(&format!("input.{suffix}"));
        put(&path, &bytes);
        let level = *dice.of(&[Verify::Footer, Verify::Checksum, Verify::Decode]);
        hand.takes(format_args!("file {case}, {level:?}: input.{suffix}"));
        let report = verify_file(&path, level).unwrap();
        tally.refused += usize::from(!report.is_sound());
        let contained = matches!(report.damage(), Some(Damage::Panicked { .. }));
        tally.panics += usize::from(contained);
    }
    tally
}

/// Mutates one record of a disk again and again.
fn records(hand: &Hand, dice: &mut Dice, cases: usize, name: &str) -> Tally {
    let mut starts: Vec<(Content, PathBuf, Option<StagedWrite>)> = Vec::new();
    match name {
        "decision.record" => {
            for mode in [
                CommitMode::Append,
                CommitMode::OverwritePartitions,
                CommitMode::Overwrite,
            ] {
                let start = decided(mode);
                let path = ending(&start, name).unwrap().clone();
                starts.push((start, path, None));
            }
        }
        "staged.record" => {
            let disk = scene();
            let staged = begun(builder(&disk, CommitMode::OverwritePartitions))
                .stage()
                .unwrap();
            let start = content(&disk);
            for name in ["staged.record", "decision.record"] {
                let path = ending(&start, name).unwrap().clone();
                starts.push((start.clone(), path, Some(staged.clone())));
            }
        }
        _ => {
            let disk = scene();
            let named = builder(&disk, CommitMode::Append).write_id("monday");
            begun(named).commit().unwrap();
            let start = content(&disk);
            let path = start
                .keys()
                .find(|path| path.starts_with(format!("{AREA}/writes")));
            starts.push((start.clone(), path.unwrap().clone(), None));
        }
    }
    let mut tally = Tally {
        cases,
        refused: 0,
        panics: 0,
    };
    for case in 0..cases {
        let (start, path, staged) = dice.of(&starts);
        let record = mutated(dice, &start[path]);
        put(&hand.path("input.json"), &record);
        hand.takes(format_args!(
            "{name} {case}: input.json as {}",
            path.display()
        ));
        let mut there = start.clone();
        there.insert(path.clone(), record.clone());
        let disk = disk_of(&there);
        assert!(
            visit(&disk, staged.as_ref()),
            "{name} {case}: something outside was changed"
        );
        // It is left alone or set aside, for somebody to look at.
        let aside = path.parent().unwrap().with_extension("aside");
        let aside = aside.join(path.file_name().unwrap());
        let mut left = [path, &aside].into_iter().map(|path| disk.read(path));
        tally.refused += usize::from(left.any(|left| left.is_ok_and(|left| left == record)));
    }
    tally
}

fn texts(hand: &Hand, dice: &mut Dice, cases: usize) -> Tally {
    let disk = scene();
    let receipt = begun(builder(&disk, CommitMode::Append)).commit().unwrap();
    let receipt = receipt.to_json().unwrap().into_bytes();
    let staged = begun(builder(&disk, CommitMode::Append)).stage().unwrap();
    let staged = staged.to_json().unwrap().into_bytes();
    let names =
        b"station_id=KSEA/year=2026/month=%3D%2e/t=2026-11-23 00%3A00%3A00/d=-12.50".to_vec();
    let mut tally = Tally {
        cases,
        refused: 0,
        panics: 0,
    };
    for case in 0..cases {
        hand.takes(format_args!("text {case}: input.txt"));
        let keep = |bytes: &[u8]| put(&hand.path("input.txt"), bytes);
        let accepted = match case % 3 {
            0 => {
                let bytes = mutated(dice, &receipt);
                keep(&bytes);
                Receipt::from_json(&bytes)
                    .map(|receipt| {
                        let again = Receipt::from_json(receipt.to_json().unwrap()).unwrap();
                        assert_eq!(again, receipt);
                        for file in receipt.files() {
                            assert!(is_below(Path::new(file.path())), "{}", file.path());
                        }
                        assert!(
                            receipt
                                .removed()
                                .iter()
                                .all(|path| is_below(Path::new(path)))
                        );
                    })
                    .is_ok()
            }
            1 => {
                let bytes = mutated(dice, &staged);
                keep(&bytes);
                StagedWrite::from_json(&bytes)
                    .map(|write| {
                        assert!(write.root().is_absolute());
                        assert_eq!(
                            StagedWrite::from_json(write.to_json().unwrap()).unwrap(),
                            write
                        );
                    })
                    .is_ok()
            }
            _ => {
                let mut bytes = names.clone();
                for _ in 0..=dice.below(4) {
                    mutate(dice, &mut bytes, &names);
                }
                keep(&bytes);
                let text = String::from_utf8_lossy(&bytes).into_owned();
                Partition::parse(Path::new(&text))
                    .map(|partition| {
                        assert!(
                            partition.is_empty() || is_below(&partition.path()),
                            "{text:?}"
                        );
                    })
                    .is_ok()
            }
        };
        tally.refused += usize::from(!accepted);
    }
    tally
}

/// Data sets with mutated files and names.
fn inspections(hand: &Hand, dice: &mut Dice, cases: usize) -> Tally {
    let samples = small();
    let mut tally = Tally {
        cases,
        refused: 0,
        panics: 0,
    };
    for case in 0..cases {
        let disk = SimDisk::new();
        for number in 0..3 {
            let (sample, other) = (dice.below(samples.len()), dice.below(samples.len()));
            let mut bytes = samples[sample].bytes.clone();
            mutate(dice, &mut bytes, &samples[other].bytes);
            let mut name = format!("k{number}=v%2F{case}").into_bytes();
            mutate(dice, &mut name, b"==__HIVE_DEFAULT_PARTITION__%%%zz");
            let name = String::from_utf8_lossy(&name).replace(['/', '\0'], "=");
            put(&hand.path(&format!("input-{number}.parquet")), &bytes);
            let _ = disk.put(format!("{ROOT}/{name}/{number}.parquet"), &bytes);
        }
        hand.takes(format_args!("inspection {case}: input-*.parquet"));
        let options = InspectOptions::new().disk(Arc::new(disk));
        let inspected = inspect_with_options(ROOT, &options);
        tally.refused += usize::from(inspected.is_ok_and(|found| !found.oddities.is_empty()));
    }
    tally
}

fn is_below(path: &Path) -> bool {
    path.components()
        .all(|part| matches!(part, std::path::Component::Normal(_)))
}

/// What a child does: all of it, with the seed and the factor that it is told.
pub(crate) fn play(root: &Path) {
    let told = heard().unwrap();
    let (seed, factor) = told.split_once(' ').unwrap();
    let (seed, factor): (u64, usize) = (seed.parse().unwrap(), factor.parse().unwrap());
    let hand = match Hand::limited(root) {
        Ok(hand) => hand,
        Err(reason) => return say(&format!("skip {reason}")),
    };
    say_row(&["", "cases", "refused", "panics"].map(str::to_owned));
    type Target = fn(&Hand, &mut Dice, usize) -> Tally;
    let targets: [(&str, usize, Target); 6] = [
        ("data files", 2_000, files),
        ("decision.record", 150, |hand, dice, cases| {
            records(hand, dice, cases, "decision.record")
        }),
        ("staged.record", 100, |hand, dice, cases| {
            records(hand, dice, cases, "staged.record")
        }),
        ("receipts kept", 50, |hand, dice, cases| {
            records(hand, dice, cases, "writes")
        }),
        ("texts", 3_000, texts),
        ("inspections", 150, inspections),
    ];
    for (number, (name, cases, target)) in targets.into_iter().enumerate() {
        let mut dice = Dice::new(seed.wrapping_mul(100).wrapping_add(number as u64));
        let done = target(&hand, &mut dice, cases * factor);
        say_row(&[
            name.to_owned(),
            done.cases.to_string(),
            done.refused.to_string(),
            done.panics.to_string(),
        ]);
    }
    say("done");
}

#[test]
fn mutated_bytes_are_refused_without_a_panic_within_bounds_and_touch_nothing_else() {
    let seed = std::env::var(SEED).ok().and_then(|seed| seed.parse().ok());
    let (seed, factor): (u64, usize) = (seed.unwrap_or(1), if full() { 100 } else { 1 });
    report(format!("{SEED}={seed}"));
    let said = match run(Part::Fuzz, &format!("{seed} {factor}")) {
        Ok(said) => said,
        Err(reason) => return skip(reason),
    };
    let rows = show("Mutated bytes, and how many of them were refused:", &said);
    assert_eq!(rows.len(), 7);
    for row in &rows[1..] {
        let [cases, refused] = [1, 2].map(|column: usize| row[column].parse::<usize>().unwrap());
        assert!(refused > 0 && refused <= cases, "{row:?}");
    }
}
