//! Files of ours that carry the proof of themselves (promise P11): whatever bit is flipped, and wherever they are cut, the
//! file alone tells.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use atomic_arrow::arrow::array::{ArrayRef, DictionaryArray, RecordBatch};
use atomic_arrow::arrow::datatypes::Int32Type;
use atomic_arrow::format::Format;
use atomic_arrow::parquet::arrow::ArrowWriter;
use atomic_arrow::parquet::basic::Compression;
use atomic_arrow::parquet::file::metadata::{KeyValue, ParquetMetaDataReader};
use atomic_arrow::parquet::file::properties::{CdcOptions, WriterProperties};
use atomic_arrow::verify::verify_file;
use atomic_arrow::{AtomicArrowWriter, DatasetWriter, Partition, Verify, WriterOptions};
use bytes::Bytes;

use crate::ground::{directory, tree};
use crate::kills::full;
use crate::samples::{batch, nested};

/// Every bit with `ATOMIC_ARROW_FULL=1`, else one of each byte, and two of the footer's.
fn bits(file: &[u8], footer: usize) -> impl Iterator<Item = usize> {
    let every = full();
    (0..8 * file.len()).filter(move |bit| {
        let (byte, bit) = (bit / 8, bit % 8);
        every || bit == byte % 8 || (byte >= footer && bit == (byte + 3) % 8)
    })
}

fn written(batch: &RecordBatch, format: Format, root: &Path) -> PathBuf {
    let builder = DatasetWriter::builder(root).format(format);
    let mut writer = builder.build(batch.schema()).unwrap();
    writer.write(batch).unwrap();
    writer.commit().unwrap();
    let mut files = tree(root).into_iter();
    let file = files.find(|name| name.starts_with("part-"));
    root.join(file.expect("one file is written"))
}

fn with_dictionary() -> RecordBatch {
    let words: DictionaryArray<Int32Type> = ["a", "b", "a", "c"].into_iter().collect();
    RecordBatch::try_from_iter([("word", Arc::new(words) as ArrayRef)]).unwrap()
}

/// Where the footer begins in a file that ends with its length and a magic number of some bytes.
fn footer(file: &[u8], magic: usize) -> usize {
    let at = file.len() - magic - 4;
    let length = u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
    at - length as usize
}

fn is_sound(path: &Path, bytes: &[u8], level: Verify) -> bool {
    fs::write(path, bytes).unwrap();
    verify_file(path, level).unwrap().is_sound()
}

/// Flips each bit of a file and cuts it everywhere, and looks whether that is found.
fn harm(file: &Path, magic: usize) {
    let bytes = fs::read(file).unwrap();
    for level in [Verify::Footer, Verify::Checksum, Verify::Decode] {
        assert!(verify_file(file, level).unwrap().is_sound(), "{level:?}");
    }
    let footer = footer(&bytes, magic);
    for bit in bits(&bytes, footer) {
        let mut harmed = bytes.clone();
        harmed[bit / 8] ^= 1 << (bit % 8);
        let level = match bit / 8 >= footer {
            true => Verify::Footer,
            false => Verify::Checksum,
        };
        assert!(
            !is_sound(file, &harmed, level),
            "bit {bit}, footer at {footer}"
        );
    }
    for length in 0..bytes.len() {
        assert!(
            !is_sound(file, &bytes[..length], Verify::Footer),
            "{length}"
        );
    }
}

#[test]
fn every_flipped_bit_and_every_cut_of_a_parquet_file_is_found() {
    for batch in [batch(12), nested(), with_dictionary()] {
        let (_guard, parent) = directory();
        harm(&written(&batch, Format::Parquet, &parent.join("w")), 4);
    }
}

#[test]
fn every_flipped_bit_and_every_cut_of_an_ipc_file_is_found() {
    for batch in [batch(12), nested(), with_dictionary()] {
        let (_guard, parent) = directory();
        harm(&written(&batch, Format::Ipc, &parent.join("w")), 6);
    }
}

#[test]
fn parquet_files_of_every_writer_carry_the_hashes_that_their_metadata_tell() {
    let chunking = WriterProperties::builder()
        .set_content_defined_chunking(Some(CdcOptions::default()))
        .build();
    let lz4 = WriterProperties::builder().set_compression(Compression::LZ4_RAW);
    for properties in [None, Some(chunking), Some(lz4.build())] {
        let (_guard, parent) = directory();
        let mut options = WriterOptions::new().verify(Verify::Decode);
        if let Some(properties) = properties {
            options = options.properties(properties);
        }
        let partition = Partition::new([("k", "v")]).unwrap();
        let batch = batch(12);
        let mut writer =
            AtomicArrowWriter::create_with_options(&parent, &partition, batch.schema(), options)
                .unwrap();
        writer.write(&batch).unwrap();
        let published = writer.commit().unwrap();
        let file = Bytes::from(fs::read(published.path()).unwrap());
        let read = ParquetMetaDataReader::new()
            .parse_and_finish(&file)
            .unwrap();
        let name = read.file_metadata().created_by().unwrap();
        assert!(name.starts_with("atomic-arrow version "), "{name}");
        assert!(!name.contains(" 0000000000000000"), "{name}");
        assert_eq!(
            published.metadata().unwrap().file_metadata().created_by(),
            Some(name)
        );
        let sound = |bytes: &[u8]| is_sound(published.path(), bytes, Verify::Checksum);
        for at in [4, footer(&file, 4) - 1, footer(&file, 4), file.len() - 9] {
            let mut harmed = file.to_vec();
            assert!(sound(&harmed));
            harmed[at] ^= 1;
            assert!(!sound(&harmed), "{at}");
        }
    }
}

#[test]
fn what_another_program_wrote_is_not_held_to_our_hashes() {
    let (_guard, parent) = directory();
    let batch = batch(12);
    let own = written(&batch, Format::Parquet, &parent.join("w"));
    let file = Bytes::from(fs::read(own).unwrap());
    let read = ParquetMetaDataReader::new()
        .parse_and_finish(&file)
        .unwrap();
    let name = read.file_metadata().created_by().unwrap();
    // What somebody may note of where his rows come from.
    for text in ["atomic-arrow version 1", " (build xxh3 ", name] {
        let pairs = vec![KeyValue::new("made with".to_owned(), text.to_owned())];
        let properties = WriterProperties::builder().set_key_value_metadata(Some(pairs));
        let properties = Some(properties.build());
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), properties).unwrap();
        writer.write(&batch).unwrap();
        let path = parent.join("other.parquet");
        let bytes = writer.into_inner().unwrap();
        assert!(is_sound(&path, &bytes, Verify::Decode), "{text}");
        // And of ours it makes no difference.
        let schema = batch.schema().as_ref().clone();
        let noted = [("made with".to_owned(), text.to_owned())].into();
        let noted = batch
            .clone()
            .with_schema(Arc::new(schema.with_metadata(noted)));
        for (format, magic) in [(Format::Parquet, 4), (Format::Ipc, 6)] {
            let (_guard, parent) = directory();
            let path = written(noted.as_ref().unwrap(), format, &parent.join("w"));
            let bytes = fs::read(&path).unwrap();
            assert!(is_sound(&path, &bytes, Verify::Decode), "{text} {format:?}");
            let mut harmed = bytes.clone();
            harmed[footer(&bytes, magic) - 1] ^= 1;
            assert!(
                !is_sound(&path, &harmed, Verify::Checksum),
                "{text} {format:?}"
            );
        }
    }
}
