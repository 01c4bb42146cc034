use http::Uri;
use serde_json::json;

use super::*;
use crate::origin::Origins;

fn parse(document: Value) -> Result<ServerMetadata, Error> {
    ServerMetadata::parse(document.to_string().as_bytes())
}

/// The example of RFC 8414 §3.2.
fn example() -> ServerMetadata {
    parse(json!({
        "issuer": "https://server.example.com",
        "authorization_endpoint": "https://server.example.com/authorize",
        "token_endpoint": "https://server.example.com/token",
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": ["RS256", "ES256"],
        "userinfo_endpoint": "https://server.example.com/userinfo",
        "jwks_uri": "https://server.example.com/jwks.json",
        "registration_endpoint": "https://server.example.com/register",
        "scopes_supported": ["openid", "profile"],
        "response_types_supported": ["code", "code token"],
        "service_documentation": "http://server.example.com/service_documentation.html",
        "ui_locales_supported": ["en-US", "en-GB"],
        "introspection_endpoint": null
    }))
    .unwrap()
}

#[test]
fn the_example_of_the_rfc_is_read() {
    let metadata = example();
    assert_eq!(metadata.issuer(), "https://server.example.com");
    assert_eq!(metadata.authorization_endpoint(), Some("https://server.example.com/authorize"));
    assert_eq!(metadata.token_endpoint(), Some("https://server.example.com/token"));
    assert_eq!(metadata.registration_endpoint(), Some("https://server.example.com/register"));
    assert_eq!(metadata.jwks_uri(), Some("https://server.example.com/jwks.json"));
    assert_eq!(metadata.token_endpoint_auth_methods_supported(), ["client_secret_basic", "private_key_jwt"]);
    assert_eq!(metadata.token_endpoint_auth_signing_alg_values_supported(), ["RS256", "ES256"]);
    assert_eq!(metadata.response_types_supported(), ["code", "code token"]);
    assert_eq!(metadata.field("ui_locales_supported"), Some(&json!(["en-US", "en-GB"])));
    // The page for developers is for people, who may read plain http.
    metadata.urls().unwrap().check_secure(false).unwrap();
}

#[test]
fn what_is_missing_or_null_is_what_the_rfc_says() {
    let metadata = example();
    assert_eq!((metadata.introspection_endpoint(), metadata.field("introspection_endpoint")), (None, None));
    assert_eq!(metadata.grant_types_supported(), ["authorization_code", "implicit"]);
    assert_eq!(metadata.response_modes_supported(), ["query", "fragment"]);
    assert_eq!(metadata.revocation_endpoint_auth_methods_supported(), ["client_secret_basic"]);
    assert!(metadata.introspection_endpoint_auth_methods_supported().is_empty());
    assert!(metadata.code_challenge_methods_supported().is_empty());
    assert!(!metadata.authorization_response_iss_parameter_supported());
    let plain = ServerMetadata::new("https://a.test");
    assert_eq!(plain.token_endpoint_auth_methods_supported(), ["client_secret_basic"]);
}

#[test]
fn metadata_made_by_hand_is_kept_and_read_again() {
    let metadata = ServerMetadata::new("https://a.test")
        .with("token_endpoint", "https://a.test/token")
        .with("code_challenge_methods_supported", json!(["S256"]))
        .with("authorization_response_iss_parameter_supported", true)
        .with("issuer", "https://b.test");
    assert_eq!(metadata.issuer(), "https://a.test");
    assert!(metadata.authorization_response_iss_parameter_supported());
    assert_eq!(ServerMetadata::from_json(&metadata.to_json()).unwrap(), metadata);
}

#[test]
fn an_alias_for_mutual_tls_stands_in_for_the_usual_endpoint() {
    let metadata =
        example().with("mtls_endpoint_aliases", json!({"token_endpoint": "https://mtls.test/token"}));
    assert_eq!(metadata.mtls_endpoint("token_endpoint"), Some("https://mtls.test/token"));
    assert_eq!(metadata.mtls_endpoint("userinfo_endpoint"), Some("https://server.example.com/userinfo"));
    assert_eq!(metadata.mtls_endpoint("revocation_endpoint"), None);
}

#[test]
fn what_is_no_document_is_refused() {
    for (document, reason) in [
        ("", "not valid JSON"),
        ("<html>", "not valid JSON"),
        ("[]", "not an object"),
        ("{}", "no `issuer`"),
        (r#"{"issuer": null}"#, "no `issuer`"),
        (r#"{"issuer": 7}"#, "not a text"),
    ] {
        let error = ServerMetadata::parse(document.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnusableResponse);
        assert!(error.to_string().contains(reason), "{document}: {error}");
    }
}

#[test]
fn an_endpoint_has_to_be_a_url() {
    for value in [
        json!(7),
        json!("/token"),
        json!("ftp://a.test/token"),
        json!("https://user:hush@a.test/token"),
        json!("https://a.test/token#x"),
        json!("https://a.test/to ken"),
        json!(["https://a.test/token"]),
        json!("javascript:alert(1)"),
    ] {
        for name in ["token_endpoint", "jwks_uri", "backchannel_authentication_endpoint"] {
            let metadata = ServerMetadata::new("https://a.test").with(name, value.clone());
            let error = metadata.urls().err().unwrap_or_else(|| panic!("{name}: {value}"));
            assert_eq!(error.kind(), ErrorKind::UnusableResponse);
            assert!(error.to_string().contains(name) && !error.to_string().contains("hush"), "{error}");
        }
        let aliases = json!({"mtls_endpoint_aliases": {"token_endpoint": value}, "issuer": "https://a.test"});
        assert!(parse(aliases).unwrap().urls().is_err());
    }
    let metadata = ServerMetadata::new("https://a.test").with("mtls_endpoint_aliases", "https://a.test");
    assert!(metadata.urls().is_err());
}

#[test]
fn endpoints_are_held_to_https() {
    let check = |url: &str, on_loopback| {
        ServerMetadata::new("https://a.test")
            .with("token_endpoint", url)
            .urls()
            .unwrap()
            .check_secure(on_loopback)
    };
    check("https://a.test/token", false).unwrap();
    check("http://localhost:8080/token", true).unwrap();
    for (url, on_loopback) in [
        ("http://a.test/token?x=hush", true),
        ("http://a.test/token", false),
        ("http://localhost:8080/token", false),
        ("http://127.0.0.1/token", false),
    ] {
        let error = check(url, on_loopback).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InsecureScheme, "{url}");
        assert!(!error.to_string().contains("hush"));
    }
    let alias = json!({"token_endpoint": "http://a.test/token"});
    let metadata = ServerMetadata::new("https://a.test").with("mtls_endpoint_aliases", alias);
    assert!(metadata.urls().unwrap().check_secure(false).is_err());
    assert_eq!(ServerMetadata::from_json(&metadata.to_json()).unwrap_err().kind(), ErrorKind::InsecureScheme);
}

#[test]
fn endpoints_are_at_the_issuers_origin_or_where_the_caller_says() {
    let metadata = ServerMetadata::new("https://a.test/tenant")
        .with("authorization_endpoint", "https://A.test:443/other/path")
        .with("token_endpoint", "https://b.test/token")
        .with("mtls_endpoint_aliases", json!({"token_endpoint": "https://a.test:8443/token"}));
    let issuer = Uri::from_static("https://a.test/tenant");
    let check = |also: Option<&Origins>| metadata.urls().unwrap().check_origins(&issuer, also);

    let error = check(None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ForeignEndpoint);
    // All of them at once, so that one change is enough.
    assert!(error.to_string().contains("`token_endpoint` is at https://b.test"), "{error}");
    assert!(error.to_string().contains("`mtls_endpoint_aliases.token_endpoint` is at https://a.test:8443"));
    assert!(check(Some(&Origins::one("https://b.test").unwrap())).is_err());
    check(Some(&Origins::several(["https://b.test", "https://a.test:8443"]).unwrap())).unwrap();
    check(Some(&Origins::dangerously_any())).unwrap();
}
