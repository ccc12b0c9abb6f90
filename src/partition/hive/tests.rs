use proptest::prelude::*;

use super::*;

/// What is written: meaning, key, value, segment.
const WRITTEN: &[(&str, &str, Option<&str>, &str)] = &[
    ("plain text", "station_id", Some("KSEA"), "station_id=KSEA"),
    (
        "digits keep their leading zeros",
        "station_id",
        Some("010010"),
        "station_id=010010",
    ),
    ("null", "city", None, "city=__HIVE_DEFAULT_PARTITION__"),
    ("space", "city", Some("New York"), "city=New%20York"),
    ("slash", "city", Some("a/b"), "city=a%2Fb"),
    ("backslash", "city", Some("a\\b"), "city=a%5Cb"),
    ("equals sign", "city", Some("a=b"), "city=a%3Db"),
    ("percent sign", "share", Some("50%"), "share=50%25"),
    ("text that looks escaped", "city", Some("%20"), "city=%2520"),
    ("colon", "time", Some("05:00"), "time=05%3A00"),
    ("quotes", "name", Some("\"it's\""), "name=%22it%27s%22"),
    (
        "number sign, question mark, asterisk",
        "name",
        Some("#?*"),
        "name=%23%3F%2A",
    ),
    ("brackets", "name", Some("[a]{b}"), "name=%5Ba%5D%7Bb}"),
    (
        "caret, less, greater, bar",
        "name",
        Some("^<>|"),
        "name=%5E%3C%3E%7C",
    ),
    ("tab and newline", "name", Some("a\tb\n"), "name=a%09b%0A"),
    ("NUL and DEL", "name", Some("\0\u{7f}"), "name=%00%7F"),
    (
        "letters beyond ASCII",
        "city",
        Some("Zürich 東京"),
        "city=Zürich%20東京",
    ),
    ("two dots alone", "name", Some(".."), "name=.."),
    (
        "a key stays as readers give it back",
        "it's [Station] #ID^{",
        Some("a b"),
        "it's [Station] #ID^{=a%20b",
    ),
    (
        "all else stays",
        "name",
        Some("!$&()+,-.;@_}~"),
        "name=!$&()+,-.;@_}~",
    ),
];

/// What is only read: meaning, segment, key, value.
const READ: &[(&str, &str, &str, Option<&str>)] = &[
    ("lower-case digits", "city=a%2fb", "city", Some("a/b")),
    ("a needless escape", "city=%41", "city", Some("A")),
    (
        "a space left as it is",
        "city=New York",
        "city",
        Some("New York"),
    ),
    ("a second equals sign", "city=a=b", "city", Some("a=b")),
    (
        "a percent sign and no digits",
        "share=50%",
        "share",
        Some("50%"),
    ),
    (
        "a percent sign and one digit",
        "share=%4",
        "share",
        Some("%4"),
    ),
    (
        "a percent sign and other letters",
        "share=%zz%20",
        "share",
        Some("%zz "),
    ),
    (
        "UTF-8 in escapes",
        "city=Z%C3%BCrich",
        "city",
        Some("Zürich"),
    ),
    (
        "UTF-8 in escapes, several",
        "city=%E6%9D%B1%E4%BA%AC",
        "city",
        Some("東京"),
    ),
    (
        "a character by its number",
        "city=Z%FCrich",
        "city",
        Some("Zürich"),
    ),
    (
        "UTF-8, a space, a character",
        "city=%C3%BC%20%FC",
        "city",
        Some("ü ü"),
    ),
    ("UTF-8 cut short", "city=%E6%9D", "city", Some("æ\u{9d}")),
    (
        "an escape between letters",
        "city=é%20é",
        "city",
        Some("é é"),
    ),
    ("an empty value", "city=", "city", Some("")),
    (
        "an escaped key",
        "Station%20ID=KSEA",
        "Station ID",
        Some("KSEA"),
    ),
];

fn render_tables() -> String {
    let code = |text: String| format!("`{}`", text.replace('|', "\\|"));
    let shown = |value: &Option<&str>| match value {
        None => "null".to_owned(),
        Some(value) => code(format!("{value:?}")),
    };
    let mut tables = "Written, and read back as the same:\n\n".to_owned();
    tables += "| meaning | key | value | directory |\n|---|---|---|---|\n";
    for (meaning, key, value, segment) in WRITTEN {
        let (key, segment) = (code((*key).to_owned()), code((*segment).to_owned()));
        tables += &format!("| {meaning} | {key} | {} | {segment} |\n", shown(value));
    }
    tables += "\nRead from what others write:\n\n";
    tables += "| meaning | directory | key | value |\n|---|---|---|---|\n";
    for (meaning, segment, key, value) in READ {
        let (key, segment) = (code((*key).to_owned()), code((*segment).to_owned()));
        tables += &format!("| {meaning} | {segment} | {key} | {} |\n", shown(value));
    }
    tables
}

#[test]
fn the_documented_tables_are_the_tested_ones() {
    let tables = render_tables();
    assert!(
        include_str!("tables.md") == tables,
        "hive/tables.md is to be:\n{tables}"
    );
}

#[test]
fn the_first_table_holds_when_writing_and_when_reading() {
    for (meaning, key, value, expected) in WRITTEN {
        assert_eq!(segment(key, *value), *expected, "{meaning}");
        let read = parse_segment(expected).unwrap();
        assert_eq!(
            read,
            (key.to_string(), value.map(str::to_owned)),
            "{meaning}"
        );
    }
}

#[test]
fn the_second_table_holds_when_reading() {
    for (meaning, segment, key, value) in READ {
        let read = parse_segment(segment).unwrap();
        assert_eq!(
            read,
            (key.to_string(), value.map(str::to_owned)),
            "{meaning}"
        );
    }
}

#[test]
fn exactly_the_named_characters_are_escaped() {
    let named = " \"#%'*/:=?\\{[]^<>|\u{7f}";
    for character in (0..=0x17f).filter_map(char::from_u32) {
        let expected = if character < ' ' || named.contains(character) {
            format!("%{:02X}", u32::from(character))
        } else {
            character.to_string()
        };
        assert_eq!(escape(&character.to_string()), expected);
        let lost = !" #'[]^{".contains(character) && expected.starts_with('%');
        let key = character.to_string();
        assert_eq!(lost_in_key(&key), lost.then_some(character));
        let expected = if lost { expected } else { key.clone() };
        assert_eq!(segment(&key, Some("x")), format!("{expected}=x"));
    }
}

proptest! {
    #[test]
    fn any_text_comes_back(text in any::<String>()) {
        prop_assert_eq!(unescape(&escape(&text)), text);
    }

    #[test]
    fn any_text_that_looks_escaped_comes_back(text in "[%0-9A-Fa-fé=/]{0,12}") {
        prop_assert_eq!(unescape(&escape(&text)), text);
    }

    #[test]
    fn escaped_text_is_one_name_and_splits_nowhere(text in any::<String>()) {
        let escaped = escape(&text);
        let harmful = |character: char| character.is_ascii_control() || "/\\=".contains(character);
        prop_assert!(!escaped.contains(harmful));
    }

    #[test]
    fn reading_never_fails(text in "[%0-9A-Fa-fé=/]{0,24}") {
        let _ = unescape(&text);
    }
}
