//! Pages that were spilled go into the file as those that were not.

use std::path::Path;

use arrow::array::{ArrayRef, BinaryArray, Int64Array, RecordBatch};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{WriterProperties, WriterVersion};

use super::super::rows::tests::{file_of, writer};
use super::*;
use crate::disk::{Disk, DiskFile, OsDisk};
use crate::error::Step;
use crate::options::Encodings;

/// Texts that repeat, and bytes that nothing compresses.
fn rows() -> RecordBatch {
    let mut seed = 1_u64;
    let mut noise = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) as u8
    };
    let blobs: Vec<Vec<u8>> = (0..3_000)
        .map(|row| (0..row % 300).map(|_| noise()).collect())
        .collect();
    let columns: [(&str, ArrayRef); 3] = [
        ("number", Arc::new(Int64Array::from_iter_values(0..3_000))),
        (
            "few",
            Arc::new(Int64Array::from_iter_values((0..3_000).map(|row| row % 7))),
        ),
        ("blob", Arc::new(BinaryArray::from_iter_values(blobs))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

fn properties() -> Vec<WriterProperties> {
    let pages = || {
        WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(3).unwrap()))
            .set_data_page_size_limit(16 << 10)
            .set_dictionary_page_size_limit(16 << 10)
            .set_write_batch_size(64)
    };
    vec![
        pages().build(),
        pages().set_max_row_group_row_count(Some(1_100)).build(),
        pages()
            .set_writer_version(WriterVersion::PARQUET_2_0)
            .build(),
        pages().set_compression(Compression::UNCOMPRESSED).build(),
    ]
}

fn file(
    properties: &WriterProperties,
    checksums: bool,
    spill: Option<Arc<PageSpill>>,
) -> std::result::Result<Vec<u8>, Error> {
    let batches: Vec<RecordBatch> = (0..3_000)
        .step_by(500)
        .map(|start| rows().slice(start, 500))
        .collect();
    file_of(&batches, (properties.clone(), checksums), spill)
}

fn spilling(
    limit: usize,
    create: impl Fn() -> Box<dyn DiskFile> + Send + Sync + 'static,
) -> Arc<PageSpill> {
    let scratch = Scratch::new(Path::new("/lake"), move || Ok(create()));
    Arc::new(PageSpill::new(limit, Arc::new(scratch)))
}

#[test]
fn a_file_is_the_same_wherever_its_pages_were() {
    let directory = tempfile::tempdir().unwrap();
    for (number, properties) in properties().into_iter().enumerate() {
        for checksums in [true, false] {
            let expected = file(&properties, checksums, None).unwrap();
            for limit in [0, 200 << 10, usize::MAX] {
                let path = directory
                    .path()
                    .join(format!("{number} {checksums} {limit}"));
                let of = path.clone();
                let spill = spilling(limit, move || OsDisk.create_file(&of, true).unwrap());
                assert!(file(&properties, checksums, Some(spill)).unwrap() == expected);
                let spilled = std::fs::metadata(&path).map_or(0, |found| found.len());
                match limit {
                    0 => assert!(spilled > 300 << 10, "{spilled} bytes were spilled"),
                    usize::MAX => assert_eq!(spilled, 0),
                    _ => assert!(
                        (64 << 10..expected.len() as u64).contains(&spilled),
                        "{spilled}"
                    ),
                }
            }
        }
    }
}

#[test]
fn nothing_is_counted_when_the_file_is_written() {
    let directory = tempfile::tempdir().unwrap();
    for properties in properties() {
        for checksums in [true, false] {
            let path = directory.path().join("scratch");
            let spill = spilling(100 << 10, move || {
                let file = OsDisk.create_file(&path, true).unwrap();
                OsDisk.remove_file(&path).unwrap();
                file
            });
            file(&properties, checksums, Some(Arc::clone(&spill))).unwrap();
            assert_eq!(spill.held.load(Ordering::Relaxed), 0);
        }
    }
}

#[test]
fn a_full_disk_is_told_as_such() {
    for properties in properties() {
        for checksums in [true, false] {
            let full = || {
                Err(Error::Io {
                    step: Step::WriteRows,
                    path: "/lake".into(),
                    source: io::ErrorKind::StorageFull.into(),
                })
            };
            let spill = PageSpill::new(0, Arc::new(Scratch::new(Path::new("/lake"), full)));
            let spill = Arc::new(spill);
            match file(&properties, checksums, Some(spill)).unwrap_err() {
                Error::Io { source, .. } => {
                    assert_eq!(source.kind(), io::ErrorKind::StorageFull);
                }
                error => panic!("{error:?}"),
            }
        }
    }
}

#[test]
fn pages_that_come_back_changed_go_nowhere() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("scratch");
    for properties in properties() {
        for checksums in [true, false] {
            let of = path.clone();
            let spill = spilling(0, move || OsDisk.create_file(&of, true).unwrap());
            let properties = (properties.clone(), checksums);
            let mut writer =
                writer(&rows().schema(), properties, Some(spill), Encodings::Auto).unwrap();
            writer.write(&rows().slice(0, 1_000)).unwrap();
            // The rows are held no longer.
            writer.0.open_bytes(0, 1).unwrap();
            let mut spilled = std::fs::read(&path).unwrap();
            let middle = spilled.len() / 2;
            spilled[middle] ^= 1;
            std::fs::write(&path, spilled).unwrap();
            match writer.0.end(1).unwrap_err() {
                Error::Encode { source, .. } => {
                    assert_eq!(source.to_string(), "what was spilled came back changed");
                }
                error => panic!("{error:?}"),
            }
            std::fs::remove_file(&path).unwrap();
        }
    }
}
