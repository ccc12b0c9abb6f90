//! `write --dry-run`: which partitions the rows of the input would go to.
//!
//! Splits as a write does and touches no disk but to look for what a write would be refused for.

use atomic_arrow::{DryRun, DryRunReport};

use super::{Row, builder, is_shown, read, say, say_notes, say_of};
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
    let dry_run: DryRun = loop {
        say(args, &mut input);
        let mut row = Row::default();
        row.enter(input.current_path());
        let begun = builder(args)?.dry_run(input.schema());
        let mut dry_run = begun.map_err(|error| row.write_failure(error))?;
        if read(&mut input, row, |batch| dry_run.write(batch), &progress)? {
            break dry_run;
        }
        input.restart()?;
    };
    drop(progress);
    say_notes(args, &mut input);
    let report = dry_run.finish()?;
    say_of(args, &report.notes);
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
