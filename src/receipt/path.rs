//! Checks of the texts and paths in a receipt.
//!
//! A path is one text with `/` between its parts, whatever the system.

use std::path::{Component, Path};

use super::{LONGEST_TEXT, ReceiptError};

/// The longest name of a file in bytes: NAME_MAX of about every file system.
const LONGEST_NAME: usize = 255;

/// Checks a text: not empty, not too long, no control characters.
pub(super) fn check_text(what: &'static str, text: &str) -> Result<(), ReceiptError> {
    let reason = if text.is_empty() {
        "is empty"
    } else if text.len() > LONGEST_TEXT {
        "is longer than 4096 bytes"
    } else if text.contains(char::is_control) {
        "has control characters"
    } else {
        return Ok(());
    };
    Err(ReceiptError::invalid(what, text, reason))
}

/// Checks the name of a file of a data set: one that stays in its directory and that readers see.
pub(super) fn check_name(name: &str) -> Result<(), ReceiptError> {
    check_text("file name", name)?;
    let reason = if name.contains(['/', '\\']) {
        "is more than a name"
    } else if name.starts_with(['.', '_']) {
        "begins with a character that makes readers ignore the file"
    } else if name.len() > LONGEST_NAME {
        "is longer than 255 bytes"
    } else if !stays_below(name) {
        "names no file"
    } else {
        return Ok(());
    };
    Err(ReceiptError::invalid("file name", name, reason))
}

/// Checks the name of a staging file: `….staged`, perhaps within the directory of its transaction.
pub(super) fn check_staged(path: &str) -> Result<(), ReceiptError> {
    check_text("staging file", path)?;
    let is_plain = |part: &str| {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        !part.is_empty() && !part.starts_with('.') && part.bytes().all(known)
    };
    let parts: Vec<&str> = path.split('/').collect();
    let plain = parts.len() <= 2 && parts.iter().all(|part| is_plain(part));
    if plain && path.ends_with(".staged") {
        return Ok(());
    }
    Err(ReceiptError::invalid(
        "staging file",
        path,
        "is not the name of one",
    ))
}

/// Makes the text of a relative path that cannot lead out of what it is joined to. Others may have named it:
/// what is no UTF-8 becomes U+FFFD.
pub(super) fn plain(path: &Path) -> Result<String, ReceiptError> {
    let invalid = |reason| ReceiptError::invalid("path", &path.to_string_lossy(), reason);
    let mut text = String::new();
    for component in path.components() {
        let Component::Normal(part) = component else {
            return Err(invalid("may lead out of the data set"));
        };
        text.push_str(if text.is_empty() { "" } else { "/" });
        text.push_str(&part.to_string_lossy());
    }
    check_plain(&text)?;
    Ok(text)
}

/// Checks the text of a path of any file below the root, which others may have named.
pub(super) fn check_plain(path: &str) -> Result<(), ReceiptError> {
    let reason = if path.is_empty() {
        "is empty"
    } else if path.len() > LONGEST_TEXT {
        "is longer than 4096 bytes"
    } else if path.contains('\0') || !path.split('/').all(stays_below) {
        "may lead out of the data set"
    } else {
        return Ok(());
    };
    Err(ReceiptError::invalid("path", path, reason))
}

/// Whether a part of a path is one name on this system, which leads downwards.
fn stays_below(part: &str) -> bool {
    let mut components = Path::new(part).components();
    let first = components.next();
    // A trailing `.` is left out by the components, so that the whole part is compared.
    first == Some(Component::Normal(part.as_ref())) && components.next().is_none()
}
