//! Inputs of few bytes that stand for many: they are read, and take no more memory than others.
#![cfg(target_os = "linux")]

use std::fs::File;
use std::process::Command;
use std::sync::Arc;

use arrow::array::{ArrayRef, DictionaryArray, Int32Array, RecordBatch, StringArray};
use arrow::ipc::CompressionType;
use arrow::ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;

use crate::run::{Place, Ran, binary};

/// A Parquet file of a dictionary of one text of a megabyte, which rows without end have.
fn bomb(place: &Place, name: &str, rows: usize) {
    let keys = Int32Array::from(vec![0; rows]);
    let text = StringArray::from(vec!["x".repeat(1_000_000)]);
    let column: ArrayRef = Arc::new(DictionaryArray::new(keys, Arc::new(text)));
    let batch = RecordBatch::try_from_iter([("text", column)]).unwrap();
    let options = ArrowWriterOptions::new().with_skip_arrow_metadata(true);
    let file = File::create(place.path(name)).unwrap();
    let mut writer = ArrowWriter::try_new_with_options(file, batch.schema(), options).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

/// Runs the command with so much memory, in KiB, and no more.
fn within(place: &Place, kibibytes: u64, command: &str) -> Ran {
    let mut shell = Command::new("sh");
    let script = format!("ulimit -v {kibibytes}; exec \"$1\" {command}");
    shell
        .args(["-c", &script, "sh"])
        .arg(binary().get_program());
    shell.current_dir(place.path("")).output().unwrap().into()
}

#[test]
fn a_text_that_many_rows_share_is_decoded_a_few_rows_at_a_time() {
    let place = Place::new();
    bomb(&place, "many.parquet", 5_000);
    within(&place, 700 << 10, "verify many.parquet --level decode")
        .exits(0)
        .prints("1 sound, 0 damaged; 5,000 rows");
    bomb(&place, "some.parquet", 40);
    let write = "write some.parquet --to lake --memory-limit 16MiB --threads 1 --verify decode";
    within(&place, 700 << 10, write).exits(0);
    place
        .run(["verify", "lake", "--level", "decode"])
        .exits(0)
        .prints("40 rows");
}

/// One text of `bytes` bytes in sixteen columns, of its own or as the dictionaries of some rows, as an
/// Arrow IPC file and as a stream.
fn ipc_bombs(place: &Place, name: &str, bytes: usize, in_dictionaries: bool) {
    let text: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(bytes)]));
    let column: ArrayRef = match in_dictionaries {
        true => Arc::new(DictionaryArray::new(Int32Array::from(vec![0; 3]), text)),
        false => text,
    };
    let columns = (0..16).map(|number| (format!("c{number}"), Arc::clone(&column)));
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let zstd = IpcWriteOptions::default().try_with_compression(Some(CompressionType::ZSTD));
    let zstd = zstd.unwrap();
    let create = |suffix| File::create(place.path(&format!("{name}.{suffix}"))).unwrap();
    let mut writer =
        FileWriter::try_new_with_options(create("arrow"), &batch.schema(), zstd.clone()).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    let mut writer =
        StreamWriter::try_new_with_options(create("arrows"), &batch.schema(), zstd).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
}

/// Files of some kilobytes, and less memory than they become: dictionaries are decoded one by one, as
/// long as they are allowed together.
#[test]
fn a_batch_of_arrow_ipc_that_becomes_thousands_of_times_its_bytes_takes_leave_to_be_decoded() {
    let place = Place::new();
    for (name, text, memory) in [("values", 17, 200), ("dictionaries", 28, 400)] {
        ipc_bombs(&place, name, text << 20, name == "dictionaries");
        for suffix in ["arrow", "arrows"] {
            let file = format!("{name}.{suffix}");
            within(&place, memory << 10, &format!("verify {file}"))
                .exits(1)
                .prints("at most 268435456 are allowed; write it in smaller batches");
            within(&place, memory << 10, &format!("write {file} --to lake"))
                .exits(1)
                .says("would take more memory than is allowed; --memory-limit with at least 2")
                .says("at most 268435456 are allowed");
            assert_eq!(place.files("lake"), [""; 0]);
        }
    }
    for suffix in ["arrow", "arrows"] {
        let file = format!("values.{suffix}");
        let write = ["write", &file, "--to", "lake", "--memory-limit", "300MiB"];
        place.run(write).exits(0);
    }
    place.run(["verify", "lake"]).exits(0).prints("2 rows");
    // A writer knows what it wrote: its own check does not refuse that.
    let write = ["write", "lake", "--to", "again", "--format", "ipc"];
    place.run(write).exits(0);
}

#[test]
fn more_columns_than_the_memory_limit_has_room_for_are_refused_with_what_they_need() {
    let place = Place::new();
    let column: ArrayRef = Arc::new(Int32Array::from(vec![1]));
    let columns = (0..2_000).map(|number| (format!("c{number}"), Arc::clone(&column)));
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let file = File::create(place.path("wide.arrow")).unwrap();
    let mut writer = FileWriter::try_new(file, &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    let needed = 2_000 * (24 << 10);
    let write = |limit: u64| {
        let limit = limit.to_string();
        place.run([
            "write",
            "wide.arrow",
            "--to",
            "lake",
            "--memory-limit",
            &limit,
        ])
    };
    let text =
        format!("the encoders of 2000 columns take {needed}, and so much at least is needed");
    write(needed - 1)
        .exits(2)
        .says("--memory-limit")
        .says(&text);
    assert_eq!(place.files("lake"), [""; 0]);
    write(needed).exits(0);
    place.run(["verify", "lake"]).exits(0).prints("1 row");
}
