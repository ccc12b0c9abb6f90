//! Guessing the type of a column from its texts.
//!
//! Owns which types are guessed and which of several that fit is taken. A type is a candidate as
//! long as every text seen converts to it and back without loss, so each further text can only take
//! candidates away, and in the end there is text, which holds everything.

use arrow::datatypes::{DataType, TimeUnit};

use super::dates::DateFormat;
use super::exact::{self, Moment};

/// The years all of whose instants an `i64` of nanoseconds can hold.
const NANOSECOND_YEARS: std::ops::Range<u16> = 1678..2262;

/// The types that a column may still have.
#[derive(Debug, Clone)]
pub(super) struct Guess {
    /// Whether any text was seen.
    seen: bool,
    boolean: bool,
    int64: bool,
    uint64: bool,
    float64: bool,
    date: bool,
    naive: bool,
    zoned: bool,
    /// Whether a fraction of a second needs nanoseconds, and whether a year is beyond those.
    nanoseconds: bool,
    beyond_nanoseconds: bool,
    /// Whether there was a number that is no `nan` or `inf`, one with a point or a signed exponent,
    /// and one that may be a digest by chance.
    number: bool,
    certain_float: bool,
    bare_exponent: bool,
    /// Whether a text was of the format of dates, where one was given, and the first that was none but is like one.
    dated: bool,
    undated: Option<Undated>,
}

/// A text that is not of the format of dates, in a column of which some are, or that looks much like it.
#[derive(Debug, Clone)]
pub(super) struct Undated {
    pub(super) line: u64,
    pub(super) text: String,
}

impl Default for Guess {
    fn default() -> Self {
        Self {
            seen: false,
            boolean: true,
            int64: true,
            uint64: true,
            float64: true,
            date: true,
            naive: true,
            zoned: true,
            nanoseconds: false,
            beyond_nanoseconds: false,
            number: false,
            certain_float: false,
            bare_exponent: false,
            dated: false,
            undated: None,
        }
    }
}

impl Guess {
    /// Whether any text was seen.
    pub(super) fn is_seen(&self) -> bool {
        self.seen
    }

    /// The text that keeps the column from being dates, though others are of the format or it looks like one.
    pub(super) fn undated(&self) -> Option<&Undated> {
        self.undated.as_ref()
    }

    /// Adds a text of CSV; dates are of the given format, which comes with the line, or of ISO 8601.
    pub(super) fn add(&mut self, text: &str, dates: Option<(&DateFormat, u64)>) {
        self.add_number(text);
        self.boolean &= text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false");
        if !(self.date || self.naive || self.zoned) {
            return;
        }
        let moment = match dates {
            Some((format, _)) => format.iso(text).and_then(|iso| Moment::parse(&iso)),
            None => Moment::parse(text),
        };
        match moment {
            None => {
                self.exclude_dates();
                let dates = dates.filter(|(format, _)| self.dated || format.resembles(text));
                self.undated = dates.map(|(_, line)| Undated {
                    line,
                    text: text.to_owned(),
                });
            }
            Some(moment) => {
                self.dated = true;
                self.date &= !moment.clock;
                self.naive &= !moment.zoned;
                self.zoned &= moment.zoned;
                self.nanoseconds |= moment.fraction > 6;
                self.beyond_nanoseconds |= !NANOSECOND_YEARS.contains(&moment.year);
            }
        }
    }

    /// Adds a number of JSON, which is no digest, whatever it looks like.
    pub(super) fn add_json_number(&mut self, text: &str) {
        self.add_number(text);
        (self.certain_float, self.boolean) = (true, false);
        self.exclude_dates();
    }

    /// Adds `true` or `false` of JSON.
    pub(super) fn add_json_boolean(&mut self) {
        self.exclude_dates();
        (self.int64, self.uint64, self.float64) = (false, false, false);
        self.boolean = !self.seen || self.boolean;
        self.seen = true;
    }

    fn exclude_dates(&mut self) {
        (self.date, self.naive, self.zoned) = (false, false, false);
    }

    fn add_number(&mut self, text: &str) {
        self.seen = true;
        if !(self.int64 || self.uint64 || self.float64) {
            return;
        }
        let integer = exact::is_plain_integer(text);
        self.int64 &= integer && text.parse::<i64>().is_ok();
        self.uint64 &= integer && text.parse::<u64>().is_ok();
        if self.float64 {
            let special = exact::is_special(text);
            self.float64 = (special || exact::is_plain_number(text)) && exact::is_f64(text);
            self.number |= !special;
            let bare = exact::is_bare_exponent(text);
            self.bare_exponent |= bare;
            self.certain_float |= !bare && !special && !integer;
        }
    }

    /// Adds all that another guess saw.
    pub(super) fn merge(&mut self, other: &Self) {
        self.seen |= other.seen;
        self.boolean &= other.boolean;
        self.int64 &= other.int64;
        self.uint64 &= other.uint64;
        self.float64 &= other.float64;
        self.date &= other.date;
        self.naive &= other.naive;
        self.zoned &= other.zoned;
        self.nanoseconds |= other.nanoseconds;
        self.beyond_nanoseconds |= other.beyond_nanoseconds;
        self.number |= other.number;
        self.certain_float |= other.certain_float;
        self.bare_exponent |= other.bare_exponent;
        self.dated |= other.dated;
        self.undated = self.undated.take().or_else(|| other.undated.clone());
    }

    fn is_float(&self) -> bool {
        self.float64 && self.number && (self.certain_float || !self.bare_exponent)
    }

    /// The narrowest type that holds every text seen; text where there was none.
    pub(super) fn data_type(&self) -> DataType {
        let unit = match self.nanoseconds {
            true => TimeUnit::Nanosecond,
            // Parquet has no seconds, and microseconds are what every reader knows.
            false => TimeUnit::Microsecond,
        };
        let in_range = !(self.nanoseconds && self.beyond_nanoseconds);
        if !self.seen {
            DataType::Utf8
        } else if self.boolean {
            DataType::Boolean
        // Only in a format that was given a date may have nothing but digits, and is no number then.
        } else if self.date {
            DataType::Date32
        } else if self.naive && in_range {
            DataType::Timestamp(unit, None)
        } else if self.zoned && in_range {
            DataType::Timestamp(unit, Some("UTC".into()))
        } else if self.int64 {
            DataType::Int64
        } else if self.uint64 {
            DataType::UInt64
        } else if self.is_float() {
            DataType::Float64
        } else {
            DataType::Utf8
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guessed(texts: &[&str]) -> DataType {
        let mut guess = Guess::default();
        texts.iter().for_each(|text| guess.add(text, None));
        guess.data_type()
    }

    #[test]
    fn types_are_guessed_only_where_nothing_is_lost() {
        use DataType::{Boolean, Date32, Float64, Int64, Timestamp, UInt64, Utf8};
        use TimeUnit::{Microsecond, Nanosecond};
        let utc = Timestamp(Microsecond, Some("UTC".into()));
        let naive = Timestamp(Microsecond, None);
        for (texts, expected) in [
            (&["1", "-2", "0"][..], Int64),
            (&["-0"], Float64),
            (&["9223372036854775807", "9223372036854775808"], UInt64),
            (&["-1", "9223372036854775809"], Utf8),
            (&["1", "2.5"], Float64),
            (&["9007199254740993", "2.5"], Utf8),
            (&["9007199254740992", "2.5"], Float64),
            (&["2.5", "1e400"], Utf8),
            (&["0.5", "NaN"], Float64),
            (&["nan", "inf"], Utf8),
            (&["1234567", "12e4567", "7654321"], Utf8),
            (&["1234567", "12e45", "7654321"], Utf8),
            (&["1234567", "12e45", "0.5"], Float64),
            (&["1e+16", "2e-5"], Float64),
            (&["true", "FALSE"], Boolean),
            (&["2013-01-01"], Date32),
            (&["2013-02-30"], Utf8),
            (&["2013-01-01", "2013-01-06T10:30:00"], naive.clone()),
            (&["2013-01-01T06:00:00Z"], utc.clone()),
            (
                &["2013-01-01 06:00:00+02:00", "2013-01-01T06:00:00.5Z"],
                utc,
            ),
            (&["2013-01-01T06:00:00", "2013-01-01"], naive.clone()),
            (
                &["2013-01-01T06:00:00.123456789"],
                Timestamp(Nanosecond, None),
            ),
            (&["2013-01-01T06:00:00.123456000"], naive),
            (&["9999-01-01T06:00:00.123456789"], Utf8),
            (&["2013-01-01T06:00:00Z", "2013-01-01T06:00:00"], Utf8),
            (&["2013-01-01T06:00:00 o'clock"], Utf8),
            (&["007", "8"], Utf8),
            (&["00.5"], Utf8),
            (&["-01"], Utf8),
            (&["+49"], Utf8),
            (&["99999999999999999999"], Utf8),
            (&["1", "x"], Utf8),
            (&["1", "true"], Utf8),
            (&[], Utf8),
        ] {
            assert_eq!(guessed(texts), expected, "{texts:?}");
        }
    }

    #[test]
    fn numbers_of_json_are_no_digests() {
        let mut guess = Guess::default();
        guess.add_json_number("12e4");
        assert_eq!(guess.data_type(), DataType::Float64);
        guess.add_json_number("12e4567");
        assert_eq!(guess.data_type(), DataType::Utf8);
        let mut guess = Guess::default();
        guess.add_json_boolean();
        assert_eq!(guess.data_type(), DataType::Boolean);
        guess.add_json_number("1");
        assert_eq!(guess.data_type(), DataType::Utf8);
    }
}
