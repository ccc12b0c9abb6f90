//! The names of the files of a write, by a template.
//!
//! Owns the text of templates and which of them a write may have. Which files there are is the encoders'.

use std::fmt::Write as _;

use uuid::Uuid;

use super::options::EngineOptions;
use crate::error::{Error, Result};
use crate::partition::{Partition, hive};
use crate::receipt::CommitMode;

/// The template of names where none is asked for.
const DEFAULT: &str = "part-{uuid}-{number}";
/// The longest name of a file, in bytes: NAME_MAX of the common file systems.
const LONGEST_NAME: usize = 255;

/// One part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    /// The id of the transaction.
    Uuid,
    /// The number of the file in its partition.
    Number,
    /// The values of the partition's keys.
    Partition,
}

impl Part {
    /// The fields, by their names.
    const FIELDS: [(&str, Part); 3] = [
        ("uuid", Part::Uuid),
        ("number", Part::Number),
        ("partition", Part::Partition),
    ];
}

/// Gives each file of a write its name.
#[derive(Debug, Clone)]
pub(super) struct FileNames {
    parts: Vec<Part>,
    /// What follows, with its dot.
    suffix: String,
    uuid: Uuid,
}

impl FileNames {
    /// Reads the template of the options.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] says what is wrong with it.
    pub(super) fn new(options: &EngineOptions) -> Result<Self> {
        let format = options.format.suffixes()[0];
        let suffix = format!(".{format}{}", options.text.suffix());
        let template = options.file_name.as_deref().unwrap_or(DEFAULT);
        // A suffix that is given is not written twice.
        let stem = template.strip_suffix(&suffix).unwrap_or(template);
        let parts = parts(stem).map_err(|reason| invalid(format!("{template:?} {reason}")))?;
        let names = FileNames {
            parts,
            suffix,
            uuid: options.write.unwrap_or_else(Uuid::now_v7),
        };
        names.check_length(&Partition::none())?;
        Ok(names)
    }

    /// Refuses a template whose names could be those of other files, of this write or of others.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] names the field that is missing.
    pub(super) fn check(
        &self,
        options: &EngineOptions,
        mode: CommitMode,
        has_keys: bool,
    ) -> Result<()> {
        if self.has_partition() && !has_keys {
            return Err(invalid("{partition} has no value without partition keys"));
        }
        let rolls = options.target_file_size.is_some()
            || options.target_file_rows.is_some()
            || !options.sort_by.is_empty();
        if rolls && !self.has(&Part::Number) {
            return Err(invalid(
                "{number} is needed where a partition may become several files: with a target size, or sorted",
            ));
        }
        let reason = match mode {
            CommitMode::ErrorIfExists | CommitMode::ErrorIfAnyExists | CommitMode::Ignore => {
                return Ok(());
            }
            CommitMode::Append => "a file that is there may have the name",
            CommitMode::OverwritePartitions | CommitMode::Overwrite => {
                "a file that is replaced may have the name, and be taken for the new one"
            }
        };
        match self.has(&Part::Uuid) {
            true => Ok(()),
            false => Err(invalid(format!(
                "{{uuid}} is needed in the mode {mode}: {reason}"
            ))),
        }
    }

    /// Refuses a template by which several processes that stage would give the same names.
    ///
    /// # Errors
    /// [`Error::InvalidOption`].
    pub(super) fn check_staged(&self) -> Result<()> {
        match self.has(&Part::Uuid) {
            true => Ok(()),
            false => Err(invalid(
                "{uuid} is needed where several processes stage: else their files may have one name",
            )),
        }
    }

    /// Refuses a template that does not make every name another, as removals in an object store need it: one that arrives
    /// late must not meet a newer object.
    ///
    /// # Errors
    /// [`Error::InvalidOption`].
    pub(super) fn check_unique(&self) -> Result<()> {
        match self.has(&Part::Uuid) {
            true => Ok(()),
            false => Err(invalid(
                "{uuid} is needed in an object store: a removal that comes late must not meet a newer file of the name",
            )),
        }
    }

    /// Refuses a partition whose files may have too long a name.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] says how long.
    pub(super) fn check_length(&self, partition: &Partition) -> Result<()> {
        let name = self.name(u32::MAX, partition);
        match name.len() <= LONGEST_NAME {
            true => Ok(()),
            false => Err(invalid(format!(
                "{name:?} is {} bytes long, and names have at most {LONGEST_NAME}",
                name.len()
            ))),
        }
    }

    /// Whether names depend on the partition.
    pub(super) fn has_partition(&self) -> bool {
        self.has(&Part::Partition)
    }

    /// The name of a file, which is counted from 0 in its partition.
    pub(super) fn name(&self, number: u32, partition: &Partition) -> String {
        let mut name = String::new();
        for part in &self.parts {
            // Into a text nothing fails.
            let _ = match part {
                Part::Text(text) => name.write_str(text),
                Part::Uuid => write!(name, "{}", self.uuid),
                Part::Number => write!(name, "{number:05}"),
                Part::Partition => name.write_str(&values(partition)),
            };
        }
        name + &self.suffix
    }

    fn has(&self, part: &Part) -> bool {
        self.parts.contains(part)
    }
}

/// The values of a partition's keys as they are in paths, with hyphens between them.
fn values(partition: &Partition) -> String {
    let path = partition.to_string();
    let segments = path
        .split('/')
        .filter_map(|segment| segment.split_once('='));
    let values = segments.map(|(_, value)| match value {
        hive::NULL => "null",
        value => value,
    });
    values.collect::<Vec<_>>().join("-")
}

/// The parts of a template, or what is wrong with it.
fn parts(template: &str) -> std::result::Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        let (text, from) = rest.split_at(at);
        if from.starts_with('}') {
            return Err("has a } without a {".to_owned());
        }
        let Some((name, after)) = from[1..].split_once('}') else {
            return Err("has a { without a }".to_owned());
        };
        let Some((_, field)) = Part::FIELDS.into_iter().find(|(known, _)| *known == name) else {
            return Err(format!(
                "has {{{name}}}, which is none of {{uuid}}, {{number}} and {{partition}}"
            ));
        };
        if !text.is_empty() {
            parts.push(Part::Text(text.to_owned()));
        }
        parts.push(field);
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.to_owned()));
    }
    for part in &parts {
        if let Part::Text(text) = part {
            check_text(text)?;
        }
    }
    match parts.first() {
        None => Err("names no file".to_owned()),
        Some(Part::Text(text)) if text.starts_with(['.', '_']) => {
            Err("begins with a character that makes readers ignore the file".to_owned())
        }
        Some(Part::Partition) => Err(
            "begins with {partition}, and a value may begin with a character that makes readers ignore the file: put \
             something before it"
                .to_owned(),
        ),
        Some(Part::Text(_) | Part::Uuid | Part::Number) => Ok(parts),
    }
}

/// Refuses text that cannot be in the name of a file, or that readers stumble over: what is escaped in values, but for
/// spaces.
fn check_text(text: &str) -> std::result::Result<(), String> {
    let is_kept = |c: &char| {
        let text = c.to_string();
        *c == ' ' || (!c.is_control() && hive::escape(&text) == text)
    };
    match text.chars().find(|c| !is_kept(c)) {
        Some(character) => Err(format!("has the character {character:?}")),
        None => Ok(()),
    }
}

fn invalid(reason: impl Into<String>) -> Error {
    Error::InvalidOption {
        option: "file_name",
        reason: reason.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(template: &str) -> Result<FileNames> {
        FileNames::new(&EngineOptions {
            file_name: Some(template.to_owned()),
            write: Some(Uuid::nil()),
            ..EngineOptions::default()
        })
    }

    fn partition(path: &str) -> Partition {
        Partition::parse(path).unwrap()
    }

    #[test]
    fn fields_stand_for_the_transaction_the_number_and_the_values_of_the_partition() {
        let nil = Uuid::nil();
        let of = partition("station=K%2FSEA/year=__HIVE_DEFAULT_PARTITION__");
        for (template, name) in [
            ("part-{uuid}-{number}", format!("part-{nil}-00007.parquet")),
            ("{uuid}", format!("{nil}.parquet")),
            ("{number}.parquet", "00007.parquet".to_owned()),
            ("data", "data.parquet".to_owned()),
            ("of {partition}!", "of K%2FSEA-null!.parquet".to_owned()),
            ("é.snappy", "é.snappy.parquet".to_owned()),
            ("x{number}{number}", "x0000700007.parquet".to_owned()),
        ] {
            assert_eq!(names(template).unwrap().name(7, &of), name);
        }
    }

    #[test]
    fn what_is_no_template_is_refused_with_its_reason() {
        let long = "x".repeat(250);
        for (template, reason) in [
            ("", "names no file"),
            (".parquet", "names no file"),
            ("part-{nubmer}", "none of {uuid}, {number} and {partition}"),
            ("part-{UUID}", "none of"),
            ("part-{}", "none of"),
            ("part-{{uuid}}", "none of"),
            ("part-{uuid", "{ without a }"),
            ("part-uuid}", "} without a {"),
            ("a/{uuid}", "character '/'"),
            ("..\\{uuid}", "character '\\\\'"),
            ("k=v-{uuid}", "character '='"),
            ("a*{uuid}", "character '*'"),
            ("a\n{uuid}", "character '\\n'"),
            ("a\0{uuid}", "character '\\0'"),
            ("_{uuid}", "ignore the file"),
            (".{uuid}", "ignore the file"),
            ("..", "ignore the file"),
            ("{partition}-{uuid}", "put something before it"),
            (&long, "258 bytes long"),
        ] {
            let error = names(template).unwrap_err().to_string();
            assert!(error.contains(reason), "{template:?}: {error}");
        }
    }

    #[test]
    fn the_name_of_the_highest_number_and_of_every_partition_is_short_enough() {
        let most = "x".repeat(LONGEST_NAME - ".parquet".len());
        assert!(names(&most).is_ok());
        assert!(names(&format!("{}{{number}}", &most[10..])).is_ok());
        assert!(names(&format!("{}{{number}}", &most[9..])).is_err());
        let names = names(&format!("{}{{partition}}", &most[9..])).unwrap();
        assert!(
            names
                .check_length(&partition("station=KSEA/year=2013"))
                .is_ok()
        );
        assert!(
            names
                .check_length(&partition("station=KSEAT/year=2013"))
                .is_err()
        );
    }
}
