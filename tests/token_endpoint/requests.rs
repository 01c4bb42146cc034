//! What is sent to a token endpoint, and where to.

use http::header::ACCEPT;
use http::header::AUTHORIZATION;
use http::header::CONTENT_TYPE;
use tower_oauth::ClientAuth;
use tower_oauth::ClientCredentials;
use tower_oauth::ErrorKind;
use tower_oauth::endpoint::TokenEndpoint;
use tower_oauth::grant::RefreshToken;
use tower_oauth::token::AccessScope;

use crate::Endpoint;
use crate::Managed;
use crate::URL;
use crate::key;

const GOOD: &str = r#"{"access_token":"good","token_type":"bearer","expires_in":3600}"#;

#[tokio::test(start_paused = true)]
async fn client_credentials_are_asked_for_as_rfc_6749_section_4_4_2_says() {
    let endpoint = Endpoint::says(200, GOOD);
    let managed = Managed::new(endpoint.client_credentials());
    assert_eq!(managed.token().await.unwrap(), "good");
    let seen = endpoint.last();
    assert_eq!(seen.form, "grant_type=client_credentials");
    assert_eq!(seen.headers[CONTENT_TYPE], "application/x-www-form-urlencoded");
    assert_eq!(seen.headers[ACCEPT], "application/json");
    // `id:s3cret`
    assert_eq!(seen.headers[AUTHORIZATION], "Basic aWQ6czNjcmV0");
    assert!(seen.headers[AUTHORIZATION].is_sensitive());
    assert_eq!(seen.uri, URL);
}

#[tokio::test(start_paused = true)]
async fn scope_resource_and_parameters_go_into_the_form() {
    let endpoint = Endpoint::says(200, GOOD);
    let grant = endpoint
        .client_credentials()
        .scope("orders:write orders:read")
        .resource("https://api.test/")
        .parameter("audience", "a b&c");
    let managed = Managed::new(grant);
    managed.token().await.unwrap();
    assert_eq!(
        endpoint.last().form,
        "grant_type=client_credentials&scope=orders%3Aread+orders%3Awrite\
         &resource=https%3A%2F%2Fapi.test%2F&audience=a+b%26c"
    );
    let asked = AccessScope::new().scope("bills");
    managed.manager.token_for(&key(), &asked).await.unwrap();
    assert_eq!(endpoint.last().form, "grant_type=client_credentials&scope=bills&audience=a+b%26c");
}

#[tokio::test(start_paused = true)]
async fn a_client_proves_itself_in_the_way_that_was_chosen_and_in_no_other() {
    for (auth, form, header) in [
        (ClientAuth::post("id", "s&t"), "&client_id=id&client_secret=s%26t", None),
        (ClientAuth::none("id"), "&client_id=id", None),
        (ClientAuth::basic("i:d", "s%t"), "", Some("Basic aSUzQWQ6cyUyNXQ=")),
        (ClientAuth::basic_raw("id", "s%t"), "", Some("Basic aWQ6cyV0")),
    ] {
        let endpoint = Endpoint::says(200, GOOD);
        let grant = ClientCredentials::new(URL, auth, endpoint.http()).unwrap();
        Managed::new(grant).token().await.unwrap();
        let seen = endpoint.last();
        assert_eq!(seen.form, format!("grant_type=client_credentials{form}"));
        assert_eq!(seen.headers.get(AUTHORIZATION).map(|value| value.to_str().unwrap()), header);
    }
}

#[tokio::test(start_paused = true)]
async fn a_refresh_token_is_sent_once_and_its_successor_the_next_time() {
    let endpoint = Endpoint::says(200, r#"{"access_token":"one","expires_in":3600,"refresh_token":"r2"}"#);
    let managed = Managed::logged_in(endpoint.refresh_token()).await;
    assert_eq!(managed.refresh().await.unwrap(), "one");
    assert_eq!(endpoint.last().form, "grant_type=refresh_token&refresh_token=s3cret-refresh");
    // Left out: it stays the same (RFC 6749 §6).
    endpoint.now_says(200, r#"{"access_token":"two","expires_in":3600}"#);
    assert_eq!(managed.refresh().await.unwrap(), "two");
    assert_eq!(endpoint.last().form, "grant_type=refresh_token&refresh_token=r2");
    let scope = AccessScope::new().scope("bills").resource("urn:bills");
    managed.manager.token_for(&key(), &scope).await.unwrap();
    assert_eq!(
        endpoint.last().form,
        "grant_type=refresh_token&refresh_token=r2&scope=bills&resource=urn%3Abills"
    );
}

#[tokio::test(start_paused = true)]
async fn without_a_refresh_token_nothing_is_sent() {
    let endpoint = Endpoint::says(200, GOOD);
    let managed = Managed::new(endpoint.refresh_token());
    assert_eq!(managed.token().await.unwrap_err().kind(), ErrorKind::NoToken);
    let managed = Managed::new(endpoint.refresh_token());
    managed.manager.put(&key(), tower_oauth::Token::new("only")).await.unwrap();
    assert_eq!(managed.token().await.unwrap(), "only");
    let error = managed.refresh().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ReauthorizationRequired);
    assert!(error.to_string().contains("no refresh token"), "{error}");
    assert_eq!(endpoint.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn plain_http_is_refused_except_to_this_machine() {
    for (url, is_allowed) in [
        ("http://auth.test/token", false),
        ("http://localhost.auth.test/", false),
        ("http://127.0.0.1.auth.test/", false),
        ("http://192.168.0.1/token", false),
        ("http://localhost:8080/token", true),
        ("http://127.0.0.1/token", true),
        ("http://[::1]:8080/token", true),
        ("https://auth.test/token", true),
    ] {
        let endpoint = Endpoint::says(200, GOOD);
        let at = TokenEndpoint::new(url, ClientAuth::none("id"), endpoint.http()).unwrap();
        let managed = Managed::new(ClientCredentials::at(at.clone()));
        let kind = managed.token().await.map_err(|error| error.kind());
        assert_eq!(
            kind,
            if is_allowed { Ok("good".to_owned()) } else { Err(ErrorKind::InsecureScheme) },
            "{url}"
        );
        assert_eq!(endpoint.count(), usize::from(is_allowed), "{url}");
        let managed = Managed::new(ClientCredentials::at(at.dangerously_allow_http()));
        assert_eq!(managed.token().await.unwrap(), "good");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_a_url_is_refused_when_the_grant_is_built_and_shows_no_password() {
    let http = Endpoint::says(200, GOOD).http();
    for url in [
        "",
        "/token",
        "auth.test/token",
        "ftp://auth.test/token",
        "ftp://id:hush@auth.test/token",
        "https://id:hush@auth.test/token",
        "https://id:hu sh@auth.test/?hush",
        "https://auth.test/to ken?key=hush",
        "https:///token",
    ] {
        let auth = ClientAuth::none("id");
        let error =
            RefreshToken::new(url, auth, http.clone()).err().unwrap_or_else(|| panic!("{url} was taken"));
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("hu"), "{shown}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_query_is_sent_and_not_shown() {
    let endpoint = Endpoint::says(500, "");
    let url = "https://auth.test/token?tenant=s3cret-tenant";
    let grant = ClientCredentials::new(url, ClientAuth::none("id"), endpoint.http()).unwrap();
    assert!(!format!("{grant:?}").contains("s3cret"));
    let error = Managed::new(grant).token().await.unwrap_err();
    assert_eq!(error.endpoint(), Some("https://auth.test/token"));
    assert!(!crate::shown(&error).contains("s3cret"));
    assert_eq!(endpoint.last().uri, url);
}

#[test]
fn grants_show_no_secret() {
    let endpoint = Endpoint::says(200, GOOD);
    let shown = format!(
        "{:?} {:?} {:?}",
        endpoint.client_credentials(),
        endpoint.refresh_token(),
        tower_oauth::grant::StaticToken::new("s3cret")
    );
    assert!(!shown.contains("s3cret") && !shown.contains("czNjcmV0"), "{shown}");
}
