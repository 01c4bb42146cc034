//! An `Authorization` header of any bytes is looked at by the signer, which refuses to sign over one with protocol
//! parameters, and read by the verifier.
#![no_main]

use bytes::Bytes;
use futures_util::FutureExt;
use http::HeaderValue;
use http::Request;
use http::StatusCode;
use http_body_util::Full;
use libfuzzer_sys::fuzz_target;
use tower::ServiceExt;
use tower_oauth::ErrorKind;
use tower_oauth::oauth1::Placement;
use tower_oauth::testing::Provider;
use tower_oauth_fuzz::RESOURCE;
use tower_oauth_fuzz::signer;

fuzz_target!(|data: (bool, &[u8])| {
    let (with_scheme, value) = data;
    let mut bytes = if with_scheme { b"OAuth ".to_vec() } else { Vec::new() };
    bytes.extend_from_slice(value);
    let Ok(value) = HeaderValue::from_bytes(&bytes) else { return };
    let request =
        Request::get(RESOURCE).header("authorization", &value).body(Bytes::new()).expect("a request");

    let answer =
        Provider::new().oneshot(request.clone().map(Full::new)).now_or_never().expect("the provider waits");
    assert_ne!(answer.expect("no fault").status(), StatusCode::OK, "nobody signed this");

    let mut signed = request;
    match signer(true, Placement::Header).sign(&mut signed) {
        // Replaced, whatever it was.
        Ok(()) => assert!(signed.headers()["authorization"].is_sensitive()),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ProtocolParameterPresent),
    }
});
