//! Oddities of whole partitions: keys that differ from those of others, and many small files.

use std::collections::HashMap;

use super::{Oddity, PartitionSummary};

/// Partitions with several small files, which could be merged.
pub(super) fn small_files(
    partitions: &[PartitionSummary],
    limit: u64,
) -> impl Iterator<Item = Oddity> {
    partitions
        .iter()
        .filter(|partition| partition.small_files > 1)
        .map(move |partition| Oddity::SmallFiles {
            directory: partition.directory.clone(),
            files: partition.small_files,
            limit,
        })
}

/// One oddity for each list of keys besides the one that most partitions have; of several lists the
/// first.
pub(super) fn inconsistent_keys(partitions: &[PartitionSummary]) -> Vec<Oddity> {
    let mut layouts: Vec<(Vec<String>, &PartitionSummary, u64)> = Vec::new();
    let mut places: HashMap<Vec<String>, usize> = HashMap::new();
    for summary in partitions {
        let Some(partition) = &summary.partition else {
            continue;
        };
        let keys: Vec<String> = partition.iter().map(|(key, _)| key.to_owned()).collect();
        let place = *places.entry(keys.clone()).or_insert(layouts.len());
        match layouts.get_mut(place) {
            Some((_, _, count)) => *count += 1,
            None => layouts.push((keys, summary, 1)),
        }
    }
    let most = layouts
        .iter()
        .map(|(_, _, count)| *count)
        .max()
        .unwrap_or_default();
    let Some((expected, _, _)) = layouts.iter().find(|(_, _, count)| *count == most) else {
        return Vec::new();
    };
    layouts
        .iter()
        .filter(|(found, _, _)| found != expected)
        .map(|(found, first, count)| Oddity::InconsistentKeys {
            directory: first.directory.clone(),
            partitions: *count,
            found: found.clone(),
            expected: expected.clone(),
        })
        .collect()
}
