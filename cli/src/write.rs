//! `write`: from input files to the files of a data set, all of them or none.
//!
//! Owns the way from options to a [`DatasetWriter`] and from its receipt to the answer. Bad input
//! and signals end it before anything is decided, so they publish nothing.

mod dry_run;
mod file;

pub(crate) use self::file::is_one_file;

use atomic_arrow::arrow::array::RecordBatch;
use atomic_arrow::arrow::datatypes::{Schema, SchemaRef};
use atomic_arrow::format::TextOptions;
use atomic_arrow::{DatasetWriter, DatasetWriterBuilder, Receipt, Step};

use crate::args::paths::is_in_store;
use crate::args::store::reach;
use crate::args::{Durability, Mode, OutputFormat, Switch, VerifyLevel, WriteArgs};
use crate::exit::{Exit, Failure, message};
use crate::input::{self, Input};
use crate::output::Output;
use crate::progress::WriteProgress;
use crate::receipt::{Shown, plural};
use crate::rows;
use crate::signal::Interrupt;

pub(crate) fn run(args: &WriteArgs, output: &mut Output) -> Result<Exit, Failure> {
    if is_one_file(args) {
        return file::run(args, output);
    }
    let interrupt = Interrupt::watch()?;
    check(args)?;
    if !args.dry_run
        && let Some(receipt) = asking(builder(args)?, &interrupt).already_committed()?
    {
        shown(args).notes(receipt.notes());
        answer(args, output, &receipt, None);
        return Ok(Exit::Done);
    }
    let mut input = open_input(args, &interrupt)?;
    if args.dry_run {
        return dry_run::run(args, input, output);
    }
    let progress = WriteProgress::reading(is_shown(args), input.bytes_total());
    let builder = asking(builder(args)?, &interrupt).on_progress(progress.listener());
    let open = |schema| builder.clone().build(schema);
    let writer = take_all(args, &mut input, &progress, open, DatasetWriter::write)?;
    let (transaction, spilled) = (writer.transaction(), writer.progress().rows_spilled);
    progress.encoding(writer.progress().rows);
    let receipt = writer.commit()?;
    drop(progress);
    let committed = receipt.transaction() == transaction;
    shown(args).notes(receipt.notes());
    if committed && interrupt.is_raised() {
        message("the signal came when the write was committed already: it is done");
    }
    answer(args, output, &receipt, committed.then_some(spilled));
    Ok(Exit::Done)
}

/// Opens the inputs of a data set.
pub(crate) fn open_input(args: &WriteArgs, interrupt: &Interrupt) -> Result<Input, Failure> {
    let options = args.input.options(args.bounds.memory_limit);
    Ok(input::open(&args.inputs, &options, interrupt.flag())?)
}

/// Opens a writer and has it take all rows; and another one where later rows turn out to have other types.
pub(crate) fn take_all<W>(
    args: &WriteArgs,
    input: &mut Input,
    progress: &WriteProgress,
    open: impl Fn(SchemaRef) -> atomic_arrow::Result<W>,
    write: impl Fn(&mut W, &RecordBatch) -> atomic_arrow::Result<()>,
) -> Result<W, Failure> {
    let begin = |input: &mut Input| {
        say_notes(args, input);
        if args.verbose {
            message(format_args!("columns: {}", columns(&input.schema())));
        }
    };
    let read = |input: &Input| progress.read(input.bytes_read());
    let writer = rows::take_all(input, begin, read, open, write)?;
    say_notes(args, input);
    Ok(writer)
}

/// Has a writer end once a signal came, until all is decided.
pub(crate) fn asking(builder: DatasetWriterBuilder, interrupt: &Interrupt) -> DatasetWriterBuilder {
    let asked = interrupt.clone();
    builder.interrupt_when(move |step| match step {
        Step::Decide => asked.is_raised_at_last(),
        _ => asked.is_raised(),
    })
}

fn say_notes(args: &WriteArgs, input: &mut Input) {
    for note in input.take_notes() {
        if !args.quiet {
            message(format_args!("note: {note}"));
        }
    }
}

/// Refuses options that contradict each other.
pub(crate) fn check(args: &WriteArgs) -> Result<(), Failure> {
    let wrong = |text: &str| Err(Failure::new(Exit::Usage, text));
    args.input.check().or_else(wrong)?;
    if args.rewrite_missing && args.write_id.is_none() {
        return wrong("--rewrite-missing: is about an earlier write of the same --write-id");
    }
    if args.durability == Durability::Unsynced && args.write_id.is_some() {
        return wrong(
            "--write-id: is remembered, and a power cut could take what --durability says is not synced",
        );
    }
    Ok(())
}

pub(crate) fn builder(args: &WriteArgs) -> Result<DatasetWriterBuilder, Failure> {
    let (files, bounds) = (&args.files, &args.bounds);
    let parquet = args.parquet.properties(&files.codecs_by_column())?;
    let text = TextOptions::new()
        .csv_null(&files.csv_null)
        .json_non_finite(files.json_non_finite.into());
    let mut builder = DatasetWriter::builder(&args.to)
        .partition_by(args.partition_by.clone().unwrap_or_default())
        .mode(args.mode.unwrap_or(Mode::Append).into())
        .overwrite_table(args.overwrite_table)
        .schema_check(args.schema_check == Switch::On)
        .success_file(args.success_file)
        .format(files.format.unwrap_or(OutputFormat::Parquet).into())
        .parquet(parquet)
        .text(text)
        .page_checksums(files.page_checksums == Switch::On)
        .encodings(files.encodings.into())
        .sort_by(files.sort_by.clone())
        .keep_partition_columns(files.keep_partition_columns)
        .case_sensitive_names(files.case_sensitive_names)
        .verify(args.verify.into())
        .durability(args.durability.into())
        .staging(args.staging.place.clone())
        .sync(args.sync.into())
        .max_open_files(bounds.max_open_files as usize);
    if let Some(codec) = files.codec()? {
        builder = builder.compression(codec);
    }
    if let Some(write_id) = &args.write_id {
        builder = builder
            .write_id(write_id)
            .rewrite_missing(args.rewrite_missing);
    }
    if let Some(sequence) = args.sequence {
        builder = builder.sequence(sequence);
    }
    if let Some(template) = &files.file_name {
        builder = builder.file_name(template);
    }
    if let Some(bytes) = files.target_file_size {
        builder = builder.target_file_size(bytes);
    }
    if let Some(rows) = files.target_file_rows {
        builder = builder.target_file_rows(rows as u64);
    }
    if let Some(bytes) = bounds.memory_limit {
        builder = builder.memory_limit(bytes);
    }
    if let Some(threads) = bounds.threads {
        builder = builder.threads(threads);
    }
    reach(builder, &args.store, &[&args.to])
}

/// Prints what was committed, by this write or by an earlier one of the same name. `spilled` is the number of rows
/// that this write spilled.
fn answer(args: &WriteArgs, output: &mut Output, receipt: &Receipt, spilled: Option<u64>) {
    let how = spilled.map(|spilled| {
        let how = format!("{}, {}", verified(args), synced(args));
        match spilled {
            0 => how,
            spilled => format!("{how}, {} spilled", plural(spilled, "row")),
        }
    });
    shown(args).answer(output, receipt, how);
}

fn shown(args: &WriteArgs) -> Shown<'_> {
    Shown {
        root: &args.to,
        json: args.json,
        quiet: args.quiet,
        verbose: args.verbose,
    }
}

/// Whether the files were checked, in a word.
pub(crate) fn verified(args: &WriteArgs) -> &'static str {
    match args.verify {
        VerifyLevel::Skip => "not verified",
        VerifyLevel::Footer | VerifyLevel::Checksum | VerifyLevel::Decode => "verified",
    }
}

/// Whether the files were synced, in a word.
pub(crate) fn synced(args: &WriteArgs) -> &'static str {
    match (args.durability, is_in_store(&args.to)) {
        (_, true) => "uploaded",
        (Durability::Synced, false) => "synced",
        (Durability::Unsynced, false) => "not synced",
    }
}

fn columns(schema: &Schema) -> String {
    let column = |field: &std::sync::Arc<atomic_arrow::arrow::datatypes::Field>| {
        format!("{} {}", field.name(), field.data_type())
    };
    schema
        .fields()
        .iter()
        .map(column)
        .collect::<Vec<_>>()
        .join(", ")
}

pub(crate) fn is_shown(args: &WriteArgs) -> bool {
    !args.quiet && !args.json
}
