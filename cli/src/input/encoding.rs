//! Turning text of other encodings into UTF-8 while it is read.
//!
//! Owns byte order marks and `--encoding`. Bytes that are no text in the encoding end the input with
//! an error; nothing is replaced. UTF-8 passes as it is, and the readers check it, since they know
//! the line.

use std::io::{self, Read};

use encoding_rs::{DecoderResult, Encoding, UTF_8};
use thiserror::Error;

use super::stream::{CHUNK, Stream, peek};

/// Bytes that cannot be read as text.
#[derive(Debug, Error)]
pub(super) enum Undecodable {
    /// Bytes that are no text in their encoding.
    #[error("not valid {encoding} within the bytes up to {offset}")]
    Invalid { encoding: &'static str, offset: u64 },
    /// A text in UTF-32, which is not read.
    #[error("begins with the byte order mark of UTF-32, which is not read; convert it to UTF-8")]
    Utf32,
    /// A text in UTF-16 that nobody said to be so.
    #[error(
        "has a NUL beside each of its first characters, as UTF-16 without its mark has; name it with --encoding {encoding}, \
         or with --encoding utf-8 keep the NULs"
    )]
    Utf16 { encoding: &'static str },
}

/// The text as UTF-8, without the mark that may open it, which wins over the encoding named; a mark of an encoding
/// that has one of its own, as GB18030, is known once it is decoded.
pub(super) fn to_utf8(stream: Stream, encoding: Option<&'static Encoding>) -> io::Result<Stream> {
    let (head, mut stream) = peek(stream)?;
    if head.starts_with(b"\xff\xfe\0\0") || head.starts_with(b"\0\0\xfe\xff") {
        return Err(io::Error::other(Undecodable::Utf32));
    }
    let mark = Encoding::for_bom(&head);
    let unmarked = match head.as_slice() {
        [one, 0, two, 0, ..] if *one != 0 && *two != 0 => Some("utf-16le"),
        [0, one, 0, two, ..] if *one != 0 && *two != 0 => Some("utf-16be"),
        _ => None,
    };
    if let (None, Some(encoding)) = (encoding, unmarked) {
        return Err(io::Error::other(Undecodable::Utf16 { encoding }));
    }
    if let Some((_, len)) = mark {
        stream.read_exact(&mut [0; 3][..len])?;
    }
    let encoding = mark.map(|(encoding, _)| encoding).or(encoding);
    let Some(encoding) = encoding.filter(|encoding| *encoding != UTF_8) else {
        return Ok(stream);
    };
    let text: Stream = Box::new(Transcoder {
        stream,
        decoder: encoding.new_decoder_without_bom_handling(),
        bytes: Vec::new(),
        consumed: 0,
        offset: 0,
        ended: false,
        text: String::with_capacity(3 * CHUNK),
        given: 0,
        finished: false,
    });
    if mark.is_some() {
        return Ok(text);
    }
    let (head, mut text) = peek(text)?;
    if head.starts_with(b"\xef\xbb\xbf") {
        text.read_exact(&mut [0; 3])?;
    }
    Ok(text)
}

struct Transcoder {
    stream: Stream,
    decoder: encoding_rs::Decoder,
    bytes: Vec<u8>,
    consumed: usize,
    offset: u64,
    ended: bool,
    text: String,
    given: usize,
    finished: bool,
}

impl Transcoder {
    fn refill(&mut self) -> io::Result<()> {
        if self.consumed == self.bytes.len() && !self.ended {
            self.bytes.resize(CHUNK, 0);
            let n = loop {
                match self.stream.read(&mut self.bytes) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    read => break read?,
                }
            };
            self.bytes.truncate(n);
            (self.consumed, self.ended) = (0, n == 0);
        }
        self.text.clear();
        self.given = 0;
        let (result, read) = self.decoder.decode_to_string_without_replacement(
            &self.bytes[self.consumed..],
            &mut self.text,
            self.ended,
        );
        self.consumed += read;
        self.offset += read as u64;
        match result {
            DecoderResult::InputEmpty => self.finished = self.ended,
            DecoderResult::OutputFull => {}
            DecoderResult::Malformed(..) => {
                let encoding = self.decoder.encoding().name();
                let offset = self.offset;
                return Err(io::Error::other(Undecodable::Invalid { encoding, offset }));
            }
        }
        Ok(())
    }
}

impl Read for Transcoder {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.given == self.text.len() && !self.finished {
            self.refill()?;
        }
        let rest = &self.text.as_bytes()[self.given..];
        let n = rest.len().min(into.len());
        into[..n].copy_from_slice(&rest[..n]);
        self.given += n;
        Ok(n)
    }
}

/// Reads the name of an encoding, as the web knows it: Latin-1 is windows-1252, which has characters where Latin-1
/// has control codes. ASCII is windows-1252 there too, and so refused: UTF-8 is what holds it exactly.
pub(crate) fn named(label: &str) -> Result<&'static Encoding, String> {
    if ["ascii", "us-ascii"].contains(&label.to_ascii_lowercase().as_str()) {
        return Err(
            "ASCII is read as utf-8; other bytes are of windows-1252 or another".to_owned(),
        );
    }
    Encoding::for_label(label.as_bytes())
        .ok_or_else(|| "not an encoding, such as utf-16le, latin1 or shift_jis".to_owned())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn read(bytes: &[u8], encoding: Option<&str>) -> io::Result<String> {
        let encoding = encoding.map(|label| named(label).unwrap());
        let mut text = String::new();
        to_utf8(Box::new(Cursor::new(bytes.to_vec())), encoding)?.read_to_string(&mut text)?;
        Ok(text)
    }

    #[test]
    fn a_byte_order_mark_tells_and_is_dropped() {
        for (bytes, expected) in [
            (&b"\xef\xbb\xbfabc"[..], "abc"),
            (b"\xff\xfea\0\xe9\0", "aé"),
            (b"\xfe\xff\0a\0\xe9", "aé"),
            (b"abcdefghijk", "abcdefghijk"),
            (b"\xff\xfe", ""),
            (b"", ""),
        ] {
            assert_eq!(read(bytes, None).unwrap(), expected, "{bytes:?}");
        }
        assert_eq!(read(b"\xef\xbb\xbf\xc3\xa9", Some("latin1")).unwrap(), "é");
        assert_eq!(
            read(b"\x84\x31\x95\x33\xa8\xa6", Some("gb18030")).unwrap(),
            "é"
        );
    }

    #[test]
    fn what_is_no_text_in_the_encoding_is_an_error() {
        assert_eq!(read(b"caf\xe9", Some("latin1")).unwrap(), "café");
        assert_eq!(read(b"\x83e\x83X", Some("shift_jis")).unwrap(), "テス");
        for (bytes, encoding) in [
            (&b"a\0b"[..], "utf-16le"),
            (b"\0\xd8a\0", "utf-16le"),
            (b"\x83", "shift_jis"),
        ] {
            let error = read(bytes, Some(encoding)).unwrap_err();
            assert!(error.to_string().contains("not valid"), "{error}");
        }
        for mark in [&b"\xff\xfe\0\0a\0\0\0"[..], b"\0\0\xfe\xff\0\0\0a"] {
            let error = read(mark, None).unwrap_err();
            assert!(error.to_string().contains("UTF-32"), "{error}");
        }
        let long = "é".repeat(CHUNK);
        let bytes: Vec<u8> = long.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(read(&bytes, Some("utf-16le")).unwrap(), long);
    }
}
