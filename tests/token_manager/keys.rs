//! Many keys: they never mix, and memory stays bounded.

use std::collections::HashMap;

use tower_oauth::Error;
use tower_oauth::Token;
use tower_oauth::TokenKey;
use tower_oauth::TokenManager;
use tower_oauth::token::AccessScope;
use tower_oauth::token::token_source_fn;

use crate::HOUR;
use crate::SECOND;
use crate::World;
use crate::given;
use crate::server::Answer;
use crate::settle;
use crate::store::Fault;
use crate::store::Operation;
use crate::store::Store;
use crate::text;

/// Numbers by chance, the same ones for the same seed (xorshift64*).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % sides
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_happens_a_key_gets_its_own_tokens() {
    for seed in 1..=20 {
        let mut dice = Dice(seed);
        let world = World::new();
        // Two processes, with room for fewer keys than there are.
        let managers = [world.builder().max_keys(5).build(), world.manager()];
        let names: Vec<_> = (0..8).map(|number| TokenKey::new(format!("key{number}"))).collect();
        let scopes = [AccessScope::new(), AccessScope::new().scope("a"), AccessScope::new().resource("b")];
        let mut tasks = Vec::new();
        for _ in 0..400 {
            let manager = managers[dice.roll(2)].clone();
            let name = names[dice.roll(names.len())].clone();
            let scope = scopes[dice.roll(scopes.len())].clone();
            match dice.roll(12) {
                0 => world.clock.forward(HOUR),
                1 => world.clock.back(HOUR / 2),
                2 => world.server.answer(Answer::Fail(Error::transient("down"))),
                3 => world.store.next(Operation::Swap, Fault::Fail),
                4 => world.store.next(Operation::Load, Fault::Fail),
                5 => {
                    // What is put belongs to that key, as the tokens of the server do.
                    let token = world.server.login(&name);
                    tasks
                        .push(tokio::spawn(async move { drop(manager.put_for(&name, &scope, token).await) }));
                }
                6 => {
                    if let Some(token) = manager.peek(&name) {
                        assert!(text(&token).starts_with(&format!("{name}-")));
                        manager.invalidate(&name, &token);
                    }
                }
                7 => tasks.push(tokio::spawn(async move { drop(manager.refresh(&name).await) })),
                8 => settle().await,
                _ => tasks.push(tokio::spawn(async move {
                    if let Ok(token) = manager.token_for(&name, &scope).await {
                        assert!(text(&token).starts_with(&format!("{name}-")), "{name} got another's token");
                        let asked = scope.scopes().chain(scope.resources()).next();
                        let is_login = text(&token).ends_with("-login");
                        assert!(
                            is_login || asked.is_none_or(|asked| text(&token).ends_with(asked)),
                            "{scope:?}"
                        );
                    }
                })),
            }
        }
        for task in tasks {
            task.await.unwrap();
        }
        for name in &names {
            if let Some(record) = world.store.record(name).await {
                assert!(record.tokens().all(|(_, token)| text(token).starts_with(&format!("{name}-"))));
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn however_the_store_fails_no_refresh_token_is_spent_twice_and_none_is_lost() {
    for seed in 1..=30 {
        let mut dice = Dice(seed);
        let world = World { store: Store::with_leases(), ..World::new() };
        world.store.yields(dice.roll(3));
        world.server.yields(dice.roll(3));
        // With room for fewer keys than there are.
        let manager = world.builder().max_keys(3).build();
        let names: Vec<_> = (0..6).map(|number| TokenKey::new(format!("key{number}"))).collect();
        for name in &names {
            manager.put(name, world.server.login(name)).await.unwrap();
        }
        let scopes = [AccessScope::new(), AccessScope::new().scope("a"), AccessScope::new().resource("b")];
        for _ in 0..400 {
            let (name, scope) =
                (names[dice.roll(names.len())].clone(), scopes[dice.roll(scopes.len())].clone());
            let operation =
                [Operation::Swap, Operation::Load, Operation::Lease, Operation::Release][dice.roll(4)];
            let manager = manager.clone();
            match dice.roll(10) {
                0 => world.clock.forward(HOUR),
                1 => world.clock.forward(SECOND),
                2 => world.server.answer(Answer::Fail(Error::transient("down"))),
                3 => world.store.next(operation, Fault::Fail),
                4 => world.store.next(operation, Fault::AnswerLost),
                5 => world.store.next(operation, Fault::Panic),
                6 => settle().await,
                7 => drop(tokio::spawn(async move { manager.refresh(&name).await })),
                _ => drop(tokio::spawn(async move { manager.token_for(&name, &scope).await })),
            }
        }
        world.store.heal();
        tokio::time::sleep(HOUR).await;
        assert_eq!(world.server.replays(), 0, "seed {seed}");
        for name in &names {
            // What a panic left in memory is stored by the next refresh.
            world.server.forget_answers();
            manager.refresh(name).await.unwrap();
            assert_eq!(
                world.store.refresh_token(name).await,
                world.server.refresh_token(name),
                "seed {seed}"
            );
        }
        assert_eq!(world.server.replays(), 0, "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hundred_thousand_keys_touched_once_leave_a_bounded_number_behind() {
    let source = token_source_fn(|_| async { Ok(Token::new("token")) });
    let manager = TokenManager::builder(source).max_keys(1000).build();
    for number in 0..100_000 {
        manager.token(&TokenKey::new(format!("key-{number}"))).await.unwrap();
    }
    assert_eq!(keys(&manager), 1000);
}

#[tokio::test(start_paused = true)]
async fn keys_whose_grants_failed_or_were_refused_leave_too() {
    let world = World::new();
    let manager = world.builder().max_keys(50).build();
    for number in 0..2000 {
        let name = TokenKey::new(format!("key-{number}"));
        match number % 3 {
            0 => {
                let token = manager.token(&name).await.unwrap();
                manager.invalidate(&name, &token);
            }
            1 => {
                world.server.answer(Answer::Fail(Error::transient("down")));
                manager.token(&name).await.unwrap_err();
            }
            _ => {
                world.server.answer(Answer::Fail(Error::reauthorization_required("gone")));
                manager.token(&name).await.unwrap_err();
            }
        }
    }
    assert!(keys(&manager) <= 50, "{manager:?}");
}

#[tokio::test(start_paused = true)]
async fn after_more_keys_were_in_use_than_there_is_room_for_the_number_returns_to_the_bound() {
    let world = World::new();
    let manager = world.builder().max_keys(10).build();
    world.server.hold();
    let waiting: Vec<_> = (0..100)
        .map(|number| {
            let manager = manager.clone();
            tokio::spawn(async move { manager.token(&TokenKey::new(format!("busy-{number}"))).await })
        })
        .collect();
    settle().await;
    assert_eq!(keys(&manager), 100);
    world.server.release();
    for task in waiting {
        task.await.unwrap().unwrap();
    }
    settle().await;
    for number in 0..100 {
        manager.token(&TokenKey::new(format!("idle-{number}"))).await.unwrap();
    }
    assert_eq!(keys(&manager), 10);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_left_comes_back_from_the_store() {
    let world = World::new();
    let manager = world.builder().max_keys(1).build();
    let names = HashMap::from([("alice", "alice-1"), ("bob", "bob-2")]);
    for name in ["alice", "bob", "alice", "bob", "alice"] {
        assert_eq!(given(manager.token(&name.into()).await), names[name]);
    }
    assert_eq!((world.server.count(), keys(&manager)), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_key_whose_token_is_not_stored_yet_does_not_leave() {
    let world = World::new();
    let manager = world.builder().max_keys(2).build();
    let alice = TokenKey::new("alice");
    manager.put(&alice, world.server.login(&alice)).await.unwrap();
    world.store.always(Operation::Swap, Fault::Fail);
    assert_eq!(given(manager.refresh(&alice).await), "alice-1");
    for number in 0..50 {
        manager.peek(&alice).unwrap();
        let _ = manager.token(&TokenKey::new(format!("key-{number}"))).await;
    }
    assert_eq!(manager.peek(&alice).as_ref().map(text), Some("alice-1"));
    world.store.heal();
    tokio::time::sleep(60 * SECOND).await;
    assert_eq!(world.store.refresh_token(&alice).await, world.server.refresh_token(&alice));
}

/// The number that a manager's `Debug` shows.
fn keys(manager: &TokenManager) -> usize {
    let shown = format!("{manager:?}");
    shown.split("keys: ").nth(1).and_then(|rest| rest.split(',').next()).unwrap().parse().unwrap()
}

#[test]
fn neither_a_manager_nor_what_it_gives_out_shows_a_secret() {
    let token =
        Token::new("s3cret-access").with_refresh_token("s3cret-refresh").with_extra("id_token", "s3cret-id");
    let shown = format!("{token:?} {token:#?}");
    assert!(!shown.contains("s3cret"), "{shown}");
}
