//! What is checked under a directory, and what a report says.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, RecordBatch};
use parquet::arrow::ArrowWriter;

use super::*;

fn parquet_bytes() -> Vec<u8> {
    let column: ArrayRef = Arc::new(Int32Array::from(vec![1, 2, 3]));
    let batch = RecordBatch::try_from_iter([("n", column)]).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

/// A directory with these files.
fn directory(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = root.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    root
}

fn checked(root: &Path) -> (Vec<PathBuf>, Summary) {
    let mut paths = Vec::new();
    let summary = verify_path(root, Verify::Decode, |report| {
        paths.push(report.path().strip_prefix(root).unwrap().to_owned());
    });
    (paths, summary.unwrap())
}

#[test]
fn every_data_file_of_a_data_set_is_checked_in_order() {
    let good = parquet_bytes();
    let root = directory(&[
        ("year=2024/b.parquet", &good),
        ("year=2024/a.parquet", &good[..50]),
        ("year=2023/c.PARQUET", &good),
        ("_year=2022/d.parquet", &good),
        (".hidden/e.parquet", b"no"),
        ("_temporary/f.parquet", b"no"),
        ("year=2024/_metadata.parquet", b"no"),
        ("year=2024/.g.parquet", b"no"),
        ("year=2024/readme.txt", b"no"),
        ("_SUCCESS", b""),
    ]);
    let (paths, summary) = checked(root.path());
    let expected = [
        "_year=2022/d.parquet",
        "year=2023/c.PARQUET",
        "year=2024/a.parquet",
        "year=2024/b.parquet",
    ];
    assert_eq!(paths, expected.map(PathBuf::from));
    let bytes = 3 * good.len() as u64 + 50;
    assert_eq!(
        summary,
        Summary {
            files: 4,
            damaged: 1,
            not_checkable: 0,
            rows: 9,
            bytes
        }
    );
}

#[test]
fn a_report_says_what_was_found() {
    let good = parquet_bytes();
    let root = directory(&[("good.parquet", &good), ("bad.parquet", b"PAR1 no PAR1")]);
    let report = verify_file(root.path().join("good.parquet"), Verify::Decode).unwrap();
    assert!(report.is_sound());
    assert_eq!(
        (report.format(), report.level()),
        (Format::Parquet, Verify::Decode)
    );
    assert_eq!((report.rows(), report.row_groups()), (Some(3), Some(1)));
    assert_eq!(report.bytes(), good.len() as u64);
    assert_eq!(report.pages().map(|pages| pages.with_crc), Some(0));
    let report = verify_file(root.path().join("bad.parquet"), Verify::Footer).unwrap();
    assert_eq!(
        (report.rows(), report.row_groups(), report.pages()),
        (None, None, None)
    );
    let text = report.damage().unwrap().to_string();
    assert!(
        text.starts_with("the footer's declared length is"),
        "{text}"
    );
    let report = verify_file(root.path().join("bad.parquet"), Verify::Skip).unwrap();
    assert!(report.is_sound(), "nothing was checked");
}

#[test]
fn a_file_of_no_known_suffix_is_checked_as_parquet() {
    let root = directory(&[("noname", &parquet_bytes())]);
    let report = verify_file(root.path().join("noname"), Verify::Footer).unwrap();
    assert_eq!((report.format(), report.rows()), (Format::Parquet, Some(3)));
    let summary = verify_path(root.path().join("noname"), Verify::Footer, |_| {}).unwrap();
    assert_eq!(summary.files, 1);
}

#[test]
fn what_is_not_there_is_an_error_and_no_damage() {
    let root = tempfile::tempdir().unwrap();
    let missing = root.path().join("missing.parquet");
    for error in [
        verify_file(&missing, Verify::Footer).unwrap_err(),
        verify_path(&missing, Verify::Footer, |_| {}).unwrap_err(),
    ] {
        assert!(
            matches!(error, Error::Read { ref path, .. } if *path == missing),
            "{error:?}"
        );
    }
}

#[cfg(unix)]
#[test]
fn links_and_special_files_are_reported_and_not_opened() {
    use rustix::fs::{CWD, FileType, mknodat};
    use std::os::unix::fs::symlink;

    let good = parquet_bytes();
    let root = directory(&[("a/x.parquet", &good)]);
    let elsewhere = directory(&[("y.parquet", &good)]);
    symlink(root.path(), root.path().join("a/loop")).unwrap();
    symlink(elsewhere.path(), root.path().join("b")).unwrap();
    symlink(
        elsewhere.path().join("y.parquet"),
        root.path().join("z.parquet"),
    )
    .unwrap();
    symlink("nowhere", root.path().join("dangling")).unwrap();
    for name in ["a/pipe.parquet", "a/pipe"] {
        let pipe = root.path().join(name);
        mknodat(CWD, &pipe, FileType::Fifo, 0o600.into(), 0).unwrap();
    }
    let mut found = Vec::new();
    let summary = verify_path(root.path(), Verify::Decode, |report| {
        let path = report.path().strip_prefix(root.path()).unwrap();
        let damage = report.damage().map(ToString::to_string);
        found.push((path.display().to_string(), damage.unwrap_or_default()));
    })
    .unwrap();
    let link = "file: cannot be checked: it is a symbolic link, which is not followed";
    let pipe = "file: cannot be checked: it is a pipe, device or socket, which is not opened";
    let expected = [
        ("a/loop", link),
        ("a/pipe.parquet", pipe),
        ("a/x.parquet", ""),
        ("b", link),
        ("dangling", link),
        ("z.parquet", link),
    ];
    assert_eq!(
        found,
        expected.map(|(path, damage)| (path.to_owned(), damage.to_owned()))
    );
    assert_eq!(
        (summary.files, summary.damaged, summary.not_checkable),
        (6, 0, 5)
    );
    let mut opened = 0;
    each_file(root.path(), |_| {
        opened += 1;
        Ok(())
    })
    .unwrap();
    assert_eq!(opened, 1);
    // What the caller names is the caller's own.
    let link = elsewhere.path().join("link");
    symlink(root.path().join("a"), &link).unwrap();
    assert_eq!(checked(&link).0.len(), 3);
    let pipe = root.path().join("a/pipe.parquet");
    let error = verify_path(&pipe, Verify::Footer, |_| {}).unwrap_err();
    assert!(matches!(error, Error::Read { .. }), "{error}");
}

/// A text, compressed as a file of this name is.
#[cfg(any(feature = "csv", feature = "json"))]
fn compressed(name: &str, text: &[u8]) -> Vec<u8> {
    if name.ends_with(".zst") {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
        encoder.include_checksum(true).unwrap();
        encoder.write_all(text).unwrap();
        return encoder.finish().unwrap();
    }
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

#[cfg(all(feature = "csv", feature = "json", feature = "codecs"))]
#[test]
fn a_compressed_text_that_is_cut_anywhere_is_damaged() {
    let csv = b"id,name\n1,one\n2,two\n".repeat(20);
    let tsv = b"id\tname\n1\tone, two\n".repeat(20);
    let ndjson = b"{\"id\": 1, \"name\": \"one\"}\n".repeat(20);
    let json = [&b"[1"[..], &b", 2".repeat(20), b"]\n"].concat();
    let texts = [
        ("csv", csv),
        ("tsv", tsv),
        ("ndjson", ndjson),
        ("jsonl", Vec::new()),
        ("json", json),
    ];
    for (suffix, text) in texts {
        for how in ["gz", "zst"] {
            let name = format!("x.{suffix}.{how}");
            let whole = compressed(&name, &text);
            for level in [Verify::Footer, Verify::Checksum, Verify::Decode] {
                for end in 0..=whole.len() {
                    let root = directory(&[(&name, &whole[..end])]);
                    let report = verify_file(root.path().join(&name), level).unwrap();
                    let is_whole = end == whole.len();
                    assert_eq!(
                        report.is_sound(),
                        is_whole,
                        "{name} cut to {end}: {report:?}"
                    );
                }
            }
            // Members follow each other as the lines in them do.
            if suffix != "json" {
                let twice = [&*whole, &*whole].concat();
                let root = directory(&[(&name, &twice)]);
                assert!(
                    verify_file(root.path().join(&name), Verify::Footer)
                        .unwrap()
                        .is_sound()
                );
            }
        }
    }
}

#[cfg(all(feature = "csv", feature = "codecs"))]
#[test]
fn a_text_that_is_not_compressed_as_its_name_says_is_damaged() {
    let text = b"id,name\n1,one\n2,two\n3,three\n";
    let (gzip, zstd) = (compressed("x.gz", text), compressed("x.zst", text));
    let skippable = [b"\x50\x2a\x4d\x18\x04\x00\x00\x00size", &*zstd].concat();
    let root = directory(&[
        ("gzip.csv.gz", &gzip),
        ("gzip.csv.zst", &gzip),
        ("plain.csv.gz", text),
        ("plain.csv.zst", text),
        ("skipped.csv.zst", &skippable),
        ("zstd.csv.GZ", &zstd),
        ("zstd.csv.zst", &zstd),
    ]);
    let mut damaged = Vec::new();
    verify_path(root.path(), Verify::Footer, |report| {
        let name = report
            .path()
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        damaged.extend(report.damage().map(|damage| (name, damage.to_string())));
    })
    .unwrap();
    let gzip = r#"byte 0: expected "\x1f\x8b", found"#;
    let zstd = r#"byte 0: expected "(\xb5/\xfd", found"#;
    let expected = [
        ("gzip.csv.zst", zstd),
        ("plain.csv.gz", gzip),
        ("plain.csv.zst", zstd),
        ("zstd.csv.GZ", gzip),
    ];
    assert_eq!(damaged.len(), expected.len(), "{damaged:?}");
    for ((name, damage), (expected, start)) in damaged.iter().zip(expected) {
        assert!(
            name == expected && damage.starts_with(start),
            "{name}: {damage}"
        );
    }
}

#[cfg(feature = "csv")]
#[test]
fn fields_of_a_file_named_tsv_are_separated_by_tabs() {
    let tabs = b"id\tname\n1\tone, or two\n";
    let root = directory(&[
        ("a.tsv", tabs),
        ("b.TSV", b"id\tname\n1\n"),
        ("c.csv", tabs),
    ]);
    let mut sound = Vec::new();
    verify_path(root.path(), Verify::Footer, |report| {
        sound.push(report.is_sound())
    })
    .unwrap();
    assert_eq!(sound, [true, false, false]);
}

#[test]
fn formats_are_known_by_suffix_and_by_name() {
    let mut names = BTreeSet::new();
    for format in Format::ALL {
        assert!(names.insert(format.to_string()));
        assert_eq!(format.to_string().parse(), Ok(*format));
        for suffix in format.suffixes() {
            assert_eq!(Format::from_path(format!("a.b.{suffix}")), Some(*format));
        }
    }
    assert_eq!(Format::from_path("parquet"), None);
    let error = "xlsx".parse::<Format>().unwrap_err().to_string();
    assert!(
        error.starts_with("unknown format \"xlsx\"; known are parquet"),
        "{error}"
    );
}

#[test]
fn damage_is_small_enough_to_be_returned_by_value() {
    assert!(size_of::<Damage>() <= 96, "{}", size_of::<Damage>());
}
