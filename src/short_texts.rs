//! The numbers of short byte strings that were asked for lately: found by comparing integers, without a look at the bytes of
//! those that are alike.

/// How many byte strings are remembered at first, and at most: powers of two. A later one takes the place of another.
const FIRST: usize = 1 << 8;
const MOST: usize = 1 << 14;
/// The longest byte string that is remembered.
const LONGEST: usize = size_of::<u128>();
/// No length.
const FREE: u8 = u8::MAX;

/// A byte string of up to 16 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ShortText {
    /// Its bytes, and zeros after them.
    bytes: u128,
    length: u8,
}

/// The numbers of some short byte strings.
#[derive(Debug)]
pub(crate) struct ShortTexts {
    slots: Vec<(ShortText, u32)>,
    /// How many came since there are so many slots.
    came: usize,
}

impl Default for ShortTexts {
    fn default() -> Self {
        ShortTexts {
            slots: vec![NOTHING; FIRST],
            came: 0,
        }
    }
}

const NOTHING: (ShortText, u32) = (
    ShortText {
        bytes: 0,
        length: FREE,
    },
    0,
);

impl ShortText {
    /// Those of some bytes from `start` to `end`, if they are few. What is less than 16 bytes before the end of all is
    /// not looked at.
    pub(crate) fn of(bytes: &[u8], start: usize, end: usize) -> Option<Self> {
        let length = end - start;
        let whole: &[u8; LONGEST] = bytes.get(start..)?.first_chunk()?;
        if length > LONGEST {
            return None;
        }
        let kept = match length {
            0 => 0,
            length => u128::MAX >> (8 * (LONGEST - length)),
        };
        Some(ShortText {
            bytes: u128::from_le_bytes(*whole) & kept,
            length: length as u8,
        })
    }

    /// Its slot among so many, which are a power of two.
    fn slot(self, slots: usize) -> usize {
        let (low, high) = (self.bytes as u64, (self.bytes >> 64) as u64);
        let mixed = (low ^ high.rotate_left(32) ^ u64::from(self.length))
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> (u64::BITS - slots.trailing_zeros())) as usize
    }
}

impl ShortTexts {
    pub(crate) fn get(&self, text: ShortText) -> Option<u32> {
        let (found, number) = self.slots[text.slot(self.slots.len())];
        (found == text).then_some(number)
    }

    pub(crate) fn put(&mut self, text: ShortText, number: u32) {
        self.came += 1;
        if self.came > self.slots.len() && self.slots.len() < MOST {
            self.slots = vec![NOTHING; self.slots.len() * 2];
            self.came = 0;
        }
        let slot = text.slot(self.slots.len());
        self.slots[slot] = (text, number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_that_of_the_same_bytes_and_length() {
        let bytes = b"abc\0abc\0\0xyz and much more that is not short at all";
        let mut texts = ShortTexts::default();
        let mut known = Vec::new();
        for start in 0..12 {
            for end in start..start + 20 {
                let text = ShortText::of(bytes, start, end);
                assert_eq!(text.is_some(), end - start <= LONGEST);
                let Some(text) = text else { continue };
                let value = &bytes[start..end];
                let number = match known.iter().position(|one| *one == value) {
                    Some(number) => number as u32,
                    None => {
                        known.push(value);
                        known.len() as u32 - 1
                    }
                };
                if let Some(found) = texts.get(text) {
                    assert_eq!(found, number);
                }
                texts.put(text, number);
                assert_eq!(texts.get(text), Some(number));
            }
        }
        assert_eq!(ShortText::of(bytes, bytes.len() - 3, bytes.len()), None);
    }
}
