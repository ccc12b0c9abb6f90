//! The power is cut on real file systems while syncs do nothing: what the library would lose without
//! them, so that the cuts which find nothing prove something.

use atomic_arrow::disk::tap::Verb;

use crate::check::Rules;
use crate::cuts::{self, Cuts, FileSystem, Machine, cut_all};
use crate::mutant::Mutation;
use crate::report::Findings;
use crate::{Sample, Wrong};

/// The scenarios that are played without all syncs of a kind.
const SCENES: [&str; 4] = [
    "a new Parquet file in a new data set",
    "a Parquet file replaced",
    "a new data set",
    "all overwritten",
];

/// The most important syncs, each with where it is missed. Which file system misses it is the file
/// system's business: a journal takes more to the disk than it was asked for.
const SINGLE: [(&str, &str); 5] = [
    (
        "SyncFile lake/.weather.atomic/*.staged",
        "a new Parquet file in a new data set",
    ),
    (
        "SyncFile lake/.weather.atomic/*/00000.staged",
        "a new data set",
    ),
    ("SyncFile lake/.weather.atomic/*/*.new", "a new data set"),
    (
        "SyncDirectory lake/weather/station_id=KSEA/year=2026, after Rename part.parquet",
        "a new Parquet file in a new data set",
    ),
    (
        "SyncDirectory lake/weather/station_id=KSEA/year=2026, after Rename part.parquet",
        "a Parquet file replaced",
    ),
];

/// A lie of the disk: what is taken away, where, and whether every file system has to miss it.
struct Lie {
    mutation: Mutation,
    scenes: Vec<&'static str>,
    everywhere: bool,
}

fn lies() -> Vec<Lie> {
    let of_a_kind = [Verb::SyncFile, Verb::SyncDirectory].map(|verb| Lie {
        mutation: Mutation::AllSyncs(verb),
        scenes: SCENES.into(),
        everywhere: true,
    });
    let single = SINGLE.map(|(mark, scene)| Lie {
        mutation: Mutation::Syncs(vec![mark.to_owned()]),
        scenes: vec![scene],
        everywhere: false,
    });
    of_a_kind.into_iter().chain(single).collect()
}

/// Runs the section, and returns its findings for the report.
pub(crate) fn run(all: &[Rules], sample: Sample) -> Result<Findings, Wrong> {
    if let Some(why) = cuts::unable() {
        return Ok(Findings::skipped(why));
    }
    let lies = lies();
    let mut found = Findings::table(&["without", "file system", "cuts", "losses", "for example"]);
    let played = std::thread::scope(|scope| {
        let threads = FileSystem::ALL.map(|system| {
            let lies = &lies;
            scope.spawn(move || play_all(system, lies, all, sample))
        });
        threads.map(|thread| {
            let panicked = |_| Err(Wrong("the section panicked".to_owned()));
            thread.join().unwrap_or_else(panicked)
        })
    });
    let played: Vec<_> = played.into_iter().collect::<Result<_, Wrong>>()?;
    for (number, lie) in lies.iter().enumerate() {
        let mut missed = 0;
        for (system, cuts) in FileSystem::ALL.into_iter().zip(&played) {
            let Cuts { cuts, failures } = &cuts[number];
            let (name, losses) = (system.name().to_owned(), failures.len());
            found.count("cuts", *cuts);
            found.count("losses found", losses);
            missed += usize::from(losses > 0);
            if losses == 0 && lie.everywhere {
                let what = format!("{name}: no loss was found without {}", lie.mutation);
                found.failures.push(Wrong(what));
            }
            let example = failures.first().map(ToString::to_string);
            found.rows.push(vec![
                lie.mutation.to_string(),
                name,
                cuts.to_string(),
                losses.to_string(),
                example.unwrap_or_default(),
            ]);
        }
        // A sample may not meet the one moment that matters.
        if missed == 0 && sample == Sample::All {
            let what = format!("no loss was found anywhere without {}", lie.mutation);
            found.failures.push(Wrong(what));
        }
    }
    Ok(found)
}

fn play_all(
    system: FileSystem,
    lies: &[Lie],
    all: &[Rules],
    sample: Sample,
) -> Result<Vec<Cuts>, Wrong> {
    let mut machine = Machine::start(system)?;
    let play = |lie: &Lie| {
        let mut played = Cuts::default();
        let mine = |rules: &&Rules| lie.scenes.contains(&rules.scenario.name.as_str());
        for rules in all.iter().filter(mine) {
            let cuts = cut_all(&mut machine, rules, &lie.mutation, sample)?;
            played.cuts += cuts.cuts;
            played.failures.extend(cuts.failures);
        }
        Ok(played)
    };
    lies.iter().map(play).collect()
}
