//! What a check finds in sound and damaged CSV.

use super::*;
use crate::format::memory::MemoryFile;

fn rows(text: impl AsRef<[u8]>) -> Option<u64> {
    check(MemoryFile::open(text.as_ref()), Path::new("x.csv"))
        .unwrap()
        .rows
}

fn damage_of(text: impl AsRef<[u8]>) -> Damage {
    match check(MemoryFile::open(text.as_ref()), Path::new("x.csv")) {
        Err(Fault::Damage(damage)) => damage,
        other => panic!("{other:?}"),
    }
}

/// Line, column and byte of the damage.
fn place(text: impl AsRef<[u8]>) -> (u64, u64, u64) {
    match damage_of(text) {
        Damage::Syntax {
            line,
            column,
            offset,
            ..
        } => (line, column, offset),
        other => panic!("{other:?}"),
    }
}

#[test]
fn records_below_the_header_are_rows() {
    assert_eq!(rows("a,b\n"), Some(0));
    assert_eq!(rows("a,b"), Some(0));
    assert_eq!(rows("a,b\n1,2\n3,4\n"), Some(2));
    assert_eq!(rows("a,b\r\n1,2\r\n3,4"), Some(2));
    assert_eq!(rows("a,b\n\n1,\n\r\n,\n"), Some(2));
    assert_eq!(rows("\u{feff}a\n\"x\ny\"\n\"\"\n"), Some(2));
    assert_eq!(rows("a\n\"x \"\" y\"\n"), Some(1));
}

#[test]
fn a_record_with_another_number_of_fields_is_told_with_its_place() {
    assert_eq!(place("a,b\n1,2\n3\n"), (3, 1, 8));
    assert_eq!(place("a,b\n\"1\n\",2\n\n3,4,5"), (5, 1, 12));
    let text = std::error::Error::source(&damage_of("a,b\r\n1\r\n"))
        .unwrap()
        .to_string();
    assert_eq!(text, "1 fields, but the header has 2");
}

#[test]
fn a_file_cut_within_quotes_is_unfinished() {
    let whole = "a,b\n\"x, y\",\"z\"\n";
    for (end, missing) in [(7, true), (12, true), (13, true), (14, false), (15, false)] {
        match (
            check(
                MemoryFile::open(&whole.as_bytes()[..end]),
                Path::new("x.csv"),
            ),
            missing,
        ) {
            (Ok(contents), false) => assert_eq!(contents.rows, Some(1)),
            (Err(Fault::Damage(Damage::Unfinished { offset, .. })), true) => {
                assert_eq!(offset, end as u64);
            }
            (other, _) => panic!("{end}: {other:?}"),
        }
    }
}

#[test]
fn a_file_without_a_header_is_too_short() {
    for text in ["", "\n", "\r\n\n"] {
        assert!(
            matches!(damage_of(text), Damage::TooShort { .. }),
            "{text:?}"
        );
    }
}

#[test]
fn text_that_is_not_utf8_is_damage() {
    place(b"a\n\xff\n");
    place(b"a\n\xc3");
}

#[test]
fn fields_longer_than_what_is_read_at_once_are_read() {
    let long = "x".repeat(3 * BUFFER);
    assert_eq!(rows(format!("a,b\n{long},\"{long}\"\n1,2\n")), Some(2));
    assert_eq!(place(format!("a,b\n{long}\n")), (2, 1, 4));
}

#[test]
fn a_disk_that_does_not_read_is_no_damage() {
    let text = "a,b\n1,2\n".repeat(20_000);
    for offset in [0, 100_000] {
        let outcome = check(
            MemoryFile::refusing_from(text.as_str(), offset),
            Path::new("x.csv"),
        );
        assert!(matches!(outcome, Err(Fault::Io(_))), "{outcome:?}");
    }
}
