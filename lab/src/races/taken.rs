//! Each lock, check and refusal is taken away from a race, which must then come out wrong.

use atomic_arrow::Error;
use atomic_arrow::disk::sim::Lie;

use super::{Life, Setting, race, races};
use crate::arena::Kind;
use crate::mutant::Mutation;
use crate::scenario::Racer;
use crate::{Sample, Wrong};

/// Takes each lock, check and refusal away; returns for each what noticed it.
///
/// # Errors
/// If a race cannot be run.
pub fn all(kind: Kind, sample: Sample) -> Result<Vec<(String, Option<Wrong>)>, Wrong> {
    use Racer::{Append, Begun, File, Overwrite, OverwritePartitions, Recover, Same, Update};
    let mut taken = vec![
        (
            Mutation::Lock("lock"),
            vec![(Append, Overwrite), (OverwritePartitions, Append)],
        ),
        (Mutation::Lock("lease"), vec![(Append, Recover)]),
        (Mutation::Lock(".staged"), vec![(File, Recover)]),
        (Mutation::Lock("update-*"), vec![(Update, Update)]),
        (Mutation::Refusal(".parquet"), vec![(Same, Same)]),
    ];
    if kind == Kind::Simulated {
        taken.push((Mutation::Lie(Lie::Locks), vec![(Append, Recover)]));
        taken.push((Mutation::Lie(Lie::GhostStatus), vec![(File, Recover)]));
    }
    let words = kind.words();
    let mut found = Vec::new();
    for (mutation, pairs) in taken {
        let name = format!("{mutation}{words}");
        let setting = Setting::new(kind, mutation, Life::Lock);
        found.push((name, first_wrong(&pairs, &setting, sample)));
    }
    if kind == Kind::Simulated {
        let setting = Setting {
            may_be_taken_for_dead: false,
            ..Setting::new(kind, Mutation::None, Life::PastAge)
        };
        for (first, second) in [(Append, Recover), (File, Recover)] {
            let name = format!("the day that {first:?} is given where locks are not trusted");
            found.push((name, first_wrong(&[(first, second)], &setting, sample)));
        }
        // A commit whose abortion is on record.
        let mutation = Mutation::Refusal("decision.record");
        let name = mutation.to_string();
        let noticed = acknowledged((kind, mutation, Life::PastAge), Recover, Begun);
        found.push((name, noticed));
    }
    // An overwrite that another commit came into.
    let name = format!("{}{words}", Mutation::SecondLooks);
    let noticed = acknowledged((kind, Mutation::SecondLooks, Life::Lock), Overwrite, Append);
    found.push((name, noticed));
    Ok(found)
}

fn first_wrong(pairs: &[(Racer, Racer)], setting: &Setting, sample: Sample) -> Option<Wrong> {
    let wrong = |&(first, second): &_| match races(first, second, setting, sample) {
        Ok((_, wrong)) => wrong,
        Err(wrong) => Some(wrong),
    };
    pairs.iter().find_map(wrong)
}

/// Whether commits that must be refused are acknowledged when something is taken away.
fn acknowledged(
    (kind, mutation, life): (Kind, Mutation, Life),
    first: Racer,
    second: Racer,
) -> Option<Wrong> {
    let refusals = |mutation| -> Result<usize, Wrong> {
        let setting = Setting::new(kind, mutation, life);
        let refused =
            |told: &_| matches!(told, Err(Error::Conflict { .. } | Error::Aborted { .. }));
        let mut count = 0;
        // A real disk takes its time to sync.
        let step = match kind {
            Kind::Simulated => 1,
            Kind::Real => 8,
        };
        for at in (0..).step_by(step) {
            let ((one, other, _), reached) = race(first, second, at, &setting)?;
            if !reached {
                break;
            }
            count += usize::from(refused(&one) || refused(&other));
        }
        Ok(count)
    };
    match (refusals(Mutation::None), refusals(mutation)) {
        (Ok(all), Ok(some)) if some < all => {
            let wrongly = all - some;
            let what = format!("{wrongly} of {all} commits acknowledged that must be refused");
            Some(Wrong(what))
        }
        (Err(wrong), _) | (_, Err(wrong)) => Some(wrong),
        _ => None,
    }
}
