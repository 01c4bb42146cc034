//! Whatever an issuer says of itself: what is accepted is that issuer's, and leads nowhere else.
#![no_main]

use bytes::Bytes;
use http::Request;
use http::Response;
use http::Uri;
use http_body_util::Full;
use libfuzzer_sys::fuzz_target;
use tokio::runtime::Builder;
use tokio::runtime::Runtime;
use tower::service_fn;
use tower_oauth::endpoint::Discovery;
use tower_oauth::endpoint::ServerMetadata;

const ISSUER: &str = "https://a.test/t";

thread_local! {
    static RUNTIME: Runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
}

fuzz_target!(|document: &[u8]| {
    let body = Bytes::copy_from_slice(document);
    let http = service_fn(move |_: Request<Full<Bytes>>| {
        let body = body.clone();
        async move { Ok::<_, std::convert::Infallible>(Response::new(Full::new(body))) }
    });
    let discovery = Discovery::new(ISSUER, http).expect("an issuer");
    match RUNTIME.with(|runtime| runtime.block_on(discovery.discover())) {
        Ok(metadata) => check(&metadata),
        Err(error) => {
            let text = error.to_string();
            assert!(text.len() < 4096 && !text.contains(char::is_control), "{text:?}");
        }
    }
    // A document of one's own, wherever it leads.
    if let Ok(metadata) = std::str::from_utf8(document)
        .map_err(drop)
        .and_then(|json| ServerMetadata::from_json(json).map_err(drop))
    {
        let again = ServerMetadata::from_json(&metadata.to_json()).expect("what was written is read again");
        assert_eq!(again, metadata);
    }
});

fn check(metadata: &ServerMetadata) {
    assert_eq!(metadata.issuer(), ISSUER);
    let aliases = metadata.field("mtls_endpoint_aliases").and_then(|aliases| aliases.as_object());
    let endpoints = metadata.field_names().filter(|name| name.ends_with("_endpoint") || *name == "jwks_uri");
    let urls = endpoints
        .filter_map(|name| metadata.field(name))
        .chain(aliases.into_iter().flat_map(|aliases| aliases.values()));
    for url in urls.filter(|url| !url.is_null()) {
        let text = url.as_str().expect("a text");
        let uri: Uri = text.parse().expect("a URL");
        assert_eq!(uri.scheme_str(), Some("https"), "{text}");
        assert!(uri.host().is_some_and(|host| host.eq_ignore_ascii_case("a.test")), "{text}");
        assert!(uri.port_u16().is_none_or(|port| port == 443), "{text}");
        assert!(
            !text.contains(['#', '@'])
                || uri.path().contains('@')
                || uri.query().is_some_and(|query| query.contains('@')),
            "{text}"
        );
    }
    for list in [
        metadata.token_endpoint_auth_methods_supported(),
        metadata.code_challenge_methods_supported(),
        metadata.scopes_supported(),
        metadata.grant_types_supported(),
        metadata.response_modes_supported(),
    ] {
        drop(list);
    }
}
