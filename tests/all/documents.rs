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
