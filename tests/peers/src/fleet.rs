//! The example `fleet`, as a process of its own.

use std::env;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::PoisonError;

use crate::process::repository;

/// What the fleet said in the end.
#[derive(Debug)]
pub struct Verdict {
    /// The exit status: 0 when every promise was kept.
    pub code: Option<i32>,
    line: String,
    errors: String,
}

/// Runs the fleet with these arguments, after any other that is running.
///
/// # Panics
///
/// If it cannot be built or started.
pub fn run_fleet(arguments: &[&str]) -> Verdict {
    static RUNNING: Mutex<()> = Mutex::new(());
    let program = program();
    // Two at a time would only wait for each other.
    let _running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    let output = Command::new(program).args(arguments).output().expect("the fleet can be started");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let line = text(&output.stdout).lines().last().unwrap_or_default().to_owned();
    Verdict { code: output.status.code(), line, errors: text(&output.stderr) }
}

impl Verdict {
    /// A count of the last line.
    ///
    /// # Panics
    ///
    /// If it is not there.
    pub fn count(&self, name: &str) -> u64 {
        let count = self.line.split(' ').find_map(|word| word.strip_prefix(&format!("{name}=")));
        count.and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("no {name}: {self:?}"))
    }

    /// # Panics
    ///
    /// If a promise was broken.
    #[track_caller]
    pub fn assert_ok(&self) {
        assert!(self.code == Some(0), "{}\n{}", self.errors, self.line);
        assert!(self.line.starts_with("fleet: ok "), "{}", self.line);
        println!("{}", self.line);
    }
}

/// The example, built as these tests are.
fn program() -> &'static PathBuf {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        // target/debug/deps/this-test
        let this = env::current_exe().expect("the path of this test");
        let profile = this.parent().and_then(|deps| deps.parent()).expect("the folder of the profile");
        let target = profile.parent().expect("the target folder");
        let mut build = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        build.args(["build", "-p", "tower-oauth", "--all-features", "--example", "fleet", "--locked"]);
        if profile.ends_with("release") {
            build.arg("--release");
        }
        build.arg("--target-dir").arg(target).current_dir(repository());
        let Output { status, stderr, .. } = build.output().expect("cargo can be started");
        assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
        profile.join("examples/fleet")
    })
}
