//! What the hot paths allocate: counted, because it is promised.

use std::alloc::GlobalAlloc;
use std::alloc::Layout;
use std::alloc::System;
use std::cell::Cell;
use std::convert::Infallible;
use std::future::Future;
use std::future::Ready;
use std::future::ready;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;

use bytes::Bytes;
use http::HeaderMap;
use http::Request;
use http::Response;
use http_body_util::Full;
use tower::Layer;
use tower::Service;
use tower_oauth::OAuth1Layer;
use tower_oauth::OAuth2Layer;
use tower_oauth::Origins;
use tower_oauth::Token;
use tower_oauth::TokenKey;
use tower_oauth::TokenManager;
use tower_oauth::body::Untouched;
use tower_oauth::grant::StaticToken;
use tower_oauth::oauth1::Credentials;
use tower_oauth::oauth1::Signer;
use tower_oauth::oauth1::credential_source_fn;
use tower_oauth::oauth2::Placement;
use tower_oauth::oauth2::WithToken;
use tower_oauth::token::AccessScope;
use tower_oauth::token::SourceRequest;
use tower_oauth::token::token_source_fn;

/// Counts the allocations of each thread.
struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call is handed to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller's promises hold for the system's allocator.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A service that allocates nothing and answers at once.
#[derive(Clone)]
struct Leaf;

impl<B> Service<Request<B>> for Leaf {
    type Response = Response<()>;
    type Error = Infallible;
    type Future = Ready<Result<Response<()>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // Whatever the request brought is freed here, as it would be further in.
        drop(request);
        ready(Ok(Response::new(())))
    }
}

/// A request with room for one more header, so that the growth of the map is not counted.
fn request(uri: &'static str) -> Request<()> {
    let mut request = Request::new(());
    *request.uri_mut() = uri.parse().unwrap();
    *request.headers_mut() = HeaderMap::with_capacity(4);
    request.headers_mut().insert("x-one", http::HeaderValue::from_static("1"));
    request
}

/// The allocations of one call, from readiness to response.
fn allocations<S, B>(service: &mut S, request: Request<B>) -> usize
where
    S: Service<Request<B>, Response = Response<()>>,
    S::Error: std::fmt::Debug,
{
    let mut context = Context::from_waker(Waker::noop());
    let before = COUNT.get();
    assert!(service.poll_ready(&mut context).is_ready());
    let mut future = std::pin::pin!(service.call(request));
    let Poll::Ready(response) = future.as_mut().poll(&mut context) else { panic!("not ready") };
    drop(response.unwrap());
    COUNT.get() - before
}

#[tokio::test]
async fn a_warm_request_with_one_identity_allocates_nothing() {
    for uri in ["https://api.test/orders?page=1", "http://localhost:8080/", "http://127.0.0.1:8080/"] {
        let origins = Origins::one(uri.split("/orders").next().unwrap()).unwrap();
        let layer = OAuth2Layer::new(origins, StaticToken::new("token"));
        layer.manager().token(&TokenKey::default()).await.unwrap();
        let mut service = layer.layer(Leaf);
        assert_eq!(allocations(&mut Leaf, request(uri)), 0);
        // The first call on a thread sets up what belongs to the thread.
        allocations(&mut service, request(uri));
        for _ in 0..10 {
            assert_eq!(allocations(&mut service, request(uri)), 0, "{uri}");
        }
    }
}

#[tokio::test]
async fn a_warm_request_whose_token_goes_into_a_header_allocates_nothing_whatever_the_header() {
    let placements = [
        Placement::scheme("Zoho-oauthtoken").unwrap(),
        Placement::header("X-Shopify-Access-Token").unwrap(),
        Placement::header_with_scheme("X-Token", "Token").unwrap(),
        Placement::bearer().companion("Notion-Version", "2022-06-28").unwrap(),
        Placement::header("X-Token").unwrap().secret_companion("X-Key", "key").unwrap(),
    ];
    for placement in placements {
        let origins = || Origins::one("https://api.test").unwrap();
        let plain = OAuth2Layer::new(origins(), StaticToken::new("token")).placement(placement.clone());
        let hooked = plain.clone().protected_request(|parts, token| {
            assert!(!token.access_token().is_empty());
            parts.headers.insert("x-one", http::HeaderValue::from_static("2"));
            Ok(())
        });
        for layer in [plain, hooked] {
            layer.manager().token(&TokenKey::default()).await.unwrap();
            let mut service = layer.layer(Leaf);
            allocations(&mut service, request("https://api.test/"));
            for _ in 0..10 {
                assert_eq!(allocations(&mut service, request("https://api.test/")), 0, "{placement:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_warm_request_with_a_token_or_a_scope_of_its_own_allocates_nothing() {
    let source = token_source_fn(|_| async { Ok(Token::new("token")) });
    let layer = OAuth2Layer::new(Origins::one("https://api.test").unwrap(), source)
        .placement(Placement::scheme("OAuth").unwrap());
    let scope = AccessScope::new().scope("read");
    layer.manager().token_for(&TokenKey::default(), &scope).await.unwrap();
    let given = WithToken::new(&Token::new("given")).unwrap();
    let mut service = layer.layer(Leaf);
    for wish in [true, false] {
        let wishing = || {
            let mut request = request("https://api.test/");
            match wish {
                true => drop(request.extensions_mut().insert(given.clone())),
                false => drop(request.extensions_mut().insert(scope.clone())),
            }
            request
        };
        allocations(&mut service, wishing());
        for _ in 0..10 {
            assert_eq!(allocations(&mut service, wishing()), 0);
        }
    }
}

#[tokio::test]
async fn a_warm_request_whose_token_goes_into_the_query_allocates_a_few_times_and_needs_no_task() {
    let layer = OAuth2Layer::new(Origins::one("https://api.test").unwrap(), StaticToken::new("token"))
        .placement(Placement::query());
    layer.manager().token(&TokenKey::default()).await.unwrap();
    let mut service = layer.layer(Leaf);
    allocations(&mut service, request("https://api.test/orders?page=1"));
    let made = allocations(&mut service, request("https://api.test/orders?page=1"));
    assert!((1..=12).contains(&made), "{made}");
}

#[tokio::test]
async fn a_warm_request_with_a_key_of_its_own_allocates_nothing() {
    let source =
        token_source_fn(|request: SourceRequest| async move { Ok(Token::new(request.key().as_str())) });
    let manager = TokenManager::builder(source).build();
    let origins = Origins::several(["https://api.test", "https://other.test"]).unwrap();
    let layer = OAuth2Layer::with_manager(origins, manager).key_per_request();
    let mut service = layer.layer(Leaf);
    for number in 0..100 {
        let key = TokenKey::new(format!("tenant-{number}"));
        layer.manager().token(&key).await.unwrap();
        let keyed = || {
            let mut request = request("https://other.test/");
            request.extensions_mut().insert(key.clone());
            request
        };
        allocations(&mut service, keyed());
        assert_eq!(allocations(&mut service, keyed()), 0);
    }
}

#[tokio::test]
async fn warm_requests_of_10_000_tenants_allocate_nothing_on_any_thread() {
    const TENANTS: usize = 10_000;
    let source = token_source_fn(|_| async { Ok(Token::new("token")) });
    let manager = TokenManager::builder(source).max_keys(2 * TENANTS).build();
    let layer =
        OAuth2Layer::with_manager(Origins::one("https://api.test").unwrap(), manager).key_per_request();
    let mut keys = Vec::new();
    for number in 0..TENANTS {
        let key = TokenKey::new(format!("tenant-{number}"));
        layer.manager().put(&key, Token::new(format!("token-{number}"))).await.unwrap();
        keys.push(key);
    }
    let run = || {
        let mut service = layer.layer(Leaf);
        let mut keyed = |key: &TokenKey| {
            let mut request = request("https://api.test/");
            request.extensions_mut().insert(key.clone());
            allocations(&mut service, request)
        };
        // The first call on a thread sets up what belongs to the thread.
        keyed(&keys[0]);
        keys.iter().map(keyed).sum::<usize>()
    };
    assert_eq!(run(), 0);
    let others = [0; 4].map(|_| std::thread::scope(|scope| scope.spawn(run).join().unwrap()));
    assert_eq!(others, [0; 4]);
}

#[tokio::test]
async fn threads_that_share_a_token_get_their_copies_once_and_then_allocate_nothing() {
    let layer = OAuth2Layer::new(Origins::one("https://api.test").unwrap(), StaticToken::new("token"));
    layer.manager().token(&TokenKey::default()).await.unwrap();
    let run = || {
        let mut service = layer.layer(Leaf);
        allocations(&mut service, request("https://api.test/"));
        (0..2_000).map(|_| allocations(&mut service, request("https://api.test/"))).sum::<usize>()
    };
    assert_eq!(run(), 0);
    let others = [0; 4].map(|_| std::thread::scope(|scope| scope.spawn(run).join().unwrap()));
    assert_eq!(others, [0; 4]);
}

#[tokio::test]
async fn a_token_that_is_being_renewed_is_served_without_allocation() {
    use std::sync::Arc;
    use std::sync::Mutex;
    use std::time::Duration;
    use std::time::SystemTime;

    #[derive(Clone)]
    struct Manual(Arc<Mutex<SystemTime>>);
    impl tower_oauth::Clock for Manual {
        fn now(&self) -> SystemTime {
            *self.0.lock().unwrap()
        }
    }

    let clock = Manual(Arc::new(Mutex::new(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000))));
    let first = std::sync::atomic::AtomicBool::new(true);
    let source = token_source_fn(move |_| {
        let first = first.swap(false, std::sync::atomic::Ordering::SeqCst);
        async move {
            if !first {
                std::future::pending::<()>().await;
            }
            Ok(Token::new("token").expires_in(Duration::from_secs(100)))
        }
    });
    let manager = TokenManager::builder(source).clock(clock.clone()).build();
    let layer = OAuth2Layer::with_manager(Origins::one("https://api.test").unwrap(), manager);
    layer.manager().token(&TokenKey::default()).await.unwrap();
    let mut service = layer.layer(Leaf);
    allocations(&mut service, request("https://api.test/"));
    *clock.0.lock().unwrap() += Duration::from_secs(85);
    // The first reader starts the refresh, and that allocates; the others do not notice.
    assert!(allocations(&mut service, request("https://api.test/")) > 0);
    for _ in 0..10 {
        assert_eq!(allocations(&mut service, request("https://api.test/")), 0);
    }
}

#[tokio::test]
async fn watching_a_signed_request_allocates_nothing_beyond_its_signature() {
    let credentials = Credentials::new("client", "client secret").token("token", "token secret");
    let signer = Signer::new(credentials.clone());
    let signed = |uri: &'static str| {
        let (mut head, ()) = request(uri).into_parts();
        let before = COUNT.get();
        signer.sign_parts(&mut head, &[]).unwrap();
        COUNT.get() - before
    };
    let origins = || Origins::several(["https://api.test", "http://localhost:8080"]).unwrap();
    let one = OAuth1Layer::new(origins(), credentials.clone());
    let many = OAuth1Layer::per_request(
        origins(),
        credential_source_fn(move |_: TokenKey| {
            let credentials = credentials.clone();
            async move { Ok(credentials) }
        }),
    );
    for (layer, key) in [(one, None), (many, Some(TokenKey::new("alice")))] {
        let mut service = layer.body_policy(Untouched).layer(Leaf);
        for uri in ["https://api.test/a?b=c", "http://localhost:8080/"] {
            let request = || {
                let mut request = request(uri);
                if let Some(key) = &key {
                    request.extensions_mut().insert(key.clone());
                }
                request
            };
            signed(uri);
            allocations(&mut service, request());
            for _ in 0..10 {
                assert_eq!(allocations(&mut service, request()), signed(uri), "{uri}");
            }
        }
    }
}

#[test]
fn a_signed_request_is_kept_in_two_allocations_and_a_form_at_hand_is_read_in_one_of_them() {
    let credentials = Credentials::new("client", "client secret").token("token", "token secret");
    let origins = || Origins::one("https://api.test").unwrap();
    let layer = OAuth1Layer::new(origins(), credentials.clone());
    let get = || request("https://api.test/a?b=c").map(|()| Full::<Bytes>::default());
    let form = || {
        let mut request = request("https://api.test/a?b=c").map(|()| Full::new(Bytes::from_static(b"d=e")));
        let form_type = http::HeaderValue::from_str("application/x-www-form-urlencoded").unwrap();
        request.headers_mut().insert(http::header::CONTENT_TYPE, form_type);
        request
    };
    // One for the signature; and without correction, a body is read in a piece of memory of its own.
    for (layer, for_get, for_form) in [(layer.clone(), 3, 3), (layer.without_skew_correction(), 1, 2)] {
        let mut service = layer.layer(Leaf);
        allocations(&mut service, get());
        allocations(&mut service, form());
        for _ in 0..10 {
            assert_eq!(allocations(&mut service, get()), for_get);
            assert_eq!(allocations(&mut service, form()), for_form);
        }
    }
    let credentials = credential_source_fn(move |_: TokenKey| {
        let credentials = credentials.clone();
        async move { Ok(credentials) }
    });
    let mut service = OAuth1Layer::per_request(origins(), credentials).layer(Leaf);
    let key = TokenKey::new("alice");
    let keyed = |mut request: Request<Full<Bytes>>| {
        request.extensions_mut().insert(key.clone());
        request
    };
    allocations(&mut service, keyed(get()));
    for _ in 0..10 {
        assert_eq!(allocations(&mut service, keyed(get())), 3);
        assert_eq!(allocations(&mut service, keyed(form())), 3);
    }
}

#[test]
fn a_signature_over_up_to_16_parameters_allocates_the_header_value_alone() {
    let credentials = Credentials::new("client", "client secret").token("token", "token secret");
    let signer = Signer::new(credentials);
    for parameters in 0..=16 {
        let query: Vec<_> = (0..parameters).map(|number| format!("name{number}=value%20{number}")).collect();
        let uri = format!("https://api.test/orders?{}", query.join("&"));
        let sign = || {
            let (mut head, ()) = request("https://api.test/").into_parts();
            head.uri = uri.parse().unwrap();
            let before = COUNT.get();
            signer.sign_parts(&mut head, &[]).unwrap();
            COUNT.get() - before
        };
        // The buffers of the thread grow once.
        sign();
        assert_eq!(sign(), 1, "{parameters} parameters");
    }
}
