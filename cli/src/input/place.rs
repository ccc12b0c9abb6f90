//! Opens one input in its format: its columns, and an iterator over its batches.
//!
//! Owns which reader an input gets, and that columns which bring their types agree with `--schema`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{FieldRef, Fields, Schema, SchemaRef, TimeUnit};
use atomic_arrow::format::IpcBounds;
use atomic_arrow::schema::common_type;

use super::avro_reader::AvroReader;
use super::csv_reader::CsvReader;
use super::format::InputFormat;
use super::guess::Guess;
use super::ipc_reader::{IpcFileReader, IpcStreamReader};
use super::json_reader::{self, JsonReader};
use super::json_rows::ObjectGuess;
use super::parquet_reader::ParquetReader;
use super::paths::Place;
use super::source::{Body, Source, Watch};
use super::stream::Stream;
use super::{Columns, InputError, InputOptions, Known, guarded, hive};

/// The batches of one input.
pub(super) type Batches = Box<dyn Iterator<Item = Result<RecordBatch, InputError>> + Send>;

/// The options of opening an input.
#[derive(Clone, Copy)]
pub(super) struct Opening<'a> {
    pub(super) options: &'a InputOptions,
    pub(super) watch: &'a Watch,
    pub(super) key_types: &'a [FieldRef],
    pub(super) int96: TimeUnit,
}

/// An input whose columns are known.
pub(super) struct Opened {
    /// The columns, those that its directories give among them.
    pub(super) schema: SchemaRef,
    pub(super) unseen: Vec<String>,
    pub(super) empty_objects: Vec<String>,
    pub(super) keys: hive::Columns,
    pub(super) notes: Vec<String>,
    pub(super) batches: Batches,
}

/// The result of reading a whole input for the types of its columns.
pub(super) enum Surveyed {
    /// Types that the input brings.
    Typed(SchemaRef),
    /// Types that the texts of each column may have.
    Csv(Vec<(String, Guess)>),
    /// Rows of JSON, which were added to those of the inputs before.
    Json,
}

/// A reader of an input, by where its column types come from.
enum Reader {
    /// The format has types.
    Typed(SchemaRef, Batches, Vec<String>),
    /// The input is text, whose types are guessed.
    Text(Text),
}

/// Text that is not read yet.
struct Text {
    path: PathBuf,
    stream: Stream,
    compressed: bool,
    /// What divides fields; none in JSON.
    delimiter: Option<u8>,
}

impl Opening<'_> {
    /// Opens an input, under the columns where they are known.
    ///
    /// # Errors
    /// What cannot be read, or has other columns.
    pub(super) fn open(self, place: &Place, known: Option<&Columns>) -> Result<Opened, InputError> {
        guarded(place.path(), || match self.reader(place)? {
            Reader::Text(text) => self.open_text(place, text, known),
            Reader::Typed(schema, batches, notes) => {
                let path = place.path();
                let schema = match known {
                    None => told(path, &schema, self.options)?,
                    Some(_) => schema,
                };
                let keys = hive::Columns::new(place, self.key_types, &schema)?;
                Ok(Opened {
                    schema: keys.schema(&schema),
                    unseen: Vec::new(),
                    empty_objects: Vec::new(),
                    keys,
                    notes,
                    batches,
                })
            }
        })
    }

    /// Reads a whole input for its types; the rows of JSON are added to `json`.
    ///
    /// # Errors
    /// What cannot be read.
    pub(super) fn survey(
        self,
        place: &Place,
        json: &mut ObjectGuess,
    ) -> Result<Surveyed, InputError> {
        guarded(place.path(), || {
            let text = match self.reader(place)? {
                Reader::Typed(schema, ..) => return Ok(Surveyed::Typed(schema)),
                Reader::Text(text) => text,
            };
            let Text {
                path,
                stream,
                compressed,
                delimiter,
            } = text;
            // All rows are looked at, and so no sample is taken.
            let options = InputOptions {
                infer_rows: 0,
                schema: Default::default(),
                ..self.options.clone()
            };
            let Some(delimiter) = delimiter else {
                json_reader::survey(path, stream, compressed, &options, json)?;
                return Ok(Surveyed::Json);
            };
            let reader = CsvReader::open(path, stream, compressed, delimiter, &options, None)?;
            reader.survey().map(Surveyed::Csv)
        })
    }

    fn reader(self, place: &Place) -> Result<Reader, InputError> {
        let Source {
            path,
            format,
            compressed,
            body,
        } = Source::open(place, self.options.format, self.watch)?;
        let bounds = IpcBounds::new(self.options.batch_bytes);
        let mut notes = Vec::new();
        let (schema, batches) = match body {
            Body::Stream(stream) if format == InputFormat::IpcStream => {
                let reader = IpcStreamReader::open(path.clone(), stream, compressed, bounds)?;
                (reader.schema(), Box::new(reader) as Batches)
            }
            Body::Stream(stream) => {
                let delimiter = match format {
                    InputFormat::Ndjson => None,
                    InputFormat::Tsv => Some(self.options.delimiter.unwrap_or(b'\t')),
                    _ => Some(self.options.delimiter.unwrap_or(b',')),
                };
                return Ok(Reader::Text(Text {
                    path,
                    stream,
                    compressed,
                    delimiter,
                }));
            }
            Body::File { file, counted } => {
                let watch = (!counted).then(|| self.watch.clone());
                let rows = self.options.batch_size;
                match format {
                    InputFormat::Parquet => {
                        let mut reader =
                            ParquetReader::open(path.clone(), file, watch, rows, self.int96)?;
                        notes = reader.take_notes();
                        (reader.schema(), Box::new(reader) as Batches)
                    }
                    InputFormat::Avro => {
                        let reader = AvroReader::open(path.clone(), file, watch, rows)?;
                        (reader.schema(), Box::new(reader) as Batches)
                    }
                    _ => {
                        let reader = IpcFileReader::open(path.clone(), file, watch, bounds)?;
                        (reader.schema(), Box::new(reader) as Batches)
                    }
                }
            }
        };
        for (index, field) in schema.fields().iter().enumerate() {
            if schema.index_of(field.name()).is_ok_and(|at| at != index) {
                let column = field.name().clone();
                return Err(InputError::DuplicateColumn { path, column });
            }
        }
        Ok(Reader::Typed(schema, batches, notes))
    }

    fn open_text(
        self,
        place: &Place,
        text: Text,
        known: Option<&Columns>,
    ) -> Result<Opened, InputError> {
        let Text {
            path,
            stream,
            compressed,
            delimiter,
        } = text;
        let above = match self.options.hive {
            true => hive::keys_of(place),
            false => Vec::new(),
        };
        let kept = |key: &str| known.is_some_and(|known| known.kept.iter().any(|name| name == key));
        let above: Vec<&str> = above.iter().map(|(key, _)| key.as_str()).collect();
        let keys: Vec<&str> = above.into_iter().filter(|key| !kept(key)).collect();
        let known = known.map(|known| Known {
            schema: &known.schema,
            keys: &keys,
            unseen: &known.unseen,
            empty_objects: &known.empty_objects,
        });
        let mut notes = Vec::new();
        let (mut unseen, mut empty_objects) = (Vec::new(), Vec::new());
        let (schema, batches) = match delimiter {
            None => {
                let reader =
                    JsonReader::open(path.clone(), stream, compressed, self.options, known)?;
                let remarks = reader.remarks();
                notes.extend(remarks.notes(&path));
                (unseen, empty_objects) = (remarks.unseen.clone(), remarks.empty_objects.clone());
                (reader.schema(), Box::new(reader) as Batches)
            }
            Some(delimiter) => {
                let mut reader = CsvReader::open(
                    path.clone(),
                    stream,
                    compressed,
                    delimiter,
                    self.options,
                    known,
                )?;
                unseen.extend(reader.unseen());
                notes.extend(reader.take_notes());
                if let Some(other) = reader.other_delimiter(delimiter) {
                    notes.push(format!(
                        "{}: has one column only; if {other:?} divides its fields, say so with --delimiter",
                        path.display()
                    ));
                }
                (reader.schema(), Box::new(reader) as Batches)
            }
        };
        let keys = hive::Columns::new(place, self.key_types, &schema)?;
        Ok(Opened {
            schema: keys.schema(&schema),
            unseen,
            empty_objects,
            keys,
            notes,
            batches,
        })
    }
}

/// The schema with the types that the user set, where those hold all values of the file's own.
///
/// # Errors
/// A column that is missing, or has another type.
pub(super) fn told(
    path: &Path,
    schema: &SchemaRef,
    options: &InputOptions,
) -> Result<SchemaRef, InputError> {
    for (column, wanted) in options.schema.iter() {
        let Some((_, field)) = schema.column_with_name(column) else {
            return Err(InputError::SchemaMissing {
                path: path.to_owned(),
                column: column.to_owned(),
            });
        };
        if common_type(wanted, field.data_type()).as_ref() != Some(wanted) {
            let (is, set) = (field.data_type(), wanted);
            return Err(InputError::Disagree {
                path: path.to_owned(),
                column: column.to_owned(),
                difference: format!(
                    "is {is} in the file, but --schema sets {set}, which does not hold all of its values: cast it in the \
                     file, or set a type that does"
                ),
            });
        }
    }
    let fields = schema
        .fields()
        .iter()
        .map(|field| match options.schema.get(field.name()) {
            Some(wanted) => Arc::new(field.as_ref().clone().with_data_type(wanted.clone())),
            None => Arc::clone(field),
        });
    let fields = fields.collect::<Fields>();
    Ok(Arc::new(Schema::new_with_metadata(
        fields,
        schema.metadata().clone(),
    )))
}
