//! Several processes on one store: each manager stands for one.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::sleep;
use tower_oauth::ErrorKind;
use tower_oauth::Token;
use tower_oauth::TokenManager;
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
use crate::store::meanwhile;

fn with_leases() -> World {
    World { store: Store::with_leases(), ..World::new() }
}

#[tokio::test(start_paused = true)]
async fn two_managers_on_a_store_with_leases_make_one_exchange() {
    let world = with_leases();
    let (one, other) = (world.logged_in().await, world.manager());
    world.clock.forward(HOUR);
    world.server.delay(5 * SECOND);
    let alice = key();
    let readers =
        (0..1000).map(|number| if number % 2 == 0 { one.token(&alice) } else { other.token(&alice) });
    assert!(join_all(readers).await.into_iter().all(|token| given(token) == "alice-1"));
    assert_eq!((world.server.count(), world.server.replays()), (1, 0));
    settle().await;
    assert_eq!(world.store.holder(&key()), None);
}

#[tokio::test(start_paused = true)]
async fn a_manager_takes_what_another_stored_and_asks_nobody() {
    let world = World::new();
    let (one, other) = (world.logged_in().await, world.manager());
    for round in 1..10 {
        assert_eq!(given(one.refresh(&key()).await), format!("alice-{round}"));
        world.clock.forward(Duration::from_secs(1000));
        assert_eq!(given(other.token(&key()).await), format!("alice-{round}"));
        world.clock.forward(Duration::from_secs(2595));
        // Each takes the other's place.
        assert_eq!(world.server.count(), round);
    }
}

#[tokio::test(start_paused = true)]
async fn an_invalid_grant_because_a_sibling_rotated_leads_to_the_siblings_token() {
    let world = World::new();
    let (manager, sibling) = (world.logged_in().await, world.manager());
    world.clock.forward(HOUR);
    let rotate = meanwhile(move || {
        let sibling = sibling.clone();
        async move {
            sibling.token(&key()).await.unwrap();
        }
    });
    world.store.next(Operation::Load, Fault::Before(rotate));
    assert_eq!(given(manager.token(&key()).await), "alice-1");
    assert_eq!((world.server.count(), world.server.replays()), (2, 1));
    assert_eq!(world.store.refresh_token(&key()).await.as_deref(), Some("alice-refresh-1"));
    assert!(!world.events().contains(&"refresh_failed"), "{:?}", world.events());
}

#[tokio::test(start_paused = true)]
async fn an_invalid_grant_waits_a_moment_for_a_sibling_that_has_not_stored_yet() {
    let world = World::new();
    let (manager, sibling) = (world.logged_in().await, world.manager());
    world.clock.forward(HOUR);
    world.store.next(Operation::Swap, Fault::After(meanwhile(|| sleep(SECOND))));
    let first = tokio::spawn(async move { sibling.token(&key()).await });
    settle().await;
    assert_eq!(given(manager.token(&key()).await), "alice-1");
    assert_eq!(given(first.await.unwrap()), "alice-1");
    assert_eq!(world.server.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_dead_refresh_token_is_presented_by_one_of_many_processes_and_once() {
    let world = with_leases();
    world.logged_in().await;
    world.server.revoke(&key());
    world.clock.forward(HOUR);
    let fleet: Vec<_> = (0..8).map(|_| world.manager()).collect();
    let key = key();
    let answers = join_all(fleet.iter().map(|manager| manager.token(&key))).await;
    assert!(answers.into_iter().all(|answer| refused(answer) == ErrorKind::ReauthorizationRequired));
    assert_eq!(world.server.count(), 1);
    // One that starts later knows it as well, and nothing of the grant is lost.
    assert_eq!(refused(world.manager().token(&key).await), ErrorKind::ReauthorizationRequired);
    assert_eq!(world.server.count(), 1);
    let record = world.store.record(&key).await.unwrap();
    assert!(record.is_dead() && record.refresh_token().is_some(), "{record:?}");
    fleet[0].put(&key, world.server.login(&key)).await.unwrap();
    world.clock.forward(30 * SECOND);
    assert_eq!(given(fleet[7].token(&key).await), "alice-login");
    assert!(!world.store.record(&key).await.unwrap().is_dead());
}

#[tokio::test(start_paused = true)]
async fn an_end_that_cannot_be_written_down_is_an_end_all_the_same() {
    for fault in [Fault::Fail, Fault::Hang] {
        let world = with_leases();
        let (one, other) = (world.logged_in().await, world.manager());
        world.server.revoke(&key());
        world.clock.forward(HOUR);
        world.store.always(Operation::Swap, fault);
        assert_eq!(refused(one.token(&key()).await), ErrorKind::ReauthorizationRequired);
        assert_eq!(refused(other.token(&key()).await), ErrorKind::ReauthorizationRequired);
        assert_eq!(world.server.count(), 2, "each finds out by itself");
    }
}

#[tokio::test(start_paused = true)]
async fn a_grant_that_was_deleted_elsewhere_is_missing_and_not_presented_again() {
    let world = World::new();
    let manager = world.logged_in().await;
    world.clock.forward(HOUR);
    world.server.revoke(&key());
    let store = world.store.clone();
    let wipe = meanwhile(move || {
        let store = store.clone();
        async move { store.wipe(&key()).await }
    });
    world.store.next(Operation::Load, Fault::Before(wipe));
    // This server hands out tokens without a login, too: the grant is begun anew.
    assert_eq!(given(manager.token(&key()).await), "alice-2");
    assert_eq!(world.server.replays(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lease_whose_holder_crashed_ends_and_another_goes_on() {
    let world = with_leases();
    let manager = world.logged_in().await;
    world.clock.forward(HOUR);
    assert!(world.store.lease(&key(), "crashed", 10 * SECOND).await.unwrap());
    let started = tokio::time::Instant::now();
    assert_eq!(given(manager.token(&key()).await), "alice-1");
    assert_eq!(started.elapsed().as_secs(), 10);
    settle().await;
    assert_eq!(world.store.holder(&key()), None);
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_never_given_up_is_an_error_and_no_exchange() {
    let world = with_leases();
    let manager = world.logged_in().await;
    world.clock.forward(HOUR);
    assert!(world.store.lease(&key(), "greedy", HOUR).await.unwrap());
    let error = manager.token(&key()).await.unwrap_err();
    assert!(error.is_timeout() && error.is_transient(), "{error:?}");
    assert_eq!(world.server.count(), 0);
    assert_eq!(world.store.holder(&key()).as_deref(), Some("greedy"));
}

#[tokio::test(start_paused = true)]
async fn an_exchange_that_begins_late_has_its_full_time() {
    let world = with_leases();
    let manager = world.logged_in().await;
    world.clock.forward(HOUR);
    assert!(world.store.lease(&key(), "crashed", 29 * SECOND).await.unwrap());
    world.server.delay(5 * SECOND);
    assert_eq!(given(manager.token(&key()).await), "alice-1");
    assert_eq!(world.server.replays(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_renewed_as_long_as_the_exchange_takes() {
    let world = with_leases();
    let build = || world.builder().lease_ttl(3 * SECOND).build();
    let (one, other) = (build(), build());
    one.put(&key(), world.server.login(&key())).await.unwrap();
    world.clock.forward(HOUR);
    world.server.delay(20 * SECOND);
    let alice = key();
    let (first, second) = tokio::join!(one.token(&alice), other.token(&alice));
    assert_eq!([given(first), given(second)], ["alice-1", "alice-1"]);
    assert_eq!(world.server.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_fails_or_hangs_does_not_hold_up_the_exchange() {
    for fault in [Fault::Fail, Fault::Hang] {
        let world = with_leases();
        let manager = world.builder().lease_ttl(3 * SECOND).build();
        manager.put(&key(), world.server.login(&key())).await.unwrap();
        world.store.always(Operation::Renew, fault);
        world.server.delay(10 * SECOND);
        let started = tokio::time::Instant::now();
        assert_eq!(given(manager.refresh(&key()).await), "alice-1");
        assert_eq!(started.elapsed(), 10 * SECOND);
    }
}

#[tokio::test(start_paused = true)]
async fn who_lost_the_lease_and_comes_late_overwrites_nothing() {
    let world = with_leases();
    let late = world.builder().lease_ttl(3 * SECOND).build();
    world.store.always(Operation::Renew, Fault::Fail);
    world.server.delay(10 * SECOND);
    let stale = tokio::spawn(async move { late.token(&key()).await });
    sleep(5 * SECOND).await;
    world.server.delay(SECOND);
    let manager = world.manager();
    assert_eq!(given(manager.token(&key()).await), "alice-2");
    assert_eq!(given(stale.await.unwrap()), "alice-2", "the late one takes what is stored");
    assert_eq!(world.store.record(&key()).await.unwrap().generation(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_cannot_be_asked_for_is_a_passing_failure() {
    let world = with_leases();
    let manager = world.manager();
    world.store.next(Operation::Lease, Fault::Fail);
    assert_eq!(refused(manager.token(&key()).await), ErrorKind::Store);
    world.clock.forward(SECOND);
    assert_eq!(given(manager.token(&key()).await), "alice-1");
}

#[tokio::test(start_paused = true)]
async fn leases_are_given_back_whatever_happens() {
    let world = with_leases();
    let manager = world.manager();
    let answers = [
        Answer::Fail(tower_oauth::Error::transient("down")),
        Answer::Panic,
        Answer::This(Token::new("bad token")),
    ];
    for answer in answers {
        world.server.answer(answer);
        manager.token(&key()).await.unwrap_err();
        settle().await;
        assert_eq!(world.store.holder(&key()), None);
        world.clock.forward(60 * SECOND);
    }
    world.store.always(Operation::Release, Fault::Hang);
    let source = token_source_fn(|_| async { Ok(Token::new("token")) });
    let manager = TokenManager::builder(source).store(world.store.clone()).build();
    assert_eq!(given(manager.token(&key()).await), "token");
}

#[tokio::test(start_paused = true)]
async fn while_a_token_is_not_stored_no_other_process_spends_the_one_that_is() {
    let world = with_leases();
    let (holder, other) = (world.logged_in().await, world.manager());
    // The store takes no writes; leases and reading go on.
    world.store.always(Operation::Swap, Fault::Fail);
    assert_eq!(given(holder.refresh(&key()).await), "alice-1");
    // Longer than a lease lasts unless it is renewed.
    sleep(300 * SECOND).await;
    assert!(world.store.holder(&key()).is_some(), "the lease is kept");
    let error = other.refresh(&key()).await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert_eq!((world.server.count(), world.server.replays()), (1, 0));
    // The holder itself goes on with what it has in memory, under the same lease.
    assert_eq!(given(holder.refresh(&key()).await), "alice-2");
    sleep(100 * SECOND).await;
    world.store.heal();
    sleep(100 * SECOND).await;
    assert_eq!(world.store.holder(&key()), None, "and given back when everything is stored");
    assert_eq!(world.store.refresh_token(&key()).await, world.server.refresh_token(&key()));
    assert_eq!(given(other.token(&key()).await), "alice-2");
    assert_eq!(given(other.refresh(&key()).await), "alice-3");
    assert_eq!(world.server.replays(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_kept_lease_ends_with_its_process() {
    let world = with_leases();
    let (dying, other) = (world.logged_in().await, world.manager());
    world.store.always(Operation::Swap, Fault::Fail);
    assert_eq!(given(dying.refresh(&key()).await), "alice-1");
    dying.shutdown(SECOND).await;
    drop(dying);
    world.store.heal();
    sleep(61 * SECOND).await;
    assert_eq!(world.store.holder(&key()), None);
    // What was in its memory alone is lost with it, as it has to be.
    other.refresh(&key()).await.unwrap_err();
    assert_eq!(world.server.replays(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_lease_takes_what_its_holder_stored_without_it() {
    let world = with_leases();
    let (one, other) = (world.logged_in().await, world.manager());
    world.clock.forward(HOUR);
    // The store is slow to take the lease back.
    world.store.always(Operation::Release, Fault::Hang);
    assert_eq!(given(one.token(&key()).await), "alice-1");
    let started = tokio::time::Instant::now();
    assert_eq!(given(other.token(&key()).await), "alice-1");
    assert!(started.elapsed() < SECOND, "{:?}", started.elapsed());
    assert_eq!(world.server.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_for_a_lease_ask_less_and_less_often() {
    let world = with_leases();
    let manager = world.logged_in().await;
    world.clock.forward(HOUR);
    assert!(world.store.lease(&key(), "slow", 20 * SECOND).await.unwrap());
    assert_eq!(given(manager.token(&key()).await), "alice-1");
    let asked = world.store.count(Operation::Lease);
    assert!((30..80).contains(&asked), "{asked} times in 20 s");
}

/// Renews one grant with eight managers, for a hundred generations.
async fn a_hundred_generations(world: &World, managers: &[TokenManager]) {
    managers[0].put(&key(), world.server.login(&key())).await.unwrap();
    for generation in 1..=100 {
        world.clock.forward(HOUR);
        let alice = key();
        let readers = managers.iter().flat_map(|manager| [manager.token(&alice), manager.token(&alice)]);
        for token in join_all(readers).await {
            assert_eq!(given(token), format!("alice-{generation}"));
        }
    }
    assert_eq!((world.server.count(), world.server.replays(), world.server.most_at_once()), (100, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn eight_processes_make_a_hundred_requests_for_a_hundred_generations() {
    let world = with_leases();
    world.store.yields(2);
    world.server.yields(3);
    let managers: Vec<_> = (0..8).map(|_| world.manager()).collect();
    a_hundred_generations(&world, &managers).await;
}
