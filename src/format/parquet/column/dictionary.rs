//! The distinct values of a column, numbered in the order in which rows have them.

use std::hash::{BuildHasher, Hash};

use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashTable};

use super::values::{ByteStrings, Slice, Values};

/// Integers within a range of this many, and of so many times as many as there are values, are numbered by a table of all of
/// them.
const DIRECT: u64 = 1 << 16;
const DIRECT_TIMES: usize = 8;
/// How many values a table of hashes has room for at first, at most.
const ENTRIES: usize = 448;
/// How many slots a table of integers has at first.
const SLOTS: std::ops::RangeInclusive<usize> = 64..=1 << 12;
/// No number.
const NONE: u32 = u32::MAX;

/// How large a dictionary may become.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    /// The most values.
    pub(super) entries: usize,
    /// The most bytes of them in the encoding PLAIN.
    pub(super) bytes: usize,
}

/// A dictionary that grows with the values that are numbered.
#[derive(Debug)]
pub(super) enum Dictionary {
    Four(Table<Vec<i32>>),
    Eight(Table<Vec<i64>>),
    Fixed(Table<FixedStrings>),
    Bytes(Table<ByteStrings>),
}

impl Dictionary {
    /// An empty dictionary for values like these, or `None` for booleans, which are shorter than any number. `range`
    /// is that of the integers to come, if it is known.
    pub(super) fn new(like: &Values, range: Option<(i64, i64)>) -> Option<Self> {
        Some(match like {
            Values::Booleans(_) => return None,
            Values::Four(values) => Dictionary::Four(Table::of_integers(values.len(), range)),
            Values::Eight(values) => Dictionary::Eight(Table::of_integers(values.len(), range)),
            Values::Fixed { width, .. } => {
                let empty = FixedStrings {
                    width: *width,
                    bytes: Vec::new(),
                };
                Dictionary::Fixed(Table::hashed(empty, like.len()))
            }
            Values::Bytes(_) => {
                Dictionary::Bytes(Table::hashed(ByteStrings::default(), like.len()))
            }
        })
    }

    /// The distinct values in the order of their numbers.
    pub(super) fn entries(&self) -> Slice<'_> {
        match self {
            Dictionary::Four(table) => Slice::Four(&table.entries),
            Dictionary::Eight(table) => Slice::Eight(&table.entries),
            Dictionary::Fixed(table) => Slice::Fixed {
                width: table.entries.width,
                bytes: &table.entries.bytes,
            },
            Dictionary::Bytes(table) => Slice::Bytes(table.entries.slice(0..table.entries.len())),
        }
    }

    /// Adds the numbers of values, until a new one would make the dictionary larger than the limit. Says whether it has
    /// numbers for all of them, which are of its type.
    pub(super) fn number(&mut self, values: Slice<'_>, limit: Limit, into: &mut Vec<u32>) -> bool {
        match (self, values) {
            (Dictionary::Four(table), Slice::Four(values)) => {
                table.number(values.iter().copied(), limit, into)
            }
            (Dictionary::Eight(table), Slice::Eight(values)) => {
                table.number(values.iter().copied(), limit, into)
            }
            (Dictionary::Fixed(table), Slice::Fixed { width, bytes }) => {
                table.number(bytes.chunks_exact(width.max(1)), limit, into)
            }
            (Dictionary::Bytes(table), Slice::Bytes(values)) => {
                table.number(values.iter(), limit, into)
            }
            _ => false,
        }
    }
}

/// A list of distinct values.
pub(super) trait Entries {
    type Value<'a>: Copy + PartialEq + Hash;

    fn get(&self, number: u32) -> Self::Value<'_>;
    fn push(&mut self, value: Self::Value<'_>);
    fn len(&self) -> usize;
    /// The length of a value in the encoding PLAIN.
    fn plain_len(value: Self::Value<'_>) -> usize;
    /// The value if it is an integer.
    fn integer(value: Self::Value<'_>) -> Option<i64>;
    fn equal(one: Self::Value<'_>, other: Self::Value<'_>) -> bool;
}

/// Byte strings of one length.
#[derive(Debug)]
pub(super) struct FixedStrings {
    width: usize,
    bytes: Vec<u8>,
}

macro_rules! integers {
    ($($integer:ty),*) => {$(
        impl Entries for Vec<$integer> {
            type Value<'a> = $integer;

            fn get(&self, number: u32) -> $integer {
                self[number as usize]
            }

            fn push(&mut self, value: $integer) {
                Vec::push(self, value);
            }

            fn len(&self) -> usize {
                Vec::len(self)
            }

            fn plain_len(_: $integer) -> usize {
                size_of::<$integer>()
            }

            fn integer(value: $integer) -> Option<i64> {
                Some(value.into())
            }

            fn equal(one: $integer, other: $integer) -> bool {
                one == other
            }
        }
    )*};
}

integers!(i32, i64);

impl Entries for FixedStrings {
    type Value<'a> = &'a [u8];

    fn get(&self, number: u32) -> &[u8] {
        let start = number as usize * self.width;
        &self.bytes[start..start + self.width]
    }

    fn push(&mut self, value: &[u8]) {
        self.bytes.extend_from_slice(value);
    }

    fn len(&self) -> usize {
        self.bytes.len() / self.width
    }

    fn plain_len(value: &[u8]) -> usize {
        value.len()
    }

    fn integer(_: &[u8]) -> Option<i64> {
        None
    }

    fn equal(one: &[u8], other: &[u8]) -> bool {
        one == other
    }
}

impl Entries for ByteStrings {
    type Value<'a> = &'a [u8];

    fn get(&self, number: u32) -> &[u8] {
        ByteStrings::get(self, number as usize)
    }

    fn push(&mut self, value: &[u8]) {
        ByteStrings::push(self, value);
    }

    fn len(&self) -> usize {
        ByteStrings::len(self)
    }

    fn plain_len(value: &[u8]) -> usize {
        4 + value.len()
    }

    fn integer(_: &[u8]) -> Option<i64> {
        None
    }

    fn equal(one: &[u8], other: &[u8]) -> bool {
        one == other
    }
}

/// Distinct values, and how the number of each is found.
#[derive(Debug)]
pub(super) struct Table<E> {
    entries: E,
    /// Their length in the encoding PLAIN.
    bytes: usize,
    numbers: Numbers,
    hasher: DefaultHashBuilder,
}

/// How the number of a value is found.
#[derive(Debug)]
enum Numbers {
    /// By its distance from the least one.
    Direct { least: i64, table: Vec<u32> },
    /// That of an integer by its hash.
    Integers(Slots),
    /// By its hash.
    Hashed(HashTable<u32>),
}

/// Integers with their numbers, each at its hash or after it. At least half of the slots are free, which are a power of two.
#[derive(Debug)]
struct Slots {
    slots: Vec<(i64, u32)>,
    used: usize,
}

impl Slots {
    fn new(values: usize) -> Self {
        let count = (values * 2).clamp(*SLOTS.start(), *SLOTS.end());
        Slots {
            slots: vec![(0, NONE); count.next_power_of_two()],
            used: 0,
        }
    }

    /// The number of an integer, or the slot where it is to stand.
    fn find(&self, hash: u64, value: i64) -> Result<u32, usize> {
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            match self.slots[at] {
                (_, NONE) => return Err(at),
                (found, number) if found == value => return Ok(number),
                _ => at = (at + 1) & mask,
            }
        }
    }

    fn insert(&mut self, slot: usize, (value, number): (i64, u32), hasher: &DefaultHashBuilder) {
        self.slots[slot] = (value, number);
        self.used += 1;
        if self.used * 2 > self.slots.len() {
            let larger = vec![(0, NONE); self.slots.len() * 2];
            for (value, number) in std::mem::replace(&mut self.slots, larger) {
                if number != NONE
                    && let Err(slot) = self.find(hasher.hash_one(value), value)
                {
                    self.slots[slot] = (value, number);
                }
            }
        }
    }
}

impl<E: Entries + Default> Table<E> {
    /// Of integers of this range, if it is known, `values` of which are to come.
    fn of_integers(values: usize, range: Option<(i64, i64)>) -> Self {
        let most = DIRECT.min((values * DIRECT_TIMES) as u64);
        let numbers = match range {
            Some((least, most_value)) if most_value.abs_diff(least) < most => Numbers::Direct {
                least,
                table: vec![NONE; most_value.abs_diff(least) as usize + 1],
            },
            _ => Numbers::Integers(Slots::new(values)),
        };
        Table::new(E::default(), numbers)
    }
}

impl<E: Entries> Table<E> {
    /// Of byte strings, `values` of which are to come.
    fn hashed(entries: E, values: usize) -> Self {
        let table = HashTable::with_capacity(values.min(ENTRIES));
        Table::new(entries, Numbers::Hashed(table))
    }

    fn new(entries: E, numbers: Numbers) -> Self {
        Table {
            entries,
            bytes: 0,
            numbers,
            hasher: DefaultHashBuilder::default(),
        }
    }

    fn number<'v>(
        &mut self,
        values: impl Iterator<Item = E::Value<'v>>,
        limit: Limit,
        into: &mut Vec<u32>,
    ) -> bool {
        let mut last = None;
        into.reserve(values.size_hint().0);
        for value in values {
            let number = match last {
                Some((before, number)) if E::equal(before, value) => Some(number),
                _ => self.number_of(value, limit),
            };
            let Some(number) = number else {
                return false;
            };
            into.push(number);
            last = Some((value, number));
        }
        true
    }

    /// The number of a value, a new one if there is none.
    fn number_of(&mut self, value: E::Value<'_>, limit: Limit) -> Option<u32> {
        let entries = &mut self.entries;
        let new = entries.len() as u32;
        let bytes = self.bytes + E::plain_len(value);
        let is_full = entries.len() >= limit.entries || bytes > limit.bytes;
        if let Numbers::Direct { least, table } = &mut self.numbers {
            let place = E::integer(value)
                .and_then(|value| value.checked_sub(*least))
                .and_then(|place| table.get_mut(usize::try_from(place).ok()?));
            match place {
                Some(place) if *place != NONE => return Some(*place),
                Some(_) if is_full => return None,
                Some(place) => {
                    *place = new;
                    entries.push(value);
                    self.bytes = bytes;
                    return Some(new);
                }
                // Beyond what was expected.
                None => self.hash_all(),
            }
        }
        let (entries, hasher) = (&mut self.entries, &self.hasher);
        let table = match (&mut self.numbers, E::integer(value)) {
            (Numbers::Hashed(table), _) => table,
            (Numbers::Integers(slots), Some(integer)) => {
                return match slots.find(hasher.hash_one(integer), integer) {
                    Ok(number) => Some(number),
                    Err(_) if is_full => None,
                    Err(slot) => {
                        slots.insert(slot, (integer, new), hasher);
                        entries.push(value);
                        self.bytes = bytes;
                        Some(new)
                    }
                };
            }
            (Numbers::Direct { .. } | Numbers::Integers(_), _) => return None,
        };
        let found = table.entry(
            hasher.hash_one(value),
            |number| E::equal(entries.get(*number), value),
            |number| hasher.hash_one(entries.get(*number)),
        );
        match found {
            Entry::Occupied(found) => Some(*found.get()),
            Entry::Vacant(_) if is_full => None,
            Entry::Vacant(place) => {
                place.insert(new);
                self.entries.push(value);
                self.bytes = bytes;
                Some(new)
            }
        }
    }

    /// Finds integers by their hashes from now on.
    fn hash_all(&mut self) {
        let mut slots = Slots::new(self.entries.len());
        for number in 0..self.entries.len() as u32 {
            let Some(value) = E::integer(self.entries.get(number)) else {
                continue;
            };
            if let Err(slot) = slots.find(self.hasher.hash_one(value), value) {
                slots.insert(slot, (value, number), &self.hasher);
            }
        }
        self.numbers = Numbers::Integers(slots);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_LIMIT: Limit = Limit {
        entries: usize::MAX,
        bytes: usize::MAX,
    };

    fn numbered(
        values: &[i64],
        range: Option<(i64, i64)>,
        limit: Limit,
    ) -> (bool, Vec<u32>, Vec<i64>) {
        let mut dictionary = Dictionary::new(&Values::Eight(values.to_vec()), range).unwrap();
        let mut numbers = Vec::new();
        let is_whole = dictionary.number(Slice::Eight(values), limit, &mut numbers);
        let Slice::Eight(entries) = dictionary.entries() else {
            panic!("other values");
        };
        (is_whole, numbers, entries.to_vec())
    }

    #[test]
    fn values_are_numbered_as_they_come_whatever_range_was_expected() {
        let values = [7, -3, 7, 9, i64::MAX, 9, i64::MIN, -3];
        let expected = (
            true,
            vec![0, 1, 0, 2, 3, 2, 4, 1],
            vec![7, -3, 9, i64::MAX, i64::MIN],
        );
        for range in [
            None,
            Some((-3, 9)),
            Some((i64::MIN, i64::MAX)),
            Some((7, 7)),
            Some((i64::MAX, i64::MAX)),
        ] {
            assert_eq!(numbered(&values, range, NO_LIMIT), expected, "{range:?}");
        }
    }

    #[test]
    fn a_dictionary_stops_before_it_is_too_large() {
        let values = [1, 2, 1, 3, 1];
        for range in [None, Some((1, 3))] {
            for limit in [
                Limit {
                    entries: 2,
                    ..NO_LIMIT
                },
                Limit {
                    bytes: 23,
                    ..NO_LIMIT
                },
            ] {
                let (is_whole, numbers, entries) = numbered(&values, range, limit);
                assert!(!is_whole);
                assert_eq!((numbers, entries), (vec![0, 1, 0], vec![1, 2]));
            }
            let limit = Limit {
                entries: 3,
                bytes: 24,
            };
            assert!(numbered(&values, range, limit).0);
        }
    }
}
