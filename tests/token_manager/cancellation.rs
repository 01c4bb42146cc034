//! Callers that go away.

use futures_util::future::join_all;
use tokio::task::yield_now;
use tokio_test::task;
use tower_oauth::TokenKey;
use tower_oauth::token::AccessScope;

use crate::HOUR;
use crate::SECOND;
use crate::SOFT;
use crate::World;
use crate::given;
use crate::key;
use crate::settle;
use crate::store::Operation;

/// Long enough that a caller can be dropped in the middle of each step of a flight.
const STEPS: usize = 40;

#[tokio::test(start_paused = true)]
async fn a_caller_dropped_at_any_moment_of_a_refresh_does_not_lose_the_rotated_token() {
    let mut unfinished = 0;
    for step in 0..STEPS {
        let world = World::new();
        let manager = world.logged_in().await;
        world.clock.forward(HOUR);
        world.store.yields(3);
        world.server.yields(3);
        let alice = key();
        let mut caller = task::spawn(manager.token(&alice));
        for _ in 0..step {
            if caller.poll().is_ready() {
                break;
            }
            yield_now().await;
        }
        unfinished += usize::from(world.store.count(Operation::Swap) < 2);
        drop(caller);
        settle().await;
        let asked = usize::from(step > 0);
        assert_eq!(world.server.count(), asked, "dropped at step {step}");
        assert_eq!(world.store.refresh_token(&key()).await, world.server.refresh_token(&key()), "{step}");
        assert_eq!(given(manager.token(&key()).await), "alice-1", "{step}");
        assert_eq!((world.server.count(), world.server.replays()), (1, 0), "{step}");
    }
    assert!((10..STEPS).contains(&unfinished), "the steps do not span the flight: {unfinished}");
}

#[tokio::test(start_paused = true)]
async fn when_all_who_wait_go_away_the_token_is_stored_all_the_same() {
    let world = World::new();
    let manager = world.logged_in().await;
    world.clock.forward(HOUR);
    world.server.hold();
    let alice = key();
    let mut waiting = task::spawn(join_all((0..10).map(|_| manager.token(&alice))));
    assert!(waiting.poll().is_pending());
    settle().await;
    drop(waiting);
    world.server.release();
    settle().await;
    assert_eq!(world.store.refresh_token(&key()).await.as_deref(), Some("alice-refresh-1"));
    assert_eq!(given(manager.token(&key()).await), "alice-1");
    assert_eq!(world.server.count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn on_many_threads_callers_that_are_aborted_lose_no_token() {
    let world = World::new();
    let manager = world.logged_in().await;
    world.store.yields(2);
    world.server.yields(2);
    for round in 0..100 {
        world.clock.forward(if round % 2 == 0 { HOUR } else { SOFT });
        let callers: Vec<_> = (0..20)
            .map(|number| {
                let manager = manager.clone();
                tokio::spawn(async move {
                    let scope = AccessScope::new().scope(&format!("scope-{}", number % 3));
                    match number % 4 {
                        0 => manager.refresh(&key()).await,
                        _ => manager.token_for(&key(), &scope).await,
                    }
                })
            })
            .collect();
        for (number, caller) in callers.into_iter().enumerate() {
            if (number + round) % 2 == 0 {
                caller.abort();
            } else {
                // It may fail: a token that is on its way when the clock jumps has ended when it comes.
                drop(caller.await.unwrap());
            }
        }
    }
    assert_eq!(manager.shutdown(60 * SECOND).await, 0);
    assert!(world.server.count() > 50, "{}", world.server.count());
    assert_eq!((world.server.replays(), world.server.most_at_once()), (0, 1));
    assert_eq!(world.store.refresh_token(&key()).await, world.server.refresh_token(&key()));
}

#[tokio::test(start_paused = true)]
async fn a_login_dropped_at_any_moment_leaves_the_old_grant_or_the_new_one() {
    for step in 0..STEPS {
        let world = World::new();
        let manager = world.logged_in().await;
        world.store.yields(3);
        let old = world.server.refresh_token(&key());
        let alice = key();
        let login = tower_oauth::Token::new("new-login").with_refresh_token("new-refresh");
        let mut put = task::spawn(manager.put(&alice, login));
        for _ in 0..step {
            if put.poll().is_ready() {
                break;
            }
            yield_now().await;
        }
        drop(put);
        let served = given(manager.token(&key()).await);
        let stored = world.store.refresh_token(&key()).await;
        assert!(["alice-login", "new-login"].contains(&&*served), "{step}");
        assert!(stored == old || stored.as_deref() == Some("new-refresh"), "{step}");
        // Never the new token without its refresh token in the store.
        assert!(served != "new-login" || stored.as_deref() == Some("new-refresh"), "{step}");
    }
}

#[tokio::test(start_paused = true)]
async fn callers_that_come_and_go_leave_nothing_behind() {
    let world = World::new();
    let manager = world.builder().max_keys(10).build();
    world.server.hold();
    for number in 0..100 {
        let name = TokenKey::new(format!("key-{number}"));
        let mut caller = task::spawn(manager.token(&name));
        assert!(caller.poll().is_pending());
    }
    world.server.release();
    settle().await;
    for number in 100..200 {
        manager.token(&TokenKey::new(format!("key-{number}"))).await.unwrap();
    }
    assert!(format!("{manager:?}").contains("keys: 10,"), "{manager:?}");
}
