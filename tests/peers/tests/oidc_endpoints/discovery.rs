//! Both documents of a real server, and what is refused of them.

use tower_oauth::ErrorKind;
use tower_oauth::Origins;
use tower_oauth::endpoint::Discovery;
use tower_oauth::endpoint::WellKnown;

use crate::PROVIDER;
use crate::http;
use crate::metadata;

fn discovery() -> Discovery {
    Discovery::new(&PROVIDER.origin(), http(None)).expect("an issuer")
}

#[tokio::test]
async fn every_well_known_place_has_the_same_endpoints() {
    for place in [WellKnown::OAuth, WellKnown::OpenId, WellKnown::OpenIdInserted] {
        let anywhere = discovery().endpoints_also_at(Origins::dangerously_any());
        let metadata = anywhere.well_known([place]).discover().await.expect("metadata");
        assert_eq!(metadata.issuer(), PROVIDER.origin());
        assert_eq!(metadata.token_endpoint(), Some(PROVIDER.token_endpoint().as_str()));
    }
}

#[tokio::test]
async fn what_the_server_can_do_is_read() {
    let metadata = metadata().await;
    let at = |path: &str| Some(format!("{}{path}", PROVIDER.origin()));
    let text = |url: Option<&str>| url.map(str::to_owned);
    assert_eq!(text(metadata.authorization_endpoint()), at("/auth"));
    assert_eq!(text(metadata.revocation_endpoint()), at("/token/revocation"));
    assert_eq!(text(metadata.introspection_endpoint()), at("/token/introspection"));
    assert_eq!(text(metadata.registration_endpoint()), at("/reg"));
    assert_eq!(text(metadata.device_authorization_endpoint()), at("/device/auth"));
    assert_eq!(text(metadata.pushed_authorization_request_endpoint()), at("/request"));
    assert_eq!(text(metadata.jwks_uri()), at("/jwks"));
    assert_eq!(
        text(metadata.mtls_endpoint("token_endpoint")),
        Some(format!("{}/token", PROVIDER.tls_origin()))
    );
    assert!(metadata.authorization_response_iss_parameter_supported());
    assert!(metadata.tls_client_certificate_bound_access_tokens());
    assert_eq!(metadata.code_challenge_methods_supported(), ["S256"]);
    for method in [
        "none",
        "client_secret_basic",
        "client_secret_post",
        "client_secret_jwt",
        "private_key_jwt",
        "tls_client_auth",
        "self_signed_tls_client_auth",
    ] {
        assert!(metadata.token_endpoint_auth_methods_supported().contains(&method), "{method}");
    }
    assert!(metadata.grant_types_supported().contains(&"client_credentials"));
}

#[tokio::test]
async fn endpoints_at_another_port_have_to_be_allowed() {
    let error = discovery().discover().await.expect_err("a refusal");
    assert_eq!(error.kind(), ErrorKind::ForeignEndpoint);
    assert!(error.to_string().contains(&PROVIDER.tls_origin()), "{error}");
}

#[tokio::test]
async fn the_same_server_by_another_name_is_another_issuer() {
    let issuer = PROVIDER.origin().replace("127.0.0.1", "localhost");
    let discovery = Discovery::new(&issuer, http(None)).expect("an issuer");
    let error =
        discovery.endpoints_also_at(Origins::dangerously_any()).discover().await.expect_err("a refusal");
    assert_eq!(error.kind(), ErrorKind::IssuerMismatch);
}

#[tokio::test]
async fn a_tenant_that_does_not_exist_has_no_document() {
    let discovery = Discovery::new(&format!("{}/tenant", PROVIDER.origin()), http(None)).expect("an issuer");
    let error = discovery.discover().await.expect_err("a refusal");
    assert_eq!(
        (error.kind(), error.status().map(|status| status.as_u16())),
        (ErrorKind::UnexpectedStatus, Some(404))
    );
}
