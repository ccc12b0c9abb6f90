//! Keys of encrypted Parquet by the names of columns: what is then in the files, who can read it, and what is refused.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use atomic_arrow::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, StructArray};
use atomic_arrow::arrow::compute::concat_batches;
use atomic_arrow::format::Format;
use atomic_arrow::parquet::arrow::arrow_reader::{
    ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use atomic_arrow::parquet::basic::Compression;
use atomic_arrow::parquet::encryption::decrypt::FileDecryptionProperties;
use atomic_arrow::verify::{VerifyOptions, verify_path_with_options};
use atomic_arrow::{
    AtomicArrowWriter, DatasetWriter, Durability, Error, FileUpdate, InspectOptions, ParquetKeys,
    ParquetProperties, PartitionBy, Verify, WriterOptions, inspect_with_options,
};

use crate::ground::{directory, published, tree};

const KEY: &[u8] = b"0123456789abcdef";
const PLACE_KEY: &[u8] = b"fedcba9876543210fedcba9876543210";

fn rows() -> RecordBatch {
    let keys: ArrayRef = Arc::new(StringArray::from_iter_values(
        (0..40).map(|n| ["k", "l"][n % 2]),
    ));
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(0..40));
    let notes: ArrayRef = Arc::new(StringArray::from_iter_values(
        (0..40).map(|n| format!("note-{n}")),
    ));
    let names: ArrayRef = Arc::new(StringArray::from_iter_values(
        (0..40).map(|n| format!("name-{n}")),
    ));
    let place = StructArray::try_from(vec![("id", Arc::clone(&ids)), ("name", names)]).unwrap();
    let place: ArrayRef = Arc::new(place);
    RecordBatch::try_from_iter([("k", keys), ("id", ids), ("note", notes), ("place", place)])
        .unwrap()
}

fn by_column() -> ParquetKeys {
    ParquetKeys::new(KEY)
        .unwrap()
        .column("place", PLACE_KEY)
        .unwrap()
}

fn encrypting(keys: &ParquetKeys) -> ParquetProperties {
    ParquetProperties::new().encrypt(keys.clone())
}

fn write(path: &Path, properties: ParquetProperties) -> Result<(), Error> {
    let options = WriterOptions::new()
        .parquet(properties)
        .compression(Compression::UNCOMPRESSED)
        .verify(Verify::Decode);
    let mut writer = AtomicArrowWriter::at_with_options(path, rows().schema(), options)?;
    writer.write(&rows())?;
    writer.commit().map(drop)
}

/// What is wrong with the only file at a path, for a reader with these keys.
fn found(path: &Path, keys: Option<&ParquetKeys>) -> Option<String> {
    let mut found = None;
    for level in [Verify::Footer, Verify::Checksum, Verify::Decode] {
        let mut options = VerifyOptions::new().level(level);
        if let Some(keys) = keys {
            options = options.keys(keys.clone());
        }
        let summary = verify_path_with_options(path, &options, |report| {
            found = report.damage().map(ToString::to_string);
            Ok(())
        });
        assert_eq!(summary.unwrap().files, 1);
    }
    found
}

fn read(path: &Path, decryption: Arc<FileDecryptionProperties>) -> RecordBatch {
    let options = ArrowReaderOptions::new().with_file_decryption_properties(decryption);
    let file = File::open(path).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options).unwrap();
    let schema = Arc::clone(reader.schema());
    let batches: Vec<_> = reader.build().unwrap().map(Result::unwrap).collect();
    concat_batches(&schema, &batches).unwrap()
}

fn holds(path: &Path, text: &str) -> bool {
    let bytes = fs::read(path).unwrap();
    bytes
        .windows(text.len())
        .any(|part| part == text.as_bytes())
}

#[test]
fn one_key_encrypts_all_columns_and_opens_them() {
    let (_guard, parent) = directory();
    let path = parent.join("rows.parquet");
    let keys = ParquetKeys::new(KEY).unwrap();
    write(&path, encrypting(&keys)).unwrap();
    assert!(!holds(&path, "note-1") && !holds(&path, "name-1") && !holds(&path, "place"));
    assert_eq!(found(&path, Some(&keys)), None);
    assert!(
        found(&path, None)
            .unwrap()
            .contains("it is encrypted, and no keys are known")
    );
    let other = ParquetKeys::new(b"ffffffffffffffff").unwrap();
    assert!(
        found(&path, Some(&other))
            .unwrap()
            .contains("encrypted with other keys")
    );
    let decryption = FileDecryptionProperties::builder(KEY.to_vec())
        .build()
        .unwrap();
    assert_eq!(read(&path, decryption), rows());
}

#[test]
fn a_key_of_a_struct_is_that_of_all_that_is_in_it_and_other_columns_are_in_the_clear() {
    for plaintext_footer in ["off", "on"] {
        let (_guard, parent) = directory();
        let path = parent.join("rows.parquet");
        let mut properties = encrypting(&by_column());
        properties
            .set("plaintext_footer", None, plaintext_footer)
            .unwrap();
        write(&path, properties).unwrap();
        assert!(holds(&path, "note-1") && !holds(&path, "name-1"));
        assert_eq!(holds(&path, "place"), plaintext_footer == "on");
        assert_eq!(found(&path, Some(&by_column())), None);
        let footer = ParquetKeys::new(KEY).unwrap();
        let missing = found(&path, Some(&footer)).unwrap();
        assert!(
            missing.contains("column \"place.id\"") && missing.contains("its key is not known"),
            "{missing}"
        );
        let leaves = footer.column("place.id", PLACE_KEY).unwrap();
        let leaves = leaves.column("place.name", PLACE_KEY).unwrap();
        assert_eq!(found(&path, Some(&leaves)), None);
        let decryption = FileDecryptionProperties::builder(KEY.to_vec())
            .with_column_key("place.id", PLACE_KEY.to_vec())
            .with_column_key("place.name", PLACE_KEY.to_vec());
        assert_eq!(read(&path, decryption.build().unwrap()), rows());
    }
}

#[test]
fn a_prefix_is_known_from_the_file_or_has_to_be_given() {
    let (_guard, parent) = directory();
    let keys = ParquetKeys::new(KEY).unwrap();
    let bound = keys.clone().aad_prefix("weather").unwrap();
    for (stored, needs) in [("on", false), ("off", true)] {
        let path = parent.join(format!("{stored}.parquet"));
        let mut properties = encrypting(&bound);
        properties.set("store_aad_prefix", None, stored).unwrap();
        write(&path, properties).unwrap();
        assert_eq!(found(&path, Some(&bound)), None);
        assert_eq!(found(&path, Some(&keys)).is_some(), needs, "{stored}");
    }
}

#[test]
fn data_sets_are_encrypted_and_looked_at_with_the_keys() {
    let (_guard, parent) = directory();
    let root = parent.join("lake");
    let build = |properties| {
        DatasetWriter::builder(&root)
            .partition_by(PartitionBy::column("k"))
            .parquet(properties)
            .durability(Durability::Unsynced)
    };
    let mut writer = build(encrypting(&by_column()))
        .build(rows().schema())
        .unwrap();
    writer.write(&rows()).unwrap();
    writer.commit().unwrap();
    let files = published(&root);
    assert_eq!(files.len(), 2);
    for file in files {
        assert_eq!(found(&file, Some(&by_column())), None);
    }
    let look = |options: InspectOptions| inspect_with_options(&root, &options).unwrap();
    let seen = look(InspectOptions::new().keys(by_column()));
    assert_eq!(
        (seen.totals().rows, seen.oddities.len()),
        (40, 0),
        "{:?}",
        seen.oddities
    );
    assert_eq!(look(InspectOptions::new()).totals().rows, 0);

    let of_key = ParquetKeys::new(KEY)
        .unwrap()
        .column("k", PLACE_KEY)
        .unwrap();
    let error = build(encrypting(&of_key))
        .build(rows().schema())
        .unwrap_err();
    assert!(error.to_string().contains("is a partition key"), "{error}");
    for format in [Format::Csv, Format::Ipc, Format::Ndjson] {
        let builder = build(encrypting(&by_column())).format(format);
        let error = builder.build(rows().schema()).unwrap_err();
        assert!(
            matches!(
                error,
                Error::InvalidOption {
                    option: "footer_key",
                    ..
                }
            ),
            "{error}"
        );
    }
}

#[test]
fn an_update_reads_with_the_keys_what_it_wrote_with_them() {
    let (_guard, parent) = directory();
    let path = parent.join("history.parquet");
    write(&path, ParquetProperties::new()).unwrap();
    for expected in [40, 80, 160] {
        let options = WriterOptions::new().parquet(encrypting(&by_column()));
        let update = FileUpdate::begin_with_options(&path, options).unwrap();
        let before: Vec<_> = update
            .read()
            .unwrap()
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let count: usize = before.iter().map(RecordBatch::num_rows).sum();
        assert_eq!(count, expected);
        let mut writer = update.write(before[0].schema()).unwrap();
        for batch in before.iter().chain(&before) {
            writer.write(batch).unwrap();
        }
        writer.commit().unwrap();
    }
    let error = FileUpdate::begin(&path).unwrap().read().unwrap_err();
    assert!(matches!(error, Error::Read { .. }), "{error}");
}

#[test]
fn what_cannot_be_encrypted_is_refused_and_nothing_is_left() {
    let (_guard, parent) = directory();
    let path = parent.join("rows.parquet");
    let with = |name, value| {
        let mut properties = ParquetProperties::new();
        properties.set(name, None, value).unwrap();
        properties
    };
    let mut unbound = encrypting(&by_column());
    unbound.set("store_aad_prefix", None, "off").unwrap();
    let unknown = ParquetKeys::new(KEY)
        .unwrap()
        .column("nowhere", KEY)
        .unwrap();
    let mut filtered = encrypting(&by_column());
    filtered
        .set("bloom_filters", Some("place.name"), "on")
        .unwrap();
    for (properties, option, reason) in [
        (
            with("plaintext_footer", "on"),
            "plaintext_footer",
            "nothing is encrypted",
        ),
        (
            with("store_aad_prefix", "on"),
            "store_aad_prefix",
            "nothing is encrypted",
        ),
        (unbound, "store_aad_prefix", "without a prefix"),
        (
            encrypting(&unknown),
            "column_keys",
            "there is no column \"nowhere\"",
        ),
        (filtered, "properties", "would not be encrypted"),
    ] {
        match write(&path, properties) {
            Err(Error::InvalidOption {
                option: found,
                reason: told,
            }) => {
                assert_eq!(found, option);
                assert!(told.contains(reason), "{told}");
            }
            other => panic!("{option}: {other:?}"),
        }
    }
    for length in [0, 15, 17, 24, 33] {
        let error = ParquetKeys::new(vec![7; length]).unwrap_err();
        assert!(
            error
                .to_string()
                .contains(&format!("this one has {length}")),
            "{error}"
        );
    }
    for (one, other) in [
        ("place", "place.name"),
        ("place.name", "place"),
        ("id", "id"),
    ] {
        let keys = ParquetKeys::new(KEY).unwrap().column(one, KEY).unwrap();
        let error = keys.column(other, KEY).unwrap_err();
        assert!(error.to_string().contains("are one"), "{error}");
    }
    assert!(
        ParquetKeys::from_parts(None, Vec::new(), None)
            .unwrap()
            .is_none()
    );
    for (columns, prefix) in [
        (vec![("id".to_owned(), KEY.to_vec())], None),
        (Vec::new(), Some(vec![1])),
    ] {
        let error = ParquetKeys::from_parts(None, columns, prefix).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("the key of the footer is needed"),
            "{error}"
        );
    }
    let left = tree(&parent);
    assert!(
        left.iter()
            .all(|name| name.ends_with(['/']) || name.ends_with("lock")),
        "{left:?}"
    );
}

#[test]
fn keys_are_not_shown() {
    let keys = by_column();
    let texts = [
        format!("{keys:?}"),
        format!("{:?}", encrypting(&keys)),
        format!("{:?}", VerifyOptions::new().keys(keys.clone())),
        format!("{:?}", InspectOptions::new().keys(keys.clone())),
        format!("{:?}", WriterOptions::new().parquet(encrypting(&keys))),
        format!(
            "{:?}",
            DatasetWriter::builder("lake").parquet(encrypting(&keys))
        ),
    ];
    for text in texts {
        for key in [KEY, PLACE_KEY] {
            let numbers: Vec<String> = key.iter().take(3).map(u8::to_string).collect();
            assert!(!text.contains(&numbers.join(", ")), "{text}");
            assert!(!text.contains(str::from_utf8(key).unwrap()), "{text}");
        }
    }
}
