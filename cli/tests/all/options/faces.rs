//! What the three faces have, read from the sources of two and the definition of the third.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::rows::{Cell, Section};

/// An option of the command.
pub(super) struct Option_ {
    /// What it can be set to, where that is a list.
    pub(super) values: Vec<String>,
    pub(super) default: Option<String>,
}

pub(super) struct Faces {
    rust: String,
    python: String,
    command: clap::Command,
}

impl Faces {
    pub(super) fn read() -> Self {
        let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut command = atomic_arrow_cli::command();
        command.build();
        Faces {
            rust: sources(&top.join("src"), &|name| name.ends_with(".rs")),
            // Modules with public names are those of engines and tables, whose functions take these options too.
            python: sources(&top.join("python/package/atomic_arrow"), &|name| {
                name.starts_with('_') && name.ends_with(".py")
            }),
            command,
        }
    }

    /// The methods by which a section's builders are set up.
    pub(super) fn rust(&self, section: &Section) -> BTreeSet<String> {
        let builders = section.builders.iter();
        let methods = builders.flat_map(|builder| {
            let start = format!("\nimpl {builder} {{\n");
            let blocks: Vec<&str> = self.rust.split(&start).skip(1).collect();
            assert!(!blocks.is_empty(), "there is no {builder}");
            blocks
                .into_iter()
                .flat_map(|block| setters(block.split("\n}\n").next().unwrap_or_default()))
        });
        methods.collect()
    }

    /// The options of a section's subcommands.
    pub(super) fn command(&self, section: &Section) -> BTreeMap<String, Option_> {
        let commands = section.commands.iter();
        commands
            .flat_map(|name| self.options(name, section.headings))
            .collect()
    }

    /// The options of a subcommand below these headings of its help. Those that it only knows in order to refuse them are
    /// hidden.
    fn options(&self, name: &str, headings: &[&str]) -> Vec<(String, Option_)> {
        let command = self.command.find_subcommand(name);
        let command = command.unwrap_or_else(|| panic!("there is no command {name}"));
        let args = command.get_arguments().filter(|arg| {
            let heading = arg.get_help_heading().unwrap_or("");
            arg.get_id() != "help" && !arg.is_hide_set() && headings.contains(&heading)
        });
        let options = args.filter_map(|arg| {
            let default = arg.get_default_values().first();
            let takes_value = arg.get_action().takes_values();
            let option = Option_ {
                values: arg
                    .get_possible_values()
                    .iter()
                    .filter(|value| !value.is_hide_set() && takes_value)
                    .map(|value| value.get_name().to_owned())
                    .collect(),
                default: match (takes_value, default) {
                    (true, Some(default)) => Some(default.to_string_lossy().into_owned()),
                    (true, None) => None,
                    (false, _) => Some("off".to_owned()),
                },
            };
            Some((format!("--{}", arg.get_long()?), option))
        });
        options.collect()
    }

    /// The option of the command that a cell names.
    pub(super) fn command_option(&self, section: &Section, cell: &Cell) -> Option<Option_> {
        let name = cell.names().into_iter().next()?;
        self.command(section).remove(&name)
    }

    /// The keywords of a section's functions.
    pub(super) fn python(&self, section: &Section) -> BTreeSet<String> {
        let functions = section.functions.iter();
        functions
            .flat_map(|function| self.keywords(function))
            .collect()
    }

    fn keywords(&self, function: &str) -> BTreeSet<String> {
        if let Some(class) = function.strip_prefix("class ") {
            return self.keys(class);
        }
        // Of overloads the last one has them all.
        let start = format!("def {function}(\n");
        let mut place = self.python.as_str();
        if let Some(class) = function.strip_suffix(".__init__") {
            let class = format!("\nclass {class}(");
            place = place.split(&class).nth(1).unwrap_or_default();
            return self.parameters(place.split("def __init__(\n").nth(1).unwrap_or_default());
        }
        let signature = place.rsplit(&start).next().unwrap_or_default();
        assert!(signature.len() < place.len(), "there is no {function}");
        self.parameters(signature)
    }

    fn parameters(&self, signature: &str) -> BTreeSet<String> {
        let lines = signature
            .lines()
            .map(str::trim)
            .take_while(|line| !line.starts_with(')'));
        let mut names = BTreeSet::new();
        let mut keywords = false;
        for line in lines {
            let name = line.split(':').next().unwrap_or_default();
            if line == "*," {
                keywords = true;
            } else if let Some(options) = line.strip_prefix("**options: Unpack[") {
                names.extend(self.keys(options.split(']').next().unwrap_or_default()));
            } else if keywords && !name.starts_with(['_', '*']) {
                names.insert(name.to_owned());
            }
        }
        names
    }

    /// The keys of a `TypedDict`, with those that it inherits.
    fn keys(&self, class: &str) -> BTreeSet<String> {
        if class == "TypedDict" {
            return BTreeSet::new();
        }
        let start = format!("\nclass {class}(");
        let body = self.python.split(&start).nth(1);
        let body = body.unwrap_or_else(|| panic!("there is no {class}"));
        let (bases, body) = body.split_once("):\n").unwrap();
        let bases = bases.split(", ").filter(|base| !base.starts_with("total="));
        let inherited: BTreeSet<String> = bases.flat_map(|base| self.keys(base)).collect();
        let lines = body
            .lines()
            .take_while(|line| line.is_empty() || line.starts_with("    "));
        let keys = lines.filter_map(|line| {
            let (name, _) = line.strip_prefix("    ")?.split_once(": ")?;
            let is_name = name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            is_name.then(|| name.to_owned())
        });
        inherited.into_iter().chain(keys).collect()
    }
}

/// The methods that take a builder and give it back, or its like.
fn setters(block: &str) -> Vec<String> {
    let methods = block.split("\n    pub fn ").skip(1);
    let setters = methods.filter_map(|method| {
        let (name, rest) = method.split_once('(')?;
        let signature = rest.split('{').next()?;
        let takes = signature.starts_with("mut self,") || signature.starts_with("self,");
        let takes = takes || signature.trim_start().starts_with("mut self,\n");
        (takes && signature.contains("-> Self"))
            .then(|| name.split('<').next().map(str::to_owned))?
    });
    setters.collect()
}

/// All sources below a directory, in one text.
fn sources(directory: &Path, is_meant: &dyn Fn(&str) -> bool) -> String {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let mut all = String::new();
    for path in paths {
        if path.is_dir() {
            all += &sources(&path, is_meant);
        } else if path
            .file_name()
            .and_then(|name| name.to_str())
            .is_some_and(is_meant)
        {
            all += &std::fs::read_to_string(path).unwrap();
            all += "\n";
        }
    }
    all
}
