//! What each server keeps of what the real stores promise: asked of the server, and compared with a table.

mod probe;

use std::fmt;
use std::io;

use crate::http::wait_for;
use crate::kind::Kind;
use crate::server::Server;

/// Something that the protocol on object stores rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Guarantee {
    /// Of an object that is stored only if there is none, a second one is refused.
    CreateIfAbsent,
    /// Of eight clients that create one name at once, one wins: in each of 20 rounds.
    CreateRace,
    /// An object is replaced by a client that names its version.
    ReplaceIfMatch,
    /// An object is not replaced by a client that names a version of before.
    ReplaceStale,
    /// An object that is gone is not replaced.
    ReplaceMissing,
    /// An object is removed only by a client that names its version.
    ConditionalDelete,
    /// A copy that must not replace an object is refused where there is one.
    ConditionalCopy,
    /// Metadata that a client adds to an object is told to those who ask for the object's head.
    Metadata,
    /// A copy has the metadata of its source.
    MetadataCopied,
    /// The `ETag` in a list of objects is the one that storing the object returned.
    ListedVersion,
    /// An object that is replaced, and replaced again by its first bytes, has another `ETag` than at first.
    NewVersion,
    /// An upload in parts is completed by another client than began it.
    CompleteElsewhere,
    /// Completing an upload that must not replace an object is refused where there is one.
    ConditionalComplete,
    /// What is not completed is in a list.
    ListUploads,
    /// An upload that was aborted cannot be completed.
    CompleteAborted,
    /// Bytes that do not have the SHA-256 that the request names are refused.
    Sha256,
    /// Bytes that do not have the MD5 that the request names are refused.
    Md5,
}

impl Guarantee {
    /// Every guarantee.
    pub const ALL: [Guarantee; 17] = [
        Guarantee::CreateIfAbsent,
        Guarantee::CreateRace,
        Guarantee::ReplaceIfMatch,
        Guarantee::ReplaceStale,
        Guarantee::ReplaceMissing,
        Guarantee::ConditionalDelete,
        Guarantee::ConditionalCopy,
        Guarantee::Metadata,
        Guarantee::MetadataCopied,
        Guarantee::ListedVersion,
        Guarantee::NewVersion,
        Guarantee::CompleteElsewhere,
        Guarantee::ConditionalComplete,
        Guarantee::ListUploads,
        Guarantee::CompleteAborted,
        Guarantee::Sha256,
        Guarantee::Md5,
    ];

    /// What it is called in the table.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Guarantee::CreateIfAbsent => "create if absent",
            Guarantee::CreateRace => "one winner of a race to create",
            Guarantee::ReplaceIfMatch => "replace if it matches",
            Guarantee::ReplaceStale => "replace a stale version",
            Guarantee::ReplaceMissing => "replace what is gone",
            Guarantee::ConditionalDelete => "delete a stale version",
            Guarantee::ConditionalCopy => "copy if absent",
            Guarantee::Metadata => "metadata",
            Guarantee::MetadataCopied => "metadata of a copy",
            Guarantee::ListedVersion => "`ETag` in a list",
            Guarantee::NewVersion => "new `ETag` of bytes that were there before",
            Guarantee::CompleteElsewhere => "complete from another client",
            Guarantee::ConditionalComplete => "complete if absent",
            Guarantee::ListUploads => "list unfinished uploads",
            Guarantee::CompleteAborted => "complete after abort",
            Guarantee::Sha256 => "wrong SHA-256",
            Guarantee::Md5 => "wrong MD5",
        }
    }

    /// What a server answers: the table that the tests of the library may rest on.
    ///
    /// *Yes* and *refused* are what the real stores do; a number is the status of the answer.
    #[must_use]
    pub fn expected(self, kind: Kind) -> &'static str {
        let [seaweedfs, moto, azurite, fake_gcs] = match self {
            Guarantee::CreateIfAbsent => [
                "refused: AlreadyExists",
                "refused: AlreadyExists",
                "refused: AlreadyExists",
                "refused: AlreadyExists",
            ],
            Guarantee::CreateRace | Guarantee::ReplaceIfMatch => ["yes", "yes", "yes", "yes"],
            Guarantee::ReplaceStale | Guarantee::ReplaceMissing => [
                "refused: Precondition",
                "refused: Precondition",
                "refused: Precondition",
                "refused: Precondition",
            ],
            Guarantee::ConditionalDelete => [
                "refused: 412",
                "refused: 412",
                "refused: 412",
                "refused: 412",
            ],
            Guarantee::ConditionalCopy => [
                "refused: 412",
                "no: done",
                "refused: AlreadyExists",
                "refused: 412",
            ],
            Guarantee::Metadata
            | Guarantee::MetadataCopied
            | Guarantee::CompleteElsewhere
            | Guarantee::ListUploads => ["yes", "yes", "yes", "yes"],
            Guarantee::ListedVersion => ["yes", "yes", "without its quotes", "without its quotes"],
            Guarantee::NewVersion => ["no", "no", "yes", "no"],
            Guarantee::ConditionalComplete => {
                ["refused: 412", "refused: 412", "refused: 409", "no: done"]
            }
            Guarantee::CompleteAborted => [
                "refused: NotFound",
                "refused: Generic",
                "-",
                "refused: Generic",
            ],
            Guarantee::Sha256 => ["refused: 400", "no: stored", "-", "-"],
            Guarantee::Md5 => ["refused: 400", "no: stored", "refused: 400", "-"],
        };
        match kind {
            Kind::SeaweedFs => seaweedfs,
            Kind::Moto => moto,
            Kind::Azurite => azurite,
            Kind::FakeGcs => fake_gcs,
        }
    }
}

/// What a server answered to the question for a guarantee.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was asked for.
    pub guarantee: Guarantee,
    /// The server that was asked.
    pub kind: Kind,
    /// What it answered.
    pub found: String,
}

impl Finding {
    /// Whether the answer is the one of the table.
    #[must_use]
    pub fn is_as_expected(&self) -> bool {
        self.found == self.guarantee.expected(self.kind)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {}: {}",
            self.kind,
            self.guarantee.name(),
            self.found
        )?;
        if self.is_as_expected() {
            return Ok(());
        }
        write!(f, " (expected: {})", self.guarantee.expected(self.kind))
    }
}

/// Asks a server for every guarantee, in a bucket that is made for it.
///
/// # Errors
/// If the server does not answer, or not in its protocol.
pub fn self_check(server: &Server) -> io::Result<Vec<Finding>> {
    const BUCKET: &str = "self-check";
    let kind = server.kind();
    server.make_bucket(BUCKET)?;
    let probe = probe::Probe::new(server, BUCKET)?;
    let mut findings = Vec::new();
    for guarantee in Guarantee::ALL {
        let probe = probe.clone();
        let found = wait_for(async move { probe.ask(guarantee).await })?;
        let found =
            found.map_err(|e| io::Error::other(format!("{kind}: {}: {e}", guarantee.name())))?;
        findings.push(Finding {
            guarantee,
            kind,
            found,
        });
    }
    Ok(findings)
}

/// The table of what the servers answer, in Markdown.
#[must_use]
pub fn table() -> String {
    let row = |cells: [&str; 5]| format!("| {} |\n", cells.join(" | "));
    let [a, b, c, d] = Kind::ALL;
    let mut text = row(["ability", a.name(), b.name(), c.name(), d.name()]);
    text.push_str("|---|---|---|---|---|\n");
    for guarantee in Guarantee::ALL {
        let [a, b, c, d] = Kind::ALL.map(|kind| guarantee.expected(kind));
        text.push_str(&row([guarantee.name(), a, b, c, d]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_has_the_table() {
        let documentation = include_str!("../lib.rs");
        for line in table().lines() {
            let line = format!("//! {line}");
            assert!(
                documentation.lines().any(|other| other == line),
                "no line in src/lib.rs is\n{line}"
            );
        }
    }
}
