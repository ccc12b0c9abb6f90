//! Dates and times of CSV in a format that the user names.
//!
//! Owns reading `--date-format` and texts of it. A text is of the format only if the format, applied
//! to what was read, gives the text again, zeros before a number aside.

use std::str::FromStr;

use arrow::array::{ArrayRef, StringArray};
use chrono::format::{Item, StrftimeItems};
use chrono::{DateTime, NaiveDate, NaiveDateTime};

/// The format of all dates and times, as `strftime` writes it: `%d.%m.%Y`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DateFormat {
    format: String,
    kind: Kind,
}

/// What a format says of a point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Date,
    Naive,
    Zoned,
}

impl FromStr for DateFormat {
    type Err = String;

    /// Takes a format that tells at least the day.
    fn from_str(format: &str) -> Result<Self, String> {
        if StrftimeItems::new(format).any(|item| item == Item::Error) {
            return Err("not a format such as %d/%m/%Y".to_owned());
        }
        let Some(sample) = DateTime::from_timestamp(1_357_453_799, 0) else {
            return Err("has no dates".to_owned());
        };
        let text = sample.format(format).to_string();
        for kind in [Kind::Zoned, Kind::Naive, Kind::Date] {
            let found = Self {
                format: format.to_owned(),
                kind,
            };
            if found.iso(&text).is_some() {
                return Ok(found);
            }
        }
        Err("does not tell year, month and day, or not the hour and minute it begins".to_owned())
    }
}

impl DateFormat {
    pub(super) fn is_date(&self) -> bool {
        self.kind == Kind::Date
    }

    pub(super) fn is_zoned(&self) -> bool {
        self.kind == Kind::Zoned
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        self.iso(text).is_some()
    }

    /// The same date or time as ISO 8601 writes it; `None` where the text is not of the format.
    fn iso(&self, text: &str) -> Option<String> {
        let (again, iso) = match self.kind {
            Kind::Date => {
                let date = NaiveDate::parse_from_str(text, &self.format).ok()?;
                (date.format(&self.format).to_string(), date.to_string())
            }
            Kind::Naive => {
                let time = NaiveDateTime::parse_from_str(text, &self.format).ok()?;
                let iso = time.format("%Y-%m-%dT%H:%M:%S%.f").to_string();
                (time.format(&self.format).to_string(), iso)
            }
            Kind::Zoned => {
                let time = DateTime::parse_from_str(text, &self.format).ok()?;
                let iso = time.format("%Y-%m-%dT%H:%M:%S%.f%:z").to_string();
                (time.format(&self.format).to_string(), iso)
            }
        };
        (without_padding(&again) == without_padding(text)).then_some(iso)
    }

    /// The texts as ISO 8601 writes them; the error is the index of the first not of the format.
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
        ] {
            assert_eq!(iso(format, text).as_deref(), expected, "{format}: {text}");
        }
    }

    #[test]
    fn a_format_tells_the_day_at_least() {
        for format in ["%Q", "%H:%M", "%Y-%m", ""] {
            assert!(format.parse::<DateFormat>().is_err(), "{format}");
        }
    }
}
