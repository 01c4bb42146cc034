//! First tokens and new logins.

use tower_oauth::Error;
use tower_oauth::ErrorKind;
use tower_oauth::Token;
use tower_oauth::TokenManager;
use tower_oauth::token::AccessScope;
use tower_oauth::token::SourceRequest;
use tower_oauth::token::token_source_fn;

use crate::HOUR;
use crate::SECOND;
use crate::World;
use crate::given;
use crate::key;
use crate::refused;
use crate::server::Answer;
use crate::settle;
use crate::store::Fault;
use crate::store::Operation;
use crate::store::meanwhile;
use crate::text;

fn login(name: &str) -> Token {
    Token::new(name).expires_in(HOUR).with_refresh_token(format!("{name}-refresh"))
}

#[tokio::test(start_paused = true)]
async fn without_a_login_an_interactive_grant_has_no_token_and_says_so_each_time() {
    let http = tower::service_fn(|_: http::Request<http_body_util::Full<bytes::Bytes>>| async {
        Ok::<http::Response<http_body_util::Full<bytes::Bytes>>, std::convert::Infallible>(Default::default())
    });
    let auth = tower_oauth::ClientAuth::none("id");
    let source = tower_oauth::grant::RefreshToken::new("https://auth.test/token", auth, http).unwrap();
    let world = World::new();
    let manager = TokenManager::builder(source).store(world.store.clone()).clock(world.clock.clone()).build();
    for _ in 0..10 {
        let error = manager.token(&key()).await.unwrap_err();
        assert!(error.needs_reauthorization(), "{error:?}");
    }
    assert_eq!(world.store.count(Operation::Load), 1, "nor is the store asked in a loop");
    manager.put(&key(), login("first")).await.unwrap();
    assert_eq!(given(manager.token(&key()).await), "first");
}

#[tokio::test(start_paused = true)]
async fn a_login_is_in_the_store_and_in_use_when_put_returns() {
    let world = World::new();
    let manager = world.manager();
    manager.put(&key(), login("one")).await.unwrap();
    assert_eq!(world.store.refresh_token(&key()).await.as_deref(), Some("one-refresh"));
    assert_eq!(given(manager.token(&key()).await), "one");
    assert_eq!(world.server.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_login_replaces_all_that_was_there() {
    let world = World::new();
    let manager = world.logged_in().await;
    let orders = AccessScope::new().scope("orders");
    assert_eq!(given(manager.token_for(&key(), &orders).await), "alice-1-for-orders");
    manager.put(&key(), world.server.login(&key())).await.unwrap();
    let record = world.store.record(&key()).await.unwrap();
    assert_eq!(record.tokens().count(), 1);
    assert_eq!(given(manager.token_for(&key(), &orders).await), "alice-2-for-orders");
    assert_eq!(world.server.replays(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_login_that_no_header_may_carry_changes_nothing() {
    let world = World::new();
    let manager = world.logged_in().await;
    for bad in ["", "two words", "line\nbreak", "nul\0", "ключ"] {
        let error = manager.put(&key(), Token::new(bad)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidToken, "{bad:?}");
    }
    assert_eq!(
        manager.put(&key(), Token::new("t").with_token_type("mac")).await.unwrap_err().kind(),
        ErrorKind::InvalidToken
    );
    assert_eq!(given(manager.token(&key()).await), "alice-login");
}

#[tokio::test(start_paused = true)]
async fn a_login_that_cannot_be_stored_changes_nothing() {
    let world = World::new();
    let manager = world.logged_in().await;
    for operation in [Operation::Load, Operation::Swap] {
        world.store.next(operation, Fault::Fail);
        assert_eq!(manager.put(&key(), login("new")).await.unwrap_err().kind(), ErrorKind::Store);
        assert_eq!(given(manager.token(&key()).await), "alice-login");
    }
    assert_eq!(world.store.refresh_token(&key()).await, world.server.refresh_token(&key()));
}

#[tokio::test(start_paused = true)]
async fn a_login_wins_over_a_refresh_that_is_under_way() {
    let world = World::new();
    let manager = world.logged_in().await;
    world.clock.forward(HOUR);
    world.server.hold();
    let (alice, other) = (key(), manager.clone());
    let waiting = tokio::spawn(async move { other.token(&alice).await });
    settle().await;
    manager.put(&key(), login("new")).await.unwrap();
    assert_eq!(given(waiting.await.unwrap()), "new", "who waits gets it at once");
    world.server.release();
    settle().await;
    assert_eq!(given(manager.token(&key()).await), "new");
    assert_eq!(world.store.refresh_token(&key()).await.as_deref(), Some("new-refresh"));
    assert_eq!(world.server.count(), 1);
    assert!(!world.events().contains(&"refresh_failed"), "{:?}", world.events());
}

#[tokio::test(start_paused = true)]
async fn a_login_that_comes_before_the_exchange_is_not_exchanged_at_once() {
    let world = World::new();
    let manager = world.logged_in().await;
    world.clock.forward(HOUR);
    let (other, alice) = (manager.clone(), key());
    let put = meanwhile(move || {
        let (manager, alice) = (other.clone(), alice.clone());
        async move { manager.put(&alice, login("new")).await.unwrap() }
    });
    world.store.next(Operation::Load, Fault::After(put));
    assert_eq!(given(manager.token(&key()).await), "new");
    settle().await;
    assert_eq!(world.server.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_login_that_comes_while_the_result_is_stored_wins() {
    for answer_lost in [false, true] {
        let world = World::new();
        let manager = world.logged_in().await;
        world.clock.forward(HOUR);
        let (other, alice) = (manager.clone(), key());
        let put = meanwhile(move || {
            let (manager, alice) = (other.clone(), alice.clone());
            async move { manager.put(&alice, login("new")).await.unwrap() }
        });
        // Before the write of the flight arrives, or after it did and before the flight knows.
        world.store.next(Operation::Swap, if answer_lost { Fault::Before(put) } else { Fault::After(put) });
        assert_eq!(given(manager.token(&key()).await), "new");
        settle().await;
        assert_eq!(given(manager.token(&key()).await), "new");
        assert_eq!(world.store.refresh_token(&key()).await.as_deref(), Some("new-refresh"));
    }
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_for_another_scope_get_a_token_of_the_new_login() {
    let source = token_source_fn(|request: SourceRequest| async move {
        tokio::time::sleep(SECOND).await;
        let spent = request.previous().and_then(|record| record.refresh_token()).unwrap().expose().to_owned();
        Ok(Token::new(format!("of-{spent}")).expires_in(HOUR).with_refresh_token(format!("{spent}+")))
    });
    let manager = TokenManager::builder(source).build();
    let orders = AccessScope::new().scope("orders");
    manager.put(&key(), login("old")).await.unwrap();
    let (other, alice, scope) = (manager.clone(), key(), orders.clone());
    let waiting = tokio::spawn(async move { other.token_for(&alice, &scope).await });
    settle().await;
    manager.put(&key(), login("new")).await.unwrap();
    assert_eq!(given(waiting.await.unwrap()), "of-new-refresh");
    assert_eq!(given(manager.token_for(&key(), &orders).await), "of-new-refresh");
    assert_eq!(given(manager.token(&key()).await), "new");
}

#[tokio::test(start_paused = true)]
async fn the_death_of_the_old_grant_does_not_touch_a_login_that_came_meanwhile() {
    let world = World::new();
    let manager = world.logged_in().await;
    let orders = AccessScope::new().scope("orders");
    world.server.answer(Answer::Fail(Error::reauthorization_required("gone")));
    world.server.hold();
    let (other, alice, scope) = (manager.clone(), key(), orders.clone());
    let waiting = tokio::spawn(async move { other.token_for(&alice, &scope).await });
    settle().await;
    let token = world.server.login(&key());
    manager.put(&key(), token).await.unwrap();
    world.server.release();
    assert_eq!(given(waiting.await.unwrap()), "alice-2-for-orders");
    assert_eq!(given(manager.token(&key()).await), "alice-login");
    assert!(!world.events().contains(&"refresh_failed"), "{:?}", world.events());
}

#[tokio::test(start_paused = true)]
async fn a_login_revives_a_dead_grant_here_at_once_and_elsewhere_soon() {
    let world = World::new();
    let (manager, elsewhere) = (world.logged_in().await, world.manager());
    world.server.revoke(&key());
    world.clock.forward(HOUR);
    for manager in [&manager, &elsewhere] {
        assert_eq!(refused(manager.token(&key()).await), ErrorKind::ReauthorizationRequired);
    }
    manager.put(&key(), world.server.login(&key())).await.unwrap();
    assert_eq!(given(manager.token(&key()).await), "alice-login");
    assert_eq!(refused(elsewhere.token(&key()).await), ErrorKind::ReauthorizationRequired);
    world.clock.forward(30 * SECOND);
    assert_eq!(given(elsewhere.token(&key()).await), "alice-login");
    assert_eq!(world.server.count(), 1, "only one process presents the dead token");
}

#[tokio::test(start_paused = true)]
async fn a_login_wins_after_tokens_that_could_not_be_stored() {
    let world = World::new();
    let manager = world.logged_in().await;
    world.store.always(Operation::Swap, Fault::Fail);
    for number in 1..4 {
        assert_eq!(given(manager.refresh(&key()).await), format!("alice-{number}"));
    }
    world.store.heal();
    manager.put(&key(), login("new")).await.unwrap();
    assert_eq!(given(manager.token(&key()).await), "new");
    tokio::time::sleep(60 * SECOND).await;
    assert_eq!(given(manager.token(&key()).await), "new");
    assert_eq!(world.store.refresh_token(&key()).await.as_deref(), Some("new-refresh"));
}

#[tokio::test(start_paused = true)]
async fn a_login_wins_after_the_store_was_wiped() {
    let world = World::new();
    let manager = world.logged_in().await;
    for _ in 0..3 {
        manager.refresh(&key()).await.unwrap();
    }
    world.store.wipe(&key()).await;
    manager.put(&key(), login("new")).await.unwrap();
    assert_eq!(given(manager.token(&key()).await), "new");
}

#[tokio::test(start_paused = true)]
async fn logins_at_the_same_time_leave_memory_and_store_with_the_same_one() {
    for yields in 0..6 {
        let world = World::new();
        let manager = world.logged_in().await;
        world.store.yields(yields);
        let alice = key();
        let (one, other) =
            tokio::join!(manager.put(&alice, login("one")), manager.put(&alice, login("other")));
        one.unwrap();
        other.unwrap();
        let served = manager.token(&key()).await.unwrap();
        let stored = world.store.refresh_token(&key()).await.unwrap();
        assert_eq!(format!("{}-refresh", text(&served)), stored);
    }
}

#[tokio::test(start_paused = true)]
async fn an_ended_token_can_be_put_for_its_refresh_token() {
    let world = World::new();
    let manager = world.manager();
    let ended = world.server.login(&key()).expires_in(std::time::Duration::ZERO);
    manager.put(&key(), ended).await.unwrap();
    assert_eq!(given(manager.token(&key()).await), "alice-1");
}

#[tokio::test(start_paused = true)]
async fn a_login_that_is_stored_is_no_error_when_only_the_answer_of_the_store_is_lost() {
    let world = World::new();
    let manager = world.logged_in().await;
    world.store.next(Operation::Swap, Fault::AnswerLost);
    manager.put(&key(), Token::new("new").with_refresh_token("new-refresh")).await.unwrap();
    assert_eq!(given(manager.token(&key()).await), "new");
    // The same for one without a refresh token.
    world.store.next(Operation::Swap, Fault::AnswerLost);
    manager.put(&key(), Token::new("newer")).await.unwrap();
    assert_eq!(given(manager.token(&key()).await), "newer");
    world.store.next(Operation::Swap, Fault::Fail);
    assert_eq!(manager.put(&key(), Token::new("lost")).await.unwrap_err().kind(), ErrorKind::Store);
    assert_eq!(given(manager.token(&key()).await), "newer");
}
