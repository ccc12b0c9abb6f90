//! How an object store is reached and used, where a root or path is a URL of one: arguments, and who is told of them.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use atomic_arrow::inspect::InspectOptions;
use atomic_arrow::verify::VerifyOptions;
use atomic_arrow::{
    DatasetWriterBuilder, FileOptions, ObjectStoreOptions, RecoverOptions, StagedWrites,
    StagingPlace, WaitingWrite, WriterOptions, is_object_store_url, staged_at, staged_in_store,
};
use clap::Args;

use super::{paths, values};
use crate::exit::{Exit, Failure};

/// Examples for the short help, and where the options below are.
pub(crate) fn with_stores(examples: &str) -> String {
    format!("{examples}\n\nMore options, of object stores: --help")
}

/// How the object store is reached.
#[derive(Debug, Args)]
#[command(next_help_heading = "Object stores")]
pub(crate) struct StoreArgs {
    /// A setting of the client of an object store, such as aws_region=eu-north-1 or timeout=60s; also several times
    ///
    /// For URLs such as s3://bucket/weather, gs://bucket/weather and az://container/weather. The names are those of the
    /// storage_options of Polars and delta-rs, in any case: aws_endpoint=http://127.0.0.1:9000, aws_allow_http=true. They go
    /// before the environment, which is read too: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL,
    /// AWS_ALLOW_HTTP, AZURE_STORAGE_ACCOUNT_NAME, AZURE_STORAGE_ACCOUNT_KEY, GOOGLE_SERVICE_ACCOUNT and the like. What is
    /// secret belongs there: other users of the machine can see arguments. The files of the AWS command (~/.aws) are not
    /// read.
    #[arg(long = "storage-option", hide_short_help = true, value_name = "NAME=VALUE", value_parser = Setting::parser)]
    settings: Vec<Setting>,

    /// Requests to an object store at once, for each of which a write may hold a part in memory [default: 16]
    #[arg(long, hide_short_help = true, value_name = "N", value_parser = values::at_least_one)]
    parallel_requests: Option<usize>,
}

/// How it is reached, and whose work there is dead.
#[derive(Debug, Args)]
#[command(next_help_heading = "Object stores")]
pub(crate) struct StoreWorkArgs {
    #[command(flatten)]
    reach: StoreArgs,

    /// How long a writer to an object store may be silent until others take it for dead, at least 1min [default: 15min]
    ///
    /// By the clock of the store. A writer tells that it is alive every minute at least. One that was told a longer time
    /// than whoever judges it is waited for that long.
    #[arg(long, hide_short_help = true, value_name = "TIME", value_parser = values::duration)]
    dead_after: Option<Duration>,
}

/// How it is reached, whose work there is dead, and how files are uploaded.
#[derive(Debug, Args)]
#[command(next_help_heading = "Object stores")]
pub(crate) struct StoreUploadArgs {
    #[command(flatten)]
    work: StoreWorkArgs,

    /// The local directory in which files for an object store are made and verified before they are uploaded
    /// [default: the system's for temporary files]
    #[arg(long, hide_short_help = true, value_name = "DIR", value_parser = paths::path())]
    spool: Option<PathBuf>,

    /// The size of the parts in which longer files are uploaded to an object store, at least 5MiB [default: 8MiB]
    #[arg(long, hide_short_help = true, value_name = "BYTES", value_parser = values::size)]
    part_size: Option<u64>,

    /// Read back what was uploaded to an object store, and compare it, before anybody can see it; by default the store
    /// compares checksums
    ///
    /// Large files are then staged in the store, too, and downloaded once. One file by itself cannot be read before it is
    /// visible.
    #[arg(long, hide_short_help = true)]
    read_back: bool,
}

/// A setting, whose value may be secret: it is in no message.
#[derive(Clone)]
struct Setting(String);

impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Setting")
    }
}

impl Setting {
    /// Takes any text: the parser of the command line would show what it refuses.
    fn parser(text: &str) -> Result<Self, String> {
        Ok(Setting(text.to_owned()))
    }

    /// Its name and its value.
    fn parts(&self) -> Result<(&str, &str), Failure> {
        match self.0.split_once('=') {
            Some((name, value)) if !name.trim().is_empty() => Ok((name.trim(), value)),
            Some(_) | None => Err(Failure::new(
                Exit::Usage,
                "--storage-option: is a name and a value with = between them, such as aws_region=eu-north-1",
            )),
        }
    }
}

/// The options of a command that are about object stores.
pub(crate) trait InStore {
    /// What the library is told.
    ///
    /// # Errors
    /// A setting that is none.
    fn options(&self) -> Result<ObjectStoreOptions, Failure>;

    /// The option that was given, if one was.
    fn given(&self) -> Option<&'static str>;
}

impl InStore for StoreArgs {
    fn options(&self) -> Result<ObjectStoreOptions, Failure> {
        let mut options = ObjectStoreOptions::new();
        for setting in &self.settings {
            let (name, value) = setting.parts()?;
            options = options.set(name, value);
        }
        Ok(match self.parallel_requests {
            Some(number) => options.parallel_requests(number),
            None => options,
        })
    }

    fn given(&self) -> Option<&'static str> {
        let settings = (!self.settings.is_empty()).then_some("--storage-option");
        settings.or(self.parallel_requests.map(|_| "--parallel-requests"))
    }
}

impl InStore for StoreWorkArgs {
    fn options(&self) -> Result<ObjectStoreOptions, Failure> {
        let options = self.reach.options()?;
        Ok(match self.dead_after {
            Some(time) => options.dead_after(time),
            None => options,
        })
    }

    fn given(&self) -> Option<&'static str> {
        let reach = self.reach.given();
        reach.or(self.dead_after.map(|_| "--dead-after"))
    }
}

impl InStore for StoreUploadArgs {
    fn options(&self) -> Result<ObjectStoreOptions, Failure> {
        let mut options = self.work.options()?.read_back(self.read_back);
        if let Some(directory) = &self.spool {
            options = options.spool(directory);
        }
        Ok(match self.part_size {
            Some(bytes) => options.part_size(bytes),
            None => options,
        })
    }

    fn given(&self) -> Option<&'static str> {
        let work = self.work.given();
        let spool = self.spool.as_ref().map(|_| "--spool");
        let part_size = self.part_size.map(|_| "--part-size");
        let read_back = self.read_back.then_some("--read-back");
        work.or(spool).or(part_size).or(read_back)
    }
}

/// What is told how an object store is reached.
pub(crate) trait TakesStore: Sized {
    fn object_store(self, options: ObjectStoreOptions) -> Self;
}

macro_rules! takes_store {
    ($($kind:ty),+) => {
        $(impl TakesStore for $kind {
            fn object_store(self, options: ObjectStoreOptions) -> Self {
                <$kind>::object_store(self, options)
            }
        })+
    };
}

takes_store!(
    DatasetWriterBuilder,
    FileOptions,
    InspectOptions,
    RecoverOptions,
    StagedWrites,
    VerifyOptions,
    WriterOptions
);

/// Tells how the object store is reached in which the paths are, or one of them is.
///
/// # Errors
/// Options of object stores where no path is a URL of one, and settings that are none.
pub(crate) fn reach<T: TakesStore>(
    what: T,
    args: &impl InStore,
    paths: &[impl AsRef<Path>],
) -> Result<T, Failure> {
    if let (false, Some(option)) = (paths.iter().any(is_object_store_url), args.given()) {
        let shown: Vec<_> = paths
            .iter()
            .map(|path| path.as_ref().display().to_string())
            .collect();
        let reason = format_args!(
            "{option}: is for object stores, and {} is no URL of one, as s3://bucket/weather is",
            shown.join(", ")
        );
        return Err(Failure::new(Exit::Usage, reason));
    }
    Ok(what.object_store(args.options()?))
}

/// What is staged for the data set at a path or URL.
///
/// # Errors
/// The library's.
pub(crate) fn staged(
    root: &Path,
    place: &StagingPlace,
    args: &impl InStore,
) -> Result<Vec<WaitingWrite>, Failure> {
    Ok(match is_object_store_url(root) {
        true => staged_in_store(root, &args.options()?)?,
        false => staged_at(root, place)?,
    })
}
