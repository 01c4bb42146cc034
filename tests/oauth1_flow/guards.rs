//! What is never sent, and never shown.

use http::Method;
use tower_oauth::ErrorKind;
use tower_oauth::oauth1::Message;
use tower_oauth::oauth1::Plaintext;
use tower_oauth::oauth1::SharedSecrets;
use tower_oauth::oauth1::SignatureMethod;
use tower_oauth::oauth1::SigningKey;
use tower_oauth::oauth1::flow::AccessToken;
use tower_oauth::oauth1::flow::Endpoints;
use tower_oauth::oauth1::flow::Flow;
use tower_oauth::oauth1::flow::Step;
use tower_oauth::oauth1::flow::Verifier;

use super::Script;
use super::TOKENS;
use super::at;
use super::flow_with;
use super::kind;
use super::request_token;

#[tokio::test]
async fn nothing_goes_over_plain_http_to_another_machine() {
    let script = Script::ok(TOKENS);
    let flow = Flow::new("client", "secret", at("http://provider.example.com"), script.service());
    let login = request_token("a", "b");
    assert_eq!(kind(flow.fetch_request_token().await), ErrorKind::InsecureScheme);
    assert_eq!(kind(flow.authorization_url(&login, &[])), ErrorKind::InsecureScheme);
    assert_eq!(kind(flow.fetch_access_token(&login, "v").await), ErrorKind::InsecureScheme);
    assert_eq!(kind(flow.fetch_access_token_with_xauth("a", "b").await), ErrorKind::InsecureScheme);
    assert!(script.seen().is_empty());

    let flow = flow.dangerously_allow_http();
    assert!(flow.authorization_url(&login, &[]).is_ok());
    assert!(flow.fetch_request_token().await.is_ok());
}

#[tokio::test]
async fn secrets_in_the_open_never_do_whatever_was_allowed() {
    let script = Script::ok(TOKENS);
    let flow = Flow::new("client", "secret", at("http://provider.example.com"), script.service())
        .dangerously_allow_http()
        .signature_method(Plaintext);
    assert_eq!(kind(flow.fetch_request_token().await), ErrorKind::InsecureScheme);
    assert!(script.seen().is_empty());

    let flow = Flow::new("client", "secret", at("https://provider.example.com"), script.service());
    assert!(flow.signature_method(Plaintext).fetch_request_token().await.is_ok());
}

#[tokio::test]
async fn an_endpoint_that_is_missing_is_an_error_where_it_is_needed() {
    let script = Script::ok(TOKENS);
    let endpoints = Endpoints::access_token_only("http://localhost/oauth1/token").unwrap();
    let flow = Flow::new("client", "secret", endpoints, script.service());
    assert_eq!(kind(flow.fetch_request_token().await), ErrorKind::MissingEndpoint);
    assert_eq!(kind(flow.authorization_url(&request_token("a", "b"), &[])), ErrorKind::MissingEndpoint);
    assert!(flow.fetch_access_token_with_xauth("bob", "password").await.is_ok());
}

#[tokio::test]
async fn a_request_that_cannot_be_signed_is_not_sent() {
    struct Broken;
    impl SignatureMethod for Broken {
        fn name(&self) -> &str {
            "BROKEN"
        }
        fn key(&self, _: &SharedSecrets<'_>) -> SigningKey {
            SigningKey::new(|_: &Message<'_>, _| Err("no key".into()))
        }
    }
    let script = Script::new([]);
    let flow = flow_with(&script);
    let error = flow.clone().signature_method(Broken).fetch_request_token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Signature);
    assert_eq!(error.endpoint(), Some("http://localhost/oauth1/initiate"));

    let long = flow.http_method(Step::RequestToken, Method::GET);
    let long = long.parameter(Step::RequestToken, "scope", "x".repeat(70_000)).unwrap();
    assert_eq!(kind(long.fetch_request_token().await), ErrorKind::Signature);

    let endpoints = Endpoints::access_token_only("http://localhost/token?oauth_token=mine").unwrap();
    let flow = Flow::new("client", "secret", endpoints, script.service());
    let error = flow.fetch_access_token_with_xauth("a", "b").await;
    assert_eq!(kind(error), ErrorKind::ProtocolParameterPresent);
    assert!(script.seen().is_empty());
}

#[tokio::test]
async fn nothing_secret_is_printed() {
    let script =
        Script::ok("oauth_token=hush-t&oauth_token_secret=hush-s&oauth_session_handle=hush-h&email=hush-e");
    let flow = Flow::new("client", "hush-client", super::endpoints(), script.service())
        .parameter(Step::RequestToken, "scope", "hush-scope")
        .unwrap();
    let login = request_token("hush-token", "hush-secret");
    let response = flow
        .parse_authorization_response(&login, "/?oauth_token=hush-token&oauth_verifier=hush-v&user=hush-u")
        .unwrap();
    let token = flow.fetch_access_token(&login, &response).await.unwrap();
    let verifiers = [Verifier::from("hush-pin"), Verifier::from(&response)];
    let printed = format!("{flow:?} {login:?} {response:?} {verifiers:?} {token:?}");
    assert!(!printed.contains("hush"), "{printed}");
    // What helps is there all the same.
    for name in ["client", "scope", "email", "user", "oauth1/initiate"] {
        assert!(printed.contains(name), "{name}: {printed}");
    }

    let unreadable = AccessToken::from_json(r#"{"version":1,"token":{"hush":1}}"#).unwrap_err();
    assert!(!format!("{unreadable} {unreadable:?}").contains("hush"));
}
