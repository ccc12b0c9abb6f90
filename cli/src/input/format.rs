//! Which format and compression an input has, from its name or its first bytes.
//!
//! Owns the tables of suffixes and magic bytes, and nothing that reads. A name always wins over
//! content; content is asked only for standard input, which has no name.

use std::path::Path;

/// The bytes that open a file of the first version of Feather.
pub(super) const FEATHER_V1: &[u8] = b"FEA1";

/// How the rows of an input are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum InputFormat {
    /// Comma-separated values, or any other single-byte delimiter.
    Csv,
    /// CSV whose default delimiter is the tab.
    Tsv,
    /// One JSON object a line.
    #[value(alias = "jsonl")]
    Ndjson,
    /// Apache Parquet.
    Parquet,
    /// Arrow IPC file (Feather version 2).
    #[value(aliases = ["arrow", "feather"])]
    Ipc,
    /// Arrow IPC stream.
    #[value(alias = "arrows")]
    IpcStream,
    /// Apache Avro, a file of containers.
    Avro,
}

impl InputFormat {
    /// The file suffixes of each format, lower-case.
    const SUFFIXES: [(&str, Self); 12] = [
        ("csv", Self::Csv),
        ("tsv", Self::Tsv),
        ("ndjson", Self::Ndjson),
        ("jsonl", Self::Ndjson),
        ("json", Self::Ndjson),
        ("parquet", Self::Parquet),
        ("pq", Self::Parquet),
        ("arrow", Self::Ipc),
        ("ipc", Self::Ipc),
        ("feather", Self::Ipc),
        ("arrows", Self::IpcStream),
        ("avro", Self::Avro),
    ];

    /// The format that a file name ends in, a suffix of compression aside.
    pub(super) fn of_path(path: &Path) -> Option<Self> {
        let inner = path.file_stem().map(Path::new);
        let path = match Compression::of_path(path) {
            Some(_) => inner?,
            None => path,
        };
        let suffix = suffix(path)?;
        Self::SUFFIXES
            .iter()
            .find_map(|(name, format)| (*name == suffix).then_some(*format))
    }

    /// The format that the first bytes give away; text has none.
    pub(super) fn of_magic(head: &[u8]) -> Option<Self> {
        // 0xFF is no valid UTF-8, so the stream's mark cannot open a text.
        [
            (&b"PAR1"[..], Self::Parquet),
            (b"ARROW1", Self::Ipc),
            // Its first version, which the reader refuses by its name.
            (FEATHER_V1, Self::Ipc),
            (b"\xff\xff\xff\xff", Self::IpcStream),
            (super::avro_blocks::MAGIC, Self::Avro),
        ]
        .iter()
        .find_map(|(magic, format)| head.starts_with(magic).then_some(*format))
    }

    /// Whether reading starts at a footer, or goes over the file twice, so that the whole file must be at hand.
    pub(super) fn needs_seek(self) -> bool {
        matches!(self, Self::Parquet | Self::Ipc | Self::Avro)
    }
}

/// Whether a file is ORC by its name, which is not read.
pub(super) fn is_orc(path: &Path) -> bool {
    suffix(path).is_some_and(|suffix| suffix == "orc")
}

/// The bytes that open an ORC file.
pub(super) const ORC: &[u8] = b"ORC";

/// How the bytes of an input are compressed as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    /// One or more gzip members.
    Gzip,
    /// One or more Zstandard frames.
    Zstd,
}

impl Compression {
    /// The compression that a file name ends in.
    pub(super) fn of_path(path: &Path) -> Option<Self> {
        match suffix(path)?.as_str() {
            "gz" => Some(Self::Gzip),
            "zst" => Some(Self::Zstd),
            _ => None,
        }
    }

    /// The compression that the first bytes give away.
    pub(super) fn of_magic(head: &[u8]) -> Option<Self> {
        if head.starts_with(b"\x1f\x8b") {
            Some(Self::Gzip)
        } else if head.starts_with(b"\x28\xb5\x2f\xfd") {
            Some(Self::Zstd)
        } else {
            None
        }
    }
}

fn suffix(path: &Path) -> Option<String> {
    Some(path.extension()?.to_str()?.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_format_and_compression() {
        for (name, format, compression) in [
            ("a.csv", Some(InputFormat::Csv), None),
            ("a.b.TSV", Some(InputFormat::Tsv), None),
            (
                "a.ndjson.gz",
                Some(InputFormat::Ndjson),
                Some(Compression::Gzip),
            ),
            ("a.jsonl", Some(InputFormat::Ndjson), None),
            (
                "a.json.zst",
                Some(InputFormat::Ndjson),
                Some(Compression::Zstd),
            ),
            ("a.parquet", Some(InputFormat::Parquet), None),
            (
                "a.pq.gz",
                Some(InputFormat::Parquet),
                Some(Compression::Gzip),
            ),
            ("a.arrow", Some(InputFormat::Ipc), None),
            ("a.ipc", Some(InputFormat::Ipc), None),
            ("a.feather", Some(InputFormat::Ipc), None),
            ("a.arrows", Some(InputFormat::IpcStream), None),
            ("a.gz", None, Some(Compression::Gzip)),
            ("a.txt", None, None),
            ("csv", None, None),
            ("x.csv/a", None, None),
        ] {
            let path = Path::new(name);
            assert_eq!(InputFormat::of_path(path), format, "{name}");
            assert_eq!(Compression::of_path(path), compression, "{name}");
        }
    }

    #[test]
    fn first_bytes_tell_the_binary_formats_only() {
        assert_eq!(
            InputFormat::of_magic(b"PAR1...."),
            Some(InputFormat::Parquet)
        );
        assert_eq!(InputFormat::of_magic(b"ARROW1\0\0"), Some(InputFormat::Ipc));
        assert_eq!(
            InputFormat::of_magic(b"\xff\xff\xff\xff\x10"),
            Some(InputFormat::IpcStream)
        );
        assert_eq!(
            InputFormat::of_magic(b"Obj\x01\x04"),
            Some(InputFormat::Avro)
        );
        assert_eq!(InputFormat::of_magic(b"a,b\n1,2"), None);
        assert_eq!(InputFormat::of_magic(b""), None);
        assert_eq!(
            Compression::of_magic(b"\x1f\x8b\x08"),
            Some(Compression::Gzip)
        );
        assert_eq!(
            Compression::of_magic(b"\x28\xb5\x2f\xfd"),
            Some(Compression::Zstd)
        );
        assert_eq!(Compression::of_magic(b"PAR1"), None);
    }
}
