//! Whether a text can be turned into a value and back without loss.
//!
//! Owns the one rule of all text input: a text is converted only if the value says what the text
//! said. Zeros that end a fraction, the spelling of an exponent and the case of `true` are of no
//! account; every digit, sign, time of day and offset is. Where the user gave the type, neither are zeros before a number, a
//! plus sign and the words for `true` and `false`. It builds no arrays.

/// A decimal number as it is written: its digits, as a whole number, times a power of ten.
///
/// Zeros at either end of the digits are dropped, so equal numbers compare equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Decimal {
    negative: bool,
    digits: Vec<u8>,
    exponent: i64,
}

impl Decimal {
    /// Reads digits with at most one point, and a sign and an exponent where there are such.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (negative, unsigned) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
            Some(at) => (&unsigned[..at], Some(&unsigned[at + 1..])),
            None => (unsigned, None),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
        if !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let exponent = match exponent {
            None => 0,
            Some(text) => {
                let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
                if unsigned.is_empty() || !unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
                    return None;
                }
                // An exponent beyond this is beyond every type.
                text.parse::<i32>().map_or(i64::from(i32::MAX), i64::from)
            }
        };
        let exponent = exponent - i64::try_from(fraction.len()).unwrap_or(i64::MAX);
        Some(Self::new(negative, digits, exponent))
    }

    fn new(negative: bool, mut digits: Vec<u8>, mut exponent: i64) -> Self {
        while digits.last() == Some(&b'0') {
            digits.pop();
            exponent += 1;
        }
        let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
        digits.drain(..zeros);
        if digits.is_empty() {
            exponent = 0;
        }
        Self {
            negative,
            digits,
            exponent,
        }
    }

    /// Whether a binary float says the same: printed with as many digits, it is this number.
    pub(super) fn is_float(&self, value: f64) -> bool {
        /// More digits than the exact value of any float has.
        const MOST_DIGITS: usize = 800;
        if self.digits.is_empty() {
            return value == 0.0;
        }
        if !value.is_finite() || value == 0.0 || self.digits.len() > MOST_DIGITS {
            return false;
        }
        let printed = format!("{value:.*e}", self.digits.len() - 1);
        Self::parse(&printed).as_ref() == Some(self)
    }

    /// Whether the numbers are the same; zero has no sign here.
    pub(super) fn equals(&self, other: &Self) -> bool {
        self == other || (self.digits.is_empty() && other.digits.is_empty())
    }
}

/// Whether an `f64` says the same as the text.
pub(super) fn is_f64(text: &str) -> bool {
    if is_short(text) {
        return true;
    }
    match Decimal::parse(text) {
        Some(number) => text.parse().is_ok_and(|value| number.is_float(value)),
        None => is_special(text),
    }
}

/// Whether the text is a number of so few digits that it comes back from every `f64`.
fn is_short(text: &str) -> bool {
    const DIGITS: usize = 15;
    let unsigned = text.strip_prefix('-').unwrap_or(text).as_bytes();
    let points = unsigned.iter().filter(|byte| **byte == b'.').count();
    let digits = unsigned.iter().filter(|byte| byte.is_ascii_digit()).count();
    (1..=DIGITS).contains(&digits) && points <= 1 && points + digits == unsigned.len()
}

/// Whether the text is a float's `nan` or `inf`.
pub(super) fn is_special(text: &str) -> bool {
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    ["nan", "inf", "infinity"]
        .iter()
        .any(|special| text.eq_ignore_ascii_case(special))
}

/// Whether the text is a number as programs print them: no plus sign, no zeros before it, and
/// digits on at least one side of the point.
pub(super) fn is_plain_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let mut bytes = digits.bytes();
    match (bytes.next(), bytes.next()) {
        (Some(b'0'), Some(next)) if next.is_ascii_digit() => false,
        (Some(b'0'..=b'9' | b'.'), _) => true,
        _ => false,
    }
}

/// Whether the text is a whole number as programs print them, which minus zero is not.
pub(super) fn is_plain_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    is_plain_number(text) && digits.bytes().all(|byte| byte.is_ascii_digit()) && text != "-0"
}

/// Whether a number is written in the way that hexadecimal digests may be by chance: `12e45`.
pub(super) fn is_bare_exponent(text: &str) -> bool {
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else {
        return false;
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits(mantissa) && digits(exponent)
}

/// A date, with or without a time of day, as ISO 8601 writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) year: u16,
    /// Whether there is a time of day.
    pub(super) clock: bool,
    /// Whether the time of day is missing or zero.
    pub(super) midnight: bool,
    /// Digits of the fraction of a second, zeros at its end dropped.
    pub(super) fraction: usize,
    /// Whether there is `Z`, `UTC` or an offset.
    pub(super) zoned: bool,
}

impl Moment {
    /// Reads `YYYY-MM-DD`, and after `T` or a space `HH:MM:SS`, a fraction, and an offset.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let year = u16::try_from(number(bytes.get(..4)?)?).ok()?;
        let (month, day) = (number(bytes.get(5..7)?)?, number(bytes.get(8..10)?)?);
        let valid = bytes[4] == b'-' && bytes[7] == b'-' && (1..=12).contains(&month);
        if !valid || day < 1 || day > days_in(year, month) {
            return None;
        }
        let mut moment = Self {
            year,
            clock: false,
            midnight: true,
            fraction: 0,
            zoned: false,
        };
        let Some(separator) = bytes.get(10) else {
            return Some(moment);
        };
        let clock = bytes.get(11..19)?;
        let (hour, minute) = (number(&clock[..2])?, number(&clock[3..5])?);
        let second = number(&clock[6..])?;
        let valid = matches!(separator, b'T' | b' ') && clock[2] == b':' && clock[5] == b':';
        if !valid || hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        moment.clock = true;
        let mut rest = &bytes[19..];
        if let [b'.', fraction @ ..] = rest {
            let digits = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
            if digits == 0 || digits > 9 {
                return None;
            }
            moment.fraction = significant(&fraction[..digits]);
            rest = &fraction[digits..];
        }
        moment.midnight = (hour, minute, second, moment.fraction) == (0, 0, 0, 0);
        moment.zoned = !rest.is_empty();
        (rest.is_empty() || is_offset(rest)).then_some(moment)
    }
}

/// How many digits there are before the zeros at the end.
fn significant(digits: &[u8]) -> usize {
    digits
        .iter()
        .rposition(|digit| *digit != b'0')
        .map_or(0, |at| at + 1)
}

/// Digits of the fraction of a second of any text of a time, zeros at its end dropped.
pub(super) fn fraction_digits(text: &str) -> usize {
    let Some((_, fraction)) = text.split_once('.') else {
        return 0;
    };
    let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
    significant(&fraction.as_bytes()[..digits])
}

/// Whether the text of a point in time has something after its time of day: `Z`, an offset such as
/// `+02:00`, or a zone's name.
pub(super) fn has_offset(text: &str) -> bool {
    // The date's own hyphens stand within the first ten bytes.
    text.as_bytes()
        .iter()
        .skip(11)
        .any(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'+' | b'-'))
}

/// Whether the text has a second 60, which no type keeps apart from the next minute's first.
pub(super) fn has_leap_second(text: &str) -> bool {
    let clock = text.get(11..).unwrap_or(text);
    clock
        .splitn(3, ':')
        .nth(2)
        .is_some_and(|second| second.starts_with("60"))
}

fn is_offset(text: &[u8]) -> bool {
    match text {
        [b'Z' | b'z'] | b"UTC" | b" UTC" => true,
        [b'+' | b'-', offset @ ..] => {
            let (hours, minutes) = match offset {
                [a, b] => (number(&[*a, *b]), Some(0)),
                [a, b, c, d] | [a, b, b':', c, d] => (number(&[*a, *b]), number(&[*c, *d])),
                _ => return false,
            };
            hours.is_some_and(|hours| hours < 24) && minutes.is_some_and(|minutes| minutes < 60)
        }
        _ => false,
    }
}

fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |number, digit| {
        digit
            .is_ascii_digit()
            .then(|| number * 10 + u32::from(digit - b'0'))
    })
}

fn days_in(year: u16, month: u32) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_float_keeps_what_it_prints_again() {
        for text in [
            "0",
            "-0.0",
            "1",
            "39.02",
            "1.500",
            ".5",
            "5.",
            "1e3",
            "1E-05",
            "0.1",
            "9007199254740992",
            "10.357019999999999",
            "0.10000000000000001",
            "1.7976931348623157e308",
            "5e-324",
            "0.1000000000000000055511151231257827021181583404541015625",
            "NaN",
            "-inf",
        ] {
            assert!(is_f64(text), "{text}");
        }
        for text in [
            "9007199254740993",
            "3.14159265358979323846",
            "1e400",
            "1e-400",
            "12e4567",
            "18446744073709551615",
            "1e99999999999",
            "",
            "-",
            ".",
            "e5",
            "1e",
            "1e+",
            "0x10",
            "1_000",
        ] {
            assert!(!is_f64(text), "{text}");
        }
    }

    #[test]
    fn a_moment_is_a_valid_date_and_time() {
        let moment = |text: &str| Moment::parse(text);
        let midnight = moment("2013-01-01T00:00:00.000").unwrap();
        assert!(midnight.clock && midnight.midnight && midnight.fraction == 0);
        assert_eq!(moment("2013-01-01 10:30:00.1230").unwrap().fraction, 3);
        for text in ["Z", "+02:00", "-0930", "+05", " UTC", ".5Z"] {
            assert!(
                moment(&format!("2012-02-29T23:59:59{text}")).unwrap().zoned,
                "{text}"
            );
        }
        for text in [
            "2013-02-29",
            "2013-13-01",
            "2013-1-01",
            "2013-01-01T24:00:00",
            "2013-01-01T10:30",
            "2013-01-01T23:59:60",
            "2013-01-01T10:30:00+25:00",
            "2013-01-01T10:30:00 o'clock",
            "x",
            "2013-01-01T10:30:00.",
            "2013-01-01x",
        ] {
            assert_eq!(moment(text), None, "{text}");
        }
    }
}
