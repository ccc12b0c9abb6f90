//! One file of any bytes, and the facts of a published file.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::PathBuf;

use atomic_arrow::{AtomicFile, Error, PublishedFile as Published, Step};
use pyo3::buffer::PyBuffer;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::errors::{self, raise};
use crate::options;
use crate::owned::Owned;
use crate::place::Place;
use crate::settle::{Signals, publishing, settle};
use crate::table::{bytes, plural};
use crate::work::{detached, run};

/// A file that becomes visible all at once or never; dropping it discards.
#[pyclass(frozen, module = "atomic_arrow._lib")]
pub(crate) struct File {
    path: PathBuf,
    file: Owned<AtomicFile>,
    signals: Signals,
}

#[pymethods]
impl File {
    #[new]
    fn new(py: Python<'_>, path: PathBuf, options: &Bound<'_, PyDict>) -> PyResult<Self> {
        let signals = Signals::default();
        let options = options::file(&path, options)?.interrupt_when(signals.asking());
        let at = path.clone();
        let open = move || AtomicFile::create_with_options(&at, options);
        let (file, raised) = run(py, &signals, open)?;
        let file = settle(py, &path, file, raised, |_, _| Ok(()))?;
        Ok(File {
            path: file.path().to_owned(),
            file: Owned::new("file", file),
            signals,
        })
    }

    /// Where the file will be published.
    #[getter]
    fn path(&self) -> Place {
        self.path.as_path().into()
    }

    /// How many bytes were written.
    fn tell(&self, py: Python<'_>) -> PyResult<u64> {
        self.file.with(py, |file| Ok(file.bytes_written()))
    }

    /// Appends bytes, all of them.
    fn write(&self, py: Python<'_>, data: PyBuffer<u8>) -> PyResult<usize> {
        let data = data.to_vec(py)?;
        let write = |file: &mut AtomicFile| file.write_all(&data);
        let written = self.file.with(py, |file| detached(py, || write(file)))?;
        match written.map_err(|error| error.downcast::<Error>()) {
            Ok(()) => Ok(data.len()),
            Err(Ok(error)) => Err(raise(py, &error)),
            Err(Err(error)) => Err(error.into()),
        }
    }

    /// Syncs, verifies and publishes the file.
    fn commit(&self, py: Python<'_>) -> PyResult<PublishedFile> {
        let Some(file) = self.file.take(py)? else {
            return Err(errors::refuse(py, "ClosedError", "this file is closed"));
        };
        let path = self.path.clone();
        let publish = move |signals: &Signals| {
            let staged = file.finish()?;
            // The last moment at which nothing is visible.
            signals.check(Step::Publish, &path)?;
            staged.publish()
        };
        publishing(py, &self.path, &self.signals, publish, |published| {
            PublishedFile::of(&published, None)
        })
    }

    /// Removes what was written.
    fn discard(&self, py: Python<'_>) -> PyResult<()> {
        let file = self.file.take(py)?;
        detached(py, || drop(file))
    }
}

/// A complete file at its final path.
#[pyclass(frozen, get_all, module = "atomic_arrow")]
pub(crate) struct PublishedFile {
    /// The final path: absolute, with symbolic links resolved.
    path: Place,
    /// Its length.
    bytes: u64,
    /// The rows of a Parquet file.
    rows: Option<u64>,
    /// The XXH3 hash (128 bits) of all bytes in hexadecimal digits, where they were hashed.
    content_hash: Option<String>,
}

impl PublishedFile {
    fn of<C>(published: &Published<C>, rows: Option<u64>) -> Self {
        PublishedFile {
            path: published.path().into(),
            bytes: published.bytes(),
            rows,
            content_hash: published.content_hash().map(|hash| format!("{hash:032x}")),
        }
    }

    pub(crate) fn parquet(published: &Published) -> Self {
        Self::of(published, Some(published.rows()))
    }
}

#[pymethods]
impl PublishedFile {
    fn __fspath__(&self) -> &OsStr {
        self.path.as_os_str()
    }

    fn __repr__(&self) -> String {
        let rows = self.rows.map(|rows| format!("{}, ", plural(rows, "row")));
        let (path, rows) = (self.path.display(), rows.unwrap_or_default());
        format!("<PublishedFile {path}: {rows}{}>", bytes(self.bytes))
    }
}
