//! Data sets of NDJSON and CSV: what their text says of the values, plain and compressed (promise P10).

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use atomic_arrow::arrow::array::*;
use atomic_arrow::arrow::buffer::OffsetBuffer;
use atomic_arrow::arrow::datatypes::{Field, Float64Type};
use atomic_arrow::format::{Format, NonFinite, TextOptions};
use atomic_arrow::parquet::basic::{Compression, GzipLevel, ZstdLevel};
use atomic_arrow::verify::{verify_file, verify_path};
use atomic_arrow::{DatasetWriter, Error, Verify};

use crate::ground::directory;

const LEVELS: [Verify; 3] = [Verify::Footer, Verify::Checksum, Verify::Decode];

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let columns = columns
        .into_iter()
        .map(|(name, column)| (name, column, true));
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn texts(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn numbers(values: &[f64]) -> ArrayRef {
    Arc::new(Float64Array::from(values.to_vec()))
}

/// Writes a file and gives its path.
fn write(
    root: &Path,
    format: Format,
    options: TextOptions,
    level: Verify,
    batch: &RecordBatch,
) -> Result<PathBuf, Error> {
    let mut writer = DatasetWriter::builder(root)
        .format(format)
        .text(options)
        .verify(level)
        .build(batch.schema())?;
    writer.write(batch)?;
    Ok(root.join(writer.commit()?.files()[0].path()))
}

/// The text of a file that is verified by all its values.
fn text(format: Format, options: TextOptions, batch: &RecordBatch) -> Result<String, Error> {
    let (_guard, root) = directory();
    let path = write(&root, format, options, Verify::Decode, batch)?;
    Ok(fs::read_to_string(path).unwrap())
}

/// What the encoder said.
#[track_caller]
fn refusal(outcome: Result<String, Error>) -> String {
    match outcome {
        Err(Error::Encode { source, .. }) => source.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn csv_tells_null_from_the_empty_string() {
    let rows = batch(vec![
        ("s", texts(&[Some(""), None, Some("a")])),
        ("n", numbers(&[1.0, 2.0, 3.0])),
    ]);
    let csv = |options| text(Format::Csv, options, &rows);
    assert_eq!(
        csv(TextOptions::new()).unwrap(),
        "s,n\n\"\",1.0\n,2.0\na,3.0\n"
    );
    let null = TextOptions::new().csv_null("\\N");
    assert_eq!(csv(null).unwrap(), "s,n\n\"\",1.0\n\\N,2.0\na,3.0\n");
    let said = refusal(csv(TextOptions::new().csv_null("a")));
    assert!(said.contains("column \"s\", row 2"), "{said}");
    // A dictionary's null among its values is one, too.
    let values = texts(&[None, Some("")]);
    let keys = Int32Array::from(vec![0, 1]);
    let words: ArrayRef = Arc::new(DictionaryArray::new(keys, values));
    let rows = batch(vec![("w", words), ("n", numbers(&[1.0, 2.0]))]);
    let csv = text(Format::Csv, TextOptions::new(), &rows).unwrap();
    assert_eq!(csv, "w,n\n,1.0\n\"\",2.0\n");
}

#[test]
fn an_instant_whose_offset_has_seconds_stays_that_instant() {
    let seconds = |zone: &str, values: Vec<Option<i64>>| {
        TimestampSecondArray::from(values).with_timezone(zone.to_owned())
    };
    let monrovia = seconds("Africa/Monrovia", vec![Some(0), None, Some(100_000_000)]);
    let berlin = seconds("Europe/Berlin", vec![Some(-2_717_650_800), Some(0), None]);
    let keys = Int32Array::from(vec![0, 1, 2]);
    let words = DictionaryArray::new(keys, Arc::new(berlin.clone()));
    let nanoseconds = TimestampNanosecondArray::from(vec![1, 2, 3]);
    let rows = batch(vec![
        ("m", Arc::new(monrovia)),
        ("b", Arc::new(berlin)),
        ("w", Arc::new(words)),
        ("n", Arc::new(nanoseconds.with_timezone("Africa/Monrovia"))),
    ]);
    let csv = text(Format::Csv, TextOptions::new(), &rows).unwrap();
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(
        lines[1..],
        [
            "1970-01-01T00:00:00Z,1883-11-18T17:00:00Z,1883-11-18T17:00:00Z,1970-01-01T00:00:00.000000001Z",
            ",1970-01-01T01:00:00+01:00,1970-01-01T01:00:00+01:00,1970-01-01T00:00:00.000000002Z",
            "1973-03-03T09:46:40Z,,,1970-01-01T00:00:00.000000003Z",
        ]
    );
    let ndjson = text(Format::Ndjson, TextOptions::new(), &rows).unwrap();
    let first = ndjson.lines().next().unwrap();
    assert_eq!(
        first,
        r#"{"m":"1970-01-01T00:00:00Z","b":"1883-11-18T17:00:00Z","w":"1883-11-18T17:00:00Z","n":"1970-01-01T00:00:00.000000001Z"}"#
    );
}

#[test]
fn a_map_with_a_key_twice_is_refused_by_json_wherever_it_lies() {
    let maps = |second: &str| -> MapArray {
        let mut maps = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
        for keys in [&["k"][..], &[], &["k", second]] {
            for key in keys {
                maps.keys().append_value(key);
                maps.values().append_value(1);
            }
            maps.append(true).unwrap();
        }
        maps.finish()
    };
    let item = |maps: &MapArray| Arc::new(Field::new("item", maps.data_type().clone(), true));
    let within = |maps: MapArray| -> Vec<(&str, ArrayRef)> {
        let items = Arc::new(maps.clone());
        let offsets = OffsetBuffer::from_lengths([1, 0, 2]);
        let lists = ListArray::new(item(&maps), offsets, items.clone(), None);
        let fixed = FixedSizeListArray::new(item(&maps), 1, items.clone(), None);
        let members = vec![(item(&maps), items.clone() as ArrayRef)];
        vec![
            ("a", items),
            ("a[]", Arc::new(lists)),
            ("a[]", Arc::new(fixed)),
            ("a.item", Arc::new(StructArray::from(members))),
        ]
    };
    for (path, column) in within(maps("k")) {
        let rows = batch(vec![("a", column)]);
        let said = refusal(text(Format::Ndjson, TextOptions::new(), &rows));
        let expected = format!("column {path:?}, row 2: the map has the key \"k\" twice");
        assert!(said.contains(&expected), "{said}");
    }
    for (_, column) in within(maps("j")) {
        text(
            Format::Ndjson,
            TextOptions::new(),
            &batch(vec![("a", column)]),
        )
        .unwrap();
    }
}

#[test]
fn a_row_of_csv_is_never_a_blank_line() {
    let rows = batch(vec![("s", texts(&[Some(""), None]))]);
    let said = refusal(text(Format::Csv, TextOptions::new(), &rows));
    assert!(said.contains("column \"s\", row 1: null"), "{said}");
    let csv = text(Format::Csv, TextOptions::new().csv_null("NULL"), &rows).unwrap();
    assert_eq!(csv, "s\n\"\"\nNULL\n");
}

#[test]
fn a_text_for_null_fits_into_csv_and_only_there() {
    let rows = batch(vec![("s", texts(&[Some("a")]))]);
    for (format, option, options) in [
        (Format::Csv, "csv_null", TextOptions::new().csv_null("a,b")),
        (Format::Csv, "csv_null", TextOptions::new().csv_null("\"")),
        (Format::Ndjson, "csv_null", TextOptions::new().csv_null("-")),
        (
            Format::Csv,
            "json_non_finite",
            TextOptions::new().json_non_finite(NonFinite::Null),
        ),
        (
            Format::Csv,
            "compression",
            TextOptions::new().compression(Compression::SNAPPY),
        ),
        (
            Format::Parquet,
            "compression",
            TextOptions::new().compression(Compression::ZSTD(ZstdLevel::default())),
        ),
    ] {
        match text(format, options, &rows) {
            Err(Error::InvalidOption { option: found, .. }) => assert_eq!(found, option),
            other => panic!("{format} {option}: {other:?}"),
        }
    }
}

#[test]
fn numbers_that_json_has_no_text_for_are_refused_unless_told() {
    let all = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.5];
    let rows = batch(vec![("f", numbers(&all))]);
    let json = |options: TextOptions| text(Format::Ndjson, options, &rows);
    let said = refusal(json(TextOptions::new()));
    assert!(
        said.contains("column \"f\", row 0: NaN is no number"),
        "{said}"
    );
    let null = TextOptions::new().json_non_finite(NonFinite::Null);
    let expected = "{\"f\":null}\n{\"f\":null}\n{\"f\":null}\n{\"f\":-0.5}\n";
    assert_eq!(json(null).unwrap(), expected);
    let string = TextOptions::new().json_non_finite(NonFinite::Text);
    let expected = "{\"f\":\"NaN\"}\n{\"f\":\"Infinity\"}\n{\"f\":\"-Infinity\"}\n{\"f\":-0.5}\n";
    assert_eq!(json(string).unwrap(), expected);

    let lists = ListArray::from_iter_primitive::<Float64Type, _, _>([
        Some(vec![Some(1.0), None]),
        None,
        Some(vec![Some(f64::INFINITY)]),
    ]);
    let single: ArrayRef = Arc::new(Float32Array::from(vec![Some(1.5), None, Some(0.1)]));
    let rows = batch(vec![("g", single), ("l", Arc::new(lists) as ArrayRef)]);
    let said = refusal(text(Format::Ndjson, TextOptions::new(), &rows));
    assert!(said.contains("inf is no number of JSON"), "{said}");
    let string = TextOptions::new().json_non_finite(NonFinite::Text);
    let expected = "{\"g\":1.5,\"l\":[1.0,null]}\n{\"g\":null,\"l\":null}\n\
                    {\"g\":0.1,\"l\":[\"Infinity\"]}\n";
    assert_eq!(text(Format::Ndjson, string, &rows).unwrap(), expected);
}

fn unpacked(path: &Path) -> String {
    let file = fs::File::open(path).unwrap();
    let mut text = String::new();
    match path.extension().unwrap().to_str().unwrap() {
        "gz" => flate2::read::GzDecoder::new(file).read_to_string(&mut text),
        "zst" => zstd::Decoder::new(file).unwrap().read_to_string(&mut text),
        other => panic!("{other}"),
    }
    .unwrap();
    text
}

#[test]
fn text_is_compressed_as_a_whole_and_verified_through_the_decompressor() {
    let words: Vec<String> = (0..5_000)
        .map(|n| format!("word {}", n * n % 977))
        .collect();
    let words = words
        .iter()
        .map(|word| Some(word.as_str()))
        .collect::<Vec<_>>();
    let rows = batch(vec![("s", texts(&words))]);
    let (_guard, root) = directory();
    let mut files = 0;
    for (format, suffix) in [(Format::Csv, "csv"), (Format::Ndjson, "ndjson")] {
        let plain = text(format, TextOptions::new(), &rows).unwrap();
        for (codec, ending) in [
            (Compression::ZSTD(ZstdLevel::try_new(3).unwrap()), "zst"),
            (Compression::GZIP(GzipLevel::default()), "gz"),
        ] {
            let root = root.join(format!("{suffix}.{ending}"));
            for level in LEVELS {
                let options = TextOptions::new().compression(codec);
                let path = write(&root, format, options, level, &rows).unwrap();
                let name = path.to_str().unwrap();
                assert!(name.ends_with(&format!(".{suffix}.{ending}")), "{name}");
                assert_eq!(Format::from_path(&path), Some(format));
                assert_eq!(unpacked(&path), plain);
                let bytes = fs::read(&path).unwrap();
                assert!(bytes.len() < plain.len() / 3, "{}", bytes.len());
                files += 1;
                // Cut, or changed, anywhere: it is damage.
                let copy = root
                    .parent()
                    .unwrap()
                    .join(format!("copy.{suffix}.{ending}"));
                for at in (10..bytes.len()).step_by(97) {
                    fs::write(&copy, &bytes[..at]).unwrap();
                    let cut = verify_file(&copy, Verify::Footer).unwrap();
                    assert!(!cut.is_sound(), "{name}: cut at {at}");
                    let mut changed = bytes.clone();
                    changed[at] ^= 4;
                    fs::write(&copy, changed).unwrap();
                    let changed = verify_file(&copy, Verify::Footer).unwrap();
                    assert!(!changed.is_sound(), "{name}: changed at {at}");
                }
                fs::remove_file(copy).unwrap();
            }
        }
    }
    let mut rows = Vec::new();
    let summary = verify_path(&root, Verify::Decode, |report| rows.push(report.rows())).unwrap();
    assert_eq!((summary.files, summary.damaged), (files, 0));
    assert_eq!(rows, vec![Some(5_000); files as usize]);
}
