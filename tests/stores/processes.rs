//! Processes that are killed.

use std::env;
use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use tower_oauth::store::FileStore;
use tower_oauth::token::TokenStore;

use crate::generation;
use crate::put;

/// Names the file of tokens to the process that is to be killed.
const VICTIM: &str = "TOWER_OAUTH_TESTS_VICTIM";

#[test]
fn a_process_that_is_killed_while_it_writes_leaves_a_whole_file_and_what_it_was_told_is_stored() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.json");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut before = 0;
    for lines in 1..=10 {
        let mut victim = Command::new(env::current_exe().unwrap())
            .args(["--exact", "processes::the_victim", "--nocapture", "--test-threads=1"])
            .env(VICTIM, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(victim.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut stored = output.filter_map(|line| line.strip_prefix("stored ")?.parse::<u64>().ok());
        let seen = stored.nth(lines).unwrap();
        victim.kill().unwrap();
        victim.wait().unwrap();
        // What it wrote between the last line that was read and its end.
        let last = stored.last().unwrap_or(seen);
        runtime.block_on(async {
            let store = FileStore::new(&path);
            let there = generation(&store, "alice").await.unwrap();
            assert!((last..=last + 1).contains(&there), "{there} is stored, and {last} was");
            assert!(there > before);
            before = there;
            // Its lock ended with it; its lease did not.
            put(&store, "bob", (lines > 1).then_some(lines as u64 - 1), lines as u64).await;
            let minute = Duration::from_secs(60);
            assert!(!store.lease(&"alice".into(), "me", minute).await.unwrap());
            assert!(store.lease(&"alice".into(), "victim", minute).await.unwrap());
        });
    }
    let mut names: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["tokens.json", "tokens.json.leases", "tokens.json.lock"]);
}

/// The process that is killed, when the test above starts it; nothing otherwise.
#[tokio::test]
async fn the_victim() {
    let Some(path) = env::var_os(VICTIM) else { return };
    let (store, key) = (FileStore::new(path), "alice".into());
    assert!(store.lease(&key, "victim", Duration::from_secs(3600)).await.unwrap());
    let mut expected = generation(&store, "alice").await;
    loop {
        let next = expected.unwrap_or(0) + 1;
        put(&store, "alice", expected, next).await;
        println!("stored {next}");
        expected = Some(next);
    }
}
