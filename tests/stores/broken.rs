//! The conformance checks find what is wrong with stores that are.

use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::Instant;
use tower_oauth::Error;
use tower_oauth::TokenKey;
use tower_oauth::testing::store_conformance::Rule;
use tower_oauth::testing::store_conformance::check;
use tower_oauth::token::Record;
use tower_oauth::token::Swap;
use tower_oauth::token::TokenStore;

/// What a store does wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Flaw {
    Nothing,
    InventsRecords,
    LosesScopes,
    CutsLongRecords,
    CountsInFloats,
    OpensSealed,
    StoresFirstOverAnything,
    StoresWhateverIsExpected,
    HidesConflicts,
    DeletesWhateverIsExpected,
    DeletesNothing,
    FoldsCase,
    TrimsNames,
    CutsNamesAtNul,
    LooksThenStores,
    LosesAnswers,
    ReadsOldRecords,
    MixesRecords,
    KeepsItsLockWhenDropped,
    LeasesToAll,
    LeasesOnce,
    LooksThenLeases,
    LeasesForEver,
    RenewsForAll,
    RenewsInWordsOnly,
    ReleasesForAll,
    ReleasesNever,
    StoresForHolderOnly,
    DeletesLeaseWithRecord,
    LeaseIsARecord,
    RevivesFormerHolder,
    Hangs,
}

use Flaw::*;

/// What each flaw breaks, at the least.
const TABLE: &[(Flaw, &[Rule])] = &[
    (Nothing, &[]),
    (InventsRecords, &[Rule::NothingAtFirst]),
    (LosesScopes, &[Rule::WhatWasStored]),
    (CutsLongRecords, &[Rule::LongRecords]),
    (CountsInFloats, &[Rule::LargeGenerations]),
    (OpensSealed, &[Rule::SealedRecords]),
    (StoresFirstOverAnything, &[Rule::FirstOnlyIfNone, Rule::OneWinner]),
    (StoresWhateverIsExpected, &[Rule::SwapOnlyExpected, Rule::FormerHolder]),
    (HidesConflicts, &[Rule::FirstOnlyIfNone, Rule::SwapOnlyExpected]),
    (DeletesWhateverIsExpected, &[Rule::DeleteOnlyExpected]),
    (DeletesNothing, &[Rule::DeleteOnlyExpected]),
    (FoldsCase, &[Rule::KeysApart]),
    (TrimsNames, &[Rule::KeysApart]),
    (CutsNamesAtNul, &[Rule::OddKeys]),
    (LooksThenStores, &[Rule::OneWinner, Rule::NoLostChange]),
    (LosesAnswers, &[Rule::WhatWasStored]),
    (ReadsOldRecords, &[Rule::WholeRecords]),
    (MixesRecords, &[Rule::WholeRecords]),
    (KeepsItsLockWhenDropped, &[Rule::CancelledSwap]),
    (LeasesToAll, &[Rule::LeaseExcludes, Rule::OneLeaseholder]),
    (LeasesOnce, &[Rule::LeaseExcludes]),
    (LooksThenLeases, &[Rule::OneLeaseholder]),
    (LeasesForEver, &[Rule::LeaseEnds, Rule::CancelledLease]),
    (RenewsForAll, &[Rule::RenewalByHolder]),
    (RenewsInWordsOnly, &[Rule::RenewalProlongs]),
    (ReleasesForAll, &[Rule::ReleaseByHolder, Rule::FormerHolder]),
    (ReleasesNever, &[Rule::ReleaseByHolder]),
    (StoresForHolderOnly, &[Rule::LeaseIsNoRecord]),
    (DeletesLeaseWithRecord, &[Rule::LeaseIsNoRecord]),
    (LeaseIsARecord, &[Rule::LeaseIsNoRecord]),
    (RevivesFormerHolder, &[Rule::FormerHolder]),
    (Hangs, Rule::ALL),
];

#[tokio::test(start_paused = true)]
async fn every_flaw_is_found_and_a_store_without_any_passes() {
    for (flaw, rules) in TABLE {
        let store = Store { flaw: *flaw, state: Arc::default() };
        let outcome = check(|| async { store.clone() }).await;
        let broken: HashSet<Rule> = outcome
            .as_ref()
            .err()
            .into_iter()
            .flat_map(|broken| broken.rules())
            .map(|(rule, _)| rule)
            .collect();
        let missed: Vec<_> = rules.iter().filter(|rule| !broken.contains(rule)).collect();
        assert!(missed.is_empty(), "{flaw:?}: {missed:?} was not found, but {broken:?}");
        assert_eq!(outcome.is_ok(), *flaw == Nothing, "{flaw:?}: {outcome:?}");
    }
}

#[test]
fn every_rule_is_broken_by_some_flaw() {
    let others = TABLE.iter().filter(|(flaw, _)| *flaw != Hangs);
    let found: HashSet<&Rule> = others.flat_map(|(_, rules)| *rules).collect();
    let missed: Vec<_> = Rule::ALL.iter().filter(|rule| !found.contains(rule)).collect();
    assert!(missed.is_empty(), "{missed:?}");
}

#[tokio::test(start_paused = true)]
async fn the_report_says_which_rule_was_broken_and_how() {
    let store = Store { flaw: DeletesNothing, state: Arc::default() };
    let report = check(|| async { store.clone() }).await.unwrap_err().to_string();
    let line = "- A record is deleted only if it has the expected generation, and it is gone then: ";
    assert!(report.contains(line), "{report}");
}

/// A store in memory with at most one flaw.
#[derive(Clone)]
struct Store {
    flaw: Flaw,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    records: HashMap<String, Record>,
    before: HashMap<String, Record>,
    leases: HashMap<String, (String, Instant)>,
    locked: bool,
    loads: usize,
}

impl Store {
    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == flaw
    }

    fn name(&self, key: &TokenKey) -> String {
        let name = key.as_str();
        match self.flaw {
            FoldsCase => name.to_lowercase(),
            TrimsNames => name.trim().to_owned(),
            CutsNamesAtNul => name.split('\0').next().unwrap().to_owned(),
            _ => name.to_owned(),
        }
    }

    fn is_same(&self, one: Option<u64>, other: Option<u64>) -> bool {
        let float = |generation: Option<u64>| generation.map(|generation| generation as f64);
        if self.has(CountsInFloats) { float(one) == float(other) } else { one == other }
    }

    /// What is kept of a record.
    fn kept(&self, record: &Record) -> Record {
        let json = record.to_json().expose().to_owned();
        let json = match self.flaw {
            LosesScopes => json.replace("asked_scope", "was_asked"),
            CutsLongRecords if json.len() > 65_536 => {
                return Record::from_json(r#"{"version":1,"generation":1,"tokens":[]}"#).unwrap();
            }
            OpensSealed => json.replace("sealed", "lost"),
            _ => json,
        };
        Record::from_json(&json).unwrap()
    }

    fn leased(&self, state: &State, name: &str) -> Option<String> {
        let (owner, until) = state.leases.get(name)?;
        (self.has(LeasesForEver) || Instant::now() < *until).then(|| owner.clone())
    }

    fn swap(&self, name: &str, seen: Option<Record>, expected: Option<u64>, record: &Record) -> Swap {
        let mut state = self.state.lock().unwrap();
        let stored = if self.has(LooksThenStores) { seen } else { state.records.get(name).cloned() };
        let agrees = self.is_same(stored.as_ref().map(Record::generation), expected)
            || (self.has(StoresFirstOverAnything) && expected.is_none())
            || (self.has(StoresWhateverIsExpected) && expected.is_some() && stored.is_some());
        let is_kept_out = self.has(StoresForHolderOnly) && self.leased(&state, name).is_some();
        if !agrees || is_kept_out {
            return Swap::Conflict(stored.filter(|_| !self.has(HidesConflicts)));
        }
        let before = state.records.insert(name.to_owned(), self.kept(record));
        before.map(|before| state.before.insert(name.to_owned(), before));
        if self.has(LosesAnswers) { Swap::Conflict(Some(record.clone())) } else { Swap::Stored }
    }

    async fn pause(&self) {
        if self.has(Hangs) {
            std::future::pending::<()>().await;
        }
        yield_now().await;
    }
}

impl TokenStore for Store {
    async fn load(&self, key: &TokenKey) -> Result<Option<Record>, Error> {
        self.pause().await;
        let name = self.name(key);
        let mut state = self.state.lock().unwrap();
        state.loads += 1;
        let stored = state.records.get(&name).cloned();
        let before = state.before.get(&name).cloned();
        if self.has(InventsRecords) && stored.is_none() {
            return Ok(Some(Record::from_json(r#"{"version":1,"generation":1,"tokens":[]}"#).unwrap()));
        }
        match (self.flaw, stored, before) {
            (LeaseIsARecord, None, _) if self.leased(&state, &name).is_some() => {
                Ok(Some(Record::from_json(r#"{"version":1,"generation":0,"tokens":[]}"#).unwrap()))
            }
            (ReadsOldRecords, Some(stored), Some(before)) if stored.generation() % 4 == 3 => {
                Ok(Some(if state.loads % 2 == 0 { before } else { stored }))
            }
            (MixesRecords, Some(stored), Some(before)) if stored.generation() % 4 == 3 => {
                let part = |record: &Record| record.refresh_token().unwrap().expose().to_owned();
                let json = stored.to_json().expose().replace(&part(&stored), &part(&before));
                Ok(Some(Record::from_json(&json).unwrap()))
            }
            (_, stored, _) => Ok(stored),
        }
    }

    async fn compare_and_swap(
        &self,
        key: &TokenKey,
        expected: Option<u64>,
        record: &Record,
    ) -> Result<Swap, Error> {
        self.pause().await;
        let name = self.name(key);
        if self.has(KeepsItsLockWhenDropped) {
            while std::mem::replace(&mut self.state.lock().unwrap().locked, true) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            yield_now().await;
            self.state.lock().unwrap().locked = false;
        }
        let seen = self.state.lock().unwrap().records.get(&name).cloned();
        if self.has(LooksThenStores) {
            yield_now().await;
        }
        let swap = self.swap(&name, seen, expected, record);
        self.pause().await;
        Ok(swap)
    }

    async fn delete_if(&self, key: &TokenKey, generation: u64) -> Result<bool, Error> {
        self.pause().await;
        let name = self.name(key);
        let mut state = self.state.lock().unwrap();
        let stored = state.records.get(&name).map(Record::generation);
        let agrees = self.is_same(stored, Some(generation))
            || (self.has(DeletesWhateverIsExpected) && stored.is_some());
        if agrees && !self.has(DeletesNothing) {
            state.records.remove(&name);
            if self.has(DeletesLeaseWithRecord) {
                state.leases.remove(&name);
            }
        }
        Ok(agrees)
    }

    async fn lease(&self, key: &TokenKey, owner: &str, ttl: Duration) -> Result<bool, Error> {
        self.pause().await;
        let name = self.name(key);
        let holder = self.leased(&self.state.lock().unwrap(), &name);
        if self.has(LooksThenLeases) {
            yield_now().await;
        }
        let mut state = self.state.lock().unwrap();
        let holder = if self.has(LooksThenLeases) { holder } else { self.leased(&state, &name) };
        let granted =
            self.has(LeasesToAll) || holder.is_none_or(|holder| holder == owner && !self.has(LeasesOnce));
        if granted {
            state.leases.insert(name, (owner.to_owned(), Instant::now() + ttl));
        }
        Ok(granted)
    }

    async fn renew(&self, key: &TokenKey, owner: &str, ttl: Duration) -> Result<bool, Error> {
        self.pause().await;
        let name = self.name(key);
        let mut state = self.state.lock().unwrap();
        let holder = self.leased(&state, &name);
        let renewed = self.has(RenewsForAll)
            || holder.as_deref() == Some(owner)
            || (self.has(RevivesFormerHolder) && holder.is_some() && owner == "former");
        if renewed && !self.has(RenewsInWordsOnly) {
            state.leases.insert(name, (owner.to_owned(), Instant::now() + ttl));
        }
        Ok(renewed)
    }

    async fn release(&self, key: &TokenKey, owner: &str) -> Result<(), Error> {
        self.pause().await;
        let name = self.name(key);
        let mut state = self.state.lock().unwrap();
        let is_holder = state.leases.get(&name).is_some_and(|(holder, _)| holder == owner);
        if (is_holder || self.has(ReleasesForAll)) && !self.has(ReleasesNever) {
            state.leases.remove(&name);
        }
        Ok(())
    }
}
