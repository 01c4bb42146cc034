//! Starts several processes on one store, against a server that rotates refresh tokens and detects their reuse, and gives
//! a verdict.
//!
//! ```sh
//! cargo run --release --all-features --example fleet -- --store sqlite
//! cargo run --release --all-features --example fleet -- --store redis --processes 8 --generations 100 --kill
//! ```
//!
//! Features of tower-oauth: `client`, `file`, `postgres`, `redis`, `sqlite`, `testing`.
//!
//! All processes have the same login, of which there is one refresh token at a time. In each generation they need its
//! successor at the same moment: because the token nears its end, or has ended, or was refused, or because they ask for
//! another. One of them may spend the refresh token; two would be taken for theft, and the server would end the login. So
//! the promises are:
//! - as many token requests as generations, and no login revoked;
//! - with `--kill`, where processes are killed (SIGKILL) at random moments: at most one token request more for each one that
//!   was killed, and a login lost only where a process had spent the refresh token and was killed before it could store
//!   what it got for it. Then the fleet logs in again, through `TokenManager::put`, and goes on.
//!
//! | file | what is in it |
//! |---|---|
//! | `arguments.rs` | the command line |
//! | `worker.rs` | one of the processes: this program again, with `--worker`, which has a `TokenManager` and obeys orders |
//! | `message.rs` | what the parent and its workers say to each other, through pipes |
//! | `crew.rs` | the workers, from outside: started, killed, started again |
//! | `store.rs` | the store: opened by its URL; where there is none, a throw-away one |
//! | `issuer.rs`, `browser.rs` | the server: the embedded one, or another; and how somebody logs in there |
//! | `gate.rs` | stands before the token endpoint, and sees every token request and its answer |
//! | `fleet.rs` | drives the generations |
//! | `ledger.rs` | what it comes to: which kill explains which lost login, and the last line |
//!
//! Progress goes to stderr. The last line on stdout has the counts; the exit status is the verdict: 0 all promises were
//! kept, 1 one was not, 2 it could not be run as asked.

use std::process::ExitCode;

mod arguments;
mod browser;
mod crew;
mod dice;
mod fleet;
mod gate;
mod issuer;
mod ledger;
mod message;
#[path = "../../tests/stores/servers.rs"]
mod servers;
mod store;
mod worker;

use arguments::{Arguments, Wish};

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(Wish::Help) => {
            println!("{}", arguments::HELP);
            return ExitCode::SUCCESS;
        }
        Ok(Wish::Work) => return worker::main(),
        Ok(Wish::Run(arguments)) => arguments,
        Err(problem) => {
            eprintln!("fleet: {problem}; see --help");
            return ExitCode::from(2);
        }
    };
    match fleet::run(&arguments) {
        Ok(ledger) => {
            for broken in ledger.broken() {
                eprintln!("fleet: {broken}");
            }
            println!("{}", ledger.line());
            if ledger.broken().is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("fleet: it cannot be run: {error}");
            ExitCode::from(2)
        }
    }
}
