//! The signers of many users: prepared once for each key, from credentials that a source looks up.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::OnceLock;
use std::sync::PoisonError;

use tokio::sync::Semaphore;

use crate::error::Error;
use crate::error::ErrorKind;
use crate::oauth1::BoxCredentialSource;
use crate::oauth1::CredentialSource;
use crate::oauth1::Signer;
use crate::oauth1::recent::Recent;
use crate::observe::CredentialLookup;
use crate::token_key::TokenKey;

/// Keys whose signers are kept, unless the layer says otherwise.
const KEYS: usize = 10_000;

/// A signer with whose it is.
#[derive(Debug)]
pub(super) struct Prepared {
    key: TokenKey,
    pub(super) signer: Signer,
}

/// A bounded cache in front of a source.
pub(super) struct Signers {
    source: BoxCredentialSource,
    /// How every key's requests are signed; its credentials are nobody's.
    template: Signer,
    bound: usize,
    state: Mutex<State>,
}

struct State {
    prepared: Recent<Arc<Prepared>>,
    lookups: HashMap<TokenKey, Arc<Lookup>>,
}

/// A question to the source that is under way.
///
/// It is asked by one of the requests that need the answer, in its own task. When that one goes away, the next takes over:
/// to look something up again does no harm, so it needs no task that nobody can cancel.
struct Lookup {
    /// One permit: the right to ask. It is held while the source works, by intent; closed as soon as there is an outcome.
    turn: Semaphore,
    outcome: OnceLock<Result<Arc<Prepared>, Error>>,
}

impl Signers {
    pub(super) fn new(source: BoxCredentialSource, template: Signer) -> Self {
        Self::with(source, template, KEYS)
    }

    fn with(source: BoxCredentialSource, template: Signer, bound: usize) -> Self {
        let state = State { prepared: Recent::new(bound), lookups: HashMap::new() };
        Self { source, template, bound, state: Mutex::new(state) }
    }

    /// Empty, for the same source.
    pub(super) fn with_template(&self, template: Signer) -> Self {
        Self::with(self.source.clone(), template, self.bound)
    }

    /// Empty, for the same source.
    pub(super) fn with_bound(&self, bound: usize) -> Self {
        Self::with(self.source.clone(), self.template.clone(), bound)
    }

    pub(super) fn template(&self) -> &Signer {
        &self.template
    }

    /// The signer of a key, if it is at hand.
    pub(super) fn known(&self, key: &TokenKey) -> Option<Arc<Prepared>> {
        self.state().prepared.get(key).cloned()
    }

    /// The signer of a key; asks the source when there is none, and nobody else is asking.
    pub(super) async fn prepare(&self, key: &TokenKey) -> Result<Arc<Prepared>, Error> {
        let waiting = match self.join(key) {
            Ok(prepared) => return Ok(prepared),
            Err(waiting) => waiting,
        };
        // An error means that the turn is over: there is an outcome.
        let _turn = waiting.lookup.turn.acquire().await;
        if let Some(outcome) = waiting.lookup.outcome.get() {
            return outcome.clone();
        }
        let asking = CredentialLookup::start();
        let found = asking.span().around(self.source.credentials(key)).await;
        asking.end(found.as_ref().err());
        let outcome = match found {
            Ok(credentials) => {
                let signer = self.template.clone().credentials(credentials);
                Ok(Arc::new(Prepared { key: key.clone(), signer }))
            }
            Err(error) if error.kind() == ErrorKind::Source => {
                Err(error.detail("it was to look up OAuth 1 credentials"))
            }
            Err(error) => Err(error),
        };
        self.conclude(key, &waiting.lookup, &outcome);
        outcome
    }

    /// Forgets the signer of a key. A question that is under way is answered, and its answer not kept.
    pub(super) fn forget(&self, key: &TokenKey) {
        let mut state = self.state();
        state.prepared.remove(key);
        state.lookups.remove(key);
    }

    /// Forgets a signer, unless its key has another one by now.
    pub(super) fn forget_only(&self, prepared: &Arc<Prepared>) {
        let key = &prepared.key;
        let mut state = self.state();
        if state.prepared.peek(key).is_some_and(|current| Arc::ptr_eq(current, prepared)) {
            state.prepared.remove(key);
        }
    }

    /// The signer of a key, or else a place among those who wait for it.
    fn join<'a>(&'a self, key: &'a TokenKey) -> Result<Arc<Prepared>, Waiting<'a>> {
        let mut state = self.state();
        if let Some(prepared) = state.prepared.get(key) {
            return Ok(Arc::clone(prepared));
        }
        let lookup = state
            .lookups
            .entry(key.clone())
            .or_insert_with(|| Arc::new(Lookup { turn: Semaphore::new(1), outcome: OnceLock::new() }));
        Err(Waiting { signers: self, key, lookup: Arc::clone(lookup) })
    }

    /// Tells everybody who waits, and keeps what was found, unless the question was forgotten meanwhile.
    fn conclude(&self, key: &TokenKey, lookup: &Arc<Lookup>, outcome: &Result<Arc<Prepared>, Error>) {
        let mut state = self.state();
        if state.is_current(key, lookup) {
            state.lookups.remove(key);
            if let Ok(prepared) = outcome {
                state.prepared.insert(key.clone(), Arc::clone(prepared));
            }
        }
        drop(state);
        // Only who has the turn comes here, and once.
        let _ = lookup.outcome.set(outcome.clone());
        lookup.turn.close();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_current(&self, key: &TokenKey, lookup: &Arc<Lookup>) -> bool {
        self.lookups.get(key).is_some_and(|current| Arc::ptr_eq(current, lookup))
    }
}

impl fmt::Debug for Signers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Signers")
            .field("source", &self.source)
            .field("keys", &self.state().prepared.len())
            .finish_non_exhaustive()
    }
}

/// One of those who wait for an answer.
struct Waiting<'a> {
    signers: &'a Signers,
    key: &'a TokenKey,
    lookup: Arc<Lookup>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut state = self.signers.state();
        // The map has one count and this has one; more are made under the same lock. The last to go tidies up.
        if state.is_current(self.key, &self.lookup) && Arc::strong_count(&self.lookup) == 2 {
            state.lookups.remove(self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth1::Credentials;
    use crate::oauth1::credential_source_fn;

    fn signers() -> Signers {
        let source = credential_source_fn(|key: TokenKey| async move {
            if key.as_str() == "never" {
                std::future::pending::<()>().await;
            }
            Ok(Credentials::new("client", "secret"))
        });
        Signers::new(BoxCredentialSource::new(source), Signer::new(Credentials::new("", "")))
    }

    #[test]
    fn the_bound_is_that_of_the_table() {
        crate::defaults::assert_documented("users whose signers `OAuth1Layer` keeps", KEYS);
    }

    #[test]
    fn nothing_is_left_of_questions_whose_askers_went_away() {
        let signers = signers();
        let key = TokenKey::new("never");
        {
            let mut first = tokio_test::task::spawn(signers.prepare(&key));
            let mut second = tokio_test::task::spawn(signers.prepare(&key));
            assert!(first.poll().is_pending() && second.poll().is_pending());
            drop(first);
            assert_eq!(signers.state().lookups.len(), 1);
            assert!(second.is_woken() && second.poll().is_pending());
        }
        assert!(signers.state().lookups.is_empty());
    }

    #[test]
    fn a_signer_that_was_replaced_is_not_forgotten_in_the_place_of_another() {
        let signers = signers();
        let key = TokenKey::new("alice");
        let prepare = || {
            let mut task = tokio_test::task::spawn(signers.prepare(&key));
            let std::task::Poll::Ready(Ok(prepared)) = task.poll() else { panic!("not prepared") };
            prepared
        };
        let first = prepare();
        signers.forget(&key);
        let second = prepare();
        signers.forget_only(&first);
        assert!(Arc::ptr_eq(&signers.known(&key).unwrap(), &second));
        signers.forget_only(&second);
        assert!(signers.known(&key).is_none());
    }
}
