//! Answers that are odd, and callbacks that are not what was hoped for.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use http::StatusCode;
use http::header;
use tower_oauth::ErrorKind;
use tower_oauth::error::ServerError;
use tower_oauth::testing::Fault;
use tower_oauth::testing::Provider;

use super::Script;
use super::TOKENS;
use super::answer;
use super::flow_at;
use super::flow_with;
use super::kind;
use super::request_token;

#[tokio::test]
async fn a_form_labelled_as_a_page_and_json_are_both_understood() {
    let json = r#"{"oauth_token": "t0k", "oauth_token_secret": "s3cret", "oauth_callback_confirmed": true}"#;
    for (content_type, body) in [("text/html", TOKENS), ("application/json", json), ("text/plain", json)] {
        let mut labelled = answer(200, body);
        labelled.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        let login = flow_with(&Script::new([labelled])).fetch_request_token().await.unwrap();
        assert_eq!(login.token().expose(), "t0k");
    }
}

#[tokio::test]
async fn a_callback_has_to_be_confirmed_unless_that_is_allowed() {
    let credentials = "oauth_token=t0k&oauth_token_secret=s3cret";
    for (confirmation, is_confirmed) in [
        ("&oauth_callback_confirmed=true", true),
        ("&oauth_callback_confirmed=True", true),
        ("&oauth_callback_confirmed=false", false),
        ("", false),
    ] {
        let script = Script::ok(&format!("{credentials}{confirmation}"));
        let result = flow_with(&script).fetch_request_token().await;
        assert_eq!(result.is_ok(), is_confirmed, "{confirmation}");
        if let Err(error) = result {
            assert_eq!(error.kind(), ErrorKind::CallbackUnconfirmed);
            assert_eq!(error.endpoint(), Some("http://localhost/oauth1/initiate"));
            assert!(!format!("{error} {error:?}").contains("s3cret"));
        }
        let script = Script::ok(&format!("{credentials}{confirmation}"));
        assert!(flow_with(&script).allow_unconfirmed_callback().fetch_request_token().await.is_ok());
    }
}

#[tokio::test]
async fn an_access_token_needs_no_confirmation() {
    let script = Script::ok("oauth_token=t&oauth_token_secret=s");
    let login = request_token("temporary", "hush");
    assert!(flow_with(&script).fetch_access_token(&login, "1234").await.is_ok());
}

#[tokio::test]
async fn a_refusal_without_a_problem_shows_how_it_begins() {
    let script =
        Script::new([answer(401, "Failed to validate oauth signature\n for token temporary & hush")]);
    let login = request_token("temporary", "hush");
    let error = flow_with(&script).fetch_access_token(&login, "1234").await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::Refused, Some(StatusCode::UNAUTHORIZED)));
    let message = error.to_string();
    let begins = "the answer begins: Failed to validate oauth signature for token [redacted] & [redacted]";
    assert!(message.contains(begins), "{message}");
}

#[tokio::test]
async fn everything_secret_of_a_request_is_taken_out_of_what_is_shown() {
    // A server that repeats the request, once as it came and once decoded.
    let login = request_token("hush/token", "hush secret");
    let echo = "consumer-secret&hush%20secret hush%2Ftoken hush/token hush-verifier hush+secret";
    for status in [200, 401, 500] {
        let script = Script::new([answer(status, echo)]);
        let error = flow_with(&script).fetch_access_token(&login, "hush-verifier").await.unwrap_err();
        let printed = format!("{error} {error:?}");
        assert!(!printed.contains("hush") && !printed.contains("consumer-secret"), "{printed}");
        assert!(printed.contains("[redacted]&[redacted]"), "{printed}");
    }
}

#[tokio::test]
async fn a_refusal_by_the_resource_owner_is_told_from_the_others() {
    let script = Script::new([answer(401, "oauth_problem=permission_denied")]);
    let error = flow_with(&script).fetch_access_token(&request_token("a", "b"), "1234").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AuthorizationDenied);
    assert_eq!(error.server().map(ServerError::code), Some("permission_denied"));
}

#[tokio::test]
async fn a_broken_provider_is_a_typed_error() {
    let fault = || Fault::new().on("/oauth1/initiate");
    let cases = [
        (fault().status(StatusCode::BAD_GATEWAY).body("<h1>Bad gateway</h1>"), ErrorKind::UnexpectedStatus),
        (fault().status(StatusCode::NOT_FOUND), ErrorKind::UnexpectedStatus),
        (fault().body("<html>Please sign in</html>"), ErrorKind::UnusableResponse),
        (fault().body(Bytes::new()), ErrorKind::UnusableResponse),
        (fault().endless_body(), ErrorKind::ResponseTooLarge),
        (fault().drop_connection(), ErrorKind::Transport),
        (fault().body("oauth_token=a").drop_connection(), ErrorKind::Transport),
    ];
    for (fault, expected) in cases {
        let provider = Provider::new();
        provider.inject(fault);
        let error = flow_at(&provider).fetch_request_token().await.unwrap_err();
        assert_eq!(error.kind(), expected, "{error}");
        assert_eq!(error.endpoint(), Some("http://localhost/oauth1/initiate"));
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let provider = Provider::new();
    let elsewhere = HeaderValue::from_static("http://localhost/oauth1/token");
    let redirect = Fault::new().status(StatusCode::TEMPORARY_REDIRECT).header(header::LOCATION, elsewhere);
    provider.inject(redirect);
    assert_eq!(kind(flow_at(&provider).fetch_request_token().await), ErrorKind::Redirected);
    assert_eq!(provider.stats().requests.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_does_not_answer_is_given_up() {
    let provider = Provider::new();
    provider.inject(Fault::new().never_answer());
    let began = tokio::time::Instant::now();
    let error = flow_at(&provider).timeout(Duration::from_secs(3)).fetch_request_token().await.unwrap_err();
    assert!(error.is_timeout() && error.is_transient());
    assert_eq!(began.elapsed().as_secs(), 3);
}

#[tokio::test]
async fn an_answer_has_a_largest_size() {
    let flow = |limit| flow_with(&Script::ok(TOKENS)).response_limit(limit);
    assert!(flow(TOKENS.len()).fetch_request_token().await.is_ok());
    assert_eq!(kind(flow(TOKENS.len() - 1).fetch_request_token().await), ErrorKind::ResponseTooLarge);
}

#[tokio::test]
async fn a_provider_may_say_when_to_come_again() {
    let mut busy = answer(429, "Rate limit exceeded");
    busy.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("30"));
    let error = flow_with(&Script::new([busy])).fetch_request_token().await.unwrap_err();
    assert_eq!((error.kind(), error.is_transient()), (ErrorKind::UnexpectedStatus, true));
    assert_eq!(error.retry_after(), Some(Duration::from_secs(30)));
}

#[test]
fn a_callback_is_read_as_a_url_a_path_or_a_query() {
    let flow = flow_with(&Script::new([]));
    let login = request_token("t0k", "s3cret");
    for callback in [
        "https://client.example.com/cb?oauth_token=t0k&oauth_verifier=v%2Fw&realmId=7",
        "/cb?oauth_token=t0k&oauth_verifier=v%2Fw&realmId=7",
        "realmId=7&oauth_verifier=v%2Fw&oauth_token=t0k",
    ] {
        let response = flow.parse_authorization_response(&login, callback).unwrap();
        assert_eq!(response.verifier().map(|verifier| verifier.expose()), Some("v/w"), "{callback}");
        assert_eq!(response.parameter("realmId"), Some("7"));
        assert_eq!(response.parameters().count(), 1);
    }
}

#[test]
fn a_callback_that_is_no_approval_of_this_login_is_a_typed_error() {
    let flow = flow_with(&Script::new([]));
    let login = request_token("t0k", "s3cret");
    for (callback, expected) in [
        ("/cb?oauth_token=other&oauth_verifier=v", ErrorKind::TokenMismatch),
        ("/cb?oauth_verifier=v", ErrorKind::TokenMismatch),
        ("/cb?denied=t0k", ErrorKind::AuthorizationDenied),
        ("/cb?oauth_token=t0k&oauth_problem=user_refused", ErrorKind::AuthorizationDenied),
        ("/cb?oauth_token=t0k&oauth_problem=permission_denied", ErrorKind::AuthorizationDenied),
        ("/cb?oauth_token=t0k&oauth_problem=token_expired", ErrorKind::Refused),
        ("/cb?oauth_token=t0k", ErrorKind::MissingVerifier),
        ("/cb?oauth_token=t0k&oauth_verifier=", ErrorKind::MissingVerifier),
    ] {
        assert_eq!(kind(flow.parse_authorization_response(&login, callback)), expected, "{callback}");
    }
}

#[tokio::test]
async fn a_missing_verifier_can_be_allowed() {
    let script = Script::ok(TOKENS);
    let flow = flow_with(&script);
    let login = request_token("t0k", "s3cret");
    assert_eq!(kind(flow.fetch_access_token(&login, "").await), ErrorKind::MissingVerifier);
    assert!(script.seen().is_empty());

    let flow = flow.allow_missing_verifier();
    let response = flow.parse_authorization_response(&login, "/cb?oauth_token=t0k").unwrap();
    assert!(response.verifier().is_none());
    flow.fetch_access_token(&login, response).await.unwrap();
    assert_eq!(script.only().parameter("oauth_verifier"), None);
}
