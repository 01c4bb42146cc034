//! The three legs, from the client alone to a resource of somebody else.

use bytes::Bytes;
use http::Method as HttpMethod;
use http::StatusCode;
use http::header::LOCATION;
use tower::Layer;
use tower_oauth::Error;
use tower_oauth::ErrorKind;
use tower_oauth::OAuth1Layer;
use tower_oauth::Origins;
use tower_oauth::oauth1::Placement;
use tower_oauth::oauth1::SignatureMethod;
use tower_oauth::oauth1::flow::AccessToken;
use tower_oauth::oauth1::flow::Endpoints;
use tower_oauth::oauth1::flow::Flow;
use tower_oauth::oauth1::flow::RequestToken;
use tower_oauth::oauth1::flow::Step;
use tower_oauth_peers::http_client::http_client;
use tower_oauth_peers::http_client::send_bare;
use tower_oauth_peers::oauth1::Account;
use tower_oauth_peers::process::Peer;
use tower_oauth_peers::requests::Draft;

use crate::STRICT;
use crate::all;
use crate::send;
use crate::signatures::Counts;
use crate::signatures::METHODS;
use crate::signatures::is_rsa;
use crate::signatures::signature_method;
use crate::signatures::ways;
use crate::signatures::with_unknown_key;

#[tokio::test]
async fn the_three_legs_lead_to_a_resource_in_every_way_to_sign() {
    let mut accepted = Counts::default();
    for verifier in all() {
        client(verifier).register(verifier).await;
        for (method, placement) in ways() {
            let flow = flow(verifier, signature_method(method), placement);
            let context = format!("{}, {method}, {placement:?}", verifier.name());

            let access_token = log_in(&flow).await.unwrap_or_else(|error| panic!("{context}: {error}"));

            let origins = Origins::one(&verifier.origin()).expect("an origin");
            let layer = OAuth1Layer::new(origins, flow.authorized(&access_token));
            let layer = layer.signature_method(signature_method(method)).placement(placement);
            let report = send(verifier, layer.layer(http_client()), &photo()).await;
            assert!(report.is_accepted(), "{context}: {report}");
            assert_eq!(report.parameter("oauth_signature_method"), Some(method), "{context}");
            assert_eq!(report.parameter("oauth_token"), Some(access_token.token().expose()), "{context}");
            accepted.add(method, placement, verifier.name());
        }
        assert_eq!(accepted.ways_of(verifier.name()), ways().count());
    }
    println!("logins that led to a resource:\n{accepted}");
}

#[tokio::test]
async fn each_step_may_place_its_parameters_elsewhere() {
    for verifier in all() {
        client(verifier).register(verifier).await;
        let flow = flow(verifier, signature_method("HMAC-SHA256"), Placement::Query)
            .placement(Step::AccessToken, Placement::Form);
        log_in(&flow).await.unwrap_or_else(|error| panic!("{}: {error}", verifier.name()));
    }
}

#[tokio::test]
async fn no_wrong_client_secret_and_no_wrong_key_gets_a_request_token() {
    for verifier in all() {
        client(verifier).register(verifier).await;
        for (method, placement) in ways() {
            let flow = if is_rsa(method) {
                flow(verifier, with_unknown_key(method), placement)
            } else {
                flow_of("a wrong secret", verifier, signature_method(method), placement)
            };
            let error = flow.fetch_request_token().await.expect_err("it is refused");
            let context = format!("{}, {method}, {placement:?}: {error}", verifier.name());
            assert_eq!(error.kind(), ErrorKind::Refused, "{context}");
            assert_eq!(error.status(), Some(StatusCode::UNAUTHORIZED), "{context}");
        }
    }
}

#[tokio::test]
async fn no_wrong_verifier_gets_an_access_token() {
    for verifier in all() {
        client(verifier).register(verifier).await;
        for method in METHODS {
            let flow = flow(verifier, signature_method(method), Placement::Header);
            let request_token = flow.fetch_request_token().await.expect("a request token");
            authorize(&flow, &request_token).await;
            let error = flow.fetch_access_token(&request_token, "a wrong verifier").await;
            let error = error.expect_err("it is refused");
            // oauthlib says 401, Authlib 400.
            assert_eq!(error.kind(), ErrorKind::Refused, "{}, {method}: {error}", verifier.name());
        }
    }
}

#[tokio::test]
async fn no_wrong_request_token_secret_gets_an_access_token() {
    for verifier in all() {
        client(verifier).register(verifier).await;
        // The RSA methods use no secret.
        for method in METHODS.into_iter().filter(|method| !is_rsa(method)) {
            let flow = flow(verifier, signature_method(method), Placement::Header);
            let request_token = flow.fetch_request_token().await.expect("a request token");
            let callback = authorize(&flow, &request_token).await;
            let response = flow.parse_authorization_response(&request_token, &callback).expect("an approval");
            let kept =
                request_token.to_json().expose().replace("\"token_secret\":\"", "\"token_secret\":\"x");
            let wrong = RequestToken::from_json(&kept).expect("a request token");
            assert_ne!(wrong, request_token);
            let error = flow.fetch_access_token(&wrong, response).await.expect_err("it is refused");
            assert_eq!(
                error.status(),
                Some(StatusCode::UNAUTHORIZED),
                "{}, {method}: {error}",
                verifier.name()
            );
        }
    }
}

/// The flow of the client that `verifier` is asked with.
fn flow(verifier: &Peer, method: impl SignatureMethod, placement: Placement) -> Flow {
    flow_of(&client(verifier).client_secret, verifier, method, placement)
}

fn flow_of(secret: &str, verifier: &Peer, method: impl SignatureMethod, placement: Placement) -> Flow {
    let at = |path: &str| format!("{}{path}", verifier.origin());
    let endpoints = Endpoints::new(&at("/initiate"), &at("/authorize"), &at("/token")).expect("endpoints");
    Flow::new(client(verifier).client_key, secret, endpoints, http_client())
        .signature_method(method)
        .placement(Step::RequestToken, placement)
        .placement(Step::AccessToken, placement)
        .callback(if is_strict(verifier) {
            "http://127.0.0.1/callback?next=%2Fhome"
        } else {
            "http://127.0.0.1/callback?next=home"
        })
}

/// Strict verifiers see a secret and a callback that need escaping. The libraries as they come decode parameters
/// twice: Authlib all of them, oauthlib those in query and form, where it refuses its own signatures by
/// PLAINTEXT too.
fn client(verifier: &Peer) -> Account {
    if is_strict(verifier) { Account::well_known() } else { Account::plain() }
}

fn is_strict(verifier: &Peer) -> bool {
    STRICT.iter().any(|strict| std::ptr::eq(strict, verifier))
}

/// All three legs.
async fn log_in(flow: &Flow) -> Result<AccessToken, Error> {
    let request_token = flow.fetch_request_token().await?;
    let callback = authorize(flow, &request_token).await;
    let response = flow.parse_authorization_response(&request_token, &callback)?;
    let access_token = flow.fetch_access_token(&request_token, response).await?;
    assert_ne!(access_token.token(), request_token.token());
    Ok(access_token)
}

/// Opens the authorization page, on which the user always agrees, and returns where it sends the browser.
async fn authorize(flow: &Flow, request_token: &RequestToken) -> String {
    let url = flow.authorization_url(request_token, &[]).expect("a URL");
    let page = send_bare(HttpMethod::GET, &url, &[], "").await;
    assert_eq!(page.status, StatusCode::FOUND, "{:?}", page.body);
    page.headers[LOCATION].to_str().expect("a URL").to_owned()
}

/// A form, so that it can be signed in every placement.
fn photo() -> Draft {
    Draft {
        method: HttpMethod::POST,
        target: "/photos?size=original".to_owned(),
        content_type: Some("application/x-www-form-urlencoded"),
        body: Bytes::from_static(b"title=a+b&tag=%C3%A9"),
    }
}
