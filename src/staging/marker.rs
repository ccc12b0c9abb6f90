//! The names of markers, which say all that a marker says: the control directory holds files without content.
//!
//! docs/format.md describes them. Which markers there are, and making them, is `control.rs`.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Component, Path, PathBuf};

use twox_hash::XxHash3_128;
use uuid::Uuid;

use super::place::is_area_name;

/// The prefix of the names of pending markers.
const PENDING: &str = "pending-";
/// Longest name of a file in bytes.
const NAME_MAX: usize = 255;

/// A transaction that may be decided, staged in an area outside the root: what the name of its marker says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pending {
    /// The path of the marker.
    pub(crate) path: PathBuf,
    pub(crate) transaction: Uuid,
    /// The hash that tells its area from every other.
    pub(super) anchor: String,
    /// The path of the area as the writer saw it; `None` if it is too long for a name.
    pub(crate) area: Option<PathBuf>,
}

/// The marker of a committed write that has a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WriteMarker {
    /// The path of the marker.
    pub(crate) path: PathBuf,
    pub(crate) key: WriteKey,
    /// The number of the write in a stream.
    pub(crate) sequence: Option<u64>,
    /// The path of the area with the receipt, as the writer saw it; `None` if it is too long for a name.
    pub(crate) area: Option<PathBuf>,
}

/// What a named write is known by: a hash of its name and directory, and whether it is a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WriteKey {
    pub(crate) hash: u128,
    pub(crate) is_stream: bool,
}

/// What the names of the receipts and markers of streams begin with.
const STREAM: &str = "stream-";

impl WriteKey {
    /// Whether a path in `writes` is that of the receipt or the marker of a stream.
    pub(crate) fn is_of_stream(path: &Path) -> bool {
        let name = path.file_name().and_then(OsStr::to_str);
        name.is_some_and(|name| name.starts_with(STREAM))
    }
}

/// The name of the receipt of the write, without a suffix.
impl fmt::Display for WriteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stream = if self.is_stream { STREAM } else { "" };
        write!(f, "{stream}{:032x}", self.hash)
    }
}

impl Pending {
    /// The path of the area, if its writer named that directory; `None` for an area beside or in another root, which
    /// belongs to that root even if both are one by two paths.
    pub(crate) fn given_area(&self) -> Option<&PathBuf> {
        let area = self.area.as_ref();
        area.filter(|area| !area.ancestors().any(is_area_name))
    }
}

pub(super) fn pending_name(transaction: Uuid, anchor: &str, area: &Path) -> String {
    with_path(format!("{PENDING}{transaction}@{anchor}@"), area)
}

pub(super) fn parse_pending(path: PathBuf) -> Option<Pending> {
    let name = path.file_name()?.to_str()?.strip_prefix(PENDING)?;
    let (transaction, rest) = name.split_once('@')?;
    let (anchor, area) = rest.split_once('@')?;
    Some(Pending {
        transaction: Uuid::try_parse(transaction).ok()?,
        anchor: anchor.to_owned(),
        area: decode_path(area),
        path,
    })
}

/// The name of the marker of a named write, which has a `sequence` if it is of a stream.
pub(super) fn write_name(key: WriteKey, sequence: Option<u64>, area: &Path) -> String {
    match sequence {
        Some(sequence) => with_path(format!("{key}-{sequence}@"), area),
        None => with_path(format!("{key}@"), area),
    }
}

/// Reads the name of a marker in `writes`.
pub(super) fn parse_write(path: &Path) -> Option<WriteMarker> {
    let (name, area) = path.file_name()?.to_str()?.split_once('@')?;
    let (hash, sequence) = match name.strip_prefix(STREAM) {
        Some(stream) => {
            let (hash, sequence) = stream.split_once('-')?;
            (hash, Some(sequence.parse().ok()?))
        }
        None => (name, None),
    };
    let key = WriteKey {
        hash: u128::from_str_radix(hash, 16).ok()?,
        is_stream: sequence.is_some(),
    };
    Some(WriteMarker {
        path: path.to_owned(),
        key,
        sequence,
        area: decode_path(area),
    })
}

/// Appends a path to a name, if there is room for it.
fn with_path(mut name: String, path: &Path) -> String {
    let encoded = encode_path(path);
    if name.len() + encoded.len() <= NAME_MAX {
        name.push_str(&encoded);
    }
    name
}

/// Percent-encodes all bytes of a path that cannot stand in a name, or that some reader takes for a suffix.
fn encode_path(path: &Path) -> String {
    let mut encoded = String::new();
    for &byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => encoded.push(byte.into()),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// Decodes a path; `None` unless it is absolute UTF-8, and leads nowhere by `.` or `..`.
fn decode_path(encoded: &str) -> Option<PathBuf> {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut parts = encoded.split('%');
    bytes.extend_from_slice(parts.next()?.as_bytes());
    for part in parts {
        let (code, rest) = part.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(code, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    let path = PathBuf::from(String::from_utf8(bytes).ok()?);
    let plain = path.components().all(|part| part != Component::ParentDir);
    let normal = path.components().collect::<PathBuf>();
    let is_it = plain && normal.as_os_str() == path.as_os_str() && path.is_absolute();
    (is_it && !path.as_os_str().as_encoded_bytes().contains(&0)).then_some(path)
}

/// What the names of the locks of updates begin with; the hash of the file's name follows.
const UPDATE: &str = "update-";

/// The name of the lock that all take who update the file `name`.
pub(super) fn update_name(name: &OsStr) -> String {
    let hash = XxHash3_128::oneshot(name.as_encoded_bytes());
    format!("{UPDATE}{hash:032x}")
}

/// Whether a path names the lock of an update, which its holder removes.
pub(super) fn is_update_lock(path: &Path) -> bool {
    let name = path.file_name().and_then(OsStr::to_str);
    let hash = name.and_then(|name| name.strip_prefix(UPDATE));
    hash.is_some_and(|hash| hash.len() == 32 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pending_transaction_is_read_from_the_name_of_its_marker() {
        let transaction = Uuid::now_v7();
        for area in ["/data/.lake.atomic", "/a b/%2F/\u{e4}@.parquet/.x.atomic"] {
            let name = pending_name(transaction, "1f.2e", Path::new(area));
            assert!(!name.contains(['/', '.', ' ']) || name.contains("1f.2e"));
            let pending = parse_pending(Path::new("/lake/.atomic").join(name)).unwrap();
            assert_eq!(pending.transaction, transaction);
            assert_eq!(pending.anchor, "1f.2e");
            assert_eq!(pending.area.as_deref(), Some(Path::new(area)));
        }
    }

    #[test]
    fn a_named_write_is_read_from_the_name_of_its_marker() {
        let area = Path::new("/data/.lake.atomic");
        for sequence in [None, Some(0), Some(u64::MAX)] {
            let key = WriteKey {
                hash: 0x2e,
                is_stream: sequence.is_some(),
            };
            let path = Path::new("/lake/.atomic/writes").join(write_name(key, sequence, area));
            assert_eq!(WriteKey::is_of_stream(&path), sequence.is_some());
            let marker = parse_write(&path).unwrap();
            assert_eq!((marker.key, marker.sequence), (key, sequence));
            assert_eq!(marker.area.as_deref(), Some(area));
        }
        for name in [
            "stream-2e@",
            "stream-2e-@",
            "stream--1@",
            "stream-2e--1@",
            "lock",
            "2e",
        ] {
            assert_eq!(parse_write(Path::new(name)), None, "{name}");
        }
    }

    #[test]
    fn a_path_that_is_too_long_for_a_name_is_left_out() {
        let area = format!("/{}", "d".repeat(300));
        let name = pending_name(Uuid::nil(), "1", Path::new(&area));
        assert!(name.len() <= NAME_MAX);
        assert_eq!(parse_pending(name.into()).unwrap().area, None);
    }

    #[test]
    fn other_names_are_no_markers() {
        for name in [
            "lock",
            "pending-",
            "pending-1@2@3",
            "pending-00000000-0000-0000-0000-000000000000",
        ] {
            assert_eq!(parse_pending(name.into()), None, "{name}");
        }
        for text in ["%", "%4", "%zz", "relative", "%2Fa%00", ""] {
            assert_eq!(decode_path(text), None, "{text}");
        }
    }

    #[test]
    fn a_marker_cannot_name_a_path_that_is_not_normal_nor_what_lies_in_an_area() {
        for area in ["/a/../b", "/a/.", "/./a", "/a//b", "/a/", "/..", "//a"] {
            assert_eq!(decode_path(&encode_path(Path::new(area))), None, "{area}");
        }
        for (area, given) in [
            ("/data/staging", true),
            ("/data/.lake.atomic", false),
            ("/data/.lake.atomic/below", false),
            ("/lake/.atomic/writes/x", false),
            ("/data/.lake.atomic-1000/below", false),
        ] {
            let name = pending_name(Uuid::nil(), "1", Path::new(area));
            let pending = parse_pending(name.into()).unwrap();
            assert_eq!(pending.given_area().is_some(), given, "{area}");
        }
    }
}
