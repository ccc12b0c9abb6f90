//! The layers that ARCHITECTURE.md shows are those of the code: imports go one way.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The path of a module, without the crate.
type Module = Vec<String>;

/// The files of a crate's `src`, and what each imports of the same crate, tests aside.
struct Imports(BTreeMap<Module, BTreeSet<Module>>);

impl Imports {
    fn of(src: &str) -> Self {
        let mut sources = BTreeMap::new();
        collect(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join(src),
            &mut Vec::new(),
            &mut sources,
        );
        assert!(sources.len() > 10, "{src} has so few files");
        let imports = sources.iter().map(|(module, source)| {
            let used = uses(source);
            let used = used
                .iter()
                .filter_map(|path| resolve(&sources, module, path));
            (module.clone(), used.filter(|used| used != module).collect())
        });
        Imports(imports.collect())
    }

    /// Files that import each other, if only by way of others. What a module is divided into may import the module.
    fn circle(&self) -> Option<Vec<&Module>> {
        let mut left: BTreeSet<&Module> = self.0.keys().collect();
        loop {
            let free = |module: &&&Module| {
                let imported = self.0[**module].iter();
                let mut imported = imported.filter(|other| !module.starts_with(other));
                !imported.any(|other| left.contains(other))
            };
            let free: Vec<&Module> = left.iter().filter(free).copied().collect();
            if free.is_empty() {
                return (!left.is_empty()).then(|| left.into_iter().collect());
            }
            left.retain(|module| !free.contains(module));
        }
    }
}

/// The sources below a directory but those of tests, each cut where its tests begin.
fn collect(directory: &Path, above: &mut Module, sources: &mut BTreeMap<Module, String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if name == "tests" || name.ends_with("_tests") {
            continue;
        }
        if path.is_dir() {
            above.push(name);
            collect(&path, above, sources);
            above.pop();
            continue;
        }
        let mut module = above.clone();
        if !matches!(name.as_str(), "mod" | "lib" | "main") {
            module.push(name);
        }
        let source = fs::read_to_string(&path).unwrap();
        let is_code = |line: &&str| !line.trim_start().starts_with("//");
        let tests = source.find("\nmod tests {").unwrap_or(source.len());
        let code: Vec<&str> = source[..tests].lines().filter(is_code).collect();
        sources.insert(module, code.join("\n"));
    }
}

/// What the `use` items of a source name, and what it names by `crate::` elsewhere.
fn uses(source: &str) -> Vec<Module> {
    let mut found = Vec::new();
    for item in source.split(';') {
        if let Some((_, tree)) = item.rsplit_once("use ") {
            expand(&[], tree, &mut found);
        }
    }
    let names = source.split("crate::").skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
        let path = rest[..end.unwrap_or(rest.len())].split("::");
        let path = path.filter(|part| !part.is_empty()).map(str::to_owned);
        ["crate".to_owned()].into_iter().chain(path).collect()
    });
    found.extend(names);
    found
}

/// Adds the paths of a tree of imports such as `a::{b, c::{d, e}}`.
fn expand(above: &[String], tree: &str, found: &mut Vec<Module>) {
    let (path, inner) = match tree.split_once('{') {
        Some((path, inner)) => (path, inner.rsplit_once('}').map(|(inner, _)| inner)),
        None => (tree.split(" as ").next().unwrap(), None),
    };
    let path = path.trim().split("::").filter(|part| !part.is_empty());
    let path: Vec<String> = above
        .iter()
        .cloned()
        .chain(path.map(str::to_owned))
        .collect();
    let Some(inner) = inner else {
        return found.push(path);
    };
    let (mut depth, mut start) = (0, 0);
    for (at, c) in inner.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                expand(&path, &inner[start..at], found);
                start = at + 1;
            }
            _ => {}
        }
    }
    if !inner[start..].trim().is_empty() {
        expand(&path, &inner[start..], found);
    }
}

/// The file that a path leads to, if it is one of the crate.
fn resolve(sources: &BTreeMap<Module, String>, from: &Module, path: &Module) -> Option<Module> {
    let mut base = from.clone();
    let mut rest = path.as_slice();
    match rest.first()?.as_str() {
        "crate" => {
            base.clear();
            rest = &rest[1..];
        }
        "super" => {
            while rest.first().is_some_and(|part| part == "super") {
                base.pop();
                rest = &rest[1..];
            }
        }
        "self" => rest = &rest[1..],
        first => {
            // Else it is another crate.
            let child = from
                .iter()
                .cloned()
                .chain([first.to_owned()])
                .collect::<Module>();
            sources.get(&child)?;
        }
    }
    base.extend(rest.iter().cloned());
    while !sources.contains_key(&base) {
        base.pop()?;
    }
    Some(base)
}

fn architecture() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md")).unwrap()
}

/// The modules of the table in ARCHITECTURE.md, row by row.
fn layers() -> Vec<BTreeSet<String>> {
    let text = architecture();
    let (_, table) = text.split_once("| module |").unwrap();
    let rows = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let names = |row: &str| {
        let cell = row
            .trim_start_matches('|')
            .split('|')
            .next()
            .unwrap_or_default();
        let names = cell.split('`').skip(1).step_by(2);
        names.map(str::to_owned).collect()
    };
    rows.map(names).collect()
}

#[test]
fn modules_import_what_stands_above_them_in_the_table_of_the_architecture() {
    let layers = layers();
    let layer_of = |module: &str| layers.iter().position(|layer| layer.contains(module));
    let imports = Imports::of("src");
    let top = |module: &Module| module.first().cloned();
    let mut modules = BTreeSet::new();
    for (from, used) in &imports.0 {
        let Some(from_top) = top(from) else {
            continue; // `lib.rs` re-exports.
        };
        let layer = layer_of(&from_top);
        assert!(layer.is_some(), "the table has no module {from_top}");
        for to in used.iter().filter_map(top).filter(|to| *to != from_top) {
            let (above, same) = (layer_of(&to) < layer, layer_of(&to) == layer);
            assert!(
                above || same,
                "{} imports {to}, which the table has below",
                from.join("::")
            );
        }
        modules.insert(from_top);
    }
    let named: BTreeSet<String> = layers.into_iter().flatten().collect();
    assert_eq!(named, modules, "modules of the table, and of the code");
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    for src in ["src", "cli/src", "lab/src", "python/src"] {
        assert_eq!(Imports::of(src).circle(), None, "in {src}");
    }
}

#[test]
fn the_files_that_the_architecture_names_are_there() {
    let text = architecture();
    let file = |word: &&str| word.ends_with(".rs") || word.ends_with(".md");
    let is_name = |c: char| c.is_alphanumeric() || "/._".contains(c);
    let words = text.split(|c| !is_name(c)).filter(file);
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut found, there) = (0, |path: &str| {
        top.join("src").join(path).exists() || top.join(path).exists()
    });
    for path in words {
        assert!(there(path) || there(&format!("python/{path}")), "{path}");
        found += 1;
    }
    assert!(found > 20);
}

#[test]
fn circles_are_found() {
    let module = |path: &str| path.split("::").map(str::to_owned).collect::<Module>();
    let imports = |pairs: &[(&str, &[&str])]| {
        let pairs = pairs
            .iter()
            .map(|(from, to)| (module(from), to.iter().map(|to| module(to)).collect()));
        Imports(pairs.collect())
    };
    let circle = imports(&[
        ("a", &["b::c"]),
        ("b", &["b::c"]),
        ("b::c", &["d", "b"]),
        ("d", &["a"]),
    ]);
    let [a, b, c, d] = ["a", "b", "b::c", "d"].map(module);
    assert_eq!(circle.circle(), Some(vec![&a, &b, &c, &d]));
    assert_eq!(
        imports(&[("b", &["b::c"]), ("b::c", &["b"])]).circle(),
        None
    );
    let by_the_module = imports(&[("a", &["b"]), ("b", &["b::c"]), ("b::c", &["a"])]);
    assert_eq!(by_the_module.circle(), Some(vec![&a, &b, &c]));
    let mut found = Vec::new();
    expand(&[], "crate::{x, y::{self, Z as A}, w::*}", &mut found);
    let joined: Vec<String> = found.iter().map(|path| path.join("::")).collect();
    assert_eq!(
        joined,
        ["crate::x", "crate::y::self", "crate::y::Z", "crate::w::*"]
    );
}
