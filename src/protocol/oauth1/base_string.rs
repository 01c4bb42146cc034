//! The signature base string: the method, the base string URI, and the parameters (RFC 5849 §3.4.1).

use http::uri;

use crate::origin::Origin;
use crate::protocol::oauth1::buffer::Writer;
use crate::protocol::oauth1::encode::Escape;
use crate::protocol::oauth1::encode::are_plain;
use crate::protocol::oauth1::encode::escape;
use crate::protocol::oauth1::encode::escape_lowercase;

/// What the server takes for the scheme, the host and the path of a request, where that is not what the client sends
/// (RFC 5849 §3.4.1.2).
///
/// A server behind a proxy rebuilds the URI for the base string from its own view of the request. When the proxy ends
/// the TLS connection, or changes the host or the path, both sides sign different texts and every request is refused.
/// What is set here goes into the base string; the request is sent as it is.
///
/// ```
/// use tower_oauth::oauth1::{BaseStringUri, Credentials, Signer};
///
/// // The shop believes that it is served under http, and under /wordpress.
/// let seen = BaseStringUri::new().scheme(http::uri::Scheme::HTTP).path_prefix("/wordpress");
/// let signer = Signer::new(Credentials::new("client", "secret")).base_string_uri(seen);
/// ```
#[derive(Clone, Debug, Default)]
pub struct BaseStringUri {
    scheme: Option<uri::Scheme>,
    authority: Option<uri::Authority>,
    path_prefix: String,
}

impl BaseStringUri {
    /// Changes nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The scheme, in place of the request's.
    pub fn scheme(mut self, scheme: uri::Scheme) -> Self {
        self.scheme = Some(scheme);
        self
    }

    /// The host and port, in place of the request's. They count for more than a `Host` header.
    pub fn authority(mut self, authority: uri::Authority) -> Self {
        self.authority = Some(authority);
        self
    }

    /// A path that is put before the request's. A `/` is put before it if there is none, and one at its end is
    /// dropped.
    pub fn path_prefix(mut self, prefix: impl Into<String>) -> Self {
        let prefix = prefix.into();
        let trimmed = prefix.trim_matches('/');
        self.path_prefix = if trimmed.is_empty() { String::new() } else { format!("/{trimmed}") };
        self
    }
}

/// The parts of a request that make its base string URI.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BaseUri<'a> {
    pub(crate) scheme: &'a str,
    pub(crate) authority: Authority<'a>,
    pub(crate) path_prefix: &'a str,
    pub(crate) path: &'a str,
}

/// A host and a port, as a `Host` header has them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Authority<'a> {
    host: &'a [u8],
    port: Port<'a>,
    /// Whether the host is written as it is, as most are.
    is_plain: bool,
}

#[derive(Clone, Copy, Debug)]
enum Port<'a> {
    Absent,
    Number(u16),
    /// As it was written, which may be with leading zeros.
    Text(&'a [u8]),
}

impl<'a> BaseUri<'a> {
    /// Puts together what counts: what was configured, then the `Host` header (§3.4.1.2(2)), then the request's URI,
    /// then the origin that a relative URI stands for. `None` when there is no scheme or no host.
    #[inline]
    pub(crate) fn new(
        configured: &'a BaseStringUri,
        uri: &'a http::Uri,
        host_header: Option<&'a [u8]>,
        origin: Option<&'a Origin<'_>>,
    ) -> Option<Self> {
        let configured_scheme = configured.scheme.as_ref().map(uri::Scheme::as_str);
        let scheme = configured_scheme.or(uri.scheme_str()).or(origin.map(Origin::scheme))?;
        let configured_authority =
            configured.authority.as_ref().map(|authority| authority.as_str().as_bytes());
        let authority = configured_authority
            .or(host_header.filter(|host| !host.is_empty()))
            .or(uri.authority().map(|authority| authority.as_str().as_bytes()))
            .map(Authority::parse)
            .or(origin.map(Authority::of))?;
        Some(Self { scheme, authority, path_prefix: &configured.path_prefix, path: uri.path() })
    }

    /// Appends the URI, percent-encoded. Scheme and host are put in lower case and the scheme's own port is left out;
    /// everything else goes in as it is sent, above all the path.
    pub(crate) fn write(&self, out: &mut Writer<'_>) {
        match self.scheme {
            "https" => out.text(b"https%3A%2F%2F"),
            other => {
                escape_lowercase(other.as_bytes(), out);
                out.text(b"%3A%2F%2F");
            }
        }
        if self.authority.is_plain {
            out.text(self.authority.host);
        } else {
            escape_lowercase(self.authority.host, out);
        }
        self.authority.port.write(self.scheme, out);
        if !self.path_prefix.is_empty() {
            escape(self.path_prefix.as_bytes(), Escape::Once, out);
        }
        // An absolute URI without a path asks for `/`.
        let path = if self.path.is_empty() { "/" } else { self.path };
        escape(path.as_bytes(), Escape::Once, out);
    }
}

impl<'a> Authority<'a> {
    fn parse(authority: &'a [u8]) -> Self {
        if authority.chunks(32).all(are_plain) {
            return Self { host: authority, port: Port::Absent, is_plain: true };
        }
        // From the end on, the first of these says what is there: a port, no port but the end of an IPv6 address, whose
        // colons are none, or no port but a user name, which no `Host` header has.
        let mark = authority.iter().rposition(|byte| matches!(byte, b':' | b']' | b'@'));
        let Some((before, after)) = mark.and_then(|mark| authority.split_at_checked(mark)) else {
            return Self { host: authority, port: Port::Absent, is_plain: false };
        };
        let (host, port) = match after.strip_prefix(b":") {
            Some([]) => (before, Port::Absent),
            Some(port) => (before, Port::Text(port)),
            None => (authority, Port::Absent),
        };
        Self { host: without_user(host), port, is_plain: false }
    }

    fn of(origin: &'a Origin<'_>) -> Self {
        Self { host: origin.host().as_bytes(), port: Port::Number(origin.port()), is_plain: false }
    }
}

fn without_user(authority: &[u8]) -> &[u8] {
    authority.rsplit(|&byte| byte == b'@').next().unwrap_or_default()
}

impl Port<'_> {
    /// Appends the port unless it is the scheme's own, whatever leading zeros it is written with: an HTTP client
    /// leaves that out of the `Host` header.
    fn write(self, scheme: &str, out: &mut Writer<'_>) {
        let default = match scheme {
            "http" => Some(80),
            "https" => Some(443),
            // `http::uri::Scheme` keeps the case of what it is parsed from.
            other if other.eq_ignore_ascii_case("http") => Some(80),
            other if other.eq_ignore_ascii_case("https") => Some(443),
            _ => None,
        };
        match self {
            Self::Absent => {}
            Self::Number(port) if Some(port) == default => {}
            Self::Number(port) => {
                out.text(b"%3A");
                out.text(decimal(port.into(), &mut [0; 20]));
            }
            Self::Text(port) => {
                let is_number = port.iter().all(u8::is_ascii_digit);
                let digits = std::str::from_utf8(port).ok().filter(|_| is_number);
                let number = digits.and_then(|digits| digits.parse().ok());
                if number.is_none() || number != default {
                    out.text(b"%3A");
                    escape_lowercase(port, out);
                }
            }
        }
    }
}

/// Appends the start of a base string: the method in upper case, and the base string URI.
pub(crate) fn write_head(method: &str, uri: &BaseUri<'_>, out: &mut Writer<'_>) {
    // A method may hold bytes that are to be escaped, and is sent as the caller wrote it.
    if method.bytes().all(|byte| byte.is_ascii_uppercase()) {
        out.text(method.as_bytes());
    } else {
        escape(method.to_ascii_uppercase().as_bytes(), Escape::Once, out);
    }
    out.text(b"&");
    uri.write(out);
    out.text(b"&");
}

/// `number` in decimal digits, which are written into `digits`.
pub(crate) fn decimal(number: u64, digits: &mut [u8; 20]) -> &[u8] {
    // By hand, because `write!` takes as long as all the rest of the base string URI.
    let mut rest = number;
    let mut length = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        length += 1;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    digits.get(digits.len() - length..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::oauth1::buffer::Buffer;

    fn base_uri(configured: &BaseStringUri, uri: &str, host: Option<&str>) -> String {
        let uri = uri.parse().unwrap();
        let base = BaseUri::new(configured, &uri, host.map(str::as_bytes), None).unwrap();
        let mut out = Buffer::default();
        out.append(|out| base.write(out));
        percent_encoding::percent_decode(out.as_slice()).decode_utf8().unwrap().into_owned()
    }

    fn of(uri: &str) -> String {
        base_uri(&BaseStringUri::new(), uri, None)
    }

    #[test]
    fn the_examples_of_rfc_5849_3_4_1_2() {
        assert_eq!(
            base_uri(&BaseStringUri::new(), "http://h/r%20v/X?id=123", Some("EXAMPLE.COM:80")),
            "http://example.com/r%20v/X"
        );
        assert_eq!(of("https://www.example.net:8080/?q=1"), "https://www.example.net:8080/");
    }

    #[test]
    fn the_port_is_left_out_exactly_when_it_is_the_scheme_s_own() {
        for (uri, expected) in [
            ("http://a.test:80/", "http://a.test/"),
            ("https://a.test:443/", "https://a.test/"),
            ("https://a.test:0443/", "https://a.test/"),
            ("https://a.test:/", "https://a.test/"),
            ("http://a.test:443/", "http://a.test:443/"),
            ("https://a.test:80/", "https://a.test:80/"),
            ("https://[2001:DB8::1]:443/", "https://[2001:db8::1]/"),
            ("https://[2001:DB8::1]:8443/", "https://[2001:db8::1]:8443/"),
            ("https://[::1]/", "https://[::1]/"),
        ] {
            assert_eq!(of(uri), expected);
        }
    }

    #[test]
    fn the_path_goes_in_as_it_is_sent() {
        assert_eq!(of("https://a.test"), "https://a.test/");
        assert_eq!(of("https://a.test?x=1"), "https://a.test/");
        for path in ["//a//b", "/a/../b/./c", "/a%2fb", "/%7Ea/%41", "/a;v=1", "/it's", "/a!b$c&d"] {
            assert_eq!(of(&format!("https://a.test{path}")), format!("https://a.test{path}"));
        }
    }

    #[test]
    fn user_name_and_fragment_are_left_out() {
        assert_eq!(of("https://u:p@A.test/x#f?y=1"), "https://a.test/x");
    }

    #[test]
    fn a_host_header_counts_for_more_than_the_uri() {
        let none = BaseStringUri::new();
        assert_eq!(
            base_uri(&none, "https://internal:8080/p", Some("API.example.com")),
            "https://api.example.com/p"
        );
        assert_eq!(base_uri(&none, "https://internal:8080/p", Some("")), "https://internal:8080/p");
    }

    #[test]
    fn what_is_configured_counts_for_more_than_everything() {
        let configured = BaseStringUri::new()
            .scheme(uri::Scheme::HTTP)
            .authority("Shop.example.com:8080".parse().unwrap())
            .path_prefix("wordpress/");
        assert_eq!(
            base_uri(&configured, "https://proxy/p", Some("proxy")),
            "http://shop.example.com:8080/wordpress/p"
        );
    }

    #[test]
    fn a_relative_uri_stands_under_the_given_origin() {
        let configured = BaseStringUri::new();
        let uri = "/p?q".parse().unwrap();
        assert!(BaseUri::new(&configured, &uri, Some(b"a.test"), None).is_none());
        for (origin, expected) in [
            ("https://A.test", "https%3A%2F%2Fa.test%2Fp"),
            ("http://a.test:8080", "http%3A%2F%2Fa.test%3A8080%2Fp"),
        ] {
            let origin_uri = origin.parse().unwrap();
            let origin = Origin::of(&origin_uri);
            let mut out = Buffer::default();
            let base = BaseUri::new(&configured, &uri, None, origin.as_ref()).unwrap();
            out.append(|out| base.write(out));
            assert_eq!(String::from_utf8(out.into_vec()).unwrap(), expected);
        }
    }

    #[test]
    fn the_method_is_in_upper_case_and_escaped() {
        let uri = "https://a.test/".parse().unwrap();
        let configured = BaseStringUri::new();
        for (method, expected) in
            [("GET", "GET"), ("PoSt", "POST"), ("M.SEARCH~1", "M.SEARCH~1"), ("x!y", "X%21Y")]
        {
            let mut out = Buffer::default();
            let base = BaseUri::new(&configured, &uri, None, None).unwrap();
            out.append(|out| write_head(method, &base, out));
            assert_eq!(
                String::from_utf8(out.into_vec()).unwrap(),
                format!("{expected}&https%3A%2F%2Fa.test%2F&")
            );
        }
    }

    #[test]
    fn numbers_are_written_in_full() {
        for number in [0, 7, 10, 137_131_200, u64::MAX] {
            assert_eq!(decimal(number, &mut [0; 20]), number.to_string().as_bytes());
        }
    }
}
