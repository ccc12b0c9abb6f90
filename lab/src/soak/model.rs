//! The model of the soak: what must be visible, by the answers of the commands.
//!
//! Users work at the same time, so the model knows no order. It knows files: each belongs to one
//! transaction. A file that a receipt names is there until a receipt says that it was removed; only a
//! command that does not know its outcome may have removed it too, and then its own rows tell of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::actor::{End, Told};
use super::reader::{values, visible};
use crate::Wrong;

#[derive(Debug, Default)]
pub(super) struct Model {
    /// Files that are there by receipts and by what was seen after the last round.
    files: BTreeSet<String>,
    /// Files that receipts of this round say were removed.
    removed: BTreeSet<String>,
    /// Values that may be visible.
    possible: BTreeSet<i64>,
    /// Values of commands that said that nothing of theirs was published, with their words.
    refused: BTreeMap<i64, String>,
    /// Files of commands that were acknowledged, ever.
    acknowledged: BTreeSet<String>,
    /// Commands that were blocked.
    blocked: Vec<String>,
    counts: [usize; 3],
    /// The number of commands refused, by reason.
    reasons: BTreeMap<String, usize>,
    /// Rows of acknowledged commands.
    rows: usize,
}

impl Model {
    pub(super) fn add(&mut self, round: &[Told]) {
        for told in round {
            let count = match told.end {
                End::Acknowledged => 0,
                End::Refused => 1,
                End::Unknown => 2,
            };
            self.counts[count] += 1;
            if told.end == End::Refused {
                *self.reasons.entry(reason(&told.words)).or_default() += 1;
            }
            if told.end == End::Acknowledged {
                self.rows += told.values.len();
            }
            match told.end {
                End::Refused => {
                    let words = told.values.iter().map(|value| (*value, told.words.clone()));
                    self.refused.extend(words);
                }
                _ => self.possible.extend(&told.values),
            }
            self.files.extend(told.files.iter().cloned());
            self.acknowledged.extend(told.files.iter().cloned());
            self.removed.extend(told.removed.iter().cloned());
            if told.words.starts_with("blocked") {
                self.blocked.push(told.words.clone());
            }
        }
    }

    pub(super) fn counts(&self) -> [(&'static str, usize); 3] {
        let names = ["acknowledged", "refused", "killed or unknown"];
        std::array::from_fn(|number| (names[number], self.counts[number]))
    }

    /// The reasons for which commands were refused, each with its number.
    pub(super) fn reasons(&self) -> &BTreeMap<String, usize> {
        &self.reasons
    }

    /// How many rows were acknowledged, over all.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// The message of a refused command.
    pub(super) fn refusal(&self) -> Option<&str> {
        self.refused.values().next().map(String::as_str)
    }

    /// Compares what is visible now, while nobody works and all is recovered; goes on from there.
    pub(super) fn compare(&mut self, root: &Path) -> Result<(), Wrong> {
        if let Some(words) = self.blocked.first() {
            return Err(Wrong(words.clone()));
        }
        let mut found = BTreeSet::new();
        let mut seen = BTreeMap::new();
        for path in visible(root)? {
            let name = path
                .strip_prefix(root)
                .unwrap_or(&path)
                .display()
                .to_string();
            if name.ends_with(".parquet") {
                let values = values(&path)?.unwrap_or_default();
                for value in values {
                    if let Some(words) = self.refused.get(&value) {
                        return Err(Wrong(format!("{name} holds {value} of {words}")));
                    }
                    if !self.possible.contains(&value) {
                        return Err(Wrong(format!("{name} holds {value}, which nobody wrote")));
                    }
                    if let Some(other) = seen.insert(value, name.clone()) {
                        return Err(Wrong(format!("{value} is twice: {name} and {other}")));
                    }
                }
            }
            found.insert(name);
        }
        if let Some(back) = found.intersection(&self.removed).next() {
            return Err(Wrong(format!(
                "{back} was removed, a receipt says, and is there"
            )));
        }
        // Rows of commands that were not acknowledged, which may have overwritten others.
        let unacknowledged: BTreeSet<&str> = found
            .iter()
            .chain(&self.removed)
            .filter(|name| !self.acknowledged.contains(*name) && !self.files.contains(*name))
            .filter_map(|name| name.split_once('/'))
            .map(|(partition, _)| partition)
            .collect();
        for name in &self.files {
            let excused = name
                .split_once('/')
                .is_some_and(|(partition, _)| unacknowledged.contains(partition));
            if !found.contains(name) && !self.removed.contains(name) && !excused {
                return Err(Wrong(format!("{name} was acknowledged and is gone")));
            }
        }
        self.files = found;
        self.removed.clear();
        Ok(())
    }
}

/// The message of a command, without the paths and numbers in it.
fn reason(words: &str) -> String {
    let said = words.split_once("error:").map_or(words, |(_, said)| said);
    let is_plain = |word: &&str| !word.contains(|c: char| c == '/' || c.is_ascii_digit());
    let plain: Vec<&str> = said.split_whitespace().filter(is_plain).collect();
    plain.join(" ")
}
