//! The table of what passed: grants × ways to prove who a client is × peers.
//!
//! Each test that got a token and used it says so with [`passed`]. When `PEER_TABLE` names a file, the lines go there;
//! `./scripts/test --only peers` prints them, sorted, when all tests are through.

use std::fs::OpenOptions;
use std::io::Write;

/// Notes that a token by `grant` for a client that proved itself by `authentication` was good at `peer`.
///
/// # Panics
///
/// If the line cannot be written.
pub fn passed(grant: &str, authentication: &str, peer: &str) {
    let Some(file) = std::env::var_os("PEER_TABLE") else { return };
    let mut file = OpenOptions::new().append(true).create(true).open(file).expect("the table");
    // In one piece, because many tests write at once.
    file.write_all(format!("| {grant} | {authentication} | {peer} |\n").as_bytes())
        .expect("a line of the table");
}
