//! What every [`TokenStore`] has to keep to, as checks that run against yours.
//!
//! ```
//! use tower_oauth::store::MemoryStore;
//! use tower_oauth::testing::store_conformance::Conformance;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = MemoryStore::new();
//! // Opened several times, as several processes do; clones of one store are what this one shares.
//! Conformance::of(|| async { store.clone() }).without_leases().check().await?;
//! # Ok(())
//! # }
//! ```
//!
//! The checks use keys of their own (`conformance-…`) and delete what they make, so the store may hold other records; leases
//! that they take end by themselves within minutes. They take some seconds, most of which they wait for leases to end. They run
//! on any tokio runtime, and tell more on one with several threads.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use crate::token::TokenKey;
use crate::token::TokenStore;

mod cancellation;
mod concurrency;
mod keys;
mod leases;
mod records;
mod rule;
mod sample;

pub use rule::Rule;

/// How long one check may take before the store counts as one that hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// Checks a store that has leases; shorthand for [`Conformance::of`] and [`Conformance::check`].
///
/// # Errors
/// The rules that the store breaks.
pub async fn check<O, F, S>(open: O) -> Result<(), Broken>
where
    O: Fn() -> F,
    F: Future<Output = S>,
    S: TokenStore,
{
    Conformance::of(open).check().await
}

/// The checks, and what is expected of the store.
#[derive(Clone, Copy, Debug)]
pub struct Conformance<O> {
    open: O,
    leases: bool,
}

impl<O, F, S> Conformance<O>
where
    O: Fn() -> F,
    F: Future<Output = S>,
    S: TokenStore,
{
    /// Checks of the store that `open` opens. It is called several times, and what it gives must be the same store each time, as
    /// another process would open it.
    pub fn of(open: O) -> Self {
        Self { open, leases: true }
    }

    /// For a store that only one process uses, and that leaves the lease methods of [`TokenStore`] as they are.
    pub fn without_leases(self) -> Self {
        Self { leases: false, ..self }
    }

    /// Runs all checks, also after one that failed.
    ///
    /// # Errors
    /// The rules that the store breaks, each with what it did.
    pub async fn check(&self) -> Result<(), Broken> {
        let mut breaches = Vec::new();
        for rule in Rule::ALL.iter().filter(|rule| self.leases || !rule.is_about_leases()) {
            let subject = Subject::new((self.open)().await, (self.open)().await, *rule);
            let outcome = timeout(LIMIT, subject.check(*rule)).await;
            let outcome =
                outcome.unwrap_or_else(|_| Err(format!("the store did not answer within {LIMIT:?}")));
            if let Err(what) = outcome {
                breaches.push((*rule, what));
            }
        }
        if breaches.is_empty() { Ok(()) } else { Err(Broken(breaches)) }
    }
}

/// The rules that a store breaks.
#[derive(Clone, Debug)]
pub struct Broken(Vec<(Rule, String)>);

impl Broken {
    /// Each rule that was broken, with what the store did.
    pub fn rules(&self) -> impl Iterator<Item = (Rule, &str)> {
        self.0.iter().map(|(rule, what)| (*rule, what.as_str()))
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the store breaks rules of `TokenStore`:")?;
        self.0.iter().try_for_each(|(rule, what)| write!(formatter, "\n- {rule}: {what}"))
    }
}

impl StdError for Broken {}

/// The store under test, opened twice.
struct Subject<S> {
    one: Arc<S>,
    other: Arc<S>,
    prefix: String,
}

/// What a check says of a store that breaks its rule.
type Outcome = Result<(), String>;

impl<S: TokenStore> Subject<S> {
    fn new(one: S, other: S, rule: Rule) -> Self {
        let prefix = format!("conformance-{:016x}-{}", rand::random::<u64>(), rule.as_str());
        Self { one: Arc::new(one), other: Arc::new(other), prefix }
    }

    /// A key that nobody else has.
    fn key(&self, name: &str) -> TokenKey {
        TokenKey::new(format!("{}{name}", self.prefix))
    }

    async fn check(&self, rule: Rule) -> Outcome {
        match rule {
            Rule::NothingAtFirst => self.nothing_at_first().await,
            Rule::WhatWasStored => self.what_was_stored().await,
            Rule::LongRecords => self.long_records().await,
            Rule::LargeGenerations => self.large_generations().await,
            Rule::SealedRecords => self.sealed_records().await,
            Rule::FirstOnlyIfNone => self.first_only_if_none().await,
            Rule::SwapOnlyExpected => self.swap_only_expected().await,
            Rule::DeleteOnlyExpected => self.delete_only_expected().await,
            Rule::KeysApart => self.keys_apart().await,
            Rule::OddKeys => self.odd_keys().await,
            Rule::OneWinner => self.one_winner().await,
            Rule::NoLostChange => self.no_lost_change().await,
            Rule::WholeRecords => self.whole_records().await,
            Rule::CancelledSwap => self.cancelled_swap().await,
            Rule::LeaseExcludes => self.lease_excludes().await,
            Rule::OneLeaseholder => self.one_leaseholder().await,
            Rule::RenewalByHolder => self.renewal_by_holder().await,
            Rule::ReleaseByHolder => self.release_by_holder().await,
            Rule::LeaseEnds => self.lease_ends().await,
            Rule::RenewalProlongs => self.renewal_prolongs().await,
            Rule::LeaseIsNoRecord => self.lease_is_no_record().await,
            Rule::FormerHolder => self.former_holder().await,
            Rule::CancelledLease => self.cancelled_lease().await,
        }
    }
}

/// Fails with `what` unless `holds`.
fn ensure(holds: bool, what: impl FnOnce() -> String) -> Outcome {
    if holds { Ok(()) } else { Err(what()) }
}

/// What a store answered, or its error in words.
fn answered<T>(method: &str, outcome: Result<T, crate::error::Error>) -> Result<T, String> {
    outcome.map_err(|error| format!("`{method}` failed: {error}"))
}
