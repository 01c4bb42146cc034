//! A store in SQLite.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use sqlx::Row;
use sqlx::SqlitePool;
use tokio::time::sleep;

use crate::error::Error;
use crate::store::sql;
use crate::store::stored;
use crate::token::Record;
use crate::token::Swap;
use crate::token::TokenKey;
use crate::token::TokenStore;

/// The scripts that make the tables, in order.
const MIGRATIONS: &[&str] = &[include_str!("migrations/sqlite/1_records_and_leases.sql")];

/// How often a statement is tried that finds the database locked, beyond the `busy_timeout` of the connection.
const BUSY_ATTEMPTS: u32 = 8;
/// The pause after the first such attempt; it doubles.
const BUSY_PAUSE: Duration = Duration::from_millis(10);

/// Milliseconds since 1970, by the clock of the database.
macro_rules! now {
    () => {
        "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"
    };
}

/// Keeps records in SQLite, in the pool of your application. Clones share it.
///
/// ```
/// use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};
/// use tower_oauth::store::SqliteStore;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("app.db");
/// let options = SqliteConnectOptions::new()
///     .filename(path)
///     .create_if_missing(true)
///     .journal_mode(SqliteJournalMode::Wal);
/// let store = SqliteStore::new(SqlitePoolOptions::new().connect_with(options).await?);
/// store.migrate().await?;
/// # Ok(())
/// # }
/// ```
///
/// # The database
/// [`migrate`](Self::migrate) makes the tables; run it when the application starts. Use the write-ahead log
/// (`SqliteJournalMode::Wal`), so that readers and a writer do not wait for each other, with `synchronous` at `FULL` (the default of
/// sqlx): at `NORMAL`, a power failure may take the last refresh token with it. A locked database is waited for: as long as
/// the connection's `busy_timeout` says, 5 s in sqlx, and some times more. A database in memory is another one for each
/// connection: give the pool one connection that it never closes.
///
/// Whoever may read the file has the tokens, unless an [`EncryptedStore`](super::EncryptedStore) is in between: keep it as private as a key.
///
/// # Leases
/// A row for each, with its owner, and its end on the clock of the host. All processes on the host share them.
#[derive(Clone)]
pub struct SqliteStore {
    pool: SqlitePool,
}

impl SqliteStore {
    /// The records in the database of `pool`. Nothing is asked of it yet.
    pub fn new(pool: SqlitePool) -> Self {
        Self { pool }
    }

    /// Makes the tables `tower_oauth_records` and `tower_oauth_leases`, or brings them up to date; what has been done is noted in
    /// `tower_oauth_schema`. It may be called at any time, by several processes at once.
    ///
    /// # Errors
    /// When the tables are those of a later version, or the database fails.
    pub async fn migrate(&self) -> Result<(), Error> {
        // The lock that writers take comes first, so that processes go one after the other.
        let mut transaction = patiently(|| self.pool.begin_with("BEGIN IMMEDIATE")).await?;
        let schema = "CREATE TABLE IF NOT EXISTS tower_oauth_schema (version INTEGER NOT NULL PRIMARY KEY)";
        sqlx::query(schema).execute(&mut *transaction).await.map_err(sql::failed)?;
        let version = "SELECT COALESCE(MAX(version), 0) FROM tower_oauth_schema";
        let found: i64 =
            sqlx::query_scalar(version).fetch_one(&mut *transaction).await.map_err(sql::failed)?;
        sql::check_version(found, MIGRATIONS.len())?;
        for (script, version) in MIGRATIONS.iter().copied().zip(1_i64..) {
            if version > found {
                sqlx::raw_sql(script).execute(&mut *transaction).await.map_err(sql::failed)?;
                let done = sqlx::query("INSERT INTO tower_oauth_schema (version) VALUES ($1)").bind(version);
                done.execute(&mut *transaction).await.map_err(sql::failed)?;
            }
        }
        transaction.commit().await.map_err(sql::failed)
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SqliteStore")
    }
}

impl TokenStore for SqliteStore {
    async fn load(&self, key: &TokenKey) -> Result<Option<Record>, Error> {
        let load = "SELECT generation, record FROM tower_oauth_records WHERE name = $1";
        let row = patiently(|| sqlx::query(load).bind(key.as_str()).fetch_optional(&self.pool)).await?;
        let Some(row) = row else { return Ok(None) };
        let generation = sql::generation(row.try_get(0).map_err(sql::failed)?)?;
        stored::record(key, generation, row.try_get(1).map_err(sql::failed)?).map(Some)
    }

    async fn compare_and_swap(
        &self,
        key: &TokenKey,
        expected: Option<u64>,
        record: &Record,
    ) -> Result<Swap, Error> {
        let insert = concat!(
            "INSERT INTO tower_oauth_records (name, generation, record, changed_at) VALUES ($1, $2, $3, ",
            now!(),
            ") ON CONFLICT (name) DO NOTHING"
        );
        let update = concat!(
            "UPDATE tower_oauth_records SET generation = $2, record = $3, changed_at = ",
            now!(),
            " WHERE name = $1 AND generation = $4"
        );
        let (text, generation) = (record.to_json(), sql::column(record.generation())?);
        let expected = expected.map(sql::column).transpose()?;
        let done = patiently(|| {
            let query = sqlx::query(if expected.is_some() { update } else { insert });
            let query = query.bind(key.as_str()).bind(generation).bind(text.expose());
            let query = if let Some(expected) = expected { query.bind(expected) } else { query };
            query.execute(&self.pool)
        });
        if done.await?.rows_affected() > 0 {
            Ok(Swap::Stored)
        } else {
            Ok(Swap::Conflict(self.load(key).await?))
        }
    }

    async fn delete_if(&self, key: &TokenKey, generation: u64) -> Result<bool, Error> {
        let delete = "DELETE FROM tower_oauth_records WHERE name = $1 AND generation = $2";
        let generation = sql::column(generation)?;
        let query = || sqlx::query(delete).bind(key.as_str()).bind(generation).execute(&self.pool);
        Ok(patiently(query).await?.rows_affected() > 0)
    }

    async fn lease(&self, key: &TokenKey, owner: &str, ttl: Duration) -> Result<bool, Error> {
        let lease = concat!(
            "INSERT INTO tower_oauth_leases AS held (name, owner, expires_at) VALUES ($1, $2, ",
            now!(),
            " + $3) ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, expires_at = excluded.expires_at ",
            "WHERE held.owner = excluded.owner OR held.expires_at <= ",
            now!()
        );
        let ttl = stored::millis(ttl);
        let query = || sqlx::query(lease).bind(key.as_str()).bind(owner).bind(ttl).execute(&self.pool);
        Ok(patiently(query).await?.rows_affected() > 0)
    }

    async fn renew(&self, key: &TokenKey, owner: &str, ttl: Duration) -> Result<bool, Error> {
        let renew = concat!(
            "UPDATE tower_oauth_leases SET expires_at = ",
            now!(),
            " + $3 WHERE name = $1 AND owner = $2 AND expires_at > ",
            now!()
        );
        let ttl = stored::millis(ttl);
        let query = || sqlx::query(renew).bind(key.as_str()).bind(owner).bind(ttl).execute(&self.pool);
        Ok(patiently(query).await?.rows_affected() > 0)
    }

    async fn release(&self, key: &TokenKey, owner: &str) -> Result<(), Error> {
        let release = "DELETE FROM tower_oauth_leases WHERE name = $1 AND owner = $2";
        let query = || sqlx::query(release).bind(key.as_str()).bind(owner).execute(&self.pool);
        patiently(query).await.map(drop)
    }
}

/// Tries again while the database is locked. The `busy_timeout` of the connection may be zero, and does not help
/// connections that share a cache.
async fn patiently<T, F>(query: impl Fn() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, sqlx::Error>>,
{
    let mut attempt = 0;
    loop {
        match query().await {
            Err(error) if is_locked(&error) && attempt < BUSY_ATTEMPTS => {
                sleep(BUSY_PAUSE * (1 << attempt)).await
            }
            outcome => return outcome.map_err(sql::failed),
        }
        attempt += 1;
    }
}

/// `SQLITE_BUSY` and `SQLITE_LOCKED`, in all their kinds.
fn is_locked(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code()?.parse::<u32>().ok());
    matches!(code.map(|code| code & 0xff), Some(5 | 6))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defaults::assert_continued;
    use crate::defaults::assert_documented;

    #[test]
    fn the_defaults_are_those_of_the_table() {
        assert_documented("times that `SqliteStore` tries again while the database is locked", BUSY_ATTEMPTS);
        assert_continued("times that `SqliteStore` tries again while the database is locked", BUSY_PAUSE);
    }
}
