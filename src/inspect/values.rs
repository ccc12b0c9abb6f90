//! Oddities of partition values: those that some readers change.
//!
//! The rules are what the readers were seen to do (see [`Misreading`]). Each reader looks at all
//! values of a key and takes the narrowest type that fits them all.

use super::{Misreading, Oddity, PartitionSummary};
use crate::partition::hive;

/// A summary of the values of one key.
struct Key<'a> {
    name: &'a str,
    integers: bool,
    integers_or_hexadecimals: bool,
    numbers: bool,
    dates: bool,
    changed: Vec<(Misreading, u64, String)>,
}

/// One oddity for each key and each way in which its values are misread.
pub(super) fn misreadings(partitions: &[PartitionSummary]) -> Vec<Oddity> {
    let mut keys: Vec<Key<'_>> = Vec::new();
    for partition in partitions
        .iter()
        .filter_map(|summary| summary.partition.as_ref())
    {
        for (name, value) in partition.iter() {
            let place = keys
                .iter()
                .position(|key| key.name == name)
                .unwrap_or_else(|| {
                    keys.push(Key::new(name));
                    keys.len() - 1
                });
            let text = (!value.is_null()).then(|| value.to_string());
            keys[place].add(text.as_deref());
        }
    }
    keys.into_iter().flat_map(Key::oddities).collect()
}

impl<'a> Key<'a> {
    fn new(name: &'a str) -> Self {
        let (integers, integers_or_hexadecimals, numbers, dates) = (true, true, true, true);
        Key {
            name,
            integers,
            integers_or_hexadecimals,
            numbers,
            dates,
            changed: Vec::new(),
        }
    }

    fn add(&mut self, value: Option<&str>) {
        let Some(value) = value else {
            return self.note(Misreading::Null, hive::NULL);
        };
        let (integer, hexadecimal) = (is_integer(value), is_hexadecimal(value));
        let number = integer || is_decimal(value);
        let date = date(value);
        self.integers &= integer;
        self.integers_or_hexadecimals &= integer || hexadecimal;
        self.numbers &= number;
        self.dates &= date.is_some();
        // Readers guess the type of a key from all its values: whether this one is misread is decided at the end.
        if integer && !is_canonical_integer(value) {
            self.note(Misreading::LeadingZero, value);
        } else if hexadecimal {
            self.note(Misreading::Hexadecimal, value);
        } else if number && !integer && !is_canonical_number(value) {
            self.note(Misreading::Number, value);
        } else if date.is_some_and(|canonical| !canonical) {
            self.note(Misreading::Date, value);
        }
    }

    fn note(&mut self, misreading: Misreading, value: &str) {
        match self
            .changed
            .iter_mut()
            .find(|(known, _, _)| *known == misreading)
        {
            Some((_, count, _)) => *count += 1,
            None => self.changed.push((misreading, 1, value.to_owned())),
        }
    }

    /// The oddities of the noted values that the other values of the key do not prevent.
    fn oddities(self) -> impl Iterator<Item = Oddity> {
        let Key {
            name,
            integers,
            integers_or_hexadecimals,
            numbers,
            dates,
            changed,
        } = self;
        let happens = move |misreading: Misreading| match misreading {
            Misreading::LeadingZero => integers || integers_or_hexadecimals || numbers,
            Misreading::Hexadecimal => integers_or_hexadecimals,
            Misreading::Number => numbers,
            Misreading::Date => dates,
            Misreading::Null => true,
        };
        let key = name.to_owned();
        changed
            .into_iter()
            .filter(move |(misreading, _, _)| happens(*misreading))
            .map(move |(misreading, partitions, example)| Oddity::Misread {
                key: key.clone(),
                misreading,
                partitions,
                example,
            })
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_integer(text: &str) -> bool {
    is_digits(text.strip_prefix('-').unwrap_or(text))
}

fn is_canonical_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    text == "0" || !digits.starts_with('0')
}

fn is_hexadecimal(text: &str) -> bool {
    text.strip_prefix("0x")
        .or_else(|| text.strip_prefix("0X"))
        .is_some_and(|digits| {
            !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
}

/// Digits with a point, an exponent, or both.
fn is_decimal(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    unsigned.starts_with(|first: char| first.is_ascii_digit()) && text.parse::<f64>().is_ok()
}

fn is_canonical_number(text: &str) -> bool {
    text.parse::<f64>()
        .is_ok_and(|number| number.to_string() == text)
}

/// Whether a date is spelled `YYYY-MM-DD`; `None` where the text is no date.
fn date(text: &str) -> Option<bool> {
    let mut parts = text.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let in_range = |part: &str, last: u8| {
        is_digits(part) && part.len() <= 2 && part.parse().is_ok_and(|n| (1..=last).contains(&n))
    };
    let is_date = parts.next().is_none()
        && is_digits(year)
        && year.len() == 4
        && in_range(month, 12)
        && in_range(day, 31);
    is_date.then_some(month.len() == 2 && day.len() == 2)
}
