//! Drives many clients for a while over loopback, with tokens that live for a second and are revoked at random, and gives
//! a verdict.
//!
//! ```sh
//! cargo run --release --all-features --example soak -- --seconds 60
//! cargo run --release --all-features --example soak -- --keys 1000000
//! ```
//!
//! Features of tower-oauth: `client`, `testing`.
//!
//! Each client is what an application would build: a hyper client in an [`OAuth2Layer`](tower_oauth::OAuth2Layer), and a
//! [`TokenManager`](tower_oauth::TokenManager) that renews. Half of them have client credentials, a quarter a refresh
//! token that rotates, and the rest are tenants of one manager. Each sends several requests at a time, replays bodies, and
//! now and then goes away in the middle of a request. The other side is `tower_oauth::testing::Provider` on a port of this
//! machine; in front of it sits the judge, who sees what was really sent.
//!
//! The promises:
//! - no request comes without a token;
//! - no request carries a token of which its client knew, when it chose it, that it had expired, or that it had been
//!   refused;
//! - no request fails, but for what was injected: a request is refused, sent again, and refused again because the second
//!   token was revoked on its way as well;
//! - no client sends another's token, and no rotated refresh token is spent twice.
//!
//! No time on the wire decides. A client puts on each request the moment, by its own clock, at which the token was chosen
//! (`clock.rs`), and the refusals that it had been told of before (`courier.rs`); the judge (`judge.rs`) compares these with
//! what it issued and refused. With `--keys` it is another check (`keys.rs`).
//!
//! Progress goes to stderr. The last line on stdout has the counts; the exit status is the verdict: 0 all promises were
//! kept, 1 one was not, 2 it could not be run as asked.

use std::process::ExitCode;

mod arguments;
mod client;
mod clock;
mod courier;
#[path = "../fleet/dice.rs"]
mod dice;
mod judge;
mod keys;
mod run;
mod server;
mod verdict;

pub use arguments::{Arguments, Sabotage, Wish};
pub use run::run;

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(Wish::Help) => {
            println!("{}", arguments::HELP);
            return ExitCode::SUCCESS;
        }
        Ok(Wish::Run(arguments)) => arguments,
        Err(problem) => {
            eprintln!("soak: {problem}; see --help");
            return ExitCode::from(2);
        }
    };
    let outcome = match arguments.keys {
        Some(keys) => keys::run(keys, arguments.bound),
        None => run(&arguments),
    };
    match outcome {
        Ok((line, true)) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Ok((line, false)) => {
            println!("{line}");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("soak: it cannot be run: {error}");
            ExitCode::from(2)
        }
    }
}
