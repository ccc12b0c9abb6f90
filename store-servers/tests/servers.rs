//! Servers start, keep what the table says, and end with whoever started them.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use atomic_arrow_store_servers::{Finding, Kind, Server, or_skip, self_check};
use serde_json::Value;

fn keeps_what_the_table_says(kind: Kind) {
    let Some(server) = or_skip(Server::start(kind)) else {
        return;
    };
    let findings = self_check(&server).unwrap();
    let other: Vec<_> = findings
        .iter()
        .filter(|finding| !finding.is_as_expected())
        .collect();
    let other: Vec<_> = other.into_iter().map(Finding::to_string).collect();
    assert!(other.is_empty(), "{}", other.join("\n"));
}

#[test]
fn seaweedfs_keeps_what_the_table_says() {
    keeps_what_the_table_says(Kind::SeaweedFs);
}

#[test]
fn moto_keeps_what_the_table_says() {
    keeps_what_the_table_says(Kind::Moto);
}

#[test]
fn azurite_keeps_what_the_table_says() {
    keeps_what_the_table_says(Kind::Azurite);
}

#[test]
fn fake_gcs_keeps_what_the_table_says() {
    keeps_what_the_table_says(Kind::FakeGcs);
}

fn answers(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Waits until nobody listens at a port.
fn wait_until_gone(port: u16) {
    // So many that a test which waits in vain fails instead of standing still.
    for _ in 0..3000 {
        if !answers(port) {
            return;
        }
        thread::sleep(Duration::from_millis(20));
    }
    panic!("somebody listens at port {port}");
}

#[test]
fn a_server_ends_with_its_value_also_when_a_test_panics() {
    for kind in Kind::ALL {
        let Some(server) = or_skip(Server::start(kind)) else {
            continue;
        };
        let port = server.port();
        assert!(answers(port));
        let panicked = thread::spawn(move || {
            let _server = server;
            panic!("as a test that fails");
        });
        assert!(panicked.join().is_err());
        assert!(!answers(port), "{kind} outlived its value");
    }
}

/// The program that serves, and the first line that it printed.
fn serve(kind: Kind, args: &[&str]) -> (Child, impl FnMut() -> Value) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_atomic-arrow-store-servers"))
        .args(["serve", kind.name()])
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let next = move || serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    (child, next)
}

#[test]
fn the_program_serves_until_its_standard_input_ends() {
    if or_skip(Server::start(Kind::Moto)).is_none() {
        return;
    }
    let (mut child, mut next) = serve(
        Kind::Moto,
        &["--bucket", "lake", "--fault", "head=404-before"],
    );
    let ready = next();
    assert_eq!(ready["url"], "s3://lake");
    assert_eq!(ready["options"]["aws_endpoint"], ready["endpoint"]);
    let port_of = |name: &str| -> u16 {
        let (_, port) = ready[name].as_str().unwrap().rsplit_once(':').unwrap();
        port.parse().unwrap()
    };
    let port = port_of("endpoint");
    assert_ne!(port_of("server"), port);
    assert!(answers(port_of("server")));
    assert!(answers(port));

    let mut stdin = child.stdin.take().unwrap();
    let mut ask = |line: &str| {
        writeln!(stdin, "{line}").unwrap();
        next()
    };
    assert_eq!(ask("counts"), serde_json::json!({ "counts": {} }));
    assert_eq!(ask("add get:1=drop-reply"), serde_json::json!({}));
    assert_eq!(ask("clear"), serde_json::json!({}));
    assert_eq!(ask("release"), serde_json::json!({}));
    assert!(ask("add get").get("error").is_some());
    assert!(ask("stop").get("error").is_some());
    drop(stdin);
    assert!(child.wait().unwrap().success());
    assert!(!answers(port));
}

#[cfg(target_os = "linux")]
#[test]
fn a_server_ends_with_a_process_that_is_killed() {
    if or_skip(Server::start(Kind::Moto)).is_none() {
        return;
    }
    let (mut child, mut next) = serve(Kind::Moto, &[]);
    next();
    let ports = listening(child.id());
    assert!(!ports.is_empty());
    child.kill().unwrap();
    child.wait().unwrap();
    ports.into_iter().for_each(wait_until_gone);
}

/// The loopback ports at which a process and its descendants listen.
#[cfg(target_os = "linux")]
fn listening(process: u32) -> Vec<u16> {
    let children = std::fs::read_to_string(format!("/proc/{process}/task/{process}/children"))
        .unwrap_or_default();
    let sockets = std::fs::read_dir(format!("/proc/{process}/fd"))
        .into_iter()
        .flatten()
        .flatten();
    let sockets: Vec<_> = sockets
        .filter_map(|fd| std::fs::read_link(fd.path()).ok())
        .collect();
    let table = std::fs::read_to_string(format!("/proc/{process}/net/tcp")).unwrap_or_default();
    let mut ports = Vec::new();
    for line in table.lines().skip(1) {
        let fields: Vec<_> = line.split_whitespace().collect();
        let is_ours = sockets
            .iter()
            .any(|socket| socket.to_string_lossy() == format!("socket:[{}]", fields[9]));
        // 0A is the state of a socket that listens.
        if is_ours && fields[3] == "0A" {
            let (_, port) = fields[1].split_once(':').unwrap();
            ports.push(u16::from_str_radix(port, 16).unwrap());
        }
    }
    ports.extend(
        children
            .split_whitespace()
            .flat_map(|child| listening(child.parse().unwrap())),
    );
    ports
}
