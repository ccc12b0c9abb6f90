//! `inspect`: a data set as a table, and what readers may stumble over.

use std::collections::HashMap;

use atomic_arrow::inspect::{
    InspectOptions, Inspection, Oddity, PartitionSummary, inspect_with_options,
};
use comfy_table::{CellAlignment, Table, presets};
use indicatif::{HumanBytes, HumanCount};
use serde_json::{Value, json};

use crate::args::InspectArgs;
use crate::args::store::reach;
use crate::exit::{Exit, Failure, with_causes};
use crate::output::Output;
use crate::progress::ScanBar;
use crate::receipt::{partition_json, plural};

/// Partitions shown unless all are asked for.
const PARTITIONS: usize = 50;
/// Oddities of each kind shown unless all are asked for.
const ODDITIES: usize = 5;

pub(crate) fn run(args: &InspectArgs, output: &mut Output) -> Result<Exit, Failure> {
    let mut options = InspectOptions::new()
        .small_file(args.small_file)
        .cross_mounts(args.cross_mounts)
        .staging(args.staging.place.clone());
    if let Some(keys) = args.keys.keys()? {
        options = options.keys(keys);
    }
    let progress = ScanBar::new(!args.json, "files");
    options = options.on_progress(progress.listener((0, 0)));
    let options = reach(options, &args.store, &[&args.root])?;
    let inspection = inspect_with_options(&args.root, &options)?;
    drop(progress);
    if args.json {
        output.json(&as_json(&inspection));
        return Ok(Exit::Done);
    }
    if !inspection.partitions.is_empty() {
        output.line(table(args, &inspection));
    }
    totals(args, output, &inspection);
    oddities(args, output, &inspection.oddities);
    Ok(Exit::Done)
}

fn table(args: &InspectArgs, inspection: &Inspection) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["partition", "files", "row groups", "rows", "bytes"]);
    let limit = if args.all { usize::MAX } else { PARTITIONS };
    for partition in inspection.partitions.iter().take(limit) {
        let directory = partition.directory.display().to_string();
        table.add_row([
            if directory.is_empty() {
                ".".to_owned()
            } else {
                directory
            },
            HumanCount(partition.files).to_string(),
            HumanCount(partition.row_groups).to_string(),
            match (partition.uncounted_files, HumanCount(partition.rows)) {
                (0, rows) => rows.to_string(),
                (uncounted, _) if uncounted == partition.files => "unknown".to_owned(),
                (_, rows) => format!("at least {rows}"),
            },
            HumanBytes(partition.bytes).to_string(),
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn totals(args: &InspectArgs, output: &mut Output, inspection: &Inspection) {
    let more = inspection.partitions.len().saturating_sub(PARTITIONS);
    if more > 0 && !args.all {
        output.line(format_args!(
            "… and {} (--all)",
            plural(more as u64, "more partition")
        ));
    }
    let totals = inspection.totals();
    let rows = match (totals.uncounted_files, plural(totals.rows, "row")) {
        (0, rows) => rows,
        (uncounted, _) if uncounted == totals.files => "an unknown number of rows".to_owned(),
        (_, rows) => format!("at least {rows}"),
    };
    output.line(format_args!(
        "{}: {rows} in {} of {}, {}, {}",
        args.root.display(),
        plural(totals.files, "file"),
        plural(totals.partitions, "partition"),
        plural(totals.row_groups, "row group"),
        HumanBytes(totals.bytes),
    ));
    if let Some(skew) = inspection.skew() {
        output.line(format_args!(
            "rows of a partition: largest {}, median {}, skew {:.2}",
            HumanCount(skew.largest),
            HumanCount(skew.median),
            skew.ratio,
        ));
    }
}

fn oddities(args: &InspectArgs, output: &mut Output, oddities: &[Oddity]) {
    if oddities.is_empty() {
        return output.line("nothing odd");
    }
    let limit = if args.all { usize::MAX } else { ODDITIES };
    let mut kinds: Vec<&str> = Vec::new();
    let mut by_kind: HashMap<&str, Vec<&Oddity>> = HashMap::new();
    for oddity in oddities {
        let alike = by_kind.entry(oddity.kind()).or_default();
        if alike.is_empty() {
            kinds.push(oddity.kind());
        }
        alike.push(oddity);
    }
    for kind in kinds {
        let alike = &by_kind[kind];
        for oddity in alike.iter().take(limit) {
            let text = with_causes(oddity, oddity.source());
            output.line(format_args!("odd [{kind}]: {text}"));
        }
        let more = alike.len().saturating_sub(limit);
        if more > 0 {
            output.line(format_args!(
                "odd [{kind}]: … and {} more (--all)",
                HumanCount(more as u64)
            ));
        }
    }
}

fn as_json(inspection: &Inspection) -> Value {
    let totals = inspection.totals();
    let skew = inspection
        .skew()
        .map(|skew| json!({"largest": skew.largest, "median": skew.median, "ratio": skew.ratio}));
    json!({
        "root": inspection.root.to_string_lossy(),
        "totals": {
            "partitions": totals.partitions,
            "files": totals.files,
            "uncounted_files": totals.uncounted_files,
            "rows": totals.rows,
            "bytes": totals.bytes,
            "row_groups": totals.row_groups,
        },
        "skew": skew,
        "partitions": inspection.partitions.iter().map(partition).collect::<Vec<_>>(),
        "oddities": inspection.oddities.iter().map(oddity).collect::<Vec<_>>(),
    })
}

fn partition(summary: &PartitionSummary) -> Value {
    json!({
        "directory": summary.directory.to_string_lossy(),
        "partition": summary.partition.as_ref().map(partition_json),
        "files": summary.files,
        "small_files": summary.small_files,
        "uncounted_files": summary.uncounted_files,
        "rows": summary.rows,
        "bytes": summary.bytes,
        "row_groups": summary.row_groups,
    })
}

fn oddity(oddity: &Oddity) -> Value {
    json!({
        "kind": oddity.kind(),
        "path": oddity.path().map(|path| path.to_string_lossy()),
        "message": with_causes(oddity, oddity.source()),
    })
}
