//! How the work of encoding is divided: which partitions are encoded together, and how many rows are
//! gathered at once.
//!
//! Nothing here changes what is written, but that the rows of a partition which is too large to be
//! sorted at once become several files.

use std::ops::Range;

use super::template::Template;

/// The most memory of rows that one thread gathers at once. The more there are, the fewer rows of other
/// partitions are skipped in between, and the better memory is read ahead; beyond this little is won.
const CHUNK_BYTES: usize = 32 << 20;
/// The most rows of these: what a row takes is an average, and there may be partitions of larger ones.
const CHUNK_ROWS: usize = 1 << 18;
/// What it takes to know where a row is and where it goes, and where a text ends.
const PLACE_BYTES: usize = 32;
/// What the values of dictionaries may always take that are put in the place of their keys at once: rows
/// are not to be spilled one by one, however little memory there is.
const LEAST_RESOLVED: usize = 1 << 20;
/// How many times more than on average rows may take that are gathered at once: beyond, fewer are.
const SKEW: usize = 2;
/// The least and most bytes of a block of spilled rows, before compression.
const BLOCK_BYTES: Range<usize> = 64 << 10..1 << 20;

/// Files that are open beside those which are encoded and verified, of which a thread has up to two: the
/// lease and the lock of the transaction, its directory, the scratch file.
pub(super) const BESIDE: usize = 4;

/// How the memory limit is divided.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    /// The memory of rows and bookkeeping beyond which rows are spilled.
    pub(super) held: usize,
    /// The memory of dictionary values that are put in the place of their keys at once.
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

/// What is done with how many rows.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) threads: usize,
    /// Partitions that are encoded one after another, the columns of each side by side where they can be.
    pub(super) wide: Vec<u32>,
    /// Neighbouring partitions that are encoded one after another, beside other such.
    pub(super) narrow: Vec<Range<u32>>,
    pub(super) chunk: Portion,
    pub(super) window: Portion,
}

/// How many rows are gathered at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Portion {
    /// As many as fit by what a row takes on average, and at least one.
    rows: usize,
    /// What they may take, where their sizes differ.
    pub(super) bytes: usize,
}

impl Portion {
    /// How many more rows belong to it, given how many there are and what was read for them.
    pub(super) fn wanted(&self, rows: usize, loaded: usize) -> usize {
        match rows > 0 && loaded > self.bytes {
            true => 0,
            false => self.rows.saturating_sub(rows),
        }
    }
}

/// How many rows of `row_bytes` fit into some memory, in whole units.
fn rows_in(bytes: usize, row_bytes: usize, unit: usize) -> usize {
    (bytes / row_bytes.max(1) / unit * unit).max(unit)
}

impl Layout {
    /// How many threads work.
    pub(super) fn threads(budget: Budget) -> usize {
        budget.threads
    }

    /// Divides the work, given the rows of each partition and what a row takes.
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
        Layout {
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

/// How many rows a block of spilled rows has.
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
