//! Signs requests that are described in JSON, and says what was signed: for comparing with another implementation, or
//! with what a provider says that it computed.
//!
//! `cargo run --example oauth1_sign --all-features -- --keys DIR`
//!
//! Features of tower-oauth: `rsa`.
//!
//! Each line of the input is an object with an `id`, which may be anything, and an `input`:
//!
//! ```json
//! {"id": 1, "input": {"method": "GET", "url": "https://photos.example.net/photos?size=original",
//!  "client_key": "dpf43f3p2l4k3l03", "client_secret": "kd94hf93k423kf44",
//!  "token": "nnch734d00sl2jdk", "token_secret": "pfkkdhi9sl3r4s00",
//!  "signature_method": "HMAC-SHA1", "placement": "header", "nonce": "chapoH", "timestamp": "137131202"}}
//! ```
//!
//! (on one line; `input.rs` has all the fields). Each line, whatever is in it, is answered by one line of output:
//! - `id`;
//! - `base_string`, or null for `PLAINTEXT`;
//! - `signature`, before any escaping;
//! - `authorization`, the value of the header, or null;
//! - `url` and `query` as they are sent; `query` is null when there is no `?`;
//! - `body` as it is sent, or null when there is none. In its place `body_base64` when it is no UTF-8.
//!
//! or by `id` (null when it cannot be made out) and `error`, an object with a `message` and a `kind`:
//!
//! | kind | |
//! |---|---|
//! | `invalid_json` | the line is no JSON |
//! | `invalid_input` | a field is missing, or has a value that it cannot have |
//! | `invalid_method`, `invalid_url`, `invalid_header` | there can be no such request |
//! | `invalid_parameter` | a parameter cannot be sent |
//! | `unknown_signature_method` | |
//! | `missing_key`, `unreadable_key` | there is no private key `DIR/<rsa_key>.pem`, or it is of no use |
//! | others | the names of [`tower_oauth::ErrorKind`], such as `protocol_parameter_present` |
//!
//! It sends nothing, and so it signs for any URL, `PLAINTEXT` over plain http too. What it prints holds secrets.

use std::io::{self, BufRead, Write};
use std::path::PathBuf;
use std::process::ExitCode;

mod failure;
mod input;
mod keys;
mod signing;

pub use keys::Keys;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let keys = match (arguments.next(), arguments.next(), arguments.next()) {
        (None, ..) => None,
        (Some(flag), Some(folder), None) if flag == "--keys" => Some(PathBuf::from(folder)),
        _ => {
            eprintln!("usage: oauth1_sign [--keys DIR] <LINES");
            return ExitCode::from(2);
        }
    };
    match run(io::stdin().lock(), io::stdout().lock(), Keys::new(keys)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("oauth1_sign: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Answers every line. Each answer is flushed, so that a program at the other end can wait for it.
pub fn run(mut lines: impl BufRead, mut answers: impl Write, mut keys: Keys) -> io::Result<()> {
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > 0 {
        let (id, input) = input::read(line.trim_ascii_end());
        let answer = match input.and_then(|input| signing::sign(&input, &mut keys)) {
            Ok(signed) => signed.into_json(id),
            Err(failure) => failure.into_json(id),
        };
        writeln!(answers, "{answer}")?;
        answers.flush()?;
        line.clear();
    }
    Ok(())
}
