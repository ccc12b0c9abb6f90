//! The sections of the laboratory: one [`Section`] each.
//!
//! A section that is added to [`all`] is run by both tiers and has its place in the report.

use atomic_arrow::Verify;

use crate::check::Rules;
use crate::cuts::{FileSystem, Machine, cut_all};
use crate::mutant::Mutation;
use crate::report::Findings;
use crate::sim::{Count, explore};
use crate::strace::Injected;
use crate::{Sample, Wrong, command, cuts, faults, gate, lies, neighbours, scenario, soak, strace};

/// One kind of misfortune, and its results.
#[derive(Clone, Copy)]
pub struct Section {
    /// The name on the command line.
    pub name: &'static str,
    /// The title in the report.
    pub title: &'static str,
    /// The explanation in the report: what is done, and what is demanded.
    pub about: &'static str,
    /// The number of points of each kind that the quick tier looks at: calls of each scenario, or of all that can be
    /// taken out.
    pub quick: usize,
    /// The function that runs the section.
    pub run: fn(&[Rules], Sample) -> Result<Findings, Wrong>,
}

impl std::fmt::Debug for Section {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// Every section.
#[must_use]
pub fn all() -> Vec<Section> {
    vec![
        Section {
            name: "sim",
            title: "Power cuts on the simulated disk",
            about: "After every call that changes something, every disk that a power cut may leave is \
                    looked at, recovered, cut off again at every moment of that, and recovered again.",
            quick: 3,
            run: simulated_cuts,
        },
        Section {
            name: "gate",
            title: "What would happen without",
            about: "Each sync, check and lock is taken out in turn; some scenario must notice. Syncs \
                    that carry each other are taken out together.",
            quick: 12,
            run: gate::run,
        },
        Section {
            name: "races",
            title: "Two programs at one data set",
            about: "One program does all it can right before each call of another, on the simulated \
                    disk. What comes of it must be what comes of one after the other, or of one alone \
                    if the other was refused.",
            quick: 6,
            run: races,
        },
        Section {
            name: "neighbours",
            title: "A hostile neighbour",
            about: "Right before each call of a writer somebody moves a directory away and puts a link or \
                    another one there, links, removes, replaces or locks a file, or makes the next name \
                    first, on a real kernel. What the writer is told must be true, nothing of others be \
                    touched, and nothing committed before be gone; also after a recovery.",
            quick: 6,
            run: neighbours::run,
        },
        Section {
            name: "faults",
            title: "Faults of every call of the simulated disk",
            about: "Every call fails once, before and after it is made, with EIO, ENOSPC and EDQUOT. \
                    The outcome must be true, no file synced twice, nothing left behind, and a second \
                    run must heal everything.",
            quick: 5,
            run: disk_faults,
        },
        Section {
            name: "cuts",
            title: "Power cuts on real file systems",
            about: "Before each call that changes something, and after the last, the file system is \
                    shut down without flushing (Btrfs: its disk is copied as it is), and mounted \
                    again; once as it is, once right after another program synced a file.",
            quick: 2,
            run: kernel_cuts,
        },
        Section {
            name: "lies",
            title: "Power cuts where syncs do nothing",
            about: "The same without all syncs of files, or of directories, and without some single ones: \
                    they are answered and not done. The cuts must find losses, on every file system where \
                    all of a kind are missing, and on one at least for each single one, else they prove \
                    nothing.",
            quick: 2,
            run: lies::run,
        },
        Section {
            name: "strace",
            title: "Faults of real system calls",
            about: "A process acts out each scenario while strace lets one of its calls fail: each \
                    that is about the scenario's directory, with each error that can occur. The \
                    outcome must be true, each staging file synced exactly once, and recovery must \
                    leave nothing.",
            quick: 4,
            run: injected_faults,
        },
        Section {
            name: "command",
            title: "Faults and kills of the command",
            about: "The same with `put` and `write` as a shell runs them, whose exit code must be true; \
                    each call also has the process killed right before it, with nothing visible but what \
                    may be, and recovery must finish it.",
            quick: 12,
            run: command_faults,
        },
        Section {
            name: "soak",
            title: "Two users, and kills at random",
            about: "Two users of one group append, overwrite, put, recover, and stage what one of them commits, by \
                    two paths and at the same time, and some are killed; readers read meanwhile. What is visible must be what was acknowledged. A sample is a number of seconds; the whole takes an hour.",
            quick: 20,
            run: soak::run,
        },
    ]
}

/// The rules of every scenario.
///
/// # Errors
/// If a scenario does not go undisturbed.
pub fn rules() -> Result<Vec<Rules>, Wrong> {
    scenario::all().iter().map(Rules::of).collect()
}

fn simulated_cuts(all: &[Rules], sample: Sample) -> Result<Findings, Wrong> {
    let mut found = Findings::table(&["scenario", "moments", "states", "of them twice cut"]);
    for rules in all {
        let name = rules.scenario.name.clone();
        match explore(rules, Verify::Footer, &Mutation::None, sample) {
            Ok(count) => {
                let Count {
                    moments,
                    states,
                    during_recovery,
                    distinct,
                } = count;
                found.count("moments", moments);
                found.count("states", states + during_recovery);
                found.count("of them different", distinct);
                let states = states + during_recovery;
                let cells = [moments, states, during_recovery].map(|count| count.to_string());
                found.rows.push([name].into_iter().chain(cells).collect());
            }
            Err(wrong) => found.failures.push(wrong),
        }
    }
    Ok(found)
}

fn races(_: &[Rules], sample: Sample) -> Result<Findings, Wrong> {
    let mut found = Findings::table(&["race", "interleavings"]);
    for (name, count, wrong) in crate::races::undisturbed(sample)? {
        found.count("interleavings", count);
        found.rows.push(vec![name, count.to_string()]);
        found.failures.extend(wrong);
    }
    Ok(found)
}

fn disk_faults(all: &[Rules], sample: Sample) -> Result<Findings, Wrong> {
    let mut found = Findings::table(&["scenario", "faults", "failures"]);
    for rules in all.iter().filter(|rules| !rules.scenario.by_hand) {
        let faults = faults::fail_all(rules, sample)?;
        found.count("faults", faults.faults);
        found.rows.push(vec![
            rules.scenario.name.clone(),
            faults.faults.to_string(),
            faults.failures.len().to_string(),
        ]);
        found.failures.extend(faults.failures);
    }
    Ok(found)
}

fn kernel_cuts(all: &[Rules], sample: Sample) -> Result<Findings, Wrong> {
    if let Some(why) = cuts::unable() {
        return Ok(Findings::skipped(why));
    }
    let systems = FileSystem::ALL;
    let cut = std::thread::scope(|scope| {
        let threads = systems.map(|system| {
            scope.spawn(move || {
                let mut machine = Machine::start(system)?;
                let cut = |rules| cut_all(&mut machine, rules, &Mutation::None, sample);
                all.iter().map(cut).collect::<Result<Vec<_>, Wrong>>()
            })
        });
        threads.map(|thread| {
            let panicked = |_| Err(Wrong("the section panicked".to_owned()));
            thread.join().unwrap_or_else(panicked)
        })
    });
    let mut head = vec!["scenario"];
    head.extend(systems.map(FileSystem::name));
    let mut found = Findings::table(&head);
    let mut rows: Vec<Vec<String>> = all
        .iter()
        .map(|rules| vec![rules.scenario.name.clone()])
        .collect();
    for (system, cut) in systems.into_iter().zip(cut) {
        for (row, cuts) in rows.iter_mut().zip(cut?) {
            found.count("cuts", cuts.cuts);
            row.push(format!(
                "{} cuts, {} failed",
                cuts.cuts,
                cuts.failures.len()
            ));
            let failures = cuts.failures.into_iter();
            let failures = failures.map(|Wrong(what)| Wrong(format!("{}: {what}", system.name())));
            found.failures.extend(failures);
        }
    }
    found.rows = rows;
    Ok(found)
}

fn injected_faults(all: &[Rules], sample: Sample) -> Result<Findings, Wrong> {
    if let Some(why) = strace::unable() {
        return Ok(Findings::skipped(why));
    }
    let mut found = Findings::table(&["scenario", "faults", "failures"]);
    for rules in all.iter().filter(|rules| !rules.scenario.by_hand) {
        let injected = strace::inject_all(rules, sample)?;
        add_injected(&mut found, &rules.scenario.name, injected);
    }
    Ok(found)
}

fn command_faults(_: &[Rules], sample: Sample) -> Result<Findings, Wrong> {
    if let Some(why) = strace::unable() {
        return Ok(Findings::skipped(why));
    }
    let mut found = Findings::table(&["command", "faults and kills", "failures"]);
    for command in command::commands() {
        let injected = strace::inject_command(&command, sample)?;
        add_injected(&mut found, &command.scenario.name, injected);
    }
    Ok(found)
}

fn add_injected(found: &mut Findings, name: &str, injected: Injected) {
    found.count("faults", injected.faults);
    let (faults, failures) = (injected.faults, injected.failures);
    let cells = [
        name.to_owned(),
        faults.to_string(),
        failures.len().to_string(),
    ];
    found.rows.push(cells.into());
    found.failures.extend(failures);
}
