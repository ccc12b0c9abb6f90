//! docs/keys.md: what the readers of other projects make of partition keys.
//!
//! The document is generated: every cell is what was seen. With ATOMIC_ARROW_WRITE_DOCS=1 it is written anew.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow::array::*;
use atomic_arrow::partition::PartitionBy;
use atomic_arrow::{DatasetWriter, Durability, Error};
use serde::Deserialize;

use crate::documents::assert_document;
use crate::support::peers::{READERS, peers};
use crate::support::skip;
use crate::types::ran;

/// A key of some values.
struct Key {
    what: &'static str,
    name: &'static str,
    values: ArrayRef,
}

/// What a reader sees of it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Seen {
    Read {
        r#type: String,
        texts: BTreeMap<String, Option<String>>,
    },
    Failed {
        error: String,
    },
}

fn texts(what: &'static str, values: &[Option<&str>]) -> Key {
    let values = Arc::new(StringArray::from(values.to_vec()));
    Key {
        what,
        name: "k",
        values,
    }
}

fn some(what: &'static str, values: &[&str]) -> Key {
    let values: Vec<_> = values.iter().copied().map(Some).collect();
    texts(what, &values)
}

fn typed(what: &'static str, values: ArrayRef) -> Key {
    Key {
        what,
        name: "k",
        values,
    }
}

fn named(what: &'static str, name: &'static str) -> Key {
    Key {
        name,
        ..some(what, &["a"])
    }
}

fn every_key() -> Vec<(&'static str, Vec<Key>)> {
    let decimals = Decimal128Array::from(vec![150, -200]).with_precision_and_scale(5, 2);
    let microseconds = TimestampMicrosecondArray::from(vec![1_704_412_800_000_000, 1]);
    vec![
        (
            "Texts",
            vec![
                some("words", &["a", "b"]),
                some(
                    "other characters",
                    &["a b", "50%", "x=y", "a/b", "a:b", "ä", "a+b"],
                ),
                texts("null", &[Some("a"), None]),
                some("whole numbers", &["1", "20"]),
                some("leading zeros", &["007", "10"]),
                some("hexadecimal", &["0x10", "1"]),
                some("beyond 64 bits", &["18446744073709551616", "1"]),
                some("fractions", &["1.50", "2"]),
                some("exponents", &["1e3", "2"]),
                some("no number", &["nan", "1.5"]),
                some("dates", &["2024-01-05", "2024-01-06"]),
                some("dates spelt otherwise", &["2024-1-5", "2024-01-06"]),
                some("months", &["2024-01", "2024-02"]),
                some("truth values", &["true", "false"]),
            ],
        ),
        (
            "Other types",
            vec![
                typed("`Int64`", Arc::new(Int64Array::from(vec![-1, 20]))),
                typed("`Boolean`", Arc::new(BooleanArray::from(vec![true, false]))),
                typed(
                    "`Date32`",
                    Arc::new(Date32Array::from(vec![19_727, 19_728])),
                ),
                typed("`Decimal128(5, 2)`", Arc::new(decimals.unwrap())),
                typed("`Timestamp(µs)`", Arc::new(microseconds)),
                typed(
                    "`Timestamp(ns)`",
                    Arc::new(TimestampNanosecondArray::from(vec![1, 1_500])),
                ),
                typed("`Float64`", Arc::new(Float64Array::from(vec![1.5, -2.0]))),
            ],
        ),
        (
            "Names",
            vec![
                named("`station id`", "station id"),
                named("`a.b`", "a.b"),
                named("`ä`", "ä"),
                named("`50%`", "50%"),
                named("`a/b`", "a/b"),
                named("`_k`", "_k"),
            ],
        ),
    ]
}

/// Writes a row for each value; gives the values as the paths have them.
fn write(key: &Key, root: &Path) -> Result<Vec<Option<String>>, Error> {
    (0..key.values.len())
        .map(|row| {
            let number: ArrayRef = Arc::new(Int64Array::from(vec![row as i64]));
            let columns = [(key.name, key.values.slice(row, 1)), ("v", number)];
            let fields = columns.clone().map(|(name, column)| (name, column, true));
            let batch = RecordBatch::try_from_iter_with_nullable(fields).unwrap();
            let by = PartitionBy::column(key.name);
            let builder = DatasetWriter::builder(root).partition_by(by);
            let builder = builder.durability(Durability::Unsynced).threads(1);
            let mut writer = builder.build(batch.schema())?;
            writer.write(&batch)?;
            let receipt = writer.commit()?;
            let partition = receipt.files()[0].partition();
            let (_, value) = partition.iter().next().unwrap();
            Ok((!value.is_null()).then(|| value.to_string()))
        })
        .collect()
}

fn shown(text: &Option<String>) -> String {
    text.as_ref()
        .map_or_else(|| "null".to_owned(), |text| format!("`{text}`"))
}

/// The type of the key, and what is another text than in the path.
fn cell(seen: &Seen, given: &[Option<String>]) -> String {
    let Seen::Read { r#type, texts } = seen else {
        return "fails".to_owned();
    };
    let mut cell = format!("`{type}`");
    for (row, given) in given.iter().enumerate() {
        let text = texts.get(&row.to_string()).cloned().flatten();
        if text != *given {
            write!(cell, ", {} for {}", shown(&text), shown(given)).unwrap();
        }
    }
    cell.replace('|', "\\|")
}

const INTRODUCTION: &str = "\
# What readers see of partition keys

Generated by a test (`tests/all/keys.rs`) that writes a row for each value and reads the data set with pyarrow 26, pandas
3.1, Polars 2.1, DuckDB 2.0 and DataFusion 55, none of which is told the types of the keys. With `ATOMIC_ARROW_WRITE_DOCS=1`
the test writes this file anew. Readers guess the type of a key from all of its values; told the types, they keep texts as they
are. `inspect` names the values of a data set that are guessed to be others.

- A cell is the type that a reader gives to the key, and what it has for a value instead of the text that is in the path.
- *refused*: the write is refused before anything is published. *fails*: the reader does not read the data set, or has no
  column of this name.
- DataFusion finds no keys by itself: here it is told their names, and that they are texts.
- Spark is not among them: it guesses types too, unless `spark.sql.sources.partitionColumnTypeInference.enabled` is off.
";

#[test]
fn the_table_of_keys_is_what_every_reader_sees() {
    let peers = match peers() {
        Ok(peers) => peers,
        Err(reason) => return skip(reason),
    };
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    let sections = every_key();
    let mut written = Vec::new();
    let mut manifest = Vec::new();
    for (index, key) in sections.iter().flat_map(|(_, keys)| keys).enumerate() {
        let root = place.join(format!("root{index}"));
        let given = write(key, &root);
        if given.is_ok() {
            let id = index.to_string();
            manifest.push(serde_json::json!({ "id": id, "root": root, "key": key.name }));
        }
        written.push(given);
    }
    let manifest = serde_json::to_vec(&manifest).unwrap();
    fs::write(place.join("manifest.json"), manifest).unwrap();
    let seen = READERS.map(|reader| {
        let output = peers.run("keys.py", &[&reader, &place]).unwrap();
        ran::<Seen>(&output, reader)
    });

    let mut document = INTRODUCTION.to_owned();
    let mut index = 0;
    for (section, keys) in &sections {
        write!(document, "\n{section}:\n\n| given | in the path |").unwrap();
        document.push_str(
            " pyarrow | pandas | Polars | DuckDB | DataFusion |\n|---|---|---|---|---|---|---|\n",
        );
        for key in keys {
            let what = key.what;
            match &written[index] {
                Err(_) => writeln!(document, "| {what} | refused | | | | | |").unwrap(),
                Ok(given) => {
                    let paths: Vec<String> = given.iter().map(shown).collect();
                    let mut cells = vec![what.to_owned(), paths.join(", ").replace('|', "\\|")];
                    for (reader, seen) in READERS.iter().zip(&seen) {
                        let seen = &seen[&index.to_string()];
                        if let Seen::Failed { error } = seen {
                            println!("{reader}: {what}: {error}");
                        }
                        cells.push(cell(seen, given));
                    }
                    writeln!(document, "| {} |", cells.join(" | ")).unwrap();
                }
            }
            index += 1;
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/keys.md");
    if std::env::var_os("ATOMIC_ARROW_WRITE_DOCS").is_some() {
        fs::write(&path, &document).unwrap();
    }
    assert_document("docs/keys.md", &document);
}
