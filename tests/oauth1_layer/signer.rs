//! Signing without a layer, and what a signer can be told.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use tower_oauth::ConfigError;
use tower_oauth::oauth1::BaseStringUri;
use tower_oauth::oauth1::HmacSha1;
use tower_oauth::oauth1::Placement;
use tower_oauth::oauth1::SharedSecrets;
use tower_oauth::oauth1::SignatureMethod;
use tower_oauth::oauth1::SignedParameters;
use tower_oauth::oauth1::Signer;
use tower_oauth::oauth1::SigningKey;

use super::*;

fn signer() -> Signer {
    Signer::new(credentials()).nonce_fn(|| "nonce".to_owned()).clock(Epoch)
}

struct Epoch;

impl Clock for Epoch {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }
}

fn signed(signer: &Signer, uri: &str) -> Request<Bytes> {
    let mut request = Request::get(uri).body(Bytes::new()).unwrap();
    signer.sign(&mut request).unwrap();
    request
}

#[test]
fn a_relative_uri_cannot_be_signed_unless_scheme_and_host_are_known() {
    let mut request = Request::get("/a").body(Bytes::new()).unwrap();
    assert_eq!(signer().sign(&mut request).unwrap_err().kind(), ErrorKind::RelativeUri);
    assert!(request.headers().is_empty());
    request.headers_mut().insert("host", "api.test".parse().unwrap());
    let known = BaseStringUri::new().scheme(http::uri::Scheme::HTTPS);
    signer().base_string_uri(known).sign(&mut request).unwrap();
    assert_eq!(authorization(&request), authorization(&signed(&signer(), "https://api.test/a")));
}

#[test]
fn the_uri_that_the_server_sees_is_signed_and_not_sent() {
    let seen = BaseStringUri::new()
        .scheme(http::uri::Scheme::HTTP)
        .authority("inside.test:8080".parse().unwrap())
        .path_prefix("/app");
    let request = signed(&signer().base_string_uri(seen), "https://api.test/a?b=c");
    assert_eq!(request.uri(), "https://api.test/a?b=c");
    assert_eq!(
        authorization(&request),
        authorization(&signed(&signer(), "http://inside.test:8080/app/a?b=c"))
    );
}

#[test]
fn the_realm_comes_first_and_is_not_signed() {
    let plain = signed(&signer(), "https://api.test/");
    let with_realm = signed(&signer().realms(["a", "b\"c"]).unwrap(), "https://api.test/");
    assert_eq!(parameter(&with_realm, "oauth_signature"), parameter(&plain, "oauth_signature"));
    assert!(authorization(&with_realm).starts_with(r#"OAuth realm="a b\"c", oauth_"#));
}

#[test]
fn a_realm_cannot_add_a_header() {
    for realm in ["a\r\nx: y", "a\0", "\u{7f}"] {
        assert!(matches!(signer().realm(realm), Err(ConfigError::InvalidParameter { .. })), "{realm:?}");
    }
}

#[test]
fn parameters_that_the_signer_sets_itself_cannot_be_added() {
    for name in ["realm", "oauth_signature", "oauth_token", "oauth_body_hash"] {
        let error = signer().parameter(name, "x").unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn further_parameters_are_sent_once_in_their_place() {
    let signer = signer().parameter("oauth_session_handle", "old").unwrap();
    let signer = signer.parameter("oauth_session_handle", "h=+").unwrap();
    let request = signed(&signer, "https://api.test/");
    assert_eq!(authorization(&request).matches("oauth_session_handle").count(), 1);
    assert_eq!(parameter(&request, "oauth_session_handle"), Some("h%3D%2B"));
}

#[test]
fn a_parameter_with_another_prefix_is_sorted_among_those_of_the_request() {
    let signer = signer().placement(Placement::Query).parameter("x_requestor", "me").unwrap();
    let request = signed(&signer, "https://api.test/?a=1&z=2&x=3");
    // A signer that finds the same parameters in the query signs the same base string.
    let ordinary = self::signer().placement(Placement::Query);
    let expected = signed(&ordinary, "https://api.test/?a=1&z=2&x=3&x_requestor=me");
    let signature = |request: &Request<Bytes>| {
        let query = request.uri().query().unwrap().to_owned();
        query.split('&').find(|pair| pair.starts_with("oauth_signature=")).unwrap().to_owned()
    };
    assert_eq!(signature(&request), signature(&expected));
}

#[test]
fn signed_parameters_are_signed_and_stay_on_the_request() {
    let mut request = Request::get("https://api.test/?b=2").body(Bytes::new()).unwrap();
    request.extensions_mut().insert(SignedParameters::from_iter([("a", "1 %"), ("a", "0")]));
    signer().sign(&mut request).unwrap();
    let in_query = signed(&signer(), "https://api.test/?a=0&a=1%20%25&b=2");
    assert_eq!(authorization(&request), authorization(&in_query));
    assert_eq!(request.uri(), "https://api.test/?b=2");
    assert!(request.extensions().get::<SignedParameters>().is_some());
}

#[test]
fn signed_parameters_cannot_be_protocol_parameters() {
    let mut request = Request::get("https://api.test/").body(Bytes::new()).unwrap();
    request.extensions_mut().insert(SignedParameters::new().add("oauth_token", "x"));
    let error = signer().sign(&mut request).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ProtocolParameterPresent);
}

#[test]
fn a_request_that_cannot_be_signed_stays_as_it_was() {
    let mut request = Request::post("https://api.test/?oauth_token=x").body(Bytes::from("a=1")).unwrap();
    signer().sign(&mut request).unwrap_err();
    assert!(request.headers().is_empty());
    assert_eq!(request.uri(), "https://api.test/?oauth_token=x");
    assert_eq!(request.body(), "a=1");
}

#[test]
fn a_body_from_elsewhere_is_signed_with_the_parts() {
    let request = || {
        let request =
            Request::post("https://api.test/").header("content-type", "application/x-www-form-urlencoded");
        request.body(Bytes::from("a=1")).unwrap()
    };
    let mut whole = request();
    signer().sign(&mut whole).unwrap();
    let (mut parts, body) = request().into_parts();
    assert!(signer().reads_body(&parts.headers));
    assert_eq!(signer().sign_parts(&mut parts, &body).unwrap(), None);
    assert_eq!(&parts.headers, whole.headers());

    let signer = signer().placement(Placement::Form);
    let mut whole = request();
    signer.sign(&mut whole).unwrap();
    let (mut parts, body) = request().into_parts();
    let form = signer.sign_parts(&mut parts, &body).unwrap();
    assert_eq!(form.as_ref(), Some(whole.body()));
    assert!(!parts.headers.contains_key(AUTHORIZATION));
}

#[test]
fn an_empty_token_is_sent_and_a_missing_one_is_not() {
    let none = Signer::new(Credentials::new("client", "secret"));
    assert_eq!(parameter(&signed(&none, "https://api.test/"), "oauth_token"), None);
    let empty = Signer::new(Credentials::new("client", "secret").token("", ""));
    assert_eq!(parameter(&signed(&empty, "https://api.test/"), "oauth_token"), Some(""));
}

#[test]
fn the_version_is_sent_unless_it_is_left_out() {
    assert_eq!(parameter(&signed(&signer(), "https://api.test/"), "oauth_version"), Some("1.0"));
    assert_eq!(parameter(&signed(&signer().omit_version(), "https://api.test/"), "oauth_version"), None);
}

/// Counts how often a key is made.
struct Counting(Arc<AtomicUsize>);

impl SignatureMethod for Counting {
    fn name(&self) -> &str {
        HmacSha1.name()
    }

    fn key(&self, secrets: &SharedSecrets<'_>) -> SigningKey {
        self.0.fetch_add(1, Ordering::SeqCst);
        HmacSha1.key(secrets)
    }
}

#[test]
fn the_key_is_not_made_anew_for_every_request() {
    let keys = Arc::new(AtomicUsize::new(0));
    let signer = signer().signature_method(Counting(Arc::clone(&keys)));
    let made = keys.load(Ordering::SeqCst);
    for _ in 0..3 {
        signed(&signer.clone(), "https://api.test/");
    }
    assert_eq!(keys.load(Ordering::SeqCst), made);
}

#[test]
fn a_nonce_function_may_sign_a_request_of_its_own() {
    let inner = signer();
    let outer = signer().nonce_fn(move || {
        signed(&inner, "https://api.test/inner?a=1");
        "nonce".to_owned()
    });
    assert_eq!(
        authorization(&signed(&outer, "https://api.test/?b=2")),
        authorization(&signed(&signer(), "https://api.test/?b=2"))
    );
}
