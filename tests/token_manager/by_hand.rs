//! Where tokens are renewed only when somebody says so.

use super::*;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use tower_oauth::store::MemoryStore;
use tower_oauth::testing::ManualClock;
use tower_oauth::token::token_source_fn;

/// A manager that renews by hand, whose tokens live for an hour, and the number of them that were made.
fn by_hand(clock: &ManualClock, store: MemoryStore) -> (TokenManager, Arc<AtomicUsize>) {
    let made = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&made);
    let source = token_source_fn(move |_| {
        let number = count.fetch_add(1, Ordering::SeqCst) + 1;
        async move { Ok(Token::new(format!("token-{number}")).expires_in(HOUR)) }
    });
    (TokenManager::builder(source).store(store).clock(clock.clone()).refresh_by_hand().build(), made)
}

fn kind(result: Result<Token, Error>) -> ErrorKind {
    result.unwrap_err().kind()
}

#[tokio::test(start_paused = true)]
async fn nothing_is_fetched_until_somebody_says_so() {
    let (manager, made) = by_hand(&ManualClock::new(), MemoryStore::new());
    let key = TokenKey::new("alice");
    for _ in 0..3 {
        assert_eq!(kind(manager.token(&key).await), ErrorKind::NoToken);
    }
    assert_eq!(made.load(Ordering::SeqCst), 0);
    // At once: there is nothing to wait out.
    assert_eq!(manager.refresh(&key).await.unwrap().access_token().expose(), "token-1");
    assert_eq!(manager.token(&key).await.unwrap().access_token().expose(), "token-1");
}

#[tokio::test(start_paused = true)]
async fn a_token_that_ends_stays_in_use_to_its_end_and_is_a_typed_error_from_then_on() {
    let clock = ManualClock::new();
    let (manager, made) = by_hand(&clock, MemoryStore::new());
    let key = TokenKey::new("alice");
    manager.put(&key, Token::new("login").expires_in(HOUR).with_refresh_token("refresh")).await.unwrap();
    clock.advance(HOUR - 11 * SECOND);
    assert_eq!(manager.token(&key).await.unwrap().access_token().expose(), "login");
    clock.advance(SECOND);
    for _ in 0..3 {
        let error = manager.token(&key).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TokenExpired);
        assert!(!error.is_transient() && !error.needs_reauthorization(), "{error}");
        assert!(error.to_string().contains("TokenManager::refresh"), "{error}");
        clock.advance(HOUR);
    }
    assert_eq!(made.load(Ordering::SeqCst), 0);
    assert_eq!(manager.refresh(&key).await.unwrap().access_token().expose(), "token-1");
    assert_eq!(manager.token(&key).await.unwrap().access_token().expose(), "token-1");
    assert_eq!(made.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_a_server_refused_is_one_that_has_ended() {
    let (manager, _) = by_hand(&ManualClock::new(), MemoryStore::new());
    let key = TokenKey::new("alice");
    let token = manager.refresh(&key).await.unwrap();
    manager.invalidate(&key, &token);
    assert_eq!(kind(manager.token(&key).await), ErrorKind::TokenExpired);
    assert_eq!(manager.refresh(&key).await.unwrap().access_token().expose(), "token-2");
}

#[tokio::test(start_paused = true)]
async fn what_another_process_stored_is_taken() {
    let (clock, store) = (ManualClock::new(), MemoryStore::new());
    let (manager, made) = by_hand(&clock, store.clone());
    let (sibling, _) = by_hand(&clock, store);
    let key = TokenKey::new("alice");
    manager.refresh(&key).await.unwrap();
    clock.advance(2 * HOUR);
    assert_eq!(kind(manager.token(&key).await), ErrorKind::TokenExpired);
    sibling.put(&key, Token::new("of-the-sibling").expires_in(HOUR)).await.unwrap();
    // The store is looked at once a second.
    clock.advance(2 * SECOND);
    assert_eq!(manager.token(&key).await.unwrap().access_token().expose(), "of-the-sibling");
    assert_eq!(made.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn an_end_that_is_waited_for_is_no_failed_refresh() {
    let clock = ManualClock::new();
    let events = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&events);
    let source = token_source_fn(|_| async { Ok(Token::new("token").expires_in(HOUR)) });
    let manager = TokenManager::builder(source)
        .clock(clock.clone())
        .refresh_by_hand()
        .on_event(move |event| seen.lock().unwrap().push(format!("{event:?}")))
        .build();
    let key = TokenKey::new("alice");
    manager.refresh(&key).await.unwrap();
    clock.advance(2 * HOUR);
    assert_eq!(kind(manager.token(&key).await), ErrorKind::TokenExpired);
    let events = events.lock().unwrap();
    assert_eq!(events.len(), 1, "{events:?}");
    assert!(events[0].starts_with("Refreshed"), "{events:?}");
}
