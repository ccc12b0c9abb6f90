//! The end of a run: exit codes, and messages on standard error (promise P5).
//!
//! Every failure names its cause chain, one line each, and maps to the code that is true of the disk.

use std::error::Error as StdError;
use std::fmt::Display;
use std::io::{self, Write as _};

use atomic_arrow::{Error, ErrorKind, Face, Outcome, PartitionError, Remedy};

use crate::input::InputError;
use crate::rows::NotTaken;

/// The exit codes, as every `--help` lists them.
pub(crate) const CODES: &str = "\
Exit codes:
    0  done
    1  failed, nothing published
    2  wrong usage, nothing done
    3  damage found, by `verify` or in a file before it was published
    4  published in part, which `recover` or the next `write` finishes, unless the message says
       that it cannot be; or not known to be published, or to be durable
    5  conflict: something is there already, or was changed meanwhile; nothing published
  130  interrupted, nothing published
A file that grows beyond `ulimit -f` is a failure like a full disk. Where nobody reads the output
any more (a broken pipe), the work goes on, and the code is the same.";

/// The exit code of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All that was asked for is done.
    Done = 0,
    /// It failed, and nothing was published.
    Failed = 1,
    /// The options contradict each other.
    Usage = 2,
    /// A file is damaged.
    Damage = 3,
    /// Something was published, and not all of it, or it may not be durable.
    Partial = 4,
    /// Something is there already.
    Conflict = 5,
    /// A signal came before anything was published.
    Interrupted = 130,
}

impl From<Exit> for u8 {
    fn from(exit: Exit) -> Self {
        exit as u8
    }
}

/// The failure of a run: its message, causes and exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    message: String,
    causes: Vec<String>,
    hint: Option<&'static str>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Display) -> Self {
        Failure {
            exit,
            message: in_words(message),
            causes: Vec::new(),
            hint: None,
        }
    }

    /// A failure of a system call that the command itself made.
    pub(crate) fn io(message: impl Display, error: &io::Error) -> Self {
        Failure {
            hint: None,
            ..Failure::new(Exit::Failed, message).caused_by(error)
        }
    }

    /// The failure of a run that a signal ended before anything was published.
    pub(crate) fn interrupted() -> Self {
        Failure::new(Exit::Interrupted, "interrupted: nothing was published")
    }

    /// The failure of columns or rows that cannot be partitioned; `place` says where they are.
    pub(crate) fn rows(place: impl Display, error: &PartitionError) -> Self {
        Failure::new(Exit::Failed, format_args!("{place}: {error}")).with_causes(error)
    }

    /// The same failure with what can be done, if it does not say that yet.
    pub(crate) fn with_hint(mut self, hint: &'static str) -> Self {
        self.hint = self.hint.or(Some(hint));
        self
    }

    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    /// Prints the failure and its causes on standard error.
    pub(crate) fn print(&self) {
        message(format_args!("error: {}", self.message));
        for cause in &self.causes {
            message(format_args!("  because: {cause}"));
        }
        if let Some(hint) = self.hint {
            message(format_args!("  hint: {hint}"));
        }
    }

    /// The same failure with a cause, and the causes of that.
    pub(crate) fn caused_by(mut self, cause: &(dyn StdError + 'static)) -> Self {
        self.hint = self.hint.or_else(|| hint(cause));
        // Some libraries repeat the cause in their message.
        let text = in_words(cause);
        let last = self.causes.last().unwrap_or(&self.message);
        if !last.contains(&text) {
            self.causes.push(text);
        }
        self.with_causes(cause)
    }

    fn with_causes(self, error: &dyn StdError) -> Self {
        match error.source() {
            Some(cause) => self.caused_by(cause),
            None => self,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        if error.kind() == ErrorKind::Interrupted {
            return Failure::interrupted();
        }
        if let Error::InvalidOption { option, reason } = &error {
            return Failure::new(Exit::Usage, format_args!("{}: {reason}", spelled(option)));
        }
        let exit = match (error.kind(), error.outcome()) {
            (
                _,
                Outcome::PublishedNotDurable
                | Outcome::PublishedInPart
                | Outcome::Lost
                | Outcome::Unknown,
            ) => Exit::Partial,
            _ if error.is_conflict() => Exit::Conflict,
            (ErrorKind::Damaged, _) => Exit::Damage,
            _ => Exit::Failed,
        };
        let failure = Failure::new(exit, &error).with_causes(&error);
        match error {
            Error::Unfinished { .. } => Failure {
                hint: Some(
                    "with that out of the way, `recover` or the next `write` publishes the rest",
                ),
                ..failure
            },
            _ => failure,
        }
    }
}

impl From<NotTaken> for Failure {
    fn from(error: NotTaken) -> Self {
        match error {
            NotTaken::Input(error) => (*error).into(),
            NotTaken::LeftOut(column) => {
                let text =
                    "is left out by --select, or has another name by it, and a key is made of it";
                Failure::new(
                    Exit::Usage,
                    format_args!("column `{column}` {text}: select it"),
                )
            }
            NotTaken::Row(path, error) => Failure::rows(path.display(), &error),
            NotTaken::Write(error) => error.into(),
        }
    }
}

impl From<InputError> for Failure {
    fn from(error: InputError) -> Self {
        match error {
            InputError::Interrupted { .. } => Failure::interrupted(),
            _ => Failure::new(Exit::Failed, &error).with_causes(&error),
        }
    }
}

/// The name of an option as the command line spells it, if a subcommand has it.
fn spelled(option: &str) -> String {
    let long = option.replace('_', "-");
    let is_there = |arg: &clap::Arg| arg.get_long() == Some(&long) && !arg.is_hide_set();
    let command = crate::command();
    let mut commands = command.get_subcommands();
    // The library's schema is that of all columns, and the option's of some.
    match option != "schema" && commands.any(|it| it.get_arguments().any(is_there)) {
        true => format!("--{long}"),
        false => option.to_owned(),
    }
}

/// A hint for the user on what to do about a cause.
fn hint(cause: &(dyn StdError + 'static)) -> Option<&'static str> {
    let error = cause.downcast_ref::<io::Error>()?;
    #[cfg(unix)]
    if error.raw_os_error() == Some(rustix::io::Errno::MFILE.raw_os_error()) {
        return Some("raise the limit with `ulimit -n`; `write` also has --max-open-files");
    }
    match error.kind() {
        io::ErrorKind::FileTooLarge => {
            Some("the limit is that of `ulimit -f`, or the file system's")
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Some("make room and run it again")
        }
        _ => store_hint(cause),
    }
}

/// A hint on what to do about a failure of an object store.
#[cfg(feature = "object_store")]
fn store_hint(cause: &(dyn StdError + 'static)) -> Option<&'static str> {
    atomic_arrow::object_store_hint(cause)
}

#[cfg(not(feature = "object_store"))]
fn store_hint(_: &(dyn StdError + 'static)) -> Option<&'static str> {
    None
}

/// A text in which remedies are spelled as options of the command.
fn in_words(text: impl Display) -> String {
    Remedy::in_words_of(Face::Command, &text.to_string())
}

/// An error and its causes, in one line.
pub(crate) fn with_causes(
    text: impl Display,
    mut cause: Option<&(dyn StdError + 'static)>,
) -> String {
    let mut line = in_words(text);
    while let Some(error) = cause {
        let text = in_words(error);
        if !line.contains(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        cause = error.source();
    }
    line
}

/// Prints a message on standard error; where that is closed, there is nobody to tell.
pub(crate) fn message(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use atomic_arrow::ParquetProperties;

    use super::spelled;

    /// The options that the library names in its errors.
    fn named(directory: &Path, names: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                named(&path, names);
                continue;
            }
            let source = std::fs::read_to_string(path).unwrap();
            let told = source.split("option: \"").skip(1);
            names.extend(told.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())));
        }
    }

    #[test]
    fn every_option_that_an_error_of_the_library_names_is_spelled_as_the_command_has_it() {
        let mut names = BTreeSet::new();
        named(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("../src"),
            &mut names,
        );
        assert!(names.len() > 5, "{names:?}");
        names.extend(ParquetProperties::names().map(str::to_owned));
        names.extend(["threads", "memory_limit", "sort_by"].map(str::to_owned));
        for name in names {
            match name.as_str() {
                // No options of the command: records are its arguments, columns those of its input, and what is wrong with an
                // object store may come from the environment.
                "staged writes" | "schema" | "object store" => assert_eq!(spelled(&name), name),
                _ => assert_eq!(spelled(&name), format!("--{}", name.replace('_', "-"))),
            }
        }
    }
}
