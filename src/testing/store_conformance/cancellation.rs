//! Checks of calls that are dropped before they end.

use std::future::Future;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use crate::testing::store_conformance::Outcome;
use crate::testing::store_conformance::Subject;
use crate::testing::store_conformance::answered;
use crate::testing::store_conformance::concurrency::CONFLICTS;
use crate::testing::store_conformance::concurrency::pause;
use crate::testing::store_conformance::ensure;
use crate::testing::store_conformance::sample::brief;
use crate::testing::store_conformance::sample::record;
use crate::token::Record;
use crate::token::Swap;
use crate::token::TokenStore;

/// At how many places, at most, a call is dropped.
const PLACES: usize = 12;

impl<S: TokenStore> Subject<S> {
    pub(super) async fn cancelled_swap(&self) -> Outcome {
        for place in 0..PLACES {
            let (key, before, after) =
                (self.key(&place.to_string()), record(1, "before")?, record(2, "after")?);
            self.put(&key, None, &before).await?;
            let done = polled(place, self.one.compare_and_swap(&key, Some(1), &after)).await;
            // It may still arrive while the next one is under way.
            let mut there = answered("load", self.other.load(&key).await)?;
            for conflicts in 1.. {
                ensure(conflicts < CONFLICTS, || format!("{CONFLICTS} swaps in a row gave conflicts"))?;
                ensure([Some(&before), Some(&after)].contains(&there.as_ref()), || {
                    format!("after a swap that was dropped, {} is stored", brief(there.as_ref()))
                })?;
                let expected = there.as_ref().map(Record::generation);
                match answered(
                    "compare_and_swap",
                    self.other.compare_and_swap(&key, expected, &record(3, "next")?).await,
                )? {
                    Swap::Stored => break,
                    Swap::Conflict(stored) => there = stored,
                }
                pause().await;
            }
            self.expect(&key, Some(&record(3, "next")?)).await?;
            self.tidy(&key).await?;
            if done {
                break;
            }
        }
        Ok(())
    }

    pub(super) async fn cancelled_lease(&self) -> Outcome {
        for place in 0..PLACES {
            let key = self.key(&place.to_string());
            let done = polled(place, self.one.lease(&key, "dropped", Duration::from_millis(1))).await;
            self.until_granted(&key, "next").await?;
            answered("release", self.other.release(&key, "next").await)?;
            if done {
                break;
            }
        }
        Ok(())
    }
}

/// Polls a call this many times, and drops it then; says whether it ended.
async fn polled(times: usize, call: impl Future) -> bool {
    let mut call = pin!(call);
    let mut left = times;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(false);
        }
        left -= 1;
        match call.as_mut().poll(context) {
            Poll::Ready(_) => Poll::Ready(true),
            Poll::Pending if left == 0 => Poll::Ready(false),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}
