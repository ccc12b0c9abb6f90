//! The arguments of `stage`, `commit` and `discard`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Arg, Args};

use super::choice::choice;
use super::store::{StoreWorkArgs, with_stores};
use super::values::{self, Switch};
use super::write::with_more;
use super::{StagingArgs, WriteArgs, paths, with_codes};

const STAGE_EXAMPLES: &str = "\
Examples:
  atomic-arrow stage part-7.csv --to lake/weather --task part-7 > part-7.json
  ls raw/*.csv | xargs -P 4 -I @ atomic-arrow stage @ --to lake/weather --task @ > staged.json";
const COMMIT_EXAMPLES: &str = "\
Examples:
  atomic-arrow commit staged.json --write-id monday
  cat staged/*.json | atomic-arrow commit --to lake/weather";
const DISCARD_EXAMPLES: &str = "\
Examples:
  atomic-arrow discard staged.json
  atomic-arrow discard --job monday --to lake/weather";

/// Stage the rows of input for a data set, for `commit` to publish with what others stage
///
/// Reads and writes as `write` does, up to the point of publishing, and prints one line of JSON on standard output: the record by
/// which `commit` publishes what is staged, and `discard` removes it. All else goes to standard error. Readers see nothing of
/// it. If the record cannot be written, what was staged is removed. The exit code is 0 only when the record was written.
#[derive(Debug, Args)]
#[command(after_help = with_more(STAGE_EXAMPLES), after_long_help = with_codes(STAGE_EXAMPLES))]
#[command(mut_args(as_of_stage))]
pub(crate) struct StageArgs {
    /// A name of the work: of several records with one name, as by a task that was repeated, one is committed
    ///
    /// The others are discarded by the same commit.
    #[arg(long, value_name = "NAME")]
    pub(crate) task: Option<String>,

    /// The job that it is a part of: `commit` and `discard` of a job also discard what never reached them
    ///
    /// That is what attempts staged that were killed, or overtaken by others. Once the job is committed or discarded, nothing
    /// is staged for it any more.
    #[arg(long, value_name = "NAME")]
    pub(crate) job: Option<String>,

    /// How long it is kept for a commit, such as 12h or 7d
    ///
    /// Then the next writer, or `recover`, removes it.
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = values::duration)]
    pub(crate) keep_staged: Duration,

    #[command(flatten)]
    pub(crate) write: WriteArgs,
}

/// An option of `write`, as `stage` has it. Those without effect are hidden: `stage` refuses them, and says what has it.
fn as_of_stage(arg: Arg) -> Arg {
    match arg.get_id().as_str() {
        "to" => {
            let help = "The data set's root: a directory, made if it is missing, or a URL, as s3://bucket/weather";
            arg.help(help).long_help(help)
        }
        "mode" => {
            let help = "What becomes of the files that are there; all of one commit have the same";
            arg.help(help).default_value("append")
        }
        "sequence" => {
            let help = "The number of the job in the stream of jobs that --job names; ending one ends those before it";
            arg.help(help).long_help(help)
        }
        "write_id" | "rewrite_missing" | "success_file" | "dry_run" | "json" => arg.hide(true),
        _ => arg,
    }
}

/// Publish what `stage` has staged, all of it or nothing
///
/// Reads the records that `stage` has printed, one a line, in any order. Of several with one --task the first counts. What
/// becomes of the files that are there is what each `stage` was told by its --mode. If nothing is published, what is
/// staged stays so: `commit` can be repeated, with a --write-id harmlessly, or `discard` removes it. A record names the
/// directory that is written to: take it from your own workers only, or give --to.
#[derive(Debug, Args)]
#[command(after_help = with_stores(COMMIT_EXAMPLES), after_long_help = with_codes(COMMIT_EXAMPLES))]
pub(crate) struct CommitArgs {
    #[command(flatten)]
    pub(crate) records: RecordsArgs,

    /// A name of this commit, which makes repeating it harmless
    ///
    /// If a commit or write of this name to the data set has happened before, its receipt is the answer, and what is staged
    /// is discarded.
    #[arg(long, value_name = "ID", group = "named")]
    pub(crate) write_id: Option<String>,

    /// Also discard whatever else any process staged for this job, and close it
    ///
    /// By default it is the job of the records, if they have one. A job is committed once: repeating that gives the same
    /// receipt.
    #[arg(long, value_name = "NAME", group = "named")]
    pub(crate) job: Option<String>,

    /// Commit the --job of which there is no record: all that is staged for it is discarded; without RECORDS and with --to
    ///
    /// Without this switch no records are a failure, since what made them may have failed.
    #[arg(long, requires = "job", requires = "to", conflicts_with = "files")]
    pub(crate) without_records: bool,

    /// The number of this commit in the stream that --write-id or --job names [default: that of the records]
    ///
    /// The highest number that was committed is remembered: a commit with that number gives the receipt of then, and one with a
    /// lower number is answered as committed before.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) sequence: Option<u64>,

    /// Commit again if none of the files of the earlier commit of the same name is there any more
    #[arg(long, requires = "named")]
    pub(crate) rewrite_missing: bool,

    /// Publish an empty file _SUCCESS in the data set when all else is published
    ///
    /// One that is there is removed before the first file is published: whoever sees the file sees no such commit in part.
    #[arg(long)]
    pub(crate) success_file: bool,

    /// Whether to compare what is staged, with each other and with what is in the data set already
    ///
    /// What readers could not take for one data set is refused: other formats, other partition keys or the same in another
    /// order, a column with another type.
    #[arg(long, value_parser = choice::<Switch>(), value_name = "SWITCH", default_value = "on")]
    pub(crate) schema_check: Switch,

    /// Allow names of columns and keys that differ by case alone, which DuckDB and Spark take for one
    #[arg(long)]
    pub(crate) case_sensitive_names: bool,

    #[command(flatten)]
    pub(crate) staging: StagingArgs,

    /// Print the receipt as one line of JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// Print nothing but errors
    #[arg(short, long, conflicts_with_all = ["verbose", "json"])]
    pub(crate) quiet: bool,

    /// Name every file, and say what the time was spent on
    #[arg(short, long)]
    pub(crate) verbose: bool,

    // Last, because its heading would go on to what follows.
    #[command(flatten)]
    pub(crate) store: StoreWorkArgs,
}

/// Remove what `stage` has staged, unpublished
///
/// Reads the records that `stage` has printed, one a line; or removes all that was staged for a --job, also what nobody has a
/// record of, and closes the job. What is no longer there, because it was committed, discarded, or
/// kept too long, is no error, and what is published stays.
#[derive(Debug, Args)]
#[command(after_help = with_stores(DISCARD_EXAMPLES), after_long_help = with_codes(DISCARD_EXAMPLES))]
pub(crate) struct DiscardArgs {
    #[command(flatten)]
    pub(crate) records: RecordsArgs,

    /// Remove all that any process staged for this job, and close it; without RECORDS it needs --to
    #[arg(long, value_name = "NAME")]
    pub(crate) job: Option<String>,

    /// The number of the job in the stream of jobs that --job names; those with lower numbers are closed too
    #[arg(long, value_name = "NUMBER")]
    pub(crate) sequence: Option<u64>,

    #[command(flatten)]
    pub(crate) staging: StagingArgs,

    /// Print nothing but errors
    #[arg(short, long)]
    pub(crate) quiet: bool,

    // Last, because its heading would go on to what follows.
    #[command(flatten)]
    pub(crate) store: StoreWorkArgs,
}

/// Where records are read from, and of which data set they have to be.
#[derive(Debug, Args)]
pub(crate) struct RecordsArgs {
    /// Files of records, or - for standard input [default: -]
    #[arg(value_name = "RECORDS", value_parser = paths::source())]
    pub(crate) files: Vec<PathBuf>,

    /// The data set that all records have to be of; others are refused [default: the one that they name]
    #[arg(long, value_name = "ROOT", value_parser = paths::place())]
    pub(crate) to: Option<PathBuf>,
}
