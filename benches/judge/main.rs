//! Looks at the ratios that the benches left in `target/bench-ratios.json`.
//!
//! `judge missed BENCH…` names the goals that were missed by more than a tenth: a line for each, with the bench and the ratio.
//! `judge all BENCH…` prints all ratios again.

use std::process::ExitCode;

use tower_oauth_benches::read_ratios;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let only_missed = match arguments.next().as_deref() {
        Some("missed") => true,
        Some("all") => false,
        _ => {
            eprintln!("judge missed BENCH…, or judge all BENCH…");
            return ExitCode::FAILURE;
        }
    };
    let all = read_ratios();
    for bench in arguments {
        let Some(ratios) = all.get(&bench) else {
            eprintln!("{bench} has left no ratios in target/bench-ratios.json");
            return ExitCode::FAILURE;
        };
        for ratio in ratios {
            if !only_missed {
                println!("{ratio}");
            } else if ratio.is_missed() {
                println!("{bench} {}", ratio.name);
            }
        }
    }
    ExitCode::SUCCESS
}
