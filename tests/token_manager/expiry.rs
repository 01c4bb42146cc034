//! Lives that are short, long, unknown or absurd, and clocks that jump.

use std::time::Duration;

use tokio::time::sleep;
use tower_oauth::Clock;
use tower_oauth::Error;
use tower_oauth::ErrorKind;
use tower_oauth::Token;

use crate::HOUR;
use crate::SECOND;
use crate::SOFT;
use crate::World;
use crate::given;
use crate::key;
use crate::refused;
use crate::server::Answer;
use crate::settle;

#[tokio::test(start_paused = true)]
async fn a_token_that_ended_while_the_machine_was_suspended_is_not_sent() {
    let world = World::new();
    let manager = world.logged_in().await;
    world.clock.forward(2 * HOUR);
    assert_eq!(given(manager.token(&key()).await), "alice-1");
    assert_eq!(world.server.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_ends_while_it_is_on_its_way_is_not_sent_and_its_refresh_token_is_kept() {
    let world = World::new();
    let manager = world.logged_in().await;
    world.clock.forward(SOFT);
    world.server.hold();
    assert_eq!(given(manager.token(&key()).await), "alice-login");
    settle().await;
    world.clock.forward(2 * HOUR);
    world.server.release();
    assert_eq!(refused(manager.token(&key()).await), ErrorKind::UnusableResponse);
    assert_eq!(world.store.refresh_token(&key()).await.as_deref(), Some("alice-refresh-1"));
    world.clock.forward(SECOND);
    assert_eq!(given(manager.token(&key()).await), "alice-2");
    assert_eq!(world.server.replays(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_clock_set_back_causes_no_refresh() {
    let world = World::new();
    let manager = world.logged_in().await;
    world.clock.back(HOUR);
    for _ in 0..100 {
        assert_eq!(given(manager.token(&key()).await), "alice-login");
        sleep(SECOND).await;
    }
    assert_eq!(world.server.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_to_and_fro_costs_at_most_a_refresh_for_each_jump() {
    let world = World::new();
    let manager = world.logged_in().await;
    for _ in 0..20 {
        world.clock.forward(HOUR);
        manager.token(&key()).await.unwrap();
        world.clock.back(HOUR);
        for _ in 0..10 {
            manager.token(&key()).await.unwrap();
            settle().await;
        }
    }
    assert!(world.server.count() <= 20, "{}", world.server.count());
    assert_eq!(world.server.replays(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_pause_after_a_failure_does_not_grow_when_the_clock_is_set_back() {
    let world = World::new();
    let manager = world.manager();
    world.server.answer(Answer::Fail(Error::transient("down")));
    assert_eq!(refused(manager.token(&key()).await), ErrorKind::Source);
    assert_eq!(refused(manager.token(&key()).await), ErrorKind::BackOff);
    world.clock.back(HOUR);
    assert_eq!(given(manager.token(&key()).await), "alice-2");
}

#[tokio::test(start_paused = true)]
async fn a_grant_that_ended_is_looked_at_again_when_the_clock_is_set_back() {
    let world = World::new();
    let (manager, elsewhere) = (world.logged_in().await, world.manager());
    world.server.answer(Answer::Fail(Error::reauthorization_required("gone")));
    assert_eq!(refused(manager.refresh(&key()).await), ErrorKind::ReauthorizationRequired);
    elsewhere.put(&key(), Token::new("elsewhere").expires_in(24 * HOUR)).await.unwrap();
    world.clock.forward(HOUR);
    world.clock.back(2 * HOUR);
    manager.invalidate(&key(), &manager.peek(&key()).unwrap());
    assert_eq!(given(manager.token(&key()).await), "elsewhere");
}

#[tokio::test(start_paused = true)]
async fn lives_of_every_length_cause_no_loop() {
    let second = Duration::from_secs;
    // A life, and the most exchanges that a minute of constant reading may cost.
    for (lifetime, most) in [
        (Some(Duration::ZERO), 12),
        (Some(Duration::from_millis(1)), 1000),
        (Some(second(1)), 90),
        (Some(second(5)), 18),
        (Some(second(3600)), 1),
        (Some(second(1_000_000_000_000)), 1),
        (Some(Duration::MAX), 1),
        (None, 1),
    ] {
        let world = World::new();
        let manager = world.manager();
        world.server.lifetime(lifetime);
        for _ in 0..1000 {
            let result = manager.token(&key()).await;
            assert_eq!(result.is_err(), lifetime == Some(Duration::ZERO), "{lifetime:?}");
            sleep(Duration::from_millis(60)).await;
        }
        assert!(
            (1..=most).contains(&world.server.count()),
            "{lifetime:?}: {} exchanges",
            world.server.count()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_of_unknown_life_is_used_until_it_is_refused_unless_a_life_is_assumed() {
    let world = World::new();
    world.server.lifetime(None);
    let (manager, assuming) = (world.manager(), world.builder().assumed_lifetime(HOUR).build());
    assert_eq!(given(manager.token(&key()).await), "alice-1");
    assert_eq!(given(assuming.token(&key()).await), "alice-1");
    world.clock.forward(1000 * HOUR);
    assert_eq!(given(manager.token(&key()).await), "alice-1");
    assert_eq!(given(assuming.token(&key()).await), "alice-2");
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_nearly_over_when_it_comes_is_used_to_its_end_and_not_asked_for_in_a_loop() {
    let world = World::new();
    let manager = world.manager();
    world.server.lifetime(SECOND);
    world.server.delay(Duration::from_millis(950));
    assert_eq!(given(manager.token(&key()).await), "alice-1");
    assert_eq!(given(manager.token(&key()).await), "alice-1");
    world.clock.forward(Duration::from_millis(51));
    assert_eq!(given(manager.token(&key()).await), "alice-2");
}

#[tokio::test(start_paused = true)]
async fn a_token_that_ends_before_it_comes_is_an_error_and_no_loop() {
    let world = World::new();
    let manager = world.manager();
    world.server.lifetime(SECOND);
    world.server.delay(2 * SECOND);
    assert_eq!(refused(manager.token(&key()).await), ErrorKind::UnusableResponse);
    assert_eq!(world.server.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_reader_whose_tokens_always_end_before_it_wakes_gives_up() {
    let world = World::new();
    let clock = world.clock.clone();
    let manager = world.builder().on_event(move |_| clock.forward(2 * HOUR)).build();
    assert_eq!(refused(manager.token(&key()).await), ErrorKind::UnusableResponse);
    assert!(world.server.count() < 10, "{}", world.server.count());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_gives_the_same_token_until_it_ends_is_not_asked_in_a_loop() {
    let world = World::new();
    let manager = world.manager();
    let end = world.clock.now() + HOUR;
    for _ in 0..1000 {
        world.server.answer(Answer::This(Token::new("same").with_expires_at(end)));
    }
    for _ in 0..3599 {
        assert_eq!(given(manager.token(&key()).await), "same");
        sleep(SECOND).await;
    }
    assert_eq!(world.server.count(), 3, "the first, one at 75 %, one when the leeway begins");
    sleep(SECOND).await;
    assert_eq!(refused(manager.token(&key()).await), ErrorKind::UnusableResponse);
    assert_eq!(refused(manager.token(&key()).await), ErrorKind::BackOff);
    assert_eq!(world.server.count(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_gives_tokens_which_end_no_later_is_asked_once_for_each_end() {
    let world = World::new();
    let manager = world.manager();
    let end = world.clock.now() + HOUR;
    for number in 0..1000 {
        world.server.answer(Answer::This(Token::new(format!("token-{number}")).with_expires_at(end)));
    }
    for _ in 0..3590 {
        manager.token(&key()).await.unwrap();
        sleep(SECOND).await;
    }
    assert_eq!(world.server.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn absurd_settings_do_not_panic() {
    for chance in [f64::NAN, f64::INFINITY, -1.0, 2.0, 1.0] {
        let world = World::new();
        let manager = world
            .builder()
            .chance(move || chance)
            .refresh_fraction(f64::NAN)
            .hard_leeway(Duration::MAX)
            .assumed_lifetime(Duration::MAX)
            .refresh_deadline(Duration::MAX)
            .wait_timeout(Duration::MAX)
            .back_off(Duration::MAX, Duration::MAX)
            .configuration_pause(Duration::MAX)
            .dead_recheck(Duration::MAX)
            .cool_down(Duration::MAX, Duration::MAX)
            .persist_patience(Duration::MAX)
            .lease_ttl(Duration::MAX)
            .max_keys(0)
            .build();
        assert_eq!(given(manager.token(&key()).await), "alice-1");
        manager.invalidate(&key(), &manager.peek(&key()).unwrap());
        assert_eq!(given(manager.token(&key()).await), "alice-2");
        world.server.answer(Answer::Fail(Error::transient("down")));
        assert_eq!(refused(manager.refresh(&key()).await), ErrorKind::Source, "{chance}");
    }
}

#[tokio::test(start_paused = true)]
async fn settings_of_zero_neither_panic_nor_loop() {
    let world = World::new();
    let zero = Duration::ZERO;
    let manager = world
        .builder()
        .chance(|| 0.0)
        .refresh_fraction(0.0)
        .hard_leeway(zero)
        .back_off(zero, zero)
        .configuration_pause(zero)
        .dead_recheck(zero)
        .cool_down(zero, zero)
        .persist_patience(zero)
        .lease_ttl(zero)
        .build();
    world.server.delay(SECOND);
    for _ in 0..20 {
        manager.token(&key()).await.unwrap();
        settle().await;
    }
    assert!(world.server.count() <= 21, "{}", world.server.count());
}
