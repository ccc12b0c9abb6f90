//! The definition of the command line: commands, their options and help. One structure a subcommand; defaults stand
//! beside each option.

use std::path::PathBuf;

use atomic_arrow::{StagingPlace, parse};
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use crate::exit::CODES;
use crate::log;

mod choice;
mod keys;
mod parquet;
pub(crate) mod paths;
mod staged;
#[cfg(feature = "object_store")]
pub(crate) mod store;
#[cfg(not(feature = "object_store"))]
#[path = "args/store/absent.rs"]
pub(crate) mod store;
pub(crate) mod values;
mod write;

use self::choice::choice;
use self::keys::KeyArgs;
pub(crate) use self::staged::{CommitArgs, DiscardArgs, RecordsArgs, StageArgs};
use self::store::{StoreArgs, StoreUploadArgs, StoreWorkArgs, with_stores};
pub(crate) use self::values::{
    Check, Durability, Level, Mode, OutputFormat, Switch, Sync, VerifyLevel,
};
pub(crate) use self::write::{InputArgs, WriteArgs};

/// Crash-safe Hive-partitioned data sets: every file a reader can see is complete, verified and durable.
#[derive(Debug, Parser)]
#[command(name = "atomic-arrow", version, after_help = format!("{CODES}\n\n{}", log::HELP), max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Examples, and the exit codes after them, for the long help.
fn with_codes(examples: &str) -> String {
    format!("{examples}\n\n{CODES}")
}

const PUT_EXAMPLES: &str = "\
Examples:
  atomic-arrow put data.json lake/raw/station_id=123/data.json --check json
  make-page | atomic-arrow put - cache/page.html --replace";
const VERIFY_EXAMPLES: &str = "\
Examples:
  atomic-arrow verify lake/weather
  atomic-arrow verify a.parquet b.csv.gz --level decode --json";
const INSPECT_EXAMPLES: &str = "\
Example:
  atomic-arrow inspect lake/weather --small-file 8MiB";
const RECOVER_EXAMPLES: &str = "\
Examples:
  atomic-arrow recover lake/weather --dry-run
  atomic-arrow recover lake/weather";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Write(Box<WriteArgs>),
    Stage(Box<StageArgs>),
    Commit(CommitArgs),
    Discard(DiscardArgs),
    Put(PutArgs),
    Verify(VerifyArgs),
    Inspect(InspectArgs),
    Recover(RecoverArgs),
    Completions(CompletionsArgs),
    Manual(ManualArgs),
}

/// Where files are staged.
#[derive(Debug, Args)]
pub(crate) struct StagingArgs {
    /// Where files are staged: auto, beside, inside, or a directory
    ///
    /// `beside` is .NAME.atomic beside the root, where no reader of it looks; `inside` is .atomic in it; `auto` is beside where that can be, but for a file that is put into no partition: inside. A directory has to be on the root's file system and closed to those who may not write in the root, and every command for that root has to name it.
    #[arg(long = "staging", value_name = "PLACE", default_value = "auto", value_parser = paths::staging())]
    pub(crate) place: StagingPlace,
}

/// Put the bytes of a file at a path, atomically
///
/// DEST holds what it held before or all of the new bytes, at every instant. Without --replace it
/// must be free: of several writers racing for it one wins, and the others exit with 5. An early end
/// of standard input cannot be told from the whole; --check can tell.
#[derive(Debug, Args)]
#[command(after_help = with_stores(PUT_EXAMPLES), after_long_help = with_codes(PUT_EXAMPLES))]
pub(crate) struct PutArgs {
    /// The file to read, or - for standard input
    #[arg(value_name = "FILE", value_parser = paths::source())]
    pub(crate) file: PathBuf,

    /// The path to publish at, file name included, or its URL, such as s3://bucket/raw/data.json; missing directories are
    /// made
    #[arg(value_name = "DEST", value_parser = paths::place())]
    pub(crate) dest: PathBuf,

    /// Publish only what is of this format [default: any bytes will do]
    ///
    /// Parquet is checked as closely as --verify says; every other format is read as a whole.
    #[arg(long, value_parser = choice::<Check>(), value_name = "FORMAT")]
    pub(crate) check: Option<Check>,

    /// Replace the regular file at DEST, in one step; a symbolic link, pipe, device or socket is refused
    #[arg(long)]
    pub(crate) replace: bool,

    /// How closely the file is checked before it is published; for plain bytes `footer` compares the
    /// length, and with --check parquet checks the structure; `skip` is refused beside --check
    #[arg(long, value_parser = choice::<VerifyLevel>(), value_name = "LEVEL", default_value = "footer")]
    pub(crate) verify: VerifyLevel,

    /// Whether to wait until the medium has what was written
    #[arg(long, value_parser = choice::<Durability>(), value_name = "HOW", default_value = "synced")]
    pub(crate) durability: Durability,

    #[command(flatten)]
    pub(crate) staging: StagingArgs,

    /// Print the receipt as one JSON object
    #[arg(long)]
    pub(crate) json: bool,

    /// Print nothing but errors
    #[arg(short, long, conflicts_with = "json")]
    pub(crate) quiet: bool,

    // Last, because its heading would go on to what follows.
    #[command(flatten)]
    pub(crate) store: StoreUploadArgs,
}

/// Check files, and all data files under directories
///
/// Prints a line for every damaged file: what is wrong with it, and where. Files are checked as the
/// format of their suffix, files named without a known suffix as Parquet. Files that are encrypted are
/// not checkable without their keys, and not sound: the exit code is 1 then, or 3 if others are damaged.
#[derive(Debug, Args)]
#[command(after_help = with_stores(VERIFY_EXAMPLES), after_long_help = with_codes(VERIFY_EXAMPLES))]
pub(crate) struct VerifyArgs {
    /// Files and directories, also as URLs such as s3://bucket/weather
    #[arg(required = true, value_name = "PATH", value_parser = paths::place())]
    pub(crate) paths: Vec<PathBuf>,

    /// How closely Parquet files are checked; files of other formats are always read as a whole
    #[arg(long, value_parser = choice::<Level>(), value_name = "LEVEL", default_value = "footer")]
    pub(crate) level: Level,

    #[command(flatten)]
    pub(crate) keys: KeyArgs,

    /// Also check what is mounted below the directories
    ///
    /// Symbolic links are never followed, and pipes, devices and sockets never opened: like mounts, they
    /// are not checkable.
    #[arg(long)]
    pub(crate) cross_mounts: bool,

    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,

    /// Print no summary, only damage and errors
    #[arg(short, long, conflicts_with_all = ["verbose", "json"])]
    pub(crate) quiet: bool,

    /// Name sound files too
    #[arg(short, long, conflicts_with = "json")]
    pub(crate) verbose: bool,

    // Last, because its heading would go on to what follows.
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

/// Show partitions, rows, bytes, and what readers may stumble over
#[derive(Debug, Args)]
#[command(after_help = with_stores(INSPECT_EXAMPLES), after_long_help = with_codes(INSPECT_EXAMPLES))]
pub(crate) struct InspectArgs {
    /// The data set's root directory, or its URL, such as s3://bucket/weather
    #[arg(value_name = "ROOT", value_parser = paths::place())]
    pub(crate) root: PathBuf,

    /// Files of fewer bytes are small, which is odd where a partition has several
    #[arg(long, value_name = "BYTES", default_value = "1MiB", value_parser = parse::size)]
    pub(crate) small_file: u64,

    #[command(flatten)]
    pub(crate) keys: KeyArgs,

    /// Show all partitions and oddities [default: the first 50 partitions, and 5 oddities of a kind]
    #[arg(long)]
    pub(crate) all: bool,

    /// Also look into what is mounted below the root
    #[arg(long)]
    pub(crate) cross_mounts: bool,

    #[command(flatten)]
    pub(crate) staging: StagingArgs,

    /// Print everything as one JSON object
    #[arg(long)]
    pub(crate) json: bool,

    // Last, because its heading would go on to what follows.
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

/// Finish what dead writers had committed, and remove the rest of what they left
///
/// Every `write` does the same first, so this is needed only where none comes. Safe at any time: what
/// a live writer is writing is left alone, and what is published stays, unless a write that replaces
/// it had been committed.
#[derive(Debug, Args)]
#[command(after_help = with_stores(RECOVER_EXAMPLES), after_long_help = with_codes(RECOVER_EXAMPLES))]
pub(crate) struct RecoverArgs {
    /// The data set's root directory, or its URL, such as s3://bucket/weather
    #[arg(value_name = "ROOT", value_parser = paths::place())]
    pub(crate) root: PathBuf,

    /// Say what would be published and removed, and do neither
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Give up commits that cannot be finished: what is published of them stays visible, the rest of their rows
    /// is removed, and a repeated write of the same name writes all rows again. Of commits that are out of reach,
    /// the marker is removed
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) abort: bool,

    #[command(flatten)]
    pub(crate) staging: StagingArgs,

    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,

    /// Print nothing but warnings and errors
    #[arg(short, long, conflicts_with = "json")]
    pub(crate) quiet: bool,

    // Last, because its heading would go on to what follows.
    #[command(flatten)]
    pub(crate) store: StoreWorkArgs,
}

/// Print what makes a shell complete this command
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_parser = choice::<Shell>())]
    pub(crate) shell: Shell,
}

/// Print a manual page, of all commands or of one
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  atomic-arrow manual write | man -l -")]
pub(crate) struct ManualArgs {
    /// The command [default: the page that names all]
    pub(crate) command: Option<String>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
