//! What a check finds in sound and damaged Arrow IPC.

use std::sync::Arc;

use arrow::array::*;
use arrow::ipc::CompressionType;
use arrow::ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};

use super::*;
use crate::format::memory::MemoryFile;

fn batch() -> RecordBatch {
    let names: DictionaryArray<arrow::datatypes::Int8Type> =
        [Some("a"), None, Some("b"), Some("a")]
            .into_iter()
            .collect();
    let text = StringArray::from_iter_values(["one", "two", "three", "four".repeat(50).as_str()]);
    let columns: [(&str, ArrayRef); 2] = [("name", Arc::new(names)), ("text", Arc::new(text))];
    RecordBatch::try_from_iter(columns).unwrap()
}

fn options(compression: Option<CompressionType>) -> IpcWriteOptions {
    IpcWriteOptions::default()
        .try_with_compression(compression)
        .unwrap()
}

fn file(compression: Option<CompressionType>) -> Vec<u8> {
    let options = options(compression);
    let mut writer =
        FileWriter::try_new_with_options(Vec::new(), &batch().schema(), options).unwrap();
    for _ in 0..3 {
        writer.write(&batch()).unwrap();
    }
    writer.into_inner().unwrap()
}

fn stream(compression: Option<CompressionType>) -> Vec<u8> {
    let options = options(compression);
    let mut writer =
        StreamWriter::try_new_with_options(Vec::new(), &batch().schema(), options).unwrap();
    for _ in 0..3 {
        writer.write(&batch()).unwrap();
    }
    writer.into_inner().unwrap()
}

type Check = fn(Arc<dyn DiskFile>) -> Result<Contents, Fault>;

fn damage_of(check: Check, bytes: &[u8]) -> Option<Damage> {
    match check(MemoryFile::open(bytes)) {
        Ok(_) => None,
        Err(Fault::Damage(damage)) => Some(damage),
        Err(Fault::Io(error)) => panic!("{error}"),
    }
}

#[test]
fn sound_files_and_streams_pass_and_are_counted() {
    for compression in [
        None,
        Some(CompressionType::ZSTD),
        Some(CompressionType::LZ4_FRAME),
    ] {
        let checks: [(Check, Vec<u8>); 2] = [
            (check_file, file(compression)),
            (check_stream, stream(compression)),
        ];
        for (check, bytes) in checks {
            let contents = check(MemoryFile::open(bytes)).unwrap();
            assert_eq!((contents.rows, contents.row_groups), (Some(12), Some(3)));
        }
    }
}

#[test]
fn every_truncation_is_damage_even_between_two_batches() {
    for (check, bytes) in [
        (check_file as Check, file(None)),
        (check_stream, stream(None)),
    ] {
        for len in 0..bytes.len() {
            assert!(
                damage_of(check, &bytes[..len]).is_some(),
                "{len} of {} pass",
                bytes.len()
            );
        }
    }
    let bytes = stream(None);
    let without_marker = &bytes[..bytes.len() - 8];
    let text = damage_of(check_stream, without_marker).unwrap().to_string();
    let end = without_marker.len();
    assert_eq!(
        text,
        format!("byte {end}: the file ends without the end marker of the stream")
    );
}

#[test]
fn bytes_after_the_end_of_a_stream_are_damage() {
    let bytes = [stream(None), stream(None)].concat();
    assert!(matches!(
        damage_of(check_stream, &bytes),
        Some(Damage::Trailing { .. })
    ));
}

#[test]
fn one_format_is_not_taken_for_the_other() {
    assert!(matches!(
        damage_of(check_file, &stream(None)),
        Some(Damage::Magic { offset: 0, .. })
    ));
    assert!(damage_of(check_stream, &file(None)).is_some());
}

#[test]
fn a_disk_that_does_not_read_is_no_damage() {
    for (check, bytes) in [
        (check_file as Check, file(None)),
        (check_stream, stream(None)),
    ] {
        for from in [2, 300, bytes.len() as u64 - 20] {
            let outcome = check(MemoryFile::refusing_from(bytes.as_slice(), from));
            assert!(matches!(outcome, Err(Fault::Io(_))), "{from}: {outcome:?}");
        }
    }
}

#[test]
fn no_flipped_bit_makes_a_check_panic() {
    let zstd = Some(CompressionType::ZSTD);
    let all = [
        (check_file as Check, file(None)),
        (check_file, file(zstd)),
        (check_stream, stream(None)),
        (check_stream, stream(zstd)),
    ];
    for (check, bytes) in all {
        let mut flipped = bytes.clone();
        for position in 0..bytes.len() {
            for bit in 0..8 {
                flipped[position] ^= 1 << bit;
                let _ = damage_of(check, &flipped);
                flipped[position] ^= 1 << bit;
            }
        }
    }
}

#[test]
fn a_buffer_that_would_not_fit_into_memory_is_refused_before_it_is_made() {
    let bytes = stream(Some(CompressionType::ZSTD));
    // A zstd frame begins with this, after the eight bytes of its uncompressed length.
    let frame = bytes
        .windows(4)
        .position(|part| part == [0x28, 0xb5, 0x2f, 0xfd])
        .unwrap();
    let mut huge = bytes;
    huge[frame - 8..frame].copy_from_slice(&(1_i64 << 45).to_le_bytes());
    let damage = damage_of(check_stream, &huge).unwrap();
    assert!(matches!(damage, Damage::Contradiction { .. }), "{damage:?}");
}
