//! Assertions that somebody else makes: JWT and SAML 2 (RFC 7521, RFC 7522, RFC 7523).

use tower_oauth::Error;
use tower_oauth::ErrorKind;
use tower_oauth::Secret;
use tower_oauth::TokenKey;
use tower_oauth::TokenManager;
use tower_oauth::grant::Saml2Bearer;
use tower_oauth::grant::SecurityToken;

use crate::Played;

#[tokio::test]
async fn a_saml_assertion_travels_in_base64url_without_padding() {
    let played = Played::token();
    let xml = SecurityToken::per_key(|user: TokenKey| async move {
        Ok(Secret::new(format!("<Assertion>{user}??></Assertion>")))
    });
    let grant = Saml2Bearer::at(played.endpoint(), xml).scope("read");
    TokenManager::builder(grant).build().token(&TokenKey::new("brian")).await.unwrap();
    let seen = played.last();
    assert_eq!(seen.value("grant_type"), Some("urn:ietf:params:oauth:grant-type:saml2-bearer"));
    assert_eq!(seen.value("assertion"), Some("PEFzc2VydGlvbj5icmlhbj8_PjwvQXNzZXJ0aW9uPg"));
    assert_eq!(seen.value("scope"), Some("read"));
}

#[tokio::test]
async fn when_there_is_no_assertion_nothing_is_sent() {
    let played = Played::token();
    let none = SecurityToken::per_key(|_| async { Err(Error::reauthorization_required("log in first")) });
    let grant = Saml2Bearer::at(played.endpoint(), none);
    let error = TokenManager::builder(grant).build().token(&TokenKey::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ReauthorizationRequired);
    assert!(played.seen().is_empty());
}

#[cfg(feature = "jwt")]
mod jwt {
    //! Assertions in JWTs.

    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::Value;
    use tower_oauth::ClientAuth;
    use tower_oauth::endpoint::Assertion;
    use tower_oauth::endpoint::SecretKey;
    use tower_oauth::endpoint::TokenEndpoint;
    use tower_oauth::grant::JwtBearer;

    use super::*;
    use crate::URL;

    fn claims(assertion: &str) -> Value {
        let claims = assertion.split('.').nth(1).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
    }

    #[tokio::test]
    async fn an_assertion_is_signed_anew_for_each_token_and_is_for_the_endpoint() {
        let played = Played::token();
        let endpoint = TokenEndpoint::new(URL, ClientAuth::omitted(), played.http()).unwrap();
        let assertion = Assertion::signed_by(SecretKey::new("shared")).issuer("i").subject("s");
        let manager = TokenManager::builder(JwtBearer::at(endpoint, assertion).scope("read")).build();
        manager.token(&TokenKey::default()).await.unwrap();
        manager.refresh(&TokenKey::default()).await.unwrap();
        let seen = played.seen();
        let [first, second] = [&seen[0], &seen[1]].map(|seen| claims(seen.value("assertion").unwrap()));
        assert_eq!((&first["iss"], &first["sub"], &first["aud"]), (&"i".into(), &"s".into(), &URL.into()));
        assert_ne!(first["jti"], second["jti"]);
        let names: Vec<_> = seen[0].form.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["grant_type", "assertion", "scope"]);
        assert!(!seen[0].headers.contains_key("authorization"));
    }

    #[tokio::test]
    async fn a_jwt_that_somebody_else_made_is_sent_as_it_is() {
        let played = Played::token();
        let manager = TokenManager::builder(JwtBearer::at(played.endpoint(), "a.b.c")).build();
        manager.token(&TokenKey::default()).await.unwrap();
        let seen = played.last();
        assert_eq!(seen.value("grant_type"), Some("urn:ietf:params:oauth:grant-type:jwt-bearer"));
        assert_eq!(seen.value("assertion"), Some("a.b.c"));
        assert!(seen.headers.contains_key("authorization"));
    }
}
