//! [`Files`]: the command's readers of files, for the Python package.
//!
//! Not for others: what is here may change in any version.

use std::error::Error as StdError;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use atomic_arrow::arrow::array::RecordBatch;
use atomic_arrow::arrow::datatypes::SchemaRef;
use atomic_arrow::{Error, PartitionError};
use clap::error::{ContextKind, ContextValue};
use clap::{CommandFactory as _, FromArgMatches as _, Parser};

use crate::args::InputArgs;
use crate::input::{self, Input, InputError};
use crate::rows::{self, NotTaken};

/// Files that are read as one sequence of batches.
pub struct Files(Input);

/// The reason why files cannot be written elsewhere; nothing of them is published.
#[derive(Debug)]
#[non_exhaustive]
pub enum FilesError {
    /// An option of reading, as the command spells it, has no such value.
    Option {
        /// The option, such as `--delimiter`.
        option: String,
        /// What is wrong.
        reason: String,
    },
    /// What is in the files, or there are none.
    Input(Box<dyn StdError + Send + Sync>),
    /// The system, while a file was opened or read.
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A row that cannot be partitioned.
    Row {
        /// The file, in which the row is counted.
        path: PathBuf,
        /// What is wrong.
        source: PartitionError,
    },
    /// The writer.
    Write(Error),
}

/// The options of reading, as the command has them.
#[derive(Debug, Parser)]
#[command(disable_help_flag = true)]
struct Asked {
    #[command(flatten)]
    input: InputArgs,
}

impl Files {
    /// Opens files, directories and patterns, with options as on the command line. A batch may take `batch_bytes` bytes,
    /// where that is more than otherwise. Once `interrupt` is raised, reading fails.
    ///
    /// # Errors
    /// What cannot be read, and options that have no such value.
    pub fn open(
        inputs: &[String],
        options: &[String],
        batch_bytes: Option<u64>,
        interrupt: Arc<AtomicBool>,
    ) -> Result<Self, FilesError> {
        let name = String::from("files");
        let words = std::iter::once(&name).chain(options);
        let matches = Asked::command().try_get_matches_from(words);
        let asked = matches.and_then(|matches| Asked::from_arg_matches(&matches));
        let Asked { input } = asked.map_err(|error| refused(&error))?;
        if let Err(text) = input.check() {
            let (option, reason) = text.split_once(": ").unwrap_or(("", text));
            return Err(FilesError::Option {
                option: option.to_owned(),
                reason: reason.to_owned(),
            });
        }
        let options = input.options(batch_bytes);
        Ok(Files(input::open(inputs, &options, interrupt)?))
    }

    /// The schema of all batches, as far as it is known.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        self.0.schema()
    }

    /// Opens a writer and has it take all rows; and another one where later rows turn out to have other types. Gives the
    /// writer, and what the user should know of the files.
    ///
    /// # Errors
    /// What cannot be read or written.
    pub fn write_into<W>(
        mut self,
        open: impl Fn(SchemaRef) -> atomic_arrow::Result<W>,
        write: impl Fn(&mut W, &RecordBatch) -> atomic_arrow::Result<()>,
    ) -> Result<(W, Vec<String>), FilesError> {
        let writer = rows::take_all(&mut self.0, |_| {}, |_| {}, open, write);
        let writer = writer.map_err(|error| match error {
            NotTaken::Input(error) => (*error).into(),
            NotTaken::LeftOut(column) => FilesError::Option {
                option: "--select".to_owned(),
                reason: format!(
                    "leaves out column `{column}`, of which a key is made, or names it otherwise"
                ),
            },
            NotTaken::Row(path, source) => FilesError::Row { path, source },
            NotTaken::Write(error) => FilesError::Write(error),
        })?;
        Ok((writer, self.0.take_notes()))
    }
}

impl From<InputError> for FilesError {
    fn from(error: InputError) -> Self {
        match error {
            InputError::Io { path, source } => FilesError::Read { path, source },
            error => FilesError::Input(Box::new(error)),
        }
    }
}

fn refused(error: &clap::Error) -> FilesError {
    let option = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(option)) => option.as_str(),
        _ => "",
    };
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    let reason = first.strip_prefix("error: ").unwrap_or(first);
    FilesError::Option {
        option: option.split(' ').next().unwrap_or_default().to_owned(),
        reason: reason.replace(&format!(" for '{option}'"), ""),
    }
}
