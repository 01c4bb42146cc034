//! What comes out of the flow, and how it is kept.

use std::time::Duration;
use std::time::SystemTime;

use serde_json::json;
use tower_oauth::ErrorKind;
use tower_oauth::Secret;
use tower_oauth::oauth1::flow::AccessToken;
use tower_oauth::oauth1::flow::RequestToken;
use tower_oauth::testing::ManualClock;

use super::Script;
use super::TOKENS;
use super::flow_with;
use super::kind;
use super::request_token;

const NOW: SystemTime = SystemTime::UNIX_EPOCH;

/// The access token of this answer, received at `NOW`.
async fn token_of(answer: &str) -> AccessToken {
    let flow = flow_with(&Script::ok(answer)).clock(ManualClock::at(NOW));
    flow.fetch_access_token(&request_token("a", "b"), "1234").await.unwrap()
}

#[tokio::test]
async fn an_access_token_has_all_that_the_provider_said() {
    let token = token_of(
        "oauth_token=t&oauth_token_secret=s&oauth_session_handle=h&oauth_expires_in=3600\
         &oauth_authorization_expires_in=7200&user_id=7&screen_name=b%C3%B6b",
    )
    .await;
    assert_eq!((token.token().expose(), token.token_secret().expose()), ("t", "s"));
    assert_eq!(token.session_handle(), Some(&Secret::new("h")));
    assert_eq!(token.expires_in(), Some(Duration::from_secs(3600)));
    assert_eq!(token.expires_at(), Some(NOW + Duration::from_secs(3600)));
    assert_eq!(token.authorization_expires_in(), Some(Duration::from_secs(7200)));
    assert_eq!(token.authorization_expires_at(), Some(NOW + Duration::from_secs(7200)));
    assert_eq!(token.extra("screen_name"), Some(&json!("böb")));
    let mut names: Vec<_> = token.extras().map(|(name, _)| name).collect();
    names.sort_unstable();
    assert_eq!(names, ["oauth_authorization_expires_in", "oauth_expires_in", "screen_name", "user_id"]);
}

#[tokio::test]
async fn an_access_token_that_never_expires_has_no_expiry() {
    let token = token_of("oauth_token=t&oauth_token_secret=s&oauth_session_handle=").await;
    assert_eq!((token.expires_in(), token.expires_at(), token.session_handle()), (None, None, None));
}

#[tokio::test]
async fn an_access_token_survives_the_way_through_json() {
    let token = token_of(
        r#"{"oauth_token": "t", "oauth_token_secret": "s", "oauth_session_handle": "h", "oauth_expires_in": 60,
            "user": {"id": 7}}"#,
    )
    .await;
    let kept = AccessToken::from_json(token.to_json().expose()).unwrap();
    assert_eq!(kept, token);
    assert_eq!(kept.expires_at(), Some(NOW + Duration::from_secs(60)));
}

#[tokio::test]
async fn a_request_token_keeps_the_other_fields_through_json() {
    let script = Script::ok(&format!("{TOKENS}&xoauth_request_auth_url=https%3A%2F%2Fx.example%2F"));
    let login = flow_with(&script).fetch_request_token().await.unwrap();
    let kept = RequestToken::from_json(login.to_json().expose()).unwrap();
    assert_eq!(kept, login);
    assert_eq!(kept.extra("xoauth_request_auth_url"), Some(&json!("https://x.example/")));
    assert!(kept.extras().any(|(name, _)| name == "xoauth_request_auth_url"));
}

#[test]
fn what_was_not_written_here_is_not_read() {
    for json in [
        "",
        "{}",
        r#"{"version":1,"kind":"oauth1_request_token","token":"a"}"#,
        r#"{"version":2,"kind":"oauth1_request_token","token":"a","token_secret":"b"}"#,
        AccessToken::new("a", "b").to_json().expose(),
    ] {
        assert_eq!(kind(RequestToken::from_json(json)), ErrorKind::UnreadableToken, "{json}");
    }
    let login = request_token("a", "b").to_json();
    assert_eq!(kind(AccessToken::from_json(login.expose())), ErrorKind::UnreadableToken);
}

#[tokio::test]
async fn a_renewal_keeps_the_session_handle_unless_there_is_another() {
    for (answer, expected) in
        [(TOKENS.to_owned(), "old-handle"), (format!("{TOKENS}&oauth_session_handle=new"), "new")]
    {
        let old = AccessToken::new("old", "s").with_session_handle("old-handle");
        let renewed = flow_with(&Script::ok(&answer)).renew_access_token(&old).await.unwrap();
        assert_eq!(renewed.token().expose(), "t0k");
        assert_eq!(renewed.session_handle().map(Secret::expose), Some(expected));
    }
}

#[tokio::test]
async fn a_token_without_a_session_handle_cannot_be_renewed() {
    let script = Script::new([]);
    let error = flow_with(&script).renew_access_token(&AccessToken::new("a", "b")).await.unwrap_err();
    assert!(error.needs_reauthorization());
    assert!(script.seen().is_empty());
}
