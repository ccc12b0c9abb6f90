//! Files that are cut off anywhere, or of which any one bit is wrong: what each level of verification
//! sees of it, in files that exist and in files that are being written.
//!
//! Promise P3. Of small files that exist every cut and every flipped bit with `ATOMIC_ARROW_FULL=1`; of
//! files that are being written, and else, a sample of them.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use atomic_arrow::arrow::array::RecordBatch;
use atomic_arrow::disk::Disk;
use atomic_arrow::format::Format;
use atomic_arrow::parquet::file::metadata::ParquetMetaDataReader;
use atomic_arrow::verify::{Damage, verify_file};
use atomic_arrow::{
    AtomicArrowWriter, AtomicFile, DatasetWriter, Error, FileOptions, Outcome, Partition, Verify,
    WriterOptions,
};
use bytes::Bytes;

use crate::bounded::{Hand, put, run, say_row, show};
use crate::child::{Part, heard, say};
use crate::ground::{directory, tree};
use crate::kills::{full, report};
use crate::samples::{Rows, Sample, batch, large, rows, small};
use crate::support::skip;
use crate::tampered::Tampered;

const LEVELS: [Verify; 3] = [Verify::Footer, Verify::Checksum, Verify::Decode];
/// How many bits of a small file are flipped, and how many cuts are made, unless all are.
const SAMPLE: usize = 300;

/// One thing that happens to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Harm {
    /// It ends there.
    Cut(usize),
    /// One bit is the other one.
    Flip(usize),
}

impl Harm {
    fn apply(self, bytes: &mut Vec<u8>) {
        match self {
            Harm::Cut(len) => bytes.truncate(len),
            Harm::Flip(bit) => bytes[bit / 8] ^= 1 << (bit % 8),
        }
    }

    /// All that can happen to a file of this length, or about `most` cuts and flips of it.
    fn all(len: usize, most: usize) -> Vec<Harm> {
        let step = |count: usize| (count / most).max(1);
        let cuts = (0..len).step_by(step(len)).chain([len - 1]).map(Harm::Cut);
        // A step that meets every bit of a byte in turn.
        let flips = (0..8 * len).step_by(step(8 * len) | 1).map(Harm::Flip);
        cuts.chain(flips).collect()
    }
}

#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    cuts: usize,
    cuts_found: usize,
    flips: usize,
    flips_found: usize,
    /// Of those found, by a panic of a decoder that was contained.
    panics: usize,
    /// Taken for sound, and a reader gets the same rows.
    harmless: usize,
    /// Taken for sound, and a reader gets other rows.
    silent: usize,
}

/// What comes of a sample that is harmed in one way, at each level.
///
/// Gives whether a reader would get other rows, and no level says so.
fn try_one(
    path: &Path,
    sample: &Sample,
    harm: Harm,
    before: &Rows,
    counts: &mut [Counts; 3],
) -> bool {
    let mut silent = false;
    let mut bytes = sample.bytes.clone();
    harm.apply(&mut bytes);
    put(path, &bytes);
    let mut found_below = false;
    for (level, counts) in LEVELS.into_iter().zip(counts.iter_mut()) {
        let report = verify_file(path, level).unwrap();
        let found = !report.is_sound();
        counts.panics += usize::from(matches!(report.damage(), Some(Damage::Panicked { .. })));
        let (all, seen) = match harm {
            Harm::Cut(_) => (&mut counts.cuts, &mut counts.cuts_found),
            Harm::Flip(_) => (&mut counts.flips, &mut counts.flips_found),
        };
        *all += 1;
        *seen += usize::from(found);
        assert!(
            found || !found_below,
            "{harm:?} of {} at {level:?}",
            sample.name
        );
        found_below = found;
        if !found {
            let same = rows(sample.format, &bytes).as_ref() == Some(before);
            counts.harmless += usize::from(same);
            counts.silent += usize::from(!same);
            silent = !same && level == Verify::Decode;
        }
    }
    silent
}

/// What a child does: it harms every sample in every way, and says what was found.
pub(crate) fn play(root: &Path) {
    let most = match heard().as_deref() {
        Some("full") => usize::MAX,
        _ => SAMPLE,
    };
    let hand = match Hand::limited(root) {
        Ok(hand) => hand,
        Err(reason) => return say(&format!("skip {reason}")),
    };
    let head = [
        "",
        "level",
        "cuts",
        "found",
        "flips",
        "found",
        "panics",
        "same rows",
        "other rows",
    ];
    say_row(&head.map(str::to_owned));
    let mut samples = small();
    samples.push(large());
    for sample in &samples {
        let suffix = sample.format.suffixes()[0];
        let path = hand.path(&format!("sample.{suffix}"));
        let before = rows(sample.format, &sample.bytes).unwrap();
        let mut counts = [Counts::default(); 3];
        let most = if sample.bytes.len() > 50_000 {
            most.min(2 * SAMPLE)
        } else {
            most
        };
        let most = if sample.bytes.len() > 50_000 && most == SAMPLE {
            30
        } else {
            most
        };
        for harm in Harm::all(sample.bytes.len(), most) {
            hand.takes(format_args!("{harm:?} of {}", sample.name));
            if try_one(&path, sample, harm, &before, &mut counts) && has_checksums(sample.name) {
                say(&format!("unseen in {}: {harm:?}", sample.name));
            }
        }
        for (level, counts) in LEVELS.into_iter().zip(counts) {
            let numbers = [
                counts.cuts,
                counts.cuts_found,
                counts.flips,
                counts.flips_found,
                counts.panics,
                counts.harmless,
                counts.silent,
            ];
            let mut row = vec![sample.name.to_owned(), format!("{level:?}")];
            row.extend(numbers.map(|number| number.to_string()));
            say_row(&row);
        }
    }
    say("done");
}

/// Whether the pages of a sample have checksums, so that only what is no page can change unseen.
fn has_checksums(name: &str) -> bool {
    name == "parquet, page CRCs"
}

#[test]
fn a_file_that_is_cut_off_or_has_a_wrong_bit_is_found_as_far_as_its_format_tells() {
    let told = if full() { "full" } else { "sample" };
    let said = match run(Part::Damage, told) {
        Ok(said) => said,
        Err(reason) => return skip(reason),
    };
    let rows = show("What verification finds in files that exist:", &said);
    let unseen = said.iter().filter(|line| line.starts_with("unseen"));
    unseen.for_each(report);
    for row in &rows[1..] {
        let count = |column: usize| row[column].parse::<usize>().unwrap();
        let (name, level) = (row[0].as_str(), row[1].as_str());
        let is_text = ["CSV", "NDJSON", "JSON"].contains(&name);
        if !is_text {
            assert_eq!(count(2), count(3), "{name}: a cut was not found at {level}");
        }
        if has_checksums(name) && level == "Decode" {
            assert!(count(8) <= count(4) / 100, "{name}: {row:?}");
        }
        assert!(count(5) > 0, "{name}");
    }
}

/// The ways to write a file.
#[derive(Debug, Clone, Copy)]
enum Writer {
    OneParquet,
    AnyBytes(Format),
    DataSet(Format),
}

const WRITERS: [Writer; 11] = [
    Writer::OneParquet,
    Writer::AnyBytes(Format::Parquet),
    Writer::AnyBytes(Format::Ipc),
    Writer::AnyBytes(Format::IpcStream),
    Writer::AnyBytes(Format::Csv),
    Writer::AnyBytes(Format::Ndjson),
    Writer::AnyBytes(Format::Json),
    Writer::DataSet(Format::Parquet),
    Writer::DataSet(Format::Ipc),
    Writer::DataSet(Format::Csv),
    Writer::DataSet(Format::Ndjson),
];

impl Writer {
    /// Where no bit may be wrong even where the footer alone is checked: the magic number of a Parquet file,
    /// and all that follows its last row group.
    fn guarded(self, bytes: &[u8]) -> Vec<std::ops::Range<usize>> {
        match self {
            Writer::OneParquet | Writer::DataSet(Format::Parquet) => {
                let file = Bytes::copy_from_slice(bytes);
                let metadata = ParquetMetaDataReader::new()
                    .parse_and_finish(&file)
                    .unwrap();
                let chunks = metadata
                    .row_groups()
                    .iter()
                    .flat_map(|group| group.columns());
                let ends = chunks.map(|chunk| {
                    let (start, length) = chunk.byte_range();
                    (start + length) as usize
                });
                let end = ends.max().unwrap();
                assert!(end < bytes.len() - 8);
                vec![0..4, end..bytes.len()]
            }
            _ => Vec::new(),
        }
    }

    fn commit(self, root: &Path, disk: Arc<dyn Disk>, level: Verify) -> Result<(), Error> {
        let batch: RecordBatch = batch(12);
        match self {
            Writer::OneParquet => {
                let options = WriterOptions::new().disk(disk).verify(level);
                let partition = Partition::new([("k", "v")]).unwrap();
                let schema = batch.schema();
                let mut writer =
                    AtomicArrowWriter::create_with_options(root, &partition, schema, options)?;
                writer.write(&batch)?;
                writer.commit().map(drop)
            }
            Writer::AnyBytes(format) => {
                let sample = small()
                    .into_iter()
                    .find(|sample| sample.format == format)
                    .unwrap();
                let options = FileOptions::new().disk(disk).verify(level).format(format);
                let mut file = AtomicFile::create_with_options(root.join("file"), options)?;
                file.write_all(&sample.bytes).unwrap();
                file.commit().map(drop)
            }
            Writer::DataSet(format) => {
                let builder = DatasetWriter::builder(root)
                    .format(format)
                    .disk(disk)
                    .verify(level);
                let mut writer = builder.threads(1).build(batch.schema())?;
                writer.write(&batch)?;
                writer.commit().map(drop)
            }
        }
    }
}

/// Harms a staging file between its sync and its verification.
fn harming(harm: Harm) -> (Arc<dyn Disk>, Arc<AtomicUsize>, Arc<AtomicBool>) {
    let (len, harmed) = (
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    let (told, done) = (Arc::clone(&len), Arc::clone(&harmed));
    let disk = Tampered::before_open(move |path: &Path| {
        if path.extension().is_some_and(|suffix| suffix == "staged") {
            let mut bytes = fs::read(path)?;
            told.store(bytes.len(), Ordering::Relaxed);
            let within = match harm {
                Harm::Cut(len) => len < bytes.len(),
                Harm::Flip(bit) => bit / 8 < bytes.len(),
            };
            if within {
                harm.apply(&mut bytes);
                // In place: it stays the same file.
                let file = fs::File::options().write(true).open(path)?;
                file.set_len(bytes.len() as u64)?;
                std::os::unix::fs::FileExt::write_all_at(&file, &bytes, 0)?;
                done.store(true, Ordering::Relaxed);
            }
        }
        Ok(())
    });
    (disk, len, harmed)
}

/// The files that a reader could see.
fn visible(parent: &Path) -> Vec<PathBuf> {
    let names = tree(parent).into_iter();
    let hidden = |name: &String| name.ends_with('/') || name.contains(".atomic");
    names
        .filter(|name| !hidden(name))
        .map(PathBuf::from)
        .collect()
}

#[test]
fn a_staged_file_that_is_damaged_before_it_is_verified_is_not_published() {
    // Each is a whole commit, synced: a few hundred of each writer at each level are minutes.
    let most = if full() { 300 } else { 12 };
    report("Damage between sync and verification: found of cuts, found of flipped bits:");
    for writer in WRITERS {
        let mut line = format!("{:>22}", format!("{writer:?}"));
        for level in LEVELS {
            let (guard, parent) = directory();
            let (disk, len, _) = harming(Harm::Cut(usize::MAX));
            writer.commit(&parent.join("data"), disk, level).unwrap();
            let whole = visible(&parent);
            assert_eq!(whole.len(), 1);
            let whole = fs::read(parent.join(&whole[0])).unwrap();
            let guarded = writer.guarded(&whole);
            drop(guard);
            let mut found: BTreeMap<bool, (usize, usize)> = BTreeMap::new();
            let mut harms = Harm::all(len.load(Ordering::Relaxed), most);
            if level == Verify::Footer {
                let of = |range: &std::ops::Range<usize>| {
                    let bits = 8 * range.start..8 * range.end;
                    let step = (bits.len() / (4 * most)).max(1) | 1;
                    bits.step_by(step).map(Harm::Flip)
                };
                harms.extend(guarded.iter().flat_map(of));
            }
            for harm in harms {
                let (_guard, parent) = directory();
                let (disk, _, harmed) = harming(harm);
                let done = writer.commit(&parent.join("data"), disk, level);
                if !harmed.load(Ordering::Relaxed) {
                    continue;
                }
                let is_cut = matches!(harm, Harm::Cut(_));
                let place = format!("{writer:?} at {level:?}, {harm:?}");
                let counts = found.entry(is_cut).or_default();
                counts.1 += 1;
                match done {
                    Ok(()) => {
                        assert!(!is_cut && level == Verify::Footer, "{place}: was published");
                        let Harm::Flip(bit) = harm else { continue };
                        let is_guarded = guarded.iter().any(|range| range.contains(&(bit / 8)));
                        assert!(!is_guarded, "{place}: was published");
                    }
                    Err(error) => {
                        assert!(matches!(error, Error::Damaged { .. }), "{place}: {error:?}");
                        assert_eq!(error.outcome(), Outcome::NotPublished, "{place}");
                        assert!(visible(&parent).is_empty(), "{place}");
                        let left = tree(&parent).into_iter();
                        let left = left.filter(|name| name.ends_with(".staged"));
                        assert_eq!(left.count(), 0, "{place}");
                        counts.0 += 1;
                    }
                }
            }
            let [cuts, flips] =
                [true, false].map(|key| found.get(&key).copied().unwrap_or_default());
            line.push_str(&format!(
                "  {level:?} {}/{} {}/{}",
                cuts.0, cuts.1, flips.0, flips.1
            ));
        }
        report(line);
    }
}

#[test]
fn spilled_rows_that_come_back_changed_are_not_written() {
    type Change = fn(&mut Vec<u8>);
    let changes: [(&str, Change); 4] = [
        ("a flipped bit at the start", |bytes| bytes[20] ^= 1),
        ("a flipped bit at the end", |bytes| {
            *bytes.last_mut().unwrap() ^= 0x80
        }),
        ("half of it", |bytes| bytes.truncate(bytes.len() / 2)),
        ("nothing", Vec::clear),
    ];
    for (what, change) in changes {
        let (_guard, parent) = directory();
        let batch = batch(20_000);
        let mut writer = DatasetWriter::builder(parent.join("data"))
            .partition_by(atomic_arrow::PartitionBy::column("station"))
            .memory_limit(1 << 20)
            .threads(1)
            .build(batch.schema())
            .unwrap();
        for _ in 0..8 {
            writer.write(&batch).unwrap();
        }
        let names = tree(&parent);
        let scratch: Vec<&String> = names
            .iter()
            .filter(|name| name.ends_with(".scratch"))
            .collect();
        assert!(!scratch.is_empty(), "nothing was spilled: {names:?}");
        let mut changed = 0;
        for name in scratch {
            let path = parent.join(name);
            let mut bytes = fs::read(&path).unwrap();
            if bytes.len() > 20 {
                change(&mut bytes);
                fs::write(&path, &bytes).unwrap();
                changed += 1;
            }
        }
        assert!(changed > 0);
        let error = writer.commit().unwrap_err();
        assert_eq!(error.outcome(), Outcome::NotPublished, "{what}: {error:?}");
        assert!(visible(&parent).is_empty(), "{what}");
    }
}
