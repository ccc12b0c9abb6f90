//! `put`: any bytes to one path, whole or not at all.

use std::io::{self, Write as _};

use atomic_arrow::{AtomicFile, Error, FileOptions, PublishMode};
use indicatif::HumanBytes;
use serde_json::json;

use crate::args::PutArgs;
use crate::args::store::reach;
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::progress::Progress;
use crate::signal::Interrupt;
use crate::source::Source;

/// Bytes read at once.
const CHUNK: usize = 1 << 20;

pub(crate) fn run(args: &PutArgs, output: &mut Output) -> Result<Exit, Failure> {
    let interrupt = Interrupt::watch()?;
    let mut source = Source::open(&args.file, &interrupt)?;
    let mut file = AtomicFile::create_with_options(&args.dest, options(args, &interrupt)?)?;
    copy(&mut source, &mut file, !args.quiet && !args.json)?;
    let staged = file.finish()?;
    if interrupt.is_raised_at_last() {
        return Err(Failure::interrupted());
    }
    let published = staged.publish()?;
    if args.json {
        output.json(&json!({
            "path": published.path().to_string_lossy(),
            "bytes": published.bytes(),
            "content_hash": published.content_hash().map(|hash| format!("{hash:032x}")),
        }));
    } else if !args.quiet {
        let bytes = HumanBytes(published.bytes());
        output.line(format_args!("{}: {bytes}", args.dest.display()));
    }
    Ok(Exit::Done)
}

fn options(args: &PutArgs, interrupt: &Interrupt) -> Result<FileOptions, Failure> {
    let mode = if args.replace {
        PublishMode::Replace
    } else {
        PublishMode::CreateNew
    };
    let asking = interrupt.clone();
    let options = FileOptions::new()
        .interrupt_when(move |_| asking.is_raised())
        .mode(mode)
        .verify(args.verify.into())
        .staging(args.staging.place.clone())
        .durability(args.durability.into());
    let options = match args.check {
        Some(format) => options.format(format.into()),
        None => options,
    };
    reach(options, &args.store, &[&args.dest])
}

fn copy(source: &mut Source, file: &mut AtomicFile, shown: bool) -> Result<(), Failure> {
    let progress = Progress::bytes(shown, source.len());
    let mut chunk = vec![0; CHUNK];
    loop {
        let count = source.read(&mut chunk)?;
        if count == 0 {
            return Ok(());
        }
        file.write_all(&chunk[..count]).map_err(write_error)?;
        progress.set(file.bytes_written());
    }
}

/// The library's error inside the standard one that had to carry it.
fn write_error(error: io::Error) -> Failure {
    match error.downcast::<Error>() {
        Ok(error) => error.into(),
        Err(error) => Failure::io("the destination cannot be written", &error),
    }
}
