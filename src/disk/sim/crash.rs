//! The states in which a power loss may leave a tree: every legal combination, each once.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use super::tree::{Change, Directory, File, Node, TOP, Tree};

/// Every tree that may be found after a power loss, all of it durable then.
pub(super) fn outcomes(tree: &Tree) -> Vec<Tree> {
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    for_each_subset(tree, &mut |names| {
        // Only the files that can be reached under these names still matter.
        let files: Vec<(u64, Vec<Arc<Vec<u8>>>)> = reachable(names)
            .filter_map(|(number, file)| {
                Some((number, contents(file))).filter(|(_, c)| c.len() > 1)
            })
            .collect();
        let mut picks = vec![0; files.len()];
        loop {
            let chosen = files.iter().zip(&picks);
            let chosen = chosen
                .map(|((number, c), &pick)| (*number, Arc::clone(&c[pick])))
                .collect();
            let outcome = settle(names, &chosen);
            if seen.insert(fingerprint(&outcome)) {
                found.push(outcome);
            }
            let Some(next) = (0..picks.len()).find(|&i| picks[i] + 1 < files[i].1.len()) else {
                break;
            };
            picks[next] += 1;
            picks[..next].fill(0);
        }
    });
    found
}

/// Gives the tree with each set of pending changes made durable that a power loss may leave: any set
/// that has, with each change, the earlier ones of the same names.
fn for_each_subset(tree: &Tree, take: &mut dyn FnMut(&Tree)) {
    fn next(rest: &[Change], tree: &Tree, left_out: &mut Vec<Change>, take: &mut dyn FnMut(&Tree)) {
        let Some((change, rest)) = rest.split_first() else {
            return take(tree);
        };
        left_out.push(change.clone());
        next(rest, tree, left_out, take);
        left_out.pop();
        if !left_out.iter().any(|earlier| earlier.touches(change)) {
            let mut tree = tree.clone();
            if tree.make_durable(change).is_ok() {
                next(rest, &tree, left_out, take);
            }
        }
    }
    let mut start = tree.clone();
    let pending = std::mem::take(&mut start.pending);
    next(&pending, &start, &mut Vec::new(), take);
}

/// The files that can be reached by durable names.
fn reachable(tree: &Tree) -> impl Iterator<Item = (u64, &File)> {
    let mut numbers = BTreeSet::new();
    let mut pending = vec![TOP];
    while let Some(number) = pending.pop() {
        if let Ok(directory) = tree.directory(number) {
            pending.extend(directory.durable.values());
        } else {
            numbers.insert(number);
        }
    }
    numbers
        .into_iter()
        .filter_map(|number| Some((number, tree.file(number).ok()?)))
}

/// What a file may hold after a power loss: what is durable, and of what is not, all, nothing, a
/// beginning, zeros, or a mixture of data and zeros.
fn contents(file: &File) -> Vec<Arc<Vec<u8>>> {
    let mut contents = vec![Arc::clone(&file.durable)];
    if file.content == file.durable {
        return contents;
    }
    let half = file.content.len() / 2;
    let mut zero_end = file.content.to_vec();
    zero_end[half..].fill(0);
    let mut zero_start = file.content.to_vec();
    zero_start[..half].fill(0);
    let candidates = [
        file.content.to_vec(),
        Vec::new(),
        file.content[..half].to_vec(),
        vec![0; file.content.len()],
        zero_end,
        zero_start,
    ];
    for candidate in candidates {
        if contents.iter().all(|content| **content != candidate) {
            contents.push(Arc::new(candidate));
        }
    }
    contents
}

/// The tree that durable names reach, with the chosen contents of files; all of it is durable.
fn settle(tree: &Tree, chosen: &BTreeMap<u64, Arc<Vec<u8>>>) -> Tree {
    let mut nodes = BTreeMap::new();
    let mut pending = vec![TOP];
    while let Some(number) = pending.pop() {
        match tree.nodes.get(&number) {
            Some(Node::File(file)) => {
                let content = chosen.get(&number).unwrap_or(&file.durable);
                let mut file = file.clone();
                file.content = Arc::clone(content);
                file.durable = Arc::clone(content);
                nodes.insert(number, Node::File(file));
            }
            Some(Node::Directory(directory)) => {
                let entries = directory.durable.clone();
                pending.extend(entries.values());
                let durable = entries.clone();
                let identity = directory.identity;
                let directory = Directory {
                    entries,
                    durable,
                    identity,
                };
                nodes.insert(number, Node::Directory(directory));
            }
            None => {}
        }
    }
    Tree::durable(nodes, tree)
}

fn fingerprint(tree: &Tree) -> u64 {
    let mut hasher = DefaultHasher::new();
    for (number, node) in &tree.nodes {
        number.hash(&mut hasher);
        match node {
            Node::File(file) => file.content.hash(&mut hasher),
            Node::Directory(directory) => directory.entries.hash(&mut hasher),
        }
    }
    hasher.finish()
}
