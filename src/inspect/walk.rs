//! The walk over the directories of a data set, one footer at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::file::metadata::ParquetMetaData;

use super::schema::Schemas;
use super::{Oddity, PartitionSummary};
use crate::damage::Damage;
use crate::disk::{Disk, DiskFile, EntryKind};
use crate::error::{Error, Result};
use crate::format::parquet::Keys;
use crate::format::{self, Fault, Format};
use crate::options::Verify;
use crate::options::scan::Scan;
use crate::partition::{Partition, hive};
use crate::record::SUCCESS_FILE;
use crate::staging::is_area_name;
use crate::table_format::TableFormat;
use crate::walk::{Met, entries, is_hidden};

/// The results of the walk.
#[derive(Default)]
pub(super) struct Walked {
    pub(super) partitions: Vec<PartitionSummary>,
    pub(super) oddities: Vec<Oddity>,
}

/// Walks everything below `root`, which is absolute and resolved.
pub(super) fn walk(
    disk: &dyn Disk,
    root: &Path,
    small_file: u64,
    cross_mounts: bool,
    keys: Option<&Keys>,
    scan: Scan<'_>,
) -> Result<Walked> {
    let mut walker = Walker {
        disk,
        small_file,
        keys,
        scan,
        walked: Walked::default(),
        schemas: Schemas::default(),
        formats: BTreeSet::new(),
        escaped: BTreeMap::new(),
    };
    let mut to_visit = vec![PathBuf::new()];
    while let Some(relative) = to_visit.pop() {
        let path = match relative.as_os_str().is_empty() {
            true => root.to_owned(),
            false => root.join(&relative),
        };
        match entries(disk, &path, cross_mounts) {
            Ok(entries) => {
                let below = walker.directory(&relative, entries);
                to_visit.extend(below.into_iter().rev());
            }
            Err(source) if path == root => return Err(unread(root, source)),
            Err(source) => {
                let error = unread(&path, source);
                walker.walked.oddities.push(Oddity::Unreadable { error });
            }
        }
    }
    let Walker {
        mut walked,
        mut schemas,
        escaped,
        formats,
        ..
    } = walker;
    walked.oddities.extend(escaped.into_values());
    let partitions = walked.partitions.iter();
    let partitions = partitions.filter_map(|summary| summary.partition.as_ref());
    let keys = partitions.flat_map(|partition| partition.iter().map(|(key, _)| key.to_owned()));
    let keys: BTreeSet<String> = keys.collect();
    walked.oddities.extend(schemas.names_and_types(&keys));
    walked.oddities.extend(schemas.differences());
    if formats.len() > 1 {
        let formats = formats.into_iter().collect();
        walked.oddities.push(Oddity::MixedFormats { formats });
    }
    match TableFormat::find(disk, root) {
        Ok(None) => {}
        Ok(Some(format)) => walked.oddities.push(Oddity::Table {
            path: root.to_owned(),
            format,
        }),
        Err(error) => walked.oddities.push(Oddity::Unreadable { error }),
    }
    Ok(walked)
}

struct Walker<'a> {
    disk: &'a dyn Disk,
    small_file: u64,
    keys: Option<&'a Keys>,
    scan: Scan<'a>,
    walked: Walked,
    schemas: Schemas,
    /// The formats of the data files.
    formats: BTreeSet<&'static str>,
    /// Keys that are escaped, each with its oddity.
    escaped: BTreeMap<String, Oddity>,
}

impl Walker<'_> {
    /// Looks at the entries of the directory at `relative` to the root, and returns the directories in it.
    fn directory(&mut self, relative: &Path, entries: Vec<(PathBuf, Met)>) -> Vec<PathBuf> {
        let mut summary = PartitionSummary::of(relative);
        let mut below = Vec::new();
        let mut passed_over = false;
        for (path, met) in entries {
            if relative.as_os_str().is_empty() && is_area_name(&path) {
                continue;
            }
            if path.file_name().is_some_and(|name| name.to_str().is_none()) {
                let path = path.clone();
                self.walked.oddities.push(Oddity::NotUtf8 { path });
            }
            if is_hidden(&path) {
                if self.is_success_file(&path) {
                    continue;
                }
                self.walked.oddities.push(Oddity::Hidden { path });
                continue;
            }
            let (files, bytes) = (summary.files, summary.bytes);
            match met {
                Met::Directory => below.push(relative.join(path.file_name().unwrap_or_default())),
                Met::PassedOver(what) => {
                    passed_over = true;
                    self.walked.oddities.push(Oddity::PassedOver { path, what });
                }
                Met::File if Format::from_path(&path) == Some(Format::Parquet) => {
                    self.file(path, &mut summary);
                }
                Met::File => match plain_format(&path) {
                    Some(format) => self.plain_file(path, format, &mut summary),
                    None => self.walked.oddities.push(Oddity::ForeignFile { path }),
                },
            }
            if summary.files > files {
                self.scan.file(summary.bytes - bytes);
            }
        }
        let is_root = relative.as_os_str().is_empty();
        if summary.files > 0 {
            self.partition(summary);
        } else if below.is_empty() && !passed_over && !is_root {
            self.walked.oddities.push(Oddity::EmptyDirectory {
                directory: relative.to_owned(),
            });
        }
        below
    }

    /// Whether it is a success file without content, which disturbs no reader of data sets.
    fn is_success_file(&self, path: &Path) -> bool {
        let found = || self.disk.status(path).ok().flatten();
        path.ends_with(SUCCESS_FILE)
            && found().is_some_and(|(kind, status)| kind == EntryKind::File && status.len == 0)
    }

    /// Adds a file to the summary of its directory.
    fn file(&mut self, path: PathBuf, summary: &mut PartitionSummary) {
        self.formats.insert("Parquet");
        let oddity = match self.footer(&path, summary) {
            Ok(Some(metadata)) => {
                let rows = metadata.file_metadata().num_rows().unsigned_abs();
                summary.rows += rows;
                summary.row_groups += metadata.num_row_groups() as u64;
                self.schemas.add(&path, metadata.file_metadata());
                if rows > 0 {
                    return;
                }
                Oddity::NoRows { path }
            }
            Ok(None) => Oddity::EmptyFile { path },
            Err(Fault::Damage(damage @ Damage::NotCheckable { .. })) => {
                Oddity::NotCheckable { path, damage }
            }
            Err(Fault::Damage(damage)) => Oddity::Damaged { path, damage },
            Err(Fault::Io(source)) => Oddity::Unreadable {
                error: Error::Read { path, source },
            },
        };
        self.walked.oddities.push(oddity);
    }

    /// The footer of a file, checked; `None` if the file is empty.
    fn footer(
        &self,
        path: &Path,
        summary: &mut PartitionSummary,
    ) -> Result<Option<Arc<ParquetMetaData>>, Fault> {
        let (file, len) = self.data_file(path, summary)?;
        if len == 0 {
            return Ok(None);
        }
        let file = Arc::from(file);
        Ok(format::check(Format::Parquet, file, path, Verify::Footer, self.keys)?.parquet)
    }

    /// Opens a data file and counts it, with its length.
    fn data_file(
        &self,
        path: &Path,
        summary: &mut PartitionSummary,
    ) -> io::Result<(Box<dyn DiskFile>, u64)> {
        summary.files += 1;
        let file = self.disk.open_file(path, false)?;
        let len = file.status()?.len;
        summary.bytes += len;
        if len < self.small_file {
            summary.small_files += 1;
        }
        Ok((file, len))
    }

    /// Adds a file that has no footer with its rows to the summary of its directory.
    fn plain_file(&mut self, path: PathBuf, format: &'static str, summary: &mut PartitionSummary) {
        self.formats.insert(format);
        summary.uncounted_files += 1;
        let oddity = match self.data_file(&path, summary) {
            Ok((_, 0)) => Oddity::EmptyFile { path },
            Ok(_) => return,
            Err(source) => Oddity::Unreadable {
                error: unread(&path, source),
            },
        };
        self.walked.oddities.push(oddity);
    }

    /// Finds out which partition a directory with data files is.
    fn partition(&mut self, mut summary: PartitionSummary) {
        for segment in summary.directory.iter().filter_map(|name| name.to_str()) {
            let Some((written, _)) = segment.split_once('=') else {
                continue;
            };
            let key = hive::unescape(written);
            if key != written && !self.escaped.contains_key(written) {
                let oddity = Oddity::EscapedKey {
                    directory: summary.directory.clone(),
                    key,
                    written: written.to_owned(),
                };
                self.escaped.insert(written.to_owned(), oddity);
            }
        }
        match Partition::parse(&summary.directory) {
            Ok(partition) => summary.partition = Some(partition),
            Err(error) => {
                let directory = summary.directory.clone();
                self.walked
                    .oddities
                    .push(Oddity::NotAPartition { directory, error });
            }
        }
        self.walked.partitions.push(summary);
    }
}

impl PartitionSummary {
    fn of(directory: &Path) -> Self {
        PartitionSummary {
            directory: directory.to_owned(),
            partition: None,
            files: 0,
            small_files: 0,
            uncounted_files: 0,
            rows: 0,
            bytes: 0,
            row_groups: 0,
        }
    }
}

/// The format of a data file that is not Parquet, by its name; also without the feature that writes it.
fn plain_format(path: &Path) -> Option<&'static str> {
    match path.extension()?.to_str()? {
        "arrow" | "feather" | "ipc" => Some("Arrow IPC"),
        "ndjson" | "jsonl" => Some("NDJSON"),
        "csv" => Some("CSV"),
        // Text may be compressed as a whole.
        "gz" | "zst" => plain_format(Path::new(path.file_stem()?))
            .filter(|format| matches!(*format, "NDJSON" | "CSV")),
        _ => None,
    }
}

fn unread(path: &Path, source: io::Error) -> Error {
    Error::Read {
        path: path.to_owned(),
        source,
    }
}
