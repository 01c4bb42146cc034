//! The device authorization grant (RFC 8628), with a clock that stands still unless somebody sleeps.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use http::HeaderValue;
use http::StatusCode;
use http::header::RETRY_AFTER;
use tokio::time::Instant;
use tower_oauth::ClientAuth;
use tower_oauth::Error;
use tower_oauth::ErrorKind;
use tower_oauth::Token;
use tower_oauth::TokenKey;
use tower_oauth::TokenManager;
use tower_oauth::grant::DeviceAuthorization;
use tower_oauth::grant::DeviceProgress;
use tower_oauth::testing::Fault;
use tower_oauth::testing::Provider;

fn flow(provider: &Provider) -> DeviceAuthorization {
    let (codes, tokens) = ("http://localhost/device_authorization", "http://localhost/token");
    DeviceAuthorization::new(codes, tokens, ClientAuth::none("test-app"), provider.client())
        .unwrap()
        .scope("orders:read offline")
}

fn answer(status: StatusCode, body: &'static str) -> Fault {
    Fault::new().on("/token").status(status).body(body)
}

fn pending() -> Fault {
    answer(StatusCode::BAD_REQUEST, r#"{"error":"authorization_pending"}"#)
}

/// What came of waiting, what was told meanwhile (a letter and the pause in seconds), and how long it took.
struct Waited {
    outcome: Result<Token, Error>,
    told: Vec<(char, u64)>,
    took: u64,
}

/// Waits; the user has approved before the first question.
async fn wait(provider: &Provider) -> Waited {
    let pending = flow(provider).start().await.unwrap();
    provider.approve_device(pending.user_code());
    let began = Instant::now();
    let mut told = Vec::new();
    let outcome = pending
        .wait_with(|progress| {
            told.push(match progress {
                DeviceProgress::Waiting { pause, .. } => ('w', pause.as_secs()),
                DeviceProgress::SlowedDown { pause, .. } => ('s', pause.as_secs()),
                DeviceProgress::RetryingAfterError { pause, .. } => ('r', pause.as_secs()),
                other => panic!("{other:?}"),
            });
        })
        .await;
    Waited { outcome, told, took: began.elapsed().as_secs() }
}

#[tokio::test(start_paused = true)]
async fn a_user_approves_and_the_token_is_renewed_afterwards() {
    let provider = Provider::new();
    let flow = flow(&provider);
    let manager = TokenManager::builder(flow.clone()).build();
    let key = TokenKey::new("television");
    let approve = |pending: &tower_oauth::grant::PendingDeviceAuthorization| {
        assert_eq!(pending.verification_uri(), "http://localhost/device");
        let complete = format!("http://localhost/device?user_code={}", pending.user_code());
        assert_eq!(pending.verification_uri_complete(), Some(&*complete));
        assert_eq!(pending.expires_in(), Duration::from_secs(600));
        assert!(provider.approve_device(pending.user_code()));
    };
    flow.log_in(&manager, &key, approve).await.unwrap();
    let token = manager.token(&key).await.unwrap();
    assert_eq!(token.scope(), Some(&["orders:read".to_owned(), "offline".to_owned()][..]));
    manager.refresh(&key).await.unwrap();
    let stats = provider.stats();
    assert_eq!((stats.grants.device_code, stats.refreshes), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn it_waits_for_the_interval_before_each_question() {
    let provider = Provider::new();
    provider.inject(pending().times(2));
    let waited = wait(&provider).await;
    assert!(waited.outcome.is_ok());
    assert_eq!(waited.told, [('w', 5), ('w', 5), ('w', 5)]);
    assert_eq!(waited.took, 15);
}

#[tokio::test(start_paused = true)]
async fn slow_down_adds_five_seconds_for_good() {
    let provider = Provider::new();
    provider.inject(answer(StatusCode::BAD_REQUEST, r#"{"error":"slow_down"}"#));
    provider.inject(pending());
    provider.inject(answer(StatusCode::BAD_REQUEST, r#"{"error":"slow_down"}"#));
    let waited = wait(&provider).await;
    assert!(waited.outcome.is_ok());
    assert_eq!(waited.told, [('w', 5), ('s', 10), ('w', 10), ('s', 15)]);
    assert_eq!(waited.took, 40);
}

#[tokio::test(start_paused = true)]
async fn github_says_everything_with_status_200_and_names_the_new_interval() {
    let provider = Provider::new();
    provider.inject(answer(StatusCode::OK, r#"{"error":"authorization_pending"}"#));
    provider.inject(answer(StatusCode::OK, r#"{"error":"slow_down","interval":12}"#));
    provider.inject(answer(StatusCode::OK, "error=authorization_pending&error_description=wait"));
    // A smaller one than there is already would not be slower.
    provider.inject(answer(StatusCode::OK, r#"{"error":"slow_down","interval":"7"}"#));
    let waited = wait(&provider).await;
    assert!(waited.outcome.is_ok());
    assert_eq!(waited.told, [('w', 5), ('w', 5), ('s', 12), ('w', 12), ('s', 17)]);
}

#[tokio::test(start_paused = true)]
async fn too_many_requests_means_slow_down_whatever_the_body_says() {
    let provider = Provider::new();
    provider.inject(answer(StatusCode::TOO_MANY_REQUESTS, ""));
    provider.inject(
        answer(StatusCode::TOO_MANY_REQUESTS, "<html>").header(RETRY_AFTER, HeaderValue::from_static("40")),
    );
    let waited = wait(&provider).await;
    assert!(waited.outcome.is_ok());
    assert_eq!(waited.told, [('w', 5), ('s', 10), ('s', 40)]);
}

#[tokio::test(start_paused = true)]
async fn questions_that_do_not_arrive_double_the_pause_until_one_does() {
    let provider = Provider::new();
    provider.inject(Fault::new().on("/token").drop_connection().times(2));
    provider.inject(answer(StatusCode::BAD_GATEWAY, "<html>"));
    provider.inject(Fault::new().on("/token").drop_connection().times(2));
    provider.inject(pending());
    let waited = wait(&provider).await;
    assert!(waited.outcome.is_ok());
    assert_eq!(waited.told, [('w', 5), ('r', 10), ('r', 20), ('r', 40), ('r', 60), ('r', 60), ('w', 5)]);
}

#[tokio::test(start_paused = true)]
async fn refusals_are_typed_and_end_it() {
    let last = |body| async move {
        let provider = Provider::new();
        provider.inject(answer(StatusCode::BAD_REQUEST, body));
        let waited = wait(&provider).await;
        assert_eq!(waited.took, 5);
        waited.outcome.unwrap_err()
    };
    let denied = last(r#"{"error":"access_denied","error_description":"no"}"#).await;
    assert_eq!(denied.kind(), ErrorKind::AuthorizationDenied);
    assert_eq!(denied.server().unwrap().error_description(), Some("no"));
    assert_eq!(last(r#"{"error":"authorization_declined"}"#).await.kind(), ErrorKind::AuthorizationDenied);
    assert_eq!(last(r#"{"error":"expired_token"}"#).await.kind(), ErrorKind::AuthorizationExpired);
    let other = last(r#"{"error":"invalid_client"}"#).await;
    assert_eq!((other.kind(), other.is_configuration()), (ErrorKind::Refused, true));
}

#[tokio::test(start_paused = true)]
async fn a_user_who_refuses_is_a_typed_error() {
    let provider = Provider::new();
    let pending = flow(&provider).start().await.unwrap();
    assert!(provider.deny_device(&pending.user_code().to_lowercase()));
    assert_eq!(pending.wait().await.unwrap_err().kind(), ErrorKind::AuthorizationDenied);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_asked_after_the_codes_have_expired() {
    let provider = Provider::new();
    let codes =
        r#"{"device_code":"d","user_code":"u","verification_url":"https://v","expires_in":12,"interval":5}"#;
    provider.inject(Fault::new().on("/device_authorization").body(codes));
    provider.inject(pending().times(100));
    let waited = wait(&provider).await;
    let error = waited.outcome.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AuthorizationExpired, "{error}");
    assert_eq!(waited.took, 12);
    assert_eq!(provider.stats().token_requests, 2);
}

#[tokio::test(start_paused = true)]
async fn whoever_drops_the_future_ends_the_asking() {
    let provider = Provider::new();
    provider.inject(pending().times(100));
    let waiting = flow(&provider).start().await.unwrap().wait();
    assert!(tokio::time::timeout(Duration::from_secs(11), waiting).await.is_err());
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert_eq!(provider.stats().token_requests, 2);
}

#[tokio::test]
async fn an_error_in_place_of_codes_is_typed_at_any_status() {
    let provider = Provider::new();
    let refused = |status: StatusCode, body: &'static str| {
        provider.inject(Fault::new().on("/device_authorization").status(status).body(body));
        let flow = flow(&provider);
        async move { flow.start().await.unwrap_err() }
    };
    let error = refused(StatusCode::OK, r#"{"error":"device_flow_disabled"}"#).await;
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert_eq!(error.server().unwrap().code(), "device_flow_disabled");
    assert_eq!(error.endpoint(), Some("http://localhost/device_authorization"));
    assert_eq!(refused(StatusCode::NOT_FOUND, "<html>").await.kind(), ErrorKind::UnexpectedStatus);
    for unusable in ["{}", "[]", "<html>", "", r#"{"device_code":"d"}"#] {
        let error = refused(StatusCode::OK, unusable).await;
        assert_eq!(error.kind(), ErrorKind::UnusableResponse, "{unusable}");
    }
    // GitHub answers a form unless it is asked for JSON.
    provider.inject(
        Fault::new()
            .on("/device_authorization")
            .body("device_code=d&user_code=U-1&verification_uri=https%3A%2F%2Fv"),
    );
    assert_eq!(flow(&provider).start().await.unwrap().user_code(), "U-1");
}

#[tokio::test]
async fn the_request_says_who_asks_for_what() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&seen);
    let http = tower::service_fn(move |request: http::Request<http_body_util::Full<bytes::Bytes>>| {
        let kept = Arc::clone(&kept);
        async move {
            let body = http_body_util::BodyExt::collect(request.into_body()).await.unwrap().to_bytes();
            kept.lock().unwrap().push(String::from_utf8(body.to_vec()).unwrap());
            let codes = r#"{"device_code":"hush","user_code":"u","verification_uri":"v"}"#;
            Ok::<_, std::io::Error>(http::Response::new(http_body_util::Full::<bytes::Bytes>::from(codes)))
        }
    });
    let flow = DeviceAuthorization::new(
        "https://auth.test/device",
        "https://auth.test/token",
        ClientAuth::basic("id", "secret"),
        http,
    )
    .unwrap()
    .scope("a b")
    .resource("https://one.test")
    .resource("https://two.test")
    .parameter("audience", "x");
    let pending = flow.start().await.unwrap();
    assert!(!format!("{pending:?}").contains("hush"));
    assert_eq!(
        seen.lock().unwrap()[0],
        "client_id=id&scope=a+b&resource=https%3A%2F%2Fone.test&resource=https%3A%2F%2Ftwo.test&audience=x"
    );
}
