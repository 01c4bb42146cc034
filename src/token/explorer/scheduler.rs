//! Decides which task goes on.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::timeout;

use crate::token::explorer::dice::Dice;

thread_local! {
    static CURRENT: RefCell<Option<Scheduler>> = const { RefCell::new(None) };
}

/// More turns than any schedule needs: beyond it, tasks wake each other for ever.
const MOST_TURNS: usize = 100_000;
/// Longer than any timer of a scenario: after it, nobody will ever go on.
const LONGEST_SILENCE: Duration = Duration::from_secs(7 * 24 * 3600);

#[derive(Clone)]
pub(super) struct Scheduler(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    /// Somebody waits for a turn, or has had it.
    changed: Notify,
}

struct State {
    dice: Dice,
    waiting: Vec<(u64, Waker)>,
    /// Whose turn it is.
    turn: Option<u64>,
    next: u64,
    turns: usize,
}

/// A task that goes on only when it is its turn.
struct Scheduled<F> {
    scheduler: Scheduler,
    number: u64,
    future: F,
}

/// The task, under the scheduler of this thread, if it has one.
pub(in crate::token) fn scheduled<F>(future: F) -> Pin<Box<dyn Future<Output = F::Output> + Send>>
where
    F: Future + Send + 'static,
{
    match CURRENT.with_borrow(Option::clone) {
        Some(scheduler) => Box::pin(scheduler.schedule(future)),
        None => Box::pin(future),
    }
}

/// Gives way once.
pub(super) async fn give_way() {
    let mut gave_way = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut gave_way, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Runs `work` to its end, with all that it spawns, on a schedule by chance. Gives the number of turns.
pub(super) fn run<F>(dice: &Dice, work: F) -> Result<usize, String>
where
    F: Future<Output = Result<(), String>> + Send + 'static,
{
    let state = State { dice: dice.clone(), waiting: Vec::new(), turn: None, next: 0, turns: 0 };
    let scheduler = Scheduler(Arc::new(Inner { state: Mutex::new(state), changed: Notify::new() }));
    CURRENT.set(Some(scheduler.clone()));
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let outcome = runtime.block_on(scheduler.drive(work));
    drop(runtime);
    CURRENT.set(None);
    let turns = scheduler.0.state.lock().unwrap().turns;
    outcome.map(|()| turns)
}

impl Scheduler {
    fn schedule<F: Future>(&self, future: F) -> Scheduled<Pin<Box<F>>> {
        let mut state = self.0.state.lock().unwrap();
        state.next += 1;
        Scheduled { scheduler: self.clone(), number: state.next, future: Box::pin(future) }
    }

    async fn drive<F>(&self, work: F) -> Result<(), String>
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        let work = tokio::spawn(self.schedule(work));
        while !work.is_finished() {
            // All that can go on say so first.
            yield_now().await;
            yield_now().await;
            if self.give_turn()? {
                yield_now().await;
            } else if !work.is_finished()
                && timeout(LONGEST_SILENCE, self.0.changed.notified()).await.is_err()
            {
                return Err("everybody waits, and nothing will happen any more".to_owned());
            }
        }
        work.await.map_err(|error| format!("a panic: {error}"))?
    }

    /// Lets one of those who wait go on; says whether there was one.
    fn give_turn(&self) -> Result<bool, String> {
        let mut state = self.0.state.lock().unwrap();
        if state.waiting.is_empty() {
            return Ok(false);
        }
        state.turns += 1;
        if state.turns > MOST_TURNS {
            return Err("it does not come to an end".to_owned());
        }
        let chosen = state.dice.roll(state.waiting.len());
        let (number, waker) = state.waiting.swap_remove(chosen);
        state.turn = Some(number);
        drop(state);
        waker.wake();
        Ok(true)
    }
}

impl<F: Future + Unpin> Future for Scheduled<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let scheduler = self.scheduler.clone();
        {
            let mut state = scheduler.0.state.lock().unwrap();
            if state.turn != Some(self.number) {
                if !state.waiting.iter().any(|(number, _)| *number == self.number) {
                    state.waiting.push((self.number, context.waker().clone()));
                }
                drop(state);
                scheduler.0.changed.notify_one();
                return Poll::Pending;
            }
            state.turn = None;
        }
        let polled = Pin::new(&mut self.future).poll(context);
        scheduler.0.changed.notify_one();
        polled
    }
}

impl<F> Drop for Scheduled<F> {
    fn drop(&mut self) {
        let mut state = self.scheduler.0.state.lock().unwrap();
        let number = self.number;
        state.waiting.retain(|(waiting, _)| *waiting != number);
        state.turn.take_if(|turn| *turn == number);
        drop(state);
        self.scheduler.0.changed.notify_one();
    }
}
