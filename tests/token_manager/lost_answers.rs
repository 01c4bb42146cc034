//! Exchanges whose answer never came: the refresh token may be spent, and nobody knows.

use std::time::Duration;

use tokio::runtime::Builder;
use tower_oauth::Error;
use tower_oauth::ErrorKind;
use tower_oauth::Token;
use tower_oauth::TokenManager;
use tower_oauth::token::AccessScope;
use tower_oauth::token::TokenStore;
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
use crate::store::Store;

const MINUTE: Duration = Duration::from_secs(60);

/// A manager with a login, on a server that takes a spent refresh token for ten minutes more, and says so.
async fn declared(world: &World) -> TokenManager {
    let manager = world.builder().reuse_window(10 * MINUTE).attempts(1).build();
    manager.put(&key(), world.server.login(&key())).await.unwrap();
    world.server.leeway(true);
    world.server.needs_login();
    manager
}

/// A manager with a login, on a server that was seen to rotate, and says nothing of reuse.
async fn seen_to_rotate(world: &World) -> TokenManager {
    let manager = world.logged_in().await;
    world.server.needs_login();
    assert_eq!(given(manager.refresh(&key()).await), "alice-1");
    manager
}

#[tokio::test(start_paused = true)]
async fn within_the_window_the_refresh_token_is_presented_again_and_the_grant_recovers() {
    let world = World::new();
    let manager = declared(&world).await;
    world.server.lose_answers(1);
    assert_eq!(refused(manager.refresh(&key()).await), ErrorKind::Source);
    assert_ne!(world.store.refresh_token(&key()).await, world.server.refresh_token(&key()), "it was spent");
    world.clock.forward(9 * MINUTE);
    assert_eq!(given(manager.refresh(&key()).await), "alice-2");
    assert_eq!(world.store.refresh_token(&key()).await, world.server.refresh_token(&key()));
    assert_eq!(world.server.replays(), 0);
}

#[tokio::test(start_paused = true)]
async fn after_the_window_it_is_not_presented_again_also_if_the_machine_was_suspended() {
    let world = World::new();
    let manager = declared(&world).await;
    world.server.lose_answers(1);
    assert_eq!(refused(manager.refresh(&key()).await), ErrorKind::Source);
    // Timers stood still meanwhile; the time of day went on.
    world.clock.forward(29 * MINUTE);
    let error = manager.refresh(&key()).await.unwrap_err();
    assert!(error.needs_reauthorization(), "{error:?}");
    assert!(error.to_string().contains("presented 1740 s ago and no answer came"), "{error}");
    assert_eq!((world.server.count(), world.server.replays()), (1, 0));
    assert_eq!(world.events().last(), Some(&"died"));
    // The access token is good to its end, and a login mends everything.
    assert_eq!(given(manager.token(&key()).await), "alice-login");
    manager.put(&key(), world.server.login(&key())).await.unwrap();
    assert_eq!(given(manager.refresh(&key()).await), "alice-2");
}

#[tokio::test(start_paused = true)]
async fn a_suspension_between_two_attempts_of_one_refresh_is_noticed() {
    let world = World::new();
    world.server.needs_login();
    let manager = world.builder().reuse_window(10 * MINUTE).back_off(SECOND, SECOND).build();
    manager.put(&key(), world.server.login(&key())).await.unwrap();
    world.server.lose_answers(1);
    let other = manager.clone();
    let refresh = tokio::spawn(async move { other.refresh(&key()).await });
    settle().await;
    assert_eq!(world.server.count(), 1);
    world.clock.forward(29 * MINUTE);
    assert_eq!(refused(refresh.await.unwrap()), ErrorKind::ReauthorizationRequired);
    assert_eq!((world.server.count(), world.server.replays()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_was_seen_to_rotate_and_declares_no_window_is_never_asked_twice() {
    let world = World::new();
    let manager = seen_to_rotate(&world).await;
    world.server.lose_answers(1);
    let error = manager.refresh(&key()).await.unwrap_err();
    assert!(error.needs_reauthorization() && error.to_string().contains("may be spent"), "{error}");
    for _ in 0..100 {
        world.clock.forward(30 * SECOND);
        let _ = manager.refresh(&key()).await;
    }
    assert_eq!((world.server.count(), world.server.replays()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn nor_does_another_process_or_another_scope_present_it() {
    let world = World { store: Store::with_leases(), ..World::new() };
    let (manager, sibling) = (seen_to_rotate(&world).await, world.manager());
    world.server.lose_answers(1);
    assert_eq!(refused(manager.refresh(&key()).await), ErrorKind::ReauthorizationRequired);
    let scope = AccessScope::new().scope("orders");
    assert_eq!(refused(manager.token_for(&key(), &scope).await), ErrorKind::ReauthorizationRequired);
    assert_eq!(refused(sibling.refresh(&key()).await), ErrorKind::ReauthorizationRequired);
    assert_eq!((world.server.count(), world.server.replays()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_neither_rotates_nor_declares_is_asked_again_at_once() {
    let world = World::new();
    world.server.rotates(false);
    let manager = world.logged_in().await;
    for number in [2, 4, 6] {
        world.server.lose_answers(1);
        assert_eq!(given(manager.refresh(&key()).await), format!("alice-{number}"));
    }
    assert_eq!(world.server.replays(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_never_reached_the_server_is_repeated_also_where_refresh_tokens_rotate() {
    let world = World::new();
    let manager = seen_to_rotate(&world).await;
    // `transient` says that nothing was done.
    world.server.answer(Answer::Fail(Error::transient("no connection")));
    assert_eq!(refused(manager.refresh(&key()).await), ErrorKind::Source);
    world.clock.forward(29 * MINUTE);
    assert_eq!(given(manager.refresh(&key()).await), "alice-3");
    assert_eq!(world.server.replays(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_the_second_presentation_does_not_answer_the_first() {
    let world = World::new();
    let manager = declared(&world).await;
    world.server.lose_answers(1);
    assert_eq!(refused(manager.refresh(&key()).await), ErrorKind::Source);
    world.clock.forward(MINUTE);
    world.server.answer(Answer::Fail(Error::transient("busy")));
    assert_eq!(refused(manager.refresh(&key()).await), ErrorKind::Source);
    world.clock.forward(10 * MINUTE);
    assert_eq!(refused(manager.refresh(&key()).await), ErrorKind::ReauthorizationRequired);
    assert_eq!(world.server.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_panics_or_never_answers_leaves_the_same_question() {
    for answer in [Answer::Panic, Answer::Silence] {
        let world = World::new();
        let manager = declared(&world).await;
        world.server.answer(answer);
        manager.refresh(&key()).await.unwrap_err();
        world.clock.forward(29 * MINUTE);
        assert_eq!(refused(manager.refresh(&key()).await), ErrorKind::ReauthorizationRequired);
        assert_eq!(world.server.count(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_can_begin_anew_does_so_without_the_refresh_token_that_may_be_spent() {
    let world = World::new();
    let server = world.server.clone();
    let source = token_source_fn(move |request: tower_oauth::token::SourceRequest| {
        let server = server.clone();
        async move {
            match request.previous().and_then(|record| record.refresh_token()) {
                Some(_) => tower_oauth::token::TokenSource::token(&server, request).await,
                None => Ok(server.login(request.key())),
            }
        }
    });
    let manager = TokenManager::builder(source)
        .store(world.store.clone())
        .clock(world.clock.clone())
        .reuse_window(SECOND)
        .attempts(1)
        .build();
    manager.put(&key(), world.server.login(&key())).await.unwrap();
    world.server.lose_answers(1);
    assert_eq!(refused(manager.refresh(&key()).await), ErrorKind::Source);
    world.clock.forward(MINUTE);
    assert_eq!(given(manager.refresh(&key()).await), "alice-login");
    assert_eq!(world.store.refresh_token(&key()).await, world.server.refresh_token(&key()));
    assert_eq!(given(manager.refresh(&key()).await), "alice-2");
    assert_eq!(world.server.replays(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_token_of_a_new_grant_takes_the_refresh_token_of_the_old_one_along() {
    let world = World::new();
    let manager = world.logged_in().await;
    world.server.answer(Answer::This(Token::new("anew").expires_in(HOUR).of_new_grant()));
    assert_eq!(given(manager.refresh(&key()).await), "anew");
    assert_eq!(world.store.refresh_token(&key()).await, None);
}

#[tokio::test(start_paused = true)]
async fn the_intent_is_written_before_the_exchange_and_gone_after_it() {
    let world = World::new();
    let manager = declared(&world).await;
    world.server.hold();
    let other = manager.clone();
    let refresh = tokio::spawn(async move { other.refresh(&key()).await });
    settle().await;
    let asked_at = tower_oauth::Clock::now(&world.clock);
    assert_eq!(world.store.record(&key()).await.unwrap().intent_at(), Some(asked_at));
    world.server.release();
    assert_eq!(given(refresh.await.unwrap()), "alice-1");
    assert_eq!(world.store.record(&key()).await.unwrap().intent_at(), None);
    // A server that answers, even with a failure, leaves no question.
    world.server.answer(Answer::Fail(Error::transient("busy")));
    assert_eq!(refused(manager.refresh(&key()).await), ErrorKind::Source);
    assert_eq!(world.store.record(&key()).await.unwrap().intent_at(), None);
}

#[tokio::test(start_paused = true)]
async fn without_a_window_no_intent_is_written() {
    let world = World::new();
    let manager = seen_to_rotate(&world).await;
    let before = world.store.count(Operation::Swap);
    assert_eq!(given(manager.refresh(&key()).await), "alice-2");
    assert_eq!(world.store.count(Operation::Swap), before + 1);
}

/// A process that ends in the middle of an exchange (the server has acted, or the answer is being stored).
async fn crash_in_the_middle(world: &World, while_storing: bool) {
    let dying = declared(world).await;
    if while_storing {
        // The intent is written; what follows hangs.
        world.store.next(Operation::Swap, Fault::Pass);
        world.store.next(Operation::Swap, Fault::Hang);
    } else {
        world.server.hold();
    }
    let other = dying.clone();
    let refresh = tokio::spawn(async move { other.refresh(&key()).await });
    settle().await;
    assert_eq!(dying.shutdown(Duration::ZERO).await, 1);
    assert_eq!(refused(refresh.await.unwrap()), ErrorKind::Abandoned);
    world.server.release();
    assert!(world.store.record(&key()).await.unwrap().intent_at().is_some());
}

#[tokio::test(start_paused = true)]
async fn after_a_crash_another_process_recovers_within_the_window() {
    for while_storing in [false, true] {
        let world = World::new();
        crash_in_the_middle(&world, while_storing).await;
        world.clock.forward(9 * MINUTE);
        let next = world.builder().reuse_window(10 * MINUTE).build();
        assert_eq!(given(next.refresh(&key()).await), "alice-2");
        assert_eq!(world.store.refresh_token(&key()).await, world.server.refresh_token(&key()));
        assert_eq!((world.server.count(), world.server.replays()), (2, 0), "one more request, and no reuse");
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_crash_and_after_the_window_the_grant_has_ended_and_says_why() {
    for while_storing in [false, true] {
        let world = World::new();
        crash_in_the_middle(&world, while_storing).await;
        world.clock.forward(29 * MINUTE);
        let next = world.builder().reuse_window(10 * MINUTE).build();
        let error = next.refresh(&key()).await.unwrap_err();
        assert!(error.needs_reauthorization() && error.to_string().contains("may be spent"), "{error}");
        assert_eq!((world.server.count(), world.server.replays()), (1, 0));
    }
}

#[test]
fn a_runtime_that_ends_in_the_middle_leaves_the_same_question() {
    let runtime = || Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let (dying, surviving) = (runtime(), runtime());
    let entered = dying.enter();
    let world = World::new();
    drop(entered);
    let manager = dying.block_on(declared(&world));
    world.server.hold();
    let other = manager.clone();
    dying.block_on(async {
        tokio::spawn(async move { other.refresh(&key()).await });
        settle().await;
    });
    drop(dying);
    world.server.release();
    world.clock.forward(29 * MINUTE);
    let error = surviving.block_on(manager.refresh(&key())).unwrap_err();
    assert!(error.needs_reauthorization(), "{error:?}");
    assert_eq!(world.server.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn after_a_short_window_a_lease_ends_in_time_for_another_process() {
    let world = World { store: Store::with_leases(), ..World::new() };
    let build = || world.builder().reuse_window(30 * SECOND).attempts(1).build();
    let dying = build();
    dying.put(&key(), world.server.login(&key())).await.unwrap();
    world.server.leeway(true);
    world.server.hold();
    let other = dying.clone();
    tokio::spawn(async move { other.refresh(&key()).await });
    settle().await;
    dying.shutdown(Duration::ZERO).await;
    world.server.release();
    assert!(world.store.holder(&key()).is_some(), "a process that is gone gives nothing back");
    assert_eq!(given(build().refresh(&key()).await), "alice-2");
    assert_eq!(world.server.replays(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_intent_that_cannot_be_written_ends_the_attempt_only_where_everything_has_to_be_stored() {
    for (choice, expected) in [
        (tower_oauth::token::PersistFailure::ServeFromMemory, Ok("alice-1".to_owned())),
        (tower_oauth::token::PersistFailure::Refuse, Err(ErrorKind::Store)),
    ] {
        let world = World::new();
        let manager = world.builder().reuse_window(10 * MINUTE).persist_failure(choice).build();
        manager.put(&key(), world.server.login(&key())).await.unwrap();
        world.store.next(Operation::Swap, Fault::Fail);
        let result = manager.refresh(&key()).await;
        assert_eq!(
            result.map(|token| crate::text(&token).to_owned()).map_err(|error| error.kind()),
            expected
        );
        assert_eq!(world.server.replays(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_login_that_comes_before_the_intent_is_written_is_not_overwritten() {
    let world = World::new();
    let (manager, elsewhere) = (declared(&world).await, world.manager());
    let login = crate::store::meanwhile(move || {
        let elsewhere = elsewhere.clone();
        async move {
            let token = Token::new("elsewhere").expires_in(HOUR).with_refresh_token("elsewhere-refresh");
            elsewhere.put(&key(), token).await.unwrap();
        }
    });
    world.store.next(Operation::Swap, Fault::After(login));
    assert_eq!(given(manager.refresh(&key()).await), "elsewhere");
    assert_eq!(world.server.count(), 0);
    assert_eq!(world.store.load(&key()).await.unwrap().unwrap().intent_at(), None);
}
