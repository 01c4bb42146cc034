//! Ending tokens at the server (RFC 7009).

use std::time::Duration;

use tower_oauth::ClientAuth;
use tower_oauth::Error;
use tower_oauth::ErrorKind;
use tower_oauth::Secret;
use tower_oauth::endpoint::RevocationEndpoint;
use tower_oauth::endpoint::TokenEndpoint;
use tower_oauth::token::TokenTypeHint;

use crate::Server;

const URL: &str = "https://auth.test/revoke";

fn endpoint(server: &Server) -> RevocationEndpoint {
    RevocationEndpoint::new(URL, ClientAuth::basic("id", "hush-secret"), server.clone()).unwrap()
}

async fn revoke(server: &Server) -> Result<(), Error> {
    endpoint(server).revoke(&Secret::new("hush&token"), TokenTypeHint::RefreshToken).await
}

#[tokio::test]
async fn the_token_its_kind_and_the_clients_proof_are_sent() {
    let server = Server::always(200, &[], "");
    revoke(&server).await.unwrap();
    let (head, body) = server.only();
    assert_eq!((head.method.as_str(), head.uri.to_string().as_str()), ("POST", URL));
    assert_eq!(body, "token=hush%26token&token_type_hint=refresh_token");
    assert_eq!(head.headers["authorization"], "Basic aWQ6aHVzaC1zZWNyZXQ=");
    assert!(head.headers["authorization"].is_sensitive());
}

#[tokio::test]
async fn an_endpoint_beside_the_token_endpoint_is_for_the_same_client() {
    let server = Server::always(200, &[], "");
    let tokens =
        TokenEndpoint::new("https://auth.test/token", ClientAuth::none("id"), server.clone()).unwrap();
    let endpoint = RevocationEndpoint::beside(&tokens, URL).unwrap();
    endpoint.revoke(&Secret::new("t"), TokenTypeHint::AccessToken).await.unwrap();
    let mut pairs: Vec<_> = server.only().1.split('&').map(str::to_owned).collect();
    pairs.sort();
    assert_eq!(pairs, ["client_id=id", "token=t", "token_type_hint=access_token"]);
}

#[tokio::test]
async fn any_success_means_that_the_token_has_ended_known_or_not() {
    for body in ["", "{}", r#"{"revoked":true}"#, "<html>bye</html>"] {
        revoke(&Server::always(200, &[], body)).await.unwrap();
    }
    revoke(&Server::always(204, &[], "")).await.unwrap();
}

#[tokio::test]
async fn an_error_is_an_error_at_any_status() {
    let error = revoke(&Server::always(200, &[], r#"{"error":"invalid_request"}"#)).await.unwrap_err();
    assert_eq!((error.kind(), error.endpoint()), (ErrorKind::Refused, Some(URL)));
}

#[tokio::test]
async fn a_kind_of_token_that_cannot_be_ended_is_an_error_of_its_own() {
    let error = revoke(&Server::always(400, &[], r#"{"error":"unsupported_token_type"}"#)).await.unwrap_err();
    assert_eq!((error.kind(), error.endpoint()), (ErrorKind::UnsupportedTokenType, Some(URL)));
    assert_eq!(error.server().map(|server| server.code()), Some("unsupported_token_type"));
    assert!(!error.is_transient());
}

#[tokio::test]
async fn a_client_that_is_refused_is_told_so_without_its_secrets() {
    let said =
        r#"{"error":"invalid_client","error_description":"no hush-secret, no hush%26token, no hush&token"}"#;
    let error = revoke(&Server::always(401, &[], said)).await.unwrap_err();
    assert_eq!((error.kind(), error.status().map(|status| status.as_u16())), (ErrorKind::Refused, Some(401)));
    assert!(error.is_configuration());
    let text = format!("{error} {error:?} {:?}", endpoint(&Server::always(200, &[], "")));
    assert!(!text.contains("hush"), "{text}");
}

#[tokio::test]
async fn a_server_that_is_busy_says_when_to_come_again() {
    let error = revoke(&Server::always(503, &[("retry-after", "7")], "")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedStatus);
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
    assert!(error.is_transient());
}

#[tokio::test]
async fn tokens_go_neither_over_plain_http_nor_after_redirects() {
    let server = Server::always(307, &[("location", "https://evil.test/")], "");
    assert_eq!(revoke(&server).await.unwrap_err().kind(), ErrorKind::Redirected);
    assert_eq!(server.urls(), [URL]);

    let server = Server::always(200, &[], "");
    let plain = "http://auth.test/revoke";
    let endpoint = RevocationEndpoint::new(plain, ClientAuth::none("id"), server.clone()).unwrap();
    let revoke = |endpoint: RevocationEndpoint| async move {
        endpoint.revoke(&Secret::new("t"), TokenTypeHint::AccessToken).await
    };
    assert_eq!(revoke(endpoint.clone()).await.unwrap_err().kind(), ErrorKind::InsecureScheme);
    assert!(server.seen().is_empty());
    revoke(endpoint.dangerously_allow_http()).await.unwrap();
}
