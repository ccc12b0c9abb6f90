//! [`Remedy`]: what errors tell a user to do, in the words of the face that he uses.

use std::fmt;

/// The face through which the library is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Face {
    /// This crate.
    Library,
    /// The command `atomic-arrow`.
    Command,
    /// The Python package.
    Python,
}

/// An option that an error names as what can be done.
///
/// Texts of errors have the library's own spelling, by which [`in_words_of`](Remedy::in_words_of) knows it.
///
/// ```
/// use atomic_arrow::{Face, Remedy};
///
/// let text = format!("allow it with {}", Remedy::OverwriteTable);
/// assert_eq!(text, "allow it with `overwrite_table(true)`");
/// assert_eq!(Remedy::in_words_of(Face::Command, &text), "allow it with `--overwrite-table`");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Remedy {
    /// Another text for null in CSV.
    CsvNull,
    /// A text or null for numbers that JSON does not have.
    JsonNonFinite,
    /// Allow names that differ by case alone.
    CaseSensitiveNames,
    /// Allow what readers cannot take with what is there.
    NoSchemaCheck,
    /// Overwrite a table of another format.
    OverwriteTable,
    /// Give an unfinished commit up.
    AbortUnfinished,
}

impl Remedy {
    /// Every remedy.
    pub const ALL: &'static [Remedy] = &[
        Remedy::CsvNull,
        Remedy::JsonNonFinite,
        Remedy::CaseSensitiveNames,
        Remedy::NoSchemaCheck,
        Remedy::OverwriteTable,
        Remedy::AbortUnfinished,
    ];

    /// The remedy as users of a face write it.
    #[must_use]
    pub fn spelled(self, face: Face) -> &'static str {
        let [library, command, python] = match self {
            Remedy::CsvNull => ["TextOptions::csv_null", "--csv-null", "csv_null="],
            Remedy::JsonNonFinite => [
                "TextOptions::json_non_finite",
                "--json-non-finite",
                "json_non_finite=",
            ],
            Remedy::CaseSensitiveNames => [
                "case_sensitive_names(true)",
                "--case-sensitive-names",
                "case_sensitive_names=True",
            ],
            Remedy::NoSchemaCheck => [
                "schema_check(false)",
                "--schema-check off",
                "schema_check=False",
            ],
            Remedy::OverwriteTable => [
                "overwrite_table(true)",
                "--overwrite-table",
                "overwrite_table=True",
            ],
            Remedy::AbortUnfinished => [
                "RecoverOptions::abort_unfinished(true)",
                "recover --abort",
                "recover(abort_unfinished=True)",
            ],
        };
        match face {
            Face::Library => library,
            Face::Command => command,
            Face::Python => python,
        }
    }

    /// The text of an error, in which each remedy is spelled as users of the face write it.
    #[must_use]
    pub fn in_words_of(face: Face, text: &str) -> String {
        let remedies = Remedy::ALL.iter();
        remedies.fold(text.to_owned(), |text, remedy| {
            let spelled = format!("`{}`", remedy.spelled(face));
            text.replace(&remedy.to_string(), &spelled)
        })
    }
}

/// The remedy as users of this crate write it.
impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.spelled(Face::Library))
    }
}
