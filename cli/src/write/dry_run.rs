//! `write --dry-run`: which partitions the rows of the input would go to.
//!
//! Splits as a write does and touches no disk but to look for what a write would be refused for.

use atomic_arrow::{DryRun, DryRunReport};

use super::{builder, is_shown, shown, take_all};
use crate::args::WriteArgs;
use crate::exit::{Exit, Failure};
use crate::input::Input;
use crate::output::Output;
use crate::progress::WriteProgress;
use crate::receipt::plural;

pub(crate) fn run(
    args: &WriteArgs,
    mut input: Input,
    output: &mut Output,
) -> Result<Exit, Failure> {
    let progress = WriteProgress::reading(is_shown(args), input.bytes_total());
    let builder = builder(args)?;
    let open = |schema| builder.clone().dry_run(schema);
    let dry_run = take_all(args, &mut input, &progress, open, DryRun::write)?;
    drop(progress);
    let report = dry_run.finish()?;
    shown(args).notes(&report.notes);
    answer(args, output, report);
    Ok(Exit::Done)
}

fn answer(args: &WriteArgs, output: &mut Output, report: DryRunReport) {
    if args.json {
        output.line(report.to_json());
    } else if !args.quiet {
        let mut partitions: Vec<_> = report
            .partitions
            .iter()
            .map(|(partition, rows)| (args.to.join(partition.path()), *rows))
            .collect();
        partitions.sort();
        for (path, rows) in &partitions {
            output.line(format_args!("{}: {}", path.display(), plural(*rows, "row")));
        }
        let rows = plural(report.rows, "row");
        let partitions = plural(partitions.len() as u64, "partition");
        let root = args.to.display();
        output.line(format_args!(
            "{root}: {rows} for {partitions}; dry run, nothing was written"
        ));
    }
}
