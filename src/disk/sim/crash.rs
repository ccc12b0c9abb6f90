//! What a power loss may leave of a tree: every legal combination, each once.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsString;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use super::tree::{Directory, File, Node, TOP, Tree};

/// One thing that a power loss decides.
enum Choice {
    /// What the file with this number holds.
    Content(u64, Vec<Arc<Vec<u8>>>),
    /// What this name in the directory with this number stands for.
    Name(u64, OsString, Vec<Option<u64>>),
}

impl Choice {
    fn options(&self) -> usize {
        match self {
            Choice::Content(_, contents) => contents.len(),
            Choice::Name(_, _, nodes) => nodes.len(),
        }
    }
}

/// Every tree that may be found after a power loss, all of it durable then.
pub(super) fn outcomes(tree: &Tree) -> Vec<Tree> {
    let choices = choices(tree);
    let mut picks = vec![0; choices.len()];
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    loop {
        let outcome = outcome(tree, &choices, &picks);
        if seen.insert(fingerprint(&outcome)) {
            found.push(outcome);
        }
        let Some(next) = (0..picks.len()).find(|&i| picks[i] + 1 < choices[i].options()) else {
            return found;
        };
        picks[next] += 1;
        picks[..next].fill(0);
    }
}

fn choices(tree: &Tree) -> Vec<Choice> {
    let mut choices = Vec::new();
    for (&number, node) in &tree.nodes {
        match node {
            Node::File(file) => {
                let contents = contents(file);
                if contents.len() > 1 {
                    choices.push(Choice::Content(number, contents));
                }
            }
            Node::Directory(directory) => {
                for (name, states) in &directory.since_sync {
                    let mut states = states.clone();
                    states.insert(directory.durable.get(name).copied());
                    if states.len() > 1 {
                        choices.push(Choice::Name(
                            number,
                            name.clone(),
                            states.into_iter().collect(),
                        ));
                    }
                }
            }
        }
    }
    choices
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

/// The tree that one pick of each choice gives, without what cannot be reached in it.
fn outcome(tree: &Tree, choices: &[Choice], picks: &[usize]) -> Tree {
    let mut chosen_content = BTreeMap::new();
    let mut chosen_name: BTreeMap<(u64, &OsString), Option<u64>> = BTreeMap::new();
    for (choice, &pick) in choices.iter().zip(picks) {
        match choice {
            Choice::Content(number, contents) => {
                chosen_content.insert(*number, Arc::clone(&contents[pick]));
            }
            Choice::Name(number, name, nodes) => {
                chosen_name.insert((*number, name), nodes[pick]);
            }
        }
    }

    let mut nodes = BTreeMap::new();
    let mut pending = vec![TOP];
    while let Some(number) = pending.pop() {
        match tree.nodes.get(&number) {
            Some(Node::File(file)) => {
                let content = chosen_content.get(&number).unwrap_or(&file.durable);
                let mut file = file.clone();
                file.content = Arc::clone(content);
                file.durable = Arc::clone(content);
                nodes.insert(number, Node::File(file));
            }
            Some(Node::Directory(directory)) => {
                let mut entries = directory.durable.clone();
                for name in directory.since_sync.keys() {
                    match chosen_name.get(&(number, name)) {
                        Some(Some(node)) => entries.insert(name.clone(), *node),
                        Some(None) => entries.remove(name),
                        None => None,
                    };
                }
                pending.extend(entries.values());
                let durable = entries.clone();
                let since_sync = BTreeMap::new();
                nodes.insert(
                    number,
                    Node::Directory(Directory {
                        entries,
                        durable,
                        since_sync,
                        identity: directory.identity,
                    }),
                );
            }
            None => {}
        }
    }
    Tree::durable(nodes, tree.next_node())
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
