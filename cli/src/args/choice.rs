//! Options that are one of a few names.

use std::ffi::OsStr;

use clap::ValueEnum;
use clap::builder::{EnumValueParser, PossibleValue, TypedValueParser};

/// Reads a name in any case, with hyphens or underscores between its words.
pub(super) fn choice<T: ValueEnum + Clone + Send + Sync + 'static>()
-> impl TypedValueParser<Value = T> {
    Choice(EnumValueParser::<T>::new())
}

/// Reads as [`EnumValueParser`] does, in any case and with underscores too.
#[derive(Clone)]
struct Choice<T: ValueEnum + Clone + Send + Sync + 'static>(EnumValueParser<T>);

impl<T: ValueEnum + Clone + Send + Sync + 'static> TypedValueParser for Choice<T> {
    type Value = T;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<T, clap::Error> {
        let normal = value.to_ascii_lowercase();
        match normal.to_str() {
            Some(name) => {
                let name = name.trim().replace('_', "-");
                self.0.parse_ref(command, arg, OsStr::new(&name))
            }
            None => self.0.parse_ref(command, arg, value),
        }
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        self.0.possible_values()
    }
}
