//! What no verifier accepts, in every way to sign.

use std::time::Duration;
use std::time::SystemTime;

use bytes::Bytes;
use http::Method as HttpMethod;
use http::Request;
use http_body_util::BodyExt;
use http_body_util::Full;
use tower::Layer;
use tower::Service;
use tower::service_fn;
use tower_oauth::OAuth1Layer;
use tower_oauth::oauth1::Placement;
use tower_oauth_peers::http_client::HttpClient;
use tower_oauth_peers::http_client::http_client;
use tower_oauth_peers::oauth1::Account;
use tower_oauth_peers::process::Peer;
use tower_oauth_peers::requests::Draft;

use crate::Fixed;
use crate::all;
use crate::layer;
use crate::send;
use crate::signatures::METHODS;
use crate::signatures::Method;
use crate::signatures::is_rsa;
use crate::signatures::signature_method;
use crate::signatures::ways;
use crate::signatures::with_unknown_key;

#[tokio::test]
async fn wrong_secrets_are_refused() {
    let mut wrong_client = Account::plain();
    wrong_client.client_secret.push('x');
    let mut wrong_token = Account::plain();
    wrong_token.token = wrong_token.token.map(|(token, secret)| (token, secret + "x"));
    for verifier in all() {
        Account::plain().register(verifier).await;
        for (method, placement) in ways().filter(|(method, _)| !is_rsa(method)) {
            for account in [&wrong_client, &wrong_token] {
                let layer = layer_of(verifier, account, method, placement);
                let report = send(verifier, layer.layer(http_client()), &form()).await;
                let name = verifier.name();
                assert!(report.is_refused_for("signature"), "{name}, {method}, {placement:?}: {report}");
            }
        }
    }
}

#[tokio::test]
async fn a_wrong_rsa_key_is_refused() {
    for verifier in all() {
        Account::plain().register(verifier).await;
        for (method, placement) in ways().filter(|(method, _)| is_rsa(method)) {
            let layer = layer_of(verifier, &Account::plain(), method, placement);
            let right = send(verifier, layer.clone().layer(http_client()), &form()).await;
            assert!(right.is_accepted(), "{}, {method}, {placement:?}: {right}", verifier.name());
            let layer = layer.signature_method(with_unknown_key(method));
            let wrong = send(verifier, layer.layer(http_client()), &form()).await;
            assert!(
                wrong.is_refused_for("signature"),
                "{}, {method}, {placement:?}: {wrong}",
                verifier.name()
            );
        }
    }
}

#[tokio::test]
async fn an_rsa_signature_needs_no_secrets() {
    let mut account = Account::plain();
    account.client_secret.clear();
    account.token = account.token.map(|(token, _)| (token, String::new()));
    for verifier in all() {
        Account::plain().register(verifier).await;
        for method in METHODS.into_iter().filter(|method| is_rsa(method)) {
            let layer = layer_of(verifier, &account, method, Placement::Header);
            let report = send(verifier, layer.layer(http_client()), &form()).await;
            assert!(report.is_accepted(), "{}, {method}: {report}", verifier.name());
        }
    }
}

#[tokio::test]
async fn a_parameter_that_was_changed_after_signing_is_refused() {
    // One in the query, one in the form, and the nonce.
    let everywhere = [("amount=1", "amount=2"), ("title=a", "title=b"), ("signed-", "chosen-")];
    for verifier in all() {
        Account::plain().register(verifier).await;
        for (method, placement) in ways().filter(|(method, _)| *method != "PLAINTEXT") {
            for (from, to) in everywhere {
                let tampering = tampering(http_client(), from, to);
                let layer = layer_of(verifier, &Account::plain(), method, placement)
                    .nonce_fn(move || format!("signed-{method}-{placement:?}-{from}"));
                let report = send(verifier, layer.layer(tampering), &form()).await;
                let name = verifier.name();
                assert!(
                    report.is_refused_for("signature"),
                    "{name}, {method}, {placement:?}, {to}: {report}"
                );
            }
        }
    }
}

/// PLAINTEXT signs nothing (RFC 5849 §3.4.4): only the channel keeps a request as it was. What is checked is
/// who sends it.
#[tokio::test]
async fn plaintext_notices_a_changed_token_only() {
    for verifier in all() {
        Account::plain().register(verifier).await;
        for (method, placement) in ways().filter(|(method, _)| *method == "PLAINTEXT") {
            let layer = layer_of(verifier, &Account::plain(), method, placement);
            let amount = tampering(http_client(), "amount=1", "amount=2");
            let report = send(verifier, layer.clone().layer(amount), &form()).await;
            assert!(report.is_accepted(), "{}, {placement:?}: {report}", verifier.name());
            let token = tampering(http_client(), "plain-token", "other-token");
            let report = send(verifier, layer.layer(token), &form()).await;
            assert!(!report.is_accepted(), "{}, {placement:?}: {report}", verifier.name());
        }
    }
}

#[tokio::test]
async fn a_request_is_good_once() {
    for verifier in all() {
        Account::plain().register(verifier).await;
        let now = SystemTime::now();
        for (method, placement) in ways() {
            let layer = layer_of(verifier, &Account::plain(), method, placement)
                .clock(Fixed(now))
                .nonce_fn(move || format!("{method}-{placement:?}"));
            let service = layer.layer(http_client());
            let first = send(verifier, service.clone(), &form()).await;
            assert!(first.is_accepted(), "{}, {method}, {placement:?}: {first}", verifier.name());
            let second = send(verifier, service, &form()).await;
            assert!(second.is_refused_for("nonce"), "{}, {method}, {placement:?}: {second}", verifier.name());
        }
    }
}

#[tokio::test]
async fn a_timestamp_of_an_hour_ago_is_refused() {
    for verifier in all() {
        Account::plain().register(verifier).await;
        for (method, placement) in ways() {
            let layer = an_hour_slow(layer_of(verifier, &Account::plain(), method, placement));
            let service = layer.without_skew_correction().layer(http_client());
            let report = send(verifier, service, &form()).await;
            let name = verifier.name();
            assert!(report.is_refused_for("timestamp"), "{name}, {method}, {placement:?}: {report}");
        }
    }
}

#[tokio::test]
async fn a_clock_that_is_an_hour_slow_is_set_right_by_the_refusal() {
    for verifier in all() {
        Account::plain().register(verifier).await;
        for (method, placement) in ways() {
            let layer = an_hour_slow(layer_of(verifier, &Account::plain(), method, placement));
            let report = send(verifier, layer.layer(http_client()), &form()).await;
            assert!(report.is_accepted(), "{}, {method}, {placement:?}: {report}", verifier.name());
        }
    }
}

fn an_hour_slow(layer: OAuth1Layer) -> OAuth1Layer {
    layer.clock(Fixed(SystemTime::now() - Duration::from_secs(3600)))
}

/// All tests use an account that needs no escaping: oauthlib as it comes refuses others by PLAINTEXT in query
/// and form, its own signatures too.
fn layer_of(verifier: &Peer, account: &Account, method: Method, placement: Placement) -> OAuth1Layer {
    layer(verifier, account).signature_method(signature_method(method)).placement(placement)
}

/// A form, so that it can be signed in every placement.
fn form() -> Draft {
    Draft {
        method: HttpMethod::POST,
        target: "/a?amount=1".to_owned(),
        content_type: Some("application/x-www-form-urlencoded"),
        body: Bytes::from_static(b"title=a"),
    }
}

type Signed = Request<Full<Bytes>>;
type Delivered = <HttpClient as Service<Signed>>::Response;
type HttpError = <HttpClient as Service<Signed>>::Error;

/// A client that changes a piece of the request, wherever it is, after it was signed.
fn tampering(
    http: HttpClient,
    from: &'static str,
    to: &'static str,
) -> impl Service<Signed, Response = Delivered, Error = HttpError, Future: Send> + Clone + Send + 'static {
    assert_eq!(from.len(), to.len(), "the length of the body stays as it was");
    service_fn(move |request: Signed| {
        let http = http.clone();
        async move {
            let (mut head, body) = request.into_parts();
            let body = body.collect().await.unwrap_or_else(|never| match never {}).to_bytes();
            let body = String::from_utf8(body.to_vec()).expect("a form of text");
            let mut changes = body.matches(from).count();
            let uri = head.uri.to_string();
            changes += uri.matches(from).count();
            head.uri = uri.replace(from, to).parse().expect("a URI");
            for value in head.headers.values_mut() {
                let text = value.to_str().expect("text").to_owned();
                changes += text.matches(from).count();
                *value = text.replace(from, to).parse().expect("a header value");
            }
            assert!(changes > 0, "{from} is nowhere");
            http.request(Request::from_parts(head, Full::from(body.replace(from, to)))).await
        }
    })
}
