//! Hive segments: how a key and a value become the name of a directory, and back.
//!
//! Values are escaped by Hive's rule with the characters added that file systems and query engines stumble
//! over: ASCII control characters, space and `" # % ' * / : = ? \ { [ ] ^ < > |` become `%` and two
//! upper-case hexadecimal digits. All else stays as it is, letters of any script included: Hive and Spark
//! take `%C3%A9` for two characters. pyarrow, pandas, Polars, DuckDB, DataFusion and Spark all give every
//! value back.
//!
//! Keys are another matter: Polars, DuckDB and DataFusion take `Station%20ID` for the name itself. So
//! what all readers give back is written as it is, space and `# ' [ ] ^ {` among it, and a key with another
//! of the above characters is refused by [`Partition`](super::Partition).
//!
//! Reading is lenient, since others write too. A `%` without two hexadecimal digits after it stands
//! for itself. Neighbouring escapes of bytes from `%80` on are read as UTF-8 where they are valid
//! UTF-8 (pyarrow and most of the web write so), and else each as the character of that number (as
//! Hive and Spark write).
//!
//! This module is pure text: which keys and values are allowed is the business of
//! [`Partition`](super::Partition). Both tables are also the tests of this module.
#![doc = ""]
#![doc = include_str!("hive/tables.md")]

/// The value that stands for null in a segment.
pub const NULL: &str = "__HIVE_DEFAULT_PARTITION__";

/// Escapes a value.
///
/// ```
/// assert_eq!(atomic_arrow::partition::hive::escape("50% off"), "50%25%20off");
/// ```
pub fn escape(text: &str) -> String {
    escape_bytes(text, must_escape)
}

fn escape_bytes(text: &str, must_escape: impl Fn(u8) -> bool) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match u8::try_from(character) {
            Ok(byte) if must_escape(byte) => {
                escaped.push('%');
                escaped.push(char::from(HEX[usize::from(byte >> 4)]));
                escaped.push(char::from(HEX[usize::from(byte & 15)]));
            }
            _ => escaped.push(character),
        }
    }
    escaped
}

/// Reads a key or an escaped value, which never fails.
///
/// ```
/// use atomic_arrow::partition::hive::unescape;
///
/// assert_eq!(unescape("50%25%20off"), "50% off");
/// assert_eq!(unescape("50% off"), "50% off");
/// ```
pub fn unescape(text: &str) -> String {
    let mut unescaped = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('%') {
        unescaped.push_str(&rest[..start]);
        let (bytes, after) = leading_escapes(&rest[start..]);
        if bytes.is_empty() {
            unescaped.push('%');
            rest = &rest[start + 1..];
        } else {
            push_bytes(&mut unescaped, &bytes);
            rest = after;
        }
    }
    unescaped.push_str(rest);
    unescaped
}

/// The directory name of one key and value; `None` is null. Of a key only what readers would not give back
/// is escaped.
///
/// ```
/// use atomic_arrow::partition::hive::segment;
///
/// assert_eq!(segment("city", Some("New York")), "city=New%20York");
/// assert_eq!(segment("city", None), "city=__HIVE_DEFAULT_PARTITION__");
/// ```
pub fn segment(key: &str, value: Option<&str>) -> String {
    let mut segment = escape_bytes(key, is_lost_in_keys);
    segment.push('=');
    match value {
        None => segment.push_str(NULL),
        Some(value) => segment.push_str(&escape(value)),
    }
    segment
}

/// Takes a directory name apart into key and value, or gives `None` where it has no `=`.
///
/// ```
/// use atomic_arrow::partition::hive::parse_segment;
///
/// let (key, value) = parse_segment("city=New%20York").unwrap();
/// assert_eq!((key.as_str(), value.as_deref()), ("city", Some("New York")));
/// assert_eq!(parse_segment("New York"), None);
/// ```
pub fn parse_segment(segment: &str) -> Option<(String, Option<String>)> {
    let (key, value) = segment.split_once('=')?;
    Some((unescape(key), (value != NULL).then(|| unescape(value))))
}

/// The first character of a key that not all readers give back, or that no directory of Windows can have.
pub(crate) fn lost_in_key(key: &str) -> Option<char> {
    key.chars()
        .find(|character| u8::try_from(*character).is_ok_and(is_lost_in_keys))
}

fn is_lost_in_keys(byte: u8) -> bool {
    must_escape(byte) && !b" #'[]^{".contains(&byte)
}

fn must_escape(byte: u8) -> bool {
    byte.is_ascii_control() || br##" "#%'*/:=?\{[]^<>|"##.contains(&byte)
}

/// The bytes of the escapes that a text starts with, and what follows them.
fn leading_escapes(text: &str) -> (Vec<u8>, &str) {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let [b'%', high, low, ..] = rest.as_bytes() {
        let (Some(high), Some(low)) = (hex(*high), hex(*low)) else {
            break;
        };
        bytes.push(high << 4 | low);
        rest = &rest[3..];
    }
    (bytes, rest)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

/// Appends unescaped bytes: each run beyond ASCII as UTF-8 if it is that, else as characters.
fn push_bytes(text: &mut String, bytes: &[u8]) {
    for run in bytes.chunk_by(|a, b| a.is_ascii() == b.is_ascii()) {
        match std::str::from_utf8(run) {
            Ok(run) => text.push_str(run),
            Err(_) => text.extend(run.iter().copied().map(char::from)),
        }
    }
}

#[cfg(test)]
mod tests;
