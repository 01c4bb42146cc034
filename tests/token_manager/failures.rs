//! Sources that fail, stores and observers that panic.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use tower_oauth::Clock;
use tower_oauth::Error;
use tower_oauth::ErrorKind;
use tower_oauth::Token;
use tower_oauth::TokenManager;
use tower_oauth::grant::StaticToken;
use tower_oauth::token::AccessScope;

use crate::HOUR;
use crate::SECOND;
use crate::SOFT;
use crate::World;
use crate::given;
use crate::key;
use crate::refused;
use crate::server::Answer;
use crate::settle;
use crate::store::Fault;
use crate::store::Operation;
use crate::store::Store;

fn down() -> Answer {
    Answer::Fail(Error::transient("down"))
}

#[tokio::test(start_paused = true)]
async fn a_failed_refresh_never_hides_a_token_that_is_still_valid() {
    let world = World::new();
    let manager = world.logged_in().await;
    world.clock.forward(SOFT);
    for _ in 0..1000 {
        world.server.answer(down());
    }
    // From 2701 s to 3589 s: the old token, and attempts whose distance grows to at most 30 s.
    for _ in 0..888 {
        assert_eq!(given(manager.token(&key()).now_or_never().expect("nobody waits")), "alice-login");
        settle().await;
        world.clock.forward(SECOND);
    }
    assert!((50..100).contains(&world.server.count()), "{}", world.server.count());
    world.clock.forward(60 * SECOND);
    assert_eq!(refused(manager.token(&key()).await), ErrorKind::Source);
    let error = manager.token(&key()).now_or_never().expect("nobody waits").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BackOff);
    assert!(error.is_transient() && error.retry_at().is_some_and(|at| at > world.clock.now()));
    assert!(error.to_string().contains("the token source failed"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn the_first_success_ends_the_pauses() {
    let world = World::new();
    let manager = world.manager();
    for pause in [100, 200, 400] {
        world.server.answer(down());
        assert_eq!(refused(manager.token(&key()).await), ErrorKind::Source);
        world.clock.forward(Duration::from_millis(pause - 1));
        assert_eq!(refused(manager.token(&key()).await), ErrorKind::BackOff, "{pause}");
        world.clock.forward(Duration::from_millis(1));
    }
    assert_eq!(given(manager.token(&key()).await), "alice-4");
    world.server.answer(down());
    assert_eq!(refused(manager.refresh(&key()).await), ErrorKind::Source);
    let paused = manager.refresh(&key()).await.unwrap_err();
    assert_eq!(paused.retry_at(), Some(world.clock.now() + Duration::from_millis(100)));
    assert_eq!(world.server.count(), 5);
}

#[tokio::test(start_paused = true)]
async fn one_failure_reaches_all_who_wait_and_is_not_repeated_for_each() {
    let world = World::new();
    let manager = world.manager();
    world.server.answer(down());
    let alice = key();
    let results = join_all((0..100).map(|_| manager.token(&alice))).await;
    assert!(results.into_iter().all(|result| refused(result) == ErrorKind::Source));
    assert_eq!(world.server.count(), 1);
    assert_eq!(world.events(), ["refresh_failed"]);
}

#[tokio::test(start_paused = true)]
async fn a_dead_grant_is_not_presented_again() {
    let world = World::new();
    let manager = world.logged_in().await;
    world.server.revoke(&key());
    world.clock.forward(HOUR);
    let error = manager.token(&key()).await.unwrap_err();
    assert!(error.needs_reauthorization(), "{error:?}");
    for _ in 0..10_000 {
        let error = manager.token(&key()).await.unwrap_err();
        assert!(error.needs_reauthorization() && !error.is_transient());
        world.clock.forward(SECOND);
    }
    assert_eq!(world.server.count(), 1);
    assert!(world.store.record(&key()).await.is_some(), "nothing is deleted");
    let loads = world.store.count(Operation::Load);
    assert!((100..400).contains(&loads), "the store is looked at twice a minute, not {loads} times");
}

#[tokio::test(start_paused = true)]
async fn a_dead_refresh_token_is_presented_once_whatever_it_was_to_bring() {
    let world = World::new();
    let manager = world.logged_in().await;
    world.server.revoke(&key());
    world.clock.forward(HOUR);
    manager.token(&key()).await.unwrap_err();
    for number in 0..50 {
        let scope = AccessScope::new().scope(&format!("scope-{number}"));
        let error = manager.token_for(&key(), &scope).await.unwrap_err();
        assert!(error.needs_reauthorization(), "{error}");
        assert!(manager.refresh_for(&key(), &scope).await.unwrap_err().needs_reauthorization());
        world.clock.forward(60 * SECOND);
    }
    assert_eq!((world.server.count(), world.server.replays()), (1, 1));
    let died = world.events().into_iter().filter(|name| *name == "died").count();
    assert_eq!(died, 1, "it is told once");
    // A login here, and one elsewhere, bring every scope back.
    manager.put(&key(), world.server.login(&key())).await.unwrap();
    assert_eq!(given(manager.refresh(&key()).await), "alice-2");
    assert_eq!(given(manager.token_for(&key(), &AccessScope::new().scope("a")).await), "alice-3-for-a");
}

#[tokio::test(start_paused = true)]
async fn with_a_store_that_nobody_shares_a_dead_grant_is_known_at_once() {
    let server = crate::server::Server::new();
    let manager = TokenManager::builder(server.clone()).build();
    manager.put(&key(), server.login(&key())).await.unwrap();
    server.revoke(&key());
    let started = tokio::time::Instant::now();
    assert_eq!(refused(manager.refresh(&key()).await), ErrorKind::ReauthorizationRequired);
    assert_eq!(started.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn what_gives_chance_may_call_the_manager() {
    let world = World::new();
    let cell = Arc::new(OnceLock::<TokenManager>::new());
    let seen = Arc::clone(&cell);
    let manager = world
        .builder()
        .chance(move || {
            // It would wait for ever if it were asked under a lock.
            seen.get().map(|manager| manager.token(&key()).now_or_never());
            0.5
        })
        .build();
    cell.set(manager.clone()).ok().unwrap();
    world.server.answer(down());
    assert_eq!(refused(manager.token(&key()).await), ErrorKind::Source);
    world.clock.forward(SECOND);
    assert_eq!(given(manager.token(&key()).await), "alice-2");
}

#[tokio::test(start_paused = true)]
async fn a_dead_grant_with_a_valid_token_serves_it_to_its_end() {
    let world = World::new();
    let manager = world.logged_in().await;
    world.server.revoke(&key());
    world.clock.forward(SOFT);
    for _ in 0..800 {
        assert_eq!(given(manager.token(&key()).await), "alice-login");
        tokio::time::sleep(SECOND).await;
    }
    assert_eq!(world.server.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_static_token_cannot_be_renewed_and_says_so_at_once() {
    let manager = TokenManager::builder(StaticToken::new("personal")).build();
    let token = manager.token(&key()).await.unwrap();
    manager.invalidate(&key(), &token);
    let started = tokio::time::Instant::now();
    let error = manager.token(&key()).await.unwrap_err();
    assert_eq!((error.kind(), started.elapsed()), (ErrorKind::ReauthorizationRequired, Duration::ZERO));
    manager.put(&key(), Token::new("another")).await.unwrap();
    assert_eq!(given(manager.token(&key()).await), "another");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_panics_fails_those_who_wait_and_nobody_else() {
    let world = World { store: Store::with_leases(), ..World::new() };
    let manager = world.logged_in().await;
    world.clock.forward(HOUR);
    world.server.answer(Answer::Panic);
    let alice = key();
    let results = join_all((0..10).map(|_| manager.token(&alice))).await;
    assert!(results.into_iter().all(|result| refused(result) == ErrorKind::Abandoned));
    settle().await;
    assert_eq!(world.store.holder(&key()), None);
    world.clock.forward(SECOND);
    assert_eq!(given(manager.token(&key()).await), "alice-2");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_panics_loses_no_token() {
    for operation in
        [Operation::Load, Operation::Swap, Operation::Lease, Operation::Renew, Operation::Release]
    {
        let world = World { store: Store::with_leases(), ..World::new() };
        let manager = world.logged_in().await;
        world.clock.forward(HOUR);
        world.server.delay(25 * SECOND);
        world.store.next(operation, Fault::Panic);
        let result = manager.token(&key()).await;
        // A lease that cannot be renewed or given back is no reason to fail anybody.
        if matches!(operation, Operation::Renew | Operation::Release) {
            assert_eq!(given(result), "alice-1", "{operation:?}");
        } else {
            assert_eq!(refused(result), ErrorKind::Abandoned, "{operation:?}");
        }
        settle().await;
        world.clock.forward(SECOND);
        let token = given(manager.token(&key()).await);
        assert_eq!(token, "alice-1", "{operation:?}");
        assert_eq!((world.server.count(), world.server.replays()), (1, 0), "{operation:?}");
        assert_eq!(
            world.store.refresh_token(&key()).await,
            world.server.refresh_token(&key()),
            "{operation:?}"
        );
        settle().await;
        assert_eq!(world.store.holder(&key()), None, "{operation:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_panics_under_a_login_changes_nothing() {
    let world = World::new();
    let manager = world.logged_in().await;
    for operation in [Operation::Load, Operation::Swap] {
        world.store.next(operation, Fault::Panic);
        let put = AssertUnwindSafe(manager.put(&key(), Token::new("never"))).catch_unwind().await;
        assert!(put.is_err());
        assert_eq!(given(manager.token(&key()).await), "alice-login");
    }
    manager.put(&key(), Token::new("second")).await.unwrap();
    assert_eq!(given(manager.token(&key()).await), "second");
}

#[tokio::test(start_paused = true)]
async fn an_observer_that_panics_disturbs_nobody() {
    let world = World::new();
    let manager = world.builder().on_event(|_| panic!("the observer panics, as the test asked")).build();
    assert_eq!(given(manager.token(&key()).await), "alice-1");
    world.server.answer(down());
    assert_eq!(refused(manager.refresh(&key()).await), ErrorKind::Source);
    world.clock.forward(SECOND);
    world.store.always(Operation::Swap, Fault::Fail);
    assert_eq!(given(manager.refresh(&key()).await), "alice-3");
    world.store.heal();
    tokio::time::sleep(HOUR).await;
    assert_eq!(given(manager.token(&key()).await), "alice-4");
}

#[tokio::test(start_paused = true)]
async fn an_observer_may_call_the_manager() {
    let world = World::new();
    let slot: Arc<OnceLock<TokenManager>> = Arc::default();
    let (inner, alice) = (Arc::clone(&slot), key());
    let manager = world
        .builder()
        .on_event(move |_| {
            let manager = inner.get().unwrap();
            if let Some(token) = manager.peek(&alice) {
                manager.invalidate(&alice, &token);
            }
            let _ = format!("{manager:?}");
            assert!(manager.token(&alice).now_or_never().is_none_or(|result| result.is_err()));
        })
        .build();
    slot.set(manager.clone()).unwrap();
    // The observer invalidates what comes: the reader gets it, or an error, and does not hang.
    let _ = manager.token(&key()).await;
    world.store.always(Operation::Swap, Fault::Fail);
    let _ = manager.refresh(&key()).await;
    world.store.heal();
    tokio::time::sleep(60 * SECOND).await;
    assert!(world.server.count() < 20, "{}", world.server.count());
}
