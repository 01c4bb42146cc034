//! Asking what a token is worth (RFC 7662). How answers are read is tested beside the parser.

use tower_oauth::ClientAuth;
use tower_oauth::Error;
use tower_oauth::ErrorKind;
use tower_oauth::Secret;
use tower_oauth::endpoint::Introspection;
use tower_oauth::endpoint::IntrospectionEndpoint;

use crate::Server;

const URL: &str = "https://auth.test/introspect";
const JSON: &[(&str, &str)] = &[("content-type", "application/json")];

async fn introspect(server: &Server) -> Result<Introspection, Error> {
    let auth = ClientAuth::post("id", "hush-secret");
    let endpoint = IntrospectionEndpoint::new(URL, auth, server.clone()).unwrap();
    endpoint.introspect(&Secret::new("hush-token")).await
}

#[tokio::test]
async fn the_token_is_asked_about_and_the_answer_is_typed() {
    let server =
        Server::always(200, JSON, r#"{"active":true,"sub":"alice","aud":"api","scope":"read write"}"#);
    let answer = introspect(&server).await.unwrap();
    assert!(answer.is_active());
    assert_eq!((answer.subject(), answer.audiences().collect()), (Some("alice"), vec!["api"]));
    assert_eq!(answer.scope().collect::<Vec<_>>(), ["read", "write"]);

    let (head, body) = server.only();
    assert_eq!(head.headers["accept"], "application/json");
    let mut pairs: Vec<_> = body.split('&').map(str::to_owned).collect();
    pairs.sort();
    assert_eq!(pairs, ["client_id=id", "client_secret=hush-secret", "token=hush-token"]);
}

#[tokio::test]
async fn a_token_that_is_not_active_is_no_error() {
    let answer = introspect(&Server::always(200, JSON, r#"{"active":false}"#)).await.unwrap();
    assert!(!answer.is_active());
}

#[tokio::test]
async fn an_answer_that_is_a_signed_jwt_is_refused_with_its_name() {
    for media_type in ["application/token-introspection+jwt", "Application/JWT; charset=utf-8"] {
        let server = Server::new(move |_| crate::answer(200, &[("content-type", media_type)], "eyJ.hush.x"));
        let error = introspect(&server).await.unwrap_err();
        assert_eq!((error.kind(), error.endpoint()), (ErrorKind::UnusableResponse, Some(URL)));
        assert!(error.to_string().contains("RFC 9701") && !error.to_string().contains("hush"), "{error}");
    }
}

#[tokio::test]
async fn an_answer_that_is_not_clear_is_refused_and_not_shown() {
    for body in ["", "{}", "[]", "hush", r#"{"active":"true","hush":1}"#, r#"{"active":true,"sub":["hush"]}"#]
    {
        let error = introspect(&Server::always(200, JSON, body)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnusableResponse, "{body}");
        assert!(!format!("{error} {error:?}").contains("hush"), "{error}");
    }
}

#[tokio::test]
async fn a_client_that_is_refused_is_told_so_without_its_secrets() {
    let said = r#"{"error":"invalid_client","error_description":"hush-secret for hush-token"}"#;
    let error = introspect(&Server::always(401, JSON, said)).await.unwrap_err();
    assert_eq!((error.kind(), error.endpoint()), (ErrorKind::Refused, Some(URL)));
    assert!(!format!("{error} {error:?}").contains("hush"), "{error}");
}
