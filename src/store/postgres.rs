//! A store in PostgreSQL.

use std::fmt;
use std::time::Duration;

use sqlx::PgPool;
use sqlx::Row;

use crate::error::Error;
use crate::store::sql;
use crate::store::stored;
use crate::token::Record;
use crate::token::Swap;
use crate::token::TokenKey;
use crate::token::TokenStore;

/// The scripts that make the tables, in order.
const MIGRATIONS: &[&str] = &[include_str!("migrations/postgres/1_records_and_leases.sql")];

/// Keeps records in PostgreSQL, in the pool of your application. Clones share it.
///
/// ```no_run
/// use tower_oauth::store::PostgresStore;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let store = PostgresStore::new(sqlx::PgPool::connect("postgres://app@db.example.com/app").await?);
/// store.migrate().await?;
/// # Ok(())
/// # }
/// ```
///
/// # The database
/// [`migrate`](Self::migrate) makes the tables; run it when the application starts, or run the scripts in
/// `src/store/migrations/postgres` yourself. They are in the schema that comes first in the `search_path` of the connections:
/// applications that must not share their keys use one each. Leave `synchronous_commit` on: without it, a crash of the server may
/// take the last refresh tokens with it. The pool's `acquire_timeout` bounds how long a request waits for a connection.
///
/// Whoever may read the tables has the tokens, unless an [`EncryptedStore`](super::EncryptedStore) is in between. A name of a key that has a NUL in
/// it, or more than 2 000 bytes, is an error of the database.
///
/// # Leases
/// A row for each, with its owner, and its end on the clock of the database; the clocks of hosts do not matter. No connection is
/// held meanwhile, so a connection pooler between is fine.
#[derive(Clone)]
pub struct PostgresStore {
    pool: PgPool,
}

impl PostgresStore {
    /// The records in the database of `pool`. Nothing is asked of it yet.
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Makes the tables `tower_oauth_records` and `tower_oauth_leases`, or brings them up to date; what has been done is noted in
    /// `tower_oauth_schema`. It may be called at any time, by several processes at once.
    ///
    /// # Errors
    /// When the tables are those of a later version, or the database fails.
    pub async fn migrate(&self) -> Result<(), Error> {
        let mut transaction = self.pool.begin().await.map_err(sql::failed)?;
        // Processes go one after the other; the number is any that nobody else uses.
        let lock = "SELECT pg_advisory_xact_lock(7850934461266521)";
        sqlx::query(lock).execute(&mut *transaction).await.map_err(sql::failed)?;
        let schema = "CREATE TABLE IF NOT EXISTS tower_oauth_schema (version BIGINT NOT NULL PRIMARY KEY)";
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

impl fmt::Debug for PostgresStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PostgresStore")
    }
}

impl TokenStore for PostgresStore {
    async fn load(&self, key: &TokenKey) -> Result<Option<Record>, Error> {
        let load = "SELECT generation, record FROM tower_oauth_records WHERE name = $1";
        let row =
            sqlx::query(load).bind(key.as_str()).fetch_optional(&self.pool).await.map_err(sql::failed)?;
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
        let insert = "INSERT INTO tower_oauth_records (name, generation, record, changed_at) \
             VALUES ($1, $2, $3, clock_timestamp()) ON CONFLICT (name) DO NOTHING";
        let update = "UPDATE tower_oauth_records SET generation = $2, record = $3, changed_at = clock_timestamp() \
             WHERE name = $1 AND generation = $4";
        let (text, generation) = (record.to_json(), sql::column(record.generation())?);
        let query = sqlx::query(if expected.is_some() { update } else { insert });
        let query = query.bind(key.as_str()).bind(generation).bind(text.expose());
        let query = if let Some(expected) = expected { query.bind(sql::column(expected)?) } else { query };
        let done = query.execute(&self.pool).await.map_err(sql::failed)?;
        if done.rows_affected() > 0 { Ok(Swap::Stored) } else { Ok(Swap::Conflict(self.load(key).await?)) }
    }

    async fn delete_if(&self, key: &TokenKey, generation: u64) -> Result<bool, Error> {
        let delete = "DELETE FROM tower_oauth_records WHERE name = $1 AND generation = $2";
        let query = sqlx::query(delete).bind(key.as_str()).bind(sql::column(generation)?);
        Ok(query.execute(&self.pool).await.map_err(sql::failed)?.rows_affected() > 0)
    }

    async fn lease(&self, key: &TokenKey, owner: &str, ttl: Duration) -> Result<bool, Error> {
        let lease = "INSERT INTO tower_oauth_leases AS held (name, owner, expires_at) \
             VALUES ($1, $2, clock_timestamp() + $3 * interval '1 millisecond') \
             ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, expires_at = excluded.expires_at \
             WHERE held.owner = excluded.owner OR held.expires_at <= clock_timestamp()";
        let query = sqlx::query(lease).bind(key.as_str()).bind(owner).bind(millis(ttl));
        Ok(query.execute(&self.pool).await.map_err(sql::failed)?.rows_affected() > 0)
    }

    async fn renew(&self, key: &TokenKey, owner: &str, ttl: Duration) -> Result<bool, Error> {
        let renew = "UPDATE tower_oauth_leases SET expires_at = clock_timestamp() + $3 * interval '1 millisecond' \
             WHERE name = $1 AND owner = $2 AND expires_at > clock_timestamp()";
        let query = sqlx::query(renew).bind(key.as_str()).bind(owner).bind(millis(ttl));
        Ok(query.execute(&self.pool).await.map_err(sql::failed)?.rows_affected() > 0)
    }

    async fn release(&self, key: &TokenKey, owner: &str) -> Result<(), Error> {
        let release = "DELETE FROM tower_oauth_leases WHERE name = $1 AND owner = $2";
        let query = sqlx::query(release).bind(key.as_str()).bind(owner);
        query.execute(&self.pool).await.map(drop).map_err(sql::failed)
    }
}

/// Intervals are multiplied with numbers of this type; those of a century are exact.
fn millis(ttl: Duration) -> f64 {
    stored::millis(ttl) as f64
}
