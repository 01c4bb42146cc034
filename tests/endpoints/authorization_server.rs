//! Endpoints as the metadata of a server describes them.

use serde_json::json;
use tower_oauth::ClientAuth;
use tower_oauth::ConfigError;
use tower_oauth::Secret;
use tower_oauth::endpoint::AuthorizationServer;
use tower_oauth::endpoint::ClientMetadata;
use tower_oauth::endpoint::ServerMetadata;
use tower_oauth::token::TokenTypeHint;

use crate::Server;

fn metadata() -> ServerMetadata {
    ServerMetadata::new("https://auth.test")
        .with("token_endpoint", "https://auth.test/token")
        .with("token_endpoint_auth_methods_supported", json!(["client_secret_basic", "tls_client_auth"]))
        .with("revocation_endpoint", "https://auth.test/revoke")
        .with("introspection_endpoint", "https://auth.test/introspect")
        .with("registration_endpoint", "https://auth.test/register")
        .with("mtls_endpoint_aliases", json!({"revocation_endpoint": "https://mtls.test/revoke"}))
}

fn known(metadata: ServerMetadata, auth: ClientAuth) -> (AuthorizationServer, Server) {
    let server = Server::always(200, &[], r#"{"active":false,"client_id":"abc"}"#);
    (AuthorizationServer::new(metadata, auth, server.clone()), server)
}

#[tokio::test]
async fn each_endpoint_is_where_the_metadata_says() {
    let (known, server) = known(metadata(), ClientAuth::basic("id", "secret"));
    known.token_endpoint().unwrap();
    known.introspection_endpoint().unwrap().introspect(&Secret::new("t")).await.unwrap();
    known.revocation_endpoint().unwrap().revoke(&Secret::new("t"), TokenTypeHint::AccessToken).await.unwrap();
    known.registration_endpoint().unwrap().register(&ClientMetadata::new()).await.unwrap();
    assert_eq!(
        server.urls(),
        ["https://auth.test/introspect", "https://auth.test/revoke", "https://auth.test/register"]
    );
    // The client's proof is not for the endpoint at which nobody is known yet.
    assert!(!server.seen()[2].headers().contains_key("authorization"));
}

#[tokio::test]
async fn with_mutual_tls_the_aliases_are_called_where_there_are_any() {
    let (known, server) = known(metadata(), ClientAuth::tls("id"));
    known.token_endpoint().unwrap();
    known.introspection_endpoint().unwrap().introspect(&Secret::new("t")).await.unwrap();
    known.revocation_endpoint().unwrap().revoke(&Secret::new("t"), TokenTypeHint::AccessToken).await.unwrap();
    assert_eq!(server.urls(), ["https://auth.test/introspect", "https://mtls.test/revoke"]);
}

#[test]
fn a_way_to_prove_who_one_is_that_is_not_listed_is_refused_at_once() {
    let (known, _) = known(metadata(), ClientAuth::post("id", "secret"));
    let error = known.token_endpoint().unwrap_err();
    let expected = ConfigError::UnsupportedClientAuth {
        endpoint: "https://auth.test/token".to_owned(),
        method: "client_secret_post".to_owned(),
        supported: "client_secret_basic, tls_client_auth".to_owned(),
    };
    assert_eq!(error, expected);
    assert!(error.to_string().contains("client_secret_post"), "{error}");
    // No list is no claim.
    known.revocation_endpoint().unwrap();
}

#[test]
fn public_clients_and_ways_of_ones_own_are_not_held_to_a_list() {
    for auth in [ClientAuth::none("id"), ClientAuth::custom("id", |request| async { Ok(request) })] {
        known(metadata(), auth).0.token_endpoint().unwrap();
    }
}

#[test]
fn an_endpoint_that_the_metadata_does_not_name_is_an_error_with_its_name() {
    let (known, _) = known(ServerMetadata::new("https://auth.test"), ClientAuth::none("id"));
    for (error, name) in [
        (known.token_endpoint().unwrap_err(), "token_endpoint"),
        (known.revocation_endpoint().unwrap_err(), "revocation_endpoint"),
        (known.introspection_endpoint().unwrap_err(), "introspection_endpoint"),
        (known.registration_endpoint().unwrap_err(), "registration_endpoint"),
        (known.device_authorization_endpoint().unwrap_err(), "device_authorization_endpoint"),
        (known.pushed_authorization_request_endpoint().unwrap_err(), "pushed_authorization_request_endpoint"),
    ] {
        assert_eq!(error, ConfigError::MissingEndpoint { name, issuer: "https://auth.test".to_owned() });
        assert!(error.to_string().contains(name));
    }
}
