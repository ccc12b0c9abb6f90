//! Reading what `write` is given: files, patterns and standard input, as one run of batches.
//!
//! Owns the way from `INPUT…` to Arrow batches of one schema, strictly: an input that is cut short,
//! damaged or of other columns than the first ends the run with an error, and nothing is padded,
//! dropped or guessed. Memory stays bounded whatever the input's length. It writes nothing.

mod agree;
mod cells;
mod csv_reader;
mod csv_rows;
mod error;
mod format;
mod guard;
mod ipc_reader;
mod json_reader;
mod parquet_reader;
mod paths;
mod schema_spec;
mod source;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};

pub(crate) use self::error::InputError;
pub(crate) use self::format::InputFormat;
pub(crate) use self::schema_spec::SchemaSpec;

use self::csv_reader::CsvReader;
use self::guard::guard;
use self::ipc_reader::{IpcFileReader, IpcStreamReader};
use self::json_reader::JsonReader;
use self::parquet_reader::ParquetReader;
use self::paths::Place;
use self::source::{Body, Source, Stream, Watch};

/// Bytes of rows read ahead to infer a schema, at most.
const SAMPLE_BYTES: usize = 16 << 20;
/// Bytes of text after which a batch ends, whatever its rows.
const BATCH_BYTES: usize = 32 << 20;
/// Bytes of one row of text, at most; fewer in tests, which would be slow otherwise.
const ROW_BYTES: u64 = if cfg!(test) { 1 << 20 } else { 64 << 20 };

/// How the inputs are read.
#[derive(Debug, Clone)]
pub(crate) struct InputOptions {
    /// The format of every input; by default each file's name tells.
    pub(crate) format: Option<InputFormat>,
    /// What divides the fields of CSV; by default the comma, and the tab for TSV.
    pub(crate) delimiter: Option<u8>,
    /// Whether the first row of CSV names the columns; by default it does.
    pub(crate) header: bool,
    /// Texts that are null in every column of CSV; by default the empty one, which always is.
    ///
    /// `NA` is null besides in columns that are not text, also without being named here.
    pub(crate) null_values: Vec<String>,
    /// Rows of the first input from which types are inferred, by default 10,000.
    pub(crate) infer_rows: usize,
    /// Types of columns that are not to be inferred; by default none.
    pub(crate) schema: SchemaSpec,
    /// Rows of a batch of CSV, NDJSON and Parquet, at most; by default 8,192.
    pub(crate) batch_size: usize,
}

impl Default for InputOptions {
    fn default() -> Self {
        Self {
            format: None,
            delimiter: None,
            header: true,
            null_values: vec![String::new()],
            infer_rows: 10_000,
            schema: SchemaSpec::default(),
            batch_size: 8_192,
        }
    }
}

/// Opens the inputs: expands patterns, opens the first, and reads or infers its schema.
///
/// Once `interrupt` is raised, reading ends with [`InputError::Interrupted`].
///
/// # Errors
/// Inputs that do not exist or cannot be told apart, and a first input that cannot be read.
/// Later inputs are opened only when their turn comes.
pub(crate) fn open(
    inputs: &[String],
    options: &InputOptions,
    interrupt: Arc<AtomicBool>,
) -> Result<Input, InputError> {
    let mut places: VecDeque<Place> = paths::expand(inputs)?.into();
    let bytes_total = places.iter().map(Place::len).sum();
    let watch = Watch::new(interrupt);
    let Some(first) = places.pop_front() else {
        return Err(InputError::NoInput);
    };
    let path = first.path().to_owned();
    let (schema, batches) = open_place(&first, options, None, &watch)
        .map_err(|error| watch.or_interrupted(&path, error))?;
    Ok(Input {
        options: options.clone(),
        watch,
        places,
        path,
        schema,
        batches: Some(batches),
        bytes_total,
    })
}

/// The batches of all inputs, one after the other, under the first one's schema.
///
/// After an error there are no more batches.
pub(crate) struct Input {
    options: InputOptions,
    watch: Watch,
    /// The inputs still to come.
    places: VecDeque<Place>,
    path: PathBuf,
    schema: SchemaRef,
    /// The batches of the input at `path`; none once all is read or failed.
    batches: Option<Batches>,
    bytes_total: Option<u64>,
}

/// The batches of one input.
type Batches = Box<dyn Iterator<Item = Result<RecordBatch, InputError>> + Send>;

impl Input {
    /// The schema of every batch.
    pub(crate) fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// The length of all inputs as they lie on disk, where it is known.
    pub(crate) fn bytes_total(&self) -> Option<u64> {
        self.bytes_total
    }

    /// How much of that has been read.
    pub(crate) fn bytes_read(&self) -> u64 {
        self.watch.bytes_read.load(Ordering::Relaxed)
    }

    /// The input being read.
    pub(crate) fn current_path(&self) -> &Path {
        &self.path
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, InputError> {
        while let Some(batches) = &mut self.batches {
            if self.watch.interrupted() {
                return Err(InputError::Interrupted {
                    path: self.path.clone(),
                });
            }
            match guarded(&self.path, || batches.next().transpose())? {
                Some(batch) if batch.num_rows() == 0 => {}
                Some(batch) => {
                    let conformed = agree::conform(batch, &self.schema);
                    return conformed.map(Some).map_err(|source| InputError::Arrow {
                        path: self.path.clone(),
                        source,
                    });
                }
                None => self.batches = self.next_input()?,
            }
        }
        Ok(None)
    }

    fn next_input(&mut self) -> Result<Option<Batches>, InputError> {
        let Some(place) = self.places.pop_front() else {
            return Ok(None);
        };
        self.path = place.path().to_owned();
        let first = Some(&self.schema);
        let (_, batches) = open_place(&place, &self.options, first, &self.watch)?;
        Ok(Some(batches))
    }
}

impl Iterator for Input {
    type Item = Result<RecordBatch, InputError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.next_batch();
        if batch.is_err() {
            self.batches = None;
            self.places.clear();
        }
        batch
            .map_err(|error| self.watch.or_interrupted(&self.path, error))
            .transpose()
    }
}

/// Runs a decoder, taking its panic for the damage that it comes from.
fn guarded<T>(path: &Path, work: impl FnOnce() -> Result<T, InputError>) -> Result<T, InputError> {
    guard(work).unwrap_or_else(|reason| {
        Err(InputError::Damaged {
            path: path.to_owned(),
            reason,
        })
    })
}

/// Opens one input and holds its columns against those of the first, where that is another.
fn open_place(
    place: &Place,
    options: &InputOptions,
    first: Option<&SchemaRef>,
    watch: &Watch,
) -> Result<(SchemaRef, Batches), InputError> {
    guarded(place.path(), || {
        open_unguarded(place, options, first, watch)
    })
}

fn open_unguarded(
    place: &Place,
    options: &InputOptions,
    first: Option<&SchemaRef>,
    watch: &Watch,
) -> Result<(SchemaRef, Batches), InputError> {
    let source = Source::open(place, options.format, watch)?;
    let path = source.path.clone();
    let (schema, batches) = match source.body {
        Body::Stream(stream) => {
            return open_stream(
                source.path,
                stream,
                source.compressed,
                source.format,
                options,
                first,
            );
        }
        Body::File { file, counted } => {
            let watch = (!counted).then(|| watch.clone());
            if source.format == InputFormat::Parquet {
                let reader = ParquetReader::open(source.path, file, watch, options.batch_size)?;
                (reader.schema(), Box::new(reader) as Batches)
            } else {
                let reader = IpcFileReader::open(source.path, file, watch)?;
                (reader.schema(), Box::new(reader) as Batches)
            }
        }
    };
    check_typed(&path, &schema, options, first)?;
    Ok((schema, batches))
}

fn open_stream(
    path: PathBuf,
    stream: Stream,
    compressed: bool,
    format: InputFormat,
    options: &InputOptions,
    first: Option<&SchemaRef>,
) -> Result<(SchemaRef, Batches), InputError> {
    let delimiter = match format {
        InputFormat::Ndjson => {
            let reader = JsonReader::open(path, stream, compressed, options, first)?;
            return Ok((reader.schema(), Box::new(reader)));
        }
        InputFormat::Arrows => {
            let reader = IpcStreamReader::open(path.clone(), stream, compressed)?;
            check_typed(&path, &reader.schema(), options, first)?;
            return Ok((reader.schema(), Box::new(reader)));
        }
        InputFormat::Tsv => b'\t',
        InputFormat::Csv | InputFormat::Parquet | InputFormat::Arrow => b',',
    };
    let delimiter = options.delimiter.unwrap_or(delimiter);
    let reader = CsvReader::open(path, stream, compressed, delimiter, options, first)?;
    Ok((reader.schema(), Box::new(reader)))
}

/// Checks columns that bring their types: against the first input, or against `--schema`.
fn check_typed(
    path: &Path,
    found: &Schema,
    options: &InputOptions,
    first: Option<&SchemaRef>,
) -> Result<(), InputError> {
    if let Some(first) = first {
        return agree::check(path, first, found);
    }
    for (index, field) in found.fields().iter().enumerate() {
        if found.index_of(field.name()).is_ok_and(|at| at != index) {
            return Err(InputError::DuplicateColumn {
                path: path.to_owned(),
                column: field.name().clone(),
            });
        }
    }
    for (column, wanted) in options.schema.iter() {
        let Some((_, field)) = found.column_with_name(column) else {
            return Err(InputError::SchemaMissing {
                path: path.to_owned(),
                column: column.to_owned(),
            });
        };
        if !field.data_type().equals_datatype(wanted) {
            let (is, set) = (field.data_type(), wanted);
            return Err(InputError::Disagree {
                path: path.to_owned(),
                column: column.to_owned(),
                difference: format!("is {is} in the file, but --schema sets {set}"),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
