//! What the targets share: sign a request, and have it verified by code that shares nothing with the signer.

use std::cell::Cell;
use std::time::Duration;
use std::time::SystemTime;

use bytes::Bytes;
use futures_util::FutureExt;
use http::Request;
use http::StatusCode;
use http_body_util::BodyExt;
use http_body_util::Full;
use tower::ServiceExt;
use tower_oauth::Credentials;
use tower_oauth::ErrorKind;
use tower_oauth::oauth1::Placement;
use tower_oauth::oauth1::Signer;
use tower_oauth::testing::ManualClock;
use tower_oauth::testing::Provider;

/// Where the embedded provider expects signed requests.
pub const RESOURCE: &str = "http://localhost/oauth1/resource";

thread_local! {
    static NONCE: Cell<u64> = const { Cell::new(0) };
}

/// A time that stands still.
fn clock() -> ManualClock {
    ManualClock::at(SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000))
}

/// A signer that the provider knows, with or without a token.
pub fn signer(with_token: bool, placement: Placement) -> Signer {
    let credentials = Credentials::new("consumer-key", "consumer-secret");
    let credentials = if with_token { credentials.token("token", "token-secret") } else { credentials };
    Signer::new(credentials).placement(placement).clock(clock()).nonce_fn(|| {
        NONCE.set(NONCE.get() + 1);
        format!("n{}", NONCE.get())
    })
}

/// Signs `request`; checks that nothing but the signature was added, and that the provider accepts it.
pub fn sign_and_verify(signer: &Signer, placement: Placement, request: Request<Bytes>) {
    let mut signed = request.clone();
    if let Err(error) = signer.sign(&mut signed) {
        // The request has OAuth parameters of its own, is no form, or would grow beyond what a URI may be.
        let expected = [ErrorKind::ProtocolParameterPresent, ErrorKind::NotAForm, ErrorKind::Signature];
        assert!(expected.contains(&error.kind()), "{error}");
        return;
    }
    assert_eq!(signed.method(), request.method());
    assert_eq!(signed.uri().path(), request.uri().path());
    let query = |request: &Request<Bytes>| request.uri().query().map(str::to_owned);
    match placement {
        Placement::Query => {
            let before = query(&request).unwrap_or_default();
            assert!(query(&signed).unwrap_or_default().starts_with(&before));
            assert_eq!(signed.body(), request.body());
        }
        Placement::Form => {
            assert_eq!(query(&signed), query(&request));
            assert!(signed.body().starts_with(request.body()));
        }
        _ => {
            assert_eq!(query(&signed), query(&request));
            assert_eq!(signed.body(), request.body());
        }
    }
    let uri = signed.uri().clone();
    // A new one each time: what it remembers of the others would only make it slower.
    let provider = Provider::builder().test_clients().clock(clock()).build();
    let answer = provider
        .oneshot(signed.map(Full::new))
        .now_or_never()
        .expect("the provider waits")
        .expect("no fault");
    if answer.status() != StatusCode::OK {
        let body = answer
            .into_body()
            .collect()
            .now_or_never()
            .expect("the body waits")
            .expect("no fault")
            .to_bytes();
        panic!("refused: {uri} {:?}: {}", request.body(), String::from_utf8_lossy(&body));
    }
}
