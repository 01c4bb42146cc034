//! Both layers on either side of tower-http's: it works, and what is different.

mod record;

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use http::Request;
use http::StatusCode;
use http::header;
use http::header::AUTHORIZATION;
use http::header::LOCATION;
use http_body_util::BodyExt;
use http_body_util::Full;
use tower::ServiceBuilder;
use tower::ServiceExt;
use tower_http::compression::CompressionLayer;
use tower_http::decompression::DecompressionLayer;
use tower_http::follow_redirect::FollowRedirectLayer;
use tower_http::sensitive_headers::SetSensitiveHeadersLayer;
use tower_http::set_header::SetRequestHeaderLayer;
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::DefaultMakeSpan;
use tower_http::trace::DefaultOnResponse;
use tower_http::trace::TraceLayer;
use tower_oauth::ClientAuth;
use tower_oauth::ClientCredentials;
use tower_oauth::Error;
use tower_oauth::ErrorKind;
use tower_oauth::OAuth2Layer;
use tower_oauth::Origins;
use tower_oauth::testing::Fault;
use tower_oauth::testing::Provider;
use tower_oauth_stacks::loopback::Server;
use tower_oauth_stacks::loopback::WIRES;
use tower_oauth_stacks::sides;
use tower_oauth_stacks::sides::boxed;
use tower_oauth_stacks::sides::get;
use tower_oauth_stacks::sides::http;
use tower_oauth_stacks::stage::Stage;

use crate::record::Recorder;

type Body = Full<Bytes>;

#[tokio::test]
async fn trace_shows_every_header_but_the_secret_ones_on_either_side() {
    let recorder = Recorder::default();
    let _guard = tracing::subscriber::set_default(recorder.clone());
    let stage = Stage::new().await;
    let trace = || {
        TraceLayer::new_for_http()
            .make_span_with(DefaultMakeSpan::new().level(tracing::Level::INFO).include_headers(true))
            .on_response(DefaultOnResponse::new().level(tracing::Level::INFO).include_headers(true))
    };
    for side in sides!(stage, trace()) {
        recorder.clear();
        let mut request = get(stage.server.url(side.path));
        request.headers_mut().insert("x-shown", HeaderValue::from_static("seen-by-trace"));
        assert_eq!(side.api.oneshot(request).await.unwrap().status(), StatusCode::OK, "{}", side.name);
        let log = recorder.text();
        assert!(log.contains("seen-by-trace"), "{}: {log}", side.name);
        // Inside of ours it sees the header, which says of itself that it is not to be shown.
        let is_inside = side.name.ends_with("outside");
        assert_eq!(log.contains("\"authorization\": Sensitive"), is_inside, "{}: {log}", side.name);

        let seen = stage.server.seen(side.path).pop().unwrap();
        let authorization = seen.authorization().unwrap();
        let credential = match seen.parameter("oauth_signature") {
            Some(signature) => signature,
            None => authorization.strip_prefix("Bearer ").unwrap(),
        };
        assert!(!log.contains(credential), "{}: {log}", side.name);
        assert!(!log.contains("token-secret") && !log.contains("test-secret"), "{}: {log}", side.name);
    }
}

/// A stack over a provider in this process, whose timers can be moved: a timeout of a second, and a token that does not come.
fn in_process(provider: &Provider) -> (OAuth2Layer, TimeoutLayer) {
    let auth = ClientAuth::basic("test-client", "test-secret");
    let grant = ClientCredentials::new("http://localhost/token", auth, provider.client()).unwrap();
    let timeout = TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(1));
    (OAuth2Layer::new(Origins::one("http://localhost").unwrap(), grant), timeout)
}

#[tokio::test(start_paused = true)]
async fn a_timeout_outside_counts_the_wait_for_a_token_which_goes_on_without_the_request() {
    let provider = Provider::new();
    let (oauth2, timeout) = in_process(&provider);
    let api = ServiceBuilder::new().layer(timeout).layer(oauth2).service(provider.clone());
    let hold = provider.hold("/token");
    let response = api.clone().oneshot(get("http://localhost/resource")).await.unwrap();
    assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(hold.waiting(), 1);
    hold.release();
    let response = api.oneshot(get("http://localhost/resource")).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(provider.stats().token_requests, 1);
}

#[tokio::test(start_paused = true)]
async fn a_timeout_inside_counts_the_request_alone() {
    let provider = Provider::new();
    let (oauth2, timeout) = in_process(&provider);
    let api = ServiceBuilder::new().layer(oauth2).layer(timeout).service(provider.clone());
    let hold = provider.hold("/token");
    let call = tokio::spawn(api.clone().oneshot(get("http://localhost/resource")));
    hold.until_waiting(1).await;
    tokio::time::advance(Duration::from_secs(5)).await;
    hold.release();
    assert_eq!(call.await.unwrap().unwrap().status(), StatusCode::OK);

    let _hold = provider.hold("/resource");
    let response = api.oneshot(get("http://localhost/resource")).await.unwrap();
    assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT);
}

#[tokio::test]
async fn a_timeout_lets_requests_through_in_time_on_either_side() {
    let stage = Stage::new().await;
    for side in
        sides!(stage, TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(3600)))
    {
        let response = side.api.oneshot(get(stage.server.url(side.path))).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{}", side.name);
    }
}

#[tokio::test]
async fn compressed_answers_are_read_on_either_side() {
    let mut stage = Stage::new().await;
    let compressing = ServiceBuilder::new().layer(CompressionLayer::new()).service(stage.provider.clone());
    stage.server = Server::start(compressing, false).await;
    for side in sides!(stage, DecompressionLayer::new()) {
        let response = side.api.oneshot(get(stage.server.url(side.path))).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{}", side.name);
        assert_eq!(response.headers().get(header::CONTENT_ENCODING), None, "{}", side.name);
        let text = response.into_body().collect().await.unwrap().to_bytes();
        assert!(text.starts_with(b"{") && text.ends_with(b"}"), "{}: {text:?}", side.name);
        let seen = stage.server.seen(side.path).pop().unwrap();
        assert!(seen.headers[header::ACCEPT_ENCODING].to_str().unwrap().contains("gzip"), "{}", side.name);
    }
    // Without the layer it is compressed: the test could fail.
    let mut request = get(stage.server.url("/resource"));
    request.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    let api = ServiceBuilder::new().layer(stage.oauth2()).service(WIRES[0].client());
    assert_eq!(api.oneshot(request).await.unwrap().headers()[header::CONTENT_ENCODING], "gzip");
}

fn redirect(from: &str, to: &str) -> Fault {
    Fault::new().on(from).status(StatusCode::FOUND).header(LOCATION, to.parse().unwrap())
}

#[tokio::test]
async fn inside_of_redirects_every_hop_at_home_gets_a_credential_of_its_own() {
    let stage = Stage::new().await;
    for side in sides!(stage, FollowRedirectLayer::new()) {
        let (start, end) = (format!("{}/start", side.path), format!("{}/end", side.path));
        stage.provider.inject(redirect(&start, &stage.server.url(&end)));
        let response = side.api.oneshot(get(stage.server.url(&start))).await.unwrap();
        let authorizations = [&start, &end].map(|path| stage.server.authorizations(path).pop().unwrap());
        match side.name {
            // A token is good for both hops, and a signature for one: this one covers another URI.
            "OAuth 2 inside" | "OAuth 2 outside" => {
                assert_eq!(response.status(), StatusCode::OK, "{}", side.name);
                assert_eq!(authorizations[0], authorizations[1], "{}", side.name);
            }
            "OAuth 1 inside" => {
                assert_eq!(response.status(), StatusCode::OK);
                assert_ne!(authorizations[0], authorizations[1]);
            }
            _ => {
                assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
                assert_eq!(authorizations[0], authorizations[1]);
                assert_eq!(stage.provider.stats().oauth1.wrong_signatures, 1);
            }
        }
    }
}

#[tokio::test]
async fn no_credential_follows_a_redirect_to_another_origin_on_either_side() {
    let stage = Stage::new().await;
    let elsewhere = Server::start(Provider::new(), false).await;
    for side in sides!(stage, FollowRedirectLayer::new()) {
        let start = format!("{}/start", side.path);
        stage.provider.inject(redirect(&start, &elsewhere.url("/landing")));
        let before = elsewhere.seen("/").len();
        let outcome = side.api.oneshot(get(stage.server.url(&start))).await;
        if side.name.ends_with("inside") {
            let error = outcome.map(|_| ()).unwrap_err();
            assert_eq!(
                Error::find(error.as_ref()).unwrap().kind(),
                ErrorKind::ForeignOrigin,
                "{}",
                side.name
            );
            assert_eq!(elsewhere.seen("/").len(), before, "{}", side.name);
        } else {
            // Here it is tower-http that takes the header off.
            outcome.unwrap();
        }
    }
    let bare = stage.oauth2().pass_foreign_unsigned();
    let api = ServiceBuilder::new()
        .layer(FollowRedirectLayer::new())
        .layer(bare)
        .service(WIRES[0].client::<Body>());
    stage.provider.inject(redirect("/resource/start", &elsewhere.url("/landing")));
    api.oneshot(get(stage.server.url("/resource/start"))).await.unwrap();
    let seen = elsewhere.seen("/landing");
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().all(|seen| seen.authorization().is_none()), "{seen:?}");
}

#[tokio::test]
async fn headers_can_be_set_on_either_side() {
    let stage = Stage::new().await;
    let set =
        || SetRequestHeaderLayer::overriding(header::ACCEPT, HeaderValue::from_static("application/json"));
    for side in sides!(stage, set()) {
        let response = side.api.oneshot(get(stage.server.url(side.path))).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{}", side.name);
        let seen = stage.server.seen(side.path).pop().unwrap();
        assert_eq!(seen.headers[header::ACCEPT], "application/json", "{}", side.name);
    }
}

#[tokio::test]
async fn of_two_layers_that_set_authorization_the_inner_one_decides() {
    let stage = Stage::new().await;
    let set = || SetRequestHeaderLayer::overriding(AUTHORIZATION, HeaderValue::from_static("Basic dGhlaXJz"));
    for side in sides!(stage, set()) {
        let response = side.api.oneshot(get(stage.server.url(side.path))).await.unwrap();
        let seen = stage.server.seen(side.path).pop().unwrap();
        assert_eq!(seen.headers.get_all(AUTHORIZATION).iter().count(), 1, "{}", side.name);
        let (is_ours, is_ok) =
            (seen.authorization() != Some("Basic dGhlaXJz"), response.status() == StatusCode::OK);
        assert_eq!(
            (is_ours, is_ok),
            (side.name.ends_with("inside"), side.name.ends_with("inside")),
            "{}",
            side.name
        );
    }
}

#[tokio::test]
async fn what_is_signed_must_not_be_changed_inside_of_the_signature() {
    let stage = Stage::new().await;
    let set = || SetRequestHeaderLayer::overriding(header::HOST, HeaderValue::from_static("other.localhost"));
    for side in sides!(stage, set()) {
        let response = side.api.oneshot(get(stage.server.url(side.path))).await.unwrap();
        let is_wrong = side.name == "OAuth 1 outside";
        assert_eq!(response.status() == StatusCode::UNAUTHORIZED, is_wrong, "{}", side.name);
    }
    assert_eq!(stage.provider.stats().oauth1.wrong_signatures, 1);
}

#[tokio::test]
async fn the_header_is_marked_sensitive_whoever_else_marks_headers() {
    let stage = Stage::new().await;
    let marks = Arc::<Mutex<Vec<bool>>>::default();
    let look = |marks: &Arc<Mutex<Vec<bool>>>| {
        let marks = Arc::clone(marks);
        move |request: Request<Body>| {
            marks.lock().unwrap().push(request.headers()[AUTHORIZATION].is_sensitive());
            request
        }
    };
    let theirs = || SetSensitiveHeadersLayer::new([AUTHORIZATION, header::SET_COOKIE]);
    let (oauth2, oauth1) = (stage.oauth2(), stage.oauth1());
    let new = ServiceBuilder::new;
    let apis = [
        boxed(new().layer(theirs()).layer(oauth2.clone()).map_request(look(&marks)).service(http())),
        boxed(new().layer(oauth2.clone()).layer(theirs()).map_request(look(&marks)).service(http())),
        boxed(new().layer(oauth2).map_request(look(&marks)).service(http())),
        boxed(new().layer(theirs()).layer(oauth1.clone()).map_request(look(&marks)).service(http())),
        boxed(new().layer(oauth1.clone()).layer(theirs()).map_request(look(&marks)).service(http())),
        boxed(new().layer(oauth1).map_request(look(&marks)).service(http())),
    ];
    for (number, api) in apis.into_iter().enumerate() {
        let path = if number < 3 { "/resource" } else { "/oauth1/resource" };
        assert_eq!(
            api.oneshot(get(stage.server.url(path))).await.unwrap().status(),
            StatusCode::OK,
            "{number}"
        );
    }
    assert_eq!(*marks.lock().unwrap(), [true; 6]);
}
