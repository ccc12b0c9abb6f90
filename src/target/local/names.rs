//! A record in the names of files without content: readers that open every file below a root find
//! nothing in it to trip over (promise P4).

use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{LONGEST_NAMED, unless_gone};
use crate::disk::{Disk, EntryKind};

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

/// The record that the names in a directory hold, if there is such a directory.
///
/// # Errors
/// The system's, or [`io::ErrorKind::InvalidData`] if they hold none.
pub(super) fn read(disk: &dyn Disk, directory: &Path) -> io::Result<Option<Vec<u8>>> {
    match disk.status(directory)? {
        Some((EntryKind::Directory, _)) => {}
        _ => return Ok(None),
    }
    let Some(entries) = unless_gone(disk.list(directory))? else {
        return Ok(None);
    };
    let mut paths: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path).collect();
    paths.sort();
    let mut packed = Vec::new();
    for (number, path) in paths.iter().enumerate() {
        let name = path.file_name().and_then(|name| name.to_str());
        let piece = name.and_then(|name| name.strip_prefix(&format!("{number:06}-")));
        let piece = piece.and_then(|piece| URL_SAFE_NO_PAD.decode(piece).ok());
        packed.extend(piece.ok_or_else(|| invalid("a name is missing, or is none of a record"))?);
    }
    let record = zstd::bulk::decompress(&packed, LONGEST_NAMED);
    record
        .map(Some)
        .map_err(|_| invalid("the names do not make a record"))
}

fn invalid(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}
