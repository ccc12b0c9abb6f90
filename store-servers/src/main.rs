//! Runs the servers and the proxy for tests that are not in Rust, and for whoever wants to look.

use std::io::{self, BufRead as _, Write as _};
use std::process::ExitCode;

use atomic_arrow_store_servers::{Finding, Kind, Proxy, Rule, Server, self_check};
use clap::{Parser, Subcommand};
use serde_json::{Map, Value, json};

/// Object stores for the tests of atomic-arrow.
#[derive(Parser)]
#[command(name = "atomic-arrow-store-servers", version)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve until standard input ends.
    ///
    /// Prints one line of JSON when the server answers: `url`, the address of the bucket; `options`, what a client is
    /// configured with, in the words of object_store; `endpoint`, and `server`, the endpoint past the proxy, where no request
    /// is counted. Each line of standard input is a command: `add RULE`, `clear`, `release`, `hanging`, or `counts`. It is
    /// answered with one line of JSON.
    Serve {
        /// seaweedfs, moto, azurite or fake-gcs.
        kind: Kind,
        /// A bucket, or container, to make.
        #[arg(long, default_value = "lake")]
        bucket: String,
        /// A fault, and the requests that it happens to, such as `put-create:1:*/tx/*=drop-reply`; may be given again.
        ///
        /// Requests: put, put-create, put-replace, copy, head, get, get-range, list, delete, create-upload, upload-part,
        /// complete-upload, abort-upload, list-uploads, other, any. Faults: drop-request, drop-reply, STATUS-before,
        /// STATUS-after, error-body-before, error-body-after, hang, hang-reply, cut-reply, flip-request, flip-reply,
        /// slow-MILLISECONDSms.
        #[arg(long = "fault", value_name = "KIND[:NUMBER][:KEYS]=FAULT")]
        faults: Vec<Rule>,
    },
    /// Ask servers what they keep of what real stores promise, and compare it with what the tests rest on.
    SelfCheck {
        /// seaweedfs, moto, azurite or fake-gcs; without any, all of them.
        kinds: Vec<Kind>,
    },
}

fn main() -> ExitCode {
    let done = match Args::parse().command {
        Command::Serve {
            kind,
            bucket,
            faults,
        } => serve(kind, &bucket, faults).map(|()| true),
        Command::SelfCheck { kinds } if kinds.is_empty() => check(&Kind::ALL),
        Command::SelfCheck { kinds } => check(&kinds),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // Where standard error is closed there is nobody to tell.
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(kind: Kind, bucket: &str, faults: Vec<Rule>) -> io::Result<()> {
    let server = Server::start(kind).map_err(io::Error::other)?;
    server.make_bucket(bucket)?;
    let proxy = Proxy::in_front_of(&server)?;
    for rule in faults {
        proxy.add(rule);
    }
    let options = proxy.options().into_iter();
    let options: Map<_, _> = options
        .map(|(key, value)| (key.to_owned(), Value::from(value)))
        .collect();
    say(&json!({
        "kind": kind.name(),
        "url": proxy.url(bucket),
        "endpoint": proxy.endpoint(),
        "server": server.endpoint(),
        "options": options,
    }))?;
    for line in io::stdin().lock().lines() {
        say(&obey(&proxy, line?.trim()))?;
    }
    Ok(())
}

/// The answer to a line of standard input.
fn obey(proxy: &Proxy, line: &str) -> Value {
    match line.split_once(' ').unwrap_or((line, "")) {
        ("add", rule) => match rule.parse() {
            Ok(rule) => proxy.add(rule),
            Err(error) => return json!({ "error": error }),
        },
        ("clear", "") => proxy.clear(),
        ("release", "") => proxy.release(),
        ("hanging", "") => return json!({ "hanging": proxy.hanging() }),
        ("counts", "") => {
            let counts = proxy.counts().into_iter();
            let counts: Map<_, _> = counts
                .map(|(kind, count)| (kind.to_string(), count.into()))
                .collect();
            return json!({ "counts": counts });
        }
        _ => {
            return json!({ "error": format!("`{line}` is none of: add RULE, clear, release, hanging, counts") });
        }
    }
    json!({})
}

/// Whether every server answers as the table says.
fn check(kinds: &[Kind]) -> io::Result<bool> {
    let mut as_expected = true;
    for kind in kinds {
        let server = Server::start(*kind).map_err(io::Error::other)?;
        let findings = self_check(&server)?;
        for finding in &findings {
            writeln!(io::stdout(), "{finding}")?;
        }
        as_expected &= findings.iter().all(Finding::is_as_expected);
    }
    Ok(as_expected)
}

fn say(value: &Value) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{value}")?;
    out.flush()
}
