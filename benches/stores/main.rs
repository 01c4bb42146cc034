//! What a store costs: loading a record, replacing it, taking and giving back a lease; the file store with many keys, too.
//!
//! The servers are throw-away ones on this machine. Here it is the wall's clock that counts, because most of the time
//! passes in other processes and on the disk. The file store reads and writes its whole file each time, so what it costs grows with
//! the keys; the ratios hold that it does not grow faster than they do. The keyring is one in memory, because that of the system
//! asks its user: what is measured is what the store adds.

#[path = "../../tests/stores/servers.rs"]
mod servers;

use std::time::Duration;
use std::time::Instant;

use tower_oauth::TokenKey;
use tower_oauth::store::EncryptedStore;
use tower_oauth::store::EncryptionKey;
use tower_oauth::store::FileStore;
use tower_oauth::store::KeyringStore;
use tower_oauth::store::MemoryStore;
use tower_oauth::store::PostgresStore;
use tower_oauth::store::RedisStore;
use tower_oauth::store::SqliteStore;
use tower_oauth::token::BoxTokenStore;
use tower_oauth::token::Record;
use tower_oauth::token::Swap;
use tower_oauth::token::TokenStore;
use tower_oauth_benches::Chart;
use tower_oauth_benches::Goal;
use tower_oauth_benches::Ratios;

/// How long each operation of each store is tried.
const TIME: Duration = Duration::from_secs(3);
const LEASE: Duration = Duration::from_secs(60);
/// About as long as a real one.
const TEXT: usize = 700;

#[derive(Clone, Copy)]
struct Costs {
    load: f64,
    swap: f64,
    lease: f64,
}

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    println!("{:<32} {:>12} {:>12} {:>16}", "µs (median)", "load", "swap", "lease, release");

    measure("memory", &BoxTokenStore::new(MemoryStore::new()), 100).await?;
    let encrypted = EncryptedStore::new(MemoryStore::new(), EncryptionKey::new("bench", [7; 32])?);
    measure("memory, encrypted", &BoxTokenStore::new(encrypted), 100).await?;
    let keyring = KeyringStore::new(keyring_core::mock::Store::new()?, "com.example.bench");
    measure("keyring, in memory", &BoxTokenStore::new(keyring), 100).await?;

    let mut file = Chart::new("file_store", "File store", "keys", "µs");
    let mut by_keys = Vec::new();
    for keys in [1, 10, 100, 1_000, 10_000] {
        let path = folder.path().join(format!("{keys}.json"));
        write_many(&path, keys).await?;
        let costs =
            measure(&format!("file, {keys} keys"), &BoxTokenStore::new(FileStore::new(path)), keys).await?;
        file.point("load", keys as u64, costs.load);
        file.point("compare and swap", keys as u64, costs.swap);
        file.point("lease and release", keys as u64, costs.lease);
        by_keys.push(costs);
    }
    file.finish()?;

    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(folder.path().join("tokens.db"))
        .create_if_missing(true);
    let sqlite = SqliteStore::new(sqlx::sqlite::SqlitePoolOptions::new().connect_with(options).await?);
    sqlite.migrate().await?;
    measure("SQLite", &BoxTokenStore::new(sqlite), 1_000).await?;

    let server = servers::Postgres::start();
    let postgres = PostgresStore::new(sqlx::postgres::PgPoolOptions::new().connect(&server.url()).await?);
    postgres.migrate().await?;
    measure("PostgreSQL, without fsync", &BoxTokenStore::new(postgres), 1_000).await?;

    let server = servers::Redis::start();
    let client = redis::Client::open(server.url())?;
    let redis = RedisStore::new(redis::aio::ConnectionManager::new(client).await?);
    measure("Redis, fsync always", &BoxTokenStore::new(redis), 1_000).await?;

    let mut ratios = Ratios::new("stores");
    if let [.., thousand, ten_thousand] = by_keys[..] {
        ratios.add(
            "file_store_load_10000_keys_vs_1000",
            ten_thousand.load / thousand.load,
            Goal::AtMost(15.0),
        );
        ratios.add(
            "file_store_swap_10000_keys_vs_1000",
            ten_thousand.swap / thousand.swap,
            Goal::AtMost(15.0),
        );
    }
    ratios.finish()?;
    Ok(())
}

fn record(generation: u64) -> Record {
    Record::sealed(generation, "x".repeat(TEXT))
}

fn key(number: usize) -> TokenKey {
    TokenKey::new(format!("tenant-{number}"))
}

/// Fills a file. Changes that are asked for at once are written together, so it takes moments.
async fn write_many(path: &std::path::Path, keys: usize) -> Result<(), Box<dyn std::error::Error>> {
    let store = FileStore::new(path);
    let write = |number| {
        let store = store.clone();
        async move { store.compare_and_swap(&key(number), None, &record(1)).await }
    };
    let written: tokio::task::JoinSet<_> = (0..keys).map(write).collect();
    for swap in written.join_all().await {
        assert_eq!(swap?, Swap::Stored);
    }
    Ok(())
}

async fn measure(name: &str, store: &BoxTokenStore, keys: usize) -> Result<Costs, tower_oauth::Error> {
    for number in 0..keys {
        if store.load(&key(number)).await?.is_none() {
            store.compare_and_swap(&key(number), None, &record(1)).await?;
        }
    }
    let mut number = 0;
    // Jumps about, and visits all.
    let mut next = move || {
        number = (number + 7_919) % keys;
        key(number)
    };
    let mut times = (Vec::new(), Vec::new(), Vec::new());
    let began = Instant::now();
    while began.elapsed() < TIME * 3 || times.0.len() < 5 {
        let key = next();
        let start = Instant::now();
        let stored = store.load(&key).await?.expect("it was stored");
        times.0.push(start.elapsed());

        let successor = record(stored.generation() + 1);
        let start = Instant::now();
        let swap = store.compare_and_swap(&key, Some(stored.generation()), &successor).await?;
        times.1.push(start.elapsed());
        assert_eq!(swap, Swap::Stored);

        let start = Instant::now();
        assert!(store.lease(&key, "the bench", LEASE).await?);
        store.release(&key, "the bench").await?;
        times.2.push(start.elapsed());
    }
    let costs = Costs { load: median(times.0), swap: median(times.1), lease: median(times.2) };
    println!("{name:<32} {:>12.1} {:>12.1} {:>16.1}", costs.load, costs.swap, costs.lease);
    Ok(costs)
}

/// In microseconds.
fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_nanos() as f64 / 1e3
}
