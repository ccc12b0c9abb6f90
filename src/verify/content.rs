//! Whether a file holds, byte for byte, what was written, as a hash taken while writing tells.
//!
//! Whoever wrote it drops the file's cached pages before, so that the bytes come from the medium
//! where the system heeds that. Any format will do: nothing is parsed.

use std::io;

use twox_hash::XxHash3_128;

use super::Damage;
use crate::disk::DiskFile;
use crate::format::Fault;

/// Read at once.
const BUFFER: usize = 1 << 20;

/// Reads the whole file and compares its length and its XXH3 hash, 128 bits, with what was written.
pub(crate) fn verify_content(file: &dyn DiskFile, len: u64, hash: u128) -> Result<(), Fault> {
    let (found_len, found) = hash_content(file)?;
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

fn hash_content(file: &dyn DiskFile) -> io::Result<(u64, u128)> {
    let mut hash = XxHash3_128::new();
    let mut buffer = vec![0; BUFFER];
    let mut len = 0;
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
