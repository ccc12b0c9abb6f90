//! Each sync, check and lock of the library is taken away in turn, and some scenario must notice.
//!
//! A proof by exploring proves nothing if it holds without what it is said to rest on. Syncs are
//! found by running the scenarios, so that one which is added to the library is taken away too.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use atomic_arrow::Verify;
use atomic_arrow::disk::tap::Tap;

use crate::arena::Kind;
use crate::check::Rules;
use crate::mutant::{AGAIN, Marks, Mutation};
use crate::report::Findings;
use crate::scenario::simulated;
use crate::sim::explore;
use crate::{Sample, Wrong, hindrances, levels, neighbours, races, strangers};

/// Syncs that nobody misses alone, because others do the same.
struct Carried {
    /// The marks of the syncs.
    marks: &'static [&'static str],
    /// The reason why one of them alone is not missed.
    why: &'static str,
    /// The syncs to take away together, which must then be missed, if anything can be.
    together: &'static [&'static str],
}

const RECORD_REMOVED: &str =
    "SyncDirectory lake/.weather.atomic/*, after RemoveFile decision.record";
const RECEIPT: &str = "SyncDirectory lake/.weather.atomic/writes, after Rename *.record";
const RECEIPT_OF_STREAM: &str =
    "SyncDirectory lake/.weather.atomic/writes, after Rename stream-*.record";
const ARRANGED: &[&str] = &[
    "SyncDirectory lake/.weather.atomic/*, after CreateDirectory new",
    "SyncDirectory lake/.weather.atomic/*, after CreateDirectory new-00001",
    "SyncDirectory lake/.weather.atomic/*, after the leaving of Rename 00000.staged",
    "SyncDirectory lake/.weather.atomic/*, after the leaving of Rename 00001.staged",
    "SyncDirectory lake/.weather.atomic/*/new-00000, after Rename part-*-00000.parquet",
    "SyncDirectory lake/.weather.atomic/*/new-00001, after Rename part-*-00000.parquet",
    "SyncDirectory lake/.weather.atomic/*/new/year=1, after Rename part-*-00000.parquet",
    "SyncDirectory lake/.weather.atomic/*/new/year=2, after Rename part-*-00000.parquet",
];
const MOVED: &[&str] = &[
    "SyncDirectory lake, after Exchange weather",
    "SyncDirectory lake/weather, after Exchange year=1",
    "SyncDirectory lake/weather, after Rename year=2",
    "SyncDirectory lake/.weather.atomic/*, after the leaving of Exchange new",
    "SyncDirectory lake/.weather.atomic/*, after the leaving of Exchange new-00000",
    "SyncDirectory lake/.weather.atomic/*, after the leaving of Rename new-00001",
    "SyncDirectory lake/weather/year=3, after Rename part-*-00000.parquet",
    "SyncDirectory lake/weather/year=2, for what others did",
    // Also the last, which would carry them all.
    RECORD_REMOVED,
];
const PARTITIONS_MADE: &[&str] = &[
    "SyncDirectory lake/weather, after CreateDirectory .atomic",
    "SyncDirectory lake/weather, after CreateDirectory year=2",
    "SyncDirectory lake/weather, again",
];
/// The syncs that only a writer needs who does not see the staging area.
const FOR_OTHER_PATHS: &[&str] = &[
    "SyncDirectory lake/raw, after CreateDirectory .atomic",
    "SyncDirectory lake/weather/.atomic, after OpenOrCreateFile pending-*",
    "SyncDirectory lake/.weather.atomic/*/new, after CreateDirectory .atomic",
    "SyncDirectory lake/.weather.atomic/*/new/.atomic, after OpenOrCreateFile pending-*",
    "SyncDirectory lake/weather/.atomic, after CreateDirectory writes",
    "SyncDirectory lake/weather/.atomic/writes, after OpenOrCreateFile *@%2Fscene%2Flake%2F%2Eweather%2Eatomic",
    "SyncDirectory lake/weather/.atomic/writes, after OpenOrCreateFile stream-*@%2Fscene%2Flake%2F%2Eweather%2Eatomic",
];

/// The syncs of a directory whose files are replaced one by one, where it is synced with its file system.
const REPLACED: &[&str] = &[
    "SyncNames lake/.weather.atomic/*/new-00000, after the leaving of Rename part-*-00000.parquet",
    "SyncDirectory lake/weather/year=1, after RemoveFile part-*-00000.parquet",
];

const CARRIED: [Carried; 12] = [
    Carried {
        marks: &["SyncDirectory lake, after RemoveDirectory .weather.atomic"],
        why: "the data set is durable, and an area that comes back is empty",
        together: &[],
    },
    Carried {
        marks: &["SyncDirectory home, after CreateDirectory .atomic"],
        why: "nobody holds the lock of an update after a crash, and the file's own directory is synced again when it is published",
        together: &[],
    },
    Carried {
        marks: FOR_OTHER_PATHS,
        why: "a writer who sees the staging area needs no marker; the library's own tests look from where it is not seen",
        together: &[],
    },
    Carried {
        marks: &["SyncDirectory lake/.weather.atomic/*, after OpenOrCreateFile lease"],
        why: "a commit without files has nothing staged that must be there",
        together: &[],
    },
    Carried {
        marks: &["SyncDirectory lake/weather/.atomic/*, after RemoveFile decision.record"],
        why: "where nothing is exchanged, what is carried out again changes nothing",
        together: &[],
    },
    Carried {
        marks: ARRANGED,
        why: "a move within the transaction is durable with either of its directories",
        together: ARRANGED,
    },
    Carried {
        marks: MOVED.split_at(MOVED.len() - 1).0,
        why: "a move out of the transaction is durable with either of its directories",
        together: MOVED,
    },
    Carried {
        marks: REPLACED.split_at(1).0,
        why: "the directory is synced again when the old files are removed",
        together: REPLACED,
    },
    Carried {
        marks: &[RECEIPT],
        why: "the receipt comes from the transaction, which is synced after it",
        together: &[RECEIPT, RECORD_REMOVED],
    },
    Carried {
        marks: &[RECEIPT_OF_STREAM],
        why: "the receipt comes from the transaction, which is synced after it",
        together: &[RECEIPT_OF_STREAM, RECORD_REMOVED],
    },
    Carried {
        marks: PARTITIONS_MADE.split_at(1).0,
        why: "the directory is synced for the next partition too",
        together: PARTITIONS_MADE,
    },
    Carried {
        marks: &["SyncDirectory what is above the ground, for what others did"],
        why: "the ground of a scenario is durable",
        together: &[],
    },
];

/// The marks of all syncs of all scenarios, each with the scenarios that have it, by number.
///
/// # Errors
/// If a scenario does not go undisturbed.
pub fn syncs(all: &[Rules]) -> Result<BTreeMap<String, BTreeSet<usize>>, Wrong> {
    let mut found: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    for (number, rules) in all.iter().enumerate() {
        let (_sim, ground) = simulated();
        let scenario = &rules.scenario;
        let marks = Arc::new(Marks::new(&ground.top, Mutation::None));
        let watch = Arc::clone(&marks);
        let ground = ground.on(Tap::on(Arc::clone(&ground.disk), watch));
        let prepared = scenario.prepare(&ground);
        prepared.map_err(|error| Wrong(format!("{}: {error:?}", scenario.name)))?;
        // What comes of it is the exploration's business.
        let _ = scenario.act(&ground);
        for mark in marks.seen() {
            found.entry(mark).or_default().insert(number);
        }
    }
    Ok(found)
}

/// The first scenario that notices a mutation, and what it noticed.
#[must_use]
pub fn noticed(all: &[Rules], mutation: &Mutation) -> Option<Wrong> {
    all.iter()
        .find_map(|rules| explore(rules, Verify::Footer, mutation, Sample::All).err())
}

/// Whether nobody can notice that this sync is missing: nothing had been done since the last one.
#[must_use]
pub fn is_repeated(mark: &str) -> bool {
    mark.ends_with(AGAIN)
}

/// Runs the section, and returns its findings for the report.
pub(crate) fn run(all: &[Rules], sample: Sample) -> Result<Findings, Wrong> {
    let mut found = Findings::table(&["without", "noticed by"]);
    let syncs = syncs(all)?;
    let carried = |mark: &str| CARRIED.iter().any(|carried| carried.marks.contains(&mark));
    let marks: Vec<&String> = syncs.keys().filter(|mark| !is_repeated(mark)).collect();
    for (number, mark) in marks.iter().enumerate() {
        if !sample.takes(number, marks.len()) {
            continue;
        }
        if carried(mark) {
            found.count("carried by others", 1);
        } else {
            let noticed = without(all, &syncs, &[mark]);
            judge(&mut found, mark, noticed);
        }
    }
    for Carried {
        marks,
        why,
        together,
    } in CARRIED
    {
        let there = marks.iter().filter(|mark| syncs.contains_key(**mark));
        for mark in there {
            found
                .rows
                .push(vec![(*mark).to_owned(), format!("nobody alone: {why}")]);
        }
        if !together.is_empty() && sample == Sample::All {
            judge(
                &mut found,
                &together.join(" and "),
                without(all, &syncs, together),
            );
        }
    }
    for kind in [Kind::Simulated, Kind::Real] {
        for (what, noticed) in levels::all(all, kind)? {
            judge(&mut found, &what, noticed);
        }
        for (what, noticed) in races::all(kind, Sample::All)? {
            judge(&mut found, &what, noticed);
        }
    }
    for (what, noticed) in strangers::all()?
        .into_iter()
        .chain(neighbours::taken(all)?)
        .chain(hindrances::all()?)
    {
        judge(&mut found, &what, noticed);
    }
    Ok(found)
}

/// The scenarios that notice that these syncs are missing.
fn without(
    all: &[Rules],
    syncs: &BTreeMap<String, BTreeSet<usize>>,
    marks: &[&str],
) -> Option<Wrong> {
    let having: BTreeSet<usize> = marks
        .iter()
        .filter_map(|mark| syncs.get(*mark))
        .flatten()
        .copied()
        .collect();
    let mut having: Vec<Rules> = having
        .into_iter()
        .map(|number| all[number].clone())
        .collect();
    // Those that look at the least states first.
    having.sort_by_key(|rules| rules.scenario.many);
    let marks = marks.iter().map(|&mark| mark.to_owned()).collect();
    noticed(&having, &Mutation::Syncs(marks))
}

fn judge(found: &mut Findings, what: &str, noticed: Option<Wrong>) {
    found.count("taken out", 1);
    match noticed {
        Some(Wrong(by)) => {
            found.count("noticed", 1);
            found.rows.push(vec![what.to_owned(), by]);
        }
        None => found
            .failures
            .push(Wrong(format!("nobody noticed the lack of {what}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_notices_fails_the_gate() {
        let mut found = Findings::table(&["without", "noticed by"]);
        judge(&mut found, "a check", Some(Wrong("a scenario".to_owned())));
        assert!(found.failures.is_empty());
        judge(&mut found, "another check", None);
        let Wrong(failure) = &found.failures[0];
        assert_eq!(failure, "nobody noticed the lack of another check");
    }

    #[test]
    fn every_sync_that_others_are_said_to_carry_is_made_in_some_scenario() {
        let all = crate::sections::rules().unwrap();
        let made = syncs(&all).unwrap();
        let said = CARRIED
            .iter()
            .flat_map(|carried| carried.marks.iter().chain(carried.together));
        let missing: BTreeSet<_> = said.filter(|mark| !made.contains_key(**mark)).collect();
        assert!(missing.is_empty(), "{missing:#?}");
    }
}
