//! Appends whose columns are not those of the files that are there: other headers of CSV, and names that differ by
//! case alone.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use atomic_arrow::arrow::array::*;
use atomic_arrow::format::{Format, TextOptions};
use atomic_arrow::{
    AtomicArrowWriter, DatasetWriter, DatasetWriterBuilder, Error, Partition, StagedWrites,
    WriterOptions,
};
use parquet::basic::{Compression, GzipLevel, ZstdLevel};

use crate::ground::{directory, tree};

/// One row of these columns.
fn row(names: &[&str]) -> RecordBatch {
    let column = || -> ArrayRef { Arc::new(Int64Array::from(vec![1])) };
    let columns = names.iter().map(|name| (*name, column(), true));
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn write(builder: DatasetWriterBuilder, names: &[&str]) -> Result<(), Error> {
    let rows = row(names);
    let mut writer = builder.build(rows.schema())?;
    writer.write(&rows)?;
    writer.commit().map(drop)
}

#[track_caller]
fn refused<T: std::fmt::Debug>(outcome: Result<T, Error>) -> String {
    match outcome {
        Err(error @ Error::Incompatible { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

const FORMATS: [Format; 4] = [Format::Parquet, Format::Ipc, Format::Csv, Format::Ndjson];

#[test]
fn a_name_that_differs_by_case_alone_from_one_that_is_there_is_refused_in_every_format() {
    for format in FORMATS {
        let (_guard, root) = directory();
        let builder = || DatasetWriter::builder(&root).format(format);
        write(builder(), &["id", "v"]).unwrap();
        let before = tree(&root);
        let message = refused(write(builder(), &["ID", "v"]));
        assert!(message.contains("\"ID\""), "{message}");
        assert!(message.contains("\"id\""), "{message}");
        assert_eq!(tree(&root), before);
        write(builder(), &["id", "v"]).unwrap();
        if format != Format::Csv {
            write(builder().case_sensitive_names(true), &["ID", "v"]).unwrap();
        }
        write(builder().schema_check(false), &["Id", "v"]).unwrap();
    }
}

#[test]
fn parts_of_one_commit_are_held_to_it_too() {
    for format in FORMATS {
        let (_guard, root) = directory();
        let staged = [["id", "v"], ["id", "V"]].map(|names| {
            let rows = row(&names);
            let mut writer = DatasetWriter::builder(&root)
                .format(format)
                .build(rows.schema())
                .unwrap();
            writer.write(&rows).unwrap();
            writer.stage().unwrap()
        });
        let parts = StagedWrites::new(staged);
        let message = refused(parts.commit());
        assert!(message.contains("\"V\""), "{message}");
        let allowed = parts.case_sensitive_names(true);
        match format {
            // Of which the header has to be the same.
            Format::Csv => drop(allowed.schema_check(false).commit().unwrap()),
            _ => drop(allowed.commit().unwrap()),
        }
    }
}

#[test]
fn a_file_by_itself_is_held_to_it_too() {
    let (_guard, root) = directory();
    write(DatasetWriter::builder(&root), &["id"]).unwrap();
    let create = |options| {
        let schema = row(&["ID"]).schema();
        AtomicArrowWriter::create_with_options(&root, &Partition::none(), schema, options)
    };
    refused(create(WriterOptions::new()));
    drop(create(WriterOptions::new().case_sensitive_names(true)).unwrap());
}

#[test]
fn another_header_of_csv_is_refused_also_where_it_is_compressed() {
    let zstd = Compression::ZSTD(ZstdLevel::default());
    let gzip = Compression::GZIP(GzipLevel::default());
    for compression in [Compression::UNCOMPRESSED, zstd, gzip] {
        let (_guard, root) = directory();
        let builder = || {
            let text = TextOptions::default().compression(compression);
            DatasetWriter::builder(&root).format(Format::Csv).text(text)
        };
        write(builder(), &["a \"quoted\", name", "b"]).unwrap();
        write(builder(), &["a \"quoted\", name", "b"]).unwrap();
        for (names, says) in [
            (
                &["b", "a \"quoted\", name"][..],
                "column 1 of the header is \"b\"",
            ),
            (&["a \"quoted\", name"], "column 2 of the header is missing"),
            (
                &["a \"quoted\", name", "b", "c"],
                "column 3 of the header is \"c\" in this write, but missing",
            ),
        ] {
            let message = refused(write(builder(), names));
            assert!(message.contains(says), "{message}");
        }
    }
}

#[test]
fn heads_that_say_nothing_are_passed_over() {
    let put = |root: &Path, name: &str, text: &[u8]| {
        fs::create_dir_all(root).unwrap();
        fs::write(root.join(name), text).unwrap();
    };
    for (format, name, text) in [
        (Format::Csv, "z.csv", &b""[..]),
        (Format::Csv, "z.csv", b"\n\n"),
        (Format::Csv, "z.csv", b"a\xff,b\n"),
        (Format::Csv, "z.csv.gz", b"no gzip, and no text \xff"),
        (Format::Ndjson, "z.ndjson", b""),
        (Format::Ndjson, "z.ndjson", b"{\"ID\""),
        (Format::Ndjson, "z.ndjson", b"[1]\n"),
        (Format::Ndjson, "z.ndjson", b"\n\n{\"v\":1}\n"),
    ] {
        let (_guard, root) = directory();
        put(&root, name, text);
        write(DatasetWriter::builder(&root).format(format), &["id", "v"]).unwrap();
    }
    // A header as others write it is one.
    let (_guard, root) = directory();
    put(&root, "z.tsv", b"\xef\xbb\xbf\"id\"\tv\r\n1\t2\r\n");
    let csv = DatasetWriter::builder(&root).format(Format::Csv);
    write(csv, &["id", "v"]).unwrap();
}
