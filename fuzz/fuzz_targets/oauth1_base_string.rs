//! Any method, path and host are signed as an independent verifier reads them.
#![no_main]

use arbitrary::Arbitrary;
use bytes::Bytes;
use http::Request;
use http::uri::Authority;
use libfuzzer_sys::fuzz_target;
use tower_oauth::oauth1::Placement;
use tower_oauth_fuzz::sign_and_verify;
use tower_oauth_fuzz::signer;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    https: bool,
    method: &'a [u8],
    authority: &'a str,
    path: &'a str,
    query: Option<&'a str>,
    host: Option<&'a [u8]>,
}

/// Whether this is a host, perhaps with a port. Of ports like `:0443` and `:99999` no specification says what they are.
fn is_ordinary(authority: &[u8]) -> bool {
    let Ok(parsed) = Authority::try_from(authority) else { return false };
    let after_host = parsed.as_str().rsplit('@').next().and_then(|text| text.strip_prefix(parsed.host()));
    match after_host {
        Some("") => !parsed.host().is_empty(),
        Some(port) => parsed.port_u16().is_some_and(|number| port == format!(":{number}")),
        None => false,
    }
}

fuzz_target!(|input: Input| {
    let scheme = if input.https { "https" } else { "http" };
    let query = input.query.map(|query| format!("?{query}")).unwrap_or_default();
    let uri = format!("{scheme}://{}/oauth1/resource/{}{query}", input.authority, input.path);
    let mut builder = Request::builder().method(input.method).uri(uri);
    if let Some(host) = input.host {
        if !is_ordinary(host) {
            return;
        }
        builder = builder.header("host", host);
    }
    let Ok(request) = builder.body(Bytes::new()) else { return };
    if !is_ordinary(
        request.uri().authority().map(|authority| authority.as_str().as_bytes()).unwrap_or_default(),
    ) {
        return;
    }
    if !request.uri().path().starts_with("/oauth1/resource/") {
        // What looks like an authority may have ended early.
        return;
    }
    sign_and_verify(&signer(true, Placement::Header), Placement::Header, request);
});
