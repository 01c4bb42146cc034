//! hyper-util's client inside of both layers: HTTP/1.1 and HTTP/2, in plain text and over TLS.

use bytes::Bytes;
use futures_util::future::join_all;
use http::Request;
use http::StatusCode;
use http::Uri;
use http::header::CONTENT_TYPE;
use http_body_util::BodyExt;
use http_body_util::Full;
use http_body_util::combinators::BoxBody;
use hyper_util::client::legacy;
use tower::BoxError;
use tower::ServiceBuilder;
use tower::ServiceExt;
use tower_oauth::Error;
use tower_oauth::ErrorKind;
use tower_oauth::OAuth1Layer;
use tower_oauth::OAuth2Layer;
use tower_oauth::Origins;
use tower_oauth::SystemClock;
use tower_oauth::body::Buffered;
use tower_oauth::body::Untouched;
use tower_oauth::grant::StaticToken;
use tower_oauth_stacks::loopback::WIRES;
use tower_oauth_stacks::stage::LIFETIME;
use tower_oauth_stacks::stage::Stage;
use tower_oauth_stacks::stage::credentials;

type Body = Full<Bytes>;

fn get(uri: impl AsRef<str>) -> Request<Body> {
    Request::get(uri.as_ref()).body(Body::default()).unwrap()
}

#[tokio::test]
async fn a_token_is_renewed_in_mid_use_over_every_kind_of_connection() {
    for wire in WIRES {
        let stage = Stage::over(wire).await;
        let api = ServiceBuilder::new().layer(stage.oauth2()).service(wire.client());
        for _ in 0..2 {
            let response = api.clone().oneshot(get(stage.server.url("/resource"))).await.unwrap();
            assert_eq!((response.status(), response.version()), (StatusCode::OK, wire.version), "{wire:?}");
            response.into_body().collect().await.unwrap();
            stage.clock.advance(LIFETIME);
        }
        let seen = stage.server.seen("/resource");
        assert!(seen.iter().all(|seen| seen.version == wire.version), "{wire:?}");
        assert_ne!(seen[0].authorization().unwrap(), seen[1].authorization().unwrap(), "{wire:?}");
        let stats = stage.provider.stats();
        assert_eq!(
            (stats.resource.valid, stats.resource.expired, stats.token_requests),
            (2, 0, 2),
            "{wire:?}"
        );
    }
}

#[tokio::test]
async fn a_refused_request_is_sent_again_with_its_body_over_every_kind_of_connection() {
    for wire in WIRES {
        let stage = Stage::over(wire).await;
        let layer = stage.oauth2().body_policy(Buffered::default());
        let api = ServiceBuilder::new().layer(layer).service(wire.client());
        let post = || Request::post(stage.server.url("/resource")).body(Body::from("0123456789")).unwrap();
        let answer = api.clone().oneshot(post()).await.unwrap().into_body().collect().await.unwrap();
        assert!(String::from_utf8_lossy(&answer.to_bytes()).contains("\"body_length\":10"), "{wire:?}");
        let connections = stage.server.connections();

        stage.provider.revoke_all_access_tokens();
        let answer = api.oneshot(post()).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{wire:?}");
        let answer = answer.into_body().collect().await.unwrap().to_bytes();
        assert!(String::from_utf8_lossy(&answer).contains("\"body_length\":10"), "{wire:?}");
        let stats = stage.provider.stats();
        assert_eq!(
            (stats.resource.valid, stats.resource.revoked, stats.token_requests),
            (2, 1, 2),
            "{wire:?}"
        );
        // The refusal was read to its end, so its connection served the second attempt as well.
        assert_eq!(stage.server.connections(), connections, "{wire:?}");
    }
}

#[tokio::test]
async fn a_body_that_cannot_be_sent_twice_gets_its_refusal_and_the_next_request_is_right() {
    for wire in WIRES {
        let stage = Stage::over(wire).await;
        // A type that is not `From<Bytes>`: with the default policy any will do.
        let api =
            ServiceBuilder::new().layer(stage.oauth2()).service(wire.client::<BoxBody<Bytes, BoxError>>());
        let post = || {
            let body = BoxBody::new(Body::from("0123456789").map_err(Into::into));
            Request::post(stage.server.url("/resource")).body(body).unwrap()
        };
        let mut statuses = Vec::new();
        for _ in 0..3 {
            statuses.push(api.clone().oneshot(post()).await.unwrap().status().as_u16());
            if statuses.len() == 1 {
                stage.provider.revoke_all_access_tokens();
            }
        }
        assert_eq!(statuses, [200, 401, 200], "{wire:?}");
        assert_eq!(stage.provider.stats().token_requests, 2, "{wire:?}");
    }
}

#[tokio::test]
async fn requests_that_wait_for_a_token_leave_together_on_one_http_2_connection() {
    for wire in WIRES.into_iter().filter(|wire| !wire.tls && wire.version == http::Version::HTTP_2) {
        let stage = Stage::over(wire).await;
        let api = ServiceBuilder::new().layer(stage.oauth2()).service(wire.client());
        let hold = stage.provider.hold("/token");
        let calls: Vec<_> =
            (0..16).map(|_| tokio::spawn(api.clone().oneshot(get(stage.server.url("/resource"))))).collect();
        hold.until_waiting(1).await;
        hold.release();
        for response in join_all(calls).await {
            assert_eq!(response.unwrap().unwrap().status(), StatusCode::OK);
        }
        let stats = stage.provider.stats();
        assert_eq!((stats.resource.valid, stats.token_requests), (16, 1));
        // One is that of the token client.
        assert_eq!(stage.server.connections(), 2);
    }
}

#[tokio::test]
async fn signatures_hold_over_every_kind_of_connection() {
    for wire in WIRES {
        let stage = Stage::over(wire).await;
        let api = ServiceBuilder::new().layer(stage.oauth1()).service(wire.client());
        let url = stage.server.url("/oauth1/resource?q=caf%C3%A9+cr%C3%A8me&q=a&page=2");
        assert_eq!(api.clone().oneshot(get(url)).await.unwrap().status(), StatusCode::OK, "{wire:?}");
        let form = Request::post(stage.server.url("/oauth1/resource"))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded; charset=utf-8")
            .body(Body::from("status=Hello+Ladies+%2B+Gentlemen"))
            .unwrap();
        assert_eq!(api.oneshot(form).await.unwrap().status(), StatusCode::OK, "{wire:?}");
        let seen = stage.server.seen("/oauth1/resource");
        assert!(seen.iter().all(|seen| seen.version == wire.version), "{wire:?}");
        assert_ne!(seen[0].parameter("oauth_nonce"), seen[1].parameter("oauth_nonce"), "{wire:?}");
        assert_eq!(stage.provider.stats().oauth1.verified, 2, "{wire:?}");
    }
}

#[tokio::test]
async fn a_refused_timestamp_is_corrected_over_every_kind_of_connection() {
    for wire in WIRES {
        let stage = Stage::over(wire).await;
        stage.clock.advance(LIFETIME * 6);
        // The server is an hour ahead, and says so in its refusal.
        let layer = OAuth1Layer::new(stage.origins(), credentials()).clock(SystemClock);
        let api = ServiceBuilder::new().layer(layer).service(wire.client());
        for _ in 0..2 {
            let response = api.clone().oneshot(get(stage.server.url("/oauth1/resource"))).await.unwrap();
            assert_eq!(response.status(), StatusCode::OK, "{wire:?}");
        }
        let counts = stage.provider.stats().oauth1;
        assert_eq!((counts.stale_timestamps, counts.verified), (1, 2), "{wire:?}");
    }
}

#[tokio::test]
async fn a_relative_uri_stands_for_the_only_origin_when_the_base_is_added_inside() {
    for wire in WIRES {
        let stage = Stage::over(wire).await;
        let base = stage.server.origin();
        let add_base = move |mut request: Request<Body>| {
            assert_eq!(request.uri().host(), None);
            *request.uri_mut() = format!("{base}{}", request.uri()).parse::<Uri>().unwrap();
            request
        };
        let api = ServiceBuilder::new().layer(stage.oauth2()).map_request(add_base.clone());
        let response = api.service(wire.client()).oneshot(get("/resource?a=b")).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{wire:?}");

        let api = ServiceBuilder::new().layer(stage.oauth1()).map_request(add_base);
        let response = api.service(wire.client()).oneshot(get("/oauth1/resource?a=b")).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{wire:?}");
        assert_eq!(stage.provider.stats().oauth1.verified, 1, "{wire:?}");
    }
}

#[tokio::test]
async fn a_relative_uri_with_several_origins_is_an_error_that_says_what_to_do() {
    let origins = Origins::several(["https://api.example.com", "https://upload.example.com"]).unwrap();
    let http = WIRES[0].client::<Body>();
    let oauth2 = OAuth2Layer::new(origins.clone(), StaticToken::new("mF_9.B5f-4.1JqM"));
    let oauth1 = OAuth1Layer::new(origins, credentials());
    let errors = [
        ServiceBuilder::new().layer(oauth2).service(http.clone()).oneshot(get("/orders")).await.unwrap_err(),
        ServiceBuilder::new().layer(oauth1).service(http).oneshot(get("/orders")).await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!(Error::find(error.as_ref()).unwrap().kind(), ErrorKind::RelativeUri);
        let text = error.to_string();
        assert!(text.contains("no scheme and host"), "{text}");
        assert!(text.contains("send an absolute URI, or give the layer one origin"), "{text}");
    }
}

#[tokio::test]
async fn an_error_of_hyper_comes_out_as_itself() {
    // Nobody listens on port 1.
    let origins = Origins::one("http://127.0.0.1:1").unwrap();
    let oauth2 = OAuth2Layer::new(origins.clone(), StaticToken::new("mF_9.B5f-4.1JqM"));
    let oauth1 = OAuth1Layer::new(origins, credentials());
    let (http, request) = (WIRES[0].client::<Body>(), || get("http://127.0.0.1:1/orders"));
    let errors = [
        ServiceBuilder::new().layer(oauth2).service(http.clone()).oneshot(request()).await.unwrap_err(),
        ServiceBuilder::new().layer(oauth1).service(http).oneshot(request()).await.unwrap_err(),
    ];
    for error in errors {
        assert!(error.downcast_ref::<legacy::Error>().expect("hyper-util's error").is_connect());
    }
}

#[tokio::test]
async fn oauth_1_takes_a_body_that_is_not_from_bytes_when_it_may_leave_it_alone() {
    let stage = Stage::new().await;
    let layer = stage.oauth1().body_policy(Untouched);
    let api = ServiceBuilder::new().layer(layer).service(WIRES[0].client::<BoxBody<Bytes, BoxError>>());
    let body = || BoxBody::new(Body::from("a=b").map_err(Into::into));
    let post = Request::post(stage.server.url("/oauth1/resource")).body(body()).unwrap();
    assert_eq!(api.clone().oneshot(post).await.unwrap().status(), StatusCode::OK);

    // A form would have to be read.
    let form = Request::post(stage.server.url("/oauth1/resource"))
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(body())
        .unwrap();
    let error = api.oneshot(form).await.unwrap_err();
    assert_eq!(Error::find(error.as_ref()).unwrap().kind(), ErrorKind::BodyUnreadable);
    assert!(error.to_string().contains("use the policy `FromBytes`, `Buffered` or `body_fn`"), "{error}");
    assert_eq!(stage.provider.stats().oauth1.verified, 1);
}
