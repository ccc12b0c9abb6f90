//! One write to an object store, or of what it is compared with, in a process of its own:
//! `WRITER INPUT DESTINATION [KEY…]`, and options.
//!
//! - `atomic` is [`DatasetWriter`] as it is by default, from an Arrow IPC file that is in memory before the clock starts;
//!   `local` is the same, at a path.
//! - `file` is [`AtomicFile`], which stages and verifies the bytes of `--bytes FILE` and puts them as one object.
//! - `upload` puts the same bytes with `object_store` alone, in as large parts, and as many of them at a time.
//!
//! The environment says how the store is reached. One line of JSON says what the write took.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::panic)]

#[path = "../common/process.rs"]
mod process;

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use atomic_arrow::arrow::array::RecordBatch;
use atomic_arrow::object_store::aws::AmazonS3Builder;
use atomic_arrow::object_store::path::Path as Key;
use atomic_arrow::object_store::{ObjectStoreExt as _, WriteMultipart};
use atomic_arrow::{AtomicFile, DatasetWriter, FileOptions, Format, PartitionBy, PublishMode};

/// What ours has by default.
const PART_SIZE: usize = 8 << 20;
const PARALLEL_REQUESTS: usize = 16;
/// The name of a file that is written by itself.
const NAME: &str = "part-0.parquet";

struct Arguments {
    writer: String,
    input: PathBuf,
    to: String,
    keys: Vec<String>,
    rows: usize,
    bytes: Option<PathBuf>,
}

impl Arguments {
    fn parse() -> Option<Arguments> {
        let mut plain = Vec::new();
        let (mut rows, mut bytes) = (usize::MAX, None);
        let mut given = std::env::args().skip(1);
        while let Some(argument) = given.next() {
            match argument.as_str() {
                "--rows" => rows = given.next()?.parse().ok()?,
                "--bytes" => bytes = Some(given.next()?.into()),
                _ => plain.push(argument),
            }
        }
        let mut plain = plain.into_iter();
        Some(Arguments {
            writer: plain.next()?,
            input: plain.next()?.into(),
            to: plain.next()?,
            keys: plain.collect(),
            rows,
            bytes,
        })
    }
}

fn main() {
    let Some(arguments) = Arguments::parse() else {
        println!(
            "usage: atomic|local|file|upload INPUT DESTINATION [KEY…] [--rows N] [--bytes FILE]"
        );
        return;
    };
    let taken = match (arguments.writer.as_str(), &arguments.bytes) {
        ("atomic" | "local", _) => {
            let batches = process::read(&arguments.input, arguments.rows);
            process::taken(|| write(&arguments, &batches))
        }
        ("file", Some(bytes)) => process::taken(|| put(bytes, &arguments.to)),
        ("upload", Some(bytes)) => process::taken(|| upload(bytes, &arguments.to)),
        (other, _) => panic!("there is no writer {other:?}, or its bytes are not given"),
    };
    println!("{{{taken}}}");
}

/// Writes batches as one commit.
fn write(arguments: &Arguments, batches: &[RecordBatch]) {
    let keys = arguments.keys.iter();
    let by = keys.fold(PartitionBy::none(), |by, key| by.then_column(key));
    let mut writer = DatasetWriter::builder(&arguments.to)
        .partition_by(by)
        .properties(process::properties())
        .build(batches[0].schema())
        .unwrap();
    for batch in batches {
        writer.write(batch).unwrap();
    }
    writer.commit().unwrap();
}

/// Puts a file that is staged and verified first.
fn put(bytes: &Path, to: &str) {
    let options = FileOptions::new()
        .format(Format::Parquet)
        .mode(PublishMode::Replace);
    let mut file = AtomicFile::create_with_options(format!("{to}/{NAME}"), options).unwrap();
    each_part(bytes, |part| file.write_all(&part).unwrap());
    file.commit().unwrap();
}

/// Uploads a file in parts.
fn upload(bytes: &Path, to: &str) {
    let (bucket, prefix) = to
        .strip_prefix("s3://")
        .and_then(|to| to.split_once('/'))
        .unwrap();
    let builder = AmazonS3Builder::from_env().with_bucket_name(bucket);
    let store = builder.build().unwrap();
    let key = Key::from(format!("{prefix}/{NAME}"));
    // As many threads as ours has.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let upload = runtime.block_on(store.put_multipart(&key)).unwrap();
    let mut upload = WriteMultipart::new_with_chunk_size(upload, PART_SIZE);
    each_part(bytes, |part| {
        // The tasks of an upload are spawned where its runtime is known.
        runtime.block_on(async {
            upload.wait_for_capacity(PARALLEL_REQUESTS).await.unwrap();
            upload.put(part.into());
        });
    });
    runtime.block_on(upload.finish()).unwrap();
}

/// Reads a file part by part.
fn each_part(path: &Path, mut take: impl FnMut(Vec<u8>)) {
    let mut file = File::open(path).unwrap();
    loop {
        let mut part = Vec::with_capacity(PART_SIZE);
        let mut limited = (&mut file).take(PART_SIZE as u64);
        limited.read_to_end(&mut part).unwrap();
        if part.is_empty() {
            return;
        }
        take(part);
    }
}
