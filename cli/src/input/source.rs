//! The bytes of one input: opened, waited for, decompressed, and copied where seeking is needed.
//!
//! Owns everything between the operating system and the decoders. A read never outlasts a raised
//! interrupt flag by more than a moment, also when it waits for a pipe. Nothing is held in memory
//! but fixed-size buffers; what needs seeking and cannot be sought goes to an anonymous file.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::InputError;
use super::encoding::Undecodable;
use super::format::{Compression, InputFormat, ORC, is_orc};
use super::paths::Place;
use super::quoted::BehindQuote;
use super::stream::{CHUNK, Stream, peek};
use crate::stdin::stdin;

/// Bytes of a pipe that are kept in a temporary file, for the case that it has to be read again.
const KEPT_BYTES: u64 = if cfg!(test) { 1 << 16 } else { 1 << 30 };
/// The time between two looks at the interrupt flag while a pipe is waited for.
#[cfg(unix)]
const POLL: rustix::event::Timespec = rustix::event::Timespec {
    tv_sec: 0,
    tv_nsec: 100_000_000,
};

/// State that all readers share: whether to stop, and how far they have come.
#[derive(Debug, Clone, Default)]
pub(super) struct Watch {
    interrupt: Arc<AtomicBool>,
    pub(super) bytes_read: Arc<AtomicU64>,
    /// The bytes read of inputs that give their bytes only once, by name.
    kept: Arc<Mutex<HashMap<PathBuf, Kept>>>,
}

impl Watch {
    pub(super) fn new(interrupt: Arc<AtomicBool>) -> Self {
        Self {
            interrupt,
            ..Self::default()
        }
    }

    pub(super) fn interrupted(&self) -> bool {
        self.interrupt.load(Ordering::Relaxed)
    }

    pub(super) fn add(&self, bytes: u64) {
        self.bytes_read.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Whether every input can be read from its beginning again.
    pub(super) fn can_restart(&self) -> bool {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.values().all(Kept::is_whole)
    }

    /// The bytes of an input that gives them only once, from the first, and a copy kept of them.
    fn once(&self, path: &Path, origin: impl FnOnce() -> io::Result<Stream>) -> io::Result<Once> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if !kept.contains_key(path) {
            kept.insert(path.to_owned(), Kept::new(origin()?));
        }
        Ok(Once {
            path: path.to_owned(),
            kept: Arc::clone(&self.kept),
            offset: 0,
        })
    }

    /// Turns any failure into an interruption once the flag is up, for that is what it came from.
    pub(super) fn or_interrupted(&self, path: &Path, error: InputError) -> InputError {
        if self.interrupted() {
            InputError::Interrupted {
                path: path.to_owned(),
            }
        } else {
            error
        }
    }
}

/// An input that gives its bytes only once, and those that it gave, as far as they are kept.
struct Kept {
    origin: Stream,
    /// Nothing where no file could be made for it.
    copy: Option<File>,
    len: u64,
    /// Whether there is a copy of all that was given.
    whole: bool,
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Kept")
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

impl Kept {
    fn new(origin: Stream) -> Self {
        let copy = temporary_file().ok();
        Self {
            origin,
            whole: copy.is_some(),
            copy,
            len: 0,
        }
    }

    fn is_whole(&self) -> bool {
        self.whole
    }

    /// Gives bytes from the offset on: of the copy, or else further ones.
    fn read(&mut self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let copy = self.copy.as_mut().filter(|_| self.whole);
        if let Some(copy) = copy
            && offset < self.len
        {
            copy.seek(io::SeekFrom::Start(offset))?;
            return copy.read(into);
        }
        let n = self.origin.read(into)?;
        self.len += n as u64;
        let Some(copy) = self.copy.as_mut().filter(|_| self.whole) else {
            return Ok(n);
        };
        if self.len > KEPT_BYTES {
            self.whole = false;
            copy.set_len(0)?;
        } else {
            copy.seek(io::SeekFrom::End(0))?;
            // Where there is no room for a copy, there is none.
            self.whole = io::Write::write_all(copy, &into[..n]).is_ok();
        }
        Ok(n)
    }
}

/// One reading of an input that gives its bytes only once.
struct Once {
    path: PathBuf,
    kept: Arc<Mutex<HashMap<PathBuf, Kept>>>,
    offset: u64,
}

impl Read for Once {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(kept) = kept.get_mut(&self.path) else {
            return Ok(0);
        };
        let n = kept.read(self.offset, into)?;
        self.offset += n as u64;
        Ok(n)
    }
}

/// The bytes for a decoder.
pub(super) enum Body {
    /// Read once, from front to back.
    Stream(Stream),
    /// A file that can be sought. The flag says whether its bytes were counted already.
    File { file: File, counted: bool },
}

/// An opened input and what there is to say about it.
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) format: InputFormat,
    pub(super) compressed: bool,
    pub(super) body: Body,
}

impl Source {
    /// Opens a place; `format` is the user's word, which wins over the name.
    ///
    /// # Errors
    /// What cannot be opened or copied, and a format that nothing tells.
    pub(super) fn open(
        place: &Place,
        format: Option<InputFormat>,
        watch: &Watch,
    ) -> Result<Self, InputError> {
        match place {
            Place::Stdin => {
                let path = place.path();
                let origin =
                    || -> io::Result<Stream> { Ok(Box::new(Origin::new(stdin()?, true, watch))) };
                let stream = watch
                    .once(path, origin)
                    .map_err(|source| io_error(path, source))?;
                Self::from_nameless(path, stream, format)
            }
            Place::File { path, len, .. } => {
                let format = format
                    .or_else(|| InputFormat::of_path(path))
                    .ok_or_else(|| match is_orc(path) {
                        true => InputError::Orc { path: path.clone() },
                        false => InputError::UnknownFormat { path: path.clone() },
                    })?;
                let open = || File::open(path);
                if len.is_none() {
                    let origin = || -> io::Result<Stream> {
                        Ok(Box::new(Origin::new(open()?, true, watch)))
                    };
                    let stream = watch
                        .once(path, origin)
                        .map_err(|source| io_error(path, source))?;
                    return Self::from_stream(path, Box::new(stream), format);
                }
                let file = open().map_err(|source| io_error(path, source))?;
                Self::from_file(path, Origin::new(file, false, watch), format)
            }
        }
    }

    fn from_file(path: &Path, origin: Origin, format: InputFormat) -> Result<Self, InputError> {
        if format.needs_seek() && Compression::of_path(path).is_none() {
            return Ok(Self {
                path: path.to_owned(),
                format,
                compressed: false,
                body: Body::File {
                    file: origin.file,
                    counted: false,
                },
            });
        }
        Self::from_stream(path, Box::new(origin), format)
    }

    fn from_stream(path: &Path, stream: Stream, format: InputFormat) -> Result<Self, InputError> {
        let compression = Compression::of_path(path);
        let compressed = compression.is_some();
        let stream = decompress(stream, compression)
            .map_err(|source| read_error(path, compressed, source))?;
        Self::new(path, format, compressed, stream)
    }

    /// Tells compression, and the format unless it is given, from the first bytes.
    fn from_nameless(
        path: &Path,
        origin: impl Read + Send + 'static,
        format: Option<InputFormat>,
    ) -> Result<Self, InputError> {
        let (head, stream) = peek(Box::new(origin)).map_err(|source| io_error(path, source))?;
        let compression = Compression::of_magic(&head);
        let compressed = compression.is_some();
        let stream = decompress(stream, compression)
            .map_err(|source| read_error(path, compressed, source))?;
        let (head, stream) = peek(stream).map_err(|source| read_error(path, compressed, source))?;
        let format = format
            .or_else(|| InputFormat::of_magic(&head))
            .ok_or_else(|| {
                let path = path.to_owned();
                match head.starts_with(ORC) {
                    true => InputError::Orc { path },
                    false => InputError::UnknownFormat { path },
                }
            })?;
        Self::new(path, format, compressed, stream)
    }

    fn new(
        path: &Path,
        format: InputFormat,
        compressed: bool,
        mut stream: Stream,
    ) -> Result<Self, InputError> {
        let body = if format.needs_seek() {
            Body::File {
                file: spool(path, &mut stream, compressed)?,
                counted: true,
            }
        } else {
            Body::Stream(stream)
        };
        Ok(Self {
            path: path.to_owned(),
            format,
            compressed,
            body,
        })
    }
}

/// Copies a stream to a file that has no name and vanishes when it is closed.
fn spool(path: &Path, stream: &mut Stream, compressed: bool) -> Result<File, InputError> {
    let spool_error = |source| InputError::Spool {
        path: path.to_owned(),
        source,
    };
    let mut file = temporary_file().map_err(spool_error)?;
    let mut chunk = vec![0; CHUNK];
    loop {
        // Not io::copy: it would not tell a failing input from a full disk.
        let n = match stream.read(&mut chunk) {
            Ok(0) => break,
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(source) => return Err(read_error(path, compressed, source)),
        };
        io::Write::write_all(&mut file, &chunk[..n]).map_err(spool_error)?;
    }
    file.rewind().map_err(spool_error)?;
    Ok(file)
}

/// A file that has no name and vanishes when it is closed: in the directory for such files, or where this user
/// cannot make any there, in one that is there for all users.
fn temporary_file() -> io::Result<File> {
    let first = tempfile::tempfile();
    let for_all = ["/var/tmp", "/tmp"].iter().filter(|_| cfg!(unix));
    let mut others = for_all.filter_map(|directory| tempfile::tempfile_in(directory).ok());
    match first {
        Err(error) => others.next().ok_or(error),
        first => first,
    }
}

fn decompress(stream: Stream, compression: Option<Compression>) -> io::Result<Stream> {
    Ok(match compression {
        None => stream,
        Some(Compression::Gzip) => Box::new(flate2::bufread::MultiGzDecoder::new(
            BufReader::with_capacity(CHUNK, stream),
        )),
        Some(Compression::Zstd) => Box::new(zstd::Decoder::with_buffer(BufReader::with_capacity(
            CHUNK, stream,
        ))?),
    })
}

/// The error of a failed read, told apart by whether a decompressor may have raised it.
pub(super) fn read_error(path: &Path, compressed: bool, source: io::Error) -> InputError {
    let of_text = source.get_ref();
    if let Some(malformed) = of_text.and_then(|source| source.downcast_ref::<BehindQuote>()) {
        return InputError::BehindQuote {
            path: path.to_owned(),
            line: malformed.line,
        };
    }
    let undecodable = of_text.is_some_and(|source| source.is::<Undecodable>());
    // What the system itself refuses carries its code; a decompressor's complaint has none.
    if compressed && source.raw_os_error().is_none() && !undecodable {
        InputError::Compressed {
            path: path.to_owned(),
            source,
        }
    } else {
        io_error(path, source)
    }
}

fn io_error(path: &Path, source: io::Error) -> InputError {
    InputError::Io {
        path: path.to_owned(),
        source,
    }
}

/// A file or pipe, read with an eye on the interrupt flag.
struct Origin {
    file: File,
    /// Whether bytes may be long in coming, as with a pipe or a terminal.
    wait: bool,
    watch: Watch,
}

impl Origin {
    fn new(file: File, wait: bool, watch: &Watch) -> Self {
        Self {
            file,
            wait,
            watch: watch.clone(),
        }
    }
}

impl Read for Origin {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        use io::ErrorKind::{Interrupted, WouldBlock};
        loop {
            if self.watch.interrupted() {
                // Not ErrorKind::Interrupted, which readers take as "try again".
                return Err(io::Error::other("interrupted"));
            }
            if self.wait && !is_readable(&self.file)? {
                continue;
            }
            match self.file.read(into) {
                // A pipe that its other end has set to non-blocking may have been emptied there.
                Err(error) if self.wait && matches!(error.kind(), Interrupted | WouldBlock) => {}
                read => {
                    let n = read?;
                    self.watch.add(n as u64);
                    return Ok(n);
                }
            }
        }
    }
}

/// Waits a moment for bytes or the end; says whether there is either.
#[cfg(unix)]
fn is_readable(file: &File) -> io::Result<bool> {
    use rustix::event::{PollFd, PollFlags, poll};
    match poll(&mut [PollFd::new(file, PollFlags::IN)], Some(&POLL)) {
        Ok(ready) => Ok(ready > 0),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(unix))]
fn is_readable(_: &File) -> io::Result<bool> {
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use std::io::Cursor;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        zstd::encode_all(bytes, 1).unwrap()
    }

    fn place(path: PathBuf) -> Place {
        let len = std::fs::metadata(&path).unwrap().len();
        Place::File {
            root: path.parent().unwrap().to_owned(),
            path,
            len: Some(len),
        }
    }

    /// What reading a file of this name and content gives.
    fn read(name: &str, content: &[u8]) -> Result<Vec<u8>, InputError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        std::fs::write(&path, content).unwrap();
        let watch = Watch::default();
        let source = Source::open(&place(path.clone()), None, &watch)?;
        let mut bytes = Vec::new();
        match source.body {
            Body::Stream(mut stream) => stream.read_to_end(&mut bytes),
            Body::File { mut file, .. } => file.read_to_end(&mut bytes),
        }
        .map_err(|error| read_error(&path, source.compressed, error))?;
        Ok(bytes)
    }

    fn noise(len: usize) -> Vec<u8> {
        let mut state = 1u32;
        (0..len)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .collect()
    }

    #[test]
    fn several_gzip_members_or_zstd_frames_are_one_text() {
        let members = [gzip(b"one,"), gzip(b"two")].concat();
        assert_eq!(read("a.csv.gz", &members).unwrap(), b"one,two");
        let frames = [zstd(b"one,"), zstd(b"two")].concat();
        assert_eq!(read("a.csv.zst", &frames).unwrap(), b"one,two");
    }

    #[test]
    fn compressed_data_cut_anywhere_is_an_error() {
        let text = noise(300_000);
        for (name, whole) in [("a.csv.gz", gzip(&text)), ("a.csv.zst", zstd(&text))] {
            assert_eq!(read(name, &whole).unwrap(), text);
            for len in [1, 3, 5, 11, whole.len() / 2, whole.len() - 1] {
                let error = read(name, &whole[..len]).unwrap_err();
                assert!(
                    matches!(error, InputError::Compressed { .. }),
                    "{name} cut to {len}: {error}"
                );
            }
        }
    }

    #[test]
    fn garbage_behind_a_gzip_member_is_an_error() {
        let bytes = [gzip(b"one"), b"garbage".to_vec()].concat();
        let error = read("a.csv.gz", &bytes).unwrap_err();
        assert!(matches!(error, InputError::Compressed { .. }), "{error}");
    }

    #[test]
    fn a_format_with_a_footer_can_be_sought_though_compressed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.parquet.zst");
        std::fs::write(&path, zstd(b"PAR1 and more")).unwrap();
        let watch = Watch::default();
        let source = Source::open(&place(path.clone()), None, &watch).unwrap();
        let Body::File { mut file, counted } = source.body else {
            panic!("not a file");
        };
        let mut text = String::new();
        file.seek(io::SeekFrom::Start(5)).unwrap();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "and more");
        assert!(counted);
        let len = std::fs::metadata(&path).unwrap().len();
        assert_eq!(watch.bytes_read.load(Ordering::Relaxed), len);
    }

    #[test]
    fn a_nameless_input_is_known_by_its_first_bytes() {
        let open = |bytes: &[u8], format| {
            Source::from_nameless(Path::new("-"), Cursor::new(bytes.to_vec()), format)
        };
        let source = open(b"PAR1 and more", None).unwrap();
        assert_eq!(source.format, InputFormat::Parquet);
        let source = open(&gzip(b"ARROW1 and more"), None).unwrap();
        assert_eq!(source.format, InputFormat::Ipc);
        let source = open(&zstd(b"a,b\n1,2\n"), Some(InputFormat::Csv)).unwrap();
        let Body::Stream(mut stream) = source.body else {
            panic!("not a stream");
        };
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert_eq!(text, "a,b\n1,2\n");
        for bytes in [&b"a,b\n1,2\n"[..], b""] {
            let error = open(bytes, None).err().unwrap();
            assert!(error.to_string().contains("--input-format"), "{error}");
        }
    }

    #[test]
    fn a_name_without_a_known_suffix_needs_a_format() {
        let error = read("a.txt", b"a,b").unwrap_err();
        assert!(matches!(error, InputError::UnknownFormat { .. }), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn waiting_for_a_pipe_ends_when_the_flag_goes_up() {
        let (reader, writer) = io::pipe().unwrap();
        let interrupt = Arc::new(AtomicBool::new(false));
        let mut origin = Origin {
            file: File::from(std::os::fd::OwnedFd::from(reader)),
            wait: true,
            watch: Watch::new(interrupt.clone()),
        };
        let waiting = std::thread::spawn(move || {
            let mut byte = [0];
            origin.read_exact(&mut byte).map(|()| origin)
        });
        (&writer).write_all(b"x").unwrap();
        let mut origin = waiting.join().unwrap().unwrap();
        let waiting = std::thread::spawn(move || origin.read(&mut [0]));
        interrupt.store(true, Ordering::Relaxed);
        assert_eq!(
            waiting.join().unwrap().unwrap_err().to_string(),
            "interrupted"
        );
        drop(writer);
    }

    #[test]
    fn a_pipe_can_be_read_again_as_far_as_it_is_kept() {
        let watch = Watch::default();
        let path = Path::new("pipe");
        let bytes = noise(usize::try_from(KEPT_BYTES).unwrap() + 10);
        let open = || {
            let bytes = bytes.clone();
            watch
                .once(path, || Ok(Box::new(Cursor::new(bytes))))
                .unwrap()
        };
        let mut begin = vec![0; 1000];
        open().read_exact(&mut begin).unwrap();
        assert_eq!(begin, bytes[..1000]);
        let mut again = vec![0; 5000];
        open().read_exact(&mut again).unwrap();
        assert_eq!(again, bytes[..5000]);
        assert!(watch.can_restart());
        let mut all = Vec::new();
        open().read_to_end(&mut all).unwrap();
        assert!(all == bytes && !watch.can_restart());
    }
}
