//! Bytes on their way in.

use std::io::{self, Cursor, Read};

/// Bytes asked of the operating system at once.
pub(super) const CHUNK: usize = 256 * 1024;

/// A stream of decompressed bytes.
pub(super) type Stream = Box<dyn Read + Send>;

/// The first bytes of a stream, and the whole stream again.
pub(super) fn peek(mut stream: Stream) -> io::Result<(Vec<u8>, Stream)> {
    let mut head = Vec::new();
    stream.by_ref().take(8).read_to_end(&mut head)?;
    let whole = Cursor::new(head.clone()).chain(stream);
    Ok((head, Box::new(whole)))
}
