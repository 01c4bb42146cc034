//! An example of the crate, as a process of its own.

use std::env;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use crate::process::keep;
use crate::process::lines;
use crate::process::repository;
use crate::process::text;

/// How long a program may take to say a line that is waited for, or to end. It takes far less than a second.
const WITHIN: Duration = Duration::from_secs(60);

/// A running example. It is killed when this is dropped, or when the process that started it is gone.
#[derive(Debug)]
pub struct Program {
    child: Child,
    /// Kills it as soon as its own standard input is closed.
    watch: Child,
    lines: mpsc::Receiver<String>,
    said: String,
    errors: Arc<Mutex<Vec<u8>>>,
}

/// What a program left behind.
#[derive(Debug)]
pub struct Ended {
    /// The exit status: 0 when all went well.
    pub code: Option<i32>,
    /// Its standard output.
    pub said: String,
    /// Its standard error.
    pub errors: String,
}

impl Program {
    /// Builds the example, and starts it with these variables and none else that begin with `OAUTH2_`.
    ///
    /// # Panics
    ///
    /// If it cannot be built or started.
    pub fn start(name: &str, arguments: &[&str], settings: &[(&str, &str)]) -> Self {
        let mut command = Command::new(example(name));
        for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("OAUTH2_")) {
            command.env_remove(name);
        }
        command.args(arguments).envs(settings.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{name} cannot be started: {error}"));
        let mut watch = Command::new("sh");
        watch.args(["-c", &format!("cat >/dev/null; kill {}", child.id())]).stdin(Stdio::piped());
        let watch = watch.spawn().expect("a shell");
        let errors = keep(child.stderr.take().expect("a piped standard error"));
        let lines = lines(child.stdout.take().expect("a piped standard output"));
        Self { child, watch, lines, said: String::new(), errors }
    }

    /// Waits for a line in which `find` finds something.
    ///
    /// # Panics
    ///
    /// If there is none within a minute.
    pub fn wait_for<T>(&mut self, find: impl Fn(&str) -> Option<T>) -> T {
        let deadline = Instant::now() + WITHIN;
        while let Some(line) = self.next_line(deadline) {
            if let Some(found) = find(&line) {
                return found;
            }
        }
        panic!("the line never came; the program said\n{}{}", self.said, text(&self.errors));
    }

    /// Waits for its end.
    ///
    /// # Panics
    ///
    /// If it does not end within a minute.
    pub fn end(mut self) -> Ended {
        let deadline = Instant::now() + WITHIN;
        while self.next_line(deadline).is_some() {}
        let code = loop {
            if let Some(status) = self.child.try_wait().expect("a child of this process") {
                break status.code();
            }
            assert!(Instant::now() < deadline, "it does not end; it said\n{}", self.said);
            thread::sleep(Duration::from_millis(10));
        };
        Ended { code, said: std::mem::take(&mut self.said), errors: text(&self.errors) }
    }

    fn next_line(&mut self, deadline: Instant) -> Option<String> {
        let line = self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())).ok()?;
        self.said += &format!("{line}\n");
        Some(line)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // The watch first, lest it kill another process with the number of one that is gone.
        let _ = self.watch.kill();
        let _ = self.watch.wait();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program of an example, built as these tests are.
pub(crate) fn example(name: &str) -> PathBuf {
    // target/debug/deps/this-test
    let this = env::current_exe().expect("the path of this test");
    let profile = this.parent().and_then(|deps| deps.parent()).expect("the folder of the profile");
    let target = profile.parent().expect("the target folder");
    let mut build = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    build.args(["build", "-p", "tower-oauth", "--all-features", "--example", name, "--locked"]);
    // What cargo says of these tests to themselves would have some dependencies compiled anew, as if they were others.
    for (name, _) in env::vars_os() {
        let known = name.to_string_lossy();
        if ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_"].iter().any(|prefix| known.starts_with(prefix)) {
            build.env_remove(&name);
        }
    }
    if profile.ends_with("release") {
        build.arg("--release");
    }
    build.arg("--target-dir").arg(target).current_dir(repository());
    let Output { status, stderr, .. } = build.output().expect("cargo can be started");
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    profile.join("examples").join(name)
}
