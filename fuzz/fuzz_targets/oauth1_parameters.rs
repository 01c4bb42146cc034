//! Any query that a URI can hold is signed as an independent verifier reads it.
#![no_main]

use bytes::Bytes;
use http::Request;
use libfuzzer_sys::fuzz_target;
use tower_oauth::oauth1::Placement;
use tower_oauth_fuzz::RESOURCE;
use tower_oauth_fuzz::sign_and_verify;
use tower_oauth_fuzz::signer;

fuzz_target!(|data: (bool, bool, &[u8])| {
    let (with_token, in_query, query) = data;
    let mut uri = format!("{RESOURCE}?").into_bytes();
    uri.extend_from_slice(query);
    let Ok(request) = Request::get(uri).body(Bytes::new()) else { return };
    let placement = if in_query { Placement::Query } else { Placement::Header };
    sign_and_verify(&signer(with_token, placement), placement, request);
});
