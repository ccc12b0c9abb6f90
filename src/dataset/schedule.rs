//! How encoding is divided: which partitions are encoded together, and how many rows are gathered at once.
//!
//! The schedule does not change what is written, with one exception: a partition that is too large to be sorted at
//! once becomes several files.

use std::ops::Range;

use super::template::Template;

/// The most memory of the rows that one thread gathers at once. The more there are, the fewer rows of other
/// partitions are skipped in between, and the better memory is read ahead; beyond this little is won.
const CHUNK_BYTES: usize = 32 << 20;
/// The most rows that one thread gathers at once, since the size of a row is only known on average.
const CHUNK_ROWS: usize = 1 << 18;
/// The bookkeeping for each gathered row: its source and target, and the end of a text.
const PLACE_BYTES: usize = 32;
/// The least memory for dictionary values that replace their keys, however low the memory limit: else rows would be
/// spilled one by one.
const LEAST_RESOLVED: usize = 1 << 20;
/// The factor by which gathered rows may exceed their average size; beyond it fewer are gathered.
const SKEW: usize = 2;
/// The least and most bytes of a block of spilled rows, before compression.
const BLOCK_BYTES: Range<usize> = 64 << 10..1 << 20;

/// The number of files that are open beside those being encoded and verified (up to two for each thread): the lease
/// and the lock of the transaction, its directory, the scratch file.
pub(super) const BESIDE: usize = 4;

/// The parts into which the memory limit is divided.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    /// The memory of rows and bookkeeping beyond which rows are spilled.
    pub(super) held: usize,
    /// The memory of dictionary values that replace their keys at once.
    pub(super) resolved: usize,
    /// The memory of the rows that one thread gathers at once.
    chunk: usize,
    /// The memory of the rows of a row group that one thread has in its encoders.
    group: usize,
    /// The memory of encoded pages that are not in their files yet.
    pub(super) pages: usize,
    /// The memory of the rows that are sorted at once.
    window: usize,
    /// The size of a block of spilled rows.
    block: usize,
    threads: usize,
    /// Whether several threads can encode one file, each some of its columns.
    columns_apart: bool,
    sorting: bool,
}

impl Budget {
    pub(super) fn new(template: &Template) -> Self {
        let options = &template.options;
        let whole = usize::try_from(options.memory_limit).unwrap_or(usize::MAX);
        let encoders = options.encoder_bytes(template.schema());
        let encoders = usize::try_from(encoders).unwrap_or(usize::MAX);
        // Each thread may have a row group of its own.
        let most_by_encoders = (whole / 2).checked_div(encoders).unwrap_or(usize::MAX);
        let most_by_files = options.max_open_files.saturating_sub(BESIDE) / 2;
        let threads = options
            .threads
            .clamp(1, most_by_files.min(most_by_encoders).max(1));
        // A quarter is left for rows in any case.
        let limit = whole
            .saturating_sub(encoders.saturating_mul(threads))
            .max(whole / 4);
        Budget {
            held: limit / 8 * 5,
            resolved: (limit / 8).max(LEAST_RESOLVED),
            chunk: (limit / 16 / threads).min(CHUNK_BYTES),
            group: limit / 8 / threads,
            pages: limit / 8,
            window: limit / 8,
            block: (limit / 1024).clamp(BLOCK_BYTES.start, BLOCK_BYTES.end),
            threads,
            columns_apart: template.parquet.is_some(),
            sorting: !options.sort_by.is_empty(),
        }
    }
}

/// The schedule of encoding: which partitions each thread encodes, and how many rows it gathers at once.
#[derive(Debug)]
pub(super) struct Schedule {
    pub(super) threads: usize,
    /// Large partitions, encoded one after another, each on several threads where its columns can be encoded apart.
    pub(super) wide: Vec<u32>,
    /// Ranges of small partitions, each range encoded by one thread.
    pub(super) narrow: Vec<Range<u32>>,
    pub(super) chunk: Portion,
    pub(super) window: Portion,
}

/// A limit on the rows that are gathered at once, in rows and bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Portion {
    /// The number of rows that fit by their average size; at least one.
    rows: usize,
    /// The bytes that they may take, where their sizes differ.
    pub(super) bytes: usize,
}

impl Portion {
    /// The number of rows that may still be added, given the rows so far and the bytes read for them.
    pub(super) fn wanted(&self, rows: usize, loaded: usize) -> usize {
        match rows > 0 && loaded > self.bytes {
            true => 0,
            false => self.rows.saturating_sub(rows),
        }
    }
}

/// The number of rows of `row_bytes` bytes that fit into `bytes`, rounded down to whole units; at least one unit.
fn rows_in(bytes: usize, row_bytes: usize, unit: usize) -> usize {
    (bytes / row_bytes.max(1) / unit * unit).max(unit)
}

impl Schedule {
    /// The number of threads that encode.
    pub(super) fn threads(budget: Budget) -> usize {
        budget.threads
    }

    /// Divides the work: `rows` are the rows of each partition, `row_bytes` the average size of one, `unit` the rows
    /// that are encoded at once, `runs` the number of spilled runs.
    pub(super) fn new(
        budget: Budget,
        rows: &[u64],
        row_bytes: usize,
        unit: usize,
        runs: usize,
    ) -> Self {
        let total: u64 = rows.iter().sum();
        let threads = budget.threads;
        let chunk_rows =
            rows_in(budget.chunk, row_bytes + PLACE_BYTES, unit).min(CHUNK_ROWS.max(unit));
        let fits = |count: u64| count as u128 * row_bytes as u128 <= budget.group as u128;
        let fair = total / threads as u64;
        let is_wide = |count: u64| {
            let is_long = budget.columns_apart && count >= 4 * unit as u64;
            // Of rows that are sorted, no more are in memory than one thread may have.
            let is_alone = !fits(count) && (is_long || budget.sorting);
            threads > 1 && (is_alone || (is_long && count > fair))
        };
        // Each range reads the first block of each run, so it had better read several.
        let blocks = 4 * runs * block(budget, row_bytes).rows;
        let least = (chunk_rows.max(blocks) as u64).min(fair / 8);
        let (mut wide, mut narrow) = (Vec::new(), Vec::new());
        let (mut start, mut sum) = (0, 0);
        for (partition, count) in rows.iter().enumerate() {
            let partition = partition as u32;
            let wide_one = is_wide(*count);
            if !wide_one {
                sum += count;
            }
            if sum > 0 && (wide_one || sum >= least.max(1)) {
                let end = if wide_one { partition } else { partition + 1 };
                narrow.push(start..end);
                (start, sum) = (end, 0);
            }
            if wide_one {
                wide.push(partition);
                start = partition + 1;
            }
        }
        if sum > 0 {
            narrow.push(start..rows.len() as u32);
        }
        Schedule {
            threads,
            wide,
            narrow,
            chunk: Portion {
                rows: chunk_rows,
                bytes: SKEW * budget.chunk,
            },
            window: Portion {
                rows: rows_in(budget.window, row_bytes, unit),
                bytes: SKEW * budget.window,
            },
        }
    }
}

/// The limit on the rows of a block of spilled rows.
pub(super) fn block(budget: Budget, row_bytes: usize) -> Portion {
    Portion {
        rows: (budget.block / row_bytes.max(1)).max(1),
        bytes: SKEW * budget.block,
    }
}

/// Divides partitions into `parts` ranges of about as many rows each.
pub(super) fn even_ranges(rows: &[u64], parts: usize) -> Vec<Range<u32>> {
    let total: u64 = rows.iter().sum();
    let mut ranges = Vec::with_capacity(parts);
    let (mut start, mut sum) = (0, 0);
    for (partition, count) in rows.iter().enumerate() {
        sum += count;
        if sum * parts as u64 >= total * (ranges.len() as u64 + 1) && sum > 0 {
            ranges.push(start..partition as u32 + 1);
            start = partition as u32 + 1;
        }
    }
    ranges.push(start..rows.len() as u32);
    ranges.retain(|range| !range.is_empty());
    ranges
}
