//! A store in memory whose every operation can be made to fail, hang, panic, or be overtaken.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::Instant;
use tower_oauth::Error;
use tower_oauth::TokenKey;
use tower_oauth::store::MemoryStore;
use tower_oauth::token::Record;
use tower_oauth::token::Swap;
use tower_oauth::token::TokenStore;

/// Clones are the same store.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    records: MemoryStore,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// For the next operations of each kind.
    faults: HashMap<Operation, VecDeque<Fault>>,
    /// For all operations of a kind for which none is left above.
    always: HashMap<Operation, Fault>,
    operations: Vec<Operation>,
    yields: usize,
    leases: Option<HashMap<TokenKey, (String, Instant)>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    Load,
    Swap,
    Delete,
    Lease,
    Renew,
    Release,
}

#[derive(Clone)]
pub enum Fault {
    /// None.
    Pass,
    /// Fails, and nothing was done.
    Fail,
    /// Is done, but the answer is lost.
    AnswerLost,
    Hang,
    Panic,
    /// Something else happens first.
    After(Meanwhile),
    /// Something else happens before the answer arrives.
    Before(Meanwhile),
}

/// What happens in the middle of an operation.
#[derive(Clone)]
pub struct Meanwhile(Arc<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>);

/// What happens in the middle of an operation.
pub fn meanwhile<F: Future<Output = ()> + Send + 'static>(
    work: impl Fn() -> F + Send + Sync + 'static,
) -> Meanwhile {
    Meanwhile(Arc::new(move || Box::pin(work())))
}

impl Store {
    pub fn new() -> Self {
        Self(Arc::new(Inner { records: MemoryStore::new(), state: Mutex::default() }))
    }

    /// A store with leases.
    pub fn with_leases() -> Self {
        let store = Self::new();
        store.0.state.lock().unwrap().leases = Some(HashMap::new());
        store
    }

    /// What happens to the next operation of this kind, after those that have a fault already.
    pub fn next(&self, operation: Operation, fault: Fault) {
        self.0.state.lock().unwrap().faults.entry(operation).or_default().push_back(fault);
    }

    /// What happens to every other operation of this kind.
    pub fn always(&self, operation: Operation, fault: Fault) {
        self.0.state.lock().unwrap().always.insert(operation, fault);
    }

    /// Ends all faults.
    pub fn heal(&self) {
        let mut state = self.0.state.lock().unwrap();
        state.faults.clear();
        state.always.clear();
    }

    /// How often an operation is interrupted before it is done, and after.
    pub fn yields(&self, times: usize) {
        self.0.state.lock().unwrap().yields = times;
    }

    /// How many operations of this kind there were.
    pub fn count(&self, operation: Operation) -> usize {
        self.0.state.lock().unwrap().operations.iter().filter(|other| **other == operation).count()
    }

    /// What is stored, whatever the faults.
    pub async fn record(&self, key: &TokenKey) -> Option<Record> {
        self.0.records.load(key).await.unwrap()
    }

    /// The stored refresh token.
    pub async fn refresh_token(&self, key: &TokenKey) -> Option<String> {
        self.record(key).await?.refresh_token().map(|token| token.expose().to_owned())
    }

    /// Stores this text in the place of what is there, as another program may.
    pub async fn plant(&self, key: &TokenKey, json: &str) {
        let record = Record::from_json(json).unwrap();
        self.wipe(key).await;
        self.0.records.compare_and_swap(key, None, &record).await.unwrap();
    }

    /// Takes a record away, as another program may.
    pub async fn wipe(&self, key: &TokenKey) {
        if let Some(record) = self.record(key).await {
            assert!(self.0.records.delete_if(key, record.generation()).await.unwrap());
        }
    }

    /// Who holds the lease.
    pub fn holder(&self, key: &TokenKey) -> Option<String> {
        let state = self.0.state.lock().unwrap();
        let (owner, until) = state.leases.as_ref()?.get(key)?;
        (Instant::now() < *until).then(|| owner.clone())
    }

    /// Does `work` as its fault would have it.
    async fn operate<T>(
        &self,
        operation: Operation,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let (fault, yields) = {
            let mut state = self.0.state.lock().unwrap();
            state.operations.push(operation);
            let next = state.faults.get_mut(&operation).and_then(VecDeque::pop_front);
            let fault = next.or_else(|| state.always.get(&operation).cloned()).unwrap_or(Fault::Pass);
            (fault, state.yields)
        };
        let failed = || Err(Error::store(format!("{operation:?} fails, as the test asked")));
        for _ in 0..yields {
            yield_now().await;
        }
        match fault {
            Fault::Pass => {}
            Fault::Fail => return failed(),
            Fault::AnswerLost => {
                work.await?;
                return failed();
            }
            Fault::Hang => std::future::pending().await,
            Fault::Panic => panic!("the store panics, as the test asked"),
            Fault::After(meanwhile) => (meanwhile.0)().await,
            Fault::Before(meanwhile) => {
                let done = work.await;
                (meanwhile.0)().await;
                return done;
            }
        }
        let done = work.await;
        for _ in 0..yields {
            yield_now().await;
        }
        done
    }

    fn take_lease(&self, key: &TokenKey, owner: &str, ttl: Duration, anew: bool) -> bool {
        let mut state = self.0.state.lock().unwrap();
        let Some(leases) = &mut state.leases else { return true };
        let now = Instant::now();
        let held = leases.get(key).filter(|(_, until)| now < *until);
        let granted = held.map_or(anew, |(holder, _)| holder == owner);
        if granted {
            leases.insert(key.clone(), (owner.to_owned(), now + ttl));
        }
        granted
    }
}

impl TokenStore for Store {
    async fn load(&self, key: &TokenKey) -> Result<Option<Record>, Error> {
        self.operate(Operation::Load, self.0.records.load(key)).await
    }

    async fn compare_and_swap(
        &self,
        key: &TokenKey,
        expected: Option<u64>,
        record: &Record,
    ) -> Result<Swap, Error> {
        self.operate(Operation::Swap, self.0.records.compare_and_swap(key, expected, record)).await
    }

    async fn delete_if(&self, key: &TokenKey, generation: u64) -> Result<bool, Error> {
        self.operate(Operation::Delete, self.0.records.delete_if(key, generation)).await
    }

    async fn lease(&self, key: &TokenKey, owner: &str, ttl: Duration) -> Result<bool, Error> {
        self.operate(Operation::Lease, async { Ok(self.take_lease(key, owner, ttl, true)) }).await
    }

    async fn renew(&self, key: &TokenKey, owner: &str, ttl: Duration) -> Result<bool, Error> {
        self.operate(Operation::Renew, async { Ok(self.take_lease(key, owner, ttl, false)) }).await
    }

    async fn release(&self, key: &TokenKey, owner: &str) -> Result<(), Error> {
        self.operate(Operation::Release, async {
            let mut state = self.0.state.lock().unwrap();
            if let Some(leases) = &mut state.leases {
                leases.retain(|leased, (holder, _)| leased != key || holder != owner);
            }
            Ok(())
        })
        .await
    }
}
