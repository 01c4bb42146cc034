//! Both layers on either side of tower's own: it works, and what is different.

use std::collections::HashSet;
use std::future::Ready;
use std::future::ready;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::join_all;
use http::HeaderValue;
use http::Request;
use http::Response;
use http::StatusCode;
use http::Uri;
use http::header::HOST;
use http_body_util::Full;
use hyper::body::Incoming;
use tower::BoxError;
use tower::Service;
use tower::ServiceBuilder;
use tower::ServiceExt;
use tower::balance::p2c::Balance;
use tower::buffer::BufferLayer;
use tower::discover::ServiceList;
use tower::limit::ConcurrencyLimitLayer;
use tower::limit::RateLimitLayer;
use tower::load::CompleteOnResponse;
use tower::load::PendingRequests;
use tower::load_shed::LoadShedLayer;
use tower::load_shed::error::Overloaded;
use tower::retry::Policy;
use tower::retry::RetryLayer;
use tower_oauth::ClientAuth;
use tower_oauth::ClientCredentials;
use tower_oauth::Error;
use tower_oauth::ErrorKind;
use tower_oauth::OAuth1Layer;
use tower_oauth::OAuth2Layer;
use tower_oauth::Origins;
use tower_oauth::TokenKey;
use tower_oauth::body::Buffered;
use tower_oauth::testing::Fault;
use tower_oauth::testing::ManualClock;
use tower_oauth::testing::Provider;
use tower_oauth_stacks::loopback::Server;
use tower_oauth_stacks::loopback::WIRES;
use tower_oauth_stacks::sides;
use tower_oauth_stacks::sides::Api;
use tower_oauth_stacks::sides::boxed;
use tower_oauth_stacks::sides::get;
use tower_oauth_stacks::sides::http;
use tower_oauth_stacks::stage::LIFETIME;
use tower_oauth_stacks::stage::Stage;
use tower_oauth_stacks::stage::credentials;

type Body = Full<Bytes>;

/// Sends a request once more after a 503, when the token has expired meanwhile.
#[derive(Clone)]
struct OnceMore {
    clock: ManualClock,
    left: u32,
}

impl<R> Policy<Request<Body>, Response<R>, BoxError> for OnceMore {
    type Future = Ready<()>;

    fn retry(
        &mut self,
        _: &mut Request<Body>,
        result: &mut Result<Response<R>, BoxError>,
    ) -> Option<Self::Future> {
        let is_busy =
            result.as_ref().is_ok_and(|response| response.status() == StatusCode::SERVICE_UNAVAILABLE);
        (is_busy && self.left > 0).then(|| {
            self.left -= 1;
            self.clock.advance(LIFETIME);
            ready(())
        })
    }

    fn clone_request(&mut self, request: &Request<Body>) -> Option<Request<Body>> {
        Some(request.clone())
    }
}

#[tokio::test]
async fn inside_of_retries_every_attempt_has_a_fresh_credential_and_outside_it_has_the_old_one() {
    let stage = Stage::new().await;
    let policy = || OnceMore { clock: stage.clock.clone(), left: 1 };
    let retry = || RetryLayer::new(policy());
    let new = ServiceBuilder::new;
    let (oauth2, oauth1) = (stage.oauth2(), stage.oauth1());
    for (name, path, api) in [
        ("OAuth 2 inside", "/resource/a", boxed(new().layer(retry()).layer(oauth2.clone()).service(http()))),
        ("OAuth 2 outside", "/resource/b", boxed(new().layer(oauth2).layer(retry()).service(http()))),
        (
            "OAuth 1 inside",
            "/oauth1/resource/a",
            boxed(new().layer(retry()).layer(oauth1.clone()).service(http())),
        ),
        ("OAuth 1 outside", "/oauth1/resource/b", boxed(new().layer(oauth1).layer(retry()).service(http()))),
    ] {
        stage
            .provider
            .inject(Fault::new().on(path).status(StatusCode::SERVICE_UNAVAILABLE).after_processing());
        let response = api.oneshot(get(stage.server.url(path))).await.unwrap();
        let authorizations = stage.server.authorizations(path);
        assert_eq!(authorizations.len(), 2, "{name}");
        if name.ends_with("inside") {
            assert_eq!(response.status(), StatusCode::OK, "{name}");
            assert_ne!(authorizations[0], authorizations[1], "{name}");
        } else {
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{name}");
            assert_eq!(authorizations[0], authorizations[1], "{name}");
        }
    }
    let stats = stage.provider.stats();
    // What came outside of the retries: an expired token, and a signature with an old timestamp.
    assert_eq!(stats.resource.expired, 1);
    assert_eq!(stats.oauth1.verified, 3);
}

/// `count` requests at once, all of which have to succeed.
async fn all_succeed(name: &str, api: &Api, url: &str, count: usize) {
    let calls: Vec<_> = (0..count).map(|_| tokio::spawn(api.clone().oneshot(get(url)))).collect();
    for response in join_all(calls).await {
        assert_eq!(response.unwrap().unwrap().status(), StatusCode::OK, "{name}");
    }
}

/// The four stacks, those of OAuth 2 with a policy that sends refused requests again.
macro_rules! replaying_sides {
    ($stage:ident, $theirs:expr) => {{
        let new = ServiceBuilder::new;
        let (oauth2, oauth1) = ($stage.oauth2().body_policy(Buffered::default()), $stage.oauth1());
        [
            (
                "OAuth 2 inside",
                "/resource",
                boxed(new().layer($theirs).layer(oauth2.clone()).service(http())),
            ),
            ("OAuth 2 outside", "/resource", boxed(new().layer(oauth2).layer($theirs).service(http()))),
            (
                "OAuth 1 inside",
                "/oauth1/resource",
                boxed(new().layer($theirs).layer(oauth1.clone()).service(http())),
            ),
            (
                "OAuth 1 outside",
                "/oauth1/resource",
                boxed(new().layer(oauth1).layer($theirs).service(http())),
            ),
        ]
    }};
}

/// Sixteen requests at once, and sixteen more whose token is refused: each of them is sent twice, or waits for the new token.
async fn all_succeed_before_and_after_a_refusal(stage: &Stage, sides: [(&str, &str, Api); 4]) {
    for (name, path, api) in sides {
        let url = stage.server.url(path);
        all_succeed(name, &api, &url, 16).await;
        stage.provider.revoke_all_access_tokens();
        all_succeed(name, &api, &url, 16).await;
    }
    let stats = stage.provider.stats();
    assert_eq!((stats.resource.valid, stats.oauth1.verified, stats.oauth1.replayed_nonces), (64, 64, 0));
    assert!(stats.resource.revoked > 0);
    // Three: the two OAuth 2 stacks share one manager.
    assert_eq!(stats.token_requests, 3);
}

#[tokio::test]
async fn a_buffer_of_one_is_enough_on_either_side() {
    let stage = Stage::new().await;
    let sides = replaying_sides!(stage, BufferLayer::new(1));
    all_succeed_before_and_after_a_refusal(&stage, sides).await;
}

#[tokio::test]
async fn a_limit_of_one_request_at_once_is_enough_on_either_side() {
    let stage = Stage::new().await;
    let sides = replaying_sides!(stage, ConcurrencyLimitLayer::new(1));
    all_succeed_before_and_after_a_refusal(&stage, sides).await;
}

#[tokio::test]
async fn our_errors_come_through_a_buffer() {
    let stage = Stage::new().await;
    for side in sides!(stage, BufferLayer::new(8)) {
        let mut request = get(stage.server.url(side.path));
        request.extensions_mut().insert(TokenKey::new("somebody"));
        let error = side.api.oneshot(request).await.map(|_| ()).unwrap_err();
        assert_eq!(
            Error::find(error.as_ref()).unwrap().kind(),
            ErrorKind::UnexpectedTokenKey,
            "{}",
            side.name
        );
    }
}

#[tokio::test]
async fn a_request_that_waits_for_a_token_takes_its_place_in_a_limit_on_either_side() {
    let new = ServiceBuilder::new;
    for is_outside in [false, true] {
        let stage = Stage::new().await;
        let (ours, theirs) = (stage.oauth2(), ConcurrencyLimitLayer::new(1));
        let api = if is_outside {
            boxed(new().layer(ours).layer(theirs).service(http()))
        } else {
            boxed(new().layer(theirs).layer(ours).service(http()))
        };
        let hold = stage.provider.hold("/token");
        let call = tokio::spawn(api.clone().oneshot(get(stage.server.url("/resource"))));
        hold.until_waiting(1).await;
        // tower asks a service whether it is ready before it knows the request.
        assert!(api.clone().ready().now_or_never().is_none(), "{is_outside}");
        hold.release();
        assert_eq!(call.await.unwrap().unwrap().status(), StatusCode::OK, "{is_outside}");
        assert!(api.clone().ready().now_or_never().is_some(), "{is_outside}");
    }
}

#[tokio::test]
async fn shed_load_is_an_error_of_tower_on_either_side_and_costs_no_token() {
    let new = ServiceBuilder::new;
    for is_outside in [false, true] {
        let stage = Stage::new().await;
        let ours = stage.oauth2();
        let (shed, limit) = (LoadShedLayer::new(), ConcurrencyLimitLayer::new(1));
        let api = if is_outside {
            boxed(new().layer(ours).layer(shed).layer(limit).service(http()))
        } else {
            boxed(new().layer(shed).layer(limit).layer(ours).service(http()))
        };
        let hold = stage.provider.hold("/resource");
        let call = tokio::spawn(api.clone().oneshot(get(stage.server.url("/resource"))));
        hold.until_waiting(1).await;
        let error = api.clone().oneshot(get(stage.server.url("/resource"))).await.map(|_| ()).unwrap_err();
        assert!(error.is::<Overloaded>(), "{is_outside}: {error}");
        hold.release();
        assert_eq!(call.await.unwrap().unwrap().status(), StatusCode::OK, "{is_outside}");
        assert_eq!(stage.provider.stats().token_requests, 1, "{is_outside}");
    }
    let stage = Stage::new().await;
    for side in sides!(stage, LoadShedLayer::new()) {
        let response = side.api.oneshot(get(stage.server.url(side.path))).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{}", side.name);
    }
}

/// How long it takes, on a clock that jumps, until four requests succeeded of which the second is refused at first, when four
/// may be sent in an hour.
async fn hours_for_four_requests(is_outside: bool) -> u64 {
    let provider = Provider::new();
    let auth = ClientAuth::basic("test-client", "test-secret");
    let grant = ClientCredentials::new("http://localhost/token", auth, provider.client()).unwrap();
    let ours =
        OAuth2Layer::new(Origins::one("http://localhost").unwrap(), grant).body_policy(Buffered::default());
    // A rate limit is not `Clone`: a buffer goes around it.
    let theirs = ServiceBuilder::new()
        .layer(BufferLayer::new(8))
        .layer(RateLimitLayer::new(4, Duration::from_secs(3600)))
        .into_inner();
    let new = ServiceBuilder::new;
    let api = if is_outside {
        boxed(new().layer(ours).layer(theirs).service(provider.clone()))
    } else {
        boxed(new().layer(theirs).layer(ours).service(provider.clone()))
    };
    let began = tokio::time::Instant::now();
    for number in 1..=4 {
        let response = api.clone().oneshot(get("http://localhost/resource")).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        if number == 1 {
            provider.revoke_all_access_tokens();
        }
    }
    assert_eq!(provider.stats().resource.revoked, 1);
    let sent = provider.stats().requests.iter().filter(|seen| seen.path == "/resource").count();
    assert_eq!(sent, 5);
    began.elapsed().as_secs() / 3600
}

#[tokio::test(start_paused = true)]
async fn a_rate_limit_counts_what_is_sent_again_inside_and_not_outside() {
    assert_eq!(hours_for_four_requests(true).await, 1);
    assert_eq!(hours_for_four_requests(false).await, 0);
}

/// An HTTP client for one of several servers that have one name.
fn endpoint(
    server: &Server,
) -> impl Service<Request<Body>, Response = Response<Incoming>, Error = BoxError, Future: Send> + Send + use<>
{
    let origin = server.origin();
    let client = WIRES[0].client::<Body>().map_err(BoxError::from);
    client.map_request(move |mut request: Request<Body>| {
        let path = request.uri().path_and_query().unwrap().clone();
        *request.uri_mut() = format!("{origin}{path}").parse::<Uri>().unwrap();
        request.headers_mut().insert(HOST, HeaderValue::from_static("api.localhost"));
        request
    })
}

#[tokio::test]
async fn two_endpoints_are_balanced_inside_of_one_signature_and_one_token() {
    let stage = Stage::new().await;
    let other = Server::start(stage.provider.clone(), false).await;
    let balanced = || {
        let endpoints = [&stage.server, &other]
            .map(|server| PendingRequests::new(endpoint(server), CompleteOnResponse::default()));
        // A balancer is not `Clone`: a buffer goes around it.
        ServiceBuilder::new().layer(BufferLayer::new(64)).service(Balance::new(ServiceList::new(endpoints)))
    };
    let origins = Origins::one("http://api.localhost").unwrap();
    let oauth2 = OAuth2Layer::with_manager(origins.clone(), stage.manager());
    let oauth1 = OAuth1Layer::new(origins, credentials()).clock(stage.clock.clone());
    let api = boxed(ServiceBuilder::new().layer(oauth2).service(balanced()));
    all_succeed("OAuth 2", &api, "http://api.localhost/resource", 64).await;
    let api = boxed(ServiceBuilder::new().layer(oauth1).service(balanced()));
    all_succeed("OAuth 1", &api, "http://api.localhost/oauth1/resource", 64).await;

    let stats = stage.provider.stats();
    assert_eq!((stats.token_requests, stats.resource.valid), (1, 64));
    assert_eq!((stats.oauth1.verified, stats.oauth1.replayed_nonces), (64, 0));
    let [here, there] = [&stage.server, &other].map(|server| server.seen("/oauth1/resource"));
    assert!(!here.is_empty() && !there.is_empty(), "{} and {}", here.len(), there.len());
    let nonces: HashSet<_> =
        here.iter().chain(&there).map(|seen| seen.parameter("oauth_nonce").unwrap().to_owned()).collect();
    assert_eq!(nonces.len(), 64);
}

#[tokio::test]
async fn endpoints_that_authorize_for_themselves_share_one_manager_inside_of_a_balancer() {
    let stage = Stage::new().await;
    let other = Server::start(stage.provider.clone(), false).await;
    let manager = stage.manager();
    let endpoints = [&stage.server, &other].map(|server| {
        let layer = OAuth2Layer::with_manager(Origins::one("http://api.localhost").unwrap(), manager.clone());
        // Readiness, and so the load, is that of the client inside.
        let http = ServiceBuilder::new().layer(BufferLayer::new(64)).service(endpoint(server));
        PendingRequests::new(ServiceBuilder::new().layer(layer).service(http), CompleteOnResponse::default())
    });
    let balanced = Balance::new(ServiceList::new(endpoints));
    let api = boxed(ServiceBuilder::new().layer(BufferLayer::new(64)).service(balanced));
    all_succeed("balanced", &api, "http://api.localhost/resource", 64).await;
    stage.clock.advance(LIFETIME);
    all_succeed("balanced", &api, "http://api.localhost/resource", 64).await;
    let stats = stage.provider.stats();
    assert_eq!((stats.token_requests, stats.resource.valid, stats.resource.expired), (2, 128, 0));
    assert!([&stage.server, &other].iter().all(|server| !server.seen("/resource").is_empty()));
}
