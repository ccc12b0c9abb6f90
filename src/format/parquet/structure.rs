//! Checks that a parsed footer makes sense for the file that it ends.
//!
//! Every count agrees with every other, every part lies between the magic number and the footer, and
//! no two parts share a byte. The cost grows with row groups, columns and indexed pages, not with
//! rows. Values and pages themselves are not looked at.

use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};

use crate::damage::{Damage, Location};

/// The offset of the first byte after the magic number.
const FIRST: u64 = 4;

/// A part of the file that the footer declares: its kind, its owner, and its range of bytes.
struct Part {
    what: &'static str,
    location: Location,
    start: u64,
    end: u64,
}

/// Checks everything but the page indexes; `footer_start` is where the footer begins.
pub(super) fn check(metadata: &ParquetMetaData, footer_start: u64) -> Result<(), Damage> {
    let file = metadata.file_metadata();
    let rows = not_negative(&Location::file(), "the number of rows", file.num_rows())?;
    let mut parts = Vec::new();
    let mut sum = 0_u64;
    for (index, row_group) in metadata.row_groups().iter().enumerate() {
        sum = sum.saturating_add(check_row_group(index, row_group)?);
        for chunk in row_group.columns() {
            let location = Location::row_group(index).column(chunk.column_path().string());
            check_chunk(&location, row_group, chunk)?;
            collect_parts(&location, chunk, footer_start, &mut parts)?;
        }
    }
    if sum != rows {
        let (location, what) = (Location::file(), "the number of rows of all row groups");
        return Err(Damage::Count {
            location,
            what,
            expected: rows,
            found: sum,
        });
    }
    check_column_orders(metadata)?;
    check_overlap(parts)
}

fn check_column_orders(metadata: &ParquetMetaData) -> Result<(), Damage> {
    let file = metadata.file_metadata();
    let columns = file.schema_descr().num_columns();
    match file.column_orders() {
        Some(orders) if orders.len() != columns => Err(Damage::Count {
            location: Location::file(),
            what: "the number of column orders",
            expected: columns as u64,
            found: orders.len() as u64,
        }),
        _ => Ok(()),
    }
}

/// Checks the metadata of a row group, and returns its number of rows.
fn check_row_group(index: usize, row_group: &RowGroupMetaData) -> Result<u64, Damage> {
    let location = Location::row_group(index);
    let rows = not_negative(&location, "the number of rows", row_group.num_rows())?;
    not_negative(&location, "the size", row_group.total_byte_size())?;
    not_negative(
        &location,
        "the file offset",
        row_group.file_offset().unwrap_or(0),
    )?;
    let columns = row_group.schema_descr().num_columns();
    if row_group.num_columns() != columns {
        let (expected, found) = (columns as u64, row_group.num_columns() as u64);
        return Err(Damage::Count {
            location,
            what: "the number of columns",
            expected,
            found,
        });
    }
    for sorting in row_group.sorting_columns().into_iter().flatten() {
        let known = usize::try_from(sorting.column_idx).is_ok_and(|column| column < columns);
        if !known {
            let what = format!(
                "sorted by column {}, of {columns} columns",
                sorting.column_idx
            );
            return Err(Damage::Contradiction { location, what });
        }
    }
    Ok(rows)
}

fn check_chunk(
    location: &Location,
    row_group: &RowGroupMetaData,
    chunk: &ColumnChunkMetaData,
) -> Result<(), Damage> {
    if let Some(path) = chunk.file_path() {
        let reason = format!("the column chunk is in another file, {path:?}");
        return Err(Damage::NotCheckable {
            location: location.clone(),
            reason,
        });
    }
    let values = not_negative(location, "the number of values", chunk.num_values())?;
    not_negative(location, "the uncompressed size", chunk.uncompressed_size())?;
    not_negative(location, "the compressed size", chunk.compressed_size())?;
    not_negative(location, "the file offset", chunk.file_offset())?;
    let rows = row_group.num_rows().unsigned_abs();
    let flat = chunk.column_descr().max_rep_level() == 0;
    // A row has at least one value, and exactly one where nothing repeats.
    if values < rows || (flat && values != rows) {
        let what = "the number of values";
        let location = location.clone();
        return Err(Damage::Count {
            location,
            what,
            expected: rows,
            found: values,
        });
    }
    Ok(())
}

/// Adds the parts that a column chunk declares, each of which lies between magic number and footer.
fn collect_parts(
    location: &Location,
    chunk: &ColumnChunkMetaData,
    footer_start: u64,
    parts: &mut Vec<Part>,
) -> Result<(), Damage> {
    let mut add = |what, offset: i64, length: i64| -> Result<(u64, u64), Damage> {
        let start = not_negative(location, what, offset)?;
        let end = start.saturating_add(not_negative(location, what, length)?);
        within(location, what, (start, end), (FIRST, footer_start))?;
        if end > start {
            parts.push(Part {
                what,
                location: location.clone(),
                start,
                end,
            });
        }
        Ok((start, end))
    };
    // A chunk without values has no data page; Arrow C++ then declares none, at 0, and nothing at all for
    // a column without a dictionary.
    let no_data = chunk.num_values() == 0 && chunk.data_page_offset() == 0;
    if no_data && chunk.dictionary_page_offset().is_none() && chunk.compressed_size() == 0 {
        return Ok(());
    }
    let data = match chunk.dictionary_page_offset() {
        Some(dictionary) if no_data => dictionary.saturating_add(1),
        _ => chunk.data_page_offset(),
    };
    let first = chunk.dictionary_page_offset().unwrap_or(data);
    let range = add("the column chunk", first, chunk.compressed_size())?;
    if first > data || (chunk.dictionary_page_offset().is_some() && first == data) {
        let what = format!("the dictionary page is at {first}, but the first data page at {data}");
        return Err(Damage::Contradiction {
            location: location.clone(),
            what,
        });
    }
    let data = not_negative(location, "the first data page", data)?;
    within(location, "the first data page", (data, data), range)?;
    // Some writers set it to 0 where there is none.
    if let Some(index) = chunk.index_page_offset().filter(|index| *index != 0) {
        let index = not_negative(location, "the index page", index)?;
        within(location, "the index page", (index, index), range)?;
    }
    let mut add_pair = |what, offset: Option<i64>, length: Option<i32>| match (offset, length) {
        (Some(offset), Some(length)) => add(what, offset, i64::from(length)).map(drop),
        (None, None) => Ok(()),
        _ => {
            let what = format!("{what} is declared with only one of offset and length");
            Err(Damage::Contradiction {
                location: location.clone(),
                what,
            })
        }
    };
    add_pair(
        "the column index",
        chunk.column_index_offset(),
        chunk.column_index_length(),
    )?;
    add_pair(
        "the offset index",
        chunk.offset_index_offset(),
        chunk.offset_index_length(),
    )?;
    // The length of a bloom filter came later to the format; its header says it too.
    let bloom_offset = chunk.bloom_filter_offset();
    let bloom_length = bloom_offset.map(|_| chunk.bloom_filter_length().unwrap_or(1));
    add_pair("the bloom filter", bloom_offset, bloom_length)
}

fn check_overlap(mut parts: Vec<Part>) -> Result<(), Damage> {
    parts.sort_by_key(|part| part.start);
    for pair in parts.windows(2) {
        if let [before, part] = pair
            && part.start < before.end
        {
            return Err(Damage::Overlap {
                location: part.location.clone(),
                what: part.what,
                other: format!("{} of {}", before.what, before.location).into(),
            });
        }
    }
    Ok(())
}

/// Checks the page indexes that were read: pages in order, within their chunk and its rows.
pub(super) fn check_page_indexes(metadata: &ParquetMetaData) -> Result<(), Damage> {
    for (index, row_group) in metadata.row_groups().iter().enumerate() {
        for (column, chunk) in row_group.columns().iter().enumerate() {
            let location = Location::row_group(index).column(chunk.column_path().string());
            check_offset_index(&location, metadata, (index, column))?;
            check_column_index(&location, metadata, (index, column))?;
        }
    }
    Ok(())
}

fn check_offset_index(
    location: &Location,
    metadata: &ParquetMetaData,
    (row_group, column): (usize, usize),
) -> Result<(), Damage> {
    let indexes = metadata
        .offset_index()
        .and_then(|groups| groups.get(row_group));
    let Some(offset_index) = indexes.and_then(|columns| columns.get(column)) else {
        return Ok(());
    };
    let rows = metadata.row_group(row_group).num_rows();
    let chunk = metadata.row_group(row_group).column(column);
    let (start, length) = chunk.byte_range();
    let mut free = chunk.data_page_offset().unsigned_abs().max(start);
    let mut next_row = 0;
    for (page, place) in offset_index.page_locations().iter().enumerate() {
        let what = "a page of the offset index";
        let offset = not_negative(location, what, place.offset)?;
        let size = not_negative(location, what, i64::from(place.compressed_page_size))?;
        let range = (offset, offset.saturating_add(size));
        within(location, what, range, (free, start.saturating_add(length)))?;
        free = range.1;
        let row = place.first_row_index;
        if row < next_row || row > rows || (page == 0 && row != 0) {
            let what = format!("page {page} begins with row {row} of {rows}, after {next_row}");
            return Err(Damage::Contradiction {
                location: location.clone().at(offset),
                what,
            });
        }
        next_row = row;
    }
    if offset_index.page_locations().is_empty() && rows > 0 {
        let what = format!("the offset index has no page for {rows} rows");
        return Err(Damage::Contradiction {
            location: location.clone(),
            what,
        });
    }
    Ok(())
}

fn check_column_index(
    location: &Location,
    metadata: &ParquetMetaData,
    (row_group, column): (usize, usize),
) -> Result<(), Damage> {
    let chunk = metadata.row_group(row_group).column(column);
    let bounds = metadata
        .column_index()
        .and_then(|groups| groups.get(row_group)?.get(column));
    let offsets = metadata
        .offset_index()
        .and_then(|groups| groups.get(row_group)?.get(column));
    let (Some(_), Some(bounds), Some(offsets)) = (chunk.column_index_offset(), bounds, offsets)
    else {
        return Ok(());
    };
    let (expected, found) = (offsets.page_locations().len() as u64, bounds.num_pages());
    if expected != found {
        let what = "the number of pages in the column index";
        return Err(Damage::Count {
            location: location.clone(),
            what,
            expected,
            found,
        });
    }
    Ok(())
}

fn not_negative(location: &Location, what: &'static str, found: i64) -> Result<u64, Damage> {
    u64::try_from(found).map_err(|_| Damage::Negative {
        location: location.clone(),
        what,
        found,
    })
}

fn within(
    location: &Location,
    what: &'static str,
    (start, end): (u64, u64),
    (from, to): (u64, u64),
) -> Result<(), Damage> {
    if from <= start && end <= to {
        return Ok(());
    }
    let location = location.clone();
    Err(Damage::OutOfBounds {
        location,
        what,
        start,
        end,
        from,
        to,
    })
}

/// Whether the data pages that were found, each by its offset and length, are those of the offset index.
pub(super) fn check_against_offset_index(
    location: &Location,
    metadata: &ParquetMetaData,
    (row_group, column): (usize, usize),
    data: &[(u64, u64)],
) -> Result<(), Damage> {
    let indexes = metadata
        .offset_index()
        .and_then(|groups| groups.get(row_group));
    let Some(index) = indexes.and_then(|columns| columns.get(column)) else {
        return Ok(());
    };
    let (expected, found) = (index.page_locations().len() as u64, data.len() as u64);
    if expected != found {
        let what = "the number of data pages";
        return Err(Damage::Count {
            location: location.clone(),
            what,
            expected,
            found,
        });
    }
    for ((at, size), place) in data.iter().zip(index.page_locations()) {
        let declared = u64::from(place.compressed_page_size.unsigned_abs());
        if place.offset.unsigned_abs() != *at || declared != *size {
            let what = format!(
                "a page of {size} bytes, where the offset index has one of {declared} at {}",
                place.offset
            );
            return Err(Damage::Contradiction {
                location: location.clone().at(*at),
                what,
            });
        }
    }
    Ok(())
}
