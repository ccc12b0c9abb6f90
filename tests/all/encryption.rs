//! What is encrypted cannot be verified, and is never published as if it were.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use atomic_arrow::parquet::arrow::arrow_reader::{
    ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use atomic_arrow::parquet::encryption::decrypt::FileDecryptionProperties;
use atomic_arrow::parquet::encryption::encrypt::FileEncryptionProperties;
use atomic_arrow::parquet::file::properties::WriterProperties;
use atomic_arrow::verify::{Damage, verify_file};
use atomic_arrow::{AtomicArrowWriter, DatasetWriter, Error, Verify, WriterOptions};

use crate::ground::{directory, station, tree, weather};

const KEY: &[u8; 16] = b"0123456789abcdef";
const COLUMN_KEY: &[u8; 16] = b"fedcba9876543210";

/// All of the file; one column of it, its footer too; and with a footer that anybody can read.
fn kinds() -> Vec<Arc<FileEncryptionProperties>> {
    let all = || FileEncryptionProperties::builder(KEY.to_vec());
    let one = || all().with_column_key("temp", COLUMN_KEY.to_vec());
    [
        all(),
        one(),
        all().with_plaintext_footer(true),
        one().with_plaintext_footer(true),
    ]
    .map(|kind| kind.build().unwrap())
    .to_vec()
}

fn properties(encryption: &Arc<FileEncryptionProperties>) -> WriterProperties {
    WriterProperties::builder()
        .with_file_encryption_properties(Arc::clone(encryption))
        .build()
}

fn single(root: &Path, properties: WriterProperties, verify: Verify) -> Result<(), Error> {
    let batch = weather("KSEA", 20);
    let options = WriterOptions::new().properties(properties).verify(verify);
    let (station, schema) = (station("KSEA"), batch.schema());
    let mut writer = AtomicArrowWriter::create_with_options(root, &station, schema, options)?;
    writer.write(&batch)?;
    writer.commit().map(drop)
}

fn data_set(root: &Path, properties: WriterProperties, verify: Verify) -> Result<(), Error> {
    let batch = weather("KSEA", 20);
    let builder = DatasetWriter::builder(root).properties(properties);
    let mut writer = builder.verify(verify).build(batch.schema())?;
    writer.write(&batch)?;
    writer.commit().map(drop)
}

#[test]
fn properties_that_encrypt_are_refused_where_files_are_to_be_verified() {
    for encryption in kinds() {
        for write in [single, data_set] {
            for verify in [Verify::Footer, Verify::Checksum, Verify::Decode] {
                let (_guard, parent) = directory();
                let error = write(&parent.join("weather"), properties(&encryption), verify);
                let Err(Error::InvalidOption { option, .. }) = error else {
                    panic!("{error:?}");
                };
                assert_eq!(option, "properties");
                let files = tree(&parent);
                assert!(
                    files
                        .iter()
                        .all(|name| name.ends_with(['/']) || name.ends_with("lock")),
                    "{files:?}"
                );
            }
        }
    }
}

#[test]
fn what_is_encrypted_is_written_unverified_if_that_is_asked_for_and_read_with_the_keys() {
    for encryption in kinds() {
        for write in [single, data_set] {
            let (_guard, parent) = directory();
            let root = parent.join("weather");
            write(&root, properties(&encryption), Verify::Skip).unwrap();
            let files = tree(&root);
            let name = files
                .iter()
                .find(|name| name.ends_with(".parquet"))
                .unwrap();
            let path = root.join(name);
            let keys = FileDecryptionProperties::builder(KEY.to_vec())
                .with_column_key("temp", COLUMN_KEY.to_vec())
                .build()
                .unwrap();
            let options = ArrowReaderOptions::new().with_file_decryption_properties(keys);
            let file = File::open(&path).unwrap();
            let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options);
            let batches = reader.unwrap().build().unwrap();
            let rows = batches
                .map(|batch| batch.unwrap().num_rows())
                .sum::<usize>();
            assert_eq!(rows, 20);
            let report = verify_file(&path, Verify::Footer).unwrap();
            assert!(
                matches!(report.damage(), Some(Damage::NotCheckable { .. })),
                "{:?}",
                report.damage()
            );
            fs::remove_file(path).unwrap();
        }
    }
}
