//! `OAuth1Layer` and the three legs against verifiers that know nothing of them: oauthlib and Authlib, over
//! real HTTP.

mod random;
mod refusals;
mod signatures;
mod three_legs;

use std::sync::LazyLock;
use std::time::SystemTime;

use bytes::Bytes;
use http::Method;
use http::Request;
use http::Response;
use http_body_util::Full;
use tower::BoxError;
use tower::Layer;
use tower::Service;
use tower::ServiceExt;
use tower_oauth::Clock;
use tower_oauth::Credentials;
use tower_oauth::OAuth1Layer;
use tower_oauth::Origins;
use tower_oauth_peers::http_client::Answer;
use tower_oauth_peers::http_client::http_client;
use tower_oauth_peers::oauth1;
use tower_oauth_peers::oauth1::Account;
use tower_oauth_peers::oauth1::Report;
use tower_oauth_peers::process::Peer;
use tower_oauth_peers::requests::Draft;

static STRICT: LazyLock<[Peer; 2]> = LazyLock::new(|| [oauth1::strict_oauthlib(), oauth1::strict_authlib()]);
static AS_THEY_COME: LazyLock<[Peer; 2]> = LazyLock::new(|| [oauth1::oauthlib(), oauth1::authlib()]);

#[tokio::test]
async fn a_token_and_a_client_alone_are_told_apart() {
    for verifier in all() {
        let account = Account::well_known();
        let with_token = send(verifier, layer(verifier, &account).layer(http_client()), &get("/a")).await;
        assert_eq!(with_token.parameter("oauth_token"), Some("token-key"), "{with_token}");
        let alone = layer(verifier, &account.two_legged()).layer(http_client());
        let without = send(verifier, alone, &get("/two-legged/a")).await;
        assert!(without.is_accepted(), "{}: {without}", verifier.name());
        assert_eq!(without.parameter("oauth_token"), None, "{without}");
    }
}

#[tokio::test]
async fn a_host_in_capitals_is_signed_in_small_letters() {
    for verifier in &*STRICT {
        let origin = verifier.origin().replace("127.0.0.1", "LocalHost");
        let origins = Origins::one(&origin).expect("an origin");
        let service = OAuth1Layer::new(origins, credentials(&Account::well_known())).layer(http_client());
        let report = send_request(verifier, service, get("/a?b=c").to(&origin)).await;
        assert!(report.is_accepted(), "{}: {report}", verifier.name());
    }
}

#[tokio::test]
async fn two_requests_of_one_second_are_both_good() {
    for verifier in all() {
        let layer = layer(verifier, &Account::well_known()).clock(Fixed(SystemTime::now()));
        let service = layer.layer(http_client());
        for _ in 0..2 {
            let report = send(verifier, service.clone(), &get("/twice")).await;
            assert!(report.is_accepted(), "{}: {report}", verifier.name());
        }
    }
}

/// A clock that stands still.
#[derive(Clone, Copy, Debug)]
struct Fixed(SystemTime);

impl Clock for Fixed {
    fn now(&self) -> SystemTime {
        self.0
    }
}

fn all() -> impl Iterator<Item = &'static Peer> {
    STRICT.iter().chain(&*AS_THEY_COME)
}

fn get(target: &str) -> Draft {
    Draft { method: Method::GET, target: target.to_owned(), content_type: None, body: Bytes::new() }
}

fn credentials(account: &Account) -> Credentials {
    let client = Credentials::new(account.client_key.as_str(), account.client_secret.as_str());
    match &account.token {
        Some((token, secret)) => client.token(token.as_str(), secret.as_str()),
        None => client,
    }
}

fn layer(verifier: &Peer, account: &Account) -> OAuth1Layer {
    let origins = Origins::one(&verifier.origin()).expect("an origin");
    OAuth1Layer::new(origins, credentials(account))
}

async fn send<S, R>(verifier: &Peer, service: S, draft: &Draft) -> Report
where
    S: Service<Request<Full<Bytes>>, Response = Response<R>, Error = BoxError>,
    R: http_body::Body<Data = Bytes>,
    R::Error: std::fmt::Debug,
{
    send_request(verifier, service, draft.to(&verifier.origin())).await
}

async fn send_request<S, R>(verifier: &Peer, service: S, request: Request<Full<Bytes>>) -> Report
where
    S: Service<Request<Full<Bytes>>, Response = Response<R>, Error = BoxError>,
    R: http_body::Body<Data = Bytes>,
    R::Error: std::fmt::Debug,
{
    let response = service.oneshot(request).await.unwrap_or_else(|error| panic!("not sent: {error:?}"));
    Report::of(verifier, &Answer::read(response).await)
}
