//! `tower_oauth::client()` against TLS servers and proxies on this machine.

mod servers;

use std::time::Duration;

use http::Request;
use http_body_util::BodyExt;
use tower::BoxError;
use tower::ServiceExt;
use tower_oauth::ClientAuth;
use tower_oauth::ClientCredentials;
use tower_oauth::Error;
use tower_oauth::ErrorKind;
use tower_oauth::TokenKey;
use tower_oauth::TokenManager;
use tower_oauth::adapter::Client;
use tower_oauth::adapter::ClientBuilder;
use tower_oauth::adapter::ClientCertificate;
use tower_oauth::adapter::Proxy;
use tower_oauth::adapter::RequestBody;
use tower_oauth::adapter::RootCertificates;

use crate::servers::CLIENT;
use crate::servers::CLIENT_KEY;
use crate::servers::ConnectProxy;
use crate::servers::OTHER_AUTHORITY;
use crate::servers::TlsServer;
use crate::servers::silent_server;
use crate::servers::trusting_client;

#[tokio::test]
async fn a_server_of_a_root_that_was_added_is_trusted() {
    let server = TlsServer::start("127.0.0.1").await;
    let added = RootCertificates::mozilla().pem(servers::AUTHORITY).unwrap();
    let http = ClientBuilder::new().root_certificates(added).build();
    assert_eq!(get(&http, &server.url("localhost")).await.unwrap(), "no certificate");
    assert_eq!(get(&trusting_client().build(), &server.url("127.0.0.1")).await.unwrap(), "no certificate");
}

#[tokio::test]
async fn a_server_of_an_unknown_authority_is_refused() {
    let server = TlsServer::start("127.0.0.1").await;
    let other = RootCertificates::none().pem(OTHER_AUTHORITY).unwrap();
    let nobody = RootCertificates::none();
    for builder in [
        ClientBuilder::new(),
        ClientBuilder::new().root_certificates(other),
        ClientBuilder::new().root_certificates(nobody),
    ] {
        let error = get(&builder.build(), &server.url("localhost")).await.unwrap_err();
        assert!(chain(&*error).contains("UnknownIssuer"), "{}", chain(&*error));
    }
    assert_eq!(server.requests(), 0);
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let server = TlsServer::start("127.0.0.2").await;
    let error = get(&trusting_client().build(), &server.url("127.0.0.2")).await.unwrap_err();
    assert!(chain(&*error).contains("not valid for name"), "{}", chain(&*error));
    assert_eq!(server.requests(), 0);
}

#[tokio::test]
async fn any_certificate_is_accepted_only_by_the_loudly_named_switch() {
    let server = TlsServer::start("127.0.0.2").await;
    let http = ClientBuilder::new().dangerously_accept_any_certificate().build();
    assert_eq!(get(&http, &server.url("127.0.0.2")).await.unwrap(), "no certificate");
    let again = ClientBuilder::new()
        .dangerously_accept_any_certificate()
        .root_certificates(RootCertificates::mozilla())
        .build();
    assert!(get(&again, &server.url("127.0.0.2")).await.is_err());
}

#[tokio::test]
async fn the_certificate_of_the_client_is_shown_to_a_server_that_asks() {
    let server = TlsServer::start("127.0.0.1").await;
    let certificate = ClientCertificate::from_pem(CLIENT, CLIENT_KEY).unwrap();
    let http = trusting_client().client_certificate(certificate.clone()).build();
    assert_eq!(get(&http, &server.url("localhost")).await.unwrap(), "the certificate of test-client");

    let http =
        ClientBuilder::new().dangerously_accept_any_certificate().client_certificate(certificate).build();
    assert_eq!(get(&http, &server.url("localhost")).await.unwrap(), "the certificate of test-client");
}

#[tokio::test]
async fn tls_goes_to_the_server_inside_the_tunnel_of_a_proxy() {
    let server = TlsServer::start("127.0.0.1").await;
    let proxy = ConnectProxy::start("200 Connection established", server.address()).await;
    let certificate = ClientCertificate::from_pem(CLIENT, CLIENT_KEY).unwrap();
    let http = trusting_client().client_certificate(certificate).proxy(proxy.setting()).build();
    // Nobody but the proxy knows where `auth.test` is.
    assert_eq!(get(&http, "https://auth.test/token").await.unwrap(), "the certificate of test-client");
    assert_eq!(get(&http, "https://auth.test:8443/").await.unwrap(), "the certificate of test-client");
    let heads = proxy.heads();
    assert!(heads[0].starts_with("CONNECT auth.test:443 HTTP/1.1\r\n"), "{heads:?}");
    assert!(heads[1].starts_with("CONNECT auth.test:8443 HTTP/1.1\r\n"), "{heads:?}");
    assert!(!heads[0].to_ascii_lowercase().contains("authorization"), "{heads:?}");
}

#[tokio::test]
async fn the_proxy_gets_its_credentials_and_the_server_does_not() {
    let server = TlsServer::start("127.0.0.1").await;
    let proxy = ConnectProxy::start("200 OK", server.address()).await;
    let setting = proxy.setting().basic_auth("user", "proxy:password");
    let http = trusting_client().proxy(setting).build();
    get(&http, "https://auth.test/").await.unwrap();
    // `user:proxy:password`
    assert!(proxy.heads()[0].contains("\r\nProxy-Authorization: Basic dXNlcjpwcm94eTpwYXNzd29yZA==\r\n"));
    assert!(!server.last_head().to_ascii_lowercase().contains("authorization"));
}

#[tokio::test]
async fn a_plain_request_goes_through_a_tunnel_to_port_80() {
    let proxy = ConnectProxy::start("503 Service Unavailable", "127.0.0.1:1".parse().unwrap()).await;
    let http = ClientBuilder::new().proxy(proxy.setting()).build();
    get(&http, "http://api.test/x").await.unwrap_err();
    assert!(proxy.heads()[0].starts_with("CONNECT api.test:80 HTTP/1.1\r\n"), "{:?}", proxy.heads());
}

#[tokio::test]
async fn this_machine_and_the_exceptions_are_reached_without_the_proxy() {
    let server = TlsServer::start("127.0.0.1").await;
    let proxy = ConnectProxy::start("200 OK", server.address()).await;
    let http = trusting_client().proxy(proxy.setting()).build();
    assert_eq!(get(&http, &server.url("localhost")).await.unwrap(), "no certificate");
    assert_eq!(get(&http, &server.url("127.0.0.1")).await.unwrap(), "no certificate");
    assert!(proxy.heads().is_empty());

    let http = trusting_client().proxy(proxy.setting().no_proxy([".test"])).build();
    get(&http, "https://auth.test/").await.unwrap_err();
    assert!(proxy.heads().is_empty(), "{:?}", proxy.heads());
}

#[tokio::test]
async fn a_proxy_that_refuses_is_an_error_that_names_it_and_not_its_password() {
    for (status, expected) in [
        ("407 Proxy Authentication Required", "proxy authorization required"),
        ("403 Forbidden", "unsuccessful"),
        ("200 OK", "unexpected end of file"),
    ] {
        // Where the tunnel should end, nobody listens.
        let proxy = ConnectProxy::start(status, "127.0.0.1:1".parse().unwrap()).await;
        let setting = proxy.setting().basic_auth("user", "proxy:password");
        let http = trusting_client().proxy(setting).build();
        let auth = ClientAuth::basic("id", "client secret");
        let grant = ClientCredentials::new("https://auth.test/token", auth, http).unwrap();
        let manager = TokenManager::builder(grant).build();
        let error = manager.token(&TokenKey::default()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Transport, "{status}");
        assert_eq!(error.endpoint(), Some("https://auth.test/token"));
        assert!(error.is_transient());
        let text = chain(&error);
        let proxy = format!("the proxy http://{}/ did not open a tunnel", proxy.address());
        assert!(text.contains(&proxy) && text.contains(expected), "{text}");
        for secret in ["proxy:password", "dXNlcjpwcm94eTpwYXNzd29yZA==", "client secret"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_time_to_connect_includes_tls_and_the_tunnel() {
    let silent = silent_server().await;
    let proxy = Proxy::new(&format!("http://{silent}")).unwrap();
    let builder = || ClientBuilder::new().connect_timeout(Duration::from_secs(5));
    for (http, url) in [
        (builder().build(), format!("https://{silent}/")),
        (builder().proxy(proxy).build(), "https://auth.test/".to_owned()),
    ] {
        let error = get(&http, &url).await.unwrap_err();
        let ours = Error::find(&*error).expect("an error of this crate");
        assert_eq!(ours.kind(), ErrorKind::Timeout);
        assert!(ours.to_string().contains("no connection within 5s"), "{ours}");
    }
}

async fn get(http: &Client, url: &str) -> Result<String, BoxError> {
    let request = Request::get(url).body(RequestBody::default())?;
    let body = http.clone().oneshot(request).await?.into_body().collect().await?.to_bytes();
    Ok(String::from_utf8(body.to_vec())?)
}

/// All that an error and its causes say, in both ways of saying it.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut error = Some(error);
    let mut text = String::new();
    while let Some(next) = error {
        text.push_str(&format!("{next} | {next:?}\n"));
        error = next.source();
    }
    text
}
