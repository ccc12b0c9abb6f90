//! Dates and times of CSV in a format that the user names.
//!
//! Owns reading `--date-format`, and turning texts of it into ISO 8601, by whose rules they are then
//! taken. A text is of the format only if the format, applied to what was read, gives the text again;
//! zeros before a number and at the end of a fraction are of no account.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use arrow::array::{ArrayRef, StringArray};
use chrono::format::{DelayedFormat, Fixed, Item, Numeric, StrftimeItems};
use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, Utc};

/// The format of all dates and times, as `strftime` writes it: `%d.%m.%Y`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DateFormat {
    format: String,
    kind: Kind,
    /// Whether it has the fraction of a second behind a point.
    fraction: bool,
}

/// The parts of a point in time that a format spells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Date,
    Naive,
    Zoned,
}

impl FromStr for DateFormat {
    type Err = String;

    /// Takes a format that tells at least the day. `.%f` is the fraction of a second, as in Python.
    fn from_str(format: &str) -> Result<Self, String> {
        let format = format.replace(".%f", "%.f");
        let items: Vec<Item<'_>> = StrftimeItems::new(&format).collect();
        if items.contains(&Item::Error) {
            return Err("not a format such as %d/%m/%Y".to_owned());
        }
        let counts_nanoseconds =
            |item: &Item<'_>| matches!(item, Item::Numeric(Numeric::Nanosecond, _));
        let is_fraction = |item: &Item<'_>| {
            use Fixed::{Nanosecond, Nanosecond3, Nanosecond6, Nanosecond9};
            matches!(
                item,
                Item::Fixed(Nanosecond | Nanosecond3 | Nanosecond6 | Nanosecond9)
            )
        };
        if items.iter().any(counts_nanoseconds) {
            return Err("%f counts nanoseconds; a fraction behind a point is %.f".to_owned());
        }
        let sample = sample()
            .and_then(|sample| printed(sample.format(&format)))
            .ok_or("has no dates")?;
        for kind in [Kind::Zoned, Kind::Naive, Kind::Date] {
            let found = Self {
                format: format.clone(),
                kind,
                fraction: items.iter().any(is_fraction),
            };
            if found.iso(&sample).is_some() {
                return Ok(found);
            }
        }
        Err(
            "does not tell year, month and day, or not the hour and minute it begins, \
             or has a zone by its name, which has no one offset: %z is the offset"
                .to_owned(),
        )
    }
}

impl fmt::Display for DateFormat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.format)
    }
}

impl DateFormat {
    /// Whether a text has what this format has between its letters and digits: `31/12/2013` is like `%m/%d/%Y`.
    pub(super) fn resembles(&self, text: &str) -> bool {
        let punctuation = |text: &str| -> String {
            let between = text.chars().filter(|c| !c.is_alphanumeric());
            between.collect()
        };
        let sample = sample().and_then(|sample| printed(sample.format(&self.format)));
        let sample = sample.map(|sample| punctuation(&sample));
        sample.is_some_and(|sample| !sample.is_empty() && sample == punctuation(text))
    }

    /// The same date or time as ISO 8601 writes it; `None` where the text is not of the format.
    pub(super) fn iso(&self, text: &str) -> Option<String> {
        let (year, again, iso) = match self.kind {
            Kind::Date => {
                let date = NaiveDate::parse_from_str(text, &self.format).ok()?;
                let again = printed(date.format(&self.format))?;
                (date.year(), again, date.to_string())
            }
            Kind::Naive => {
                let time = NaiveDateTime::parse_from_str(text, &self.format).ok()?;
                let iso = printed(time.format("%Y-%m-%dT%H:%M:%S%.f"))?;
                (time.year(), printed(time.format(&self.format))?, iso)
            }
            Kind::Zoned => {
                let time = DateTime::parse_from_str(text, &self.format).ok()?;
                let iso = printed(time.format("%Y-%m-%dT%H:%M:%S%.f%:z"))?;
                (time.year(), printed(time.format(&self.format))?, iso)
            }
        };
        // `%Y` also reads `20`, which is not the year 20 to whoever wrote it.
        let is_whole_year = match year {
            1000..=9999 => true,
            0..1000 => text.contains(&format!("{year:04}")),
            _ => false,
        };
        (is_whole_year && self.plain(&again) == self.plain(text)).then_some(iso)
    }

    /// The text in lower case, without the zeros that are of no account.
    fn plain(&self, text: &str) -> String {
        if !self.fraction {
            return without_padding(text);
        }
        let (before, fraction, behind) = split_fraction(text);
        let (before, behind) = (without_padding(before), without_padding(behind));
        format!("{before}.{}{behind}", fraction.trim_end_matches('0'))
    }

    /// Converts texts to ISO 8601; the error is the index of the first that is not of the format.
    pub(super) fn to_iso(&self, texts: &StringArray) -> Result<ArrayRef, usize> {
        let iso: Result<StringArray, usize> = texts
            .iter()
            .enumerate()
            .map(|(index, text)| match text {
                None => Ok(None),
                Some(text) => self.iso(text).map(Some).ok_or(index),
            })
            .collect();
        Ok(std::sync::Arc::new(iso?))
    }
}

/// A point in time that any format can spell.
fn sample() -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(1_357_453_799, 0)
}

/// The text of a value in a format; `None` where the value lacks what the format asks for.
fn printed<'a>(text: DelayedFormat<impl Iterator<Item = Item<'a>> + Clone>) -> Option<String> {
    let mut printed = String::new();
    write!(printed, "{text}").ok()?;
    Some(printed)
}

/// Splits a text at its last point, behind which the fraction of a second stands if there is one: what is before it, the
/// digits, and what follows them.
fn split_fraction(text: &str) -> (&str, &str, &str) {
    let Some((before, rest)) = text.rsplit_once('.') else {
        return (text, "", "");
    };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    (before, &rest[..digits], &rest[digits..])
}

/// The text in lower case without the zeros and spaces that stand before other digits.
fn without_padding(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut bytes = text.chars().peekable();
    let mut in_number = false;
    while let Some(c) = bytes.next() {
        let before_digit = bytes.peek().is_some_and(char::is_ascii_digit);
        let is_padding = !in_number && before_digit && matches!(c, '0' | ' ');
        if !is_padding {
            in_number = c.is_ascii_digit();
            plain.extend(c.to_lowercase());
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn iso(format: &str, text: &str) -> Option<String> {
        format.parse::<DateFormat>().unwrap().iso(text)
    }

    #[test]
    fn texts_of_the_format_become_iso() {
        for (format, text, expected) in [
            ("%d/%m/%Y", "31/12/2013", Some("2013-12-31")),
            ("%d/%m/%Y", "1/2/2013", Some("2013-02-01")),
            ("%d/%m/%Y", "31/02/2013", None),
            ("%d/%m/%Y", "31/12/2013 10:30", None),
            (
                "%d.%m.%Y %H:%M",
                "31.12.2013 10:30",
                Some("2013-12-31T10:30:00"),
            ),
            ("%d %b %Y", "31 dec 2013", Some("2013-12-31")),
            (
                "%m/%d/%Y %I:%M:%S %p",
                "12/31/2013 10:30:00 PM",
                Some("2013-12-31T22:30:00"),
            ),
            (
                "%Y%m%dT%H%M%S%z",
                "20131231T103000+0200",
                Some("2013-12-31T10:30:00+02:00"),
            ),
            (
                "%d.%m.%Y %H:%M:%S.%f",
                "1.2.2010 10:30:00.500",
                Some("2010-02-01T10:30:00.500"),
            ),
            (
                "%H:%M:%S%.f %d/%m/%Y",
                "10:30:00.000123 1/2/2010",
                Some("2010-02-01T10:30:00.000123"),
            ),
            (
                "%d/%m/%Y %H:%M:%S%.f",
                "01/02/2010 10:30:00",
                Some("2010-02-01T10:30:00"),
            ),
            ("%d/%m/%Y", "01/02/20", None),
            ("%d/%m/%Y", "01/02/-020", None),
            ("%d/%m/%Y", "01/02/0020", Some("0020-02-01")),
            ("%d/%m/%y", "01/02/20", Some("2020-02-01")),
        ] {
            assert_eq!(iso(format, text).as_deref(), expected, "{format}: {text}");
        }
    }

    #[test]
    fn a_format_tells_the_day_at_least() {
        for format in ["%Q", "%H:%M", "%Y-%m", "", "%d/%m/%Y %I:%M"] {
            assert!(format.parse::<DateFormat>().is_err(), "{format}");
        }
    }

    #[test]
    fn names_of_zones_and_bare_nanoseconds_are_no_format() {
        for (format, remedy) in [("%d/%m/%Y %H:%M %Z", "%z"), ("%d/%m/%Y %H:%M:%S %f", "%.f")] {
            let error = format.parse::<DateFormat>().unwrap_err();
            assert!(error.contains(remedy), "{format}: {error}");
        }
    }
}
