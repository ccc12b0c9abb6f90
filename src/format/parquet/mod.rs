//! Parquet files: writing them, and checking one that exists or was just written (promise P3).
//!
//! [`FileWriter`] writes each of them: those of data sets, whose owner says where row groups end, and by way of
//! [`Encoder`] one by itself.
//!
//! [`check`] asks whether a file is sound in itself. [`verify_written`] also asks whether it is what
//! was written: the footer that the writer returned, the rows and schema that were given to it, and
//! the values. What is encrypted is opened with [`Keys`], in a written file the writer's own, and is
//! authenticated by that.

use std::sync::Arc;

use ::parquet::file::metadata::ParquetMetaData;
use arrow::datatypes::Schema;

use super::source::Source;
use super::{Contents, Fault, proof};
use crate::damage::Damage;
use crate::disk::DiskFile;
use crate::options::Verify;

mod batches;
mod column;
mod compare;
mod compress;
mod cost;
mod crypto;
mod decode;
mod dictionary_page;
mod embedded;
mod encode;
mod encrypted;
mod expect;
mod file;
mod footer;
mod footer_walk;
mod held;
mod keys;
mod once;
mod ordered;
mod page_header;
mod page_spill;
mod page_store;
mod pages;
mod readers_view;
mod recode;
mod retype;
mod row_group;
mod rows;
mod slot;
mod stored;
mod structure;
mod thrift;
mod types;
mod writable;

#[cfg(test)]
mod tests;

pub use batches::ParquetBatches;
pub(crate) use dictionary_page::categories;
pub(crate) use encode::{Encoder, ParquetOptions};
pub(crate) use expect::KnownSchema;
pub(crate) use file::FileWriter;
pub(crate) use keys::{Keys, is_encrypted};
pub(crate) use page_spill::PageSpill;
pub(crate) use readers_view::{ReadAs, read_as};
pub(crate) use retype::Retyping;
pub(crate) use row_group::FileTemplate;
pub(crate) use slot::Slot;

/// The facts of a written file that verification compares it with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WrittenParquet<'a> {
    /// How many bytes.
    pub(crate) len: u64,
    /// The footer that [`ArrowWriter::finish`](::parquet::arrow::ArrowWriter::finish) returned.
    pub(crate) metadata: &'a ParquetMetaData,
    /// How many rows were given to the writer, by our own count.
    pub(crate) rows: u64,
    /// The schema of the batches given to it.
    pub(crate) schema: &'a Schema,
    /// The digests of those batches; needed for [`Verify::Decode`] to compare values.
    pub(crate) digests: Option<&'a [u128]>,
    /// The schema as other files of the same write have it.
    pub(crate) known: Option<&'a KnownSchema>,
    /// The decryption keys, if the file is encrypted.
    pub(crate) keys: Option<&'a Keys>,
}

/// Checks a file that exists.
///
/// [`Verify::Footer`] checks the structure, [`Verify::Checksum`] also reads every page and checks
/// the checksums that pages carry, [`Verify::Decode`] also decodes every value. What is encrypted is
/// opened with `keys`; the pages of a column that is are read by decoding them, also for
/// [`Verify::Checksum`].
pub(crate) fn check(
    file: Arc<dyn DiskFile>,
    level: Verify,
    keys: Option<&Keys>,
) -> Result<Contents, Fault> {
    if level == Verify::Skip {
        return Ok(Contents::default());
    }
    let mut source = Source::new(file)?;
    let checked = check_source(&mut source, level, keys);
    source.settle(checked)
}

fn check_source(
    source: &mut Source,
    level: Verify,
    keys: Option<&Keys>,
) -> Result<Contents, Fault> {
    let mut contents = Contents::default();
    let footer = footer::read(source, keys)?;
    let metadata = Arc::new(footer.metadata);
    contents.rows = u64::try_from(metadata.file_metadata().num_rows()).ok();
    contents.row_groups = Some(metadata.num_row_groups());
    if level >= Verify::Checksum {
        contents.pages = Some(pages::read(source, &metadata)?);
    }
    let groups = metadata.row_groups().iter();
    let is_sealed = groups.flat_map(|group| group.columns()).any(is_encrypted);
    if level >= Verify::Decode || (level >= Verify::Checksum && is_sealed) {
        decode::decode(source, &metadata, None)?;
    }
    // Last, since the others say where.
    if level >= Verify::Checksum {
        proof::check_body(source, footer.body)?;
    }
    contents.parquet = Some(metadata);
    Ok(contents)
}

/// Checks a file that was just written against what was written.
///
/// [`Verify::Footer`] checks the length, the structure and the footer. [`Verify::Checksum`] reads
/// nothing more here: comparing the hash of the whole file is its caller's, who took it while
/// writing, and proves more than checking pages. [`Verify::Decode`] decodes every value and compares
/// the digests.
pub(crate) fn verify_written(
    file: Arc<dyn DiskFile>,
    written: &WrittenParquet<'_>,
    level: Verify,
) -> Result<Contents, Fault> {
    if level == Verify::Skip {
        return Ok(Contents::default());
    }
    let mut source = Source::new(file)?;
    let verified = verify_source(&mut source, written, level);
    source.settle(verified)
}

fn verify_source(
    source: &mut Source,
    written: &WrittenParquet<'_>,
    level: Verify,
) -> Result<Contents, Fault> {
    if source.len() != written.len {
        let (expected, found) = (written.len, source.len());
        return Err(Damage::Length { expected, found }.into());
    }
    let footer = footer::read(source, written.keys)?;
    let metadata = Arc::new(footer.metadata);
    compare::compare(written.metadata, &metadata)?;
    expect::expect(&metadata, written.rows, written.schema, written.known)?;
    let mut contents = Contents {
        rows: Some(written.rows),
        row_groups: Some(metadata.num_row_groups()),
        ..Contents::default()
    };
    if level >= Verify::Decode {
        contents.pages = Some(pages::read(source, &metadata)?);
        let expected = written.digests.map(|digests| decode::Expected {
            schema: written.schema,
            digests,
        });
        decode::decode(source, &metadata, expected.as_ref())?;
        proof::check_body(source, footer.body)?;
    }
    contents.parquet = Some(metadata);
    Ok(contents)
}
