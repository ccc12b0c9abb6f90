//! Expands the inputs that the user names to the files they stand for.
//!
//! Owns globbing and nothing of reading. The order is the user's, and by name within a pattern, so
//! the same command over the same files reads the same rows in the same order.

use std::fs::Metadata;
use std::path::{Component, Path, PathBuf};

use atomic_arrow::TableFormat;

use super::InputError;
use super::format::InputFormat;

/// One place to read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// Standard input, named `-`.
    Stdin,
    /// A file, with the directory below which the user named it, and its length where it is a regular one.
    File {
        path: PathBuf,
        root: PathBuf,
        len: Option<u64>,
    },
}

/// Whether CSV and JSON are among files that can all be read twice.
pub(super) fn mix_texts(places: &[Place]) -> bool {
    let format = |place: &Place| InputFormat::of_path(place.path());
    let any = |wanted: &[InputFormat]| {
        let mut formats = places.iter().filter_map(format);
        formats.any(|format| wanted.contains(&format))
    };
    places.iter().all(|place| place.len().is_some())
        && any(&[InputFormat::Csv, InputFormat::Tsv])
        && any(&[InputFormat::Ndjson])
}

/// Whether any input is text, of which types are guessed.
pub(super) fn have_text(places: &[Place], format: Option<InputFormat>) -> bool {
    places.iter().any(|place| {
        let format = format.or_else(|| InputFormat::of_path(place.path()));
        matches!(
            format,
            Some(InputFormat::Csv | InputFormat::Tsv | InputFormat::Ndjson)
        )
    })
}

impl Place {
    /// The name under which messages speak of it.
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Stdin => Path::new("standard input"),
            Self::File { path, .. } => path,
        }
    }

    /// Its length, where that is known before reading.
    pub(super) fn len(&self) -> Option<u64> {
        match self {
            Self::Stdin => None,
            Self::File { len, .. } => *len,
        }
    }
}

/// The places that `inputs` stand for, patterns expanded.
///
/// # Errors
/// No input, a path, pattern or directory without a file, standard input named twice.
pub(super) fn expand(inputs: &[String]) -> Result<Vec<Place>, InputError> {
    let mut places = Vec::new();
    for input in inputs {
        if input == "-" {
            if places.contains(&Place::Stdin) {
                return Err(InputError::StdinTwice);
            }
            places.push(Place::Stdin);
            continue;
        }
        // A file that exists is meant literally, even where its name could be a pattern.
        match std::fs::metadata(input) {
            Ok(metadata) if metadata.is_dir() => expand_directory(input, &mut places)?,
            Ok(metadata) => {
                // All that is above a file is named with it.
                places.push(place(PathBuf::from(input), Path::new(""), &metadata));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                expand_pattern(input, &mut places)?;
            }
            Err(source) => {
                return Err(InputError::Io {
                    path: PathBuf::from(input),
                    source,
                });
            }
        }
    }
    if places.is_empty() {
        return Err(InputError::NoInput);
    }
    Ok(places)
}

/// Adds the files that a pattern matches; directories that it matches too are passed over.
fn expand_pattern(pattern: &str, places: &mut Vec<Place>) -> Result<(), InputError> {
    let matches = glob::glob(pattern).map_err(|source| InputError::Pattern {
        pattern: pattern.to_owned(),
        source,
    })?;
    let (named, before) = (root_of(pattern), places.len());
    for path in matches {
        let path = path.map_err(|source| InputError::List {
            pattern: pattern.to_owned(),
            source,
        })?;
        let metadata = std::fs::metadata(&path).map_err(|source| InputError::Io {
            path: path.clone(),
            source,
        })?;
        if !metadata.is_dir() && !is_below_hidden(pattern, &path) {
            // Matches are written without the `./` of the pattern, unless it begins with it.
            let mut above = path.ancestors().skip(1);
            let root = above.find(|directory| is_same(directory, &named));
            let root = root.unwrap_or(Path::new("")).to_owned();
            places.push(place(path, &root, &metadata));
        }
    }
    if places.len() == before {
        return Err(InputError::NoMatch {
            pattern: pattern.to_owned(),
        });
    }
    Ok(())
}

/// Adds the files below a directory in the order of their names, hidden ones passed over.
///
/// What is neither a file nor a directory is refused: a link may lead anywhere, a pipe may wait for
/// ever, and to pass over either would drop rows in silence.
fn expand_directory(root: &str, places: &mut Vec<Place>) -> Result<(), InputError> {
    let before = places.len();
    let root = PathBuf::from(root);
    let mut directories = vec![root.clone()];
    while let Some(directory) = directories.pop() {
        let unread = |source| InputError::Io {
            path: directory.clone(),
            source,
        };
        // The directory of a partition belongs to the table above it.
        if directory == root || !is_partition(&directory) {
            let format = TableFormat::at(&directory).map_err(|source| InputError::Inspect {
                path: directory.clone(),
                source: Box::new(source),
            })?;
            if let Some(format) = format {
                let path = directory.clone();
                return Err(InputError::Table { path, format });
            }
        }
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(&directory).map_err(unread)? {
            let path = entry.map_err(unread)?.path();
            if !is_hidden(&path) {
                entries.push(path);
            }
        }
        entries.sort();
        let mut below = Vec::new();
        for path in entries {
            let metadata = std::fs::symlink_metadata(&path).map_err(|source| InputError::Io {
                path: path.clone(),
                source,
            })?;
            if metadata.is_dir() {
                below.push(path);
            } else if metadata.is_file() {
                places.push(place(path, &root, &metadata));
            } else {
                return Err(InputError::NoFile { path });
            }
        }
        // The last one pushed comes next.
        directories.extend(below.into_iter().rev());
    }
    if places.len() == before {
        return Err(InputError::EmptyDirectory { path: root });
    }
    Ok(())
}

/// Whether a wildcard, rather than the pattern's own words, led into something hidden.
fn is_below_hidden(pattern: &str, path: &Path) -> bool {
    path.components().any(|component| {
        let name = Path::new(component.as_os_str());
        let told = |name: &str| pattern.split('/').any(|part| part == name);
        let by_name = name.to_str().is_some_and(told);
        !by_name && is_hidden(name) && name.as_os_str() != ".." && name.as_os_str() != "."
    })
}

/// Whether readers of data sets pass over a name: a partition's directory is seen whatever it begins with.
fn is_hidden(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    name.starts_with(b".") || (name.starts_with(b"_") && !name.contains(&b'='))
}

/// Whether a directory is named `key=value`.
fn is_partition(directory: &Path) -> bool {
    let name = directory.file_name().unwrap_or_default();
    name.as_encoded_bytes().contains(&b'=')
}

/// The directory that a pattern names before its first wildcard.
fn root_of(pattern: &str) -> PathBuf {
    let told = pattern.find(['*', '?', '[']).unwrap_or(pattern.len());
    let end = pattern[..told].rfind('/').map_or(0, |at| at + 1);
    PathBuf::from(&pattern[..end])
}

/// Whether two paths are written alike but for `.`.
fn is_same(one: &Path, other: &Path) -> bool {
    let parts = |path| Path::components(path).filter(|part| *part != Component::CurDir);
    parts(one).eq(parts(other))
}

fn place(path: PathBuf, root: &Path, metadata: &Metadata) -> Place {
    let len = metadata.is_file().then_some(metadata.len());
    let root = root.to_owned();
    Place::File { path, root, len }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand_in(dir: &Path, inputs: &[&str]) -> Result<Vec<String>, InputError> {
        let inputs: Vec<String> = inputs
            .iter()
            .map(|input| dir.join(input).display().to_string())
            .collect();
        let places = expand(&inputs)?;
        Ok(places
            .iter()
            .map(|place| {
                place
                    .path()
                    .strip_prefix(dir)
                    .unwrap()
                    .display()
                    .to_string()
            })
            .collect())
    }

    fn directory_with(names: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for name in names {
            std::fs::write(dir.path().join(name), "abc").unwrap();
        }
        dir
    }

    #[test]
    fn a_pattern_gives_its_files_sorted_and_no_directories() {
        let dir = directory_with(&["b.csv", "e.csv", "a.csv", "c.txt"]);
        std::fs::create_dir(dir.path().join("d.csv")).unwrap();
        assert_eq!(
            expand_in(dir.path(), &["c.txt", "*.csv"]).unwrap(),
            ["c.txt", "a.csv", "b.csv", "e.csv"]
        );
    }

    #[test]
    fn a_directory_gives_the_files_below_it_but_hidden_ones() {
        let dir = directory_with(&["z.csv", "_SUCCESS", ".z.csv.crc"]);
        for below in ["k=1", "k=2/_day=3", ".atomic", "_temporary"] {
            std::fs::create_dir_all(dir.path().join(below)).unwrap();
            std::fs::write(dir.path().join(below).join("a.csv"), "abc").unwrap();
        }
        let expected = ["z.csv", "k=1/a.csv", "k=2/_day=3/a.csv"];
        assert_eq!(expand_in(dir.path(), &[""]).unwrap(), expected);
        let expected = ["k=1/a.csv", "k=2/_day=3/a.csv", "z.csv"];
        assert_eq!(expand_in(dir.path(), &["**/*.csv"]).unwrap(), expected);
        let expected = [".atomic/a.csv"];
        assert_eq!(expand_in(dir.path(), &[".atomic/*.csv"]).unwrap(), expected);
    }

    #[test]
    fn a_table_is_refused_and_its_files_are_read_where_a_pattern_names_them() {
        for log in [
            "_delta_log/0.json",
            ".hoodie/x",
            "_spark_metadata/0",
            "metadata/v1.metadata.json",
        ] {
            let dir = directory_with(&["a.csv"]);
            std::fs::create_dir_all(dir.path().join("k=1")).unwrap();
            std::fs::write(dir.path().join("k=1/a.csv"), "abc").unwrap();
            let log = dir.path().join(log);
            std::fs::create_dir(log.parent().unwrap()).unwrap();
            std::fs::write(&log, "{}").unwrap();
            for directory in ["", "k=1"] {
                let error = expand_in(dir.path(), &[directory]).unwrap_err();
                assert!(
                    matches!(error, InputError::Table { .. }),
                    "{log:?}: {error}"
                );
            }
            assert_eq!(expand_in(dir.path(), &["*.csv"]).unwrap(), ["a.csv"]);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_below_a_directory_is_refused_and_one_that_is_named_is_followed() {
        let dir = directory_with(&["a.csv"]);
        std::os::unix::fs::symlink(dir.path().join("a.csv"), dir.path().join("b.csv")).unwrap();
        let error = expand_in(dir.path(), &[""]).unwrap_err();
        assert!(matches!(error, InputError::NoFile { .. }), "{error}");
        assert_eq!(expand_in(dir.path(), &["b.csv"]).unwrap(), ["b.csv"]);
        assert_eq!(
            expand_in(dir.path(), &["*.csv"]).unwrap(),
            ["a.csv", "b.csv"]
        );
    }

    #[test]
    fn a_file_that_exists_is_taken_literally() {
        let dir = directory_with(&["a[1].csv", "a1.csv"]);
        assert_eq!(expand_in(dir.path(), &["a[1].csv"]).unwrap(), ["a[1].csv"]);
    }

    #[test]
    fn what_names_no_file_is_an_error() {
        let dir = directory_with(&[]);
        std::fs::create_dir(dir.path().join("d.csv")).unwrap();
        for input in ["none.csv", "*.parquet", "*.csv"] {
            let error = expand_in(dir.path(), &[input]).unwrap_err();
            assert!(
                matches!(error, InputError::NoMatch { .. }),
                "{input}: {error}"
            );
        }
        let error = expand_in(dir.path(), &["d.csv"]).unwrap_err();
        assert!(
            matches!(error, InputError::EmptyDirectory { .. }),
            "{error}"
        );
        let error = expand_in(dir.path(), &["a[.csv"]).unwrap_err();
        assert!(matches!(error, InputError::Pattern { .. }), "{error}");
        assert!(matches!(expand(&[]), Err(InputError::NoInput)));
    }

    #[test]
    fn standard_input_is_named_once() {
        assert_eq!(expand(&["-".to_owned()]).unwrap(), [Place::Stdin]);
        let error = expand(&["-".to_owned(), "-".to_owned()]).unwrap_err();
        assert!(matches!(error, InputError::StdinTwice), "{error}");
    }

    #[test]
    fn the_length_of_a_file_is_known() {
        let dir = directory_with(&["a.csv"]);
        let path = dir.path().join("a.csv").display().to_string();
        assert_eq!(expand(&[path]).unwrap()[0].len(), Some(3));
        assert_eq!(Place::Stdin.len(), None);
    }
}
