//! Options that say where the keys of encrypted Parquet are. Keys themselves never stand on the command line, where other
//! users of the machine see them.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::OnceLock;

use atomic_arrow::{Error, ParquetKeys};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;

/// No key takes more bytes, however it is written.
const LONGEST: u64 = 4096;

/// Where a key is said to be. What stands there may be the key itself by mistake, so it is never shown.
#[derive(Clone)]
pub(crate) struct KeyPlace(String);

impl fmt::Debug for KeyPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyPlace")
    }
}

impl From<&str> for KeyPlace {
    fn from(text: &str) -> Self {
        KeyPlace(text.to_owned())
    }
}

/// The keys of encrypted Parquet.
#[derive(Debug, Args)]
pub(crate) struct KeyArgs {
    /// The key of encrypted Parquet: env:NAME for a variable, file:PATH for a file [default: not encrypted]
    ///
    /// It has 16 or 32 bytes (AES-GCM), in hexadecimal or base64, as of `openssl rand -hex 32`. Without --column-keys it is
    /// that of all columns.
    #[arg(long, value_name = "PLACE")]
    footer_key: Option<KeyPlace>,

    /// The keys of columns, as in 'note=env:NOTE_KEY,station.name=file:name.key'; other columns are in the clear then
    #[arg(long, value_name = "PLACES", value_delimiter = ',')]
    column_keys: Vec<KeyPlace>,

    /// A text that what is encrypted is bound to, by which a file is found that stands in another's place
    #[arg(long, value_name = "TEXT")]
    aad_prefix: Option<String>,

    /// What was read: a pipe gives its key once.
    #[arg(skip)]
    read: OnceLock<Option<ParquetKeys>>,
}

impl KeyArgs {
    /// The keys, if any are given, read once from where they are.
    pub(crate) fn keys(&self) -> Result<Option<ParquetKeys>, Error> {
        if let Some(keys) = self.read.get() {
            return Ok(keys.clone());
        }
        let keys = self.read()?;
        Ok(self.read.get_or_init(|| keys).clone())
    }

    fn read(&self) -> Result<Option<ParquetKeys>, Error> {
        let footer_key = self.footer_key.as_ref();
        let footer_key = footer_key.map(|place| read("footer_key", &place.0));
        let mut column_keys = Vec::new();
        for KeyPlace(text) in &self.column_keys {
            let at = ["=env:", "=file:"]
                .iter()
                .filter_map(|it| text.find(it))
                .min();
            let Some(at) = at else {
                let reason = "a column with the place of its key is needed, as in note=env:NAME or \
                              note=file:PATH; keys are not given on the command line";
                return refused("column_keys", reason.to_owned());
            };
            let column = text[..at].trim().to_owned();
            column_keys.push((column, read("column_keys", &text[at + 1..])?));
        }
        let aad_prefix = self.aad_prefix.clone().map(String::into_bytes);
        ParquetKeys::from_parts(footer_key.transpose()?, column_keys, aad_prefix)
    }
}

fn refused<T>(option: &'static str, reason: String) -> Result<T, Error> {
    Err(Error::InvalidOption { option, reason })
}

/// The key at a place; errors name the place, and nothing of what is there.
fn read(option: &'static str, place: &str) -> Result<Vec<u8>, Error> {
    let named = ["env:", "file:"]
        .iter()
        .find_map(|it| place.strip_prefix(it));
    if named.is_some_and(|named| decoded(named).is_some()) {
        let reason = "a key stands where a variable or a file is to be named, as in env:NAME and file:PATH; keys are not \
                      given on the command line. A file of such a name is file:./NAME";
        return refused(option, reason.to_owned());
    }
    let text = if let Some(name) = place.strip_prefix("env:") {
        match std::env::var(name) {
            Ok(text) => text,
            Err(std::env::VarError::NotPresent) => {
                return refused(option, format!("there is no variable {name}"));
            }
            Err(std::env::VarError::NotUnicode(_)) => {
                return refused(option, format!("the variable {name} is no text"));
            }
        }
    } else if let Some(path) = place.strip_prefix("file:") {
        match text_in(Path::new(path)) {
            Ok(text) => text,
            Err(error) => return refused(option, format!("the key in {path}: {error}")),
        }
    } else {
        let reason =
            "is the place of a key, env:NAME or file:PATH; keys are not given on the command line";
        return refused(option, reason.to_owned());
    };
    match decoded(text.trim()) {
        Some(key) => Ok(key),
        None => refused(
            option,
            format!("{place} has no key of 16 or 32 bytes in hexadecimal or base64"),
        ),
    }
}

/// The text in a file, of which no more is read than a key can be long.
fn text_in(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(LONGEST).read_to_string(&mut text)?;
    Ok(text)
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    match text.len() {
        32 | 64 => {
            let digits: Option<Vec<u8>> = text
                .chars()
                .map(|digit| digit.to_digit(16).map(|value| value as u8))
                .collect();
            Some(
                digits?
                    .chunks(2)
                    .map(|pair| pair[0] << 4 | pair[1])
                    .collect(),
            )
        }
        24 | 44 => STANDARD
            .decode(text)
            .ok()
            .filter(|key| matches!(key.len(), 16 | 32)),
        _ => None,
    }
}
