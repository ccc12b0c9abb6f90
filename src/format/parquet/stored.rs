//! Frames of zstd for what it would not make shorter, which is told without trying: for a few hundred bytes, such as packed
//! numbers without an order, the trial takes most of the time.
//!
//! The source is <https://www.rfc-editor.org/rfc/rfc8878>, "Frame Header" and "Blocks".

/// The most bytes that are looked at. A block could have more.
pub(super) const MOST: usize = 4 << 10;
/// How many places of four bytes are remembered, a power of two.
const PLACES: usize = 1 << 12;

/// Whether no four bytes are there twice, as far as that is seen, and no byte is much more frequent than others.
pub(super) fn is_noise(bytes: &[u8]) -> bool {
    let mut counts = [0_u16; 256];
    for byte in bytes {
        counts[usize::from(*byte)] += 1;
    }
    // As frequent as zstd has it for bytes that are worth no shorter codes.
    let most = counts.iter().max().copied().unwrap_or(0);
    if usize::from(most) > (bytes.len() >> 7) + 4 {
        return false;
    }
    // Zero stands for no bytes: they would not have passed for noise.
    let mut places = [0_u32; PLACES];
    bytes.windows(4).all(|four| {
        let four = four
            .iter()
            .fold(0, |four, byte| four << 8 | u32::from(*byte));
        let hash = four.wrapping_mul(0x9e37_79b1) >> (u32::BITS - PLACES.trailing_zeros());
        std::mem::replace(&mut places[hash as usize], four) != four
    })
}

/// A frame of one block that has up to [`MOST`] bytes as they are.
pub(super) fn frame(bytes: &[u8]) -> Vec<u8> {
    // One segment, whose size follows: in one byte, or in two, which stand for 256 more.
    let size = bytes.len() as u16;
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd];
    match size.checked_sub(256) {
        None => frame.extend([0x20, size as u8]),
        Some(size) => {
            frame.push(0x60);
            frame.extend(size.to_le_bytes());
        }
    }
    // The last block, as it is.
    let header = u32::from(size) << 3 | 1;
    frame.extend_from_slice(&header.to_le_bytes()[..3]);
    frame.extend_from_slice(bytes);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise() -> impl Iterator<Item = u64> {
        let mut state = 1_u64;
        std::iter::repeat_with(move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        })
    }

    #[test]
    fn what_is_stored_is_what_zstd_reads_and_cannot_make_shorter() {
        let mut stored = 0;
        for count in [0, 1, 7, 100, 255, 256, 257, 1000, MOST] {
            let random: Vec<u8> = noise()
                .skip(20)
                .take(count)
                .map(|noise| (noise >> 40) as u8)
                .collect();
            assert_eq!(
                zstd::bulk::decompress(&frame(&random), MOST).unwrap(),
                random
            );
            let compressed = zstd::bulk::compress(&random, 3).unwrap();
            if is_noise(&random) {
                stored += 1;
                assert!(compressed.len() >= frame(&random).len());
            }
            let twice = random.repeat(2);
            assert!(!is_noise(&twice) || count < 7);
            let skewed: Vec<u8> = random.iter().map(|byte| byte & 7).collect();
            assert!(!is_noise(&skewed) || count <= 100);
        }
        assert!(stored > 5);
    }
}
