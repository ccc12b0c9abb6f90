//! What is public can grow without breaking whoever uses it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Calls `see` with each source of the library but those of tests and of the disk, which is public for tests alone.
fn each_source(directory: &Path, see: &mut impl FnMut(&Path, &str)) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        if name == "disk" || name.ends_with("tests") {
            continue;
        }
        match path.is_dir() {
            true => each_source(&path, see),
            false => see(&path, &fs::read_to_string(&path).unwrap()),
        }
    }
}

/// The public types of a source to which a variant or field cannot be added, and how many it has in all.
fn closed(source: &str) -> (Vec<&str>, usize) {
    let (mut closed, mut count) = (Vec::new(), 0);
    let lines: Vec<&str> = source.lines().collect();
    for (at, line) in lines.iter().enumerate() {
        let body = || lines[at + 1..].iter().take_while(|line| **line != "}");
        let grows = match line.strip_prefix("pub ") {
            Some(item) if item.starts_with("enum ") => true,
            Some(item) if item.starts_with("struct ") && item.ends_with('{') => {
                body().any(|line| line.starts_with("    pub ") && !line.contains(" fn "))
            }
            _ => false,
        };
        if grows {
            count += 1;
            let before = lines[..at].iter().rev();
            let mut attributes = before.take_while(|line| line.starts_with("#["));
            if !attributes.any(|line| *line == "#[non_exhaustive]") {
                closed.push(*line);
            }
        }
    }
    (closed, count)
}

#[test]
fn variants_and_fields_can_be_added_to_every_public_type() {
    let (mut found, mut count) = (Vec::new(), 0);
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    each_source(&src, &mut |path, source| {
        let (closed, seen) = closed(source);
        let file = path.strip_prefix(&src).unwrap().display();
        found.extend(closed.iter().map(|line| format!("{file}: {line}")));
        count += seen;
    });
    assert!(count > 20, "only {count} types were looked at");
    assert_eq!(found, Vec::<String>::new(), "lack #[non_exhaustive]");
}

/// The table of features on the front page is that of the manifest, and the version of Rust too.
#[test]
fn the_front_page_names_the_features_and_the_version_of_rust() {
    let text = |file| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    let (manifest, page) = (text("Cargo.toml"), text("src/lib.rs"));
    let value = |line: &str| line.split('"').nth(1).unwrap().to_owned();
    let rust = manifest
        .lines()
        .find(|line| line.starts_with("rust-version = "));
    let rust = value(rust.unwrap());
    assert!(page.contains(&format!("Rust (now {rust})")), "{rust}");
    let features = manifest.split("\n[features]\n").nth(1).unwrap();
    let features = features.split("\n[").next().unwrap();
    let names = features.lines().filter(|line| !line.starts_with('#'));
    let names = names
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, _)| name);
    for name in names.filter(|name| *name != "default") {
        let section = page.split("//! # Features\n").nth(1).unwrap();
        let section = section.split("//! # Versions\n").next().unwrap();
        assert!(section.contains(&format!("`{name}`")), "{name}");
    }
}

/// The setters of a type, each with what it takes, by the list of public items.
fn setters(list: &str, of: &str) -> BTreeMap<String, String> {
    let prefix = format!("pub fn atomic_arrow::{of}::");
    let lines = list.lines().filter_map(|line| line.strip_prefix(&prefix));
    let setters = lines.filter_map(|line| line.strip_suffix(") -> Self")?.split_once("(self, "));
    setters
        .map(|(name, takes)| (name.to_owned(), takes.to_owned()))
        .collect()
}

/// Whoever knows the options of one writer knows those of the others.
#[test]
fn options_of_one_name_take_the_same_in_all_writers() {
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/public-api.txt");
    let list = fs::read_to_string(list).unwrap();
    let types = [
        "DatasetWriterBuilder",
        "WriterOptions",
        "FileOptions",
        "StagedWrites",
        "RecoverOptions",
    ];
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for of in types {
        let setters = setters(&list, of);
        assert!(setters.len() >= 3, "{of}: {setters:?}");
        for (name, takes) in setters {
            found.entry(name).or_default().insert(takes);
        }
    }
    assert!(found.len() > 30, "{found:?}");
    // A file is created or replaced; of a data set there is more that a commit can do with what is there.
    found.remove("mode");
    // A write tells of rows and partitions, a scan of files.
    found.remove("on_progress");
    found.retain(|_, takes| takes.len() > 1);
    assert_eq!(found, BTreeMap::new());
}

/// Options can be kept, cloned, and looked at.
#[test]
fn options_are_clone_and_debug() {
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/public-api.txt");
    let list = fs::read_to_string(list).unwrap();
    let named = |line: &str| {
        let name = line.strip_prefix("pub struct atomic_arrow::")?;
        let is_options = name.ends_with("Options") || name.ends_with("Builder");
        // Some are public under two paths.
        let name = name.rsplit("::").next()?;
        is_options.then(|| name.to_owned())
    };
    let mut count = 0;
    for name in list.lines().filter_map(named) {
        count += 1;
        for of in ["core::clone::Clone", "core::fmt::Debug"] {
            let (begins, ends) = (format!("impl {of} for "), format!("::{name}"));
            let mut lines = list.lines().filter(|line| line.starts_with(&begins));
            assert!(lines.any(|line| line.ends_with(&ends)), "{of} for {name}");
        }
    }
    assert!(count >= 6, "{count}");
}
