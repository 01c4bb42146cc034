//! `reqwest::Client` inside of both layers, and as the HTTP client of grants: `tower_oauth::adapter::Reqwest`.

use std::collections::BTreeMap;
use std::convert::Infallible;

use axum::Json;
use axum::body::Body as AxumBody;
use axum::http::Request as AxumRequest;
use axum::response::Redirect;
use axum::routing::get;
use bytes::Bytes;
use http::Request;
use http::Response;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use http_body_util::BodyExt;
use reqwest::Body;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tower::BoxError;
use tower::Service;
use tower::ServiceBuilder;
use tower::ServiceExt;
use tower_http::follow_redirect::FollowRedirectLayer;
use tower_oauth::ClientAuth;
use tower_oauth::ClientCredentials;
use tower_oauth::Error;
use tower_oauth::ErrorKind;
use tower_oauth::OAuth1Layer;
use tower_oauth::OAuth2Layer;
use tower_oauth::Origins;
use tower_oauth::TokenKey;
use tower_oauth::TokenManager;
use tower_oauth::adapter::NormalizeUri;
use tower_oauth::adapter::NormalizeUriLayer;
use tower_oauth::adapter::Reqwest;
use tower_oauth::body::Buffered;
use tower_oauth::oauth1::Placement;
use tower_oauth::oauth1::flow::Endpoints;
use tower_oauth::oauth1::flow::Flow;
use tower_oauth_stacks::loopback::Server;
use tower_oauth_stacks::stage::LIFETIME;
use tower_oauth_stacks::stage::Stage;
use tower_oauth_stacks::stage::credentials;

/// Paths and queries that reqwest rewrites, and what it sends in their place.
const ODD: [(&str, &str); 7] = [
    ("/a/../oauth1/resource", "/oauth1/resource"),
    ("/oauth1/x/%2e%2e/resource/%2E", "/oauth1/resource/"),
    (r"/oauth1\resource\b", "/oauth1/resource/b"),
    ("/oauth1/resource/{id}?{id}=1", "/oauth1/resource/%7Bid%7D?{id}=1"),
    ("/oauth1/resource/caf\u{e9}?q=caf\u{e9}", "/oauth1/resource/caf%C3%A9?q=caf%C3%A9"),
    ("/oauth1/resource?q='x'&r=%27y%27", "/oauth1/resource?q=%27x%27&r=%27y%27"),
    ("/oauth1/resource/%7Eme?b=2&a=+%20", "/oauth1/resource/%7Eme?b=2&a=+%20"),
];

fn http() -> Reqwest {
    Reqwest::new(reqwest::Client::builder()).unwrap()
}

fn request(url: &str) -> Request<Body> {
    Request::get(url).body(Body::default()).unwrap()
}

fn form(url: &str, body: &'static str) -> Request<Body> {
    let post = Request::post(url).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    post.body(Body::from(body)).unwrap()
}

async fn status<S>(service: &S, request: Request<Body>) -> StatusCode
where
    S: Service<Request<Body>, Response = Response<Body>, Error = BoxError> + Clone,
{
    service.clone().oneshot(request).await.unwrap().status()
}

async fn failure<S>(service: &S, request: Request<Body>) -> Error
where
    S: Service<Request<Body>, Response = Response<Body>, Error = BoxError> + Clone,
{
    let error = service.clone().oneshot(request).await.unwrap_err();
    Error::find(&*error).expect("an error of ours").clone()
}

/// The path and query of each request that reached the server.
fn targets(server: &Server) -> Vec<String> {
    server.seen("/").iter().map(|seen| seen.uri.to_string()).collect()
}

#[tokio::test]
async fn what_is_signed_is_what_is_sent_however_the_url_is_written() {
    for placement in [Placement::Header, Placement::Query] {
        let stage = Stage::new().await;
        let api = http().layered(stage.oauth1().placement(placement));
        for (written, sent) in ODD {
            assert_eq!(status(&api, request(&stage.server.url(written))).await, 200, "{written}");
            let target = targets(&stage.server).pop().unwrap();
            assert!(target.starts_with(sent), "{written}: {target}");
        }
        let stats = stage.provider.stats();
        assert_eq!(stats.oauth1.verified, u64::try_from(ODD.len()).unwrap());
        assert_eq!(stats.oauth1.wrong_signatures, 0);
    }
}

#[tokio::test]
async fn forms_are_signed_with_the_url_as_it_is_sent() {
    let stage = Stage::new().await;
    for placement in [Placement::Header, Placement::Form] {
        let api = http().layered(stage.oauth1().placement(placement));
        let url = stage.server.url("/a/../oauth1/resource/{id}?q='x'");
        assert_eq!(status(&api, form(&url, "status=Hello+%2B+{world}")).await, 200);
    }
    assert_eq!(stage.provider.stats().oauth1.verified, 2);
}

#[tokio::test]
async fn the_port_of_the_scheme_and_capitals_in_the_host_are_not_sent() {
    let stage = Stage::new().await;
    // A name that leads to the server's port as long as the URL names none.
    let builder = reqwest::Client::builder().no_proxy().resolve("api.test", stage.server.address());
    let layer = OAuth1Layer::new(Origins::one("http://api.test").unwrap(), credentials());
    let layer = layer.clock(stage.clock.clone()).dangerously_allow_http();
    let api = Reqwest::new(builder).unwrap().layered(layer);
    for url in ["http://api.test:80/oauth1/resource", "http://API.Test/oauth1/resource"] {
        assert_eq!(status(&api, request(url)).await, 200, "{url}");
        let seen = stage.server.seen("/").pop().unwrap();
        assert_eq!(seen.headers["host"], "api.test");
    }
    assert_eq!(stage.provider.stats().oauth1.verified, 2);
}

#[tokio::test]
async fn a_signed_request_that_would_be_changed_is_not_sent() {
    let stage = Stage::new().await;
    let without = ServiceBuilder::new().layer(stage.oauth1()).service(http());
    let inside = ServiceBuilder::new().layer(stage.oauth1()).layer(NormalizeUriLayer::new()).service(http());
    for (written, _) in ODD.iter().take(6) {
        let error = failure(&without, request(&stage.server.url(written))).await;
        assert_eq!(error.kind(), ErrorKind::InvalidUri, "{error}");
        let error = failure(&inside, request(&stage.server.url(written))).await;
        assert_eq!(error.kind(), ErrorKind::InvalidUri, "{error}");
        assert!(error.to_string().contains("outside of the layer that signs"), "{error}");
    }
    assert_eq!(status(&without, request(&stage.server.url("/oauth1/resource"))).await, 200);
    assert_eq!(targets(&stage.server), ["/oauth1/resource"]);
}

#[tokio::test]
async fn a_host_that_reqwest_reads_as_another_one_gets_no_token() {
    let stage = Stage::new().await;
    // As it is written, the host is on the list; as it is sent, it is 127.0.0.1.
    let port = stage.server.address().port();
    let origins = Origins::one(&format!("http://127.1:{port}")).unwrap();
    let layer = OAuth2Layer::with_manager(origins, stage.manager()).dangerously_allow_http();
    let url = format!("http://127.1:{port}/resource");
    let error = failure(&http().layered(layer.clone()), request(&url)).await;
    assert_eq!(error.kind(), ErrorKind::ForeignOrigin);
    let error = failure(&ServiceBuilder::new().layer(layer).service(http()), request(&url)).await;
    assert_eq!(error.kind(), ErrorKind::InvalidUri);
    assert_eq!(stage.server.seen("/resource").len(), 0);
}

#[tokio::test]
async fn a_user_name_in_the_url_does_not_become_an_authorization() {
    let stage = Stage::new().await;
    let url = stage.server.url("/resource").replace("http://", "http://user:hush@");
    let api = http().layered(stage.oauth2());
    let error = failure(&api, request(&url)).await;
    assert_eq!(error.kind(), ErrorKind::InvalidUri);
    assert!(!format!("{error} {error:?}").contains("hush"), "{error:?}");
    // reqwest's own methods take it out of the URL; the token replaces it.
    let built = reqwest::Client::new().get(url).build().unwrap();
    assert_eq!(status(&api, built.try_into().unwrap()).await, 200);
    assert!(stage.server.authorizations("/resource")[0].starts_with("Bearer "));
}

#[tokio::test]
async fn a_token_is_fetched_and_renewed_through_reqwest_while_requests_go_on() {
    let stage = Stage::new().await;
    let auth = ClientAuth::basic("test-client", "test-secret");
    let grant = ClientCredentials::new(&stage.server.url("/token"), auth, http()).unwrap();
    let manager = TokenManager::builder(grant).clock(stage.clock.clone()).build();
    let layer = OAuth2Layer::with_manager(stage.origins(), manager).body_policy(Buffered::default());
    let api = http().layered(layer);
    let url = stage.server.url("/resource/{id}");
    assert_eq!(status(&api, request(&url)).await, 200);
    assert_eq!(status(&api, request(&url)).await, 200);
    stage.clock.advance(LIFETIME);
    assert_eq!(status(&api, form(&url, "a=1")).await, 200);
    let stats = stage.provider.stats();
    assert_eq!((stats.token_requests, stats.resource.valid, stats.resource.expired), (2, 3, 0));

    // Revoked behind our back: refused, renewed, and sent again.
    stage.provider.revoke_all_access_tokens();
    assert_eq!(status(&api, form(&url, "a=1")).await, 200);
    let stats = stage.provider.stats();
    assert_eq!((stats.token_requests, stats.resource.valid, stats.resource.revoked), (3, 4, 1));
}

#[tokio::test]
async fn without_a_body_policy_a_refusal_is_delivered_and_the_next_request_has_a_new_token() {
    let stage = Stage::new().await;
    let api = http().layered(stage.oauth2());
    let url = stage.server.url("/resource");
    assert_eq!(status(&api, request(&url)).await, 200);
    stage.provider.revoke_all_access_tokens();
    assert_eq!(status(&api, request(&url)).await, 401);
    assert_eq!(status(&api, request(&url)).await, 200);
}

#[tokio::test]
async fn many_users_have_a_token_each() {
    let stage = Stage::new().await;
    let api = http().layered(stage.oauth2().key_per_request());
    let client = reqwest::Client::new();
    for user in ["alice", "bob", "alice"] {
        let request = client.get(stage.server.url("/resource")).build().unwrap();
        let mut request = Request::<Body>::try_from(request).unwrap();
        request.extensions_mut().insert(TokenKey::new(user));
        assert_eq!(status(&api, request).await, 200);
    }
    let sent = stage.server.authorizations("/resource");
    assert!(sent[0] == sent[2] && sent[0] != sent[1]);
    let error = failure(&api, request(&stage.server.url("/resource"))).await;
    assert_eq!(error.kind(), ErrorKind::MissingTokenKey);
}

#[tokio::test]
async fn requests_and_responses_are_those_that_users_of_reqwest_know() {
    let stage = Stage::new().await;
    let api = http().layered(stage.oauth2());
    let order = BTreeMap::from([("article", "tea")]);
    let post = reqwest::Client::new().post(stage.server.url("/resource/a/../orders?key=hush")).json(&order);
    let response = api.clone().oneshot(post.build().unwrap().try_into().unwrap()).await.unwrap();
    let response = reqwest::Response::from(response);
    assert_eq!(response.url().as_str(), stage.server.url("/resource/orders"), "but for the query");
    let seen: Value = response.json().await.unwrap();
    assert_eq!((&seen["method"], &seen["path"]), (&"POST".into(), &"/resource/orders".into()));
    assert_eq!(seen["body_length"], 17);

    let missing = reqwest::Client::new().get(stage.server.url("/nothing?key=hush")).build().unwrap();
    let response = reqwest::Response::from(api.oneshot(missing.try_into().unwrap()).await.unwrap());
    let error = response.error_for_status().unwrap_err().to_string();
    assert!(error.contains("404") && error.contains("/nothing") && !error.contains("hush"), "{error}");
}

#[tokio::test]
async fn bodies_stream_both_ways_at_the_same_time() {
    let echo = tower::service_fn(|request: Request<hyper::body::Incoming>| async move {
        Ok::<_, Infallible>(Response::new(request.into_body()))
    });
    let server = Server::start(echo, false).await;
    let layer = OAuth1Layer::new(Origins::one(&server.origin()).unwrap(), credentials());
    let api = http().layered(layer);
    let (sender, receiver) = mpsc::channel::<Result<Bytes, Infallible>>(1);
    let upload = Request::post(server.url("/echo")).body(Body::wrap_stream(ReceiverStream::new(receiver)));
    sender.send(Ok("first".into())).await.unwrap();
    let mut response = api.oneshot(upload.unwrap()).await.unwrap();
    assert!(server.authorizations("/echo")[0].starts_with("OAuth "));
    let mut frame =
        async || response.body_mut().frame().await.map(|frame| frame.unwrap().into_data().unwrap());
    assert_eq!(frame().await.unwrap(), "first");
    // Only now, with the response half read, is there more of the request.
    sender.send(Ok("second".into())).await.unwrap();
    assert_eq!(frame().await.unwrap(), "second");
    drop(sender);
    assert_eq!(frame().await, None);
}

/// A server that redirects `/start` to `target`, and answers with JSON elsewhere.
async fn redirecting(target: String) -> Server {
    let app = axum::Router::new()
        .route("/start", get(async move || Redirect::temporary(&target)).post(async || Redirect::to("/end")))
        .route("/end", get(async |request: AxumRequest<AxumBody>| Json(request.uri().to_string())));
    Server::start(app.into_service(), false).await
}

#[tokio::test]
async fn redirects_are_followed_outside_of_the_layer_where_each_hop_is_signed() {
    let stage = Stage::new().await;
    let server = redirecting(stage.server.url("/oauth1/x/../resource/{id}")).await;
    let origins = Origins::several([server.origin(), stage.server.origin()]).unwrap();
    let layer = OAuth1Layer::new(origins, credentials()).clock(stage.clock.clone());
    let api = http().layered(layer);
    let response = api.clone().oneshot(request(&server.url("/start"))).await.unwrap();
    assert_eq!(response.status(), 307);

    let following = ServiceBuilder::new().layer(FollowRedirectLayer::new()).service(api);
    assert_eq!(status(&following, request(&server.url("/start"))).await, 200);
    assert_eq!(stage.provider.stats().oauth1.verified, 1);
    assert_eq!(targets(&stage.server), ["/oauth1/resource/%7Bid%7D"]);
    let nonce = |server: &Server, path, hop: usize| {
        server.seen(path)[hop].parameter("oauth_nonce").expect("a signature").to_owned()
    };
    assert_ne!(nonce(&server, "/start", 1), nonce(&stage.server, "/", 0));
}

#[tokio::test]
async fn a_client_that_follows_redirects_itself_is_found_out() {
    let server = redirecting("/end?key=hush".to_owned()).await;
    let layer = || OAuth1Layer::new(Origins::one(&server.origin()).unwrap(), credentials());
    let follows = Reqwest::dangerously_from_client(reqwest::Client::new()).layered(layer());
    for request in [request(&server.url("/start?key=hush")), form(&server.url("/start"), "a=1")] {
        let error = failure(&follows, request).await;
        assert_eq!(error.kind(), ErrorKind::RedirectFollowed);
        let text = format!("{error} {error:?}");
        assert!(text.contains("/end") && text.contains("Reqwest::new") && !text.contains("hush"), "{text}");
    }
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let stays = Reqwest::dangerously_from_client(client).layered(layer());
    assert_eq!(status(&stays, request(&server.url("/start"))).await, 307);

    let strict = reqwest::Client::builder().redirect(reqwest::redirect::Policy::limited(0)).build().unwrap();
    let strict = Reqwest::dangerously_from_client(strict).layered(layer());
    let error = failure(&strict, request(&server.url("/start?key=hush"))).await;
    assert_eq!(error.kind(), ErrorKind::RedirectFollowed);
    assert!(!format!("{error} {error:?}").contains("hush"), "{error:?}");
    // `Reqwest::new` turns them off, whatever was set.
    let builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::limited(5));
    let api = Reqwest::new(builder).unwrap().layered(layer());
    assert_eq!(status(&api, request(&server.url("/start"))).await, 307);
}

#[tokio::test]
async fn an_endpoint_that_reqwest_would_rewrite_is_an_error_of_the_configuration() {
    let stage = Stage::new().await;
    let auth = || ClientAuth::basic("test-client", "test-secret");
    let odd = stage.server.url("/x/../token");
    let manager = TokenManager::builder(ClientCredentials::new(&odd, auth(), http()).unwrap()).build();
    let error = manager.token(&TokenKey::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidUri);
    assert!(!error.is_transient());
    assert_eq!(targets(&stage.server), [""; 0]);

    let normal = ClientCredentials::new(&odd, auth(), NormalizeUri::new(http())).unwrap();
    TokenManager::builder(normal).build().token(&TokenKey::default()).await.unwrap();
    assert_eq!(targets(&stage.server), ["/token"]);
}

#[tokio::test]
async fn the_legs_of_oauth_1_go_through_reqwest() {
    let stage = Stage::new().await;
    let [initiate, authorize, token] =
        ["/oauth1/initiate", "/oauth1/authorize", "/oauth1/token"].map(|path| stage.server.url(path));
    let endpoints = Endpoints::new(&initiate, &authorize, &token).unwrap();
    let flow = Flow::new("consumer-key", "consumer-secret", endpoints, http()).clock(stage.clock.clone());
    let request_token = flow.fetch_request_token().await.unwrap();
    assert!(!request_token.token().expose().is_empty());
    assert_eq!(stage.provider.stats().oauth1.verified, 1);
}
