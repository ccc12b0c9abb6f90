//! Writing files of other formats into a data set, by the command's readers.

use std::error::Error as StdError;
use std::path::{Path, PathBuf};

use atomic_arrow::arrow::array::RecordBatch;
use atomic_arrow::arrow::datatypes::SchemaRef;
use atomic_arrow::{DatasetWriter as Writer, DatasetWriterBuilder, DryRun as Run, Error};
use atomic_arrow_cli::files::{Files, FilesError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::calls::Calls;
use crate::dataset::{DatasetWriter, not_published};
use crate::dry_run::DryRun;
use crate::errors::{self, raise, with_causes};
use crate::options;
use crate::store::StoreOptions;
use crate::work::run;

/// The options of reading as the command has them, and as Python has them.
const WORDS: &[(&str, &str)] = &[
    ("--input-format", "input_format="),
    ("--delimiter", "delimiter="),
    ("--no-header", "header=False"),
    ("--encoding", "encoding="),
    ("--escape", "escape="),
    ("--comment", "comment="),
    ("--date-format", "date_format="),
    ("--null", "null_values="),
    ("--infer-rows", "infer_rows="),
    ("--no-hive", "hive=False"),
    ("--hive-types", "hive_types="),
    ("--schema", "schema="),
    ("--memory-limit", "memory_limit="),
    ("--select", "select="),
    ("--cast", "cast="),
];

/// A text in which the options of reading are spelled as arguments of Python. What only holds such a word, as a path
/// may, is left.
fn in_words(text: &str) -> String {
    let words = WORDS.iter();
    words.fold(text.to_owned(), |text, (flag, argument)| {
        let mut found = text.match_indices(flag).collect::<Vec<_>>();
        found.retain(|(at, _)| {
            let (before, after) = (&text[..*at], &text[at + flag.len()..]);
            before
                .chars()
                .next_back()
                .is_none_or(|it| !it.is_alphanumeric() && !"-_/.".contains(it))
                && after
                    .chars()
                    .next()
                    .is_none_or(|it| !it.is_alphanumeric() && !"-_/".contains(it))
        });
        let (mut replaced, mut from) = (String::new(), 0);
        for (at, _) in found {
            replaced.push_str(&text[from..at]);
            replaced.push_str(argument);
            from = at + flag.len();
        }
        replaced + &text[from..]
    })
}

/// The files to read, and how.
#[derive(FromPyObject)]
pub(crate) struct Asked {
    #[pyo3(item)]
    inputs: Vec<String>,
    /// As on the command line.
    #[pyo3(item)]
    options: Vec<String>,
    #[pyo3(item)]
    batch_bytes: Option<u64>,
}

/// Has a writer take all rows of files; gives it, and what is to be said of them.
#[pyfunction]
#[pyo3(signature = (asked, root, options, on_file=None, on_progress=None))]
pub(crate) fn take_files(
    py: Python<'_>,
    asked: Asked,
    root: PathBuf,
    options: &Bound<'_, PyDict>,
    on_file: Option<Py<PyAny>>,
    on_progress: Option<Py<PyAny>>,
) -> PyResult<(DatasetWriter, Vec<String>)> {
    let calls = Calls::new(on_file, on_progress);
    let open = |builder: DatasetWriterBuilder, schema| builder.build(schema);
    let write = |writer: &mut Writer, batch: &RecordBatch| writer.write(batch);
    let (writer, notes) = taken(py, asked, &root, options, &calls, open, write)?;
    let store = StoreOptions::among(options)?.of(py, &[&root])?;
    Ok((DatasetWriter::of(root, calls, writer, store), notes))
}

/// Has a dry run count all rows of files; gives it, and what is to be said of them.
#[pyfunction]
pub(crate) fn count_files(
    py: Python<'_>,
    asked: Asked,
    root: PathBuf,
    options: &Bound<'_, PyDict>,
) -> PyResult<(DryRun, Vec<String>)> {
    let calls = Calls::new(None, None);
    let open = |builder: DatasetWriterBuilder, schema| builder.dry_run(schema);
    let write = |run: &mut Run, batch: &RecordBatch| run.write(batch);
    let (run, notes) = taken(py, asked, &root, options, &calls, open, write)?;
    Ok((DryRun::of(root, calls, run), notes))
}

fn taken<W: Send + 'static>(
    py: Python<'_>,
    asked: Asked,
    root: &Path,
    options: &Bound<'_, PyDict>,
    calls: &Calls,
    open: impl Fn(DatasetWriterBuilder, SchemaRef) -> Result<W, Error> + Send + 'static,
    write: impl Fn(&mut W, &RecordBatch) -> Result<(), Error> + Send + 'static,
) -> PyResult<(W, Vec<String>)> {
    let flag = calls.flag();
    let opened = run(py, calls, move || {
        Files::open(&asked.inputs, &asked.options, asked.batch_bytes, flag)
    })?;
    let files = heeded(py, root, opened)?;
    let builder = options::dataset(root.to_owned(), options, Some(&files.schema()))?;
    let builder = calls.listen(builder);
    let taken = run(py, calls, move || {
        files.write_into(|schema| open(builder.clone(), schema), write)
    })?;
    let (writer, notes) = heeded(py, root, taken)?;
    Ok((writer, notes.iter().map(|note| in_words(note)).collect()))
}

/// What the work gave, if nothing was raised meanwhile.
fn heeded<T>(
    py: Python<'_>,
    root: &Path,
    (done, raised): (Result<T, FilesError>, Option<PyErr>),
) -> PyResult<T> {
    match raised {
        // What was taken is discarded.
        Some(raised) => Err(not_published(py, raised, root)),
        None => done.map_err(|error| exception(py, error)),
    }
}

fn exception(py: Python<'_>, error: FilesError) -> PyErr {
    match error {
        FilesError::Option { option, reason } => {
            let option = in_words(&option);
            let option = option.split('=').next().unwrap_or_default();
            errors::invalid_option(py, option, in_words(&reason))
        }
        FilesError::Read { path, source } => raise(py, &Error::Read { path, source }),
        FilesError::Row { path, source } => {
            let place = path.display();
            let text = with_causes(format_args!("{place}: {source}"), source.source());
            errors::refuse(py, "PartitionError", text)
        }
        FilesError::Write(error) => raise(py, &error),
        FilesError::Input(error) => errors::refuse(
            py,
            "InputError",
            in_words(&with_causes(&error, error.source())),
        ),
        _ => errors::refuse(py, "InputError", "the files cannot be read"),
    }
}
