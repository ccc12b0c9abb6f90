//! `verify`: checks files, and prints what is wrong.

use atomic_arrow::verify::{Damage, FileReport, VerifyOptions, verify_path_with_options};
use indicatif::{HumanBytes, HumanCount};
use serde_json::{Value, json};

use std::error::Error as _;

use crate::args::VerifyArgs;
use crate::args::store::reach;
use crate::exit::{Exit, Failure, message, with_causes};
use crate::output::Output;
use crate::progress::ScanBar;
use crate::receipt::plural;

/// The results of all files together.
#[derive(Default)]
struct Totals {
    files: u64,
    damaged: u64,
    /// The number of files that cannot be checked here, such as encrypted ones.
    not_checkable: u64,
    rows: u64,
    bytes: u64,
}

impl Totals {
    fn add(&mut self, report: &FileReport) {
        self.files += 1;
        match report.damage() {
            None => {}
            Some(Damage::NotCheckable { .. }) => self.not_checkable += 1,
            Some(_) => self.damaged += 1,
        }
        self.rows += report.rows().unwrap_or(0);
        self.bytes += report.bytes();
    }

    fn sound(&self) -> u64 {
        self.files - self.damaged - self.not_checkable
    }
}

pub(crate) fn run(args: &VerifyArgs, output: &mut Output) -> Result<Exit, Failure> {
    let mut total = Totals::default();
    let (mut damaged, mut not_checkable) = (Vec::new(), Vec::new());
    let mut errors = Vec::new();
    let progress = ScanBar::new(!args.quiet && !args.json, "files");
    let mut options = VerifyOptions::new()
        .level(args.level.into())
        .cross_mounts(args.cross_mounts);
    if let Some(keys) = args.keys.keys()? {
        options = options.keys(keys);
    }
    options = reach(options, &args.store, &args.paths)?;
    for path in &args.paths {
        let before = (total.files, total.bytes);
        let options = options.clone().on_progress(progress.listener(before));
        let checked = verify_path_with_options(path, &options, |report| {
            total.add(report);
            match report.damage() {
                Some(damage) if args.json => match damage {
                    Damage::NotCheckable { .. } => not_checkable.push(damage_json(report, damage)),
                    _ => damaged.push(damage_json(report, damage)),
                },
                damage => progress.suspend(|| line(args, output, report, damage)),
            }
            Ok(())
        });
        if let Err(error) = checked {
            errors.push(with_causes(&error, error.source()));
            progress.suspend(|| Failure::from(error).print());
        }
    }
    drop(progress);
    if args.json {
        output.json(&json!({
            "level": args.level.name(),
            "files": total.files,
            "sound": total.sound(),
            "damaged": damaged,
            "not_checkable": not_checkable,
            "errors": errors,
            "rows": total.rows,
            "bytes": total.bytes,
        }));
    } else if !args.quiet {
        summary(args, output, &total, errors.len());
    }
    Ok(
        match (total.damaged, errors.len() as u64 + total.not_checkable) {
            (0, 0) => Exit::Done,
            (0, _) => Exit::Failed,
            _ => Exit::Damage,
        },
    )
}

fn line(args: &VerifyArgs, output: &mut Output, report: &FileReport, damage: Option<&Damage>) {
    let path = report.path().display();
    match damage {
        Some(damage) => output.line(with_causes(
            format_args!("{path}: {damage}"),
            damage.source(),
        )),
        None if args.verbose => output.line(format_args!("{path}: sound")),
        None => {}
    }
}

fn damage_json(report: &FileReport, damage: &Damage) -> Value {
    let location = damage.location();
    json!({
        "path": report.path().to_string_lossy(),
        "format": report.format().name(),
        "damage": with_causes(damage, damage.source()),
        "row_group": location.row_group,
        "column": location.column.as_deref(),
        "offset": location.offset,
    })
}

fn summary(args: &VerifyArgs, output: &mut Output, total: &Totals, errors: usize) {
    if total.files == 0 && errors == 0 {
        return message("no data files found: those of data sets end in .parquet");
    }
    let unread = match errors {
        0 => String::new(),
        errors => format!(", {} not read to the end", plural(errors as u64, "path")),
    };
    let unknown = match total.not_checkable {
        0 => String::new(),
        count => format!(", {} not checkable", HumanCount(count)),
    };
    output.line(format_args!(
        "{} checked ({}): {} sound, {} damaged{unknown}{unread}; {} rows, {}",
        plural(total.files, "file"),
        args.level.name(),
        HumanCount(total.sound()),
        HumanCount(total.damaged),
        HumanCount(total.rows),
        HumanBytes(total.bytes),
    ));
}
