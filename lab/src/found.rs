//! Finds what is on a disk, and what of it a reader sees.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};

use atomic_arrow::disk::sim::SimDisk;
use atomic_arrow::uuid::Uuid;

/// Everything below a directory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Found {
    /// The files and what they hold, by their paths below the directory.
    pub files: BTreeMap<PathBuf, Vec<u8>>,
    /// The directories, by their paths below the directory.
    pub directories: BTreeSet<PathBuf>,
}

/// What a reader sees of a data set: each file by its path and a hash of what it holds, sorted. The
/// part of a name that differs in every run is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct View(pub Vec<(PathBuf, usize, u64)>);

impl Found {
    /// What is on a simulated disk.
    #[must_use]
    pub fn on_sim(disk: &SimDisk, top: &Path) -> Self {
        let below = |path: PathBuf| Some(path.strip_prefix(top).ok()?.to_owned());
        let files = disk.files().into_iter().filter_map(|path| {
            let content = disk.read(&path).unwrap_or_default();
            Some((below(path)?, content))
        });
        Found {
            files: files.collect(),
            directories: disk.directories().into_iter().filter_map(below).collect(),
        }
    }

    /// What is on the operating system's disk; symbolic links are left out.
    ///
    /// # Errors
    /// The system's.
    pub fn on_system(top: &Path) -> io::Result<Self> {
        let mut found = Found::default();
        let mut pending = vec![PathBuf::new()];
        while let Some(directory) = pending.pop() {
            for entry in fs::read_dir(top.join(&directory))? {
                let entry = entry?;
                let path = directory.join(entry.file_name());
                let kind = entry.file_type()?;
                if kind.is_dir() {
                    found.directories.insert(path.clone());
                    pending.push(path);
                } else if kind.is_file() {
                    found.files.insert(path, fs::read(entry.path())?);
                }
            }
        }
        Ok(found)
    }

    /// What a reader of the data set at `root` sees.
    #[must_use]
    pub fn view(&self, root: &Path) -> View {
        let inside = root.join(".atomic");
        let seen = self
            .files
            .iter()
            .filter(|(path, _)| path.starts_with(root) && !path.starts_with(&inside));
        let mut seen: Vec<_> = seen
            .map(|(path, content)| (without_ids(path), content.len(), hash_of(content)))
            .collect();
        seen.sort();
        View(seen)
    }

    /// A fingerprint that is the same for states that must come out alike: nobody looks at the content of a staging
    /// file as long as no decision names it.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for (path, content) in &self.files {
            path.hash(&mut hasher);
            let decision = path.with_file_name("decision.record");
            let staged = path
                .extension()
                .is_some_and(|suffix| ["staged", "scratch", "new"].iter().any(|s| suffix == *s));
            let unread = staged && !self.files.contains_key(&decision);
            match unread && !self.has_decision_above(path) {
                true => content.is_empty().hash(&mut hasher),
                false => content.hash(&mut hasher),
            }
        }
        self.directories.hash(&mut hasher);
        hasher.finish()
    }

    fn has_decision_above(&self, path: &Path) -> bool {
        path.ancestors()
            .any(|above| self.files.contains_key(&above.join("decision.record")))
    }
}

/// A hash of bytes.
#[must_use]
pub fn hash_of(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

/// The path with `*` for every part of a name that differs in each run: transactions and hashes.
#[must_use]
pub fn without_ids(path: &Path) -> PathBuf {
    path.iter()
        .map(|name| without_id(&name.to_string_lossy()))
        .collect()
}

fn without_id(name: &str) -> String {
    // The marker of a transaction says where that is staged, too.
    if name.starts_with("pending-") {
        return "pending-*".to_owned();
    }
    // That of a stream also says which number in it is the latest.
    if name.starts_with("stream-") {
        let rest = name.find(['@', '.']).map_or("", |end| &name[end..]);
        return format!("stream-*{rest}");
    }
    let prefixes = ["part-", "update-"].into_iter();
    let mut prefixed = prefixes.filter_map(|prefix| Some((prefix, name.strip_prefix(prefix)?)));
    let (prefix, rest) = prefixed.next().unwrap_or(("", name));
    for length in [36, 32] {
        if let Some((id, rest)) = rest.split_at_checked(length)
            && Uuid::try_parse(id).is_ok()
        {
            return format!("{prefix}*{rest}");
        }
    }
    name.to_owned()
}
