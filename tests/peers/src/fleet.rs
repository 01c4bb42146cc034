//! The example `fleet`, as a process of its own.

use std::process::Command;
use std::sync::Mutex;
use std::sync::PoisonError;

use crate::program::example;

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
    let program = example("fleet");
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
