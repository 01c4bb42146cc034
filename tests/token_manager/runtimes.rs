//! Runtimes that end, and managers that do.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::runtime::Builder;
use tokio::runtime::Runtime;
use tokio::time::Instant;
use tokio::time::sleep;
use tower_oauth::ErrorKind;

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
use crate::store::meanwhile;

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

/// Fails instead of hanging for ever, should `work` be a deadlock.
fn within_a_minute(work: impl FnOnce() + Send + 'static) {
    let (done, end) = mpsc::channel();
    let thread = thread::spawn(move || {
        work();
        done.send(()).unwrap();
    });
    if let Err(mpsc::RecvTimeoutError::Timeout) = end.recv_timeout(Duration::from_secs(60)) {
        panic!("a deadlock");
    }
    thread.join().unwrap();
}

#[test]
fn without_a_runtime_there_is_an_error_and_no_panic() {
    within_a_minute(|| {
        let world = World::new();
        let manager = world.manager();
        let error = manager.token(&key()).now_or_never().expect("nothing to wait for").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Abandoned);
        assert!(error.to_string().contains("no tokio runtime"), "{error}");
        let runtime = runtime();
        world.clock.forward(SECOND);
        assert_eq!(given(runtime.block_on(manager.token(&key()))), "alice-1");
        // A renewal that cannot be started does not hide the token that there is.
        world.clock.forward(SOFT);
        assert_eq!(given(manager.token(&key()).now_or_never().expect("nobody waits")), "alice-1");
    });
}

#[test]
fn who_waits_outside_of_a_runtime_for_a_refresh_inside_of_one_gets_an_error_and_no_panic() {
    within_a_minute(|| {
        let world = World::new();
        let manager = world.manager();
        world.server.hold();
        let runtime = runtime();
        let (other, alice) = (manager.clone(), key());
        runtime.block_on(async {
            tokio::spawn(async move { other.token(&alice).await });
            settle().await;
        });
        let error = manager.token(&key()).now_or_never().expect("nothing to wait for").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Abandoned);
        world.server.release();
        runtime.block_on(settle());
        assert_eq!(given(manager.token(&key()).now_or_never().expect("it is there")), "alice-1");
    });
}

#[test]
fn a_refresh_whose_runtime_was_shut_down_before_it_began_ends_with_an_error() {
    within_a_minute(|| {
        let world = World::new();
        let manager = world.manager();
        let runtime = runtime();
        let handle = runtime.handle().clone();
        runtime.shutdown_background();
        let entered = handle.enter();
        let error = manager.token(&key()).now_or_never().expect("nothing to wait for").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Abandoned);
        drop(entered);
        world.clock.forward(SECOND);
        assert_eq!(given(crate::runtimes::runtime().block_on(manager.token(&key()))), "alice-1");
    });
}

#[test]
fn those_who_wait_for_a_refresh_on_a_runtime_that_is_shut_down_get_an_error() {
    within_a_minute(|| {
        let world = World { store: Store::with_leases(), ..World::new() };
        let manager = world.manager();
        world.server.answer(Answer::Silence);
        let (other, started) = (manager.clone(), mpsc::channel());
        let dying = Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
        dying.block_on(async {
            tokio::spawn(async move { other.token(&key()).await });
            while world.server.count() == 0 {
                tokio::task::yield_now().await;
            }
            started.0.send(()).unwrap();
        });
        started.1.recv().unwrap();
        let surviving = runtime();
        let waiting = surviving.spawn({
            let manager = manager.clone();
            async move { manager.token(&key()).await }
        });
        surviving.block_on(settle());
        dying.shutdown_timeout(Duration::from_secs(10));
        assert_eq!(refused(surviving.block_on(waiting).unwrap()), ErrorKind::Abandoned);
        world.clock.forward(SECOND);
        // The lease went down with the runtime: it ends by itself.
        surviving.block_on(async { sleep(60 * SECOND).await });
        assert_eq!(given(surviving.block_on(manager.token(&key()))), "alice-2");
    });
}

#[test]
fn a_token_that_was_being_stored_when_its_runtime_was_shut_down_is_stored_by_the_next_refresh() {
    within_a_minute(|| {
        let world = World::new();
        let dying = runtime();
        let manager = dying.block_on(world.logged_in());
        world.clock.forward(HOUR);
        world.store.next(Operation::Swap, Fault::Hang);
        let other = manager.clone();
        dying.block_on(async {
            tokio::spawn(async move { other.token(&key()).await });
            settle().await;
        });
        assert_eq!(world.server.count(), 1);
        drop(dying);
        world.clock.forward(SECOND);
        runtime().block_on(async {
            assert_eq!(given(manager.token(&key()).await), "alice-1");
            assert_eq!((world.server.count(), world.server.replays()), (1, 0));
            assert_eq!(world.store.refresh_token(&key()).await, world.server.refresh_token(&key()));
        });
    });
}

#[tokio::test]
async fn clones_on_many_threads_share_one_exchange() {
    let world = World::new();
    let manager = world.logged_in().await;
    for round in 1..=20 {
        world.clock.forward(HOUR);
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let manager = manager.clone();
                thread::spawn(move || {
                    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
                    runtime.block_on(async {
                        for _ in 0..50 {
                            assert_eq!(given(manager.token(&key()).await), format!("alice-{round}"));
                        }
                    });
                })
            })
            .collect();
        // A runtime that ends takes its refresh with it, so all go on until the last is through.
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(world.server.count(), round);
    }
}

#[tokio::test(start_paused = true)]
async fn the_manager_gone_a_refresh_under_way_still_stores_its_token_and_then_nothing_is_left() {
    let world = World::new();
    let manager = world.logged_in().await;
    world.clock.forward(SOFT);
    world.server.hold();
    assert_eq!(given(manager.token(&key()).await), "alice-login");
    settle().await;
    drop(manager);
    world.server.release();
    settle().await;
    assert_eq!(world.store.refresh_token(&key()).await, world.server.refresh_token(&key()));
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_manager_gone_a_store_that_never_recovers_is_given_up() {
    let world = World::new();
    let manager = world.logged_in().await;
    world.store.always(Operation::Swap, Fault::Fail);
    assert_eq!(given(manager.refresh(&key()).await), "alice-1");
    sleep(HOUR).await;
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    assert_eq!(tasks(), 1, "as long as somebody has the manager, it is tried");
    drop(manager);
    sleep(HOUR).await;
    assert_eq!(tasks(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_manager_that_does_nothing_has_no_task() {
    let world = World::new();
    let manager = world.logged_in().await;
    assert_eq!(given(manager.refresh(&key()).await), "alice-1");
    settle().await;
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 0);
}

#[tokio::test(start_paused = true)]
async fn shutdown_lets_refreshes_finish_within_the_grace() {
    let world = World::new();
    let manager = world.logged_in().await;
    world.clock.forward(SOFT);
    world.server.delay(3 * SECOND);
    world.store.next(Operation::Swap, Fault::After(meanwhile(|| sleep(SECOND))));
    assert_eq!(given(manager.token(&key()).await), "alice-login");
    let started = Instant::now();
    assert_eq!(manager.shutdown(10 * SECOND).await, 0);
    assert_eq!(started.elapsed(), 4 * SECOND, "no longer than needed");
    assert_eq!(world.store.refresh_token(&key()).await, world.server.refresh_token(&key()));
    assert_eq!(given(manager.token(&key()).await), "alice-1", "what is valid is given out");
}

#[tokio::test(start_paused = true)]
async fn shutdown_abandons_what_is_left_after_the_grace_and_wakes_who_waits_for_it() {
    let world = World::new();
    let manager = world.manager();
    world.server.answer(Answer::Silence);
    let other = manager.clone();
    let waiting = tokio::spawn(async move { other.token(&key()).await });
    settle().await;
    let started = Instant::now();
    assert_eq!(manager.shutdown(2 * SECOND).await, 1);
    assert_eq!(started.elapsed(), 2 * SECOND);
    assert_eq!(refused(waiting.await.unwrap()), ErrorKind::Abandoned);
}

#[tokio::test(start_paused = true)]
async fn shutdown_waits_for_a_token_that_could_not_be_stored_yet() {
    let world = World::new();
    let manager = world.logged_in().await;
    world.store.always(Operation::Swap, Fault::Fail);
    assert_eq!(given(manager.refresh(&key()).await), "alice-1");
    let store = world.store.clone();
    tokio::spawn(async move {
        sleep(5 * SECOND).await;
        store.heal();
    });
    assert_eq!(manager.shutdown(60 * SECOND).await, 0);
    assert_eq!(world.store.refresh_token(&key()).await, world.server.refresh_token(&key()));
}

#[tokio::test(start_paused = true)]
async fn after_shutdown_nothing_is_started_and_it_may_be_called_again() {
    let world = World::new();
    let manager = world.logged_in().await;
    assert_eq!(manager.shutdown(SECOND).await, 0);
    assert_eq!(manager.shutdown(SECOND).await, 0);
    world.clock.forward(SOFT);
    assert_eq!(given(manager.token(&key()).await), "alice-login");
    assert_eq!(refused(manager.refresh(&key()).await), ErrorKind::ShutDown);
    world.clock.forward(HOUR);
    for _ in 0..10 {
        assert_eq!(refused(manager.token(&key()).await), ErrorKind::ShutDown);
    }
    assert_eq!(world.server.count(), 0);
}
