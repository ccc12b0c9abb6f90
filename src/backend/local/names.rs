//! A record in the names of files without content: readers that open every file below a root find
//! nothing in it to trip over (promise P4).

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{LONGEST_NAMED, unless_gone};
use crate::disk::{Disk, EntryKind, Owner};

/// How many bytes of a record a name holds: with its number, and encoded, it is shorter than any file
/// system's limit.
const PIECE: usize = 170;
/// How well records are compressed: they are small and written once.
const LEVEL: i32 = 3;

/// Makes a directory whose files' names hold a record.
pub(super) fn write(disk: &dyn Disk, directory: &Path, record: &[u8]) -> io::Result<()> {
    let packed = zstd::bulk::compress(record, LEVEL)?;
    disk.create_directory(directory)?;
    for (number, piece) in packed.chunks(PIECE).enumerate() {
        let name = format!("{number:06}-{}", URL_SAFE_NO_PAD.encode(piece));
        drop(disk.create_file(&directory.join(name), false)?);
    }
    Ok(())
}

/// A record that is kept in names.
pub(super) struct Named {
    pub(super) record: Unpacked,
    /// The owners of the directory and the files.
    pub(super) owned: Vec<(PathBuf, Owner)>,
}

/// A record that is unpacked as it is read.
type Unpacked = io::BufReader<io::Take<zstd::stream::read::Decoder<'static, Packed>>>;
type Packed = io::BufReader<io::Cursor<Vec<u8>>>;

/// The record that the names in a directory hold, if there is such a directory.
///
/// # Errors
/// The system's, or [`io::ErrorKind::InvalidData`] if they hold none.
pub(super) fn open(disk: &dyn Disk, directory: &Path) -> io::Result<Option<Named>> {
    let mut owned = Vec::new();
    match disk.status(directory)? {
        Some((EntryKind::Directory, status)) => {
            owned.extend(status.owner.map(|owner| (directory.to_owned(), owner)));
        }
        _ => return Ok(None),
    }
    let Some(entries) = unless_gone(disk.list(directory))? else {
        return Ok(None);
    };
    let mut paths: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path).collect();
    paths.sort();
    let mut packed = Vec::new();
    for (number, path) in paths.into_iter().enumerate() {
        let name = path.file_name().and_then(|name| name.to_str());
        let piece = name.and_then(|name| name.strip_prefix(&format!("{number:06}-")));
        let piece = piece.and_then(|piece| URL_SAFE_NO_PAD.decode(piece).ok());
        packed.extend(piece.ok_or_else(|| invalid("a name is missing, or is none of a record"))?);
        let status = disk.status(&path)?;
        owned.extend(status.and_then(|(_, status)| Some((path, status.owner?))));
    }
    let unpacked = zstd::stream::read::Decoder::new(io::Cursor::new(packed))?;
    let record = io::BufReader::new(unpacked.take(LONGEST_NAMED));
    Ok(Some(Named { record, owned }))
}

/// Whether the names in a directory hold just this record.
pub(super) fn hold(disk: &dyn Disk, directory: &Path, record: &[u8]) -> bool {
    let Ok(Some(found)) = open(disk, directory) else {
        return false;
    };
    let mut found = found.record.take(record.len() as u64 + 1);
    let mut bytes = Vec::new();
    found.read_to_end(&mut bytes).is_ok() && bytes == record
}

fn invalid(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}
