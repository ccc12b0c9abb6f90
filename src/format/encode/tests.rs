//! What each format writes, what its check finds in it, and whose error an error is.

use std::io;
use std::sync::Arc;

use ::parquet::basic::{Compression, ZstdLevel};
use ::parquet::file::properties::WriterProperties;
use arrow::array::*;
use arrow::datatypes::{DataType, Field, Int8Type, Schema, SchemaRef, UnionMode};

use super::*;
use crate::damage::Damage;
use crate::disk::sim::{FaultTime, SimDisk};
use crate::disk::{Disk, DiskFile};
use crate::format::memory::MemoryFile;
use crate::format::{NonFinite, check};
use crate::options::{Encodings, StagingPlace, Verify};
use crate::staging::{Area, home_of_root, resolve};

const FORMATS: [Format; 4] = [Format::Parquet, Format::Ipc, Format::Ndjson, Format::Csv];
const ENOSPC: i32 = 28;

fn batch() -> RecordBatch {
    let names: DictionaryArray<Int8Type> =
        [Some("one"), None, Some("t,\"w\no"), Some("one"), Some("")]
            .into_iter()
            .collect();
    let times =
        TimestampMicrosecondArray::from(vec![Some(0), Some(-1), None, Some(1_500_000), Some(7)]);
    let columns: [(&str, ArrayRef); 4] = [
        ("na,me", Arc::new(names)),
        ("time", Arc::new(times.with_timezone("America/New_York"))),
        (
            "temp",
            Arc::new(Float64Array::from(vec![
                Some(0.1),
                Some(f64::NAN),
                None,
                Some(-0.0),
                Some(1e300),
            ])),
        ),
        (
            "count",
            Arc::new(Int64Array::from(vec![1, i64::MAX, 3, i64::MIN, 5])),
        ),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

/// The batch with the dictionary's values in another order.
fn batch_of_other_dictionary() -> RecordBatch {
    let batch = batch();
    let order = UInt32Array::from(vec![2, 1, 4, 0, 3]);
    let columns = batch.columns().iter();
    let columns = columns.map(|column| arrow::compute::take(column, &order, None).unwrap());
    let names: DictionaryArray<Int8Type> =
        [Some("t,\"w\no"), None, Some(""), Some("one"), Some("one")]
            .into_iter()
            .collect();
    let mut columns: Vec<ArrayRef> = columns.collect();
    columns[0] = Arc::new(names);
    RecordBatch::try_new(batch.schema(), columns).unwrap()
}

fn draft(disk: &SimDisk) -> Draft {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let root = resolve(disk.as_ref(), "/lake/weather".as_ref()).unwrap();
    let home = home_of_root(disk.as_ref(), &root, &StagingPlace::Auto).unwrap();
    Draft::create(Area::open(&disk, home).unwrap(), false, false).unwrap()
}

fn encoding(format: Format) -> Encoding {
    let zstd = Compression::ZSTD(ZstdLevel::default());
    Encoding {
        format,
        properties: WriterProperties::builder().set_compression(zstd).build(),
        page_checksums: true,
        arrow_schema: None,
        encodings: Encodings::Auto,
        text: TextOptions::new().json_non_finite(match format {
            Format::Ndjson => NonFinite::Null,
            _ => NonFinite::Refuse,
        }),
        verify: Verify::Decode,
        dictionaries: None,
    }
}

fn start(disk: &SimDisk, schema: &SchemaRef, encoding: Encoding) -> Result<Encoder> {
    Encoder::new(
        draft(disk),
        "/lake/weather/part-0".as_ref(),
        schema,
        encoding,
    )
}

fn encode(disk: &SimDisk, format: Format, batches: &[RecordBatch]) -> Result<Encoded> {
    let schema = batches[0].schema();
    let dictionaries = Dictionaries::new(&schema, usize::MAX).unwrap();
    for batch in batches {
        dictionaries.observe(batch).unwrap();
    }
    let encoding = Encoding {
        dictionaries: Some(Arc::new(dictionaries)),
        ..encoding(format)
    };
    let mut encoder = start(disk, &schema, encoding)?;
    for batch in batches {
        encoder.write(batch)?;
    }
    encoder.finish()
}

/// A file that was encoded, its bytes in memory.
struct Sample {
    schema: SchemaRef,
    encoded: Encoded,
    bytes: Vec<u8>,
}

fn sample(format: Format, batches: &[RecordBatch]) -> Sample {
    let disk = SimDisk::new();
    let encoded = encode(&disk, format, batches).unwrap();
    let bytes = disk.read(encoded.draft.path()).unwrap();
    assert_eq!(bytes.len() as u64, encoded.draft.len());
    Sample {
        schema: batches[0].schema(),
        encoded,
        bytes,
    }
}

impl Sample {
    /// Checks other bytes, said to be as long as they are.
    fn verify(&self, bytes: &[u8], level: Verify) -> std::result::Result<Contents, Damage> {
        self.verify_file(MemoryFile::open(bytes), bytes.len(), level)
            .map_err(|fault| match fault {
                Fault::Damage(damage) => damage,
                Fault::Io(error) => panic!("{error}"),
            })
    }

    fn verify_file(
        &self,
        file: Arc<dyn DiskFile>,
        len: usize,
        level: Verify,
    ) -> std::result::Result<Contents, Fault> {
        let written = Written {
            len: len as u64,
            rows: self.encoded.rows,
            schema: &self.schema,
            digests: self.encoded.digests.as_deref(),
            content: &self.encoded.content,
            known: None,
            keys: None,
        };
        verify_written(file, &written, level)
    }
}

const LEVELS: [Verify; 3] = [Verify::Footer, Verify::Checksum, Verify::Decode];

/// The rows of a file that passes the check of its format.
fn checked_rows(format: Format, bytes: Vec<u8>) -> Option<u64> {
    let file = MemoryFile::open(bytes);
    check(format, file, Path::new("x"), Verify::Decode, None)
        .unwrap()
        .rows
}

#[test]
fn what_every_format_writes_passes_its_own_check_at_every_level() {
    for format in FORMATS {
        let batches = [batch(), batch_of_other_dictionary(), batch().slice(1, 2)];
        let sample = sample(format, &batches);
        assert_eq!(sample.encoded.rows, 12);
        for level in LEVELS {
            let contents = sample.verify(&sample.bytes, level).unwrap();
            assert_eq!(contents.rows, Some(12), "{format} {level:?}");
        }
        assert_eq!(checked_rows(format, sample.bytes), Some(12), "{format}");
    }
}

#[test]
fn no_rows_make_a_sound_file_of_no_rows() {
    for format in FORMATS {
        let empty = [batch().slice(0, 0)];
        let sample = sample(format, &empty);
        for level in LEVELS {
            let contents = sample.verify(&sample.bytes, level).unwrap();
            assert_eq!(contents.rows, Some(0), "{format} {level:?}");
        }
        assert_eq!(checked_rows(format, sample.bytes), Some(0), "{format}");
    }
}

#[test]
fn text_is_written_as_documented() {
    let text = |format| String::from_utf8(sample(format, &[batch()]).bytes).unwrap();
    let csv = "\"na,me\",time,temp,count\n\
               one,1969-12-31T19:00:00-05:00,0.1,1\n\
               ,1969-12-31T18:59:59.999999-05:00,NaN,9223372036854775807\n\
               \"t,\"\"w\no\",,,3\n\
               one,1969-12-31T19:00:01.500-05:00,-0.0,-9223372036854775808\n\
               \"\",1969-12-31T19:00:00.000007-05:00,1e300,5\n";
    assert_eq!(text(Format::Csv), csv);
    let lines = text(Format::Ndjson);
    let second = r#"{"na,me":null,"time":"1969-12-31T18:59:59.999999-05:00","temp":null,"count":9223372036854775807}"#;
    assert_eq!(lines.lines().nth(1), Some(second));
    assert_eq!(lines.lines().count(), 5);
}

#[test]
fn every_byte_of_a_text_that_changes_is_seen_when_it_is_decoded() {
    for format in [Format::Ndjson, Format::Csv] {
        let sample = sample(format, &[batch()]);
        for at in 0..sample.bytes.len() {
            for flip in [0x01, 0x20] {
                let mut bytes = sample.bytes.clone();
                bytes[at] ^= flip;
                let verified = sample.verify(&bytes, Verify::Decode);
                assert!(verified.is_err(), "{format}, byte {at} ^ {flip:#x} passes");
            }
        }
    }
}

#[test]
fn other_values_of_the_same_shape_are_seen_when_they_are_decoded() {
    for format in FORMATS {
        let expected = sample(format, &[batch()]);
        let other = sample(format, &[batch_of_other_dictionary()]);
        let expected = Sample {
            encoded: Encoded {
                content: other.encoded.content.clone(),
                ..expected.encoded
            },
            ..expected
        };
        let damage = expected.verify(&other.bytes, Verify::Decode).unwrap_err();
        assert!(
            matches!(&damage, Damage::Values { column } if column == "na,me"),
            "{format}: {damage}"
        );
        expected.verify(&other.bytes, Verify::Footer).unwrap();
    }
}

#[test]
fn rows_that_are_missing_are_seen_when_text_is_decoded_and_by_ipc_at_once() {
    for (format, level) in [
        (Format::Ndjson, Verify::Decode),
        (Format::Csv, Verify::Decode),
        (Format::Ipc, Verify::Footer),
    ] {
        let whole = sample(format, &[batch(), batch()]);
        let fewer = sample(format, &[batch(), batch().slice(0, 4)]);
        let damage = whole.verify(&fewer.bytes, level).unwrap_err();
        let what = "file: the number of rows is 9, expected 10";
        assert_eq!(damage.to_string(), what, "{format}");
    }
}

#[test]
fn another_length_is_seen_at_the_lowest_level() {
    for format in FORMATS {
        let sample = sample(format, &[batch()]);
        for bytes in [&sample.bytes[..sample.bytes.len() - 1], &[]] {
            let file = MemoryFile::open(bytes);
            let verified = sample.verify_file(file, sample.bytes.len(), Verify::Footer);
            let damage = matches!(verified, Err(Fault::Damage(Damage::Length { .. })));
            assert!(damage, "{format}: {verified:?}");
        }
    }
}

#[test]
fn a_text_that_does_not_end_its_last_line_is_unfinished() {
    for format in [Format::Ndjson, Format::Csv] {
        let sample = sample(format, &[batch()]);
        let cut = &sample.bytes[..sample.bytes.len() - 1];
        let damage = sample.verify(cut, Verify::Footer).unwrap_err();
        assert!(matches!(damage, Damage::Unfinished { .. }), "{damage}");
    }
}

#[test]
fn another_header_or_schema_is_seen_at_the_lowest_level() {
    let renamed = |batch: RecordBatch| {
        let mut fields: Vec<Field> = batch
            .schema()
            .fields()
            .iter()
            .map(|f| f.as_ref().clone())
            .collect();
        fields[3] = fields[3].clone().with_name("tally");
        RecordBatch::try_new(Arc::new(Schema::new(fields)), batch.columns().to_vec()).unwrap()
    };
    for format in [Format::Csv, Format::Ipc, Format::Parquet] {
        let expected = sample(format, &[batch()]);
        let other = sample(format, &[renamed(batch())]);
        let damage = expected.verify(&other.bytes, Verify::Footer).unwrap_err();
        assert!(
            matches!(damage, Damage::Differs { .. }),
            "{format}: {damage}"
        );
    }
}

#[test]
fn a_full_disk_is_an_error_of_the_disk_in_every_format_at_every_write() {
    for format in FORMATS {
        let batches = [batch(), batch_of_other_dictionary()];
        let disk = SimDisk::new();
        encode(&disk, format, &batches).unwrap();
        let calls = disk.calls();
        let writes = (0..calls.len()).filter(|call| calls[*call].starts_with("write"));
        let mut seen = 0;
        for call in writes {
            let disk = SimDisk::new();
            disk.fail_call(call, ENOSPC, FaultTime::Before);
            match encode(&disk, format, &batches) {
                Err(Error::Io { source, path, .. }) => {
                    assert_eq!(source.kind(), io::ErrorKind::StorageFull);
                    assert!(path.extension().is_some_and(|suffix| suffix == "staged"));
                }
                Err(other) => panic!("{format}, call {call}: {other:?}"),
                Ok(_) => panic!("{format}, call {call}: no error"),
            }
            seen += 1;
        }
        assert!(seen > 0, "{format}: {calls:?}");
    }
}

#[test]
fn a_disk_that_does_not_read_back_is_no_damage() {
    for format in FORMATS {
        let sample = sample(format, &[batch()]);
        let len = sample.bytes.len();
        for level in LEVELS {
            let file = MemoryFile::refusing_from(sample.bytes.as_slice(), 0);
            let verified = sample.verify_file(file, len, level);
            assert!(
                matches!(verified, Err(Fault::Io(_))),
                "{format}: {verified:?}"
            );
        }
    }
}

fn refusal(format: Format, column: ArrayRef) -> Error {
    let batch = RecordBatch::try_from_iter([("x", column)]).unwrap();
    match encode(&SimDisk::new(), format, &[batch]) {
        Err(error) => error,
        Ok(_) => panic!("{format}: no error"),
    }
}

#[test]
fn what_a_format_has_no_place_for_is_an_error_of_the_encoder() {
    let fields = vec![Field::new("a", DataType::Int64, true)];
    let nested = StructArray::new_null(fields.into(), 1);
    let error = refusal(Format::Csv, Arc::new(nested));
    assert!(matches!(error, Error::Encode { .. }), "{error:?}");

    let variants = [(0, Arc::new(Field::new("a", DataType::Int64, true)))];
    let union = DataType::Union(variants.into_iter().collect(), UnionMode::Sparse);
    let error = refusal(Format::Ndjson, new_empty_array(&union));
    assert!(matches!(error, Error::Encode { .. }), "{error:?}");
}

#[test]
fn times_outside_of_the_calendar_are_refused_by_text() {
    for format in [Format::Ndjson, Format::Csv] {
        let error = refusal(
            format,
            Arc::new(TimestampSecondArray::from(vec![0, i64::MAX])),
        );
        assert!(matches!(error, Error::Encode { .. }), "{error:?}");
    }
}

#[test]
fn what_cannot_be_asked_for_is_refused_before_anything_is_written() {
    let schema = batch().schema();
    let option = |schema: &SchemaRef, encoding| match start(&SimDisk::new(), schema, encoding) {
        Err(Error::InvalidOption { option, .. }) => option,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("no error"),
    };
    for format in [Format::Json, Format::IpcStream] {
        assert_eq!(option(&schema, encoding(format)), "format");
    }
    let snappy = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .build();
    let with_snappy = Encoding {
        properties: snappy,
        ..encoding(Format::Ipc)
    };
    assert_eq!(option(&schema, with_snappy), "compression");
    let none = Arc::new(Schema::empty());
    assert_eq!(option(&none, encoding(Format::Csv)), "schema");
    let twice = ["a", "a"].map(|name| Field::new(name, DataType::Int64, true));
    let twice = Arc::new(Schema::new(twice.to_vec()));
    assert_eq!(option(&twice, encoding(Format::Ndjson)), "schema");
}

#[test]
fn nested_dictionaries_are_written_as_their_values() {
    for format in [Format::Ndjson, Format::Ipc] {
        let names: DictionaryArray<Int8Type> = [Some("a"), None, Some("b")].into_iter().collect();
        let field = Arc::new(Field::new("item", names.data_type().clone(), true));
        let offsets = arrow::buffer::OffsetBuffer::from_lengths([2, 0, 1]);
        let list = ListArray::new(field, offsets, Arc::new(names), None);
        let batch = RecordBatch::try_from_iter([("x", Arc::new(list) as ArrayRef)]).unwrap();
        let sample = sample(format, &[batch.clone(), batch]);
        sample.verify(&sample.bytes, Verify::Decode).unwrap();
    }
}
