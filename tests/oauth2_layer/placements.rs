//! Where the token goes, and what goes with it.

use super::*;
use http::HeaderMap;
use http::Uri;
use http::header::CACHE_CONTROL;
use http::header::CONTENT_LENGTH;
use http::header::CONTENT_TYPE;
use http_body_util::BodyExt;
use tower_oauth::TokenKey;
use tower_oauth::body::FromBytes;
use tower_oauth::body::Untouched;
use tower_oauth::oauth2::Placement;

const FORM: &str = "application/x-www-form-urlencoded";

/// What a service was sent.
#[derive(Clone, Debug)]
struct Seen {
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

impl Seen {
    /// All values of a header.
    fn header(&self, name: &str) -> Vec<&str> {
        self.headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect()
    }
}

type Log = Arc<Mutex<Vec<Seen>>>;

/// A service that remembers all it is sent, and answers the requests of these numbers with 401.
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
        let seen = Arc::clone(&seen);
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            let mut seen = seen.lock().unwrap();
            seen.push(Seen { uri: head.uri, headers: head.headers, body });
            Ok::<_, BoxError>(status(if refused.contains(&seen.len()) { 401 } else { 200 }))
        }
    });
    (service, log)
}

/// What the service got of `request`, cold and warm, which has to be the same.
async fn sent(placement: Placement, request: impl Fn() -> Request<Body>) -> Result<Seen, ErrorKind> {
    let (layer, _) = counting_layer();
    let (inner, log) = recording(&[]);
    let service = tower::Layer::layer(&layer.placement(placement).body_policy(FromBytes), inner);
    for _ in 0..2 {
        service.clone().oneshot(request()).await.map_err(|error| kind(&error))?;
    }
    let log = log.lock().unwrap();
    assert_eq!(format!("{:?}", log[0]), format!("{:?}", log[1]), "cold and warm differ");
    Ok(log[1].clone())
}

/// A request as a proxy gets it, with a token in every place.
fn inbound() -> Request<Body> {
    Request::get("https://api.test/a?access_token=inbound&b=1")
        .header(AUTHORIZATION, "Bearer inbound")
        .header(AUTHORIZATION, "Basic inbound")
        .header("x-token", "inbound")
        .header("x-token", "inbound")
        .header("x-version", "inbound")
        .body(Body::default())
        .unwrap()
}

fn form(body: &'static str) -> Request<Body> {
    Request::post("https://api.test/form").header(CONTENT_TYPE, FORM).body(Body::from(body)).unwrap()
}

#[tokio::test]
async fn another_scheme_takes_the_place_of_bearer() {
    for scheme in ["Zoho-oauthtoken", "OAuth"] {
        let seen = sent(Placement::scheme(scheme).unwrap(), inbound).await.unwrap();
        assert_eq!(seen.header("authorization"), [format!("{scheme} token-1")]);
        assert!(seen.headers[AUTHORIZATION].is_sensitive());
        assert_eq!(seen.uri, "https://api.test/a?access_token=inbound&b=1");
    }
}

#[tokio::test]
async fn a_header_of_its_own_replaces_what_is_in_it_and_any_authorization() {
    let seen = sent(Placement::header("X-Token").unwrap(), inbound).await.unwrap();
    assert_eq!(seen.header("x-token"), ["token-1"]);
    assert!(seen.headers["x-token"].is_sensitive());
    assert_eq!(seen.header("authorization"), [""; 0]);
    let seen = sent(Placement::header_with_scheme("X-Token", "Token").unwrap(), inbound).await.unwrap();
    assert_eq!(seen.header("x-token"), ["Token token-1"]);
    assert_eq!(seen.header("authorization"), [""; 0]);
}

#[tokio::test]
async fn the_query_gets_the_token_in_place_of_one_that_is_there_and_nothing_may_be_stored() {
    let seen = sent(Placement::query(), inbound).await.unwrap();
    assert_eq!(seen.uri, "https://api.test/a?b=1&access_token=token-1");
    assert_eq!(seen.header("authorization"), [""; 0]);
    assert_eq!(seen.header("cache-control"), ["no-store"]);
    let request = || {
        let mut request = get("/%7Ea//b?c=%zz&&d=e");
        request.headers_mut().insert(CACHE_CONTROL, "no-cache".parse().unwrap());
        request
    };
    let seen = sent(Placement::query_parameter("oauth token").unwrap(), request).await.unwrap();
    assert_eq!(seen.uri, "/%7Ea//b?c=%zz&&d=e&oauth+token=token-1");
    assert_eq!(seen.header("cache-control"), ["no-cache", "no-store"]);
    let request = || {
        let mut request = get("https://api.test");
        request.headers_mut().insert(CACHE_CONTROL, "private, No-Store".parse().unwrap());
        request
    };
    let seen = sent(Placement::query(), request).await.unwrap();
    assert_eq!(
        (seen.uri.to_string().as_str(), seen.header("cache-control").len()),
        ("https://api.test/?access_token=token-1", 1)
    );
}

#[tokio::test]
async fn a_form_gets_the_token_in_place_of_one_that_is_there() {
    let request = || {
        let mut request = form("a=%7e+1&access_token=inbound&b=\u{e9}");
        request.headers_mut().insert(AUTHORIZATION, "Bearer inbound".parse().unwrap());
        request.headers_mut().insert(CONTENT_LENGTH, "34".parse().unwrap());
        *request.uri_mut() = Uri::from_static("https://api.test/form?access_token=inbound&c=%zz");
        request
    };
    let seen = sent(Placement::form(), request).await.unwrap();
    let body = "a=%7e+1&b=\u{e9}&access_token=token-1";
    assert_eq!(seen.body, body);
    assert_eq!(seen.header("content-length"), [body.len().to_string()]);
    assert_eq!(seen.header("authorization"), [""; 0]);
    assert_eq!(seen.uri, "https://api.test/form?c=%zz");

    // Slack's legacy API; no length is declared, so none is invented.
    let seen = sent(Placement::form_field("token").unwrap(), || form("")).await.unwrap();
    assert_eq!((seen.body, seen.headers.get(CONTENT_LENGTH)), (Bytes::from("token=token-1"), None));
}

#[tokio::test]
async fn what_is_no_form_is_an_error_and_nothing_is_sent() {
    let json = || {
        let mut request = form("{}");
        request.headers_mut().insert(CONTENT_TYPE, "application/json".parse().unwrap());
        request
    };
    let bare = || Request::post("https://api.test/").body(Body::from("a=1")).unwrap();
    let fetched = || {
        let mut request = form("a=1");
        *request.method_mut() = http::Method::GET;
        request
    };
    for request in [json(), bare(), fetched()] {
        let (layer, made) = counting_layer();
        let (inner, log) = recording(&[]);
        let layer = layer.placement(Placement::form()).body_policy(FromBytes);
        let error = tower::Layer::layer(&layer, inner).oneshot(request).await.unwrap_err();
        assert_eq!(kind(&error), ErrorKind::NotAForm);
        assert_eq!((log.lock().unwrap().len(), made.load(Ordering::SeqCst)), (0, 0));
    }
    let charset = || {
        let mut request = form("a=1");
        let media_type = "Application/X-WWW-Form-Urlencoded ; charset=utf-8";
        request.headers_mut().insert(CONTENT_TYPE, media_type.parse().unwrap());
        request
    };
    assert!(sent(Placement::form(), charset).await.is_ok());
}

#[tokio::test]
async fn a_policy_that_reads_nothing_cannot_put_a_token_into_a_form() {
    let (layer, _) = counting_layer();
    let (inner, log) = recording(&[]);
    let layer = layer.placement(Placement::form()).body_policy(Untouched);
    let error = tower::Layer::layer(&layer, inner).oneshot(form("a=1")).await.unwrap_err();
    assert_eq!(kind(&error), ErrorKind::BodyUnreadable);
    let (mut parts, ()) = Request::post("https://api.test/").body(()).unwrap().into_parts();
    assert_eq!(layer.authorize(&mut parts).await.unwrap_err().kind(), ErrorKind::BodyUnreadable);
    assert!(log.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_form_is_read_within_the_limit() {
    for (body, expected) in [("a=12", Ok(200)), ("a=123", Err(ErrorKind::BodyTooLarge))] {
        let (layer, _) = counting_layer();
        let (inner, _) = recording(&[]);
        let layer = layer.placement(Placement::form()).form_limit(4).body_policy(FromBytes);
        let result = tower::Layer::layer(&layer, inner).oneshot(form(body)).await;
        assert_eq!(result.map(|response| response.status().as_u16()).map_err(|error| kind(&error)), expected);
    }
}

#[tokio::test]
async fn companions_go_with_the_token_and_only_with_it() {
    let placement = Placement::header("x-token").unwrap().companion("x-version", "7").unwrap();
    let placement = placement.secret_companion("Authorization", "Basic key").unwrap();
    let seen = sent(placement.clone(), inbound).await.unwrap();
    assert_eq!(seen.header("x-version"), ["7"]);
    assert_eq!(seen.header("authorization"), ["Basic key"]);
    assert!(seen.headers[AUTHORIZATION].is_sensitive() && !seen.headers["x-version"].is_sensitive());

    let (layer, _) = counting_layer();
    let (inner, log) = recording(&[]);
    let service = tower::Layer::layer(&layer.placement(placement).pass_foreign_unsigned(), inner);
    let mut without = get("https://api.test/");
    without.extensions_mut().insert(WithoutToken);
    for request in [without, get("https://other.test/")] {
        service.clone().oneshot(request).await.unwrap();
    }
    assert!(log.lock().unwrap().iter().all(|seen| seen.headers.is_empty()));
}

#[tokio::test]
async fn the_requests_of_providers_look_as_they_want_them() {
    let header = |name, value: &str| (name, vec![value.to_owned()]);
    let twitch = Placement::bearer().companion("Client-Id", "hof5").unwrap();
    let notion = Placement::bearer().companion("Notion-Version", "2022-06-28").unwrap();
    let xero = Placement::bearer().companion("Xero-tenant-id", "45e4").unwrap();
    let cases = [
        (Placement::header("X-Shopify-Access-Token").unwrap(), header("x-shopify-access-token", "token-1")),
        (Placement::header("x-amz-access-token").unwrap(), header("x-amz-access-token", "token-1")),
        (Placement::scheme("Zoho-oauthtoken").unwrap(), header("authorization", "Zoho-oauthtoken token-1")),
        (Placement::scheme("OAuth").unwrap(), header("authorization", "OAuth token-1")),
        (twitch, header("client-id", "hof5")),
        (notion, header("notion-version", "2022-06-28")),
        (xero, header("xero-tenant-id", "45e4")),
    ];
    for (placement, (name, expected)) in cases {
        let seen = sent(placement, || get("https://api.test/")).await.unwrap();
        assert_eq!(seen.header(name), expected, "{name}");
    }
    // Instagram, Weibo, Douban.
    let seen = sent(Placement::query(), || get("https://api.test/me?fields=id")).await.unwrap();
    assert_eq!(seen.uri, "https://api.test/me?fields=id&access_token=token-1");
}

type Make = fn() -> Request<Body>;

/// Every placement, with a request that it fits.
fn placements() -> Vec<(Placement, Make)> {
    let plain: Make = || get("https://api.test/a?b=1");
    vec![
        (Placement::bearer(), plain),
        (Placement::scheme("OAuth").unwrap(), plain),
        (Placement::header("x-token").unwrap().companion("x-version", "1").unwrap(), plain),
        (Placement::query(), plain),
        (Placement::form(), || form("a=1")),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_sent_again_has_the_new_token_in_the_same_place_and_the_old_one_nowhere() {
    for (placement, request) in placements() {
        let (layer, _) = counting_layer();
        // The first is refused on the cold path, the third on the warm one.
        let (inner, log) = recording(&[1, 3]);
        let service = tower::Layer::layer(&layer.placement(placement.clone()).body_policy(FromBytes), inner);
        for _ in 0..2 {
            assert_eq!(service.clone().oneshot(request()).await.unwrap().status(), 200, "{placement:?}");
        }
        let log = log.lock().unwrap();
        let tokens: Vec<_> = log
            .iter()
            .map(|seen| {
                let authorization = seen.headers.get(AUTHORIZATION).map(|value| value.to_str().unwrap());
                let own = seen.headers.get("x-token").map(|value| value.to_str().unwrap());
                format!("{} {authorization:?} {own:?} {:?}", seen.uri, seen.body)
            })
            .collect();
        for (sent, number) in tokens.iter().zip([1, 2, 2, 3]) {
            assert_eq!(sent.matches("token-").count(), 1 + usize::from(sent.contains("x-token")), "{sent}");
            assert!(sent.contains(&format!("token-{number}")), "{sent}");
        }
        assert_eq!(tokens.len(), 4);
    }
}

#[tokio::test]
async fn a_given_token_goes_to_the_same_place() {
    for (placement, request) in placements() {
        let (layer, made) = counting_layer();
        let (inner, log) = recording(&[]);
        let service = tower::Layer::layer(&layer.placement(placement.clone()).body_policy(FromBytes), inner);
        let mut given = request();
        given.extensions_mut().insert(WithToken::new(&Token::new("token-1")).unwrap());
        service.clone().oneshot(given).await.unwrap();
        assert_eq!(made.load(Ordering::SeqCst), 0);
        service.oneshot(request()).await.unwrap();
        let log = log.lock().unwrap();
        assert_eq!(format!("{:?}", log[0]), format!("{:?}", log[1]), "{placement:?}");
    }
}

#[tokio::test]
async fn a_head_is_authorized_as_a_request_is() {
    for (placement, request) in placements().into_iter().take(4) {
        let seen = sent(placement.clone(), request).await.unwrap();
        let (layer, _) = counting_layer();
        let layer = layer.placement(placement);
        for _ in 0..2 {
            let (mut parts, _) = request().into_parts();
            layer.authorize(&mut parts).await.unwrap();
            assert_eq!((parts.uri, parts.headers), (seen.uri.clone(), seen.headers.clone()));
        }
    }
}

#[tokio::test]
async fn what_is_in_the_place_already_is_kept_if_so_asked() {
    let kept = |placement: Placement, request: Request<Body>| async move {
        let (layer, made) = counting_layer();
        let (inner, log) = recording(&[]);
        tower::Layer::layer(&layer.placement(placement).keep_existing(), inner)
            .oneshot(request)
            .await
            .unwrap();
        assert_eq!(log.lock().unwrap().len(), 1);
        made.load(Ordering::SeqCst) == 0
    };
    let own = || Placement::header("x-token").unwrap();
    let mut with_own = get("https://api.test/");
    with_own.headers_mut().insert("x-token", "inbound".parse().unwrap());
    assert!(kept(own(), with_own).await);
    let mut with_other = get("https://api.test/");
    with_other.headers_mut().insert(AUTHORIZATION, "Basic inbound".parse().unwrap());
    assert!(kept(own(), with_other).await);
    assert!(kept(Placement::query(), get("https://api.test/?a&access%5Ftoken=inbound")).await);
    assert!(!kept(Placement::query(), get("https://api.test/?a")).await);
    assert!(!kept(own(), get("https://api.test/")).await);
}

#[tokio::test]
async fn a_token_that_does_not_fit_is_a_typed_error() {
    let long = "x".repeat(65_530);
    let layer = |placement| {
        let source = tower_oauth::grant::StaticToken::new(long.as_str());
        OAuth2Layer::new(Origins::one("https://api.test").unwrap(), source).placement(placement)
    };
    let (inner, log) = recording(&[]);
    let query = tower::Layer::layer(&layer(Placement::query()), inner.clone());
    // Cold, then warm.
    for _ in 0..2 {
        let error = query.clone().oneshot(get("https://api.test/a?b=c&d=e")).await.unwrap_err();
        assert_eq!(kind(&error), ErrorKind::Placement);
    }
    let (mut options, ()) = Request::options("https://api.test/").body(()).unwrap().into_parts();
    options.uri = Uri::from_static("*");
    let placed = counting_layer().0.placement(Placement::query());
    assert_eq!(placed.authorize(&mut options).await.unwrap_err().kind(), ErrorKind::Placement);
    assert!(log.lock().unwrap().is_empty());
    let header = tower::Layer::layer(&layer(Placement::header("x-token").unwrap()), inner);
    assert!(header.oneshot(get("https://api.test/")).await.is_ok());
}

#[tokio::test]
async fn two_layers_of_one_manager_may_place_its_tokens_differently() {
    let (manager, made) = counting_manager();
    let origins = || Origins::one("https://api.test").unwrap();
    let (inner, log) = recording(&[]);
    for scheme in ["A", "B", "A"] {
        let layer = OAuth2Layer::with_manager(origins(), manager.clone())
            .placement(Placement::scheme(scheme).unwrap());
        tower::Layer::layer(&layer, inner.clone()).oneshot(get("https://api.test/")).await.unwrap();
    }
    let bearer = OAuth2Layer::with_manager(origins(), manager);
    tower::Layer::layer(&bearer, inner).oneshot(get("https://api.test/")).await.unwrap();
    let log = log.lock().unwrap();
    let sent: Vec<_> = log.iter().flat_map(|seen| seen.header("authorization")).collect();
    assert_eq!(sent, ["A token-1", "B token-1", "A token-1", "Bearer token-1"]);
    assert_eq!(made.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_request_may_ask_for_a_scope_of_its_own() {
    let source = token_source_fn(|request: tower_oauth::token::SourceRequest| async move {
        let scope: Vec<_> = request.scope().scopes().collect();
        Ok(Token::new(format!("{}:{}", request.key(), scope.join("+"))))
    });
    let manager = TokenManager::builder(source).build();
    let origins = Origins::one("https://api.test").unwrap();
    let read = tower_oauth::token::AccessScope::new().scope("read");
    let one = OAuth2Layer::with_manager(origins, manager).key(&TokenKey::new("a")).access_scope(read.clone());
    let (inner, sent) = scripted(|_| status(200));
    for (layer, key) in [(one.clone(), None), (one.key_per_request(), Some("b"))] {
        let service = tower::Layer::layer(&layer, inner.clone());
        for scope in [None, Some(read.scope("write")), None] {
            let mut request = get("https://api.test/");
            if let Some(key) = key {
                request.extensions_mut().insert(TokenKey::new(key));
            }
            if let Some(scope) = scope {
                request.extensions_mut().insert(scope);
            }
            service.clone().oneshot(request).await.unwrap();
        }
    }
    let expected = ["a:read", "a:read+write", "a:read", "b:read", "b:read+write", "b:read"];
    assert_eq!(sent.tokens(), expected.map(|token| format!("Bearer {token}")));
}
