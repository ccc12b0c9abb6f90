//! What is done to which requests.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::request::RequestKind;

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The connection ends before the server sees the request.
    DropRequest,
    /// The server does what is asked, and the connection ends without a reply.
    DropReply,
    /// This status is answered, such as 409, 500 or 503, and the server sees nothing.
    RefuseBefore(u16),
    /// The server does what is asked, and this status is answered.
    RefuseAfter(u16),
    /// Status 200 is answered, with an error as the body, and the server sees nothing.
    ErrorBodyBefore,
    /// The server does what is asked, and status 200 is answered with an error as the body.
    ErrorBodyAfter,
    /// The request waits for [`Proxy::release`](super::Proxy::release) and reaches the server then, also if the client
    /// has gone by that time.
    Hang,
    /// The server does what is asked, and the reply waits for [`Proxy::release`](super::Proxy::release).
    HangReply,
    /// The connection ends in the middle of the reply's body, or before the reply where that has none.
    CutReply,
    /// One bit in the middle of the request's body is flipped.
    FlipRequest,
    /// One bit in the middle of the reply's body is flipped.
    FlipReply,
    /// The request reaches the server this much later.
    Slow(Duration),
}

/// A fault, and the requests that it happens to.
///
/// As text it is `KIND[:NUMBER][:KEYS]=FAULT`, such as `put-create=drop-reply`, `any:3=503-before` or
/// `copy:2:*/year=2026/*=hang`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    kind: Option<RequestKind>,
    keys: Option<String>,
    number: Option<usize>,
    fault: Fault,
    /// How many requests of this kind and these keys there were.
    seen: usize,
}

impl Rule {
    /// A fault that happens to every request of this kind.
    #[must_use]
    pub fn every(kind: RequestKind, fault: Fault) -> Self {
        Self {
            kind: Some(kind),
            keys: None,
            number: None,
            fault,
            seen: 0,
        }
    }

    /// A fault that happens to the request of this kind with this number, from 1; the first is the first after the
    /// rule was given.
    #[must_use]
    pub fn nth(number: usize, kind: RequestKind, fault: Fault) -> Self {
        Self {
            number: Some(number),
            ..Self::every(kind, fault)
        }
    }

    /// A fault that happens to every request.
    #[must_use]
    pub fn all(fault: Fault) -> Self {
        Self {
            kind: None,
            keys: None,
            number: None,
            fault,
            seen: 0,
        }
    }

    /// A fault that happens to the request with this number, from 1, whatever it asks for.
    #[must_use]
    pub fn nth_of_all(number: usize, fault: Fault) -> Self {
        Self {
            number: Some(number),
            ..Self::all(fault)
        }
    }

    /// Only for requests about a key that matches `pattern`, in which `*` stands for any text; others are not counted.
    #[must_use]
    pub fn keys(mut self, pattern: impl Into<String>) -> Self {
        self.keys = Some(pattern.into());
        self
    }

    /// The fault, if it happens to this request, which is counted.
    pub(super) fn fault_of(&mut self, kind: RequestKind, keys: &[String]) -> Option<Fault> {
        let of_kind = self.kind.is_none_or(|wanted| wanted == kind);
        let of_keys = self
            .keys
            .as_ref()
            .is_none_or(|pattern| keys.iter().any(|key| matches(pattern, key)));
        if !of_kind || !of_keys {
            return None;
        }
        self.seen += 1;
        let happens = self.number.is_none_or(|number| number == self.seen);
        happens.then_some(self.fault)
    }
}

/// Whether a text is of a pattern in which `*` stands for any text.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((before, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(text) = text.strip_prefix(before) else {
        return false;
    };
    let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    ends.map(|at| &text[at..]).any(|text| matches(rest, text))
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::DropRequest => f.write_str("drop-request"),
            Fault::DropReply => f.write_str("drop-reply"),
            Fault::RefuseBefore(status) => write!(f, "{status}-before"),
            Fault::RefuseAfter(status) => write!(f, "{status}-after"),
            Fault::ErrorBodyBefore => f.write_str("error-body-before"),
            Fault::ErrorBodyAfter => f.write_str("error-body-after"),
            Fault::Hang => f.write_str("hang"),
            Fault::HangReply => f.write_str("hang-reply"),
            Fault::CutReply => f.write_str("cut-reply"),
            Fault::FlipRequest => f.write_str("flip-request"),
            Fault::FlipReply => f.write_str("flip-reply"),
            Fault::Slow(time) => write!(f, "slow-{}ms", time.as_millis()),
        }
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let status = |text: &str| {
            text.parse()
                .ok()
                .filter(|status| (400..600).contains(status))
        };
        let named = match text {
            "drop-request" => Some(Fault::DropRequest),
            "drop-reply" => Some(Fault::DropReply),
            "error-body-before" => Some(Fault::ErrorBodyBefore),
            "error-body-after" => Some(Fault::ErrorBodyAfter),
            "hang" => Some(Fault::Hang),
            "hang-reply" => Some(Fault::HangReply),
            "cut-reply" => Some(Fault::CutReply),
            "flip-request" => Some(Fault::FlipRequest),
            "flip-reply" => Some(Fault::FlipReply),
            _ => None,
        };
        let slow = || {
            let time = text.strip_prefix("slow-")?.strip_suffix("ms")?;
            time.parse()
                .ok()
                .map(Duration::from_millis)
                .map(Fault::Slow)
        };
        let before = || {
            text.strip_suffix("-before")
                .and_then(status)
                .map(Fault::RefuseBefore)
        };
        let after = || {
            text.strip_suffix("-after")
                .and_then(status)
                .map(Fault::RefuseAfter)
        };
        named.or_else(slow).or_else(before).or_else(after).ok_or_else(|| {
            format!(
                "no fault is called `{text}`; there are drop-request, drop-reply, STATUS-before, STATUS-after, \
                 error-body-before, error-body-after, hang, hang-reply, cut-reply, flip-request, flip-reply and \
                 slow-MILLISECONDSms"
            )
        })
    }
}

impl FromStr for Rule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (requests, fault) = text
            .rsplit_once('=')
            .ok_or_else(|| format!("`{text}` is not of the form KIND[:NUMBER][:KEYS]=FAULT"))?;
        let fault = fault.parse()?;
        let (kind, rest) = match requests.split_once(':') {
            Some((kind, rest)) => (kind, Some(rest)),
            None => (requests, None),
        };
        let mut rule = match kind {
            "any" => Rule::all(fault),
            kind => Rule::every(kind.parse()?, fault),
        };
        let (number, keys) = match rest.map(|rest| rest.split_once(':').unwrap_or((rest, ""))) {
            None => (None, ""),
            Some((number, keys)) => match number.parse::<usize>() {
                Ok(0) => return Err(format!("`{text}`: requests are counted from 1")),
                Ok(number) => (Some(number), keys),
                // Only keys: they may contain a colon.
                Err(_) => (None, rest.unwrap_or_default()),
            },
        };
        rule.number = number;
        rule.keys = Some(keys.to_owned()).filter(|keys| !keys.is_empty());
        Ok(rule)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_whole_keys() {
        assert!(matches("*/tx/*", "lake/.weather.atomic/tx/1"));
        assert!(matches("*", ""));
        assert!(matches("a*c", "abcbc"));
        assert!(!matches("a*c", "abcb"));
        assert!(!matches("tx", "lake/tx"));
    }

    #[test]
    fn a_rule_is_read_from_its_text() {
        let rule = |text: &str| text.parse::<Rule>();
        let dropped = Rule::every(RequestKind::PutCreate, Fault::DropReply);
        assert_eq!(rule("put-create=drop-reply"), Ok(dropped));
        assert_eq!(
            rule("any:3=503-before"),
            Ok(Rule::nth_of_all(3, Fault::RefuseBefore(503)))
        );
        let hung = Rule::nth(2, RequestKind::Copy, Fault::Hang).keys("*/year=2026/*");
        assert_eq!(rule("copy:2:*/year=2026/*=hang"), Ok(hung));
        let slow = Rule::every(RequestKind::Get, Fault::Slow(Duration::from_millis(5))).keys("a:b");
        assert_eq!(rule("get:a:b=slow-5ms"), Ok(slow));
        assert!(rule("get").is_err() && rule("gett=hang").is_err() && rule("get:0=hang").is_err());
        assert!(rule("get=hung").is_err() && rule("get=200-before").is_err());
    }

    #[test]
    fn only_requests_of_the_kind_and_the_keys_are_counted() {
        let mut rule = Rule::nth(2, RequestKind::Put, Fault::DropReply).keys("a/*");
        let mut ask = |kind, key: &str| rule.fault_of(kind, &[key.to_owned()]);
        assert_eq!(ask(RequestKind::Put, "a/1"), None);
        assert_eq!(ask(RequestKind::Get, "a/1"), None);
        assert_eq!(ask(RequestKind::Put, "b/1"), None);
        assert_eq!(ask(RequestKind::Put, "a/2"), Some(Fault::DropReply));
        assert_eq!(ask(RequestKind::Put, "a/3"), None);
    }
}
