//! Object stores: the options by which they are reached.

use std::path::{Path, PathBuf};
use std::time::Duration;

use atomic_arrow::{ObjectStoreOptions, is_object_store_url};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::errors::{given, invalid_option};

/// The options of object stores, as Python names them.
pub(crate) const NAMES: [&str; 6] = [
    "storage_options",
    "spool",
    "part_size",
    "read_back",
    "parallel_requests",
    "dead_after",
];

/// The options of object stores among others.
#[derive(Default)]
pub(crate) struct StoreOptions {
    options: ObjectStoreOptions,
    /// The first one that was given.
    given: Option<String>,
}

impl StoreOptions {
    /// Those in a dictionary, which may have others too.
    pub(crate) fn among(options: &Bound<'_, PyDict>) -> PyResult<Self> {
        let mut taken = StoreOptions::default();
        for (option, value) in options {
            taken.take(&option.extract::<String>()?, &value)?;
        }
        Ok(taken)
    }

    /// Takes an option, if it is one of object stores.
    pub(crate) fn take(&mut self, option: &str, value: &Bound<'_, PyAny>) -> PyResult<bool> {
        if !NAMES.contains(&option) {
            return Ok(false);
        }
        // What asks for nothing is not given.
        if value.is_none() || option == "read_back" && !given::<bool>(option, value)? {
            return Ok(true);
        }
        let mut options = self.options.clone();
        self.options = match option {
            "storage_options" => {
                for (name, value) in value.cast::<PyDict>()? {
                    options = options.set(name.extract::<String>()?, value.extract::<String>()?);
                }
                options
            }
            "spool" => options.spool(given::<PathBuf>(option, value)?),
            "part_size" => options.part_size(given(option, value)?),
            "read_back" => options.read_back(given(option, value)?),
            "parallel_requests" => options.parallel_requests(given(option, value)?),
            _ => options.dead_after(given::<Duration>(option, value)?),
        };
        self.given.get_or_insert_with(|| option.to_owned());
        Ok(true)
    }

    /// How the store is reached in which the places are, or one of them is.
    ///
    /// # Errors
    /// Options that have no effect, since none of the places is in a store.
    pub(crate) fn of(
        self,
        py: Python<'_>,
        places: &[impl AsRef<Path>],
    ) -> PyResult<ObjectStoreOptions> {
        let is_in_store = places.iter().any(is_object_store_url);
        match (self.given, places) {
            (Some(option), [first, ..]) if !is_in_store => {
                let first = first.as_ref().display();
                let reason = format!(
                    "is for object stores, and {first} is no URL of one, as s3://bucket/weather is"
                );
                Err(invalid_option(py, &option, reason))
            }
            _ => Ok(self.options),
        }
    }
}
