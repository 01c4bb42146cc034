//! Throw-away servers: a Redis or a PostgreSQL of one's own on a free port, with a folder of its own, gone when it is dropped.
//! Only the standard library is used, so that examples can take this file in with `#[path]`.
//!
//! Each server is the child of a small shell script that ends it when the script's standard input closes. So it also ends
//! with a process that crashed or was killed, and with one that never drops it (a `static`).

#![allow(dead_code, reason = "not everybody who takes this file in uses all of it")]

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::Path;
use std::path::PathBuf;
use std::process;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread::sleep;
use std::time::Duration;
use std::time::Instant;

/// How long a server may take to start. PostgreSQL needs one second on an idle machine.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How often another port is tried, when somebody else took the free one.
const PORTS: usize = 5;

/// Runs a server. Its first argument is the signal that ends it, the second one its folder, and the rest is the command. A line
/// on the standard input is a signal to send now; when the input closes, that is the end, and the folder goes as well.
const WATCH: &str = r#"
last=$1 folder=$2; shift 2
exec 3<&0
"$@" </dev/null 3<&- &
server=$!
{ read -r signal <&3; closed=$?; kill -s "${signal:-$last}" "$server"; exit "$closed"; } &
watcher=$!
wait "$server"
kill "$watcher" 2>/dev/null
wait "$watcher"
if [ $? = 1 ]; then rm -rf "$folder" "$folder.log"; fi
"#;

/// A Redis that keeps every change on its disk before it answers.
#[derive(Debug)]
pub struct Redis(Server);

impl Redis {
    /// Starts one.
    ///
    /// # Panics
    /// If there is no `redis-server`, or it does not start.
    pub fn start() -> Self {
        let folder = Folder::new("redis");
        let program = which("redis-server").unwrap_or_else(|| panic!("{}", missing("redis-server")));
        let command = move |folder: &Path, port: u16| {
            let mut command = watched(folder, "KILL", &[]);
            command.arg(&program).args(["--bind", "127.0.0.1", "--port", &port.to_string()]);
            command
                .args(["--appendonly", "yes", "--appendfsync", "always", "--save", "", "--dir"])
                .arg(folder);
            command
        };
        Self(Server::start(folder, Box::new(command), Box::new(answers_ping)))
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.0.port)
    }

    /// Ends it; what it keeps stays.
    pub fn stop(&mut self) {
        self.0.stop("TERM");
    }

    /// Ends it as a crash does.
    pub fn crash(&mut self) {
        self.0.stop("KILL");
    }

    /// Starts it again where it was, after [`stop`](Self::stop) or [`crash`](Self::crash).
    pub fn start_again(&mut self) {
        self.0.start_again();
    }
}

/// A PostgreSQL with one user, `postgres`, who needs no password, and one database, `postgres`.
#[derive(Debug)]
pub struct Postgres(Server);

impl Postgres {
    /// Starts one.
    ///
    /// # Panics
    /// If there is no PostgreSQL, or it does not start.
    pub fn start() -> Self {
        let programs = postgres_programs().unwrap_or_else(|| panic!("{}", missing("PostgreSQL")));
        let folder = Folder::new("postgres");
        if is_root() {
            run(Command::new("chown").arg("postgres:postgres").arg(&folder.0));
        }
        let mut initdb = Command::new("env");
        initdb.args(dropped_rights()).arg(programs.join("initdb")).arg("--pgdata").arg(folder.0.join("data"));
        run(initdb.args([
            "--auth=trust",
            "--username=postgres",
            "--no-sync",
            "--encoding=UTF8",
            "--locale=C",
        ]));
        let server = programs.join("postgres");
        let command = move |folder: &Path, port: u16| {
            let mut command = watched(folder, "QUIT", dropped_rights());
            command.arg(&server).arg("-D").arg(folder.join("data")).args(["-p", &port.to_string()]);
            command.args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]);
            // It outlives a crash of the server, if not one of the machine.
            command.args(["-c", "fsync=off", "-c", "max_connections=300"]);
            command
        };
        Self(Server::start(folder, Box::new(command), Box::new(lets_in)))
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.0.port)
    }

    /// Ends it, with all its connections; what it keeps stays.
    pub fn stop(&mut self) {
        self.0.stop("INT");
    }

    /// Ends it as a crash does.
    pub fn crash(&mut self) {
        self.0.stop("QUIT");
    }

    /// Starts it again where it was, after [`stop`](Self::stop) or [`crash`](Self::crash).
    pub fn start_again(&mut self) {
        self.0.start_again();
    }
}

/// The command for a folder and a port.
type MakeCommand = dyn Fn(&Path, u16) -> Command + Send + Sync;

struct Server {
    folder: Folder,
    command: Box<MakeCommand>,
    is_ready: Box<dyn Fn(u16) -> bool + Send + Sync>,
    port: u16,
    running: Option<Child>,
}

impl Server {
    fn start(
        folder: Folder,
        command: Box<MakeCommand>,
        is_ready: Box<dyn Fn(u16) -> bool + Send + Sync>,
    ) -> Self {
        let mut server = Self { folder, command, is_ready, port: 0, running: None };
        for _ in 0..PORTS {
            server.port = free_port();
            if server.try_start() {
                return server;
            }
        }
        panic!("the server does not start; it said:\n{}", server.log());
    }

    fn start_again(&mut self) {
        assert!(self.running.is_none(), "it was not stopped");
        assert!(self.try_start(), "the server does not start again; it said:\n{}", self.log());
    }

    /// Whether it is ready; otherwise it has ended.
    fn try_start(&mut self) -> bool {
        let log = fs::File::create(self.log_path()).unwrap();
        let mut command = (self.command)(&self.folder.0, self.port);
        command.stdin(Stdio::piped()).stdout(log.try_clone().unwrap()).stderr(log);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let deadline = Instant::now() + READY_WITHIN;
        while !(self.is_ready)(self.port) {
            if Instant::now() > deadline || child.try_wait().unwrap().is_some() {
                end(&mut child, "");
                return false;
            }
            sleep(Duration::from_millis(20));
        }
        self.running = Some(child);
        true
    }

    fn stop(&mut self, signal: &str) {
        end(&mut self.running.take().expect("a server that runs"), signal);
    }

    fn log_path(&self) -> PathBuf {
        self.folder.0.with_extension("log")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Server").field("folder", &self.folder).field("port", &self.port).finish()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.running.take() {
            end(&mut child, "");
        }
        let _ = fs::remove_file(self.log_path());
    }
}

/// Sends the signal, or the last one of all, and waits until the server is gone.
fn end(child: &mut Child, signal: &str) {
    if let Some(mut input) = child.stdin.take() {
        let _ = writeln!(input, "{signal}");
    }
    let _ = child.wait();
}

/// A folder that is removed with all that is in it.
#[derive(Debug)]
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("tower-oauth-{name}-{}-{number}", process::id()));
        // Of a process with the same number that was killed.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The command that watches over a server, which is to be added with its arguments.
fn watched(folder: &Path, last: &str, before: &[&str]) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", WATCH, "sh", last]).arg(folder).args(before);
    command
}

/// What comes before a program of PostgreSQL, which refuses to be root.
fn dropped_rights() -> &'static [&'static str] {
    if is_root() { &["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"] } else { &[] }
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Whether a Redis is ready for commands.
fn answers_ping(port: u16) -> bool {
    answer(port, b"PING\r\n") == Some(*b"+")
}

/// Whether a PostgreSQL lets its user in: the answer to a startup message of protocol 3.0 is then about authentication.
fn lets_in(port: u16) -> bool {
    answer(port, b"\x00\x00\x00\x17\x00\x03\x00\x00user\x00postgres\x00\x00") == Some(*b"R")
}

/// The first byte of what a server answers.
fn answer(port: u16, question: &[u8]) -> Option<[u8; 1]> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
    stream.write_all(question).ok()?;
    let mut first = [0];
    stream.read_exact(&mut first).ok()?;
    Some(first)
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The folder of PostgreSQL's programs: Debian keeps them out of the path, one folder for each version.
fn postgres_programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().filter_map(Result::ok);
    let number = |name: OsString| name.to_str()?.parse::<u32>().ok();
    let folders = versions.filter_map(|entry| Some((number(entry.file_name())?, entry.path().join("bin"))));
    let newest = folders.filter(|(_, folder)| folder.join("initdb").is_file()).max();
    newest
        .map(|(_, folder)| folder)
        .or_else(|| Some(which("initdb")?.canonicalize().ok()?.parent()?.to_owned()))
}

fn which(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(program)).find(|program| program.is_file())
}

fn missing(server: &str) -> String {
    format!("there is no {server}: run ./scripts/test --only setup")
}
