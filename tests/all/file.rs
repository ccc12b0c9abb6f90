//! [`AtomicFile`]: any bytes, whole or absent.
//!
//! Promises P1, P3 and P8 on the operating system's disk.

use std::fs;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::sync::Arc;

use atomic_arrow::arrow::array::{ArrayRef, Int64Array, RecordBatch};
use atomic_arrow::arrow::datatypes::{DataType, Field, Schema};
use atomic_arrow::format::Format;
use atomic_arrow::parquet::arrow::ArrowWriter;
use atomic_arrow::{
    AtomicArrowWriter, AtomicFile, Durability, Error, FileOptions, PublishMode, PublishedFile,
    StagedFile, Verify,
};

use crate::ground::{directory, tree};

const _: () = {
    const fn send<T: Send>() {}
    send::<AtomicFile>();
    send::<AtomicArrowWriter>();
    send::<StagedFile>();
    send::<StagedFile<()>>();
    send::<PublishedFile>();
    send::<PublishedFile<()>>();
};

fn put(path: &Path, content: &[u8], options: FileOptions) -> Result<PublishedFile<()>, Error> {
    let mut file = AtomicFile::create_with_options(path, options)?;
    file.write_all(content).unwrap();
    file.commit()
}

#[test]
fn a_file_is_there_as_a_whole_once_it_is_committed_and_not_before() {
    let (_guard, root) = directory();
    let path = root.join("data.json");
    let mut file = AtomicFile::create(&path).unwrap();
    assert_eq!((file.path(), file.bytes_written()), (&*path, 0));
    file.write_all(b"{\"temp\":").unwrap();
    file.flush().unwrap();
    file.write_all(b"11.5}").unwrap();
    assert_eq!(file.bytes_written(), 13);
    assert!(!path.exists());
    let staged = file.finish().unwrap();
    assert_eq!((staged.path(), staged.bytes()), (&*path, 13));
    assert_eq!(fs::read(staged.staging_path()).unwrap(), b"{\"temp\":11.5}");
    assert!(!path.exists());
    let published = staged.publish().unwrap();
    assert_eq!((published.path(), published.bytes()), (&*path, 13));
    assert_eq!(published.content_hash(), None);
    assert_eq!(fs::read(&path).unwrap(), b"{\"temp\":11.5}");
}

#[test]
fn every_level_of_verification_goes_with_every_durability_and_any_content() {
    let (_guard, root) = directory();
    let levels = [
        Verify::Skip,
        Verify::Footer,
        Verify::Checksum,
        Verify::Decode,
    ];
    let mut checksums = Vec::new();
    for level in levels {
        for durability in [Durability::Synced, Durability::Unsynced] {
            for (size, content) in [vec![], vec![7], vec![0xa5; 3 << 20]]
                .into_iter()
                .enumerate()
            {
                let path = root.join(format!("{level:?}-{durability:?}-{size}"));
                let options = FileOptions::new().verify(level).durability(durability);
                let file = put(&path, &content, options).unwrap();
                assert_eq!(fs::read(&path).unwrap(), content);
                assert_eq!(file.content_hash().is_some(), level >= Verify::Checksum);
                checksums.extend(file.content_hash());
            }
        }
    }
    checksums.sort_unstable();
    checksums.dedup();
    assert_eq!(checksums.len(), 3, "the same content has the same checksum");
}

#[test]
fn many_small_writes_go_through_a_buffer_and_come_out_as_one_file() {
    let (_guard, root) = directory();
    let mut lines = BufWriter::new(AtomicFile::create(root.join("data.ndjson")).unwrap());
    for number in 0..10_000 {
        writeln!(lines, "{{\"n\":{number}}}").unwrap();
    }
    let file = lines.into_inner().unwrap();
    let bytes = file.bytes_written();
    file.commit().unwrap();
    let text = fs::read_to_string(root.join("data.ndjson")).unwrap();
    assert_eq!((text.len() as u64, text.lines().count()), (bytes, 10_000));
}

#[test]
fn a_buffer_that_is_dropped_publishes_nothing() {
    let (_guard, root) = directory();
    let mut buffer = BufWriter::new(AtomicFile::create(root.join("data.json")).unwrap());
    buffer.write_all(b"{").unwrap();
    drop(buffer);
    assert_eq!(tree(&root), Vec::<String>::new());
}

#[test]
fn what_is_not_of_the_format_asked_for_is_never_published() {
    let (_guard, root) = directory();
    let cases: [(Format, &[u8], bool); 7] = [
        (Format::Json, b"{\"a\": [1, null]}", true),
        (Format::Json, b"{\"a\": [1, null]", false),
        (Format::Json, b"", false),
        (Format::Ndjson, b"{\"a\": 1}\n{\"a\": 2}\n", true),
        (Format::Ndjson, b"{\"a\": 1}\n{\"a\": 2", false),
        (Format::Parquet, b"PAR1 and no more", false),
        (Format::Ipc, b"ARROW1\0\0", false),
    ];
    for level in [Verify::Footer, Verify::Checksum, Verify::Decode] {
        for (format, content, good) in cases {
            let path = root.join("data");
            let result = put(
                &path,
                content,
                FileOptions::new().format(format).verify(level),
            );
            match &result {
                Ok(_) => assert!(good, "{format}: {content:?}"),
                Err(error) => {
                    assert!(!good && matches!(error, Error::Damaged { .. }), "{error:?}");
                }
            }
            assert_eq!(path.exists(), good);
            assert_eq!(tree(&root).len(), usize::from(good));
            let _ = fs::remove_file(path);
        }
    }
}

#[test]
fn a_taken_name_is_refused_unless_replacing_is_asked_for() {
    let (_guard, root) = directory();
    let path = root.join("data.json");
    put(&path, b"old", FileOptions::new()).unwrap();
    let again = put(&path, b"new", FileOptions::new());
    assert!(
        matches!(again, Err(Error::AlreadyExists { .. })),
        "{again:?}"
    );
    assert_eq!(fs::read(&path).unwrap(), b"old");
    // Somebody who has it open keeps the old one.
    let mut open = fs::File::open(&path).unwrap();
    put(&path, b"new", FileOptions::new().mode(PublishMode::Replace)).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
    let mut old = String::new();
    std::io::Read::read_to_string(&mut open, &mut old).unwrap();
    assert_eq!(old, "old");
}

#[test]
fn a_directory_is_never_replaced() {
    let (_guard, root) = directory();
    fs::create_dir(root.join("data")).unwrap();
    for mode in [PublishMode::CreateNew, PublishMode::Replace] {
        let options = FileOptions::new().mode(mode);
        let result = AtomicFile::create_with_options(root.join("data"), options);
        assert!(
            matches!(result, Err(Error::InvalidPath { .. })),
            "{result:?}"
        );
    }
    assert_eq!(tree(&root), ["data/"]);
}

#[cfg(unix)]
#[test]
fn what_is_no_regular_file_is_never_replaced() {
    use rustix::fs::{CWD, FileType, mknodat};
    use std::os::unix::fs::symlink;

    let (_guard, root) = directory();
    let path = root.join("data");
    let plant: [&dyn Fn(); 3] = [
        &|| mknodat(CWD, &path, FileType::Fifo, 0o600.into(), 0).unwrap(),
        &|| symlink("nowhere", &path).unwrap(),
        &|| {
            fs::write(root.join("target"), "old").unwrap();
            symlink("target", &path).unwrap();
        },
    ];
    let replacing = || FileOptions::new().mode(PublishMode::Replace);
    for plant in plant {
        plant();
        let early = put(&path, b"new", replacing());
        fs::remove_file(&path).unwrap();
        // Planted while it is written.
        fs::write(&path, "old").unwrap();
        let mut file = AtomicFile::create_with_options(&path, replacing()).unwrap();
        file.write_all(b"new").unwrap();
        fs::remove_file(&path).unwrap();
        plant();
        for result in [early, file.commit()] {
            assert!(
                matches!(&result, Err(Error::InvalidPath { path: about, .. }) if *about == path),
                "{result:?}"
            );
        }
        fs::remove_file(&path).unwrap();
    }
    assert_eq!(fs::read(root.join("target")).unwrap(), b"old");
    assert_eq!(tree(&root), ["target"]);
}

#[test]
fn a_name_may_have_255_bytes_and_no_more() {
    let (_guard, root) = directory();
    put(&root.join("n".repeat(255)), b"", FileOptions::new()).unwrap();
    let longer = put(&root.join("n".repeat(256)), b"", FileOptions::new());
    assert!(
        matches!(longer, Err(Error::InvalidPath { .. })),
        "{longer:?}"
    );
    assert_eq!(tree(&root), ["n".repeat(255)]);
}

#[test]
fn paths_are_resolved_as_the_system_would() {
    let (_guard, root) = directory();
    fs::create_dir_all(root.join("real/inner")).unwrap();
    std::os::unix::fs::symlink(root.join("real/inner"), root.join("link")).unwrap();
    // `..` of a link is the directory above the one it leads to.
    let cases = [
        ("./a", "a"),
        ("real/../b", "b"),
        ("link/c", "real/inner/c"),
        ("link/../d", "real/d"),
        ("link/new/e", "real/inner/new/e"),
    ];
    for (given, real) in cases {
        let file = put(&root.join(given), b"x", FileOptions::new()).unwrap();
        assert_eq!(file.path(), root.join(real), "{given}");
        assert!(root.join(real).is_file());
    }
}

#[test]
fn a_file_can_be_written_by_one_thread_and_committed_by_another() {
    let (_guard, root) = directory();
    let path = root.join("data.json");
    let mut file = AtomicFile::create(&path).unwrap();
    let file = std::thread::spawn(move || {
        file.write_all(b"{}").unwrap();
        file
    });
    file.join().unwrap().commit().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"{}");
}

/// The bytes of a sound Parquet file without checksums, and where its first page begins.
fn parquet() -> (Vec<u8>, usize) {
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..1_000));
    let batch = RecordBatch::try_from_iter([("n", numbers)]).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    let bytes = writer.into_inner().unwrap();
    (bytes, 4)
}

/// Parquet is checked as closely as `verify` says, and what has nothing to tell less is read as a whole.
#[test]
fn the_level_of_a_format_that_is_asked_for_is_that_of_verify() {
    let (_guard, root) = directory();
    let path = root.join("data.parquet");
    let (sound, page) = parquet();
    let mut torn_page = sound.clone();
    torn_page[page..page + 40].fill(0xff);
    let mut torn_footer = sound.clone();
    let end = torn_footer.len();
    torn_footer[end - 40..end - 8].fill(0xff);
    let options = |level| {
        let options = FileOptions::new().format(Format::Parquet);
        options.verify(level).mode(PublishMode::Replace)
    };
    for level in [Verify::Footer, Verify::Checksum, Verify::Decode] {
        put(&path, &sound, options(level)).unwrap();
        let refused = put(&path, &torn_footer, options(level));
        assert!(matches!(refused, Err(Error::Damaged { .. })), "{level}");
        let torn = put(&path, &torn_page, options(level));
        match level {
            Verify::Footer => drop(torn.unwrap()),
            _ => assert!(matches!(torn, Err(Error::Damaged { .. })), "{level}"),
        }
    }
    let json = FileOptions::new().format(Format::Json);
    let refused = put(&root.join("data.json"), b"{\"a\": 1", json.clone());
    assert!(matches!(refused, Err(Error::Damaged { .. })));
    for options in [json.verify(Verify::Skip), options(Verify::Skip)] {
        match AtomicFile::create_with_options(root.join("unchecked"), options) {
            Err(Error::InvalidOption { option, .. }) => assert_eq!(option, "verify"),
            other => panic!("{other:?}"),
        }
    }
    assert!(!root.join("unchecked").exists() && !root.join("data.json").exists());
}

/// Whether parquet-rs writes the file or this crate does, it stands in one place until it is published.
#[test]
fn a_file_of_rows_is_staged_where_a_file_of_bytes_is() {
    let (_guard, root) = directory();
    for path in ["prices.parquet", "lake/key=a/prices.parquet"] {
        let path = root.join(path);
        let file = AtomicFile::create(&path).unwrap();
        let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)]));
        let written = ArrowWriter::try_new(file, Arc::clone(&schema), None).unwrap();
        let bytes = written.into_inner().unwrap().finish().unwrap();
        let rows = AtomicArrowWriter::at(&path, schema)
            .unwrap()
            .finish()
            .unwrap();
        assert_eq!(bytes.staging_path().parent(), rows.staging_path().parent());
    }
}
