//! Registering clients (RFC 7591), and looking after them (RFC 7592).

use bytes::Bytes;
use http::Request;
use serde_json::Value;
use serde_json::json;
use tower_oauth::ErrorKind;
use tower_oauth::Secret;
use tower_oauth::endpoint::ClientMetadata;
use tower_oauth::endpoint::Registration;
use tower_oauth::endpoint::RegistrationEndpoint;

use crate::Server;
use crate::answer;
use crate::json;

const URL: &str = "https://auth.test/register";
const CLIENT_URL: &str = "https://auth.test/register/abc";

fn registered() -> Value {
    json!({
        "client_id": "abc", "client_secret": "hush-secret", "client_secret_expires_at": 0,
        "registration_access_token": "hush-access", "registration_client_uri": CLIENT_URL,
        "grant_types": ["client_credentials"]
    })
}

/// Registers, answers what is asked about `abc`, and forgets it.
fn server() -> Server {
    Server::new(|request: &Request<Bytes>| match request.method().as_str() {
        "POST" => answer(201, &[("content-type", "application/json")], registered().to_string()),
        "DELETE" => answer(204, &[], ""),
        "PUT" => json(&json!({"client_id": "abc", "registration_access_token": "hush-renewed"})),
        _ => json(&registered()),
    })
}

fn endpoint(server: &Server) -> RegistrationEndpoint {
    RegistrationEndpoint::new(URL, server.clone()).unwrap()
}

fn metadata() -> ClientMetadata {
    ClientMetadata::new().grant_type("client_credentials").client_name("Orders")
}

fn kept(uri: &str) -> Registration {
    let mut fields = registered();
    fields["registration_client_uri"] = uri.into();
    Registration::from_json(&Secret::new(fields.to_string())).unwrap()
}

fn body(request: &Request<Bytes>) -> Value {
    serde_json::from_slice(request.body()).unwrap()
}

#[tokio::test]
async fn a_client_is_registered_with_what_it_says_of_itself() {
    let server = server();
    let metadata = metadata().redirect_uri("https://a.test/1").redirect_uri("https://a.test/2");
    let client = endpoint(&server).register(&metadata).await.unwrap();
    assert_eq!(client.client_id(), "abc");
    assert_eq!(client.client_secret().map(Secret::expose), Some("hush-secret"));
    assert_eq!(client.client_secret_expires_at(), None);

    let request = &server.seen()[0];
    assert_eq!((request.method().as_str(), request.uri().to_string().as_str()), ("POST", URL));
    assert_eq!(request.headers()["content-type"], "application/json");
    assert!(!request.headers().contains_key("authorization"));
    assert_eq!(
        body(request),
        json!({
            "grant_types": ["client_credentials"], "client_name": "Orders",
            "redirect_uris": ["https://a.test/1", "https://a.test/2"]
        })
    );
}

#[tokio::test]
async fn an_initial_access_token_and_a_software_statement_are_sent_where_they_belong() {
    let server = server();
    let endpoint = endpoint(&server).initial_access_token("hush-initial");
    endpoint.register(&metadata().software_statement("hush.statement")).await.unwrap();
    let request = &server.seen()[0];
    assert_eq!(request.headers()["authorization"], "Bearer hush-initial");
    assert!(request.headers()["authorization"].is_sensitive());
    assert_eq!(body(request)["software_statement"], "hush.statement");
    assert!(!format!("{endpoint:?}").contains("hush"));
}

#[tokio::test]
async fn a_registration_is_read_changed_and_ended_with_its_own_token() {
    let server = server();
    let endpoint = endpoint(&server);
    let client = endpoint.read(&kept(CLIENT_URL)).await.unwrap();
    let changed = endpoint.update(&client, &client.metadata().clone().client_name("New")).await.unwrap();
    assert_eq!(changed.registration_access_token().map(Secret::expose), Some("hush-renewed"));
    assert_eq!(changed.registration_client_uri(), Some(CLIENT_URL));
    endpoint.delete(&changed).await.unwrap();

    let seen = server.seen();
    let told = |request: &Request<Bytes>| {
        let token = request.headers()["authorization"].to_str().unwrap().to_owned();
        (request.method().to_string(), request.uri().to_string(), token)
    };
    let expected =
        |method: &str, token: &str| (method.to_owned(), CLIENT_URL.to_owned(), format!("Bearer {token}"));
    assert_eq!(told(&seen[0]), expected("GET", "hush-access"));
    assert_eq!(told(&seen[1]), expected("PUT", "hush-access"));
    assert_eq!(told(&seen[2]), expected("DELETE", "hush-renewed"));
    assert_eq!(
        body(&seen[1]),
        json!({
            "client_id": "abc", "client_secret": "hush-secret", "grant_types": ["client_credentials"],
            "client_name": "New"
        })
    );
}

#[tokio::test]
async fn the_token_of_a_registration_follows_no_pointer_to_another_host() {
    for (uri, kind) in [
        ("https://evil.test/register/abc", ErrorKind::ForeignEndpoint),
        ("http://auth.test/register/abc", ErrorKind::ForeignEndpoint),
        ("https://auth.test:8443/register/abc", ErrorKind::ForeignEndpoint),
        ("/register/abc", ErrorKind::UnusableResponse),
    ] {
        let server = server();
        let endpoint = endpoint(&server);
        let client = kept(uri);
        assert_eq!(endpoint.read(&client).await.unwrap_err().kind(), kind, "{uri}");
        assert_eq!(endpoint.update(&client, &metadata()).await.unwrap_err().kind(), kind);
        assert_eq!(endpoint.delete(&client).await.unwrap_err().kind(), kind);
        assert!(server.seen().is_empty());
    }
}

#[tokio::test]
async fn what_a_server_does_not_look_after_cannot_be_read() {
    let client = Registration::from_json(&Secret::new(r#"{"client_id":"abc"}"#)).unwrap();
    let error = endpoint(&server()).read(&client).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MissingEndpoint);
}

#[tokio::test]
async fn a_refusal_has_the_servers_words_without_what_was_sent() {
    for code in [
        "invalid_redirect_uri",
        "invalid_client_metadata",
        "invalid_software_statement",
        "unapproved_software_statement",
    ] {
        let said = json!({"error": code, "error_description": "hush-initial, hush.statement, hush-access, hush-secret"});
        let server = Server::new(move |_| answer(400, &[], said.to_string()));
        let endpoint = endpoint(&server).initial_access_token("hush-initial");
        let error = endpoint.register(&metadata().software_statement("hush.statement")).await.unwrap_err();
        assert_eq!((error.kind(), error.endpoint()), (ErrorKind::Refused, Some(URL)));
        assert_eq!(error.server().map(|server| server.code()), Some(code));
        assert!(
            !error.to_string().contains("hush-initial") && !error.to_string().contains("hush.statement"),
            "{error}"
        );

        let error = endpoint.delete(&kept(CLIENT_URL)).await.unwrap_err();
        assert_eq!(error.endpoint(), Some(CLIENT_URL));
        assert!(
            !error.to_string().contains("hush-access") && !error.to_string().contains("hush-secret"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn an_answer_without_a_client_is_refused_and_not_shown() {
    for body in ["", "{}", "[]", "hush", r#"{"client_id":"","client_secret":"hush"}"#] {
        let error = endpoint(&Server::always(201, &[], body)).register(&metadata()).await.unwrap_err();
        assert_eq!((error.kind(), error.endpoint()), (ErrorKind::UnusableResponse, Some(URL)), "{body}");
        assert!(!format!("{error} {error:?}").contains("hush"), "{error}");
    }
}
