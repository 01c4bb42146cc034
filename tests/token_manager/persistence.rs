//! Stores that fail, lose answers, hang, and conflict.

use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::sleep;
use tower_oauth::ErrorKind;
use tower_oauth::Token;
use tower_oauth::TokenKey;
use tower_oauth::TokenManager;
use tower_oauth::token::AccessScope;
use tower_oauth::token::PersistFailure;
use tower_oauth::token::token_source_fn;

use crate::HOUR;
use crate::SECOND;
use crate::SOFT;
use crate::World;
use crate::given;
use crate::key;
use crate::refused;
use crate::settle;
use crate::store::Fault;
use crate::store::Operation;
use crate::store::meanwhile;
use crate::text;

/// What memory, store and server know of the refresh token has come together again, and nothing was spent twice.
async fn assert_nothing_lost(world: &World, manager: &TokenManager) {
    assert_eq!(world.store.refresh_token(&key()).await, world.server.refresh_token(&key()));
    assert_eq!(world.server.replays(), 0);
    manager.refresh(&key()).await.unwrap();
    assert_eq!(world.server.replays(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_token_is_stored_before_anybody_gets_it() {
    let world = World::new();
    let manager = world.logged_in().await;
    world.clock.forward(HOUR);
    let (other, alice) = (manager.clone(), key());
    let look = meanwhile(move || {
        let (manager, alice) = (other.clone(), alice.clone());
        async move {
            assert!(manager.peek(&alice).is_none());
            // In a task of its own: this one is the refresh.
            let other = tokio::spawn(async move { manager.token(&alice).now_or_never().is_none() });
            assert!(other.await.unwrap(), "others wait");
        }
    });
    world.store.next(Operation::Swap, Fault::After(look));
    assert_eq!(given(manager.token(&key()).await), "alice-1");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_for_a_moment_delays_the_token_and_nothing_more() {
    for choice in [PersistFailure::ServeFromMemory, PersistFailure::Refuse] {
        let world = World::new();
        let manager = world.builder().persist_failure(choice).build();
        manager.put(&key(), world.server.login(&key())).await.unwrap();
        for _ in 0..3 {
            world.store.next(Operation::Swap, Fault::Fail);
        }
        assert_eq!(given(manager.refresh(&key()).await), "alice-1");
        assert_eq!(world.events(), ["refreshed"]);
        assert_nothing_lost(&world, &manager).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_cannot_be_stored_is_served_from_memory_and_stored_later() {
    let world = World::new();
    let manager = world.logged_in().await;
    world.store.always(Operation::Swap, Fault::Fail);
    assert_eq!(given(manager.refresh(&key()).await), "alice-1");
    assert_eq!(given(manager.token(&key()).await), "alice-1");
    assert_eq!(world.events(), ["persist_failed", "refreshed"]);
    sleep(10 * SECOND).await;
    assert!(world.store.count(Operation::Swap) > 6, "it is tried again and again");
    assert_ne!(world.store.refresh_token(&key()).await, world.server.refresh_token(&key()));
    world.store.heal();
    sleep(60 * SECOND).await;
    assert_eq!(world.events(), ["persist_failed", "refreshed", "persisted_late"]);
    assert_nothing_lost(&world, &manager).await;
}

#[tokio::test(start_paused = true)]
async fn with_refuse_requests_fail_until_the_store_has_the_token() {
    let world = World::new();
    let manager = world.builder().persist_failure(PersistFailure::Refuse).build();
    manager.put(&key(), world.server.login(&key())).await.unwrap();
    world.clock.forward(HOUR);
    world.store.always(Operation::Swap, Fault::Fail);
    for _ in 0..20 {
        let error = manager.token(&key()).await.unwrap_err();
        assert!([ErrorKind::Store, ErrorKind::BackOff].contains(&error.kind()), "{error:?}");
        sleep(SECOND).await;
    }
    assert!(manager.peek(&key()).is_none());
    assert_eq!(world.server.count(), 1, "the token that there is has to be stored, not replaced");
    world.store.heal();
    sleep(60 * SECOND).await;
    assert_eq!(given(manager.token(&key()).await), "alice-1");
    assert_nothing_lost(&world, &manager).await;
}

#[tokio::test(start_paused = true)]
async fn while_the_store_fails_the_next_refresh_spends_the_newest_refresh_token() {
    let world = World::new();
    let manager = world.logged_in().await;
    world.store.always(Operation::Swap, Fault::Fail);
    for number in [1, 3, 5, 7] {
        assert_eq!(given(manager.refresh(&key()).await), format!("alice-{number}"));
        let orders = AccessScope::new().scope(&format!("orders-{number}"));
        assert_eq!(
            given(manager.token_for(&key(), &orders).await),
            format!("alice-{}-for-orders-{number}", number + 1)
        );
    }
    assert_eq!(world.store.record(&key()).await.unwrap().generation(), 1);
    world.store.heal();
    sleep(60 * SECOND).await;
    assert_eq!(world.store.record(&key()).await.unwrap().tokens().count(), 5);
    assert_nothing_lost(&world, &manager).await;
}

#[tokio::test(start_paused = true)]
async fn one_task_stores_the_newest_token_however_many_could_not_be_stored() {
    let world = World::new();
    let manager = world.logged_in().await;
    world.store.always(Operation::Swap, Fault::Fail);
    for _ in 0..5 {
        manager.refresh(&key()).await.unwrap();
    }
    settle().await;
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 1);
    world.store.heal();
    sleep(60 * SECOND).await;
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 0);
    assert_nothing_lost(&world, &manager).await;
}

#[tokio::test(start_paused = true)]
async fn a_later_token_that_is_stored_takes_the_earlier_one_along() {
    let world = World::new();
    let manager = world.logged_in().await;
    world.store.always(Operation::Swap, Fault::Fail);
    assert_eq!(given(manager.refresh(&key()).await), "alice-1");
    world.store.heal();
    world.store.next(Operation::Swap, Fault::Fail);
    assert_eq!(given(manager.refresh(&key()).await), "alice-2");
    assert_eq!(world.events(), ["persist_failed", "refreshed", "persisted_late", "refreshed"]);
    sleep(60 * SECOND).await;
    assert_eq!(world.events().len(), 4);
    assert_nothing_lost(&world, &manager).await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_the_store_that_is_lost_loses_no_token() {
    for lost in 1..6 {
        let world = World::new();
        let manager = world.logged_in().await;
        for _ in 0..lost {
            world.store.next(Operation::Swap, Fault::AnswerLost);
        }
        assert_eq!(given(manager.refresh(&key()).await), "alice-1");
        sleep(60 * SECOND).await;
        assert_eq!(world.store.record(&key()).await.unwrap().generation(), 2, "it is stored once");
        assert!(!world.events().contains(&"adopted"), "it is known to be our own: {:?}", world.events());
        assert_nothing_lost(&world, &manager).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_never_answers_keeps_nobody_from_the_new_token() {
    let world = World::new();
    let manager = world.logged_in().await;
    world.clock.forward(HOUR);
    world.store.always(Operation::Swap, Fault::Hang);
    assert_eq!(given(manager.token(&key()).await), "alice-1");
    assert_eq!(world.events(), ["persist_failed", "refreshed"]);
    assert_eq!(given(manager.refresh(&key()).await), "alice-2");
    world.store.heal();
    sleep(60 * SECOND).await;
    assert_nothing_lost(&world, &manager).await;
}

#[tokio::test(start_paused = true)]
async fn a_load_that_fails_is_an_error_only_when_there_is_no_usable_token() {
    for fault in [Fault::Fail, Fault::Hang] {
        let world = World::new();
        let manager = world.logged_in().await;
        world.store.always(Operation::Load, fault);
        world.clock.forward(SOFT);
        for _ in 0..100 {
            assert_eq!(given(manager.token(&key()).now_or_never().expect("nobody waits")), "alice-login");
            settle().await;
            world.clock.forward(SECOND);
        }
        world.clock.forward(HOUR);
        let error = manager.token(&key()).await.unwrap_err();
        assert!([ErrorKind::Store, ErrorKind::Timeout].contains(&error.kind()), "{error:?}");
        assert!(error.is_transient());
        assert_eq!(world.server.count(), 0, "without the record there is nothing to exchange");
        world.store.heal();
        world.clock.forward(60 * SECOND);
        assert_eq!(given(manager.token(&key()).await), "alice-1");
        assert_nothing_lost(&world, &manager).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_sibling_that_stores_another_scope_meanwhile_is_merged() {
    let world = World::new();
    let (manager, sibling) = (world.logged_in().await, world.manager());
    let orders = AccessScope::new().scope("orders");
    // Without rotation, so that both may exchange the same refresh token.
    let source = token_source_fn(|_| async { Ok(Token::new("sibling").expires_in(HOUR)) });
    let other = TokenManager::builder(source).store(world.store.clone()).clock(world.clock.clone()).build();
    drop(sibling);
    let scope = orders.clone();
    let write = meanwhile(move || {
        let (other, scope) = (other.clone(), scope.clone());
        async move {
            other.token_for(&key(), &scope).await.unwrap();
        }
    });
    world.store.next(Operation::Swap, Fault::After(write));
    assert_eq!(given(manager.refresh(&key()).await), "alice-1");
    let record = world.store.record(&key()).await.unwrap();
    assert_eq!(record.token(&orders).map(text), Some("sibling"));
    assert_eq!(record.token(&AccessScope::new()).map(text), Some("alice-1"));
    assert_eq!(record.generation(), 3);
    assert_nothing_lost(&world, &manager).await;
}

#[tokio::test(start_paused = true)]
async fn a_login_elsewhere_wins_over_a_refresh_that_is_being_stored() {
    let world = World::new();
    let (manager, elsewhere) = (world.logged_in().await, world.manager());
    let login = meanwhile(move || {
        let elsewhere = elsewhere.clone();
        async move {
            let token = Token::new("elsewhere").expires_in(HOUR).with_refresh_token("elsewhere-refresh");
            elsewhere.put(&key(), token).await.unwrap();
        }
    });
    world.store.next(Operation::Swap, Fault::After(login));
    assert_eq!(given(manager.refresh(&key()).await), "elsewhere");
    assert_eq!(world.store.refresh_token(&key()).await.as_deref(), Some("elsewhere-refresh"));
    assert_eq!(world.events(), ["adopted"]);
}

#[tokio::test(start_paused = true)]
async fn a_login_elsewhere_wins_over_a_token_that_waits_to_be_stored() {
    let world = World::new();
    let (manager, elsewhere) = (world.logged_in().await, world.manager());
    world.store.always(Operation::Swap, Fault::Fail);
    assert_eq!(given(manager.refresh(&key()).await), "alice-1");
    world.store.heal();
    let login = Token::new("elsewhere").expires_in(24 * HOUR).with_refresh_token("elsewhere-refresh");
    elsewhere.put(&key(), login).await.unwrap();
    sleep(60 * SECOND).await;
    assert_eq!(world.store.refresh_token(&key()).await.as_deref(), Some("elsewhere-refresh"));
    world.clock.forward(HOUR);
    assert_eq!(given(manager.token(&key()).await), "elsewhere");
}

#[tokio::test(start_paused = true)]
async fn a_record_that_vanished_is_begun_anew_and_not_asked_for_in_a_loop() {
    let world = World::new();
    let manager = world.manager();
    for _ in 0..3 {
        manager.refresh(&key()).await.unwrap();
    }
    world.store.wipe(&key()).await;
    world.clock.forward(HOUR);
    assert_eq!(given(manager.token(&key()).await), "alice-4");
    assert_eq!(given(manager.token(&key()).await), "alice-4");
    assert_eq!(world.server.count(), 4);
    // Somebody else begins anew, too.
    world.store.wipe(&key()).await;
    let elsewhere = world.manager();
    assert_eq!(given(elsewhere.refresh(&key()).await), "alice-5");
    world.clock.forward(Duration::from_secs(3595));
    manager.token(&key()).await.unwrap();
    assert!(world.server.count() <= 6);
}

#[tokio::test(start_paused = true)]
async fn a_stored_token_that_no_header_may_carry_is_replaced() {
    let world = World::new();
    let bad =
        token_source_fn(|_| async { Ok(Token::new("fine").expires_in(HOUR).with_token_type("bearer")) });
    TokenManager::builder(bad)
        .store(world.store.clone())
        .clock(world.clock.clone())
        .build()
        .token(&key())
        .await
        .unwrap();
    let json = world.store.record(&key()).await.unwrap().to_json().expose().replace("fine", "not fine");
    world.store.plant(&key(), &json).await;
    assert_eq!(given(world.manager().token(&key()).await), "alice-1");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_contradicts_itself_is_an_error_and_no_loop() {
    struct Contrary;
    impl tower_oauth::token::TokenStore for Contrary {
        async fn load(&self, _: &TokenKey) -> Result<Option<tower_oauth::token::Record>, tower_oauth::Error> {
            Ok(None)
        }
        async fn compare_and_swap(
            &self,
            _: &TokenKey,
            _: Option<u64>,
            _: &tower_oauth::token::Record,
        ) -> Result<tower_oauth::token::Swap, tower_oauth::Error> {
            Ok(tower_oauth::token::Swap::Conflict(None))
        }
        async fn delete_if(&self, _: &TokenKey, _: u64) -> Result<bool, tower_oauth::Error> {
            Ok(false)
        }
    }
    let world = World::new();
    let manager = world.builder().store(Contrary).build();
    assert_eq!(given(manager.token(&key()).await), "alice-1");
    assert_eq!(world.events(), ["persist_failed", "refreshed"]);
    assert_eq!(manager.put(&key(), Token::new("new")).await.unwrap_err().kind(), ErrorKind::Store);
    let refusing = world.builder().store(Contrary).persist_failure(PersistFailure::Refuse).build();
    assert_eq!(refused(refusing.token(&key()).await), ErrorKind::Store);
}

#[tokio::test(start_paused = true)]
async fn the_tokens_of_scopes_that_ended_leave_the_record() {
    let world = World::new();
    let manager = world.logged_in().await;
    for number in 0..100 {
        let scope = AccessScope::new().resource(format!("https://api-{number}.test"));
        manager.token_for(&key(), &scope).await.unwrap();
        world.clock.forward(HOUR / 10);
    }
    let tokens = world.store.record(&key()).await.unwrap().tokens().count();
    assert!(tokens <= 12, "{tokens} tokens are kept");
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_a_refresh_token_keeps_the_one_before() {
    for omitted in
        [Token::new("next").expires_in(HOUR), Token::new("next").expires_in(HOUR).with_refresh_token("")]
    {
        let world = World::new();
        let manager = world.logged_in().await;
        world.server.answer(crate::server::Answer::This(omitted));
        assert_eq!(given(manager.refresh(&key()).await), "next");
        assert_nothing_lost(&world, &manager).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_refresh_token_that_comes_with_an_unusable_token_is_kept() {
    for bad in [
        Token::new("two words"),
        Token::new("t").with_token_type("mac"),
        Token::new("t").expires_in(Duration::ZERO),
        Token::new(""),
    ] {
        let world = World::new();
        let manager = world.logged_in().await;
        world.server.answer(crate::server::Answer::This(bad.with_refresh_token("kept")));
        manager.refresh(&key()).await.unwrap_err();
        assert_eq!(given(manager.token(&key()).await), "alice-login");
        assert_eq!(world.store.refresh_token(&key()).await.as_deref(), Some("kept"));
    }
}

#[tokio::test(start_paused = true)]
async fn another_program_that_touches_the_record_meanwhile_does_not_hide_what_is_not_stored_yet() {
    let world = World::new();
    let manager = world.logged_in().await;
    world.store.always(Operation::Swap, Fault::Fail);
    assert_eq!(given(manager.refresh(&key()).await), "alice-1");
    // The same refresh token, in a record of a much later generation.
    let json = world.store.record(&key()).await.unwrap().to_json();
    world.store.plant(&key(), &json.expose().replace("\"generation\":1", "\"generation\":9")).await;
    for number in 2..5 {
        assert_eq!(given(manager.refresh(&key()).await), format!("alice-{number}"));
    }
    assert_eq!(world.server.replays(), 0);
    world.store.heal();
    sleep(60 * SECOND).await;
    assert!(world.store.record(&key()).await.unwrap().generation() > 9);
    assert_nothing_lost(&world, &manager).await;
}

#[tokio::test(start_paused = true)]
async fn a_write_that_arrives_late_does_not_overtake_what_came_after_it() {
    let world = World::new();
    let manager = world.logged_in().await;
    // The first token is written, and nobody hears of it; the second is not written at first.
    world.store.next(Operation::Swap, Fault::AnswerLost);
    world.store.always(Operation::Swap, Fault::Fail);
    assert_eq!(given(manager.refresh(&key()).await), "alice-1");
    assert_eq!(given(manager.refresh(&key()).await), "alice-2");
    world.store.heal();
    sleep(60 * SECOND).await;
    assert_nothing_lost(&world, &manager).await;
}
