//! What those get who ask for a token.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use tower_oauth::Error;
use tower_oauth::ErrorKind;
use tower_oauth::Token;
use tower_oauth::TokenKey;
use tower_oauth::TokenManager;
use tower_oauth::token::AccessScope;
use tower_oauth::token::Reason;
use tower_oauth::token::SourceRequest;
use tower_oauth::token::token_source_fn;

use crate::HOUR;
use crate::SECOND;
use crate::SOFT;
use crate::World;
use crate::given;
use crate::key;
use crate::refused;
use crate::server::Answer;
use crate::settle;
use crate::text;

#[tokio::test(start_paused = true)]
async fn a_thousand_readers_of_an_expired_token_cause_one_exchange_and_get_the_same_token() {
    let world = World::new();
    let manager = world.logged_in().await;
    world.clock.forward(HOUR);
    world.server.hold();
    let clones: Vec<_> = (0..1000).map(|_| manager.clone()).collect();
    let alice = key();
    let readers = join_all(clones.iter().map(|manager| manager.token(&alice)));
    let server = world.server.clone();
    let (tokens, ()) = tokio::join!(readers, async move {
        settle().await;
        server.release();
    });
    assert!(tokens.into_iter().all(|token| given(token) == "alice-1"));
    assert_eq!(world.server.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_readers_of_a_token_that_nears_its_end_get_it_at_once_and_cause_one_exchange() {
    let world = World::new();
    let manager = world.logged_in().await;
    world.clock.forward(SOFT);
    world.server.hold();
    for _ in 0..1000 {
        let token = manager.token(&key()).now_or_never().expect("nobody waits");
        assert_eq!(given(token), "alice-login");
    }
    settle().await;
    assert_eq!(given(manager.token(&key()).await), "alice-login");
    world.server.release();
    settle().await;
    assert_eq!(given(manager.token(&key()).await), "alice-1");
    assert_eq!(world.server.count(), 1);
    assert_eq!(world.server.requests()[0].reason(), Reason::Expiring);
}

#[tokio::test(start_paused = true)]
async fn before_that_nothing_is_fetched() {
    let world = World::new();
    let manager = world.logged_in().await;
    world.clock.forward(Duration::from_secs(2699));
    assert_eq!(given(manager.token(&key()).await), "alice-login");
    settle().await;
    assert_eq!(world.server.count(), 0);
}

#[test]
fn a_usable_token_is_given_out_outside_of_any_runtime() {
    let world = World::new();
    let manager = world.logged_in().now_or_never().expect("the store answers at once");
    assert_eq!(given(manager.token(&key()).now_or_never().expect("nobody waits")), "alice-login");
    assert_eq!(manager.peek(&key()).as_ref().map(text), Some("alice-login"));
}

#[tokio::test(start_paused = true)]
async fn peek_shows_what_could_be_sent_and_nothing_else() {
    let world = World::new();
    let manager = world.manager();
    assert!(manager.peek(&key()).is_none());
    assert_eq!(given(manager.token(&key()).await), "alice-1");
    let token = manager.peek(&key()).unwrap();
    assert_eq!(text(&token), "alice-1");
    assert!(token.refresh_token().is_none());
    assert!(manager.peek(&TokenKey::new("bob")).is_none());
    manager.invalidate(&key(), &token);
    assert!(manager.peek(&key()).is_none());
    assert_eq!(given(manager.token(&key()).await), "alice-2");
    world.clock.forward(HOUR);
    assert!(manager.peek(&key()).is_none());
    assert_eq!(world.server.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn peek_leaves_the_renewal_to_the_next_reader() {
    let world = World::new();
    let manager = world.logged_in().await;
    world.clock.forward(SOFT);
    for _ in 0..3 {
        assert_eq!(manager.peek(&key()).as_ref().map(text), Some("alice-login"));
    }
    settle().await;
    assert_eq!(world.server.count(), 0);
    assert_eq!(given(manager.token(&key()).await), "alice-login");
    settle().await;
    assert_eq!(world.server.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_forced_refresh_brings_another_token_and_joins_the_one_under_way() {
    let world = World::new();
    let manager = world.logged_in().await;
    assert_eq!(given(manager.refresh(&key()).await), "alice-1");
    assert_eq!(world.server.requests()[0].reason(), Reason::Forced);
    world.server.hold();
    let (alice, server) = (key(), world.server.clone());
    let both = async { tokio::join!(manager.refresh(&alice), manager.refresh(&alice)) };
    let ((one, other), ()) = tokio::join!(both, async move {
        settle().await;
        server.release();
    });
    assert_eq!([given(one), given(other)], ["alice-2", "alice-2"]);
    assert_eq!(world.server.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn while_a_forced_refresh_is_under_way_readers_get_the_token_there_is() {
    let world = World::new();
    let manager = world.logged_in().await;
    world.server.hold();
    let (alice, other) = (key(), manager.clone());
    let refresh = tokio::spawn(async move { other.refresh(&alice).await });
    settle().await;
    assert_eq!(given(manager.token(&key()).now_or_never().expect("nobody waits")), "alice-login");
    world.server.release();
    assert_eq!(given(refresh.await.unwrap()), "alice-1");
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_waits_too_long_fails_and_the_refresh_goes_on() {
    let world = World::new();
    let manager = world.builder().wait_timeout(5 * SECOND).build();
    world.server.hold();
    let error = manager.token(&key()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WaitTimeout);
    assert!(error.is_timeout() && error.is_transient());
    world.server.release();
    settle().await;
    assert_eq!(given(manager.token(&key()).now_or_never().expect("it is there")), "alice-1");
    assert_eq!(world.server.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_never_answers_is_given_up_and_asked_again_later() {
    let world = World::new();
    let manager = world.builder().refresh_deadline(3 * SECOND).build();
    world.server.answer(Answer::Silence);
    let error = manager.token(&key()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    world.clock.forward(SECOND);
    assert_eq!(given(manager.token(&key()).await), "alice-2");
}

#[tokio::test(start_paused = true)]
async fn a_slow_exchange_of_one_key_does_not_delay_another_key() {
    let world = World::new();
    let manager = world.manager();
    let other = manager.clone();
    world.server.answer(Answer::Silence);
    let slow = tokio::spawn(async move { other.token(&TokenKey::new("slow")).await });
    settle().await;
    assert_eq!(given(manager.token(&TokenKey::new("fast")).await), "fast-2");
    assert!(!slow.is_finished());
    slow.abort();
}

#[tokio::test(start_paused = true)]
async fn the_failure_of_one_key_is_not_seen_under_another() {
    let world = World::new();
    let manager = world.manager();
    world.server.answer(Answer::Fail(Error::reauthorization_required("alice is gone")));
    assert_eq!(refused(manager.token(&key()).await), ErrorKind::ReauthorizationRequired);
    assert_eq!(given(manager.token(&TokenKey::new("bob")).await), "bob-2");
    assert_eq!(refused(manager.token(&key()).await), ErrorKind::ReauthorizationRequired);
}

#[tokio::test(start_paused = true)]
async fn two_resources_of_one_grant_take_turns_and_each_gets_its_own_token() {
    let world = World::new();
    let manager = world.logged_in().await;
    world.server.yields(5);
    let (orders, bills) = (AccessScope::new().resource("orders"), AccessScope::new().resource("bills"));
    let alice = key();
    let (one, other) = tokio::join!(manager.token_for(&alice, &orders), manager.token_for(&alice, &bills));
    assert_eq!(given(one), "alice-1-for-orders");
    assert_eq!(given(other), "alice-2-for-bills");
    assert_eq!((world.server.most_at_once(), world.server.replays()), (1, 0));
    let record = world.store.record(&key()).await.unwrap();
    assert_eq!(record.tokens().count(), 3);
    assert_eq!(world.store.refresh_token(&key()).await, world.server.refresh_token(&key()));
}

#[tokio::test(start_paused = true)]
async fn a_source_that_asks_its_own_manager_gets_an_error_and_no_deadlock() {
    let slot: Arc<std::sync::OnceLock<TokenManager>> = Arc::default();
    let inner = Arc::clone(&slot);
    let source = token_source_fn(move |request: SourceRequest| {
        let inner = Arc::clone(&inner);
        async move {
            let Some(manager) = inner.get() else { return Err(Error::transient("not yet")) };
            let one = refused(manager.token(request.key()).await);
            let other = refused(manager.token_for(request.key(), &AccessScope::new().scope("other")).await);
            assert_eq!([one, other], [ErrorKind::Reentrant; 2]);
            // Another grant is nobody's cycle.
            if request.key().as_str() == "alice" {
                manager.token(&TokenKey::new("bob")).await?;
            }
            Ok(Token::new(format!("{}-token", request.key())))
        }
    });
    let manager = TokenManager::builder(source).build();
    slot.set(manager.clone()).unwrap();
    assert_eq!(given(manager.token(&key()).await), "alice-token");
}

#[tokio::test(start_paused = true)]
async fn a_scope_has_a_token_a_peek_and_a_refresh_of_its_own() {
    let world = World::new();
    let manager = world.manager();
    let orders = AccessScope::new().scope("orders");
    assert!(manager.peek_for(&key(), &orders).is_none());
    assert_eq!(given(manager.token_for(&key(), &orders).await), "alice-1-for-orders");
    assert_eq!(manager.peek_for(&key(), &orders).as_ref().map(crate::text), Some("alice-1-for-orders"));
    assert!(manager.peek(&key()).is_none());
    assert_eq!(given(manager.refresh_for(&key(), &orders).await), "alice-2-for-orders");
    assert_eq!(given(manager.token(&key()).await), "alice-3");
}

#[tokio::test(start_paused = true)]
async fn layers_and_services_of_one_manager_share_one_exchange() {
    let world = World::new();
    let manager = world.logged_in().await;
    world.clock.forward(HOUR);
    let layer = || {
        let origins = tower_oauth::Origins::one("https://api.test").unwrap();
        tower_oauth::OAuth2Layer::with_manager(origins, manager.clone()).key(&key())
    };
    let inner = tower::service_fn(|request: http::Request<()>| async move {
        let token = request.headers()["authorization"].to_str().unwrap().to_owned();
        Ok::<_, tower::BoxError>(http::Response::new(token))
    });
    let services: Vec<_> = [layer(), layer()].iter().map(|layer| tower::Layer::layer(layer, inner)).collect();
    let calls = (0..1000).map(|number| {
        let request = http::Request::get("https://api.test/orders").body(()).unwrap();
        tower::ServiceExt::oneshot(services[number % 2].clone(), request)
    });
    for response in join_all(calls).await {
        assert_eq!(response.unwrap().into_body(), "Bearer alice-1");
    }
    assert_eq!(world.server.count(), 1);
}
