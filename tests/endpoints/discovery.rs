//! What an issuer says of itself is looked for where it may be, and believed only when it is right.

use serde_json::Value;
use serde_json::json;
use tower_oauth::ConfigError;
use tower_oauth::Error;
use tower_oauth::ErrorKind;
use tower_oauth::Origins;
use tower_oauth::endpoint::Discovery;
use tower_oauth::endpoint::ServerMetadata;
use tower_oauth::endpoint::WellKnown;

use crate::Server;
use crate::answer;
use crate::json;
use crate::not_found;

const ISSUER: &str = "https://auth.test/tenant";
const OAUTH: &str = "https://auth.test/.well-known/oauth-authorization-server/tenant";
const OPENID: &str = "https://auth.test/tenant/.well-known/openid-configuration";
const INSERTED: &str = "https://auth.test/.well-known/openid-configuration/tenant";

fn document() -> Value {
    json!({"issuer": ISSUER, "token_endpoint": "https://auth.test/tenant/token"})
}

/// A server that has a document at one place.
fn having(place: &'static str, document: Value) -> Server {
    Server::new(move |request| if request.uri() == place { json(&document) } else { not_found() })
}

fn discovery(server: &Server) -> Discovery {
    Discovery::new(ISSUER, server.clone()).unwrap()
}

/// What comes of a document at the first place.
async fn discover(document: Value) -> Result<ServerMetadata, Error> {
    discovery(&having(OAUTH, document)).discover().await
}

#[tokio::test]
async fn every_well_known_place_is_looked_at_until_there_is_a_document() {
    for (place, expected) in
        [(OAUTH, &[OAUTH][..]), (OPENID, &[OAUTH, OPENID]), (INSERTED, &[OAUTH, OPENID, INSERTED])]
    {
        let server = having(place, document());
        let metadata = discovery(&server).discover().await.unwrap();
        assert_eq!(metadata.token_endpoint(), Some("https://auth.test/tenant/token"));
        assert_eq!(server.urls(), expected);
        let request = &server.seen()[0];
        assert_eq!(
            (request.method().as_str(), &request.headers()["accept"]),
            ("GET", &"application/json".parse().unwrap())
        );
        assert!(request.body().is_empty() && !request.headers().contains_key("authorization"));
    }
}

#[tokio::test]
async fn without_a_path_there_are_two_places() {
    let server = Server::new(|_| not_found());
    let discovery = Discovery::new("https://auth.test/", server.clone()).unwrap();
    discovery.discover().await.unwrap_err();
    assert_eq!(
        server.urls(),
        [
            "https://auth.test/.well-known/oauth-authorization-server",
            "https://auth.test/.well-known/openid-configuration"
        ]
    );
}

#[tokio::test]
async fn the_places_and_their_order_can_be_chosen() {
    let server = Server::new(|_| not_found());
    let chosen = discovery(&server).well_known([WellKnown::OpenIdInserted, WellKnown::OpenId]);
    let error = chosen.discover().await.unwrap_err();
    assert_eq!(server.urls(), [INSERTED, OPENID]);
    assert_eq!(
        (error.kind(), error.status().map(|status| status.as_u16())),
        (ErrorKind::UnexpectedStatus, Some(404))
    );

    let elsewhere = "https://config.test/a.json?p=x";
    let server = having(elsewhere, document());
    discovery(&server).document_at(elsewhere).unwrap().discover().await.unwrap();
    assert_eq!(server.urls(), [elsewhere]);
}

#[tokio::test]
async fn a_page_or_a_redirect_in_one_place_does_not_hide_the_document_in_the_next() {
    for odd in [
        || answer(200, &[("content-type", "text/html")], "<html>an application of one page</html>"),
        || answer(302, &[("location", "https://evil.test/")], ""),
        || answer(401, &[], ""),
        || answer(200, &[], "[]"),
        || answer(204, &[], ""),
    ] {
        let server =
            Server::new(move |request| if request.uri() == OPENID { json(&document()) } else { odd() });
        discovery(&server).discover().await.unwrap();
        assert_eq!(server.urls(), [OAUTH, OPENID]);
    }
}

#[tokio::test]
async fn of_several_failures_the_one_that_says_more_is_told() {
    let server = Server::new(|request| match request.uri() == OPENID {
        true => answer(200, &[], "not JSON"),
        false => not_found(),
    });
    let error = discovery(&server).discover().await.unwrap_err();
    assert_eq!((error.kind(), error.endpoint()), (ErrorKind::UnusableResponse, Some(OPENID)));
    assert!(!error.to_string().contains("not here"));
}

#[tokio::test]
async fn a_server_that_is_down_is_not_asked_elsewhere() {
    for status in [429, 500, 503] {
        let server = Server::new(move |_| answer(status, &[], ""));
        let error = discovery(&server).discover().await.unwrap_err();
        assert_eq!(server.urls(), [OAUTH]);
        assert!(error.is_transient());
    }
}

#[tokio::test]
async fn no_redirect_is_followed() {
    let server = Server::new(|_| answer(307, &[("location", "https://evil.test/")], document().to_string()));
    let error = discovery(&server).discover().await.unwrap_err();
    assert_eq!((error.kind(), error.endpoint()), (ErrorKind::Redirected, Some(OAUTH)));
    assert!(server.urls().iter().all(|url| url.starts_with("https://auth.test/")));
}

#[tokio::test]
async fn the_issuer_has_to_be_the_one_that_was_asked_for_byte_by_byte() {
    for other in [
        "https://evil.test",
        "https://auth.test",
        "https://auth.test/tenant/",
        "https://auth.test/Tenant",
        "https://auth.test:443/tenant",
        "HTTPS://auth.test/tenant",
        "https://auth.test/tenant\u{0}\n",
        "",
    ] {
        let mut document = document();
        document["issuer"] = other.into();
        let error = discover(document).await.unwrap_err();
        assert_eq!((error.kind(), error.endpoint()), (ErrorKind::IssuerMismatch, Some(OAUTH)), "{other}");
        assert!(!error.to_string().contains(char::is_control));
    }
    let server = having(OPENID, document());
    let with_slash = Discovery::new("https://auth.test/tenant/", server).unwrap();
    assert_eq!(with_slash.discover().await.unwrap_err().kind(), ErrorKind::IssuerMismatch);
}

#[tokio::test]
async fn an_issuer_that_is_known_to_differ_can_be_named() {
    let mut document = document();
    document["issuer"] = "https://auth.test/{tenantid}".into();
    let server = having(OAUTH, document);
    let named = discovery(&server).expected_issuer("https://auth.test/{tenantid}");
    assert_eq!(named.discover().await.unwrap().issuer(), "https://auth.test/{tenantid}");
    let other = discovery(&server).expected_issuer("https://auth.test/{tenant}");
    assert_eq!(other.discover().await.unwrap_err().kind(), ErrorKind::IssuerMismatch);
}

#[tokio::test]
async fn endpoints_are_where_the_issuer_is_or_where_the_caller_says() {
    let mut document = document();
    document["revocation_endpoint"] = "https://tokens.test/revoke".into();
    let server = having(OAUTH, document);
    let error = discovery(&server).discover().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ForeignEndpoint);
    let text = error.to_string();
    assert!(
        text.contains("`revocation_endpoint` is at https://tokens.test")
            && text.contains("endpoints_also_at")
    );
    assert!(!error.is_transient());

    for allowed in [
        Origins::one("https://tokens.test").unwrap(),
        Origins::predicate(|origin| origin.host().ends_with(".test")),
        Origins::dangerously_any(),
    ] {
        let metadata = discovery(&server).endpoints_also_at(allowed).discover().await.unwrap();
        assert_eq!(metadata.revocation_endpoint(), Some("https://tokens.test/revoke"));
    }
    let elsewhere = Origins::one("https://other.test").unwrap();
    let error = discovery(&server).endpoints_also_at(elsewhere).discover().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ForeignEndpoint);
}

#[tokio::test]
async fn endpoints_are_held_to_https_even_on_this_machine() {
    for url in ["http://auth.test/token", "http://localhost/token", "http://127.0.0.1:8080/token"] {
        let mut document = document();
        document["token_endpoint"] = url.into();
        let server = having(OAUTH, document);
        let anywhere = discovery(&server).endpoints_also_at(Origins::dangerously_any());
        let error = anywhere.clone().discover().await.unwrap_err();
        assert_eq!((error.kind(), error.endpoint()), (ErrorKind::InsecureScheme, Some(url)));
        anywhere.dangerously_allow_http().discover().await.unwrap();
    }
}

#[tokio::test]
async fn an_issuer_on_this_machine_may_be_plain_http() {
    let issuer = "http://localhost:8080";
    let document = json!({"issuer": issuer, "token_endpoint": "http://localhost:8080/token"});
    let server = Server::new(move |_| json(&document));
    Discovery::new(issuer, server.clone()).unwrap().discover().await.unwrap();

    let error = Discovery::new("http://auth.test", server.clone()).unwrap().discover().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InsecureScheme);
    assert_eq!(server.urls().len(), 1, "nothing is sent over plain http");
}

#[tokio::test]
async fn a_document_has_a_largest_size() {
    let server = having(OAUTH, document());
    let error = discovery(&server).response_limit(16).discover().await.unwrap_err();
    assert_eq!((error.kind(), error.endpoint()), (ErrorKind::ResponseTooLarge, Some(OAUTH)));
}

#[test]
fn what_is_no_issuer_is_refused_before_anything_is_sent() {
    for issuer in ["auth.test", "https://auth.test?a=b", "https://auth.test/.well-known/openid-configuration"]
    {
        let error = Discovery::new(issuer, Server::new(|_| not_found())).unwrap_err();
        assert!(matches!(error, ConfigError::InvalidIssuer { .. }), "{issuer}");
    }
}
