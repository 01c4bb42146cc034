//! The hook on requests that get a token.

use super::*;
use http::HeaderValue;
use tower_oauth::body::FromBytes;
use tower_oauth::oauth2::Placement;

type Log = Arc<Mutex<Vec<String>>>;

/// A service that remembers URI and headers, and refuses the requests of these numbers.
fn recording(
    refused: &'static [usize],
) -> (
    impl Service<Request<Body>, Response = Response<Body>, Error = BoxError, Future: Send>
    + Clone
    + Send
    + 'static,
    Log,
) {
    let log = Log::default();
    let seen = Arc::clone(&log);
    let service = tower::service_fn(move |request: Request<Body>| {
        let mut seen = seen.lock().unwrap();
        let names: Vec<_> = request.headers().keys().map(|name| name.as_str()).collect();
        seen.push(format!("{} {} {}", request.method(), request.uri(), names.join(",")));
        let code = if refused.contains(&seen.len()) { 401 } else { 200 };
        async move { Ok::<_, BoxError>(status(code)) }
    });
    (service, log)
}

#[tokio::test(start_paused = true)]
async fn the_hook_edits_each_request_that_gets_a_token_and_no_other() {
    let (layer, _) = counting_layer();
    let layer = layer.pass_foreign_unsigned().protected_request(|parts, token| {
        assert!(token.access_token().expose().starts_with("token-") && token.refresh_token().is_none());
        // Whoever calls it twice on one request is found out.
        let query = parts.uri.query().map_or(String::new(), |query| format!("{query}&"));
        parts.uri = format!("https://api.test{}?{query}site=x", parts.uri.path()).parse()?;
        parts.headers.append("x-hook", HeaderValue::from_static("1"));
        Ok(())
    });
    let (inner, log) = recording(&[1, 3]);
    let service = tower::Layer::layer(&layer.body_policy(FromBytes), inner);
    for _ in 0..2 {
        assert_eq!(service.clone().oneshot(get("https://api.test/a?b=1")).await.unwrap().status(), 200);
    }
    let mut given = get("https://api.test/a");
    given.extensions_mut().insert(WithToken::new(&Token::new("token-x").with_refresh_token("r")).unwrap());
    let mut without = get("https://api.test/a");
    without.extensions_mut().insert(WithoutToken);
    for request in [given, without, get("https://other.test/a")] {
        service.clone().oneshot(request).await.unwrap();
    }
    let log = log.lock().unwrap();
    // Two requests, each sent again.
    for sent in &log[..4] {
        assert_eq!(sent, "GET https://api.test/a?b=1&site=x x-hook,authorization");
    }
    let rest = [
        "GET https://api.test/a?site=x x-hook,authorization",
        "GET https://api.test/a ",
        "GET https://other.test/a ",
    ];
    assert_eq!(log[4..], rest);
}

#[tokio::test]
async fn the_hook_cannot_lead_the_token_elsewhere() {
    for (target, expected) in [
        ("https://evil.test/", ErrorKind::ForeignOrigin),
        ("http://api.test/", ErrorKind::ForeignOrigin),
        ("https://api.test:99999/", ErrorKind::ForeignOrigin),
    ] {
        let (layer, _) = counting_layer();
        for layer in [layer.clone(), layer.pass_foreign_unsigned()] {
            let layer = layer.protected_request(move |parts, _| {
                parts.uri = target.parse()?;
                Ok(())
            });
            let (inner, log) = recording(&[]);
            let service = tower::Layer::layer(&layer, inner);
            // Cold, then warm.
            for _ in 0..2 {
                let error = service.clone().oneshot(get("https://api.test/")).await.unwrap_err();
                assert_eq!(kind(&error), expected, "{target}");
            }
            let (mut parts, ()) = Request::get("https://api.test/").body(()).unwrap().into_parts();
            assert_eq!(layer.authorize(&mut parts).await.unwrap_err().kind(), expected);
            assert!(parts.headers.is_empty());
            assert!(log.lock().unwrap().is_empty());
        }
    }
}

#[tokio::test]
async fn an_error_of_the_hook_fails_the_request_and_stays_findable() {
    let (layer, _) = counting_layer();
    let layer = layer.protected_request(|_, token| {
        token.extra("instance_url").ok_or("no instance_url")?;
        Ok(())
    });
    let (inner, log) = recording(&[]);
    let error = tower::Layer::layer(&layer, inner).oneshot(get("https://api.test/")).await.unwrap_err();
    assert_eq!(kind(&error), ErrorKind::ProtectedRequest);
    assert_eq!(std::error::Error::source(error.as_ref()).unwrap().to_string(), "no instance_url");
    assert!(log.lock().unwrap().is_empty());
}

#[tokio::test]
async fn what_the_hook_puts_where_the_token_goes_is_replaced() {
    for (placement, expected) in [
        (Placement::bearer(), "GET https://api.test/?access_token=mine authorization"),
        (Placement::query(), "GET https://api.test/?access_token=token-1 cache-control"),
    ] {
        let (layer, _) = counting_layer();
        let layer = layer.placement(placement).protected_request(|parts, _| {
            parts.headers.insert(AUTHORIZATION, HeaderValue::from_static("Basic mine"));
            parts.uri = "https://api.test/?access_token=mine".parse()?;
            Ok(())
        });
        let (inner, log) = recording(&[]);
        tower::Layer::layer(&layer, inner).oneshot(get("https://api.test/")).await.unwrap();
        assert_eq!(*log.lock().unwrap(), [expected]);
    }
}
