//! Checks of what happens at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::testing::store_conformance::Outcome;
use crate::testing::store_conformance::Subject;
use crate::testing::store_conformance::answered;
use crate::testing::store_conformance::ensure;
use crate::testing::store_conformance::sample::brief;
use crate::testing::store_conformance::sample::record;
use crate::token::Record;
use crate::token::Swap;
use crate::token::TokenKey;
use crate::token::TokenStore;

/// How many try at once.
pub(super) const CROWD: u64 = 16;
/// How often each of them changes the record, where all do.
const CHANGES: u64 = 8;
/// After how many conflicts in a row a store counts as one that never agrees.
pub(super) const CONFLICTS: usize = 1_000;

impl<S: TokenStore> Subject<S> {
    pub(super) async fn one_winner(&self) -> Outcome {
        for round in 0..4 {
            let key = self.key(&round.to_string());
            let mut expected = None;
            // With nothing stored, and with a record.
            for generation in 1..=2 {
                let mut crowd = JoinSet::new();
                for number in 0..CROWD {
                    let (store, key) = (self.either(number), key.clone());
                    let own = record(generation, &number.to_string())?;
                    crowd.spawn(async move {
                        let swap = store.compare_and_swap(&key, expected, &own).await;
                        answered("compare_and_swap", swap).map(|swap| (swap, own))
                    });
                }
                let (mut winners, mut conflicts) = (Vec::new(), Vec::new());
                for (swap, own) in all(crowd).await? {
                    match swap {
                        Swap::Stored => winners.push(own),
                        Swap::Conflict(stored) => conflicts.push(stored),
                    }
                }
                let [winner] = winners.as_slice() else {
                    return Err(format!("of {CROWD} swaps, {} were stored", winners.len()));
                };
                self.expect(&key, Some(winner)).await?;
                for stored in conflicts {
                    ensure(stored.as_ref() == Some(winner), || {
                        format!("a conflict gives {}, and not the winner", brief(stored.as_ref()))
                    })?;
                }
                expected = Some(generation);
            }
            self.tidy(&key).await?;
        }
        Ok(())
    }

    pub(super) async fn no_lost_change(&self) -> Outcome {
        let key = self.key("");
        all((0..CROWD).map(|number| change(self.either(number), key.clone(), number)).collect()).await?;
        let last = self.load(&key).await?;
        let generation = last.as_ref().map(Record::generation);
        ensure(generation == Some(CROWD * CHANGES), || {
            format!("{} changes were stored, and {} is there", CROWD * CHANGES, brief(last.as_ref()))
        })?;
        self.tidy(&key).await
    }

    pub(super) async fn whole_records(&self) -> Outcome {
        let key = self.key("");
        let readers = (0..4).map(|number| watch(self.either(number), key.clone())).collect();
        all((0..2).map(|number| change(self.either(number), key.clone(), number)).collect()).await?;
        self.put(&key, Some(2 * CHANGES), &record(u64::from(u32::MAX), "end")?).await?;
        all(readers).await?;
        self.tidy(&key).await
    }

    /// One of the two who opened the store.
    pub(super) fn either(&self, number: u64) -> Arc<S> {
        Arc::clone(if number % 2 == 0 { &self.one } else { &self.other })
    }
}

/// Adds one to the generation some times; begins anew after each conflict.
async fn change<S: TokenStore>(store: Arc<S>, key: TokenKey, number: u64) -> Outcome {
    let mut expected = None;
    let (mut changes, mut conflicts) = (0, 0);
    while changes < CHANGES {
        let next = record(expected.unwrap_or(0) + 1, &format!("{number}-{changes}"))?;
        match answered("compare_and_swap", store.compare_and_swap(&key, expected, &next).await)? {
            Swap::Stored => {
                expected = Some(next.generation());
                changes += 1;
                conflicts = 0;
            }
            Swap::Conflict(stored) => {
                expected = stored.as_ref().map(Record::generation);
                conflicts += 1;
                ensure(conflicts < CONFLICTS, || format!("{CONFLICTS} swaps in a row gave conflicts"))?;
                pause().await;
            }
        }
    }
    Ok(())
}

/// Loads until the last record is there.
async fn watch<S: TokenStore>(store: Arc<S>, key: TokenKey) -> Outcome {
    let mut before = 0;
    while before < u64::from(u32::MAX) {
        pause().await;
        let Some(stored) = answered("load", store.load(&key).await)? else { continue };
        let generation = stored.generation();
        ensure(generation >= before, || {
            format!("generation {generation} was loaded after generation {before}")
        })?;
        let mark = stored.refresh_token().map(|token| token.expose().replacen("refresh-", "access-", 1));
        let access = stored.tokens().next().map(|(_, token)| token.access_token().expose().to_owned());
        ensure(mark.is_some() && mark == access, || {
            "one part of a record was loaded with one of another".to_owned()
        })?;
        before = generation;
    }
    Ok(())
}

/// Lets others go on, and the time limit of the check pass, also where a store never waits and time is a test's.
pub(super) async fn pause() {
    sleep(Duration::from_millis(1)).await;
}

/// What all tasks give. Those that are left end when one fails, or the check is over.
pub(super) async fn all<T: 'static>(mut tasks: JoinSet<Result<T, String>>) -> Result<Vec<T>, String> {
    let mut outcomes = Vec::new();
    while let Some(task) = tasks.join_next().await {
        outcomes.push(task.map_err(|error| format!("the store panicked: {error}"))??);
    }
    Ok(outcomes)
}
