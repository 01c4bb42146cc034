//! Several ways to do the same thing, measured in turns.

use std::hint::black_box;
use std::time::Duration;

use crate::allocations;
use crate::thread_time;

/// How long a turn takes, about.
const TURN: Duration = Duration::from_millis(1);
/// How many rounds there are, unless something else is asked for.
const ROUNDS: usize = 301;

/// Contenders that take turns on this thread.
///
/// ```
/// use tower_oauth_benches::Contest;
///
/// let mut contest = Contest::new("adding").rounds(11);
/// contest.enter("ten", || (0..10).sum::<u64>());
/// contest.enter("a thousand", || (0..1000_u64).map(|number| number ^ 5).sum::<u64>());
/// let standings = contest.run();
/// assert!(standings.ratio("a thousand", "ten") > 1.0);
/// assert!(standings.beyond("a thousand", "ten").median > 0.0);
/// ```
pub struct Contest<'a> {
    title: String,
    rounds: usize,
    contenders: Vec<Contender<'a>>,
}

struct Contender<'a> {
    name: String,
    /// Does it as often as it is told.
    run: Box<dyn FnMut(u64) + 'a>,
}

/// How a contender did, in nanoseconds of CPU time for each operation.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Standing {
    /// Its name.
    pub name: String,
    /// The median of the rounds.
    pub median: f64,
    /// A tenth of the rounds were faster.
    pub p10: f64,
    /// A tenth of the rounds were slower.
    pub p90: f64,
    /// Allocations of one operation, on this thread.
    pub allocations: usize,
    rounds: Vec<f64>,
    /// Whether a round counts.
    sound: Vec<bool>,
}

/// How all contenders did.
#[derive(Clone, Debug)]
pub struct Standings(Vec<Standing>);

impl<'a> Contest<'a> {
    /// One without contenders.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), rounds: ROUNDS, contenders: Vec::new() }
    }

    /// How often each contender has its turn.
    pub fn rounds(mut self, rounds: usize) -> Self {
        self.rounds = rounds;
        self
    }

    /// Adds a contender. What `operation` returns is kept from being optimised away.
    pub fn enter<T>(&mut self, name: impl Into<String>, mut operation: impl FnMut() -> T + 'a) {
        let run = Box::new(move |times| {
            for _ in 0..times {
                black_box(operation());
            }
        });
        self.contenders.push(Contender { name: name.into(), run });
    }

    /// Lets them run, prints a table, and says how they did.
    pub fn run(mut self) -> Standings {
        let mut turns = Vec::new();
        let mut counts = Vec::new();
        for contender in &mut self.contenders {
            turns.push(turn_of(&mut contender.run));
            counts.push(allocations(|| (contender.run)(1)));
        }
        let mut rounds = vec![Vec::with_capacity(self.rounds); self.contenders.len()];
        for round in 0..self.rounds {
            // Nobody always runs after the same neighbour.
            for place in 0..self.contenders.len() {
                let index = (place + round) % self.contenders.len();
                let before = thread_time();
                (self.contenders[index].run)(turns[index]);
                let spent = thread_time() - before;
                rounds[index].push(spent.as_nanos() as f64 / turns[index] as f64);
            }
        }
        let standings =
            self.contenders.iter().zip(rounds).zip(counts).map(|((contender, rounds), allocations)| {
                let rounds = rounds.into_iter().map(|round| (round, true)).collect();
                Standing::of_rounds(&contender.name, rounds, allocations)
            });
        let standings = Standings(standings.collect());
        standings.print(&self.title);
        standings
    }
}

/// How often an operation fits into a turn.
fn turn_of(run: &mut dyn FnMut(u64)) -> u64 {
    let mut times = 1;
    loop {
        let before = thread_time();
        run(times);
        let spent = thread_time() - before;
        if spent >= TURN / 2 || times >= 1 << 24 {
            let each = (spent.as_nanos() as u64 / times).max(1);
            return (TURN.as_nanos() as u64 / each).max(1);
        }
        times *= 2;
    }
}

impl Standing {
    /// Of what each round took, and whether it counts.
    pub(crate) fn of_rounds(name: &str, rounds: Vec<(f64, bool)>, allocations: usize) -> Self {
        let (rounds, sound): (Vec<_>, Vec<_>) = rounds.into_iter().unzip();
        let sorted = sorted(rounds.clone(), sound.clone());
        let at = |share: f64| sorted[((sorted.len() - 1) as f64 * share) as usize];
        let (median, p10, p90) = (at(0.5), at(0.1), at(0.9));
        Self { name: name.to_owned(), median, p10, p90, allocations, rounds, sound }
    }
}

/// Fewer rounds than this say nothing.
const ENOUGH: usize = 9;

fn is_enough(sound: &[bool]) -> bool {
    sound.iter().filter(|sound| **sound).count() >= ENOUGH.min(sound.len())
}

/// The values that count, sorted; all of them, if hardly any do.
fn sorted(values: Vec<f64>, sound: Vec<bool>) -> Vec<f64> {
    let enough = is_enough(&sound);
    let kept = values.into_iter().zip(sound).filter(|(_, sound)| *sound || !enough);
    let mut kept: Vec<f64> = kept.map(|(value, _)| value).collect();
    kept.sort_by(f64::total_cmp);
    kept
}

impl Standings {
    /// How a contender did.
    ///
    /// # Panics
    /// If there was none of that name.
    pub fn of(&self, name: &str) -> &Standing {
        let standing = self.0.iter().find(|standing| standing.name == name);
        standing.unwrap_or_else(|| panic!("nobody called {name} took part"))
    }

    /// All of them, in the order in which they were entered.
    pub fn all(&self) -> &[Standing] {
        &self.0
    }

    /// How many times as long `one` takes as `other`: the median over the rounds.
    pub fn ratio(&self, one: &str, other: &str) -> f64 {
        let (one, other) = (self.of(one), self.of(other));
        let sound = one.sound.iter().zip(&other.sound).map(|(one, other)| *one && *other).collect();
        let ratios = one.rounds.iter().zip(&other.rounds).map(|(one, other)| one / other).collect();
        let sorted = sorted(ratios, sound);
        sorted[sorted.len() / 2]
    }

    /// How many times as long `one` takes as `other` beyond `base`, which both do as well: the median over the rounds.
    pub fn ratio_of_beyond(&self, one: &str, other: &str, base: &str) -> f64 {
        let [one, other, base] = [one, other, base].map(|name| self.of(name));
        let sound = one.sound.iter().zip(&other.sound).zip(&base.sound);
        let sound = sound.map(|((one, other), base)| *one && *other && *base).collect();
        let ratios = one.rounds.iter().zip(&other.rounds).zip(&base.rounds);
        let ratios = ratios.map(|((one, other), base)| (one - base) / (other - base)).collect();
        let sorted = sorted(ratios, sound);
        sorted[sorted.len() / 2]
    }

    pub(crate) fn new(standings: Vec<Standing>) -> Self {
        Self(standings)
    }

    /// What `one` takes beyond `base`, round by round: for a contender that has to do the work of `base` before its own.
    pub fn beyond(&self, one: &str, base: &str) -> Standing {
        let (one, base) = (self.of(one), self.of(base));
        let rounds = one.rounds.iter().zip(&base.rounds).map(|(one, base)| one - base);
        let sound = one.sound.iter().zip(&base.sound).map(|(one, base)| *one && *base);
        let allocations = one.allocations.saturating_sub(base.allocations);
        Standing::of_rounds(&one.name, rounds.zip(sound).collect(), allocations)
    }

    /// How many times as long as `other` that takes.
    pub fn ratio_beyond(&self, one: &str, base: &str, other: &str) -> f64 {
        let beyond = self.beyond(one, base);
        Self(vec![beyond, self.of(other).clone()]).ratio(one, other)
    }

    pub(crate) fn print(&self, title: &str) {
        println!("\n{title:<44} {:>10} {:>10} {:>10} {:>8}", "ns", "p10", "p90", "allocs");
        for standing in &self.0 {
            let Standing { name, median, p10, p90, allocations, sound, .. } = standing;
            let mark = if is_enough(sound) { "" } else { " *" };
            println!("  {name:<42} {median:>10.1} {p10:>10.1} {p90:>10.1} {allocations:>8}{mark}");
        }
        if self.0.iter().any(|standing| !is_enough(&standing.sound)) {
            println!(
                "  * the threads hardly ever ran at the same time: this machine is too busy for such a race"
            );
        }
    }
}
