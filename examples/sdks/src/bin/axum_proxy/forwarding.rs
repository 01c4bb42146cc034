//! What goes from one side of a proxy to the other, and what does not.

use axum::http::uri::{Authority, Scheme};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri, header};

/// Headers about one connection, which end with it (RFC 9110 §7.6.1), and those that `Connection` names besides.
static HOP_BY_HOP: [HeaderName; 9] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// What callers say to us, and not to the upstream: who they are, what they store for us, and where they claim to come from.
static FOR_US: [HeaderName; 10] = [
    header::AUTHORIZATION,
    header::COOKIE,
    header::EXPECT,
    header::FORWARDED,
    header::HOST,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-port"),
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-real-ip"),
];

/// What the upstream says to us: one caller's cookies would be those of all callers, and a challenge is for whoever holds the token.
static FROM_UPSTREAM: [HeaderName; 3] =
    [header::SET_COOKIE, header::WWW_AUTHENTICATE, HeaderName::from_static("authentication-info")];

/// Leaves what the upstream may see.
pub fn clean_request(headers: &mut HeaderMap) {
    remove_hop_by_hop(headers);
    FOR_US.iter().for_each(|name| {
        headers.remove(name);
    });
    headers.append(header::VIA, HeaderValue::from_static("1.1 tower-oauth-proxy"));
}

/// Leaves what the caller may see.
pub fn clean_response(headers: &mut HeaderMap) {
    remove_hop_by_hop(headers);
    FROM_UPSTREAM.iter().for_each(|name| {
        headers.remove(name);
    });
}

fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

/// Where everything goes. What callers ask for is a path below it, and never another host.
#[derive(Clone, Debug)]
pub struct Upstream {
    scheme: Scheme,
    authority: Authority,
    /// Without a slash at the end.
    base_path: String,
}

impl Upstream {
    /// Reads a URL such as `https://api.example.com/v1`.
    pub fn parse(url: &str) -> Result<Self, String> {
        let invalid = || format!("{url} is not the URL of an upstream, such as https://api.example.com/v1");
        let parts = url.parse::<Uri>().map_err(|_| invalid())?.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else { return Err(invalid()) };
        // The layer would refuse each request; it is better said at the start.
        if scheme != Scheme::HTTPS && !["localhost", "127.0.0.1", "[::1]"].contains(&authority.host()) {
            return Err(format!("{url} is not https, and tokens are not sent over anything else"));
        }
        let base_path = parts.path_and_query.map(|path| path.path().trim_end_matches('/').to_owned());
        Ok(Self { scheme, authority, base_path: base_path.unwrap_or_default() })
    }

    /// Such as `https://api.example.com`.
    pub fn origin(&self) -> String {
        format!("{}://{}", self.scheme, self.authority)
    }

    /// The tenant whom a caller's URI names in its first segment, and the URI at the upstream for the rest of it. `None` when there
    /// is no tenant, or the rest leads out of the base path.
    pub fn resolve<'a>(&self, uri: &'a Uri) -> Option<(&'a str, Uri)> {
        let path = uri.path().strip_prefix('/')?;
        let (tenant, rest) = path.split_once('/').unwrap_or((path, ""));
        let is_dots = |segment: &str| {
            let plain = segment.replace("%2e", ".").replace("%2E", ".");
            plain == "." || plain == ".."
        };
        // An encoded slash or a backslash is a separator to some servers.
        let hides_a_slash = rest.contains('\\') || rest.to_ascii_lowercase().contains("%2f");
        if tenant.is_empty() || hides_a_slash || rest.split('/').any(is_dots) {
            return None;
        }
        let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        let target = Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(format!("{}/{rest}{query}", self.base_path))
            .build()
            .ok()?;
        Some((tenant, target))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(uri: &str) -> Option<(String, String)> {
        let upstream = Upstream::parse("https://api.test/v1/").unwrap();
        let uri = uri.parse().unwrap();
        upstream.resolve(&uri).map(|(tenant, target)| (tenant.to_owned(), target.to_string()))
    }

    #[test]
    fn what_follows_the_tenant_is_a_path_below_the_upstream() {
        let resolved = |tenant: &str, target: &str| Some((tenant.to_owned(), target.to_owned()));
        assert_eq!(resolve("/alice/orders?page=2"), resolved("alice", "https://api.test/v1/orders?page=2"));
        assert_eq!(resolve("/alice"), resolved("alice", "https://api.test/v1/"));
        assert_eq!(resolve("/alice/a%20b//c"), resolved("alice", "https://api.test/v1/a%20b//c"));
    }

    #[test]
    fn no_uri_leads_anywhere_else() {
        assert_eq!(resolve("http://evil.test/alice/x").unwrap().1, "https://api.test/v1/x");
        assert_eq!(resolve("/alice//evil.test/x").unwrap().1, "https://api.test/v1//evil.test/x");
        for uri in
            ["/", "//evil.test", "/alice/../x", "/alice/a/%2E%2e/x", "/alice/..%2fx", "/alice/..%5cx/.."]
        {
            assert_eq!(resolve(uri), None, "{uri}");
        }
    }

    #[test]
    fn an_upstream_is_https_or_this_machine() {
        assert!(Upstream::parse("http://127.0.0.1:8080").is_ok());
        for url in ["http://api.test", "api.test/v1", "/v1"] {
            assert!(Upstream::parse(url).is_err(), "{url}");
        }
    }

    #[test]
    fn headers_of_a_connection_and_those_that_it_names_end_here() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Internal"),
            ("connection", "x-other"),
            ("x-internal", "1"),
            ("x-other", "1"),
            ("te", "trailers"),
            ("authorization", "Basic YTpi"),
            ("cookie", "session=1"),
            ("proxy-authorization", "Basic YTpi"),
            ("x-forwarded-for", "127.0.0.1"),
            ("accept", "*/*"),
        ] {
            headers.append(name, HeaderValue::from_static(value));
        }
        clean_request(&mut headers);
        let left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(left, ["accept", "via"]);
    }
}
