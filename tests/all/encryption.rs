//! What is encrypted is verified with its writer's own keys before it is published, as closely as
//! anything else, and nothing of it is left in the clear.

use std::fs::{self, File};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use atomic_arrow::arrow::array::{
    ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, StructArray,
};
use atomic_arrow::arrow::compute::concat_batches;
use atomic_arrow::arrow::datatypes::Int64Type;
use atomic_arrow::format::Format;
use atomic_arrow::parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use atomic_arrow::parquet::encryption::decrypt::FileDecryptionProperties;
use atomic_arrow::parquet::encryption::encrypt::{
    EncryptionPropertiesBuilder, FileEncryptionProperties,
};
use atomic_arrow::parquet::file::properties::{
    CdcOptions, EnabledStatistics, WriterProperties, WriterPropertiesBuilder, WriterVersion,
};
use atomic_arrow::parquet::schema::types::ColumnPath;
use atomic_arrow::verify::{Damage, verify_file, verify_file_with_keys};
use atomic_arrow::{
    AtomicArrowWriter, DatasetWriter, DatasetWriterBuilder, Durability, Error, Oddity, Partition,
    PartitionBy, Verify, WriterOptions, inspect,
};

use serde_json::{Value, json};

use crate::ground::{directory, published, tree};
use crate::support::peers::peers;
use crate::support::skip;
use crate::tampered::Tampered;

const KEY: &[u8; 16] = b"0123456789abcdef";
const NOTE_KEY: &[u8; 16] = b"fedcba9876543210";
const DEEP_KEY: &[u8; 32] = b"0123456789abcdef0123456789abcdef";
const PREFIX: &[u8] = b"weather of 2026";
/// What the values of the column `note` begin with.
const SECRET: &str = "nobody-knows";

const CHECKED: [Verify; 3] = [Verify::Footer, Verify::Checksum, Verify::Decode];

/// How a file is encrypted, and what opens it.
struct Kind {
    name: String,
    encryption: Arc<FileEncryptionProperties>,
    keys: Arc<FileDecryptionProperties>,
    /// Whether the columns `temp` and `deep.id` are in the clear.
    some_columns: bool,
}

fn with_column_keys(all: EncryptionPropertiesBuilder) -> EncryptionPropertiesBuilder {
    let [note, deep] =
        [NOTE_KEY.as_slice(), DEEP_KEY].map(|key| (key.to_vec(), material(key, false)));
    all.with_column_key_and_metadata("note", note.0, note.1)
        .with_column_key_and_metadata("deep.text", deep.0, deep.1)
}

/// What tells a reader which key it needs, here the key itself.
fn material(key: &[u8], is_footer: bool) -> Vec<u8> {
    let key: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    let material = json!({
        "keyMaterialType": "PKMT1",
        "internalStorage": true,
        "isFooterKey": is_footer,
        "kmsInstanceID": "DEFAULT",
        "kmsInstanceURL": "DEFAULT",
        "masterKeyID": "test",
        "wrappedDEK": key,
        "doubleWrapping": false,
    });
    material.to_string().into_bytes()
}

/// All of the file, or some columns of it; with a footer that is encrypted, or that anybody can read; with
/// an AAD prefix that is in the file, or that readers have to know, or without.
///
/// What finds the keys is in the files too, as pyarrow's key tools have it.
fn kinds() -> Vec<Kind> {
    let mut kinds = Vec::new();
    for some_columns in [false, true] {
        for plain_footer in [false, true] {
            for prefix in [None, Some(true), Some(false)] {
                let mut encryption = FileEncryptionProperties::builder(KEY.to_vec())
                    .with_footer_key_metadata(material(KEY, true))
                    .with_plaintext_footer(plain_footer);
                let mut keys = FileDecryptionProperties::builder(KEY.to_vec());
                if some_columns {
                    encryption = with_column_keys(encryption);
                    keys = keys
                        .with_column_key("note", NOTE_KEY.to_vec())
                        .with_column_key("deep.text", DEEP_KEY.to_vec());
                }
                if let Some(stored) = prefix {
                    encryption = encryption
                        .with_aad_prefix(PREFIX.to_vec())
                        .with_aad_prefix_storage(stored);
                }
                if prefix == Some(false) {
                    keys = keys.with_aad_prefix(PREFIX.to_vec());
                }
                kinds.push(Kind {
                    name: format!(
                        "some columns: {some_columns}, plain footer: {plain_footer}, stored prefix: {prefix:?}"
                    ),
                    encryption: encryption.build().unwrap(),
                    keys: keys.build().unwrap(),
                    some_columns,
                });
            }
        }
    }
    kinds
}

impl Kind {
    fn properties(&self) -> WriterPropertiesBuilder {
        WriterProperties::builder().with_file_encryption_properties(Arc::clone(&self.encryption))
    }

    fn options(&self) -> ArrowReaderOptions {
        ArrowReaderOptions::new().with_file_decryption_properties(Arc::clone(&self.keys))
    }

    /// The rows of a file, opened by parquet-rs with the keys.
    fn read(&self, path: &Path) -> RecordBatch {
        let file = File::open(path).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(file, self.options());
        let reader = reader.unwrap();
        let schema = Arc::clone(reader.schema());
        let batches = reader.build().unwrap().map(Result::unwrap);
        concat_batches(&schema, &batches.collect::<Vec<_>>()).unwrap()
    }

    /// Where the column chunks are, and their page indexes.
    fn chunks(&self, path: &Path) -> Vec<Chunk> {
        let file = File::open(path).unwrap();
        let metadata = ArrowReaderMetadata::load(&file, self.options()).unwrap();
        let groups = metadata.metadata().row_groups().iter();
        let chunks = groups.flat_map(|group| group.columns()).map(|chunk| {
            let (start, length) = chunk.byte_range();
            let indexes = [
                (chunk.column_index_offset(), chunk.column_index_length()),
                (chunk.offset_index_offset(), chunk.offset_index_length()),
            ];
            let range = |(offset, length): (Option<i64>, Option<i32>)| {
                let start = offset.unwrap() as usize;
                start..start + length.unwrap() as usize
            };
            Chunk {
                is_encrypted: chunk.crypto_metadata().is_some(),
                pages: start as usize..(start + length) as usize,
                indexes: indexes.map(range),
            }
        });
        chunks.collect()
    }
}

/// A column chunk of a file.
struct Chunk {
    is_encrypted: bool,
    pages: Range<usize>,
    indexes: [Range<usize>; 2],
}

/// Numbered rows of stations in turn: an id, a temperature, a note and a structure.
fn rows(stations: usize, rows: usize) -> RecordBatch {
    let text = |row| format!("{SECRET}-{row:06}");
    let stations: ArrayRef = Arc::new(StringArray::from_iter_values(
        (0..rows).map(|row| format!("S{}", row % stations)),
    ));
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(
        (0..rows).map(|row| row as i64),
    ));
    let temps: ArrayRef = Arc::new(Int64Array::from_iter(
        (0..rows).map(|row| (row % 3 > 0).then_some(row as i64 % 7)),
    ));
    let notes: ArrayRef = Arc::new(StringArray::from_iter(
        (0..rows).map(|row| (row % 5 > 0).then(|| text(row))),
    ));
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values((0..rows).map(text)));
    let numbers: ArrayRef = Arc::clone(&ids);
    let deep = StructArray::try_from(vec![("id", numbers), ("text", texts)]).unwrap();
    RecordBatch::try_from_iter_with_nullable([
        ("station_id", stations, false),
        ("id", ids, false),
        ("temp", temps, true),
        ("note", notes, true),
        ("deep", Arc::new(deep) as ArrayRef, false),
    ])
    .unwrap()
}

fn single(root: &Path, options: WriterOptions, batch: &RecordBatch) -> Result<PathBuf, Error> {
    let partition = Partition::new([("station_id", "S0")])?;
    let mut writer =
        AtomicArrowWriter::create_with_options(root, &partition, batch.schema(), options)?;
    writer.write(batch)?;
    writer.commit().map(|file| file.path().to_owned())
}

fn data_set(builder: DatasetWriterBuilder, batch: &RecordBatch) -> Result<(), Error> {
    let builder = builder.partition_by(PartitionBy::column("station_id"));
    let mut writer = builder.build(batch.schema())?;
    writer.write(batch)?;
    writer.commit().map(drop)
}

fn ids(batch: &RecordBatch) -> Vec<i64> {
    let column = batch.column_by_name("id").unwrap();
    column.as_primitive::<Int64Type>().values().to_vec()
}

fn damage(report: &atomic_arrow::verify::FileReport) -> &Damage {
    report.damage().expect("it is sound")
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|part| part == text.as_bytes())
}

/// Nothing but directories and locks is left.
fn assert_nothing_left(root: &Path, what: &str) {
    let files = tree(root);
    let left = files
        .iter()
        .find(|name| !name.ends_with(['/']) && !name.ends_with("lock"));
    assert_eq!(left, None, "{what}");
}

#[test]
fn encrypted_files_are_verified_at_every_level_and_read_with_the_keys() {
    let batch = rows(1, 50);
    let expected = batch.project(&[1, 2, 3, 4]).unwrap();
    for kind in kinds() {
        for level in [
            Verify::Skip,
            Verify::Footer,
            Verify::Checksum,
            Verify::Decode,
        ] {
            let (_guard, parent) = directory();
            let root = parent.join("weather");
            let options = WriterOptions::new().properties(kind.properties().build());
            single(&root, options.verify(level), &batch).unwrap();
            let builder = DatasetWriter::builder(&root).properties(kind.properties().build());
            data_set(builder.verify(level), &batch).unwrap();
            let files = published(&root);
            assert_eq!(files.len(), 2);
            for path in files {
                let what = format!("{} at {level:?}", kind.name);
                assert_eq!(kind.read(&path), expected, "{what}");
                assert!(!holds(&fs::read(&path).unwrap(), SECRET), "{what}");
                for level in CHECKED {
                    let report = verify_file_with_keys(&path, level, &kind.keys).unwrap();
                    assert!(report.is_sound(), "{what}: {:?}", report.damage());
                    assert_eq!(report.rows(), Some(50));
                    let pages = report.pages().map(|pages| (pages.all > 4, pages.with_crc));
                    assert_eq!(pages, (level > Verify::Footer).then_some((true, 0)));
                }
            }
        }
    }
}

#[test]
fn data_sets_are_encrypted_whether_rolled_or_sorted_or_spilled_on_many_threads() {
    let batch = rows(7, 20_000);
    for kind in kinds() {
        for level in CHECKED {
            let (_guard, parent) = directory();
            let root = parent.join("weather");
            let properties = kind
                .properties()
                .set_max_row_group_row_count(Some(300))
                .set_data_page_row_count_limit(100)
                .set_write_batch_size(50);
            let spilled = Arc::new(AtomicU64::new(0));
            let seen = Arc::clone(&spilled);
            let builder = DatasetWriter::builder(&root)
                .properties(properties.build())
                .on_progress(move |progress| {
                    seen.fetch_max(progress.rows_spilled, Ordering::Relaxed);
                })
                .verify(level)
                .threads(4)
                .memory_limit(1 << 20)
                .target_file_rows(1000)
                .sort_by(["temp"]);
            data_set(builder, &batch).unwrap();
            assert!(spilled.load(Ordering::Relaxed) > 0);
            let files = published(&root);
            assert!(files.len() >= 21, "{} files", files.len());
            let mut found = Vec::new();
            for path in &files {
                let rows = kind.read(path);
                let temps = rows.column_by_name("temp").unwrap();
                let temps: Vec<_> = temps.as_primitive::<Int64Type>().iter().collect();
                let nulls = temps.iter().take_while(|temp| temp.is_none()).count();
                assert!(
                    temps[nulls..].is_sorted() || temps.is_sorted_by_key(|temp| temp.is_none())
                );
                found.extend(ids(&rows));
            }
            found.sort_unstable();
            assert!(found.into_iter().eq(0..20_000), "{}", kind.name);
            let report = verify_file_with_keys(&files[0], Verify::Decode, &kind.keys).unwrap();
            assert!(report.is_sound() && report.row_groups() > Some(1));
        }
    }
}

#[test]
fn pages_of_every_make_are_verified() {
    let batch = rows(1, 3000);
    type Change = fn(WriterPropertiesBuilder) -> WriterPropertiesBuilder;
    let changes: [Change; 5] = [
        |properties| properties.set_writer_version(WriterVersion::PARQUET_2_0),
        |properties| properties.set_dictionary_enabled(false),
        |properties| properties.set_statistics_enabled(EnabledStatistics::None),
        |properties| properties.set_offset_index_disabled(true),
        |properties| properties.set_content_defined_chunking(Some(CdcOptions::default())),
    ];
    for kind in kinds() {
        for change in changes {
            let (_guard, parent) = directory();
            let properties = kind.properties().set_data_page_row_count_limit(1000);
            let options = WriterOptions::new().properties(change(properties).build());
            let path = single(&parent, options.verify(Verify::Decode), &batch).unwrap();
            assert_eq!(ids(&kind.read(&path)), ids(&batch), "{}", kind.name);
            let report = verify_file_with_keys(&path, Verify::Decode, &kind.keys).unwrap();
            assert!(report.is_sound(), "{:?}", report.damage());
        }
    }
}

#[test]
fn files_without_rows_are_encrypted_and_verified() {
    let batch = rows(1, 0);
    for kind in kinds() {
        for level in CHECKED {
            let (_guard, parent) = directory();
            let options = WriterOptions::new().properties(kind.properties().build());
            let path = single(&parent, options.verify(level), &batch).unwrap();
            let report = verify_file_with_keys(&path, level, &kind.keys).unwrap();
            assert_eq!(report.rows(), Some(0), "{}", kind.name);
        }
    }
}

/// A change of a staged file between its sync and its verification.
#[derive(Debug, Clone, Copy)]
enum Harm {
    Cut(usize),
    Flip(usize),
}

impl Harm {
    fn apply(self, path: &Path) {
        let mut bytes = fs::read(path).unwrap();
        match self {
            Harm::Cut(length) => bytes.truncate(length),
            Harm::Flip(at) => bytes[at] ^= 1,
        }
        fs::write(path, bytes).unwrap();
    }
}

/// What every level reads and opens: page indexes of encrypted columns, the footer, and what ends the file.
fn opened_at_footer(kind: &Kind, path: &Path) -> Vec<Range<usize>> {
    let len = fs::metadata(path).unwrap().len() as usize;
    let chunks = kind.chunks(path).into_iter();
    let chunks = chunks.filter(|chunk| chunk.is_encrypted);
    let mut opened: Vec<_> = chunks.flat_map(|chunk| chunk.indexes).collect();
    opened.push(before_footer(path).end..len);
    opened
}

/// What stands before an encrypted footer, which is not authenticated: its readers find the key by it.
fn before_footer(path: &Path) -> Range<usize> {
    let bytes = fs::read(path).unwrap();
    let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let end = bytes.len() - 8;
    let start = end - number(end);
    // A module is its length and that number of bytes; this one fills the rest.
    let is_module = |at: &usize| at + 4 + number(*at) == end;
    match bytes.ends_with(b"PARE") {
        true => start..(start..end - 4).find(is_module).unwrap(),
        false => start..start,
    }
}

#[test]
fn a_staged_file_that_is_damaged_before_it_is_verified_is_never_published() {
    let batch = rows(1, 40);
    for kind in kinds() {
        let (_guard, parent) = directory();
        // Nothing here loses power, and a sync takes longer than the rest.
        let options = || {
            WriterOptions::new()
                .properties(kind.properties().build())
                .durability(Durability::Unsynced)
        };
        let sample = single(&parent, options(), &batch).unwrap();
        let len = fs::metadata(&sample).unwrap().len() as usize;
        let opened = opened_at_footer(&kind, &sample);
        for level in CHECKED {
            // No byte is far from one that is tried.
            let step = 1 + len / 12;
            let mut harms: Vec<Harm> = (0..len).step_by(step).map(Harm::Cut).collect();
            harms.push(Harm::Cut(len - 1));
            if level == Verify::Footer {
                let ranges = opened.iter().cloned();
                harms.extend(ranges.flat_map(|range| range.step_by(step)).map(Harm::Flip));
                harms.extend(before_footer(&sample).map(Harm::Flip));
            } else {
                harms.extend((0..len).step_by(step).map(Harm::Flip));
            }
            harms.extend((0..4).chain(len - 8..len).map(Harm::Flip));
            for harm in harms {
                let (_guard, parent) = directory();
                let root = parent.join("weather");
                let disk = Tampered::before_open(move |path| {
                    if path.extension().is_some_and(|suffix| suffix == "staged") {
                        harm.apply(path);
                    }
                    Ok(())
                });
                let written = single(&root, options().verify(level).disk(disk), &batch);
                let what = format!("{harm:?} of {len} at {level:?}, {}", kind.name);
                assert!(
                    matches!(written, Err(Error::Damaged { .. })),
                    "{what}: {written:?}"
                );
                assert_nothing_left(&parent, &what);
            }
        }
    }
}

#[test]
fn a_file_of_a_data_set_that_is_damaged_before_it_is_verified_fails_the_whole_write() {
    let batch = rows(3, 60);
    for kind in kinds() {
        for level in CHECKED {
            let (_guard, parent) = directory();
            let root = parent.join("weather");
            let disk = Tampered::before_open(move |path| {
                if path.ends_with("00001.staged") {
                    let len = fs::metadata(path).unwrap().len() as usize;
                    Harm::Flip(len - 40).apply(path);
                }
                Ok(())
            });
            let builder = DatasetWriter::builder(&root).properties(kind.properties().build());
            let written = data_set(builder.verify(level).disk(disk), &batch);
            assert!(matches!(written, Err(Error::Damaged { .. })), "{written:?}");
            assert_nothing_left(&parent, &kind.name);
        }
    }
}

#[test]
fn every_flipped_byte_of_what_is_encrypted_is_found_with_the_keys() {
    let batch = rows(1, 40);
    for kind in kinds() {
        let (_guard, parent) = directory();
        let options = WriterOptions::new().properties(kind.properties().build());
        let path = single(&parent, options, &batch).unwrap();
        let good = fs::read(&path).unwrap();
        let mut chunks = kind.chunks(&path);
        let all = chunks.len();
        chunks.retain(|chunk| chunk.is_encrypted);
        assert_eq!(chunks.len(), if kind.some_columns { 2 } else { all });
        let some =
            |ranges: Vec<Range<usize>>| ranges.into_iter().flat_map(|range| range.step_by(29));
        let pages = some(chunks.into_iter().map(|chunk| chunk.pages).collect());
        let pages = pages.map(|at| (at, false));
        let others = some(opened_at_footer(&kind, &path)).map(|at| (at, true));
        for (at, at_footer) in others.chain(pages) {
            Harm::Flip(at).apply(&path);
            for level in CHECKED {
                let what = format!("byte {at} at {level:?}, {}", kind.name);
                let report = verify_file_with_keys(&path, level, &kind.keys).unwrap();
                assert_eq!(
                    report.is_sound(),
                    !at_footer && level == Verify::Footer,
                    "{what}"
                );
                let panicked = matches!(report.damage(), Some(Damage::Panicked { .. }));
                assert!(!panicked, "{what}: {:?}", report.damage());
            }
            fs::write(&path, &good).unwrap();
        }
    }
}

#[test]
fn the_length_of_a_module_is_not_believed_beyond_its_place() {
    let batch = rows(1, 40);
    for kind in kinds() {
        let (_guard, parent) = directory();
        let options = WriterOptions::new().properties(kind.properties().build());
        let path = single(&parent, options, &batch).unwrap();
        let good = fs::read(&path).unwrap();
        let mut chunks = kind.chunks(&path).into_iter();
        let range = chunks.find(|chunk| chunk.is_encrypted).unwrap().pages;
        for length in [u32::MAX, good.len() as u32, 27, 0] {
            let mut bytes = good.clone();
            bytes[range.start..range.start + 4].copy_from_slice(&length.to_le_bytes());
            fs::write(&path, bytes).unwrap();
            let report = verify_file_with_keys(&path, Verify::Checksum, &kind.keys).unwrap();
            let text = damage(&report).to_string();
            let expected = format!("an encrypted module of {length} bytes, where ");
            assert!(text.contains(&expected), "{text}");
        }
    }
}

#[test]
fn without_the_keys_an_encrypted_file_is_neither_sound_nor_damaged() {
    let batch = rows(1, 20);
    for kind in kinds() {
        let (_guard, parent) = directory();
        let root = parent.join("weather");
        let options = WriterOptions::new().properties(kind.properties().build());
        let path = single(&root, options, &batch).unwrap();
        for level in CHECKED {
            let report = verify_file(&path, level).unwrap();
            assert!(!report.is_sound());
            let text = damage(&report).to_string();
            assert_eq!(
                text,
                "file: cannot be checked: it is encrypted, and no keys are known"
            );
        }
        let found = inspect(&root).unwrap();
        let kinds: Vec<_> = found.oddities.iter().map(Oddity::kind).collect();
        assert_eq!(kinds, ["not-checkable"], "{:?}", found.oddities);
        assert_eq!(found.totals().files, 1);
    }
}

#[test]
fn keys_that_are_wrong_or_missing_are_named() {
    let batch = rows(1, 20);
    let properties = |encryption: EncryptionPropertiesBuilder| {
        WriterProperties::builder()
            .with_file_encryption_properties(encryption.build().unwrap())
            .build()
    };
    for plain_footer in [false, true] {
        let (_guard, parent) = directory();
        let all = FileEncryptionProperties::builder(KEY.to_vec())
            .with_plaintext_footer(plain_footer)
            .with_aad_prefix(PREFIX.to_vec());
        let options = WriterOptions::new().properties(properties(with_column_keys(all)));
        let path = single(&parent, options, &batch).unwrap();
        let found = |footer: &[u8], note: Option<&[u8]>, prefix: Option<&[u8]>| {
            let mut keys = FileDecryptionProperties::builder(footer.to_vec())
                .with_column_key("deep.text", DEEP_KEY.to_vec());
            if let Some(note) = note {
                keys = keys.with_column_key("note", note.to_vec());
            }
            if let Some(prefix) = prefix {
                keys = keys.with_aad_prefix(prefix.to_vec());
            }
            let report = verify_file_with_keys(&path, Verify::Footer, &keys.build().unwrap());
            let report = report.unwrap();
            report.damage().map(|damage| {
                let cause = std::error::Error::source(damage).map(ToString::to_string);
                (damage.clone(), cause.unwrap_or_default())
            })
        };
        let (right, wrong) = (Some(NOTE_KEY.as_slice()), Some(KEY.as_slice()));
        assert!(found(KEY, right, Some(PREFIX)).is_none());
        let (damage, _) = found(NOTE_KEY, right, Some(PREFIX)).unwrap();
        assert!(matches!(damage, Damage::Decrypt { .. }), "{damage}");
        let (damage, cause) = found(KEY, wrong, Some(PREFIX)).unwrap();
        assert!(matches!(damage, Damage::Decrypt { .. }), "{damage}");
        assert!(cause.contains("column 'note'"), "{cause}");
        let (damage, _) = found(KEY, None, Some(PREFIX)).unwrap();
        assert!(matches!(damage, Damage::NotCheckable { .. }), "{damage}");
        assert_eq!(damage.location().column.as_deref(), Some("note"));
        for prefix in [None, Some(b"another".as_slice())] {
            let (damage, _) = found(KEY, right, prefix).unwrap();
            assert!(matches!(damage, Damage::Decrypt { .. }), "{damage}");
        }
        // A key has 16 or 32 bytes.
        let (damage, cause) = found(b"short", right, Some(PREFIX)).unwrap();
        assert!(matches!(damage, Damage::Decrypt { .. }), "{damage}");
        assert!(cause.contains("Invalid footer key"), "{cause}");
    }
}

/// Whether keys were refused: that of the footer as the writer is made, that of a column when it has pages.
fn is_of_keys(error: Option<&Error>) -> bool {
    matches!(
        error,
        Some(
            Error::InvalidOption {
                option: "properties",
                ..
            } | Error::Encode { .. }
        )
    )
}

#[test]
fn keys_that_cannot_encrypt_are_refused_before_anything_is_published() {
    let batch = rows(1, 20);
    let all = |key: &[u8]| FileEncryptionProperties::builder(key.to_vec());
    let broken = [
        all(b"short"),
        all(KEY).with_column_key("note", b"short".to_vec()),
        all(KEY).with_column_key("nothing", KEY.to_vec()),
        // It is in the path alone.
        all(KEY).with_column_key("station_id", KEY.to_vec()),
    ];
    for encryption in broken {
        let properties = WriterProperties::builder()
            .with_file_encryption_properties(encryption.build().unwrap())
            .build();
        let (_guard, parent) = directory();
        let options = WriterOptions::new().properties(properties.clone());
        let written = single(&parent.join("one"), options, &batch);
        assert!(is_of_keys(written.as_ref().err()), "{written:?}");
        let builder = DatasetWriter::builder(parent.join("many")).properties(properties);
        let written = data_set(builder, &batch);
        assert!(is_of_keys(written.as_ref().err()), "{written:?}");
        assert_nothing_left(&parent, "broken keys");
    }
}

#[test]
fn what_would_leave_an_encrypted_column_in_the_clear_is_refused() {
    let batch = rows(1, 20);
    for kind in kinds() {
        for (column, secret) in [("note", true), ("temp", !kind.some_columns)] {
            let (_guard, parent) = directory();
            let path = ColumnPath::from(column);
            let properties = kind
                .properties()
                .set_column_bloom_filter_enabled(path, true)
                .build();
            for level in [Verify::Skip, Verify::Decode] {
                let options = WriterOptions::new().properties(properties.clone());
                let builder = DatasetWriter::builder(parent.join("many"));
                let builder = builder.properties(properties.clone()).verify(level);
                let one = single(&parent.join("one"), options.verify(level), &batch).map(drop);
                for written in [one, data_set(builder, &batch)] {
                    let refused = matches!(written, Err(Error::InvalidOption { .. }));
                    assert_eq!(refused, secret, "{column}, {}: {written:?}", kind.name);
                    assert_eq!(written.is_err(), secret);
                }
            }
        }
        let (_guard, parent) = directory();
        for format in [Format::Csv, Format::Ndjson, Format::Ipc] {
            let builder = DatasetWriter::builder(&parent).properties(kind.properties().build());
            let written = data_set(builder.format(format), &batch);
            assert!(
                matches!(written, Err(Error::InvalidOption { .. })),
                "{format}: {written:?}"
            );
        }
    }
}

#[test]
fn nothing_of_encrypted_columns_is_in_receipts_and_records() {
    let batch = rows(2, 50);
    for kind in kinds() {
        let (_guard, parent) = directory();
        let builder = || {
            DatasetWriter::builder(parent.join("weather"))
                .partition_by(PartitionBy::column("station_id"))
                .properties(kind.properties().build())
        };
        let mut writer = builder().build(batch.schema()).unwrap();
        writer.write(&batch).unwrap();
        let staged = writer.stage().unwrap();
        for name in tree(&parent).iter().filter(|name| !name.ends_with('/')) {
            let bytes = fs::read(parent.join(name)).unwrap();
            assert!(!holds(&bytes, SECRET), "{name}, {}", kind.name);
        }
        let receipt = atomic_arrow::StagedWrites::new([staged]).commit().unwrap();
        assert_eq!(
            receipt.schema().is_some(),
            !kind.encryption.encrypt_footer(),
            "{}",
            kind.name
        );
        for file in receipt.files() {
            for column in file.columns() {
                let known = column.min.is_some() || column.null_count.is_some();
                let expected = kind.some_columns && &*column.column != "note";
                assert_eq!(known, expected, "{}, {}", column.column, kind.name);
            }
            let path = parent.join("weather").join(file.path());
            assert_eq!(kind.read(&path).num_rows() as u64, file.rows());
        }
    }
}

#[test]
fn pyarrow_reads_encrypted_files_with_the_keys() {
    let peers = match peers() {
        Ok(peers) => peers,
        Err(reason) => return skip(reason),
    };
    let batch = rows(1, 5000);
    let mut read = 0;
    for kind in kinds() {
        // Keys for some columns and a prefix that is not in the file are more than pyarrow takes.
        let prefix = kind.keys.aad_prefix();
        if prefix.is_some() && kind.some_columns {
            continue;
        }
        let (_guard, parent) = directory();
        let properties = kind
            .properties()
            .set_data_page_row_count_limit(1000)
            .build();
        let options = WriterOptions::new().properties(properties);
        let path = single(&parent, options, &batch).unwrap();
        let prefix = prefix.map(|prefix| String::from_utf8_lossy(prefix).into_owned());
        let mut arguments: Vec<&dyn AsRef<std::ffi::OsStr>> = vec![&path];
        let key = std::str::from_utf8(KEY).unwrap();
        if let Some(prefix) = &prefix {
            arguments.extend([&key as &dyn AsRef<_>, prefix]);
        }
        let ran = peers.run("encrypted.py", &arguments).unwrap();
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "{}: {said}", kind.name);
        let found: Value = serde_json::from_slice(&ran.stdout).unwrap();
        let notes = batch.column_by_name("note").unwrap().as_string::<i32>();
        assert_eq!(found["rows"], 5000, "{}", kind.name);
        assert_eq!(found["ids"], ids(&batch).iter().sum::<i64>());
        assert_eq!(found["last_note"], notes.value(4999));
        read += 1;
    }
    assert_eq!(read, 10);
}

#[test]
fn keys_are_not_shown_by_what_is_printed_of_writers_and_their_options() {
    let batch = rows(1, 1);
    let shows = |text: &str| {
        let bytes: Vec<String> = KEY.iter().map(u8::to_string).collect();
        text.contains(&bytes.join(", ")) || text.contains("0123456789abcdef")
    };
    for kind in kinds() {
        let (_guard, parent) = directory();
        let properties = kind.properties().build();
        assert!(
            shows(&format!("{properties:?}")),
            "this test looks for nothing"
        );
        let options = WriterOptions::new().properties(properties.clone());
        assert!(!shows(&format!("{options:?}")));
        let partition = Partition::new([("station_id", "S0")]).unwrap();
        let schema = batch.schema();
        let one = AtomicArrowWriter::create_with_options(&parent, &partition, schema, options);
        assert!(!shows(&format!("{one:?}")));
        let builder = DatasetWriter::builder(&parent).properties(properties);
        assert!(!shows(&format!("{:?}", builder.build(batch.schema()))));
    }
}
