//! The device authorization grant. Time stands still while a request is under way, and flies while the device sleeps.

use std::future::Future;
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::Context;
use std::task::Poll;

use bytes::Bytes;
use http::Request;
use http::Response;
use http_body_util::Full;
use tokio::runtime::Runtime;
use tokio::task::spawn_blocking;
use tokio::time::Instant;
use tower::BoxError;
use tower::Service;
use tower_oauth::Error;
use tower_oauth::ErrorKind;
use tower_oauth::Token;
use tower_oauth::TokenManager;
use tower_oauth::grant::DeviceAuthorization;
use tower_oauth::grant::DeviceProgress;
use tower_oauth_peers::http_client::Answer;
use tower_oauth_peers::http_client::http_client;
use tower_oauth_peers::passed::passed;

use crate::PROVIDER;
use crate::native;
use crate::subject_at_api;
use crate::user;

/// A runtime where time goes on.
static REAL_TIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));

/// An HTTP client there. A clock that stands still does not fly while it waits for a blocking task.
#[derive(Clone)]
struct RealTime;

impl Service<Request<Full<Bytes>>> for RealTime {
    type Response = Response<Full<Bytes>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        let exchange = async move {
            let answer = Answer::read(http_client().request(request).await?).await;
            let mut response = Response::new(Full::new(answer.body));
            (*response.status_mut(), *response.headers_mut()) = (answer.status, answer.headers);
            Ok(response)
        };
        Box::pin(async move { spawn_blocking(move || REAL_TIME.block_on(exchange)).await? })
    }
}

/// What came of a login, what was told meanwhile (a letter and the pause in seconds), and how long it took.
struct Login {
    outcome: Result<Token, Error>,
    told: Vec<(char, u64)>,
    took: u64,
}

/// Logs in. After each event the user, or the server, does the next of `decisions`.
fn log_in(decisions: &'static [&'static str]) -> Login {
    let clock = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    clock.expect("a runtime").block_on(async move {
        let (codes, tokens) = (format!("{}/device/auth", PROVIDER.origin()), PROVIDER.token_endpoint());
        let flow = DeviceAuthorization::new(&codes, &tokens, native(), RealTime).expect("URLs");
        let pending = flow.scope("openid offline_access read").start().await.expect("codes");
        assert_eq!(pending.response().interval.as_secs(), 5, "the server does not say");
        assert!(
            pending.verification_uri_complete().expect("a URL with the code").contains(pending.user_code())
        );
        let user_code = pending.user_code().to_owned();
        let began = Instant::now();
        let mut told = Vec::new();
        let mut decisions = decisions.iter();
        let outcome = pending
            .wait_with(|progress| {
                told.push(match progress {
                    DeviceProgress::Waiting { pause, .. } => ('w', pause.as_secs()),
                    DeviceProgress::SlowedDown { pause, .. } => ('s', pause.as_secs()),
                    other => panic!("{other:?}"),
                });
                if let Some(decision) = decisions.next().filter(|decision| **decision != "nothing") {
                    let user_code = user_code.clone();
                    let decide = move || REAL_TIME.block_on(PROVIDER.decide_device(&user_code, decision));
                    std::thread::spawn(decide).join().expect("the server knows the code");
                }
            })
            .await;
        Login { outcome, told, took: began.elapsed().as_secs() }
    })
}

#[test]
fn pending_slowed_down_and_approved() {
    let login = log_in(&["nothing", "error=slow_down", "", ""]);
    assert_eq!(login.told, [('w', 5), ('w', 5), ('s', 10)]);
    assert_eq!(login.took, 20);
    let token = login.outcome.expect("a token");
    let subject = REAL_TIME.block_on(async {
        let http = tower_oauth::client();
        let (codes, tokens) = (format!("{}/device/auth", PROVIDER.origin()), PROVIDER.token_endpoint());
        let flow = DeviceAuthorization::new(&codes, &tokens, native(), http.clone()).expect("URLs");
        let manager = TokenManager::builder(flow).build();
        manager.put(&user(), token).await.expect("a place");
        manager.refresh(&user()).await.expect("another token");
        subject_at_api(http, &manager).await
    });
    assert_eq!(subject, "alice");
    passed("device authorization", "none", "oidc-provider");
}

#[test]
fn denied() {
    let login = log_in(&["nothing", "deny=1"]);
    let error = login.outcome.expect_err("a refusal");
    assert_eq!(error.kind(), ErrorKind::AuthorizationDenied);
    assert_eq!(error.server().and_then(|server| server.error_description()), Some("the user said no"));
    assert_eq!(login.took, 10);
}

#[test]
fn expired_as_the_server_says() {
    let login = log_in(&["error=expired_token"]);
    assert_eq!(login.outcome.expect_err("an end").kind(), ErrorKind::AuthorizationExpired);
    assert_eq!(login.took, 5);
}

#[test]
fn expired_as_the_server_said_beforehand() {
    let login = log_in(&[]);
    assert_eq!(login.outcome.expect_err("an end").kind(), ErrorKind::AuthorizationExpired);
    assert_eq!(login.took, 30, "the life of a code there");
    assert_eq!(login.told, [('w', 5); 6]);
}
