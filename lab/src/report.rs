//! The report of a run of the laboratory, as a page and as data.

use std::fmt::Write as _;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::Wrong;

/// The findings of one section.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    /// The heads of the table's columns.
    pub head: Vec<String>,
    /// The rows of the table.
    pub rows: Vec<Vec<String>>,
    /// The counts of the whole section.
    pub counts: Vec<(&'static str, usize)>,
    /// The faults found.
    pub failures: Vec<Wrong>,
    /// The reason why the section could not run, if it could not.
    pub skipped: Option<Wrong>,
    /// The time that the section took.
    pub took: Duration,
}

impl Findings {
    /// A table with these columns.
    #[must_use]
    pub fn table(head: &[&str]) -> Self {
        Findings {
            head: head.iter().map(|&name| name.to_owned()).collect(),
            ..Findings::default()
        }
    }

    /// The findings of a section that cannot run here.
    #[must_use]
    pub fn skipped(why: Wrong) -> Self {
        Findings {
            skipped: Some(why),
            ..Findings::default()
        }
    }

    /// Adds to a count.
    pub fn count(&mut self, name: &'static str, by: usize) {
        match self.counts.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += by,
            None => self.counts.push((name, by)),
        }
    }
}

/// The findings of a run, with the words that say what each section does.
#[derive(Debug, Default)]
pub struct Report {
    /// Title, explanation and findings of each section.
    pub sections: Vec<(&'static str, &'static str, Findings)>,
    /// Which points were looked at.
    pub points: String,
}

/// When and on what the run was.
fn circumstances() -> Vec<(&'static str, String)> {
    let first_line = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output().ok()?;
        let said = match output.stdout.is_empty() {
            true => output.stderr,
            false => output.stdout,
        };
        let said = String::from_utf8_lossy(&said).into_owned();
        said.lines().next().map(str::to_owned)
    };
    let asked = [
        ("date", "date", &["-u", "+%Y-%m-%d"][..]),
        ("kernel", "uname", &["-sr"]),
        ("ext4", "mkfs.ext4", &["-V"]),
        ("XFS", "mkfs.xfs", &["-V"]),
        ("Btrfs", "mkfs.btrfs", &["--version"]),
        ("strace", "strace", &["--version"]),
        ("compiler", "rustc", &["--version"]),
    ];
    let mut found = vec![("atomic-arrow", env!("CARGO_PKG_VERSION").to_owned())];
    for (name, program, arguments) in asked {
        let mut said = first_line(program, arguments).unwrap_or_else(|| "not there".to_owned());
        // What follows is the builder's own.
        if let Some(end) = said.find('-').filter(|_| name == "kernel") {
            said.truncate(end);
        }
        found.push((name, said));
    }
    found
}

impl Report {
    /// The number of faults found.
    #[must_use]
    pub fn failures(&self) -> usize {
        self.sections
            .iter()
            .map(|(_, _, found)| found.failures.len())
            .sum()
    }

    /// The report as a page of Markdown.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let mut page = String::from(
            "# The crash laboratory\n\nWhat a run of `cargo run --release -p atomic-arrow-lab -- \
             --out docs/laboratory` found. The same as data is in `report.json`.\n\n",
        );
        for (name, value) in circumstances() {
            let _ = writeln!(page, "- {name}: {value}");
        }
        let _ = writeln!(page, "- points looked at: {}", self.points);
        let _ = writeln!(
            page,
            "\n| section | counts | failures | seconds |\n|---|---|---|---|"
        );
        for (title, _, found) in &self.sections {
            let counts = match &found.skipped {
                Some(why) => format!("not run: {why}"),
                None => counts(found),
            };
            let (failures, took) = (found.failures.len(), found.took.as_secs());
            let _ = writeln!(page, "| {title} | {counts} | {failures} | {took} |");
        }
        for (title, about, found) in &self.sections {
            let _ = writeln!(page, "\n## {title}\n\n{about}\n");
            if !found.rows.is_empty() {
                let line = |cells: &[String]| {
                    let cells: Vec<_> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
                    format!("| {} |\n", cells.join(" | "))
                };
                page += &line(&found.head);
                page += &line(&vec!["---".to_owned(); found.head.len()]);
                found.rows.iter().for_each(|row| page += &line(row));
            }
            for failure in &found.failures {
                let _ = writeln!(page, "- **failed**: {failure}");
            }
        }
        page
    }

    /// The report as JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let circumstances = circumstances().into_iter();
        let circumstances = circumstances.map(|(name, value)| (name.to_owned(), value.into()));
        let section = |(title, about, found): &(&str, &str, Findings)| {
            let rows = found.rows.iter().map(|row| {
                let cells = found.head.iter().cloned().zip(row.iter().cloned());
                Value::Object(cells.map(|(name, cell)| (name, cell.into())).collect())
            });
            let counts = found.counts.iter();
            let counts = counts.map(|(name, count)| ((*name).to_owned(), json!(count)));
            json!({
                "section": title,
                "about": about,
                "skipped": found.skipped.as_ref().map(ToString::to_string),
                "counts": Value::Object(counts.collect()),
                "seconds": found.took.as_secs(),
                "failures": found.failures.iter().map(ToString::to_string).collect::<Vec<_>>(),
                "rows": rows.collect::<Vec<_>>(),
            })
        };
        json!({
            "circumstances": Value::Object(circumstances.collect()),
            "points": self.points,
            "sections": self.sections.iter().map(section).collect::<Vec<_>>(),
        })
    }
}

fn counts(found: &Findings) -> String {
    let counts = found
        .counts
        .iter()
        .map(|(name, count)| format!("{count} {name}"));
    counts.collect::<Vec<_>>().join(", ")
}
