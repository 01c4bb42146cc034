//! A client from its registration to its end (RFC 7591, RFC 7592).

use serde_json::json;
use tower_oauth::ClientAuth;
use tower_oauth::ClientCredentials;
use tower_oauth::Error;
use tower_oauth::ErrorKind;
use tower_oauth::Token;
use tower_oauth::TokenKey;
use tower_oauth::TokenManager;
use tower_oauth::endpoint::ClientMetadata;
use tower_oauth::endpoint::Registration;
use tower_oauth::endpoint::RegistrationEndpoint;
use tower_oauth_peers::oidc_provider::INITIAL_ACCESS_TOKEN;
use tower_oauth_peers::passed::passed;

use crate::code;
use crate::known;

async fn endpoint() -> RegistrationEndpoint {
    known(ClientAuth::none("nobody yet"), None)
        .await
        .registration_endpoint()
        .expect("a registration endpoint")
}

fn machine() -> ClientMetadata {
    ClientMetadata::new()
        .client_name("Orders")
        .grant_type("client_credentials")
        .with("redirect_uris", json!([]))
        .with("response_types", json!([]))
}

async fn token(client: &Registration) -> Result<Token, Error> {
    let secret = client.client_secret().expect("a secret").clone();
    let auth = ClientAuth::basic(client.client_id(), secret);
    let server = known(auth, None).await;
    let grant = ClientCredentials::at(server.token_endpoint().expect("a token endpoint"));
    TokenManager::builder(grant).build().token(&TokenKey::default()).await
}

#[tokio::test]
async fn a_client_is_registered_used_read_changed_and_ended() {
    let endpoint = endpoint().await.initial_access_token(INITIAL_ACCESS_TOKEN);
    let client = endpoint.register(&machine()).await.expect("a client");
    assert_eq!(client.token_endpoint_auth_method(), "client_secret_basic");
    assert!(client.client_id_issued_at().is_some());
    assert_eq!(client.client_secret_expires_at(), None);
    token(&client).await.expect("a token for the new client");

    // As after a restart.
    let client = Registration::from_json(&client.to_json()).expect("what was kept");
    let read = endpoint.read(&client).await.expect("the client");
    assert_eq!(read.client_id(), client.client_id());
    assert_eq!(read.metadata().field("client_name"), Some(&json!("Orders")));

    let changed = read.metadata().clone().client_name("Shipments");
    let changed = endpoint.update(&read, &changed).await.expect("the changed client");
    assert_eq!(changed.metadata().field("client_name"), Some(&json!("Shipments")));
    assert_ne!(
        changed.registration_access_token(),
        read.registration_access_token(),
        "the server rotates it"
    );
    let error = endpoint.read(&read).await.expect_err("the old token is spent");
    assert_eq!(code(&error), "invalid_token");
    token(&changed).await.expect("a token for the changed client");

    endpoint.delete(&changed).await.expect("an end");
    assert_eq!(code(&token(&changed).await.expect_err("a refusal")), "invalid_client");
    passed("client_credentials", "client_secret_basic, registered dynamically", "oidc-provider");
}

#[tokio::test]
async fn nobody_registers_without_the_initial_access_token() {
    let endpoint = endpoint().await;
    let error = endpoint.register(&machine()).await.expect_err("a refusal");
    assert_eq!(error.kind(), ErrorKind::Refused);
    let error =
        endpoint.initial_access_token("wrong-initial").register(&machine()).await.expect_err("a refusal");
    assert_eq!((error.kind(), code(&error)), (ErrorKind::Refused, "invalid_token"));
    assert!(!format!("{error} {error:?}").contains("wrong-initial"));
}

#[tokio::test]
async fn metadata_that_makes_no_sense_is_refused_with_the_servers_code() {
    let endpoint = endpoint().await.initial_access_token(INITIAL_ACCESS_TOKEN);
    let metadata = machine().token_endpoint_auth_method("by smiling");
    let error = endpoint.register(&metadata).await.expect_err("a refusal");
    assert_eq!((error.kind(), code(&error)), (ErrorKind::Refused, "invalid_client_metadata"), "{error}");
    let metadata = ClientMetadata::new().redirect_uri("not a URL");
    let error = endpoint.register(&metadata).await.expect_err("a refusal");
    assert_eq!(code(&error), "invalid_redirect_uri", "{error}");
}
