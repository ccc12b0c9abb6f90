//! `write` to one file: from input files to a file of rows at a path.

use std::path::Path;

use atomic_arrow::format::{Format, TextOptions};
use atomic_arrow::{AtomicArrowWriter, PublishMode, PublishedFile, WriterOptions};
use indicatif::HumanBytes;
use serde_json::json;

use super::{is_shown, synced, take_all, verified};
use crate::args::store::reach;
use crate::args::{Mode, Switch, Sync, WriteArgs};
use crate::exit::{Exit, Failure};
use crate::input;
use crate::output::Output;
use crate::progress::WriteProgress;
use crate::receipt::plural;
use crate::signal::Interrupt;

/// Whether the destination is a file: it has the suffix of a format, there are no keys, and nothing says that it is a
/// directory.
pub(crate) fn is_one_file(args: &WriteArgs) -> bool {
    let is_directory =
        |path: &Path| path.as_os_str().as_encoded_bytes().ends_with(b"/") || path.is_dir();
    let can_be = match Format::from_path(&args.to) {
        Some(Format::Parquet | Format::Ipc | Format::Csv | Format::Ndjson) => true,
        Some(_) | None => false,
    };
    can_be && args.partition_by.is_none() && !is_directory(&args.to)
}

pub(super) fn run(args: &WriteArgs, output: &mut Output) -> Result<Exit, Failure> {
    let interrupt = Interrupt::watch()?;
    args.input
        .check()
        .map_err(|text| Failure::new(Exit::Usage, text))?;
    let options = options(args, &interrupt)?;
    let mut input = input::open(&args.inputs, &args.input.options(None), interrupt.flag())?;
    let progress = WriteProgress::reading(is_shown(args), input.bytes_total());
    let open = |schema| AtomicArrowWriter::at_with_options(&args.to, schema, options.clone());
    let write = AtomicArrowWriter::write;
    let writer = take_all(args, &mut input, &progress, open, write)?;
    let staged = writer.finish()?;
    if interrupt.is_raised_at_last() {
        return Err(Failure::interrupted());
    }
    let published = staged.publish()?;
    drop(progress);
    answer(args, output, &published);
    Ok(Exit::Done)
}

fn options(args: &WriteArgs, interrupt: &Interrupt) -> Result<WriterOptions, Failure> {
    let (files, bounds) = (&args.files, &args.bounds);
    for (option, is_given) in [
        ("--write-id", args.write_id.is_some()),
        ("--sequence", args.sequence.is_some()),
        ("--success-file", args.success_file),
        ("--overwrite-table", args.overwrite_table),
        ("--schema-check", args.schema_check == Switch::Off),
        ("--sync", args.sync != Sync::Auto),
        ("--dry-run", args.dry_run),
        ("--target-file-size", files.target_file_size.is_some()),
        ("--target-file-rows", files.target_file_rows.is_some()),
        ("--file-name", files.file_name.is_some()),
        ("--sort-by", !files.sort_by.is_empty()),
        ("--keep-partition-columns", files.keep_partition_columns),
        ("--memory-limit", bounds.memory_limit.is_some()),
        ("--threads", bounds.threads.is_some()),
        ("--max-open-files", bounds.max_open_files != 64),
    ] {
        if is_given {
            let to = args.to.display();
            let reason = format_args!(
                "{option}: is for data sets, and {to} is one file: a directory is {to}/"
            );
            return Err(Failure::new(Exit::Usage, reason));
        }
    }
    let mode = match args.mode {
        None | Some(Mode::Overwrite) => PublishMode::Replace,
        Some(Mode::ErrorIfExists) => PublishMode::CreateNew,
        Some(Mode::Append | Mode::ErrorIfAnyExists | Mode::Ignore | Mode::OverwritePartitions) => {
            let reason = "--mode: one file is replaced (overwrite) or refused (error-if-exists)";
            return Err(Failure::new(Exit::Usage, reason));
        }
    };
    let text = TextOptions::new()
        .csv_null(&files.csv_null)
        .json_non_finite(files.json_non_finite.into());
    let asking = interrupt.clone();
    let mut options = WriterOptions::new()
        .mode(mode)
        .text(text)
        .parquet(args.parquet.properties(&files.codecs_by_column())?)
        .page_checksums(files.page_checksums == Switch::On)
        .encodings(files.encodings.into())
        .case_sensitive_names(files.case_sensitive_names)
        .verify(args.verify.into())
        .durability(args.durability.into())
        .staging(args.staging.place.clone())
        .interrupt_when(move |_| asking.is_raised());
    if let Some(format) = files.format {
        options = options.format(format.into());
    }
    if let Some(codec) = files.codec()? {
        options = options.compression(codec);
    }
    reach(options, &args.store, &[&args.to])
}

fn answer(args: &WriteArgs, output: &mut Output, file: &PublishedFile) {
    if args.json {
        output.json(&json!({
            "path": file.path().to_string_lossy(),
            "rows": file.rows(),
            "bytes": file.bytes(),
            "content_hash": file.content_hash().map(|hash| format!("{hash:032x}")),
        }));
    } else if !args.quiet {
        let (to, rows) = (args.to.display(), plural(file.rows(), "row"));
        let bytes = HumanBytes(file.bytes());
        output.line(format_args!(
            "{to}: one file of {rows}, {bytes}, {}, {}",
            verified(args),
            synced(args),
        ));
    }
}
