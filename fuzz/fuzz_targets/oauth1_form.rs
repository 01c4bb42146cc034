//! Any bytes that are called a form are signed as an independent verifier reads them, and sent as they are.
#![no_main]

use bytes::Bytes;
use http::Request;
use libfuzzer_sys::fuzz_target;
use tower_oauth::oauth1::Placement;
use tower_oauth_fuzz::RESOURCE;
use tower_oauth_fuzz::sign_and_verify;
use tower_oauth_fuzz::signer;

fuzz_target!(|data: (bool, u8, &[u8], &[u8])| {
    let (with_token, choice, content_type, body) = data;
    let content_type = match choice % 4 {
        0 => b"application/x-www-form-urlencoded".as_slice(),
        1 => b"Application/X-WWW-Form-Urlencoded; charset=utf-8",
        2 => b"text/plain",
        _ => content_type,
    };
    let placement = match choice / 4 % 3 {
        0 => Placement::Header,
        1 => Placement::Query,
        _ => Placement::Form,
    };
    let request =
        Request::post(RESOURCE).header("content-type", content_type).body(Bytes::copy_from_slice(body));
    let Ok(request) = request else { return };
    sign_and_verify(&signer(with_token, placement), placement, request);
});
