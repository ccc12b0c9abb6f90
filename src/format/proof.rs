//! The proof that a file carries of itself: two hashes in its footer (promise P11).
//!
//! Parquet and Arrow IPC say in their footer who wrote a file. Ours say
//! `atomic-arrow version 0.1.0 (build xxh3 BODY FOOTER)`: two XXH3 hashes of 64 bits, each as 16 hexadecimal digits.
//! `BODY` is that of all bytes before the footer, `FOOTER` that of the footer and of what follows it, in which its own
//! digits are zeros. Checksums of pages find where a page was changed; this finds that anything was, headers, lengths and
//! statistics too.
//!
//! The text is looked for as bytes, not by parsing: what was changed may be what a parser goes by.

use std::hash::Hasher as _;
use std::ops::Range;

use twox_hash::XxHash3_64;

use crate::damage::{Damage, Location};
use crate::format::Fault;
use crate::format::source::Source;

/// The beginning of the writer's name, the same in all versions.
const PROGRAM: &str = "atomic-arrow version ";
/// The text between the version and the hashes.
const HASHES: &str = " (build xxh3 ";
/// The number of digits of a hash.
const DIGITS: usize = 16;
/// The number of bytes that are read at once.
const BUFFER: u64 = 1 << 20;

/// The bytes before a footer, as the footer declares them.
pub(super) struct Body {
    /// The number of the bytes.
    end: u64,
    /// The digits of the hash.
    hash: String,
}

/// The writer's name of a file whose footer is not written yet: the hashes are zeros.
pub(super) fn created_by() -> String {
    format!(
        "{}{HASHES}{:0>DIGITS$} {:0>DIGITS$})",
        unproven_created_by(),
        0,
        0
    )
}

/// The writer's name of a file that carries no hashes.
pub(super) fn unproven_created_by() -> String {
    format!("{PROGRAM}{}", env!("CARGO_PKG_VERSION"))
}

/// Writes the hashes into the end of a file, from its footer on, where the writer's name stands at `name`, and
/// returns the new name; `None` if the name has no place for them.
pub(super) fn complete(body: u64, end: &mut [u8], name: Range<usize>) -> Option<String> {
    let digits = parse(end.get(name.clone())?)?;
    let [body_digits, footer_digits] = digits.map(|digits| offset(digits, name.start));
    // The hash of the footer is of the hash of the body too, so the latter is written first.
    end[body_digits].copy_from_slice(hexadecimal(body).as_bytes());
    let footer = hash_without(end, &footer_digits);
    end[footer_digits].copy_from_slice(hexadecimal(footer).as_bytes());
    String::from_utf8(end[name].to_vec()).ok()
}

/// Compares the end of a file, from its footer at byte `start` on, with the hash that it carries in the writer's name at
/// `name`. Gives what the footer says of the bytes before it.
///
/// # Errors
/// The hash differs, or the name has none.
pub(super) fn check_end(start: u64, end: &[u8], name: Range<usize>) -> Result<Body, Damage> {
    let location = Location::file().at(start);
    let unreadable = || Damage::Contradiction {
        location: location.clone(),
        what: "the hashes in the writer's name cannot be read".to_owned(),
    };
    let text = end.get(name.clone()).ok_or_else(unreadable)?;
    let digits = parse(text).ok_or_else(unreadable)?;
    let [body, footer] = digits.map(|digits| offset(digits, name.start));
    let found = hash_without(end, &footer);
    compare(location, "the hash of the footer", &end[footer], found)?;
    let hash = String::from_utf8_lossy(&end[body]).into_owned();
    Ok(Body { end: start, hash })
}

/// Compares what is before the footer with the hash that the footer has of it, if it has one.
pub(super) fn check_body(source: &Source, body: Option<Body>) -> Result<(), Fault> {
    let Some(Body {
        end,
        hash: expected,
    }) = body
    else {
        return Ok(());
    };
    let mut hash = XxHash3_64::new();
    let mut position = 0;
    while position < end {
        let bytes = source.read(position, BUFFER.min(end - position))?;
        // The file was cut since its length was asked for: the hash differs then.
        if bytes.is_empty() {
            break;
        }
        hash.write(&bytes);
        position += bytes.len() as u64;
    }
    let what = "the hash of all bytes before the footer";
    Ok(compare(
        Location::file(),
        what,
        expected.as_bytes(),
        hash.finish(),
    )?)
}

fn compare(
    location: Location,
    what: &'static str,
    expected: &[u8],
    found: u64,
) -> Result<(), Damage> {
    let found = hexadecimal(found);
    if found.as_bytes() == expected {
        return Ok(());
    }
    Err(Damage::Differs {
        location,
        field: what,
        expected: String::from_utf8_lossy(expected).into(),
        found: found.into(),
    })
}

/// The range of the last writer's name of this crate, or of what is left of it: one of its two fixed parts is enough.
pub(super) fn find(end: &[u8]) -> Option<Range<usize>> {
    let start = match (find_last(end, PROGRAM), find_last(end, HASHES)) {
        (Some(program), Some(hashes)) if program < hashes => program,
        (program, hashes) => program.max(hashes)?,
    };
    let length = end[start..].iter().position(|byte| *byte == b')');
    Some(start..length.map_or(end.len(), |length| start + length + 1))
}

/// Whether a text is a writer's name with hashes.
#[cfg(feature = "ipc")]
pub(super) fn is_whole(text: &[u8]) -> bool {
    parse(text).is_some()
}

/// The range of the last occurrence of a text.
pub(super) fn find_last(bytes: &[u8], text: &str) -> Option<usize> {
    let mut windows = bytes.windows(text.len().max(1));
    windows.rposition(|window| window == text.as_bytes())
}

/// The ranges of the digits of both hashes in a writer's name.
fn parse(text: &[u8]) -> Option<[Range<usize>; 2]> {
    let text = std::str::from_utf8(text).ok()?;
    let version = text.strip_prefix(PROGRAM)?.find(HASHES)?;
    let body = PROGRAM.len() + version + HASHES.len();
    let footer = body + DIGITS + 1;
    let is_hash = |digits: &str| {
        let is_digit = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        digits.len() == DIGITS && digits.bytes().all(is_digit)
    };
    let hashes = text[body..].strip_suffix(')')?.split_once(' ')?;
    (is_hash(hashes.0) && is_hash(hashes.1))
        .then_some([body..body + DIGITS, footer..footer + DIGITS])
}

fn offset(range: Range<usize>, by: usize) -> Range<usize> {
    range.start + by..range.end + by
}

/// The hash of bytes in which a range is replaced by the digit zero.
fn hash_without(bytes: &[u8], zeros: &Range<usize>) -> u64 {
    let mut hash = XxHash3_64::new();
    hash.write(&bytes[..zeros.start]);
    hash.write(&[b'0'; DIGITS]);
    hash.write(&bytes[zeros.end..]);
    hash.finish()
}

fn hexadecimal(hash: u64) -> String {
    format!("{hash:0>DIGITS$x}")
}
