//! Roots and paths that are URLs: on a real server that speaks the protocol of S3.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use atomic_arrow_store_servers::{Fault, Kind, Proxy, RequestKind, Rule, Server, or_skip};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::run::{KEYS, Place, Ran, testdata, wait_until};

/// What no message may have in it.
const SECRET: &str = "no-message-has-this";

/// A server with the bucket `lake`, behind a proxy, and a directory to run the command in.
struct Lake {
    proxy: Proxy,
    _server: Server,
    place: Place,
}

impl Lake {
    #[track_caller]
    fn start() -> Option<Self> {
        let server = or_skip(Server::start(Kind::SeaweedFs))?;
        server.make_bucket("lake").unwrap();
        Some(Lake {
            proxy: Proxy::in_front_of(&server).unwrap(),
            _server: server,
            place: Place::new(),
        })
    }

    /// The command with the server in its environment.
    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.place.command(args);
        unset_stores(&mut command);
        for (name, value) in self.proxy.options() {
            command.env(name.to_uppercase(), value);
        }
        command.env("AWS_SECRET_ACCESS_KEY", SECRET);
        command
    }

    #[track_caller]
    fn run(&self, args: &[&str]) -> Ran {
        let ran = Ran::from(self.command(args).output().unwrap());
        for text in [&ran.stdout, &ran.stderr] {
            assert!(!text.contains(SECRET), "{args:?}: {text}");
        }
        ran
    }

    fn start_command(&self, args: &[&str]) -> Child {
        let mut command = self.command(args);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    #[track_caller]
    fn inspect(&self, root: &str) -> Value {
        let ran = self.run(&["inspect", root, "--json"]).exits(0);
        ran.json()["totals"].clone()
    }

    #[track_caller]
    fn recover(&self) -> Value {
        let ran = self.run(&["recover", ROOT, "--json"]).exits(0);
        ran.json()
    }
}

/// Takes what the machine may have set for stores.
fn unset_stores(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if ["AWS_", "AZURE_", "GOOGLE_"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
        {
            command.env_remove(&*name);
        }
    }
}

const ROOT: &str = "s3://lake/weather";

/// The arguments that write the weather, with more of them.
fn weather<'a>(input: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut args = vec!["write", input, "--to", ROOT, "--partition-by", KEYS];
    args.extend(more);
    args
}

#[test]
fn a_data_set_in_a_bucket_is_written_looked_at_and_overwritten_as_one_on_a_disk() {
    let Some(lake) = Lake::start() else { return };
    let input = testdata("weather.csv");
    let written = lake.run(&weather(&input, &[])).exits(0);
    written.prints("s3://lake/weather: 26,115 rows in 36 files of 36 partitions");
    assert_eq!(lake.inspect(ROOT)["rows"], 26_115);
    let checked = lake.run(&["verify", ROOT, "--level", "decode"]).exits(0);
    checked.prints("36 sound, 0 damaged; 26,115 rows");

    let refused = lake.run(&weather(&input, &["--mode", "error-if-exists"]));
    refused
        .exits(5)
        .says("s3://lake/weather/station_id=EWR/year=2013/month=")
        .says("has files already");
    lake.run(&weather(&input, &["--mode", "overwrite-partitions", "-q"]))
        .exits(0);
    assert_eq!(lake.inspect(ROOT)["files"], 36);
    lake.run(&weather(&input, &["--write-id", "monday", "-q"]))
        .exits(0);
    let again = lake
        .run(&weather(&input, &["--write-id", "monday"]))
        .exits(0);
    again.prints("already committed");
    assert_eq!(lake.inspect(ROOT)["files"], 72);

    let planned = lake.run(&weather(&input, &["--dry-run"])).exits(0);
    planned.prints("26,115 rows for 36 partitions; dry run, nothing was written");
    lake.run(&["recover", ROOT])
        .exits(0)
        .prints("left 0 of live ones");
    assert_eq!(lake.inspect(ROOT)["files"], 72);
}

#[test]
fn a_data_set_is_written_to_azure_and_to_google_by_its_url() {
    let input = testdata("weather.csv");
    for kind in [Kind::Azurite, Kind::FakeGcs] {
        let Some(server) = or_skip(Server::start(kind)) else {
            continue;
        };
        server.make_bucket("lake").unwrap();
        let root = format!("{}/weather", server.url("lake"));
        let place = Place::new();
        let run = |args: &[&str]| {
            let mut command = place.command(args);
            unset_stores(&mut command);
            for (name, value) in server.options() {
                command.args(["--storage-option", &format!("{name}={value}")]);
            }
            Ran::from(command.output().unwrap())
        };
        let write = ["write", &input, "--to", &root, "--partition-by", KEYS];
        let written = run(&write).exits(0);
        written.prints("26,115 rows in 36 files of 36 partitions");
        run(&[&write[..], &["--mode", "overwrite"]].concat()).exits(0);
        let checked = run(&["verify", &root, "--level", "decode"]).exits(0);
        checked.prints("36 sound, 0 damaged; 26,115 rows");
        let single = format!("{}/single.csv", server.url("lake"));
        run(&["put", &input, &single]).exits(0);
        run(&["put", &input, &single]).exits(5);
        let recovered = run(&["recover", &root]).exits(0);
        recovered.prints("left 0 of live ones");
    }
}

#[test]
fn single_files_are_put_into_a_bucket() {
    let Some(lake) = Lake::start() else { return };
    let input = testdata("weather.csv");
    let put = ["put", &input, "s3://lake/raw/weather.csv", "--check", "csv"];
    lake.run(&put)
        .exits(0)
        .prints("s3://lake/raw/weather.csv: ");
    lake.run(&put)
        .exits(5)
        .says("s3://lake/raw/weather.csv: already exists");
    lake.run(&[&put[..], &["--replace"]].concat()).exits(0);
    let one = lake.run(&["write", &input, "--to", "s3://lake/cache/weather.parquet"]);
    one.exits(0).prints("one file of 26,115 rows");
    let checked = lake
        .run(&["verify", "s3://lake/cache", "s3://lake/raw/weather.csv"])
        .exits(0);
    checked.prints("2 files checked (footer): 2 sound");
}

#[test]
fn what_is_staged_in_a_bucket_is_committed_or_discarded() {
    let Some(lake) = Lake::start() else { return };
    let input = testdata("weather.csv");
    let stage = [
        "stage",
        &input,
        "--to",
        ROOT,
        "--partition-by",
        "origin",
        "-q",
    ];
    for name in ["committed.json", "discarded.json"] {
        let record = lake.run(&stage).exits(0).stdout;
        assert!(record.contains(ROOT), "{record}");
        lake.place.file(name, record);
    }
    let waiting = lake.recover();
    assert_eq!(waiting["staged"].as_array().unwrap().len(), 2);
    assert_eq!(waiting["staged"][0]["rows"], 26_115);
    lake.run(&["discard", "discarded.json"])
        .exits(0)
        .prints(ROOT);
    lake.run(&["commit", "committed.json"])
        .exits(0)
        .prints("26,115 rows in 3 files");
    assert_eq!(lake.inspect(ROOT)["files"], 3);
    lake.run(&["commit", "discarded.json"])
        .exits(1)
        .says("no longer staged");
    assert_eq!(lake.recover()["staged"], Value::Array(Vec::new()));
}

/// A write whose staged files do not reach the server.
fn stuck(lake: &Lake, input: &str) -> Child {
    for kind in [RequestKind::Put, RequestKind::PutCreate] {
        lake.proxy
            .add(Rule::every(kind, Fault::Hang).keys("*.files/*.staged"));
    }
    let child = lake.start_command(&weather(input, &[]));
    wait_until("a file is being staged", || lake.proxy.hanging() > 0);
    child
}

#[test]
fn a_writer_that_was_killed_is_told_of_and_holds_up_nobody() {
    let Some(lake) = Lake::start() else { return };
    let input = testdata("weather.csv");
    let mut child = stuck(&lake, &input);
    child.kill().unwrap();
    child.wait().unwrap();
    lake.proxy.clear();
    lake.proxy.release();
    // By the clock of the store it may be alive still.
    assert_eq!(lake.recover()["alive"].as_array().unwrap().len(), 1);
    let told = lake
        .run(&["recover", ROOT, "--dead-after", "1min"])
        .exits(0);
    told.prints("its writer is alive")
        .prints("left 1 of live ones");
    lake.run(&weather(&input, &["-q"])).exits(0);
    assert_eq!(lake.inspect(ROOT)["files"], 36);
}

#[test]
fn a_long_wait_for_a_writer_that_was_killed_is_told_of() {
    let Some(lake) = Lake::start() else { return };
    let input = testdata("weather.csv");
    let overwrite = weather(&input, &["-q", "--mode", "overwrite"]);
    lake.proxy.add(Rule::every(RequestKind::Copy, Fault::Hang));
    let mut killed = lake.start_command(&overwrite);
    wait_until("it publishes", || lake.proxy.hanging() > 0);
    killed.kill().unwrap();
    killed.wait().unwrap();
    lake.proxy.clear();
    lake.proxy.release();
    let mut waiting = lake.start_command(&overwrite);
    let stderr = BufReader::new(waiting.stderr.take().unwrap());
    let told = stderr.lines().next().unwrap().unwrap();
    waiting.kill().unwrap();
    waiting.wait().unwrap();
    assert!(
        told.starts_with("s3://lake/weather: waits for another writer"),
        "{told}"
    );
    assert!(told.contains("after 900 s it is taken for dead"), "{told}");
}

#[test]
fn an_interrupt_publishes_nothing_and_leaves_nothing() {
    let Some(lake) = Lake::start() else { return };
    let input = testdata("weather.csv");
    lake.run(&weather(&input, &["-q"])).exits(0);
    let child = stuck(&lake, &input);
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    lake.proxy.clear();
    lake.proxy.release();
    let ran = Ran::from(child.wait_with_output().unwrap());
    ran.exits(130).says("interrupted: nothing was published");
    assert_eq!(lake.inspect(ROOT)["files"], 36);
    let left = lake.recover();
    for what in ["finished", "aborted", "removed", "alive", "failed"] {
        assert_eq!(left[what], Value::Array(Vec::new()), "{what}");
    }
}

#[test]
fn what_is_wrong_with_a_store_is_said_with_what_to_do() {
    let Some(lake) = Lake::start() else { return };
    let input = testdata("weather.csv");
    let run = |args: &[&str], without: &[&str], with: &[(&str, &str)]| {
        let mut command = lake.command(args);
        for name in without {
            command.env_remove(name);
        }
        let ran = Ran::from(command.envs(with.iter().copied()).output().unwrap());
        assert!(!ran.stderr.contains(SECRET), "{}", ran.stderr);
        ran
    };
    let to = |url| ["write", &input, "--to", url];
    let missing = run(&to("s3://no-such-bucket/weather"), &[], &[]);
    missing.exits(1).says("hint: check the name of the bucket");
    for command in ["inspect", "verify", "recover"] {
        let missing = run(&[command, "s3://no-such-bucket/weather"], &[], &[]);
        missing.says("hint: the bucket or container is not there");
    }
    let typo = run(&["inspect", "s3://lake/wether"], &[], &[]);
    typo.exits(1).says("no object is there, nor any below it");
    let http = run(&to(ROOT), &["AWS_ALLOW_HTTP"], &[]);
    http.exits(1)
        .says("hint: the endpoint is http://")
        .says("AWS_ALLOW_HTTP=true");
    let down = run(&to(ROOT), &[], &[("AWS_ENDPOINT", "http://127.0.0.1:1")]);
    down.exits(1)
        .says("Connection refused")
        .says("hint: check the endpoint");
    let timed = [("AWS_TIMEOUT", SECRET)];
    run(&to(ROOT), &[], &timed)
        .exits(2)
        .says("object store: ")
        .says("AWS_TIMEOUT: Generic");
}

/// The command with these variables of stores and no others, which no server answers.
#[track_caller]
fn alone(args: &[&str], variables: &[(&str, &str)]) -> Ran {
    let place = Place::new();
    let mut command = place.command(args);
    unset_stores(&mut command);
    let ran = Ran::from(command.envs(variables.iter().copied()).output().unwrap());
    assert!(!ran.stderr.contains(SECRET), "{}", ran.stderr);
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    ran
}

#[test]
fn an_address_that_is_none_is_refused_by_the_name_of_its_setting() {
    for address in [
        "",
        "127.0.0.1:1",
        "localhost:9000",
        "http:///x",
        "http://",
        "ftp://a",
    ] {
        for (url, name) in [
            ("s3://lake/x", "AWS_ENDPOINT_URL"),
            ("s3://lake/x", "AWS_ENDPOINT_URL_S3"),
            ("az://lake/x", "AZURE_STORAGE_ENDPOINT"),
            ("gs://lake/x", "GOOGLE_BASE_URL"),
        ] {
            let refused = format!("object store: {name} is no address of a store");
            alone(&["inspect", url], &[(name, address)])
                .exits(2)
                .says(&refused);
            let setting = format!("{}={address}", name.to_lowercase());
            let refused = refused.replace(name, &name.to_lowercase());
            let ran = alone(
                &["inspect", url, "--storage-option", &setting],
                &[(name, "http://127.0.0.1:1")],
            );
            ran.exits(2).says(&refused);
        }
    }
    let account = r#"{"private_key": "", "private_key_id": "", "client_email": "", "disable_oauth": true,
                      "gcs_base_url": "127.0.0.1:1"}"#;
    let ran = alone(
        &["inspect", "gs://lake/x"],
        &[("GOOGLE_SERVICE_ACCOUNT_KEY", account)],
    );
    ran.exits(2)
        .says("gcs_base_url of the service account is no address");
    let ran = alone(&["inspect", "s3://lake/x"], &[("AWS_TIMEOUT", "5")]);
    ran.exits(2)
        .says("AWS_TIMEOUT: ")
        .says("\"5\"")
        .says("a time has its unit");
}

#[test]
fn a_url_with_more_than_bucket_and_key_is_refused_and_no_credentials_of_it_are_told() {
    let input = testdata("weather.csv");
    for url in [
        "s3://lake:9000/x",
        "s3://lake?region=eu/x",
        "s3://lake//x",
        "s3://lake/x//",
        &format!("s3://key:{SECRET}@lake/x"),
    ] {
        for args in [
            &["inspect", url][..],
            &["verify", url],
            &["recover", url],
            &["put", &input, url],
            &["write", &input, "--to", url],
        ] {
            let ran = alone(args, &[("AWS_ENDPOINT_URL", "http://127.0.0.1:1")]);
            let ran = ran.exits(1);
            assert!(!ran.stderr.contains("Connect"), "{args:?}: {}", ran.stderr);
        }
    }
}

#[test]
fn settings_are_given_as_options_too_and_no_message_has_their_values() {
    let Some(lake) = Lake::start() else { return };
    let input = testdata("weather.csv");
    let settings: Vec<String> = lake
        .proxy
        .options()
        .into_iter()
        .map(|(name, value)| format!("--storage-option={}={value}", name.to_uppercase()))
        .collect();
    let run = |args: &[&str]| {
        let mut command = lake.place.command(args);
        unset_stores(&mut command);
        let ran = Ran::from(command.output().unwrap());
        assert!(!ran.stderr.contains(SECRET), "{}", ran.stderr);
        ran
    };
    let mut args = weather(
        &input,
        &[
            "--spool",
            ".",
            "--part-size",
            "5MiB",
            "--parallel-requests",
            "2",
        ],
    );
    args.extend(settings.iter().map(String::as_str));
    run(&args).exits(0);
    assert_eq!(lake.inspect(ROOT)["rows"], 26_115);
    assert!(
        lake.place.files("").is_empty(),
        "{:?}",
        lake.place.files("")
    );

    let with = |setting: &str| run(&["inspect", ROOT, "--storage-option", setting]).exits(2);
    with(SECRET).says("--storage-option: is a name and a value");
    with(&format!("={SECRET}")).says("--storage-option: is a name and a value");
    with(&format!("aws_regoin={SECRET}")).says("\"aws_regoin\" is no setting");
    with(&format!("aws_allow_http={SECRET}")).says("object store: aws_allow_http: ");
    let local = run(&["inspect", ".", "--storage-option", "aws_region=x"]).exits(2);
    local.says("--storage-option: is for object stores, and . is no URL of one");
    let small = run(&weather(&input, &["--part-size", "1MiB"])).exits(2);
    small.says("--part-size: is 5 MiB at least");
}

#[test]
fn the_events_of_a_write_to_a_store_are_told_as_of_one_to_a_disk() {
    let Some(lake) = Lake::start() else { return };
    let input = testdata("weather.csv");
    let mut command = lake.command(&weather(&input, &["--quiet"]));
    let ran = Ran::from(command.env("ATOMIC_ARROW_LOG", "debug").output().unwrap()).exits(0);
    assert!(!ran.stderr.contains(SECRET), "{}", ran.stderr);
    for target in [
        "atomic_arrow::write",
        "atomic_arrow::commit",
        "atomic_arrow::store",
    ] {
        assert!(
            ran.stderr.contains(target),
            "no {target} in: {}",
            ran.stderr
        );
    }
}
