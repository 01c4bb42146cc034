//! Several ways to do the same thing, measured in turns, on one thread or two at once.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use crate::Standing;
use crate::Standings;
use crate::allocations;
use crate::thread_time;

/// How many threads there are.
const THREADS: usize = 2;
/// How long a turn takes, about.
const TURN: Duration = Duration::from_millis(2);
/// How many rounds there are, unless something else is asked for.
const ROUNDS: usize = 201;
/// How often a task does its work before the next one of its thread has its turn.
const SLICE: u64 = 4;
/// A round counts when its threads ran side by side for this part of the time at least: when other programs are at work, one
/// thread may well have done its turn before the other got a processor.
const TOGETHER: f64 = 0.8;

/// Does the operation as often as it is told.
type Task<'a> = Box<dyn FnMut(u64) + 'a>;
type MakeTask<'a> = Box<dyn Fn(usize) -> Task<'a> + Sync + 'a>;

/// Contenders of one to many tasks. One task has a thread to itself; more of them share two threads, which run at the same
/// time. What counts is the CPU time of each thread over its operations, and the mean of both.
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use tower_oauth_benches::Race;
///
/// let shared = AtomicU64::new(0);
/// let mut race = Race::new("counting").rounds(11);
/// for tasks in [1, 2] {
///     race.enter(format!("{tasks}"), tasks, |_| || shared.fetch_add(1, Ordering::Relaxed));
/// }
/// assert!(race.run().ratio("2", "1") > 0.0);
/// ```
pub struct Race<'a> {
    title: String,
    rounds: usize,
    contenders: Vec<Contender<'a>>,
}

struct Contender<'a> {
    name: String,
    tasks: usize,
    make: MakeTask<'a>,
}

/// Where the threads wait for each other. They spin, so that they start at the same time.
#[derive(Default)]
struct Line {
    arrived: AtomicUsize,
    rounds: AtomicUsize,
}

impl Line {
    fn wait(&self) {
        let round = self.rounds.load(Ordering::Acquire);
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == THREADS {
            self.arrived.store(0, Ordering::Release);
            self.rounds.fetch_add(1, Ordering::AcqRel);
            return;
        }
        while self.rounds.load(Ordering::Acquire) == round {
            thread::yield_now();
        }
    }
}

/// What one thread measured in one turn.
#[derive(Clone, Copy)]
struct Lap {
    /// Nanoseconds of CPU time for each operation.
    cost: f64,
    began: Instant,
    ended: Instant,
    /// Of this, it had a processor for so long.
    spent: Duration,
}

/// Whether these turns were taken at the same time, without a break.
fn is_together<'a>(laps: impl Iterator<Item = &'a Lap> + Clone) -> bool {
    let first = laps.clone().map(|lap| lap.began).max();
    let last = laps.clone().map(|lap| lap.ended).min();
    let Some((first, last)) = first.zip(last) else { return false };
    let common = last.saturating_duration_since(first).as_secs_f64();
    let mut shares = laps.map(|lap| {
        let length = (lap.ended - lap.began).as_secs_f64();
        (common / length).min(lap.spent.as_secs_f64() / length)
    });
    shares.all(|share| share >= TOGETHER)
}

impl<'a> Race<'a> {
    /// One without contenders.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), rounds: ROUNDS, contenders: Vec::new() }
    }

    /// How often each contender has its turn.
    pub fn rounds(mut self, rounds: usize) -> Self {
        self.rounds = rounds;
        self
    }

    /// Adds a contender of so many tasks. `make` makes the operation of a task, given its number, on the thread that will do
    /// it; what an operation returns is kept from being optimised away.
    pub fn enter<T, O>(
        &mut self,
        name: impl Into<String>,
        tasks: usize,
        make: impl Fn(usize) -> O + Sync + 'a,
    ) where
        O: FnMut() -> T + 'a,
    {
        let make = move |number| -> Task<'a> {
            let mut operation = make(number);
            Box::new(move |times| {
                for _ in 0..times {
                    std::hint::black_box(operation());
                }
            })
        };
        self.contenders.push(Contender { name: name.into(), tasks, make: Box::new(make) });
    }

    /// Lets them run, prints a table, and says how they did.
    pub fn run(self) -> Standings {
        let line = Line::default();
        let turns: Vec<AtomicUsize> = self.contenders.iter().map(|_| AtomicUsize::new(0)).collect();
        let (race, line, turns) = (&self, &line, &turns);
        let threads: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> =
                (0..THREADS).map(|thread| scope.spawn(move || race.take_part(thread, line, turns))).collect();
            threads.into_iter().map(|thread| thread.join().expect("a contender fell")).collect()
        });
        let standings = self.contenders.iter().enumerate().map(|(index, contender)| {
            let laps = |round: usize| threads.iter().filter_map(move |(laps, _)| laps[index].get(round));
            let rounds = (0..self.rounds).map(|round| {
                let count = laps(round).count() as f64;
                let cost = laps(round).map(|lap| lap.cost).sum::<f64>() / count;
                (cost, is_together(laps(round)))
            });
            Standing::of_rounds(&contender.name, rounds.collect(), threads[0].1[index])
        });
        let standings = Standings::new(standings.collect());
        standings.print(&self.title);
        standings
    }

    /// One thread's part: its laps and allocations, by contender.
    fn take_part(&self, thread: usize, line: &Line, turns: &[AtomicUsize]) -> (Vec<Vec<Lap>>, Vec<usize>) {
        let mut crews: Vec<Vec<Task<'a>>> = Vec::new();
        let mut counts = Vec::new();
        for (contender, turn) in self.contenders.iter().zip(turns) {
            let mut crew: Vec<_> =
                (0..contender.tasks).filter(|task| task % THREADS == thread).map(&contender.make).collect();
            // One after the other, so that what is warmed up belongs to the same thread each time.
            for other in 0..THREADS {
                line.wait();
                if other == thread && !crew.is_empty() {
                    let fit = turn_of(&mut crew);
                    if thread == 0 {
                        turn.store(fit as usize, Ordering::Relaxed);
                    }
                    counts.push(allocations(|| run(&mut crew, 1)));
                }
            }
            crews.push(crew);
        }
        let mut laps = vec![Vec::with_capacity(self.rounds); crews.len()];
        for round in 0..self.rounds {
            for place in 0..crews.len() {
                let index = (place + round) % crews.len();
                line.wait();
                let crew = &mut crews[index];
                if crew.is_empty() {
                    continue;
                }
                let times = turns[index].load(Ordering::Relaxed) as u64;
                let (began, before) = (Instant::now(), thread_time());
                run(crew, times);
                let (spent, ended) = (thread_time() - before, Instant::now());
                laps[index].push(Lap { cost: spent.as_nanos() as f64 / times as f64, began, ended, spent });
            }
        }
        (laps, counts)
    }
}

/// So many operations, spread over the tasks of a thread.
fn run(crew: &mut [Task<'_>], mut times: u64) {
    loop {
        for task in &mut *crew {
            let slice = SLICE.min(times);
            task(slice);
            times -= slice;
            if times == 0 {
                return;
            }
        }
    }
}

/// How many operations fit into a turn.
fn turn_of(crew: &mut [Task<'_>]) -> u64 {
    let mut times = 1;
    loop {
        let before = thread_time();
        run(crew, times);
        let spent = thread_time() - before;
        if spent >= TURN / 2 || times >= 1 << 24 {
            let each = (spent.as_nanos() as f64 / times as f64).max(0.1);
            return ((TURN.as_nanos() as f64 / each) as u64).max(1);
        }
        times *= 2;
    }
}
