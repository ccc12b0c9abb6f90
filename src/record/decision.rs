//! The record that commits a transaction, aborts it, or keeps it staged for another process.
//!
//! It is read after crashes, and perhaps from a staging area that others can write to: every path in
//! it is checked to stay within the transaction and within the data set.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Fingerprint, SUCCESS_FILE, VERSION, invalid, path_text, read_json, stays_below};
use crate::error::Result;
use crate::options::Durability;
use crate::receipt::{Receipt, WriteName};

/// The decision about a transaction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "snake_case", try_from = "Wire")]
pub(crate) enum Decision {
    /// Every file of the plan is or will be published.
    Committed(Box<Plan>),
    /// Nothing of it will be.
    Aborted { version: u32, transaction: Uuid },
    /// All of it waits, for a number of seconds, to become part of another transaction.
    Staged {
        version: u32,
        transaction: Uuid,
        keep_seconds: u64,
    },
}

/// The plan of a committed transaction: what it publishes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Plan {
    version: u32,
    pub(crate) transaction: Uuid,
    /// The data set's root, where the staging area may serve others too.
    pub(crate) root: Option<PathBuf>,
    /// The directory that the caller named, below the data set's root.
    pub(crate) scope: PathBuf,
    /// Whether nothing of it need survive a power cut.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    unsynced: bool,
    /// The caller's name of the write, if it has one.
    pub(crate) write_id: Option<String>,
    /// Files that are moved within the transaction's directory before, into new directories.
    pub(crate) arrangement: Vec<Move>,
    /// Files that are published one by one.
    pub(crate) files: Vec<Move>,
    /// Directories that are exchanged as a whole.
    pub(crate) exchanges: Vec<Exchange>,
    /// Files below the data set's root that are removed once all others are published.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) removed: Vec<Removal>,
    /// Whether the [success file](SUCCESS_FILE) is made anew when all else is done.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) success_file: bool,
    /// What the caller gets back, also if it repeats the write.
    pub(crate) receipt: Receipt,
}

/// What is published, and what has to be moved within the transaction before.
#[derive(Debug, Default)]
pub(crate) struct Layout {
    pub(crate) arrangement: Vec<Move>,
    pub(crate) files: Vec<Move>,
    pub(crate) exchanges: Vec<Exchange>,
    pub(crate) removed: Vec<Removal>,
    /// The directories of which the files are removed, below the data set's root.
    pub(crate) replaced: Vec<PathBuf>,
    /// Whether the [success file](SUCCESS_FILE) is made anew when all else is done.
    pub(crate) success_file: bool,
}

impl Layout {
    /// The staged files, below the transaction's directory.
    pub(crate) fn staged(&self) -> Vec<&Path> {
        let moves = self.arrangement.iter().chain(&self.files);
        moves.map(|file| file.staged.as_path()).collect()
    }

    /// Notes the fingerprint of each [staged file](Self::staged).
    pub(crate) fn identify(&mut self, fingerprints: &[Fingerprint]) {
        let moves = self.arrangement.iter_mut().chain(&mut self.files);
        for (file, fingerprint) in moves.zip(fingerprints) {
            file.identity = fingerprint.to_string();
        }
    }
}

/// One file on its way to its final path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Move {
    /// Below the transaction's directory.
    pub(crate) staged: PathBuf,
    /// Below the data set's root, or in an arrangement below the transaction's directory too.
    pub(crate) path: PathBuf,
    /// Its [`Fingerprint`]: a staged file that is missing was published only if this one is at its final path.
    pub(crate) identity: String,
}

/// Where one file of a plan can be found.
pub(crate) struct PlannedFile<'a> {
    /// Below the transaction's directory, at first.
    pub(crate) staged: &'a Path,
    /// Below the transaction's directory, before the exchange that it is part of.
    pub(crate) arranged: Option<&'a Path>,
    /// Below the data set's root, in the end.
    pub(crate) path: PathBuf,
    pub(crate) identity: &'a str,
}

/// A file to remove.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Removal {
    /// Below the data set's root.
    #[serde(with = "path_text")]
    pub(crate) path: PathBuf,
    /// Its [`Fingerprint`]: a later file at the same path stays.
    identity: String,
}

/// One directory on its way to take another's place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exchange {
    /// The new directory, below the transaction's.
    pub(crate) staged: PathBuf,
    /// Below the data set's root; empty for the root itself.
    pub(crate) path: PathBuf,
    /// A file of the new directory, below it. If it is at its final path, the exchange has happened.
    pub(crate) witness: PathBuf,
    /// The files of the new directory, below it.
    pub(crate) files: Vec<PathBuf>,
    /// The files of the old directory, below it, that go with it.
    #[serde(with = "path_text::list")]
    pub(crate) removed: Vec<PathBuf>,
}

impl Plan {
    pub(crate) fn new(
        transaction: Uuid,
        (root, scope): (Option<PathBuf>, PathBuf),
        durability: Durability,
        name: Option<&WriteName>,
        layout: Layout,
        receipt: Receipt,
    ) -> Self {
        Plan {
            version: VERSION,
            transaction,
            root,
            scope,
            unsynced: durability == Durability::Unsynced,
            write_id: name.map(|name| name.id.clone()),
            arrangement: layout.arrangement,
            files: layout.files,
            exchanges: layout.exchanges,
            removed: layout.removed,
            success_file: layout.success_file,
            receipt,
        }
    }
}

impl Plan {
    /// The name of the write, if it has one.
    pub(crate) fn name(&self) -> Option<WriteName> {
        let id = self.write_id.as_ref()?;
        Some(WriteName::new(id, self.receipt.sequence()))
    }

    /// Where each file of it can be found, before and after it is published.
    pub(crate) fn planned_files(&self) -> impl Iterator<Item = PlannedFile<'_>> {
        let exchanges: HashMap<&Path, &Path> = self
            .exchanges
            .iter()
            .map(|exchange| (exchange.staged.as_path(), exchange.path.as_path()))
            .collect();
        let exchanged = self.arrangement.iter().filter_map(move |file| {
            let mut above = file.path.ancestors();
            let (below, top) = above.find_map(|staged| {
                let top = exchanges.get(staged)?;
                Some((file.path.strip_prefix(staged).ok()?, top))
            })?;
            Some(PlannedFile {
                staged: &file.staged,
                arranged: Some(&file.path),
                path: top.join(below),
                identity: &file.identity,
            })
        });
        let single = self.files.iter().map(|file| PlannedFile {
            staged: &file.staged,
            arranged: None,
            path: file.path.clone(),
            identity: &file.identity,
        });
        single.chain(exchanged)
    }

    /// The directories of adopted transactions from which it takes files, below the transaction's directory.
    pub(crate) fn adopted_directories(&self) -> BTreeSet<&Path> {
        let moves = self.arrangement.iter().chain(&self.files);
        let parents = moves.filter_map(|file| file.staged.parent());
        parents
            .filter(|parent| !parent.as_os_str().is_empty())
            .collect()
    }

    /// The directories that it changes, below the data set's root.
    pub(crate) fn directories(&self) -> impl Iterator<Item = &Path> {
        let files = self.files.iter().map(|file| &file.path);
        let removed = self.removed.iter().map(|removal| &removal.path);
        let parents = files.chain(removed).filter_map(|path| path.parent());
        let exchanged = self
            .exchanges
            .iter()
            .map(|exchange| exchange.path.as_path());
        let marked = self.success_file.then_some(self.scope.as_path());
        parents.chain(exchanged).chain(marked)
    }

    /// Where the success file is to stand, below the data set's root, if there is to be one.
    pub(crate) fn success_file(&self) -> Option<PathBuf> {
        self.success_file.then(|| self.scope.join(SUCCESS_FILE))
    }

    /// Whether what is published is synced.
    pub(crate) fn durability(&self) -> Durability {
        match self.unsynced {
            true => Durability::Unsynced,
            false => Durability::Synced,
        }
    }
}

impl Removal {
    pub(crate) fn new(path: PathBuf, fingerprint: Fingerprint) -> Self {
        Removal {
            path,
            identity: fingerprint.to_string(),
        }
    }

    pub(crate) fn is_of(&self, fingerprint: Fingerprint) -> bool {
        self.identity == fingerprint.to_string()
    }
}

impl Decision {
    pub(crate) fn aborted(transaction: Uuid) -> Self {
        Decision::Aborted {
            version: VERSION,
            transaction,
        }
    }

    pub(crate) fn staged(transaction: Uuid, keep: Duration) -> Self {
        Decision::Staged {
            version: VERSION,
            transaction,
            keep_seconds: keep.as_secs(),
        }
    }

    /// Reads the record at `path` of this transaction, without holding more of it than what it says.
    pub(crate) fn from_json(record: impl io::Read, path: &Path, transaction: Uuid) -> Result<Self> {
        let decision: Decision = read_json(record, path)?;
        let (version, named) = match &decision {
            Decision::Committed(plan) => (plan.version, plan.transaction),
            Decision::Aborted {
                version,
                transaction,
            }
            | Decision::Staged {
                version,
                transaction,
                ..
            } => (*version, *transaction),
        };
        if version != VERSION {
            return Err(invalid(
                path,
                format!("version {version} is not known here"),
            ));
        }
        if named != transaction {
            return Err(invalid(path, format!("is of another transaction, {named}")));
        }
        if let Decision::Committed(plan) = &decision
            && let Some(stray) = plan.paths().find(|path| !stays_below(path))
        {
            return Err(invalid(
                path,
                format!("names {}, which may lead elsewhere", stray.display()),
            ));
        }
        if let Decision::Committed(plan) = &decision
            && let Some(success_file) = plan.success_file()
            && !stays_below(&success_file)
        {
            let scope = plan.scope.display();
            return Err(invalid(
                path,
                format!("names {scope}, which may lead elsewhere"),
            ));
        }
        if let Decision::Committed(plan) = &decision
            && let Some(twice) = plan.named_twice()
        {
            let twice = twice.display();
            return Err(invalid(path, format!("puts two things at {twice:?}")));
        }
        Ok(decision)
    }
}

/// All fields that a decision can have, in any order: so that each is read into its type at once, and nothing is
/// kept until it is known what it belongs to.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    decision: Kind,
    version: u32,
    transaction: Uuid,
    keep_seconds: Option<u64>,
    root: Option<PathBuf>,
    scope: Option<PathBuf>,
    #[serde(default)]
    unsynced: bool,
    write_id: Option<String>,
    arrangement: Option<Vec<Move>>,
    files: Option<Vec<Move>>,
    exchanges: Option<Vec<Exchange>>,
    #[serde(default)]
    removed: Vec<Removal>,
    #[serde(default)]
    success_file: bool,
    receipt: Option<Receipt>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Committed,
    Aborted,
    Staged,
}

impl TryFrom<Wire> for Decision {
    type Error = String;

    fn try_from(wire: Wire) -> Result<Self, String> {
        fn field<T>(value: Option<T>, name: &str) -> Result<T, String> {
            value.ok_or_else(|| format!("missing field `{name}`"))
        }
        let (version, transaction) = (wire.version, wire.transaction);
        Ok(match wire.decision {
            Kind::Committed => Decision::Committed(Box::new(Plan {
                version,
                transaction,
                root: wire.root,
                scope: field(wire.scope, "scope")?,
                unsynced: wire.unsynced,
                write_id: wire.write_id,
                arrangement: field(wire.arrangement, "arrangement")?,
                files: field(wire.files, "files")?,
                exchanges: field(wire.exchanges, "exchanges")?,
                removed: wire.removed,
                success_file: wire.success_file,
                receipt: field(wire.receipt, "receipt")?,
            })),
            Kind::Aborted => Decision::Aborted {
                version,
                transaction,
            },
            Kind::Staged => Decision::Staged {
                version,
                transaction,
                keep_seconds: field(wire.keep_seconds, "keep_seconds")?,
            },
        })
    }
}

impl Plan {
    fn paths(&self) -> impl Iterator<Item = &Path> {
        let moves = self.arrangement.iter().chain(&self.files);
        let moves = moves.flat_map(|file| [&file.staged, &file.path]);
        let exchanges = self.exchanges.iter().flat_map(|exchange| {
            let whole_root = exchange.path.as_os_str().is_empty();
            [&exchange.staged, &exchange.witness]
                .into_iter()
                .chain(Some(&exchange.path).filter(|_| !whole_root))
                .chain(&exchange.files)
                .chain(&exchange.removed)
        });
        let removed = self.removed.iter().map(|removal| &removal.path);
        let all = moves.chain(exchanges).chain(removed);
        all.map(PathBuf::as_path)
    }

    /// The first path at which two files or two directories are to be put, as no writer asks for: carrying it
    /// out would take much more time and memory than the record's length lets expect.
    fn named_twice(&self) -> Option<&Path> {
        let exchanged = || self.exchanges.iter();
        let mut seen = HashSet::new();
        let arranged = self.arrangement.iter().map(|file| (0, &file.path));
        let published = self.files.iter().map(|file| (1, &file.path));
        let from = exchanged().map(|exchange| (2, &exchange.staged));
        let to = exchanged().map(|exchange| (3, &exchange.path));
        let all = arranged.chain(published).chain(from).chain(to);
        let mut all = all.map(|(kind, path)| (kind, path.as_path()));
        all.find(|place| !seen.insert(*place)).map(|(_, path)| path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A decision of exchanges and files with these final paths.
    fn decision(exchanges: &[&str], files: &[&str]) -> Result<Decision> {
        let id = Uuid::from_u128(7);
        let exchanges = exchanges.iter().enumerate().map(|(number, path)| {
            serde_json::json!({"staged": format!("new-{number}"), "path": path, "witness": "x.parquet",
                "files": ["x.parquet"], "removed": []})
        });
        let files = files.iter().enumerate().map(
            |(number, path)| serde_json::json!({"staged": format!("{number}.staged"), "path": path, "identity": ""}),
        );
        let totals =
            serde_json::json!({"files": 0, "partitions": 0, "rows": 0, "bytes": 0, "removed": 0});
        let record = serde_json::json!({
            "decision": "committed", "version": VERSION, "transaction": id, "root": null, "scope": "",
            "write_id": null, "arrangement": [], "files": files.collect::<Vec<_>>(),
            "exchanges": exchanges.collect::<Vec<_>>(),
            "receipt": {"version": 1, "transaction": id, "write_id": null, "mode": "append",
                "totals": totals, "files": [], "removed": []},
        });
        Decision::from_json(
            record.to_string().as_bytes(),
            Path::new("decision.record"),
            id,
        )
    }

    #[test]
    fn a_record_that_puts_two_things_at_one_path_is_refused() {
        decision(&["k=A", "k=B"], &["k=C/x", "k=C/y"]).unwrap();
        for (exchanges, files) in [
            (&["k=A", "k=B", "k=A"][..], &[][..]),
            (&["", ""], &[]),
            (&[], &["k=C/x", "k=C/x"]),
        ] {
            let error = decision(exchanges, files).unwrap_err().to_string();
            assert!(error.contains("puts two things at"), "{error}");
        }
    }
}
