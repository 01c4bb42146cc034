//! Logging out: at the server, in the store, in memory; and who is logged in.

use std::sync::Arc;
use std::sync::Mutex;

use futures_util::FutureExt;
use tokio::time::sleep;
use tower_oauth::Error;
use tower_oauth::ErrorKind;
use tower_oauth::Secret;
use tower_oauth::Token;
use tower_oauth::TokenManager;
use tower_oauth::token::AccessScope;
use tower_oauth::token::TokenRevocation;
use tower_oauth::token::TokenTypeHint;
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

/// A server's revocation endpoint: what it was given, and whether it fails.
#[derive(Clone, Default)]
struct Revocation {
    asked: Arc<Mutex<Vec<String>>>,
    fails: bool,
    hangs: bool,
}

impl TokenRevocation for Revocation {
    async fn revoke(&self, token: &Secret, hint: TokenTypeHint) -> Result<(), Error> {
        self.asked.lock().unwrap().push(format!("{} {}", hint.as_str(), token.expose()));
        if self.hangs {
            std::future::pending::<()>().await;
        }
        if self.fails { Err(Error::transient("the server is down")) } else { Ok(()) }
    }
}

impl Revocation {
    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn logged_in(world: &World, revocation: &Revocation) -> TokenManager {
    world.server.needs_login();
    let manager = world.builder().revocation(revocation.clone()).build();
    manager.put(&key(), world.server.login(&key())).await.unwrap();
    manager
}

#[tokio::test(start_paused = true)]
async fn a_grant_that_is_revoked_is_gone_at_the_server_in_the_store_and_in_memory() {
    let (world, revocation) = (World::new(), Revocation::default());
    let manager = logged_in(&world, &revocation).await;
    assert_eq!(given(manager.refresh(&key()).await), "alice-1");
    manager.revoke(&key()).await.unwrap();
    assert_eq!(revocation.asked(), ["refresh_token alice-refresh-1"]);
    assert!(world.store.record(&key()).await.is_none());
    assert!(manager.peek(&key()).is_none());
    assert!(manager.token(&key()).await.unwrap_err().needs_reauthorization());
    assert_eq!(world.server.count(), 1);
    assert_eq!(world.events()[..2], ["refreshed", "forgotten"]);
    // A new login is a new grant.
    manager.put(&key(), world.server.login(&key())).await.unwrap();
    assert_eq!(given(manager.token(&key()).await), "alice-login");
}

#[tokio::test(start_paused = true)]
async fn without_a_refresh_token_each_access_token_is_revoked() {
    let revocation = Revocation::default();
    let source = token_source_fn(|request: tower_oauth::token::SourceRequest| async move {
        let asked: Vec<_> = request.scope().scopes().map(str::to_owned).collect();
        Ok(Token::new(format!("token{}", asked.concat())))
    });
    let manager = TokenManager::builder(source).revocation(revocation.clone()).build();
    manager.token(&key()).await.unwrap();
    manager.token_for(&key(), &AccessScope::new().scope("-a")).await.unwrap();
    manager.revoke(&key()).await.unwrap();
    assert_eq!(revocation.asked(), ["access_token token", "access_token token-a"]);
    assert!(manager.peek_for(&key(), &AccessScope::new().scope("-a")).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_fails_is_reported_and_the_grant_is_forgotten_all_the_same() {
    for revocation in [
        Revocation { fails: true, ..Revocation::default() },
        Revocation { hangs: true, ..Revocation::default() },
    ] {
        let world = World::new();
        let manager = logged_in(&world, &revocation).await;
        let error = manager.revoke(&key()).await.unwrap_err();
        assert!(error.is_transient(), "{error:?}");
        assert!(world.store.record(&key()).await.is_none());
        assert!(manager.token(&key()).await.unwrap_err().needs_reauthorization());
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_revocation_the_grant_is_forgotten_and_the_error_says_what_is_missing() {
    let world = World::new();
    let manager = world.logged_in().await;
    let error = manager.revoke(&key()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MissingEndpoint);
    assert!(error.to_string().contains("alive at the server"), "{error}");
    assert!(world.store.record(&key()).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn forgetting_asks_no_server() {
    let (world, revocation) = (World::new(), Revocation::default());
    let manager = logged_in(&world, &revocation).await;
    manager.forget(&key()).await.unwrap();
    assert!(revocation.asked().is_empty());
    assert!(world.store.record(&key()).await.is_none());
    assert!(manager.token(&key()).await.unwrap_err().needs_reauthorization());
    // There is nothing left, and that is fine.
    manager.forget(&key()).await.unwrap();
    manager.revoke(&key()).await.unwrap();
    assert!(revocation.asked().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_is_under_way_ends_first_and_what_it_brought_is_revoked() {
    let (world, revocation) = (World::new(), Revocation::default());
    let manager = logged_in(&world, &revocation).await;
    world.clock.forward(HOUR);
    world.server.delay(5 * SECOND);
    let other = manager.clone();
    let reader = tokio::spawn(async move { other.token(&key()).await });
    settle().await;
    manager.revoke(&key()).await.unwrap();
    assert_eq!(revocation.asked(), ["refresh_token alice-refresh-1"]);
    assert!(world.store.record(&key()).await.is_none());
    // It had its answer before the grant ended.
    assert_eq!(given(reader.await.unwrap()), "alice-1");
    assert!(manager.peek(&key()).is_none());
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_are_told_that_the_grant_was_revoked() {
    let (world, revocation) = (World::new(), Revocation { hangs: true, ..Revocation::default() });
    let manager = logged_in(&world, &revocation).await;
    world.clock.forward(HOUR);
    let other = manager.clone();
    let revoking = tokio::spawn(async move { other.revoke(&key()).await });
    settle().await;
    // Comes while the server is asked: it waits for the grant's turn.
    let other = manager.clone();
    let reader = tokio::spawn(async move { other.token(&key()).await });
    settle().await;
    revoking.await.unwrap().unwrap_err();
    let error = reader.await.unwrap().unwrap_err();
    assert!(error.needs_reauthorization() && error.to_string().contains("revoked"), "{error}");
    assert_eq!(world.server.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_cannot_be_read_or_written_is_an_error_and_revoke_may_be_called_again() {
    let (world, revocation) = (World::new(), Revocation::default());
    let manager = logged_in(&world, &revocation).await;
    for operation in [Operation::Load, Operation::Delete] {
        world.store.next(operation, Fault::Fail);
        assert_eq!(refused(manager.revoke(&key()).await.map(|()| Token::new(""))), ErrorKind::Store);
        assert!(world.store.record(&key()).await.is_some());
    }
    manager.revoke(&key()).await.unwrap();
    assert!(world.store.record(&key()).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_deletion_whose_answer_is_lost_is_no_error() {
    let (world, revocation) = (World::new(), Revocation::default());
    let manager = logged_in(&world, &revocation).await;
    world.store.next(Operation::Delete, Fault::AnswerLost);
    manager.revoke(&key()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_login_that_comes_meanwhile_is_another_grant_and_stays() {
    let (world, revocation) = (World::new(), Revocation::default());
    let manager = logged_in(&world, &revocation).await;
    let (elsewhere, login) = (world.manager(), world.server.login(&key()));
    let log_in = crate::store::meanwhile(move || {
        let (elsewhere, login) = (elsewhere.clone(), login.clone().with_refresh_token("newer"));
        async move { elsewhere.put(&key(), login).await.unwrap() }
    });
    world.store.next(Operation::Delete, Fault::After(log_in));
    manager.revoke(&key()).await.unwrap();
    assert_eq!(world.store.refresh_token(&key()).await.as_deref(), Some("newer"));
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_another_process_holds_keeps_nobody_from_logging_out() {
    let world = World { store: Store::with_leases(), ..World::new() };
    let revocation = Revocation::default();
    let manager = logged_in(&world, &revocation).await;
    tower_oauth::token::TokenStore::lease(&world.store, &key(), "greedy", HOUR).await.unwrap();
    manager.revoke(&key()).await.unwrap();
    assert!(world.store.record(&key()).await.is_none());
    assert_eq!(world.store.holder(&key()).as_deref(), Some("greedy"));
}

#[tokio::test(start_paused = true)]
async fn a_token_that_was_not_stored_yet_is_revoked_and_not_stored_later() {
    let (world, revocation) = (World::new(), Revocation::default());
    let manager = logged_in(&world, &revocation).await;
    world.store.always(Operation::Swap, Fault::Fail);
    assert_eq!(given(manager.refresh(&key()).await), "alice-1");
    manager.revoke(&key()).await.unwrap();
    assert_eq!(revocation.asked(), ["refresh_token alice-refresh-1"]);
    world.store.heal();
    sleep(60 * SECOND).await;
    assert!(world.store.record(&key()).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn whoever_has_a_token_or_a_refresh_token_is_authorized() {
    let world = World::new();
    let manager = world.builder().build();
    assert!(!manager.authorized(&key()).await.unwrap());
    manager.put(&key(), world.server.login(&key())).await.unwrap();
    // From memory: the store is not asked.
    let loads = world.store.count(Operation::Load);
    assert!(manager.authorized(&key()).now_or_never().expect("nothing to wait for").unwrap());
    assert_eq!(world.store.count(Operation::Load), loads);
    // Another process finds it in the store, also when only the refresh token is left.
    let elsewhere = world.manager();
    assert!(elsewhere.authorized(&key()).await.unwrap());
    world.clock.forward(HOUR);
    assert!(elsewhere.authorized(&key()).await.unwrap());
    manager.put(&key(), Token::new("short").expires_in(HOUR)).await.unwrap();
    assert!(elsewhere.authorized(&key()).await.unwrap());
    world.clock.forward(HOUR);
    assert!(!elsewhere.authorized(&key()).await.unwrap() && !manager.authorized(&key()).await.unwrap());
    assert_eq!(world.server.count(), 0, "the server is never asked");
}

#[tokio::test(start_paused = true)]
async fn a_refresh_token_that_is_dead_or_over_authorizes_nobody() {
    let world = World::new();
    let manager = world.logged_in().await;
    world.clock.forward(HOUR);
    world.server.answer(Answer::Fail(Error::reauthorization_required("gone")));
    manager.token(&key()).await.unwrap_err();
    assert!(!manager.authorized(&key()).await.unwrap());
    let short = Token::new("t").expires_in(HOUR).with_refresh_token("r").refresh_expires_in(2 * HOUR);
    manager.put(&key(), short).await.unwrap();
    world.clock.forward(HOUR);
    assert!(manager.authorized(&key()).await.unwrap());
    world.clock.forward(HOUR);
    assert!(!manager.authorized(&key()).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_token_that_was_refused_authorizes_nobody_and_a_store_that_fails_is_an_error() {
    let world = World::new();
    let manager = world.manager();
    manager.put(&key(), Token::new("alone")).await.unwrap();
    assert!(manager.authorized(&key()).await.unwrap());
    manager.invalidate(&key(), &Token::new("alone"));
    assert!(!manager.authorized(&key()).await.unwrap());
    world.store.always(Operation::Load, Fault::Fail);
    assert_eq!(manager.authorized(&key()).await.unwrap_err().kind(), ErrorKind::Store);
}
