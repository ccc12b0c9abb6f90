//! Compares the bytes of a file with the hash that was taken while it was written.
//!
//! Whoever wrote it drops the file's cached pages before, so that the bytes come from the medium
//! where the system heeds that. Any format will do: nothing is parsed.

use std::io;

use twox_hash::XxHash3_128;

use super::{Damage, Location};
use crate::disk::DiskFile;
use crate::format::Fault;

/// The number of bytes that are read at once.
const BUFFER: usize = 1 << 20;
/// The number of bytes that are read at once of the end of a file, which is short.
const END_BUFFER: usize = 64 << 10;

/// Reads the whole file and compares its length and its XXH3 hash, 128 bits, with what was written.
pub(crate) fn verify_content(file: &dyn DiskFile, len: u64, hash: u128) -> Result<(), Fault> {
    let (found_len, found) = hash_from(file, 0, BUFFER)?;
    if found_len != len {
        return Err(Damage::Length {
            expected: len,
            found: found_len,
        }
        .into());
    }
    if found != hash {
        return Err(Damage::Content {
            expected: hash,
            found,
        }
        .into());
    }
    Ok(())
}

/// The XXH3 hash (128 bits) of a file, which is read as a whole.
#[cfg(feature = "object_store")]
pub(crate) fn content_hash(file: &dyn DiskFile) -> io::Result<u128> {
    hash_from(file, 0, BUFFER).map(|(_, hash)| hash)
}

/// Reads the file from `start` on and compares its XXH3 hash, 128 bits, with what was written there.
pub(crate) fn verify_end(file: &dyn DiskFile, start: u64, hash: u128) -> Result<(), Fault> {
    let (_, found) = hash_from(file, start, END_BUFFER)?;
    if found == hash {
        return Ok(());
    }
    Err(Damage::Differs {
        location: Location::file().at(start),
        field: "the hash of what ends the file",
        expected: format!("{hash:032x}").into(),
        found: format!("{found:032x}").into(),
    }
    .into())
}

/// The length of the file, and the hash of its bytes from `start` on.
fn hash_from(file: &dyn DiskFile, start: u64, buffer: usize) -> io::Result<(u64, u128)> {
    let mut hash = XxHash3_128::new();
    let mut buffer = vec![0; buffer];
    let mut len = start;
    loop {
        let count = file.read_at(&mut buffer, len)?;
        if count == 0 {
            return Ok((len, hash.finish_128()));
        }
        hash.write(&buffer[..count]);
        len += count as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::memory::MemoryFile;

    #[test]
    fn an_end_is_compared_byte_for_byte() {
        let bytes: Vec<u8> = (0..3 * END_BUFFER as u32).map(|byte| byte as u8).collect();
        for start in [0, 7, 2 * END_BUFFER, bytes.len() - 1] {
            let hash = XxHash3_128::oneshot(&bytes[start..]);
            let verify = |bytes: &[u8]| {
                verify_end(&*MemoryFile::open(bytes), start as u64, hash).map_err(drop)
            };
            assert_eq!(verify(&bytes), Ok(()));
            for at in [start, bytes.len() - 1] {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1;
                assert_eq!(verify(&flipped), Err(()), "{at} of the end at {start}");
            }
        }
    }

    #[test]
    fn content_is_compared_byte_for_byte() {
        let bytes: Vec<u8> = (0..3 * BUFFER as u32 + 7).map(|byte| byte as u8).collect();
        let (len, hash) = (bytes.len() as u64, XxHash3_128::oneshot(&bytes));
        let file = |bytes: &[u8]| MemoryFile::open(bytes);
        verify_content(&*file(&bytes), len, hash).unwrap();
        let shorter = verify_content(&*file(&bytes[1..]), len, hash);
        assert!(matches!(shorter, Err(Fault::Damage(Damage::Length { .. }))));
        let mut flipped = bytes.clone();
        flipped[2 * BUFFER] ^= 1;
        let flipped = verify_content(&*file(&flipped), len, hash);
        assert!(matches!(
            flipped,
            Err(Fault::Damage(Damage::Content { .. }))
        ));
        let refusing = verify_content(&*MemoryFile::refusing_from(bytes, 5), len, hash);
        assert!(matches!(refusing, Err(Fault::Io(_))));
    }
}
