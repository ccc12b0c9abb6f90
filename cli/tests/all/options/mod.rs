//! `docs/options.md`: what can be asked for, and how each face spells it.
//!
//! The table is `rows.rs`. It is held to what the faces have: the builders in the library's sources, the definition of
//! the command line, and the signatures of the Python package. An option that one of them has and the table has not is a
//! failure, and so is one that the table has and they have not. With ATOMIC_ARROW_WRITE_DOCS=1 the document is written.

mod faces;
mod rows;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use self::faces::{Faces, Option_};
use self::rows::{Cell, Row, SECTIONS, Section};

const HEAD: &str = "\
# Options

What can be asked for, and how Rust, the command and Python spell it. Where a face has no such option, the cell says why.
Options are for all formats where nothing else is said. Names are taken in any case, with hyphens or underscores; sizes
are numbers of bytes, or have a decimal unit (`1k`, `64MB`) or a binary one (`1MiB`). A switch is `true` or `false` in Rust, `True` or `False` in Python, and in the command a flag, or `on` and `off` where
it is on by default. No limit may be 0. An option that has no effect, such as one of Parquet in another format, is refused.

Options of Parquet that are set by column have the same names everywhere. `zstd(3)`, but `snappy` for the column `note`, is
`--compression 'zstd(3),note=snappy'` in the command, `compression={None: \"zstd(3)\", \"note\": \"snappy\"}` in Python, and
`set(\"compression\", None, \"zstd(3)\")` and `set(\"compression\", Some(\"note\"), \"snappy\")` of `ParquetProperties` in Rust, where so
are all rows that say `parquet`. A bloom filter with numbers is `--bloom-filters 'note(fpp=0.01 ndv=1000)'`,
`bloom_filters={\"note\": {\"fpp\": 0.01, \"ndv\": 1000}}` and `set(\"bloom_filters\", Some(\"note\"), \"fpp=0.01 ndv=1000\")`.

A test holds this page to the builders of the library, to the definition of the command line, and to the signatures of the
Python package. With `ATOMIC_ARROW_WRITE_DOCS=1` it writes the page anew.
";

fn document(faces: &Faces) -> String {
    let mut text = HEAD.to_owned();
    for section in SECTIONS {
        writeln!(text, "\n## {}\n\n{}\n", section.title, section.text).unwrap();
        writeln!(
            text,
            "| what | Rust | command | Python | values | default |"
        )
        .unwrap();
        writeln!(text, "|---|---|---|---|---|---|").unwrap();
        for row in section.rows {
            let [rust, command, python] = row.cells().map(Cell::shown);
            let (values, default) = (row.values(section, faces), row.default(section, faces));
            let what = row.what;
            writeln!(
                text,
                "| {what} | {rust} | {command} | {python} | {values} | {default} |"
            )
            .unwrap();
        }
    }
    text
}

impl Row {
    /// What the command's definition says, or else the table.
    fn values(&self, section: &Section, faces: &Faces) -> String {
        let known = faces.command_option(section, &self.command);
        match known.map(|option| option.values.join("`, `")) {
            Some(values) if self.values.is_empty() && !values.is_empty() => format!("`{values}`"),
            _ => self.values.to_owned(),
        }
    }

    fn default(&self, section: &Section, faces: &Faces) -> String {
        match faces.command_option(section, &self.command) {
            Some(Option_ {
                default: Some(default),
                ..
            }) if self.default.is_empty() => format!("`{default}`"),
            _ => self.default.to_owned(),
        }
    }
}

/// Asserts that the names in a column of a section are those that the face has.
#[track_caller]
fn assert_same(section: &Section, face: &str, told: BTreeSet<String>, there: &BTreeSet<String>) {
    let title = section.title;
    let untold: Vec<_> = there.difference(&told).collect();
    assert!(
        untold.is_empty(),
        "{title}: {face} has {untold:?}, which rows.rs does not tell"
    );
    let gone: Vec<_> = told.difference(there).collect();
    assert!(
        gone.is_empty(),
        "{title}: rows.rs tells of {gone:?}, which {face} does not have"
    );
}

#[test]
fn the_table_of_options_has_what_each_face_has() {
    let faces = Faces::read();
    for section in SECTIONS {
        let column = |cell: fn(&Row) -> &Cell| -> BTreeSet<String> {
            let rows = section.rows.iter();
            rows.flat_map(|row| cell(row).names()).collect()
        };
        assert_same(
            section,
            "Rust",
            column(|row| &row.rust),
            &faces.rust(section),
        );
        let command: BTreeSet<String> = faces.command(section).into_keys().collect();
        assert_same(section, "the command", column(|row| &row.command), &command);
        assert_same(
            section,
            "Python",
            column(|row| &row.python),
            &faces.python(section),
        );
    }
}

#[test]
fn every_option_that_a_face_lacks_has_a_reason() {
    for section in SECTIONS {
        for row in section.rows {
            for cell in row.cells() {
                assert!(!cell.shown().is_empty(), "{}: {}", section.title, row.what);
            }
            let defaults = !row.default.is_empty() || row.command.is_named();
            assert!(defaults, "{}: {} has no default", section.title, row.what);
        }
    }
}

#[test]
fn the_document_of_options_is_the_table() {
    let seen = document(&Faces::read());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/options.md");
    if std::env::var_os("ATOMIC_ARROW_WRITE_DOCS").is_some() {
        std::fs::write(&path, &seen).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    let mut lines = there.lines().zip(seen.lines());
    assert!(
        there == seen,
        "docs/options.md is not what the faces have; with ATOMIC_ARROW_WRITE_DOCS=1 it is written. First: {:#?}",
        lines.find(|(there, seen)| there != seen)
    );
}
