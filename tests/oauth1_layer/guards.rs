//! What is signed, what passes, and what is refused.

use http::header::HOST;
use tower_oauth::oauth1::Plaintext;

use super::*;

#[tokio::test]
async fn a_request_to_another_origin_is_refused() {
    for uri in
        ["https://evil.test/", "https://api.test:8443/", "https://api.test@evil.test/", "http://api.test/"]
    {
        assert_eq!(refused_by(layer(), get(uri)).await.0, ErrorKind::ForeignOrigin, "{uri}");
    }
}

#[tokio::test]
async fn a_request_to_another_origin_can_pass_as_it_is() {
    for mut request in [get("https://elsewhere.test/"), form("oauth_token=theirs")] {
        *request.uri_mut() = "https://elsewhere.test/".parse().unwrap();
        request.headers_mut().insert(AUTHORIZATION, "Basic abc".parse().unwrap());
        let sent = sent_by(layer().pass_foreign_unsigned(), request).await.unwrap();
        assert_eq!(authorization(&sent), "Basic abc");
    }
}

#[tokio::test]
async fn plain_http_is_refused_unless_it_was_allowed_or_stays_on_this_machine() {
    let layer = |origin: &str| OAuth1Layer::new(Origins::one(origin).unwrap(), credentials());
    let request = || get("http://api.test/");
    assert_eq!(refused_by(layer("http://api.test"), request()).await.0, ErrorKind::InsecureScheme);
    assert!(sent_by(layer("http://api.test").dangerously_allow_http(), request()).await.is_ok());
    assert!(sent_by(layer("http://127.0.0.1:8080"), get("http://127.0.0.1:8080/")).await.is_ok());
}

#[tokio::test]
async fn plaintext_never_goes_over_plain_http() {
    let layer = |origin: &str| {
        OAuth1Layer::new(Origins::one(origin).unwrap(), credentials())
            .signature_method(Plaintext)
            .dangerously_allow_http()
    };
    for uri in ["http://api.test/", "/relative"] {
        let (kind, message) = refused_by(layer("http://api.test"), get(uri)).await;
        assert_eq!(kind, ErrorKind::InsecureScheme);
        assert!(message.contains("shows its secrets") && !message.contains("client secret"), "{message}");
    }
    for (origin, uri) in [
        ("https://api.test", "https://api.test/"),
        ("https://api.test", "/"),
        ("http://[::1]:80", "http://[::1]/"),
    ] {
        let sent = sent_by(layer(origin), get(uri)).await.unwrap();
        assert_eq!(parameter(&sent, "oauth_signature"), Some("client%2520secret%26token%2520secret"));
    }
}

#[tokio::test]
async fn a_relative_uri_is_signed_for_the_only_origin() {
    for path in ["/a?b=c", "/"] {
        let absolute = sent_by(pinned(), get(&format!("https://api.test{path}"))).await.unwrap();
        let relative = sent_by(pinned(), get(path)).await.unwrap();
        assert_eq!(authorization(&relative), authorization(&absolute));
        assert_eq!(relative.uri(), path);
    }
    // The same when the body is read first.
    let mut request = form("a=1");
    let absolute = sent_by(pinned(), form("a=1")).await.unwrap();
    *request.uri_mut() = "/form".parse().unwrap();
    assert_eq!(authorization(&sent_by(pinned(), request).await.unwrap()), authorization(&absolute));
}

#[tokio::test]
async fn a_host_header_counts_on_a_relative_uri_too() {
    let mut request = get("/a");
    request.headers_mut().insert(HOST, "api.test:8443".parse().unwrap());
    let relative = sent_by(pinned(), request).await.unwrap();
    let mut request = get("https://api.test/a");
    request.headers_mut().insert(HOST, "api.test:8443".parse().unwrap());
    let absolute = sent_by(pinned(), request).await.unwrap();
    let without = sent_by(pinned(), get("/a")).await.unwrap();
    assert_eq!(authorization(&relative), authorization(&absolute));
    assert_ne!(authorization(&relative), authorization(&without));
}

#[tokio::test]
async fn a_relative_uri_is_refused_when_it_could_mean_several_origins() {
    let origins = Origins::several(["https://api.test", "https://other.test"]).unwrap();
    let layer = OAuth1Layer::new(origins, credentials());
    assert_eq!(refused_by(layer, get("/a")).await.0, ErrorKind::RelativeUri);
}

#[tokio::test]
async fn an_authorization_that_came_in_does_not_go_out() {
    for inbound in ["Basic abc", "Bearer oauth_token=x", "OAuth 00Dx0000000"] {
        let mut request = get("https://api.test/");
        request.headers_mut().append(AUTHORIZATION, inbound.parse().unwrap());
        request.headers_mut().append(AUTHORIZATION, "Basic another".parse().unwrap());
        let sent = sent_by(layer(), request).await.unwrap();
        assert_eq!(sent.headers().get_all(AUTHORIZATION).iter().count(), 1);
        assert!(authorization(&sent).contains("oauth_signature="));
    }
}

#[tokio::test]
async fn an_authorization_can_be_kept() {
    for inbound in ["Basic abc", "OAuth oauth_token=\"x\""] {
        let mut request = form("a=1");
        request.headers_mut().insert(AUTHORIZATION, inbound.parse().unwrap());
        let sent = sent_by(layer().keep_existing(), request).await.unwrap();
        assert_eq!(authorization(&sent), inbound);
    }
    let sent = sent_by(layer().keep_existing(), get("https://api.test/")).await.unwrap();
    assert!(authorization(&sent).contains("oauth_signature="));
}

#[tokio::test]
async fn a_request_with_protocol_parameters_is_refused_wherever_they_are() {
    let mut in_header = get("https://api.test/");
    in_header.headers_mut().insert(AUTHORIZATION, "OAuth realm=\"x\", oauth_token=\"y\"".parse().unwrap());
    for (request, place) in [
        (get("https://api.test/?a=1&oauth_token=hunter2"), "`oauth_token` in the query"),
        (form("a=1&oauth_nonce=hunter2"), "`oauth_nonce` in the form"),
        (in_header, "`oauth_token` in the `Authorization` header"),
    ] {
        let (kind, message) = refused_by(layer(), request).await;
        assert_eq!(kind, ErrorKind::ProtocolParameterPresent);
        assert!(message.contains(place) && !message.contains("hunter2"), "{message}");
    }
}

#[tokio::test]
async fn other_oauth_parameters_can_be_allowed() {
    let request = || get("https://api.test/?oauth_foo=1");
    assert_eq!(refused_by(layer(), request()).await.0, ErrorKind::ProtocolParameterPresent);
    assert!(sent_by(layer().allow_other_oauth_parameters(), request()).await.is_ok());
    for query in ["oauth_token=1", "oauth_signature=1", "oauth_body_hash=1", "oauth_session_handle=1"] {
        let layer = layer().allow_other_oauth_parameters().parameter("oauth_session_handle", "x").unwrap();
        let request = get(&format!("https://api.test/?{query}"));
        assert_eq!(refused_by(layer, request).await.0, ErrorKind::ProtocolParameterPresent, "{query}");
    }
}
