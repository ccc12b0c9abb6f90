//! A process that is stopped, taken for dead, and goes on: nothing of it appears, or all of it.
//!
//! Promise P7. Where locks work nobody takes it for dead. So the one that recovers gets every lock it
//! asks for, as on a machine that does not see the locks of others. The process is stopped after each
//! call of its commit in turn.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::child::{Child, Part};
use crate::kills::{
    Point, Rows, Run, SCENARIOS, Scenario, Way, leftovers, prepared, recovered, report, rows,
    sample,
};
use crate::support::skip;

/// Waits until the process is stopped, and gives its number.
fn stopped(child: &mut Child, log: &Path) -> Option<String> {
    loop {
        let running = child.is_running();
        let lines = std::fs::read_to_string(log).unwrap_or_default();
        if let Some(line) = lines
            .lines()
            .find(|line| line.contains("stopped by SIGSTOP"))
        {
            let thread = line.split(' ').next().unwrap();
            let status = std::fs::read_to_string(format!("/proc/{thread}/status")).unwrap();
            let process = status.lines().find_map(|line| line.strip_prefix("Tgid:"));
            return Some(process.unwrap().trim().to_owned());
        }
        if !running {
            return None;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Stops a commit after one of its calls, lets somebody recover who does not see its locks, and lets it
/// go on; gives what it says then.
fn taken_for_dead(run: &Run, point: &Point, root: &Path) -> Option<String> {
    let log = root.with_extension("log");
    let inject = format!("inject={}:signal=STOP:when={}", point.call, point.number);
    let trace = format!("trace={}", point.call);
    let options = ["-o", log.to_str().unwrap(), "-e", &trace, "-e", &inject];
    let mut writer = run.start(&options, root).unwrap();
    let process = stopped(&mut writer, &log)?;
    let mut blind = Child::start_with("flock:retval=0", Part::RecoverOnce, root).unwrap();
    assert_eq!(blind.says().as_deref(), Some("ready"));
    blind.go_on();
    let (said, _) = blind.end();
    assert_eq!(
        said,
        ["done"],
        "recovery while it is stopped after {}",
        point.line
    );
    // Again and again, since another thread that makes as many calls is stopped then too.
    while writer.is_running() {
        let _ = Command::new("kill").args(["-CONT", &process]).output();
        std::thread::sleep(Duration::from_millis(2));
    }
    writer.end().0.pop()
}

#[test]
fn a_commit_that_was_taken_for_dead_and_goes_on_is_there_as_a_whole_or_not_at_all() {
    let (guard, root) = prepared();
    let before = rows(&root);
    drop(guard);
    let plain = SCENARIOS
        .iter()
        .filter(|scenario| scenario.way == Way::Plain);
    std::thread::scope(|scope| {
        plain.for_each(|scenario| drop(scope.spawn(|| stop_everywhere(*scenario, &before))));
    });
}

fn stop_everywhere(scenario: Scenario, before: &Rows) {
    let after = scenario.after(before);
    let run = scenario.run();
    let points = match run.record() {
        Ok(points) => sample(points),
        Err(reason) => return skip(reason),
    };
    let mut ends = BTreeMap::<&str, usize>::new();
    for point in &points {
        let (_guard, root) = prepared();
        let place = format!("{}, stopped after {}", run.name, point.line);
        let said = taken_for_dead(&run, point, &root).unwrap_or_else(|| panic!("{place}"));
        let place = format!("{place}: {said}");
        recovered(&root);
        let found = rows(&root);
        assert!(found == *before || found == after, "{place}: {found:?}");
        let end = match said.split(' ').next() {
            Some("done") => {
                assert_eq!(found, after, "{place}");
                "done"
            }
            Some("PublishedInPart") => {
                assert_eq!(found, after, "{place}");
                "unfinished"
            }
            Some("NotPublished") => {
                let fenced = ["Aborted", "StagingLost"]
                    .iter()
                    .any(|error| said.contains(error));
                assert!(fenced, "{place}");
                assert_eq!(found, *before, "{place}");
                "aborted"
            }
            Some("Unknown") => "unknown",
            _ => panic!("{place}"),
        };
        assert_eq!(leftovers(&root), [""; 0], "{place}");
        *ends.entry(end).or_default() += 1;
    }
    let points = points.len();
    report(format_args!(
        "{}: taken for dead at {points} points: {ends:?}",
        run.name
    ));
}
