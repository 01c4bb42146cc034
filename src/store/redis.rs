//! A store in Redis.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use redis::ErrorKind;
use redis::RedisError;
use redis::Script;
use redis::ScriptInvocation;
use redis::aio::ConnectionManager;

use crate::error::Error;
use crate::store::stored;
use crate::token::Record;
use crate::token::Swap;
use crate::token::TokenKey;
use crate::token::TokenStore;

/// What the names in Redis begin with.
const PREFIX: &str = "tower-oauth:";

/// The record of a key is a hash, so that its generation can be compared without reading the record. What is no such hash
/// is never replaced. The answer is empty, or what is stored instead.
const SWAP: &str = r"
local generation, record = unpack(redis.call('HMGET', KEYS[1], 'generation', 'record'))
if not generation and redis.call('EXISTS', KEYS[1]) == 1 then
  return redis.error_reply('ERR the hash is not a record')
end
if (generation or '') ~= ARGV[1] then
  return {generation or '', record or ''}
end
redis.call('HSET', KEYS[1], 'generation', ARGV[2], 'record', ARGV[3])
if ARGV[4] == '' then
  redis.call('PERSIST', KEYS[1])
else
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
end
return {}
";

const DELETE: &str = r"
if redis.call('HGET', KEYS[1], 'generation') ~= ARGV[1] then
  return 0
end
return redis.call('DEL', KEYS[1])
";

/// Redis ends a lease by itself, on its own clock.
const LEASE: &str = r"
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
";

const RENEW: &str = r"
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
";

const RELEASE: &str = r"
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('DEL', KEYS[1])
";

/// Keeps records in Redis, over the connection manager of your application. Clones share it.
///
/// ```no_run
/// use redis::aio::ConnectionManager;
/// use tower_oauth::store::RedisStore;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let client = redis::Client::open("rediss://cache.example.com")?;
/// let store = RedisStore::new(ConnectionManager::new(client).await?).prefix("orders:tokens:");
/// # let _ = store;
/// # Ok(())
/// # }
/// ```
///
/// # What is in Redis
/// For each key a hash with `generation` and `record` (JSON) under `tower-oauth:record:NAME`, and while somebody has its lease, the owner
/// under `tower-oauth:lease:NAME`, which Redis ends by itself. Every change is one script that touches one name, so it is atomic,
/// and good for a proxy or a cluster behind the connection. Redis 4 or later.
///
/// # What Redis has to promise
/// A refresh token that rotates exists here alone. So the server needs `appendonly yes`, best with `appendfsync always` (with
/// `everysec`, a crash takes the last second), `maxmemory-policy noeviction`, and a failover to a replica can lose what was not
/// yet copied: then the users of those grants log in again. Where that is not acceptable, use a database.
///
/// Whoever may read the server has the tokens, unless an [`EncryptedStore`](super::EncryptedStore) is in between.
///
/// The manager's `response_timeout` (500 ms by default) bounds each call; after the server was away, the first call fails, and
/// the next one connects again.
#[derive(Clone)]
pub struct RedisStore {
    connection: ConnectionManager,
    prefix: Arc<str>,
    ttl: Option<Duration>,
    scripts: Arc<Scripts>,
}

struct Scripts {
    swap: Script,
    delete: Script,
    lease: Script,
    renew: Script,
    release: Script,
}

impl RedisStore {
    /// The records in the server that `connection` leads to. Nothing is asked of it yet.
    pub fn new(connection: ConnectionManager) -> Self {
        let scripts = Scripts {
            swap: Script::new(SWAP),
            delete: Script::new(DELETE),
            lease: Script::new(LEASE),
            renew: Script::new(RENEW),
            release: Script::new(RELEASE),
        };
        Self { connection, prefix: PREFIX.into(), ttl: None, scripts: Arc::new(scripts) }
    }

    /// What all names begin with, `tower-oauth:` by default. Applications that must not share their keys use one each.
    pub fn prefix(mut self, prefix: &str) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Forgets a record that has not changed for this long; by default none is ever forgotten. A record holds the refresh
    /// token: set it to more than the server gives refresh tokens, or users have to log in again.
    pub fn forget_after(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    fn record_name(&self, key: &TokenKey) -> String {
        format!("{}record:{}", self.prefix, key.as_str())
    }

    fn lease_name(&self, key: &TokenKey) -> String {
        format!("{}lease:{}", self.prefix, key.as_str())
    }

    /// Whether a script says yes.
    async fn agrees(&self, script: &ScriptInvocation<'_>) -> Result<bool, Error> {
        script.invoke_async(&mut self.connection.clone()).await.map_err(failed)
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RedisStore").field("prefix", &self.prefix).field("ttl", &self.ttl).finish()
    }
}

impl TokenStore for RedisStore {
    async fn load(&self, key: &TokenKey) -> Result<Option<Record>, Error> {
        let name = self.record_name(key);
        let mut command = redis::cmd("HMGET");
        command.arg(name).arg("generation").arg("record");
        let (generation, record): (Option<String>, Option<String>) =
            command.query_async(&mut self.connection.clone()).await.map_err(failed)?;
        match (generation, record) {
            (None, None) => Ok(None),
            (generation, record) => {
                read(key, &generation.unwrap_or_default(), &record.unwrap_or_default()).map(Some)
            }
        }
    }

    async fn compare_and_swap(
        &self,
        key: &TokenKey,
        expected: Option<u64>,
        record: &Record,
    ) -> Result<Swap, Error> {
        let mut script = self.scripts.swap.key(self.record_name(key));
        script
            .arg(expected.map(|generation| generation.to_string()).unwrap_or_default())
            .arg(record.generation().to_string())
            .arg(record.to_json().expose())
            .arg(self.ttl.map(|ttl| stored::millis(ttl).to_string()).unwrap_or_default());
        let stored: Vec<String> = script.invoke_async(&mut self.connection.clone()).await.map_err(failed)?;
        match stored.as_slice() {
            [] => Ok(Swap::Stored),
            [generation, record] if generation.is_empty() && record.is_empty() => Ok(Swap::Conflict(None)),
            [generation, record] => read(key, generation, record).map(|record| Swap::Conflict(Some(record))),
            _ => Err(stored::unreadable(key)),
        }
    }

    async fn delete_if(&self, key: &TokenKey, generation: u64) -> Result<bool, Error> {
        self.agrees(self.scripts.delete.key(self.record_name(key)).arg(generation.to_string())).await
    }

    async fn lease(&self, key: &TokenKey, owner: &str, ttl: Duration) -> Result<bool, Error> {
        let mut script = self.scripts.lease.key(self.lease_name(key));
        self.agrees(script.arg(owner).arg(stored::millis(ttl))).await
    }

    async fn renew(&self, key: &TokenKey, owner: &str, ttl: Duration) -> Result<bool, Error> {
        let mut script = self.scripts.renew.key(self.lease_name(key));
        self.agrees(script.arg(owner).arg(stored::millis(ttl))).await
    }

    async fn release(&self, key: &TokenKey, owner: &str) -> Result<(), Error> {
        self.agrees(self.scripts.release.key(self.lease_name(key)).arg(owner)).await.map(drop)
    }
}

fn read(key: &TokenKey, generation: &str, record: &str) -> Result<Record, Error> {
    let generation = generation.parse().map_err(|error| stored::unreadable(key).caused_by(error))?;
    stored::record(key, generation, record)
}

/// An error of Redis, in its own words, unless they quote what it answered.
fn failed(error: RedisError) -> Error {
    match error.kind() {
        ErrorKind::Parse | ErrorKind::UnexpectedReturnType => Error::store("unexpected answer")
            .detail("Redis answered with something that is no record and no number"),
        _ => {
            let detail = error.to_string();
            Error::store(error).detail(detail)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defaults::assert_documented;

    #[test]
    fn the_prefix_is_that_of_the_table() {
        assert_documented("beginning of names in `RedisStore`", PREFIX);
    }
}
