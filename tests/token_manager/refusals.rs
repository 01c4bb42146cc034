//! Tokens that servers refuse.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;
use tokio::time::sleep;
use tower_oauth::ErrorKind;
use tower_oauth::Token;
use tower_oauth::token::AccessScope;
use tower_oauth::token::Reason;

use crate::HOUR;
use crate::SECOND;
use crate::World;
use crate::given;
use crate::key;
use crate::refused;
use crate::server::Answer;

#[tokio::test(start_paused = true)]
async fn refusals_of_a_token_that_was_replaced_cause_no_refresh() {
    let world = World::new();
    let manager = world.logged_in().await;
    let old = manager.token(&key()).await.unwrap();
    assert_eq!(given(manager.refresh(&key()).await), "alice-1");
    for _ in 0..500 {
        manager.invalidate(&key(), &old);
        assert_eq!(given(manager.token(&key()).await), "alice-1");
    }
    assert_eq!(world.server.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_refusal_of_the_current_token_causes_one_refresh_for_all() {
    let world = World::new();
    let manager = world.logged_in().await;
    let token = manager.token(&key()).await.unwrap();
    let alice = key();
    let again = join_all((0..100).map(|_| async {
        manager.invalidate(&alice, &token);
        given(manager.token(&alice).await)
    }));
    assert!(again.await.iter().all(|token| token == "alice-1"));
    assert_eq!(world.server.count(), 1);
    assert_eq!(world.server.requests()[0].reason(), Reason::Refused);
}

#[tokio::test(start_paused = true)]
async fn an_api_that_refuses_every_token_causes_at_most_one_refresh_for_each_cool_down() {
    let world = World::new();
    let manager = world.builder().cool_down(10 * SECOND, 10 * SECOND).build();
    let started = Instant::now();
    for _ in 0..20 {
        let token = manager.token(&key()).await.unwrap();
        manager.invalidate(&key(), &token);
    }
    // The first token, its successor at once, and then one for each cool-down.
    assert_eq!(world.server.count(), 20);
    assert_eq!(started.elapsed().as_secs(), 180);
}

#[tokio::test(start_paused = true)]
async fn cool_downs_double_until_requests_fail_at_once_and_a_refused_token_never_comes_back() {
    let world = World::new();
    let manager = world.manager();
    let mut refused_tokens = Vec::new();
    let error = loop {
        match manager.token(&key()).await {
            Ok(token) => {
                let text = token.access_token().expose().to_owned();
                assert!(!refused_tokens.contains(&text));
                refused_tokens.push(text);
                manager.invalidate(&key(), &token);
                assert!(manager.peek(&key()).is_none());
            }
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::BackOff);
    assert!(error.retry_at().is_some());
    assert!((4..12).contains(&world.server.count()), "{}", world.server.count());
    sleep(60 * SECOND).await;
    manager.token(&key()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_refusal_now_and_then_is_not_slowed_down() {
    let world = World::new();
    let manager = world.manager();
    for _ in 0..20 {
        let started = Instant::now();
        let token = manager.token(&key()).await.unwrap();
        manager.invalidate(&key(), &token);
        assert_eq!(started.elapsed(), Duration::ZERO);
        sleep(2 * SECOND).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_hands_out_the_refused_token_again_is_an_error_and_no_loop() {
    let world = World::new();
    let manager = world.manager();
    for _ in 0..100 {
        world.server.answer(Answer::This(Token::new("same").expires_in(HOUR)));
    }
    let token = manager.token(&key()).await.unwrap();
    manager.invalidate(&key(), &token);
    assert_eq!(refused(manager.token(&key()).await), ErrorKind::UnusableResponse);
    for _ in 0..1000 {
        assert!(manager.token(&key()).await.is_err());
    }
    assert_eq!(world.server.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_the_store_holds_is_not_taken_when_it_was_refused() {
    let world = World::new();
    let (manager, elsewhere) = (world.logged_in().await, world.manager());
    let token = manager.token(&key()).await.unwrap();
    manager.invalidate(&key(), &token);
    assert_eq!(given(manager.token(&key()).await), "alice-1");
    // Elsewhere the successor is found in the store, without an exchange.
    elsewhere.token(&key()).await.unwrap();
    assert_eq!(world.server.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_of_one_scope_leaves_the_others_alone() {
    let world = World::new();
    let manager = world.logged_in().await;
    let orders = AccessScope::new().scope("orders");
    let token = manager.token_for(&key(), &orders).await.unwrap();
    manager.invalidate(&key(), &token);
    assert_eq!(given(manager.token(&key()).await), "alice-login");
    assert_eq!(given(manager.token_for(&key(), &orders).await), "alice-2-for-orders");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_the_current_token_cannot_be_invalidated() {
    let world = World::new();
    let manager = world.logged_in().await;
    manager.invalidate(&key(), &Token::new("never seen"));
    manager.invalidate(&"bob".into(), &manager.peek(&key()).unwrap());
    assert_eq!(given(manager.token(&key()).await), "alice-login");
    assert_eq!(world.server.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_cool_down_does_not_grow_when_the_clock_is_set_back() {
    let world = World::new();
    let manager = world.manager();
    for _ in 0..2 {
        let token = manager.token(&key()).await.unwrap();
        manager.invalidate(&key(), &token);
    }
    world.clock.back(24 * HOUR);
    let started = Instant::now();
    let token = manager.token(&key()).await;
    assert!(token.is_ok() || started.elapsed() == Duration::ZERO, "{token:?}");
    sleep(60 * SECOND).await;
    manager.token(&key()).await.unwrap();
}
