//! `OAuth1Layer` against verifiers that know nothing of it: oauthlib and Authlib, over real HTTP.
//!
//! `PEER_SEED` in the environment repeats a run, `PEER_REQUESTS` sets the number of random requests.

use std::sync::LazyLock;
use std::time::Duration;
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
use tower::util::MapRequestLayer;
use tower_oauth::Clock;
use tower_oauth::Credentials;
use tower_oauth::OAuth1Layer;
use tower_oauth::Origins;
use tower_oauth::oauth1::HmacSha1;
use tower_oauth::oauth1::HmacSha256;
use tower_oauth::oauth1::HmacSha512;
use tower_oauth::oauth1::Placement;
use tower_oauth::oauth1::Plaintext;
use tower_oauth_peers::dice::Dice;
use tower_oauth_peers::http_client::Answer;
use tower_oauth_peers::http_client::http_client;
use tower_oauth_peers::oauth1;
use tower_oauth_peers::oauth1::Account;
use tower_oauth_peers::oauth1::Report;
use tower_oauth_peers::process::Peer;
use tower_oauth_peers::requests;
use tower_oauth_peers::requests::Draft;

static STRICT: LazyLock<[Peer; 2]> = LazyLock::new(|| [oauth1::strict_oauthlib(), oauth1::strict_authlib()]);
static AS_THEY_COME: LazyLock<[Peer; 2]> = LazyLock::new(|| [oauth1::oauthlib(), oauth1::authlib()]);

/// How many random requests each pair of verifiers gets, unless `PEER_REQUESTS` says otherwise.
const REQUESTS: usize = 600;

/// Random accounts among which the random requests are shared out.
const ACCOUNTS: usize = 12;

#[tokio::test]
async fn every_odd_request_satisfies_both_strict_verifiers() {
    let mut dice = Dice::for_test("odd requests");
    let mut accounts = vec![Account::well_known(), Account::well_known().two_legged()];
    for number in 0..ACCOUNTS {
        let account = requests::odd_account(&mut dice, number);
        for verifier in &*STRICT {
            account.register(verifier).await;
        }
        accounts.push(account);
    }
    random_requests(&*STRICT, &accounts, dice, requests::odd).await;
}

#[tokio::test]
async fn every_ordinary_request_satisfies_both_libraries_as_they_come() {
    let dice = Dice::for_test("ordinary requests");
    let accounts = [Account::well_known(), Account::well_known().two_legged()];
    random_requests(&*AS_THEY_COME, &accounts, dice, requests::ordinary).await;
}

/// Sends each request to each verifier and fails with the first few that were refused or changed on the way.
async fn random_requests(
    verifiers: &[Peer],
    accounts: &[Account],
    mut dice: Dice,
    draw: impl Fn(&mut Dice, &Account) -> Draft,
) {
    let count = match std::env::var("PEER_REQUESTS") {
        Ok(number) => number.parse().expect("PEER_REQUESTS is a number"),
        Err(_) => REQUESTS,
    };
    let http = http_client();
    let mut failures = Vec::new();
    for number in 0..count {
        let account = &accounts[dice.below(accounts.len())];
        let draft = draw(&mut dice, account);
        for verifier in verifiers {
            let service = layer(verifier, account).layer(http.clone());
            let report = send(verifier, service, &draft).await;
            let problem = match draft.changed_on_the_way(&report) {
                _ if !report.is_accepted() => "refused".to_owned(),
                Some(change) => change,
                None => continue,
            };
            failures.push(format!("request {number}, {}: {problem}\n{draft:?}\n{report}", verifier.name()));
        }
    }
    println!("{count} requests to each of {} verifiers", verifiers.len());
    let shown = failures.iter().take(3).cloned().collect::<Vec<_>>().join("\n\n");
    assert!(failures.is_empty(), "{} of {count} requests failed; the first:\n\n{shown}", failures.len());
}

#[tokio::test]
async fn every_signature_method_satisfies_both_strict_verifiers_in_every_placement() {
    let mut dice = Dice::for_test("methods and placements");
    let methods: [fn(OAuth1Layer) -> OAuth1Layer; 4] = [
        |layer| layer.signature_method(HmacSha1),
        |layer| layer.signature_method(HmacSha256),
        |layer| layer.signature_method(HmacSha512),
        |layer| layer.signature_method(Plaintext),
    ];
    let account = requests::odd_account(&mut dice, 0);
    for verifier in &*STRICT {
        account.register(verifier).await;
        for method in methods {
            for placement in [Placement::Header, Placement::Query, Placement::Form] {
                let service = method(layer(verifier, &account)).placement(placement).layer(http_client());
                let draft = requests::odd_form_request(&mut dice, &account);
                let report = send(verifier, service, &draft).await;
                assert!(report.is_accepted(), "{}, {placement:?}: {draft:?}\n{report}", verifier.name());
            }
        }
    }
}

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
async fn wrong_secrets_are_refused() {
    let mut wrong_client = Account::well_known();
    wrong_client.client_secret.push('x');
    let mut wrong_token = Account::well_known();
    wrong_token.token = wrong_token.token.map(|(token, secret)| (token, secret + "x"));
    for verifier in all() {
        for account in [&wrong_client, &wrong_token] {
            let report = send(verifier, layer(verifier, account).layer(http_client()), &get("/a")).await;
            assert!(report.is_refused_for("signature"), "{}: {report}", verifier.name());
        }
    }
}

#[tokio::test]
async fn a_changed_query_is_refused() {
    let change = |mut request: Request<Full<Bytes>>| {
        let uri = request.uri().to_string().replace("amount=1", "amount=2");
        *request.uri_mut() = uri.parse().expect("a URI");
        request
    };
    for verifier in all() {
        let changed = MapRequestLayer::new(change).layer(http_client());
        let service = layer(verifier, &Account::well_known()).layer(changed);
        let report = send(verifier, service, &get("/a?amount=1")).await;
        assert!(report.is_refused_for("signature"), "{}: {report}", verifier.name());
    }
}

#[tokio::test]
async fn a_changed_form_is_refused() {
    let form = Draft {
        method: Method::POST,
        target: "/a".to_owned(),
        content_type: Some("application/x-www-form-urlencoded"),
        body: Bytes::from_static(b"amount=1"),
    };
    let change = |request: Request<Full<Bytes>>| request.map(|_| Full::from("amount=2"));
    for verifier in all() {
        let changed = MapRequestLayer::new(change).layer(http_client());
        let service = layer(verifier, &Account::well_known()).layer(changed);
        let report = send(verifier, service, &form).await;
        assert!(report.is_refused_for("signature"), "{}: {report}", verifier.name());
    }
}

#[tokio::test]
async fn a_request_is_good_once() {
    for verifier in all() {
        let now = SystemTime::now();
        let layer =
            layer(verifier, &Account::well_known()).clock(Fixed(now)).nonce_fn(|| "the same".to_owned());
        let service = layer.layer(http_client());
        let first = send(verifier, service.clone(), &get("/once")).await;
        assert!(first.is_accepted(), "{}: {first}", verifier.name());
        let second = send(verifier, service, &get("/once")).await;
        assert!(second.is_refused_for("nonce"), "{}: {second}", verifier.name());
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

#[tokio::test]
async fn a_timestamp_of_an_hour_ago_is_refused() {
    for verifier in all() {
        let hour_ago = SystemTime::now() - Duration::from_secs(3600);
        let layer = layer(verifier, &Account::well_known()).clock(Fixed(hour_ago));
        let report = send(verifier, layer.layer(http_client()), &get("/late")).await;
        assert!(report.is_refused_for("timestamp"), "{}: {report}", verifier.name());
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
