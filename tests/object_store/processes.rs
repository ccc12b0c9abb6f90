//! Real processes that write to a real server: many at once, and some that are killed.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use atomic_arrow::{CommitMode, ObjectStoreOptions};
use atomic_arrow_store_servers::{Kind, Moment, Proxy, Server, or_skip};

use crate::lake::{Lake, owned, write};
use crate::servers::{Options, lake_at};

/// What a child does; nothing in the test's own process.
const TASK: &str = "ATOMIC_ARROW_TEST_TASK";
const SETTINGS: &str = "ATOMIC_ARROW_TEST_SETTINGS";
/// After this time without a sign of life a writer is dead, for whoever recovers.
const SOON: Duration = Duration::from_secs(2);

/// This test binary again, as a process that does one task.
fn child(task: &str, url: &str, options: &Options) -> Child {
    let settings = serde_json::json!({"url": url, "options": options});
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "processes::a_child_does_its_task", "--nocapture"])
        .env(TASK, task)
        .env(SETTINGS, settings.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn a_child_does_its_task() {
    let Ok(task) = std::env::var(TASK) else {
        return;
    };
    let settings: serde_json::Value =
        serde_json::from_str(&std::env::var(SETTINGS).unwrap()).unwrap();
    let url = settings["url"].as_str().unwrap();
    let mut options = ObjectStoreOptions::new();
    for pair in settings["options"].as_array().unwrap() {
        options = options.set(pair[0].as_str().unwrap(), pair[1].as_str().unwrap());
    }
    let lake = Lake::new(
        Arc::new(atomic_arrow::object_store::memory::InMemory::new()),
        options,
        url,
    );
    let acknowledge = |what: String| {
        let mut out = std::io::stdout().lock();
        writeln!(out, "acknowledged {what}").unwrap();
        out.flush().unwrap();
    };
    if let Some(number) = task.strip_prefix("crowd ") {
        let number: u32 = number.parse().unwrap();
        let (shared, own) = (format!("S{}", number % 3), format!("P{number}"));
        for turn in 0..3_u32 {
            let value = f64::from(number * 100 + turn);
            lake.write(CommitMode::Append, &[(&shared, value)]).unwrap();
            acknowledge(format!("{shared} {value}"));
            lake.write(CommitMode::OverwritePartitions, &[(&own, value)])
                .unwrap();
        }
        acknowledge(format!("{own} {}", number * 100 + 2));
    } else {
        let rows = [("KJFK", 7.0), ("KLAX", 8.0), ("KORD", 9.0)];
        let mode = task.parse().unwrap();
        // Whoever recovers has no less patience than the writer asks for.
        let options = lake.options().for_tests().dead_after(SOON);
        let builder = lake.builder().object_store(options).mode(mode);
        write(builder, &rows).unwrap();
        acknowledge("all".to_owned());
    }
}

/// The lines in which a child says what was committed.
fn acknowledged(child: Child) -> (bool, Vec<String>) {
    let done = child.wait_with_output().unwrap();
    let said = String::from_utf8(done.stdout).unwrap();
    let lines = said.lines().filter_map(|line| {
        line.split_once("acknowledged ")
            .map(|(_, what)| what.to_owned())
    });
    let lines = lines.collect();
    (done.status.success(), lines)
}

#[test]
fn sixteen_processes_lose_no_row_and_double_none() {
    let Some(server) = or_skip(Server::start(Kind::SeaweedFs)) else {
        return;
    };
    server.make_bucket("lake").unwrap();
    let (url, options) = (server.url("lake"), server.options());
    let children: Vec<Child> = (0..16)
        .map(|number| child(&format!("crowd {number}"), &url, &options))
        .collect();
    let mut expected: Vec<String> = Vec::new();
    for child in children {
        let (ended_well, lines) = acknowledged(child);
        assert!(ended_well, "{lines:?}");
        expected.extend(lines);
    }
    let lake = lake_at(Kind::SeaweedFs, &url, &options);
    let rows = lake.rows();
    let found: Vec<String> = rows
        .iter()
        .map(|(station, value)| format!("{station} {value}"))
        .collect();
    assert_eq!(found.len(), expected.len());
    let sorted = |lines: Vec<String>| lines.into_iter().collect::<BTreeSet<_>>();
    assert_eq!(sorted(found), sorted(expected));
    assert_eq!(lake.leftovers(), Vec::<String>::new());
}

/// Whether a child ended well, and whether its rows are there.
type Killed = (bool, bool);

/// Kills children at every so many of their requests; each request is let fail where the store is in memory.
fn kill_at_requests(kind: Kind, mode: CommitMode, step: usize, outcomes: &mut BTreeSet<Killed>) {
    let Some(server) = or_skip(Server::start(kind)) else {
        return;
    };
    let seeded = [("KJFK", 1.0), ("KSEA", 2.0)];
    for (turn, number) in (1..60).step_by(step).enumerate() {
        let bucket = format!("lake-{turn}");
        server.make_bucket(&bucket).unwrap();
        let direct = lake_at(kind, &server.url(&bucket), &server.options());
        direct.write(CommitMode::Append, &seeded).unwrap();
        let before = direct.rows();
        let proxy = Proxy::in_front_of(&server).unwrap();
        let victim = Arc::new(Mutex::new(None::<u32>));
        {
            let victim = Arc::clone(&victim);
            proxy.on_request(move |moment, seen| {
                if moment == Moment::Arrived
                    && seen.number == number
                    && let Some(process) = *victim.lock().unwrap()
                {
                    let mut kill = Command::new("kill");
                    kill.args(["-9", &process.to_string()]).status().unwrap();
                }
            });
        }
        let mut held = victim.lock().unwrap();
        let child = child(mode.name(), &proxy.url(&bucket), &proxy.options());
        *held = Some(child.id());
        drop(held);
        let (ended_well, lines) = acknowledged(child);
        std::thread::sleep(SOON * 2);
        let options = direct.options().for_tests().dead_after(SOON);
        let recovery = atomic_arrow::recover_with_options(
            direct.root(),
            &atomic_arrow::RecoverOptions::new().object_store(options),
        );
        let recovery = recovery.unwrap();
        assert!(recovery.failed.is_empty(), "{number}: {recovery:?}");
        let rows = direct.rows();
        let new = rows.contains(&("KORD".to_owned(), 9.0));
        if new {
            let mut all = match mode {
                CommitMode::Overwrite => Vec::new(),
                _ => before.clone(),
            };
            all.extend(owned(&[("KJFK", 7.0), ("KLAX", 8.0), ("KORD", 9.0)]));
            all.sort_by(|one, other| one.partial_cmp(other).unwrap());
            assert_eq!(rows, all, "killed at request {number}");
        } else {
            assert_eq!(rows, before, "killed at request {number}");
        }
        assert!(new || lines.is_empty(), "{number}: acknowledged and lost");
        let mut left = direct.leftovers();
        left.retain(|key| !key.ends_with(".late"));
        assert_eq!(left, Vec::<String>::new(), "killed at request {number}");
        outcomes.insert((ended_well, new));
    }
}

fn kill_on_each_server(mode: CommitMode) {
    let mut outcomes = BTreeSet::new();
    kill_at_requests(Kind::SeaweedFs, mode, 6, &mut outcomes);
    for kind in [Kind::Moto, Kind::Azurite, Kind::FakeGcs] {
        kill_at_requests(kind, mode, 20, &mut outcomes);
    }
    if outcomes.is_empty() {
        // No server runs here, which was said.
        return;
    }
    // Killed before the decision, and after it.
    for outcome in [(false, false), (false, true)] {
        assert!(outcomes.contains(&outcome), "{outcomes:?}");
    }
}

#[cfg(unix)]
#[test]
fn an_append_that_is_killed_is_there_or_not() {
    kill_on_each_server(CommitMode::Append);
}

#[cfg(unix)]
#[test]
fn an_overwrite_that_is_killed_is_there_or_not() {
    kill_on_each_server(CommitMode::Overwrite);
}
