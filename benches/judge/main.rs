//! Names the goals that were missed by more than a tenth in the last run of the benches given: a line for each, with the bench and
//! the ratio. What was measured instead goes to the standard error.

use tower_oauth_benches::read_ratios;

fn main() {
    let all = read_ratios();
    for bench in std::env::args().skip(1) {
        let Some(ratios) = all.get(&bench) else {
            eprintln!("{bench} has left no ratios in target/bench-ratios.json");
            std::process::exit(1);
        };
        for ratio in ratios.iter().filter(|ratio| ratio.is_missed()) {
            eprintln!("missed: {ratio}");
            println!("{bench} {}", ratio.name);
        }
    }
}
