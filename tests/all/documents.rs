//! What is written about the steps is what the steps say of themselves.

use std::path::Path;

use atomic_arrow::Step;

fn text(file: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

#[test]
fn the_front_page_has_the_table_of_the_steps() {
    let table: String = Step::table()
        .lines()
        .map(|line| format!("//! {line}\n"))
        .collect();
    assert!(
        text("src/lib.rs").contains(&table),
        "src/lib.rs should have:\n{table}"
    );
}

#[test]
fn the_guarantees_have_the_table_of_the_steps() {
    let table = Step::table();
    assert!(
        text("docs/guarantees.md").contains(&table),
        "docs/guarantees.md should have:\n{table}"
    );
}

/// The sources below a directory, all in one.
fn sources(directory: &Path) -> String {
    let mut all = String::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all += &sources(&path);
        } else if path.extension().is_some_and(|end| end == "rs") {
            all += &std::fs::read_to_string(path).unwrap();
        }
    }
    all
}

#[test]
fn every_test_that_the_security_model_names_is_there() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let directories = ["src", "tests", "cli/tests", "lab/tests"];
    let sources: String = directories
        .iter()
        .map(|directory| sources(&top.join(directory)))
        .collect();
    let model = text("SECURITY.md");
    let lines = model.lines().filter(|line| line.starts_with("| "));
    let mut held = 0;
    for line in lines.skip(1) {
        let tests: Vec<&str> = line.split('`').skip(1).step_by(2).collect();
        let tests = tests.iter().filter(|name| name.contains('_'));
        let missing: Vec<_> = tests
            .clone()
            .filter(|name| !sources.contains(&format!("#[test]\nfn {name}(")))
            .filter(|name| !sources.contains(&format!("#[test]\n    fn {name}(")))
            .collect();
        assert!(missing.is_empty(), "{missing:?}");
        assert!(tests.count() > 0, "no test holds: {line}");
        held += 1;
    }
    assert!(held > 10, "{held}");
}
