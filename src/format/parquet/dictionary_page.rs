//! The categories of the ordered dictionaries of a file, from their dictionary pages.
//!
//! Our own pages have them in their order (`recode.rs`), and so have those of pyarrow and Polars. Of each column one
//! page is read, of the last row group that has one: within a file the list only becomes longer.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use parquet::basic::Type;
use parquet::column::page::{Page, PageReader};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::reader::SerializedPageReader;

use super::keys::is_encrypted;
use super::ordered::{MOST_BYTES, OrderedColumns};
use super::pages::first_header;
use crate::categories::{Categories, KnownCategories};
use crate::damage::{Damage, Location};
use crate::disk::DiskFile;
use crate::format::source::Source;
use crate::format::{Fault, contained};

/// The categories of the ordered dictionaries of a file whose footer was checked. A column without a dictionary page,
/// of other values than texts, or of more categories than are written, has none.
pub(crate) fn categories(
    file: Arc<dyn DiskFile>,
    metadata: &ParquetMetaData,
    schema: &SchemaRef,
) -> Result<KnownCategories, Fault> {
    // What Polars' metadata say wrongly there is not this write's error.
    let Ok(columns) = OrderedColumns::new(schema) else {
        return Ok(KnownCategories::new());
    };
    let mut known = columns.known();
    if columns.first().is_none() {
        return Ok(known);
    }
    let source = Source::new(file)?;
    let leaves = metadata.file_metadata().schema_descr().num_columns();
    for leaf in 0..leaves {
        let Some(column) = columns.leaf(leaf).filter(|column| !column.is_in_schema()) else {
            continue;
        };
        let chunks = metadata.row_groups().iter().enumerate().rev();
        let mut chunks = chunks.map(|(number, group)| (number, group.column(leaf)));
        let Some((group, chunk)) = chunks.find(|(_, chunk)| is_readable(chunk)) else {
            continue;
        };
        let location = Location::row_group(group).column(chunk.column_path().string());
        let found = source.settle(page(&source, &location, chunk))?;
        if let Some(found) = found {
            known.insert(column.path().to_owned(), Arc::new(found));
        }
    }
    Ok(known)
}

fn is_readable(chunk: &ColumnChunkMetaData) -> bool {
    let is_text = chunk.column_type() == Type::BYTE_ARRAY;
    is_text && chunk.dictionary_page_offset().is_some() && !is_encrypted(chunk)
}

/// The values of the first page of a chunk, if that is a dictionary.
fn page(
    source: &Source,
    location: &Location,
    chunk: &ColumnChunkMetaData,
) -> Result<Option<Categories>, Fault> {
    let header = first_header(source, location, chunk)?;
    if header.is_data() || header.uncompressed > MOST_BYTES as i64 {
        return Ok(None);
    }
    let damaged = |error| Damage::Page {
        location: location.clone(),
        source: Arc::new(error),
    };
    let page = contained(location, || {
        SerializedPageReader::new(Arc::new(source.clone()), chunk, 0, None)?.get_next_page()
    })?;
    let Some(Page::DictionaryPage { buf, .. }) = page.map_err(damaged)? else {
        return Ok(None);
    };
    let mut values = Vec::new();
    let mut rest = &buf[..];
    while let Some((length, after)) = rest.split_first_chunk() {
        let Some((value, after)) = after.split_at_checked(u32::from_le_bytes(*length) as usize)
        else {
            return Ok(None);
        };
        values.push(value);
        rest = after;
    }
    Ok(Some(Categories::new(values)))
}
