//! The log of `strace`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// For each system call, the numbers, counted by thread, of those about the scenario's directory.
pub(super) type Places = BTreeMap<String, BTreeSet<usize>>;

/// Reads what `strace` wrote: `PID call(arguments) = answer` a line.
pub(super) fn read_log(log: &str, top: &Path) -> (Places, BTreeMap<String, usize>) {
    let top = top.to_string_lossy();
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    // The first thread loads the program before it comes to the scenario. What fails there as well,
    // because calls are counted by thread, would fail before that.
    let first = log.split(' ').next().unwrap_or_default();
    let (mut loading, mut loaded): (BTreeMap<&str, usize>, bool) = (BTreeMap::new(), false);
    let (mut places, mut syncs) = (Places::new(), BTreeMap::new());
    for line in log.lines() {
        let Some((thread, rest)) = line.split_once(' ') else {
            continue;
        };
        // A call that another thread interrupted has its arguments in its first line.
        let Some((call, arguments)) = rest.trim_start().split_once('(') else {
            continue;
        };
        if call.starts_with('<') {
            continue;
        }
        let count = counts.entry((thread, call)).or_default();
        *count += 1;
        let its = arguments.contains(top.as_ref());
        loaded |= its;
        if thread == first && !loaded {
            loading.insert(call, *count);
        }
        if !its || *count <= loading.get(call).copied().unwrap_or_default() {
            continue;
        }
        places.entry(call.to_owned()).or_default().insert(*count);
        if call == "fsync"
            && let Some((_, path)) = arguments.split_once('<')
            && let Some((path, _)) = path.split_once('>')
        {
            *syncs.entry(path.to_owned()).or_default() += 1;
        }
    }
    (places, syncs)
}
