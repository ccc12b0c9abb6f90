//! Pages carry checksums, by which readers of other projects find damage at rest.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use atomic_arrow::parquet::arrow::arrow_reader::ArrowReaderMetadata;
use atomic_arrow::verify::verify_file;
use atomic_arrow::{AtomicArrowWriter, DatasetWriter, PartitionBy, Verify, WriterOptions};
use serde_json::Value;

use crate::ground::{directory, station, weather};
use crate::support::peers::{READERS, peers};
use crate::support::skip;

const ROWS: usize = 200;

/// A file of a data set, and a single file in another partition of it.
fn write(root: &Path, checksums: bool) -> [PathBuf; 2] {
    let batch = weather("KSEA", ROWS);
    let mut writer = DatasetWriter::builder(root)
        .partition_by(PartitionBy::column("station_id"))
        .page_checksums(checksums)
        .build(batch.schema())
        .unwrap();
    writer.write(&batch).unwrap();
    let receipt = writer.commit().unwrap();
    let batch = weather("KJFK", ROWS);
    let options = WriterOptions::new().page_checksums(checksums);
    let mut writer =
        AtomicArrowWriter::create_with_options(root, &station("KJFK"), batch.schema(), options)
            .unwrap();
    writer.write(&batch).unwrap();
    let single = writer.commit().unwrap();
    [
        root.join(receipt.files()[0].path()),
        single.path().to_owned(),
    ]
}

/// Where the contents of pages are, each a frame of zstd: in each column chunk of the dictionary, if
/// there is one, and of one data page.
fn contents(path: &Path) -> Vec<Range<usize>> {
    let bytes = fs::read(path).unwrap();
    let file = fs::File::open(path).unwrap();
    let metadata = ArrowReaderMetadata::load(&file, Default::default()).unwrap();
    let mut contents = Vec::new();
    for chunk in metadata.metadata().row_group(0).columns() {
        let (start, length) = chunk.byte_range();
        let (start, end) = (start as usize, (start + length) as usize);
        let data = chunk.data_page_offset() as usize;
        for page in [start..data, data..end] {
            let content = bytes[page.clone()]
                .windows(4)
                .position(|part| part == [0x28, 0xb5, 0x2f, 0xfd]);
            contents.extend(content.map(|at| page.start + at..page.end));
        }
    }
    contents
}

#[test]
fn every_page_carries_a_checksum_unless_none_are_asked_for() {
    for checksums in [true, false] {
        let (_guard, parent) = directory();
        for path in write(&parent.join("weather"), checksums) {
            let report = verify_file(&path, Verify::Checksum).unwrap();
            assert!(report.is_sound());
            let pages = report.pages().unwrap();
            assert!(pages.all > 0);
            let expected = if checksums { pages.all } else { 0 };
            assert_eq!(pages.with_crc, expected, "{}", path.display());
        }
    }
}

#[test]
fn pyarrow_finds_a_flipped_bit_in_any_byte_of_a_page() {
    let peers = match peers() {
        Ok(peers) => peers,
        Err(reason) => return skip(reason),
    };
    let (_guard, parent) = directory();
    for path in write(&parent.join("weather"), true) {
        let ranges: Vec<_> = contents(&path)
            .into_iter()
            .map(|range| format!("{}-{}", range.start, range.end))
            .collect();
        let mut arguments: Vec<&dyn AsRef<std::ffi::OsStr>> = vec![&path];
        arguments.extend(ranges.iter().map(|range| range as &dyn AsRef<_>));
        let ran = peers.run("page_checksums.py", &arguments).unwrap();
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "{said}");
        let found: Value = serde_json::from_slice(&ran.stdout).unwrap();
        assert_eq!(found["rows"], ROWS);
        assert!(found["flipped"].as_u64().unwrap() > 100, "{found}");
        assert_eq!(found["passed"], Value::Array(Vec::new()), "{found}");
    }
}

#[test]
fn every_reader_reads_files_whose_pages_carry_checksums() {
    let peers = match peers() {
        Ok(peers) => peers,
        Err(reason) => return skip(reason),
    };
    let (_guard, parent) = directory();
    let root = parent.join("weather");
    write(&root, true);
    for reader in READERS {
        let ran = peers.run("scan.py", &[&reader, &root]).unwrap();
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "{said}");
        let found: Value = serde_json::from_slice(&ran.stdout).unwrap();
        assert_eq!(found["rows"], 2 * ROWS, "{reader}");
    }
}
