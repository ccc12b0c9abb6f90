//! The input of `write`: files, patterns and standard input, read as one sequence of batches.
//!
//! Owns the way from `INPUT…` to Arrow batches of one schema, strictly: an input that is cut short,
//! damaged or of columns that do not go with those of the others ends the run with an error, and nothing is
//! padded, dropped or rounded. A type that is inferred from a sample, or taken from the first of several
//! inputs, is a guess, and so are the first one's columns: where they do not hold, everything is read for its
//! types, and then again. What the user asks to be picked, renamed and cast is done to the batches of all.
//! Memory stays bounded whatever the input's length (promises P9 and P10). It writes nothing.

mod agree;
mod annotations;
mod avro_blocks;
mod avro_reader;
mod cells;
mod csv_reader;
mod csv_rows;
mod dates;
mod encoding;
mod error;
mod exact;
mod format;
mod guard;
mod guess;
mod hive;
mod int96;
mod integers;
mod ipc_reader;
mod json_lines;
mod json_reader;
mod json_rows;
mod leaves;
mod parquet_reader;
mod paths;
mod place;
mod quoted;
mod schema_spec;
mod shape;
mod source;
mod spot;
mod stream;
mod survey;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::RecordBatch;
use arrow::datatypes::{FieldRef, Schema, SchemaRef, TimeUnit};
use atomic_arrow::schema::fit;
use encoding_rs::Encoding;

pub(crate) use self::dates::DateFormat;
pub(crate) use self::encoding::named as encoding_named;
pub(crate) use self::error::InputError;
pub(crate) use self::format::InputFormat;
pub(crate) use self::schema_spec::SchemaSpec;
pub(crate) use self::shape::Select;

use self::guard::guard;
use self::paths::Place;
use self::place::{Batches, Opened, Opening};
use self::shape::Shape;
use self::source::Watch;

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
    /// The delimiter of CSV; by default the comma, and the tab for TSV.
    pub(crate) delimiter: Option<u8>,
    /// Whether the first row of CSV names the columns; by default it does.
    pub(crate) header: bool,
    /// Texts that are null in every column of CSV; by default none but the field of nothing, which always is.
    ///
    /// `NA` and the quoted empty field are null besides in columns that are not text, also without being
    /// named here.
    pub(crate) null_values: Vec<String>,
    /// The character that escapes a quote in CSV, besides a second quote; by default none.
    pub(crate) escape: Option<u8>,
    /// The character that begins a comment line of CSV; by default none.
    pub(crate) comment: Option<u8>,
    /// The format of dates and times in CSV; by default that of ISO 8601.
    pub(crate) dates: Option<DateFormat>,
    /// The encoding of text without a byte order mark; by default UTF-8.
    pub(crate) encoding: Option<&'static Encoding>,
    /// Whether directories named `key=value` give columns; by default they do.
    pub(crate) hive: bool,
    /// Types of those columns that are not to be inferred; by default none.
    pub(crate) hive_types: SchemaSpec,
    /// Rows of the first input from which types are inferred at first, by default 10,000.
    pub(crate) infer_rows: usize,
    /// Types of columns that are not to be inferred; by default none.
    pub(crate) schema: SchemaSpec,
    /// Types that columns are cast to once they are read; by default none.
    pub(crate) casts: SchemaSpec,
    /// The columns that are written; by default all.
    pub(crate) select: Select,
    /// Rows of a batch of CSV, NDJSON and Parquet, at most; by default 8,192.
    pub(crate) batch_size: usize,
    /// Bytes of memory that any batch of Arrow IPC may take, where that is more than what its stored
    /// bytes allow; by default none.
    pub(crate) batch_bytes: u64,
}

impl Default for InputOptions {
    fn default() -> Self {
        Self {
            format: None,
            delimiter: None,
            header: true,
            null_values: Vec::new(),
            escape: None,
            comment: None,
            dates: None,
            encoding: None,
            hive: true,
            hive_types: SchemaSpec::default(),
            infer_rows: 10_000,
            schema: SchemaSpec::default(),
            casts: SchemaSpec::default(),
            select: Select::default(),
            batch_size: 8_192,
            batch_bytes: 0,
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
    let places = paths::expand(inputs)?;
    let named = places.iter().filter(|_| options.hive);
    let key_types = hive::types(named, &options.hive_types)?;
    let mut input = Input {
        bytes_total: places.iter().map(Place::len).sum(),
        options: options.clone(),
        watch: Watch::new(interrupt),
        path: places
            .first()
            .map(|place| place.path().to_owned())
            .unwrap_or_default(),
        places,
        next: 0,
        key_types,
        columns: Columns::default(),
        shape: None,
        surveyed: false,
        reading: None,
        notes: Vec::new(),
        said: HashSet::new(),
    };
    input.begin().map_err(|error| input.or_interrupted(error))?;
    // What CSV and JSON say of a type differs, and which of them comes first must not tell.
    if options.format.is_none() && paths::mix_texts(&input.places) {
        input.restart()?;
    }
    Ok(input)
}

/// The batches of all inputs, one after the other, under one schema.
///
/// The schema is the first input's until something does not fit it: then the next batch is
/// [`InputError::Guessed`], and [`Input::restart`] gives all batches again under a schema that holds
/// everything. After another error there are no more batches.
pub(crate) struct Input {
    options: InputOptions,
    watch: Watch,
    places: Vec<Place>,
    /// The index of the next place to read.
    next: usize,
    path: PathBuf,
    /// The columns that directories may give.
    key_types: Vec<FieldRef>,
    columns: Columns,
    /// What is made of these columns, once they are known.
    shape: Option<Shape>,
    /// Whether everything was read to find the types: they are no guesses then.
    surveyed: bool,
    /// The input at `path`; none once all is read or failed.
    reading: Option<Reading>,
    /// The notes for the user, and those that he was told already.
    notes: Vec<String>,
    said: HashSet<String>,
    bytes_total: Option<u64>,
}

/// The columns of all inputs, as far as they are known.
#[derive(Debug, Clone)]
struct Columns {
    schema: SchemaRef,
    /// Columns guessed from nothing but nulls.
    unseen: Vec<String>,
    /// Places in JSON with nothing but objects without keys.
    empty_objects: Vec<String>,
    /// Keys of directories that the files have as columns too.
    kept: Vec<String>,
    /// The unit in which INT96 is read.
    int96: TimeUnit,
}

impl Default for Columns {
    fn default() -> Self {
        Self {
            schema: Arc::new(Schema::empty()),
            unseen: Vec::new(),
            empty_objects: Vec::new(),
            kept: Vec::new(),
            int96: TimeUnit::Nanosecond,
        }
    }
}

/// The columns as a reader of text is told them, where they are known.
#[derive(Debug, Clone, Copy)]
struct Known<'a> {
    schema: &'a SchemaRef,
    /// Columns that the directories of the file give.
    keys: &'a [&'a str],
    unseen: &'a [String],
    empty_objects: &'a [String],
}

/// An input that is being read.
struct Reading {
    keys: hive::Columns,
    batches: Batches,
    /// The number of rows that the input gave so far.
    rows: u64,
}

impl Input {
    /// The schema of every batch.
    pub(crate) fn schema(&self) -> SchemaRef {
        match &self.shape {
            Some(shape) => Arc::clone(shape.schema()),
            None => Arc::clone(&self.columns.schema),
        }
    }

    /// Whether the inputs have a column of this name that is not written under it.
    pub(crate) fn leaves_out(&self, column: &str) -> bool {
        let mut shape = self.shape.iter();
        shape.any(|shape| shape.leaves_out(column))
    }

    /// The first column, with its type, that was guessed from texts which a cast to text would not bring back. Whole numbers
    /// are spelled in one way.
    fn spelled_otherwise(&self) -> Option<(String, String)> {
        if !paths::have_text(&self.places, self.options.format) {
            return None;
        }
        let mut casts = self.options.casts.iter();
        casts.find_map(|(column, to)| {
            let (_, field) = self.columns.schema.column_with_name(column)?;
            let is = field.data_type();
            let is_guessed = self.options.schema.get(column).is_none()
                && !self.key_types.iter().any(|key| key.name() == column);
            let is_changed =
                cells::is_text(to) && !cells::is_text(is) && !is.is_integer() && !is.is_null();
            (is_guessed && is_changed).then(|| (column.to_owned(), is.to_string()))
        })
    }

    /// Finds what is to be made of the columns.
    fn reshape(&mut self) -> Result<(), InputError> {
        let InputOptions { select, casts, .. } = &self.options;
        if let Some((column, is)) = self.spelled_otherwise() {
            let reason = format!(
                "is read from text as {is}, and its texts may be spelled otherwise: --schema keeps each as it is"
            );
            return Err(InputError::CastType { column, reason });
        }
        if *select != Select::default() || *casts != SchemaSpec::default() {
            self.shape = Some(Shape::new(&self.columns.schema, select, casts)?);
        }
        Ok(())
    }

    /// A batch of the columns as it is written; `rows` came before it from its input.
    fn shaped(&self, batch: RecordBatch, rows: u64) -> Result<RecordBatch, InputError> {
        let Some(shape) = &self.shape else {
            return Ok(batch);
        };
        shape.apply(&batch).map_err(|not| InputError::NotCast {
            path: self.path.clone(),
            column: not.column,
            row: not.row.map(|row| row + rows),
            reason: not.reason,
        })
    }

    /// The length of all inputs as they lie on disk, where it is known.
    pub(crate) fn bytes_total(&self) -> Option<u64> {
        self.bytes_total
    }

    /// The number of bytes read so far.
    pub(crate) fn bytes_read(&self) -> u64 {
        self.watch.bytes_read.load(Ordering::Relaxed)
    }

    /// The input being read.
    pub(crate) fn current_path(&self) -> &Path {
        &self.path
    }

    /// Takes the notes for the user on how the inputs are read, each once.
    pub(crate) fn take_notes(&mut self) -> Vec<String> {
        let mut notes = std::mem::take(&mut self.notes);
        notes.retain(|note| self.said.insert(note.clone()));
        notes
    }

    /// Reads everything for its types, and begins again with those.
    ///
    /// # Errors
    /// What cannot be read.
    pub(crate) fn restart(&mut self) -> Result<(), InputError> {
        self.reading = None;
        let survey = survey::run(
            &self.places,
            &self.options,
            &self.columns,
            &self.key_types,
            &self.watch,
        );
        let (columns, notes) = survey.map_err(|error| self.or_interrupted(error))?;
        (self.columns, self.surveyed, self.next) = (columns, true, 0);
        self.reshape()?;
        // What is to be known of the inputs is found again.
        self.notes = notes;
        self.watch.bytes_read.store(0, Ordering::Relaxed);
        self.reading = self
            .next_input()
            .map_err(|error| self.or_interrupted(error))?;
        Ok(())
    }

    fn or_interrupted(&self, error: InputError) -> InputError {
        self.watch.or_interrupted(&self.path, error)
    }

    /// Opens the first input, whose columns are those of all until another needs others.
    fn begin(&mut self) -> Result<(), InputError> {
        let Some(first) = self.places.first() else {
            return Err(InputError::NoInput);
        };
        let opened = self.opening().open(first, None)?;
        let Opened {
            schema,
            unseen,
            empty_objects,
            keys,
            notes,
            batches,
        } = opened;
        self.columns = Columns {
            schema,
            unseen,
            empty_objects,
            kept: keys.kept(),
            ..Columns::default()
        };
        self.notes.extend(notes);
        self.reading = Some(Reading {
            keys,
            batches,
            rows: 0,
        });
        self.next = 1;
        self.reshape()
    }

    fn opening(&self) -> Opening<'_> {
        Opening {
            options: &self.options,
            watch: &self.watch,
            key_types: &self.key_types,
            int96: self.columns.int96,
        }
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, InputError> {
        while let Some(reading) = &mut self.reading {
            if self.watch.interrupted() {
                return Err(InputError::Interrupted {
                    path: self.path.clone(),
                });
            }
            match guarded(&self.path, || reading.batches.next().transpose())? {
                Some(batch) if batch.num_rows() == 0 => {}
                Some(batch) => {
                    let batch = reading.keys.add(&self.path, batch)?;
                    let fitted = fit(&batch, &self.columns.schema);
                    let rows = reading.rows;
                    reading.rows += batch.num_rows() as u64;
                    let fitted = fitted.map_err(|refused| InputError::Misfit {
                        path: self.path.clone(),
                        source: refused.behind(rows),
                    })?;
                    return self.shaped(fitted, rows).map(Some);
                }
                None => self.reading = self.next_input()?,
            }
        }
        Ok(None)
    }

    fn next_input(&mut self) -> Result<Option<Reading>, InputError> {
        let Some(place) = self.places.get(self.next) else {
            return Ok(None);
        };
        self.next += 1;
        self.path = place.path().to_owned();
        let opened = self.opening().open(place, Some(&self.columns))?;
        let lacking = agree::check(&self.path, &self.columns.schema, &opened.schema)?;
        self.notes.extend(agree::note(&self.path, &lacking));
        self.notes.extend(opened.notes);
        let Opened { keys, batches, .. } = opened;
        Ok(Some(Reading {
            keys,
            batches,
            rows: 0,
        }))
    }

    /// Whether reading again with wider types may do away with an error.
    fn is_guessed(&self, error: &InputError) -> bool {
        let told = |place: &str| {
            let column = place.split(['.', '[']).next().unwrap_or_default();
            [place, column]
                .iter()
                .any(|name| self.options.schema.get(name).is_some())
        };
        if matches!(error, InputError::Int96 { .. }) {
            return self.columns.int96 == TimeUnit::Nanosecond && self.watch.can_restart();
        }
        let may_widen = match error {
            InputError::Value { column, .. } => !told(column),
            InputError::JsonKey { key, .. } => !told(key),
            InputError::JsonRow { .. } => true,
            InputError::TypesDisagree { .. } | InputError::MetadataDisagree { .. } => true,
            _ => false,
        };
        may_widen && !self.surveyed && self.watch.can_restart()
    }
}

impl Iterator for Input {
    type Item = Result<RecordBatch, InputError>;

    fn next(&mut self) -> Option<Self::Item> {
        let error = match self.next_batch() {
            Ok(batch) => return batch.map(Ok),
            Err(error) => self.or_interrupted(error),
        };
        self.reading = None;
        if !self.is_guessed(&error) {
            return Some(Err(error));
        }
        if matches!(error, InputError::Int96 { .. }) {
            self.columns.int96 = TimeUnit::Microsecond;
        }
        Some(Err(InputError::Guessed {
            path: self.path.clone(),
            source: Box::new(error),
        }))
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

#[cfg(test)]
mod tests;
