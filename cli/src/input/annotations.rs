//! Heeds annotations of Parquet columns that the decoder does not.
//!
//! - Text that is not annotated as such (JSON, or what the embedded Arrow schema alone calls text) is not
//!   checked to be UTF-8 by the decoder; it is here.
//! - ENUM is text, by [Parquet's specification](https://parquet.apache.org/docs/file-format/types/logicaltypedefinition/);
//!   the decoder gives bytes. It is read as text, which DuckDB and Spark see in such a column too.
//! - BSON has no type in Arrow. The bytes are kept, and a note says that the annotation is not.
//! - Nor have times of day that are adjusted to UTC, as DuckDB's `TIME WITH TIME ZONE`. The times are kept, and a note says
//!   that their zone is not; where Arrow's own schema is in the file, its writer gave plain times.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use parquet::arrow::ARROW_SCHEMA_META_KEY;
use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use parquet::basic::{ConvertedType, LogicalType, Type};
use parquet::errors::ParquetError;
use parquet::schema::types::ColumnDescriptor;

use super::InputError;
use super::leaves::{map_leaves, read_as};

/// Checks the text of columns that the decoder does not check.
#[derive(Debug)]
pub(super) struct TextCheck {
    /// The columns, by their places.
    columns: Vec<usize>,
    rows: u64,
}

/// A file's metadata as it is to be read.
pub(super) struct Annotated {
    pub(super) metadata: ArrowReaderMetadata,
    pub(super) texts: Option<TextCheck>,
    pub(super) notes: Vec<String>,
}

/// Finds the annotations, and the types to read.
///
/// # Errors
/// The decoder's.
pub(super) fn open(metadata: ArrowReaderMetadata, path: &Path) -> Result<Annotated, ParquetError> {
    let descriptor = metadata.metadata().file_metadata().schema_descr_ptr();
    let mut leaves = descriptor.columns().iter().map(Arc::as_ref);
    let schema = metadata.schema();
    let pairs = metadata.metadata().file_metadata().key_value_metadata();
    let mut pairs = pairs.into_iter().flatten();
    let is_of_arrow = pairs.any(|pair| pair.key == ARROW_SCHEMA_META_KEY);
    let (mut columns, mut notes) = (Vec::new(), Vec::new());
    let mut fields = Vec::with_capacity(schema.fields().len());
    for (column, field) in schema.fields().iter().enumerate() {
        let mut found = Found::default();
        fields.push(map_leaves(field, &mut |leaf| {
            leaf_as(leaf, leaves.next(), &mut found)
        }));
        if found.unchecked_text {
            columns.push(column);
        }
        let mut note = |loss: &str| {
            let (path, name) = (path.display(), field.name());
            notes.push(format!("{path}: column `{name}` {loss}"));
        };
        if found.bson {
            note("is annotated as BSON, which is not kept: it is written as plain bytes");
        }
        if found.utc_time && !is_of_arrow {
            note(
                "has times of day in UTC, of which the zone is not kept: they are written as plain times",
            );
        }
    }
    let metadata = read_as(metadata, fields.into())?;
    let texts = (!columns.is_empty()).then_some(TextCheck { columns, rows: 0 });
    Ok(Annotated {
        metadata,
        texts,
        notes,
    })
}

/// The annotations found in a column.
#[derive(Debug, Default)]
struct Found {
    unchecked_text: bool,
    bson: bool,
    utc_time: bool,
}

/// The type that a leaf is read in: text in the place of the bytes of ENUM.
fn leaf_as(given: &DataType, leaf: Option<&ColumnDescriptor>, found: &mut Found) -> DataType {
    let time = leaf.and_then(ColumnDescriptor::logical_type_ref);
    found.utc_time |= matches!(time, Some(LogicalType::Time(time)) if time.is_adjusted_to_u_t_c);
    let Some(leaf) = leaf.filter(|leaf| leaf.physical_type() == Type::BYTE_ARRAY) else {
        return given.clone();
    };
    let (logical, converted) = (leaf.logical_type_ref(), leaf.converted_type());
    found.bson |= matches!(logical, Some(LogicalType::Bson)) || converted == ConvertedType::BSON;
    let is_enum = matches!(logical, Some(LogicalType::Enum)) || converted == ConvertedType::ENUM;
    let read = match given {
        DataType::Binary if is_enum => DataType::Utf8,
        given => given.clone(),
    };
    let values = match &read {
        DataType::Dictionary(_, values) => values,
        values => values,
    };
    found.unchecked_text |= values.is_string() && converted != ConvertedType::UTF8;
    read
}

impl TextCheck {
    /// Checks the text of the next batch.
    ///
    /// # Errors
    /// The first column with a value that is not UTF-8.
    pub(super) fn check(&mut self, path: &Path, batch: &RecordBatch) -> Result<(), InputError> {
        for &column in &self.columns {
            let checked = batch.column(column).to_data().validate_full();
            checked.map_err(|source| {
                let name = batch.schema_ref().field(column).name().clone();
                let last = self.rows + batch.num_rows() as u64;
                let reason = format!(
                    "column {name:?} is text, and not UTF-8, in one of the rows {} to {last}: {source}",
                    self.rows + 1
                );
                InputError::Arrow {
                    path: path.to_owned(),
                    source: ArrowError::ParseError(reason),
                }
            })?;
        }
        self.rows += batch.num_rows() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;
    use std::fs::File;

    use arrow::array::AsArray;
    use parquet::arrow::arrow_reader::ArrowReaderOptions;
    use parquet::data_type::{ByteArray, ByteArrayType};
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;

    use super::*;

    /// A file of one row, of columns of these annotations and values.
    fn file(columns: &[(&str, &[u8])]) -> File {
        let text = columns.iter().enumerate().map(|(number, (annotation, _))| {
            format!("required binary column{number} {annotation};")
        });
        let text = format!("message rows {{ {} }}", text.collect::<String>());
        let schema = Arc::new(parse_message_type(&text).unwrap());
        let mut file = tempfile::tempfile().unwrap();
        let mut writer = SerializedFileWriter::new(&mut file, schema, Default::default()).unwrap();
        let mut group = writer.next_row_group().unwrap();
        for (_, value) in columns {
            let mut column = group.next_column().unwrap().unwrap();
            let values = [ByteArray::from(value.to_vec())];
            let typed = column.typed::<ByteArrayType>();
            typed.write_batch(&values, None, None).unwrap();
            column.close().unwrap();
        }
        group.close().unwrap();
        writer.close().unwrap();
        file
    }

    fn annotated(file: &File) -> Annotated {
        let metadata = ArrowReaderMetadata::load(file, ArrowReaderOptions::new()).unwrap();
        open(metadata, Path::new("a.parquet")).unwrap()
    }

    #[test]
    fn an_enumeration_is_text_and_what_bson_loses_is_said() {
        let columns: [(&str, &[u8]); 4] = [
            ("(ENUM)", b"SUNNY"),
            ("(BSON)", b"\x05\0\0\0\0"),
            ("", b"\xff"),
            ("(UTF8)", b"a"),
        ];
        let file = file(&columns);
        let Annotated {
            metadata,
            texts,
            notes,
        } = annotated(&file);
        let types: Vec<&DataType> = metadata
            .schema()
            .fields()
            .iter()
            .map(|f| f.data_type())
            .collect();
        use DataType::{Binary, Utf8};
        assert_eq!(types, [&Utf8, &Binary, &Binary, &Utf8]);
        assert!(
            matches!(notes.as_slice(), [note] if note.contains("column1") && note.contains("BSON")),
            "{notes:?}"
        );
        let mut batches =
            parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::new_with_metadata(
                file, metadata,
            )
            .build()
            .unwrap();
        let batch = batches.next().unwrap().unwrap();
        texts
            .unwrap()
            .check(Path::new("a.parquet"), &batch)
            .unwrap();
        assert_eq!(batch.column(0).as_string::<i32>().value(0), "SUNNY");
    }

    #[test]
    fn times_of_day_in_utc_are_told_of_unless_arrow_gave_them() {
        let text = "message rows { required int64 t (TIME(MICROS, true)); required int64 u (TIME(MICROS, false)); }";
        let schema = Arc::new(parse_message_type(text).unwrap());
        for is_of_arrow in [false, true] {
            let file = tempfile::tempfile().unwrap();
            let mut writer =
                SerializedFileWriter::new(&file, Arc::clone(&schema), Default::default()).unwrap();
            if is_of_arrow {
                let fields = ["t", "u"].map(|name| {
                    let time = DataType::Time64(arrow::datatypes::TimeUnit::Microsecond);
                    arrow::datatypes::Field::new(name, time, false)
                });
                let given = arrow::datatypes::Schema::new(fields.to_vec());
                let given = parquet::arrow::encode_arrow_schema(&given);
                let key = ARROW_SCHEMA_META_KEY.to_owned();
                writer
                    .append_key_value_metadata(parquet::file::metadata::KeyValue::new(key, given));
            }
            writer.close().unwrap();
            let notes = annotated(&file).notes;
            match is_of_arrow {
                true => assert!(notes.is_empty(), "{notes:?}"),
                false => assert!(
                    matches!(notes.as_slice(), [note] if note.contains("`t`") && note.contains("UTC")),
                    "{notes:?}"
                ),
            }
        }
    }

    #[test]
    fn text_of_json_and_of_enumerations_is_checked() {
        for annotation in ["(JSON)", "(ENUM)"] {
            let checked = annotated(&file(&[(annotation, b"\xff\xfe")])).texts;
            assert_eq!(checked.unwrap().columns, [0], "{annotation}");
        }
        assert!(
            annotated(&file(&[("(UTF8)", b"a"), ("", b"\xff")]))
                .texts
                .is_none()
        );
        // What the decoder makes of such a file in a build without its own checks.
        let bytes = arrow::buffer::Buffer::from(b"\xff\xfe".to_vec());
        let offsets = arrow::buffer::Buffer::from_vec(vec![0_i32, 2]);
        let data = arrow::array::ArrayData::builder(DataType::Utf8)
            .len(1)
            .add_buffer(offsets)
            .add_buffer(bytes);
        // SAFETY: nobody looks at the text but the check, which takes it for bytes.
        #[allow(unsafe_code)]
        let text = arrow::array::make_array(unsafe { data.build_unchecked() });
        let batch = RecordBatch::try_from_iter([("mood", text)]).unwrap();
        let mut check = TextCheck {
            columns: vec![0],
            rows: 7,
        };
        let error = check.check(Path::new("a.parquet"), &batch).unwrap_err();
        let error = error.source().unwrap().to_string();
        assert!(
            error.contains("\"mood\"") && error.contains("rows 8 to 8"),
            "{error}"
        );
    }
}
