//! Row labels that pandas notes in the schema: a data set does not give them to other rows (promise P10).

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use atomic_arrow::arrow::array::{ArrayRef, Int64Array, RecordBatch};
use atomic_arrow::format::Format;
use atomic_arrow::parquet::file::reader::{FileReader as _, SerializedFileReader};
use atomic_arrow::receipt::Note;
use atomic_arrow::{DatasetWriter, StagedWrites};

use crate::ground::{directory, published};

fn rows(index: &str) -> RecordBatch {
    let values: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
    let batch = RecordBatch::try_from_iter([("x", values)]).unwrap();
    let notes = format!(
        r#"{{"index_columns":[{index}],"columns":[{{"name":"x","field_name":"x","numpy_type":"int64"}}]}}"#
    );
    let schema = batch.schema().as_ref().clone();
    let schema = schema.with_metadata([("pandas".to_owned(), notes)].into());
    batch.with_schema(Arc::new(schema)).unwrap()
}

/// What pandas is told of the rows of a file.
fn told(file: &Path) -> String {
    let reader = SerializedFileReader::new(File::open(file).unwrap()).unwrap();
    let pairs = reader.metadata().file_metadata().key_value_metadata();
    let mut pairs = pairs.unwrap().iter();
    let notes = pairs.find(|pair| pair.key == "pandas").unwrap();
    notes.value.clone().unwrap()
}

#[test]
fn a_range_that_does_more_than_count_from_zero_is_left_out_and_said() {
    for (index, labels) in [
        (
            r#"{"kind":"range","name":null,"start":0,"stop":3,"step":1}"#,
            None,
        ),
        (r#""id""#, None),
        (
            r#"{"kind":"range","name":null,"start":5,"stop":8,"step":1}"#,
            Some("from 5 to 8 by 1"),
        ),
        (
            r#"{"kind":"range","name":"id","start":0,"stop":3,"step":1}"#,
            Some("from 0 to 3 by 1, named \"id\""),
        ),
        (
            r#"{"kind":"range","name":null,"start":0,"stop":6,"step":2}"#,
            Some("from 0 to 6 by 2"),
        ),
    ] {
        let expected = labels.map(|labels| Note::RowLabelsNotKept {
            labels: labels.to_owned(),
        });
        let rows = rows(index);
        let (_guard, parent) = directory();
        let written = parent.join("written");
        let mut writer = DatasetWriter::builder(&written)
            .build(rows.schema())
            .unwrap();
        writer.write(&rows).unwrap();
        let receipt = writer.commit().unwrap();
        assert_eq!(receipt.notes(), expected.as_slice(), "{index}");

        let staged = parent.join("staged");
        let parts = [1, 2].map(|_| {
            let mut writer = DatasetWriter::builder(&staged)
                .build(rows.schema())
                .unwrap();
            writer.write(&rows).unwrap();
            writer.stage().unwrap()
        });
        let receipt = StagedWrites::new(parts).commit().unwrap();
        assert_eq!(receipt.notes(), expected.as_slice(), "{index}");

        let files = [published(&written), published(&staged)].concat();
        assert_eq!(files.len(), 3);
        for file in files {
            let told = told(&file);
            assert_eq!(
                told.contains("range"),
                index.contains("range") && expected.is_none()
            );
            assert!(told.contains(r#""numpy_type":"int64""#), "{told}");
        }
    }
}

#[test]
fn text_has_no_row_labels_and_says_so() {
    let rows = rows(r#"{"kind":"range","name":null,"start":5,"stop":8,"step":1}"#);
    let (_guard, parent) = directory();
    let builder = DatasetWriter::builder(parent.join("w")).format(Format::Csv);
    let mut writer = builder.build(rows.schema()).unwrap();
    writer.write(&rows).unwrap();
    assert_eq!(writer.commit().unwrap().notes().len(), 1);
}
