//! The layered client in the state of an axum proxy. The proxy is that of the example `axum_proxy`, with both layers.

// The files of the example; not all that they offer is used here.
#[allow(dead_code)]
#[path = "../../../examples/sdks/src/bin/axum_proxy/app.rs"]
mod app;
#[allow(dead_code)]
#[path = "../../../examples/sdks/src/bin/axum_proxy/forwarding.rs"]
mod forwarding;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use std::time::SystemTime;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::routing::any;
use bytes::Bytes;
use futures_util::StreamExt;
use http::Response;
use http::StatusCode;
use http::header::AUTHORIZATION;
use http::header::CONTENT_LENGTH;
use http_body_util::BodyExt;
use hyper_util::client::legacy;
use tokio::sync::Mutex;
use tokio::sync::Semaphore;
use tokio::sync::mpsc;
use tokio::sync::mpsc::Receiver;
use tokio::sync::mpsc::Sender;
use tokio_stream::wrappers::ReceiverStream;
use tower::Service;
use tower::ServiceBuilder;
use tower::ServiceExt;
use tower::util::BoxCloneSyncService;
use tower_oauth::ClientAuth;
use tower_oauth::Credentials;
use tower_oauth::OAuth1Layer;
use tower_oauth::OAuth2Layer;
use tower_oauth::Origins;
use tower_oauth::Secret;
use tower_oauth::Token;
use tower_oauth::TokenKey;
use tower_oauth::TokenManager;
use tower_oauth::body::FromBytes;
use tower_oauth::grant::RefreshToken;
use tower_oauth::oauth1::credential_source_fn;
use tower_oauth::testing::Fault;
use tower_oauth_stacks::loopback::Server;
use tower_oauth_stacks::loopback::WIRES;
use tower_oauth_stacks::stage::LIFETIME;
use tower_oauth_stacks::stage::Stage;
use tower_oauth_stacks::stage::credentials;

use crate::app::Client;
use crate::app::Proxy;
use crate::forwarding::Upstream;

const BODY_LIMIT: usize = 1024;

/// hyper-util's client, with axum's body in both directions.
fn http() -> impl Service<Request, Response = Response<Body>, Error = legacy::Error, Future: Send>
+ Clone
+ Send
+ Sync
+ 'static {
    WIRES[0].client::<Body>().map_response(|response: Response<_>| response.map(Body::new))
}

/// A manager that knows a login of Alice and one of Bob.
async fn logged_in(stage: &Stage, wait: Duration) -> TokenManager {
    let auth = ClientAuth::basic("test-client", "test-secret");
    let grant = RefreshToken::new(&stage.server.url("/token"), auth, stage.client()).unwrap();
    let manager = TokenManager::builder(grant).clock(stage.clock.clone()).wait_timeout(wait).build();
    for name in ["alice", "bob"] {
        let login = stage.provider.issue("test-client", &format!("orders:{name}"));
        let token = Token::new("none-yet").with_expires_at(SystemTime::UNIX_EPOCH);
        manager.put(&TokenKey::new(name), token.with_refresh_token(login.refresh_token)).await.unwrap();
    }
    manager
}

fn oauth2(manager: TokenManager, upstream: &str) -> Client {
    let origins = Origins::one(upstream).unwrap();
    let layer = OAuth2Layer::with_manager(origins, manager).key_per_request().body_policy(FromBytes);
    BoxCloneSyncService::new(ServiceBuilder::new().layer(layer).service(http()))
}

/// Alice has a token of a user, Bob none.
fn oauth1(stage: &Stage, upstream: &str) -> Client {
    let source = credential_source_fn(|key: TokenKey| async move {
        let alone = Credentials::new("consumer-key", "consumer-secret");
        Ok(if key.as_str() == "alice" { credentials() } else { alone })
    });
    let layer = OAuth1Layer::per_request(Origins::one(upstream).unwrap(), source).clock(stage.clock.clone());
    BoxCloneSyncService::new(ServiceBuilder::new().layer(layer).service(http()))
}

/// The proxy on a port, in front of `upstream`.
async fn proxy(client: Client, upstream: &str, permits: &Arc<Semaphore>) -> Server {
    let keys = ["alice", "bob"].map(|name| (name.to_owned(), Secret::from(format!("key-of-{name}"))));
    let proxy = Proxy {
        client,
        upstream: Upstream::parse(upstream).unwrap(),
        keys: Arc::new(keys.into()),
        permits: Arc::clone(permits),
        body_limit: BODY_LIMIT,
    };
    Server::start(app::router(proxy), false).await
}

fn permits(count: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(count))
}

/// A request of a tenant's caller.
fn request(proxy: &Server, method: &str, path: &str, body: Body) -> Request {
    let tenant = path.split('/').nth(1).unwrap();
    let builder = http::Request::builder().method(method).uri(proxy.url(path));
    builder.header(AUTHORIZATION, format!("Bearer key-of-{tenant}")).body(body).unwrap()
}

async fn send(request: Request) -> (StatusCode, String) {
    let response = WIRES[0].client::<Body>().oneshot(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

async fn get(proxy: &Server, path: &str) -> (StatusCode, String) {
    send(request(proxy, "GET", path, Body::empty())).await
}

#[tokio::test]
async fn each_tenant_gets_a_token_of_its_own_which_is_renewed_in_mid_use() {
    let stage = Stage::new().await;
    let client = oauth2(logged_in(&stage, Duration::from_secs(10)).await, &stage.server.origin());
    let proxy = proxy(client, &stage.server.url("/resource"), &permits(64)).await;
    for round in 1..=2 {
        let calls = (0..16).map(|number| {
            let (name, other) = if number % 2 == 0 { ("alice", "bob") } else { ("bob", "alice") };
            let proxy = &proxy;
            async move {
                let (status, text) = get(proxy, &format!("/{name}/orders")).await;
                assert_eq!(status, StatusCode::OK, "{text}");
                assert!(text.contains(&format!("orders:{name}")) && !text.contains(other), "{text}");
            }
        });
        futures_util::future::join_all(calls).await;
        assert_eq!(stage.provider.stats().refreshes, round * 2);
        stage.clock.advance(LIFETIME);
    }
    let counts = stage.provider.stats().resource;
    assert_eq!((counts.valid, counts.expired), (32, 0));
}

#[tokio::test]
async fn each_tenant_signs_with_credentials_of_its_own() {
    let stage = Stage::new().await;
    let client = oauth1(&stage, &stage.server.origin());
    let proxy = proxy(client, &stage.server.url("/oauth1/resource"), &permits(64)).await;
    let (status, text) = get(&proxy, "/alice/orders?q=caf%C3%A9&q=a+b").await;
    assert_eq!(status, StatusCode::OK, "{text}");
    assert!(text.contains("\"token\":\"token\""), "{text}");
    let (status, text) = get(&proxy, "/bob/orders").await;
    assert_eq!(status, StatusCode::OK, "{text}");
    assert!(text.contains("\"token\":null"), "{text}");
    assert_eq!(stage.provider.stats().oauth1.verified, 2);
}

#[tokio::test]
async fn a_refused_token_is_renewed_and_only_a_request_without_a_body_is_sent_again() {
    let stage = Stage::new().await;
    let client = oauth2(logged_in(&stage, Duration::from_secs(10)).await, &stage.server.origin());
    let proxy = proxy(client, &stage.server.url("/resource"), &permits(64)).await;
    assert_eq!(get(&proxy, "/alice/orders").await.0, StatusCode::OK);
    stage.provider.revoke_all_access_tokens();
    assert_eq!(get(&proxy, "/alice/orders").await.0, StatusCode::OK);
    assert_eq!(stage.provider.stats().resource.revoked, 1);

    stage.provider.revoke_all_access_tokens();
    let post = || request(&proxy, "POST", "/alice/orders", Body::from("a lamp"));
    // What the caller sent was right: the upstream's 401 is not for them.
    assert_eq!(send(post()).await.0, StatusCode::BAD_GATEWAY);
    let (status, text) = send(post()).await;
    assert_eq!(status, StatusCode::OK);
    assert!(text.contains("\"body_length\":6"), "{text}");
}

/// The upstream's end of a conversation: it hands over what it gets piece by piece, and answers what it is told.
struct Conversation {
    got: Receiver<Bytes>,
    answer: Sender<Result<Bytes, Infallible>>,
}

async fn conversing_upstream() -> (Server, Conversation) {
    let (gets, got) = mpsc::channel(1);
    let (answer, answers) = mpsc::channel(1);
    let answers = Arc::new(Mutex::new(Some(answers)));
    let handler = move |request: Request| {
        let (gets, answers) = (gets.clone(), Arc::clone(&answers));
        async move {
            tokio::spawn(async move {
                let mut pieces = request.into_body().into_data_stream();
                while let Some(piece) = pieces.next().await {
                    gets.send(piece.unwrap()).await.unwrap();
                }
            });
            let answers = answers.lock().await.take().expect("one request");
            let body = Body::from_stream(ReceiverStream::new(answers));
            let builder = Response::builder().header("set-cookie", "session=upstream").header("x-kept", "1");
            let builder = builder.header("connection", "x-internal").header("x-internal", "1");
            builder.header("keep-alive", "timeout=5").body(body).unwrap()
        }
    };
    let upstream = Server::start(Router::new().fallback(any(handler)), false).await;
    (upstream, Conversation { got, answer })
}

/// Both directions at once: each piece arrives while those after it do not exist yet.
async fn stream_both_ways(client: Client, upstream: Server, mut conversation: Conversation) {
    let permits = permits(1);
    let proxy = proxy(client, &upstream.origin(), &permits).await;
    let (say, said) = mpsc::channel::<Result<Bytes, Infallible>>(1);
    let body = Body::from_stream(ReceiverStream::new(said));
    let call = tokio::spawn(WIRES[0].client::<Body>().oneshot(request(&proxy, "POST", "/alice/talk", body)));

    say.send(Ok("first".into())).await.unwrap();
    assert_eq!(conversation.got.recv().await.unwrap(), "first");
    let response = call.await.unwrap().unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let names: Vec<_> = response.headers().keys().map(|name| name.as_str().to_owned()).collect();
    for dropped in ["set-cookie", "connection", "x-internal", "keep-alive"] {
        assert!(!names.iter().any(|name| name == dropped), "{names:?}");
    }
    assert!(names.iter().any(|name| name == "x-kept"), "{names:?}");
    let mut answer = response.into_body().into_data_stream();
    conversation.answer.send(Ok("one".into())).await.unwrap();
    assert_eq!(answer.next().await.unwrap().unwrap(), "one");
    // It counts as long as it lasts.
    assert_eq!(get(&proxy, "/alice/talk").await.0, StatusCode::SERVICE_UNAVAILABLE);

    say.send(Ok("last".into())).await.unwrap();
    assert_eq!(conversation.got.recv().await.unwrap(), "last");
    drop(say);
    conversation.answer.send(Ok("two".into())).await.unwrap();
    assert_eq!(answer.next().await.unwrap().unwrap(), "two");
    drop(conversation.answer);
    assert!(answer.next().await.is_none());
    let _ = permits.acquire().await.unwrap();
    assert_eq!(upstream.seen("/talk").len(), 1);
}

#[tokio::test]
async fn bodies_stream_both_ways_through_the_oauth_2_layer() {
    let stage = Stage::new().await;
    let (upstream, conversation) = conversing_upstream().await;
    let client = oauth2(logged_in(&stage, Duration::from_secs(10)).await, &upstream.origin());
    stream_both_ways(client, upstream, conversation).await;
}

#[tokio::test]
async fn bodies_stream_both_ways_through_the_oauth_1_layer() {
    let stage = Stage::new().await;
    let (upstream, conversation) = conversing_upstream().await;
    let client = oauth1(&stage, &upstream.origin());
    stream_both_ways(client, upstream, conversation).await;
}

#[tokio::test]
async fn nothing_that_a_caller_says_of_themselves_reaches_the_upstream() {
    let stage = Stage::new().await;
    let manager = logged_in(&stage, Duration::from_secs(10)).await;
    let secret_headers = [
        ("cookie", "session=inbound"),
        ("proxy-authorization", "Basic inbound"),
        ("forwarded", "for=inbound"),
        ("x-forwarded-for", "inbound"),
        ("x-forwarded-host", "inbound.test"),
        ("x-real-ip", "inbound"),
        ("connection", "x-inbound, keep-alive"),
        ("x-inbound", "inbound"),
        ("keep-alive", "inbound"),
        ("te", "inbound"),
    ];
    let (origin, resource) = (stage.server.origin(), stage.server.url("/resource"));
    let oauth1_resource = stage.server.url("/oauth1/resource");
    let proxies = [
        proxy(oauth2(manager.clone(), &origin), &resource, &permits(1)).await,
        proxy(oauth1(&stage, &origin), &oauth1_resource, &permits(1)).await,
    ];
    for proxy in &proxies {
        let mut request = request(proxy, "GET", "/alice/orders", Body::empty());
        for (name, value) in secret_headers {
            request.headers_mut().append(name, value.parse().unwrap());
        }
        request.headers_mut().insert("accept", "text/plain".parse().unwrap());
        assert_eq!(send(request).await.0, StatusCode::OK);
    }
    let token = manager.peek(&TokenKey::new("alice")).unwrap().access_token().expose().to_owned();
    let [bearer, signed] = ["/resource", "/oauth1/resource"].map(|path| stage.server.seen(path).remove(0));
    assert_eq!(bearer.authorization().unwrap(), format!("Bearer {token}"));
    assert!(signed.authorization().unwrap().starts_with("OAuth "), "{signed:?}");
    for seen in [bearer, signed] {
        assert_eq!(seen.headers.get_all(AUTHORIZATION).iter().count(), 1);
        assert_eq!(seen.headers["accept"], "text/plain");
        let shown = format!("{:?}", seen.headers);
        assert!(!shown.contains("inbound") && !shown.contains("key-of-alice"), "{shown}");
    }
}

#[tokio::test]
async fn who_calls_without_the_key_of_the_tenant_or_outside_of_the_upstream_gets_nowhere() {
    let stage = Stage::new().await;
    let client = oauth2(logged_in(&stage, Duration::from_secs(10)).await, &stage.server.origin());
    let proxy = proxy(client, &stage.server.url("/resource"), &permits(64)).await;
    let mut wrong_key = request(&proxy, "GET", "/alice/orders", Body::empty());
    wrong_key.headers_mut().insert(AUTHORIZATION, "Bearer key-of-bob".parse().unwrap());
    let mut no_key = request(&proxy, "GET", "/alice/orders", Body::empty());
    no_key.headers_mut().remove(AUTHORIZATION);
    for (request, status) in [
        (wrong_key, StatusCode::UNAUTHORIZED),
        (no_key, StatusCode::UNAUTHORIZED),
        (request(&proxy, "GET", "/mallory/orders", Body::empty()), StatusCode::UNAUTHORIZED),
        (request(&proxy, "GET", "/alice/%2e%2e/token", Body::empty()), StatusCode::BAD_REQUEST),
        (request(&proxy, "TRACE", "/alice/orders", Body::empty()), StatusCode::METHOD_NOT_ALLOWED),
    ] {
        let shown = format!("{} {}", request.method(), request.uri());
        assert_eq!(send(request).await.0, status, "{shown}");
    }
    assert!(stage.server.seen("/").is_empty());
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_whether_it_says_so_or_not() {
    let stage = Stage::new().await;
    let client = oauth2(logged_in(&stage, Duration::from_secs(10)).await, &stage.server.origin());
    let proxy = proxy(client, &stage.server.url("/resource"), &permits(64)).await;
    let large = vec![b'x'; BODY_LIMIT + 1];
    let announced = request(&proxy, "POST", "/alice/orders", Body::from(large.clone()));
    let (status, text) = send(announced).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{text}");
    assert!(stage.server.seen("/").is_empty());

    let pieces = tokio_stream::iter([Ok::<_, Infallible>(Bytes::from(large))]);
    let streamed = request(&proxy, "POST", "/alice/orders", Body::from_stream(pieces));
    assert_eq!(streamed.headers().get(CONTENT_LENGTH), None);
    let (status, text) = send(streamed).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{text}");
    assert_eq!(stage.provider.stats().resource.valid, 0);
}

#[tokio::test]
async fn failures_are_answered_with_a_status_and_text_that_gives_nothing_away() {
    let stage = Stage::new().await;
    let (origin, resource) = (stage.server.origin(), stage.server.url("/resource"));

    // Nobody listens on port 1.
    let manager = logged_in(&stage, Duration::from_secs(10)).await;
    let away = proxy(oauth2(manager, "http://127.0.0.1:1"), "http://127.0.0.1:1/v1", &permits(1)).await;
    let failed = (StatusCode::BAD_GATEWAY, "the upstream, or its login, failed\n".to_owned());
    assert_eq!(get(&away, "/alice/orders").await, failed);

    let manager = logged_in(&stage, Duration::from_millis(1)).await;
    let impatient = proxy(oauth2(manager, &origin), &resource, &permits(1)).await;
    let hold = stage.provider.hold("/token");
    let slow = (StatusCode::GATEWAY_TIMEOUT, "the upstream, or its login, took too long\n".to_owned());
    assert_eq!(get(&impatient, "/alice/orders").await, slow);
    hold.release();

    let manager = logged_in(&stage, Duration::from_secs(10)).await;
    let logged_out = proxy(oauth2(manager.clone(), &origin), &resource, &permits(1)).await;
    manager.forget(&TokenKey::new("alice")).await.unwrap();
    let again = (StatusCode::UNAUTHORIZED, "the tenant has to log in at the upstream again\n".to_owned());
    assert_eq!(get(&logged_out, "/alice/orders").await, again);

    let refused = Fault::new().on("/token").status(StatusCode::BAD_REQUEST);
    stage.provider.inject(refused.body(r#"{"error":"invalid_client","error_description":"secret words"}"#));
    assert_eq!(get(&logged_out, "/bob/orders").await, failed);
}
