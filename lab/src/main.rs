//! The command that runs the laboratory: all of it, or a sample.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use atomic_arrow_lab::report::Report;
use atomic_arrow_lab::sections::{all, rules};
use atomic_arrow_lab::{Sample, Wrong, cuts, soak, strace};
use clap::Parser;

/// Runs the crash laboratory and reports the results.
#[derive(Debug, Parser)]
struct Args {
    /// Writes report.md and report.json into this directory
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Looks at some points of each kind, evenly, instead of all
    #[arg(long)]
    quick: bool,
    /// Looks at about this number of points of each kind, evenly, instead of all
    #[arg(long, value_name = "N", conflicts_with = "quick")]
    sample: Option<usize>,
    /// Runs this section alone; may be repeated
    #[arg(long = "section", value_name = "NAME")]
    sections: Vec<String>,
    /// Plays the scenarios alone whose names contain this
    #[arg(long, value_name = "TEXT", default_value = "")]
    scenario: String,
}

/// Everything is as it should be, but not everything could run.
const SKIPPED: u8 = 3;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().collect();
    let done = match &arguments[..] {
        [_, act, name, top] if act == strace::ACT => {
            strace::act(name, Path::new(top)).map(ExitCode::from)
        }
        [_, command, arguments @ ..] if command == soak::COMMAND => {
            let name = ["atomic-arrow".to_owned()];
            let all = name.iter().chain(arguments).map(Into::into);
            Ok(ExitCode::from(atomic_arrow_cli::run(all)))
        }
        [_, stage, root, mode] if stage == soak::STAGE => {
            soak::stage(root, mode).map(ExitCode::from)
        }
        [_, commit, name @ ..] if commit == soak::COMMIT => {
            soak::commit(name.first().map(String::as_str)).map(ExitCode::from)
        }
        _ => run(),
    };
    done.unwrap_or_else(|wrong| {
        say(&format!("error: {wrong}"));
        ExitCode::FAILURE
    })
}

fn run() -> Result<ExitCode, Wrong> {
    let args = Args::parse();
    if let Some(code) = cuts::in_own_namespace(std::env::args_os().skip(1))? {
        return Ok(u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from));
    }
    let known = all();
    let asked = |name: &str| args.sections.is_empty() || args.sections.iter().any(|s| s == name);
    if let Some(unknown) = args
        .sections
        .iter()
        .find(|s| known.iter().all(|k| k.name != **s))
    {
        return Err(Wrong(format!("no section {unknown}, there are {known:?}")));
    }
    let mut rules = rules()?;
    rules.retain(|rules| rules.scenario.name.contains(&args.scenario));
    let mut report = Report {
        points: match (args.quick, args.sample) {
            (true, _) => "a few of each kind".to_owned(),
            (false, Some(count)) => format!("about {count} of each kind"),
            (false, None) => "all".to_owned(),
        },
        ..Report::default()
    };
    let mut skipped = false;
    for section in known.iter().filter(|section| asked(section.name)) {
        let sample = match (args.quick, args.sample) {
            (true, _) => Sample::Some(section.quick),
            (false, Some(count)) => Sample::Some(count),
            (false, None) => Sample::All,
        };
        let begin = Instant::now();
        let mut found = (section.run)(&rules, sample)?;
        found.took = begin.elapsed();
        if let Some(why) = &found.skipped {
            say(&format!("SKIPPED {}: {why}", section.title));
            skipped = true;
        }
        for failure in &found.failures {
            say(&format!("FAILED {}: {failure}", section.title));
        }
        let counts = &found.counts;
        say(&format!(
            "{}: {counts:?}, {} failures, {} s",
            section.title,
            found.failures.len(),
            found.took.as_secs()
        ));
        report.sections.push((section.title, section.about, found));
    }
    if let Some(directory) = &args.out {
        write(&report, directory).map_err(|error| Wrong(format!("report: {error}")))?;
    }
    Ok(match (report.failures(), skipped) {
        (0, false) => ExitCode::SUCCESS,
        (0, true) => ExitCode::from(SKIPPED),
        _ => ExitCode::FAILURE,
    })
}

fn write(report: &Report, directory: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(directory)?;
    std::fs::write(directory.join("report.md"), report.to_markdown())?;
    let data = serde_json::to_string_pretty(&report.to_json())?;
    std::fs::write(directory.join("report.json"), data + "\n")
}

fn say(line: &str) {
    // Where standard error is closed there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "{line}");
}
