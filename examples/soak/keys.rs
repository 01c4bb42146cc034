//! Many keys, each touched once, through one manager; and one tenant whose authorization server never answers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tower::BoxError;
use tower_oauth::store::MemoryStore;
use tower_oauth::token::{SourceRequest, token_source_fn};
use tower_oauth::{Token, TokenKey, TokenManager};

/// Keys that are touched at a time.
const AT_A_TIME: usize = 64;
/// How many times the bound is touched before the memory is taken for what it is to stay.
const WARM: usize = 4;
/// What the memory may grow by after that: the allocator's business.
const GROWTH: u64 = 16 * 1024 * 1024;
/// What another tenant waits, at most: an exchange takes no time here, and one that had to wait for the slow tenant would wait
/// for ever. So this is only about how busy the machine is.
const DELAY: Duration = Duration::from_secs(30);
const PROGRESS: usize = 100_000;

/// Gives the last line, and whether all promises were kept.
pub fn run(keys: usize, bound: usize) -> Result<(String, bool), BoxError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(touch(keys, bound))
}

async fn touch(keys: usize, bound: usize) -> Result<(String, bool), BoxError> {
    eprintln!(
        "soak: touches {keys} keys once, {AT_A_TIME} at a time, in a manager that is bound to keep {bound}"
    );
    let answered = Arc::new(Semaphore::new(0));
    let release = Arc::clone(&answered);
    let slow = TokenKey::new("slow");
    let slow_key = slow.clone();
    let source = token_source_fn(move |request: SourceRequest| {
        let answered = (*request.key() == slow_key).then(|| Arc::clone(&answered));
        async move {
            if let Some(answered) = answered {
                let _ = answered.acquire().await;
            }
            Ok(Token::new(format!("token-of-{}", request.key())).expires_in(Duration::from_secs(3600)))
        }
    });
    // What a manager has by default, kept here to look into it.
    let store = MemoryStore::bounded(bound);
    let manager = TokenManager::builder(source)
        .store(store.clone())
        .max_keys(bound)
        .refresh_deadline(Duration::from_secs(86_400))
        .wait_timeout(Duration::from_secs(86_400))
        .build();

    let waiting = tokio::spawn({
        let (manager, slow) = (manager.clone(), slow.clone());
        async move { manager.token(&slow).await }
    });
    let began = Instant::now();
    let (mut warm, mut slowest, mut most_keys, mut wrong) = (memory(), Duration::ZERO, 0, 0);
    let mut touched = 0;
    while touched < keys {
        let next = keys.min(touched + AT_A_TIME);
        let mut tenants = JoinSet::new();
        for number in touched..next {
            let manager = manager.clone();
            tenants.spawn(async move {
                let (key, asked) = (TokenKey::new(format!("tenant-{number}")), Instant::now());
                let token = manager.token(&key).await;
                let is_right =
                    token.is_ok_and(|token| token.access_token().expose() == format!("token-of-{key}"));
                (is_right, asked.elapsed())
            });
        }
        while let Some(tenant) = tenants.join_next().await {
            let (is_right, took) = tenant?;
            wrong += usize::from(!is_right);
            slowest = slowest.max(took);
        }
        most_keys = most_keys.max(manager.keys_in_memory());
        touched = next;
        if touched <= bound.saturating_mul(WARM) {
            warm = memory();
        }
        if touched % PROGRESS < AT_A_TIME || touched == keys {
            let (entries, records) = (manager.keys_in_memory(), store.len());
            eprintln!(
                "soak: {touched} keys touched, {entries} in memory, {records} records, {}",
                mebibytes(memory())
            );
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    // The slow one was neither served nor forgotten.
    let was_waiting = !waiting.is_finished();
    release.add_permits(1);
    let is_served = tokio::time::timeout(DELAY, waiting).await.is_ok_and(|token| matches!(token, Ok(Ok(_))));

    let (entries, records, now) = (manager.keys_in_memory(), store.len(), memory());
    // Those that are being touched cannot leave.
    let is_bounded = most_keys <= bound + AT_A_TIME + 1 && records <= bound;
    let grew = now.zip(warm).map_or(0, |(now, warm)| now.saturating_sub(warm));
    let ok = is_bounded && grew <= GROWTH && was_waiting && is_served && slowest < DELAY && wrong == 0;
    let line = format!(
        "soak: {} keys={keys} bound={bound} keys_in_memory={entries} most_keys_in_memory={most_keys} records={records} \
         rss={} rss_grew={} slowest_other_tenant={}us slow_tenant_waited={} slow_tenant_served={} wrong_tokens={wrong} \
         seconds={seconds:.1}",
        if ok { "ok" } else { "BROKEN" },
        mebibytes(now),
        mebibytes(Some(grew)),
        slowest.as_micros(),
        was_waiting,
        is_served,
    );
    Ok((line, ok))
}

/// What this process holds of the machine's memory, in bytes, where the system tells it.
fn memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kibibytes * 1024)
}

fn mebibytes(bytes: Option<u64>) -> String {
    bytes.map_or_else(|| "unknown".to_owned(), |bytes| format!("{:.1}MiB", bytes as f64 / 1_048_576.0))
}
