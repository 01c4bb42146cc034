//! Proxies that open a tunnel on `CONNECT` (RFC 9110 §9.3.6).

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use http::Uri;
use http::uri::Scheme;
use zeroize::Zeroizing;

use crate::error::ConfigError;
use crate::origin::Origin;
use crate::secret::Secret;

/// An HTTP proxy that opens tunnels, so that it sees which host is called and when, and nothing of what is said: TLS is
/// between the client and that host.
///
/// Requests to this machine never go through it: the `localhost` of the proxy is another one.
///
/// ```
/// use tower_oauth::adapter::{ClientBuilder, Proxy};
///
/// let proxy = Proxy::new("http://proxy.example.com:3128")?
///     .basic_auth("service", "proxy password")
///     .no_proxy(["internal.example.com", "10.0.0.7"]);
/// let http = ClientBuilder::new().proxy(proxy).build();
/// # let _ = http;
/// # Ok::<(), tower_oauth::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct Proxy {
    uri: Uri,
    authorization: Option<HeaderValue>,
    exceptions: Arc<[Exception]>,
}

impl Proxy {
    /// The proxy at `url`, which is `http://host` or `http://host:port` (80 if there is none).
    ///
    /// # Errors
    /// [`ConfigError::InvalidProxy`] when it is something else.
    pub fn new(url: &str) -> Result<Self, ConfigError> {
        let invalid = |reason| {
            // What stands before an `@` may be a password.
            let proxy = if url.contains('@') { "(a URL with an `@`)" } else { url };
            ConfigError::InvalidProxy { proxy: proxy.to_owned(), reason }
        };
        let uri: Uri = url.parse().map_err(|_| invalid("it is not a URI"))?;
        let authority = uri.authority().map(|authority| authority.as_str()).unwrap_or_default();
        if authority.contains('@') {
            return Err(invalid("it has a user name; give it to `basic_auth`"));
        }
        if uri.scheme() != Some(&Scheme::HTTP) || Origin::of(&uri).is_none() {
            return Err(invalid("it has no http scheme and host"));
        }
        if uri.path() != "/" && !uri.path().is_empty() || uri.query().is_some() {
            return Err(invalid("it has a path or query, which proxies do not have"));
        }
        Ok(Self { uri, authorization: None, exceptions: Arc::default() })
    }

    /// What the proxy is told in `Proxy-Authorization`. It goes to the proxy in the clear, as everything that the client
    /// says to the proxy itself.
    pub fn basic_auth(mut self, user: &str, password: impl Into<Secret>) -> Self {
        let pair = Zeroizing::new(format!("{user}:{}", password.into().expose()));
        // Base64 is always a valid value.
        self.authorization = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair.as_bytes())))
            .ok()
            .map(|mut value| {
                value.set_sensitive(true);
                value
            });
        self
    }

    /// Hosts that are called directly, as in the variable `NO_PROXY`: a name stands for itself and all names below it (a
    /// dot before it changes nothing), an IP address for itself, `*` for everything. Calling it again replaces the list.
    pub fn no_proxy<I>(mut self, hosts: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        self.exceptions = hosts.into_iter().filter_map(|host| Exception::parse(host.as_ref())).collect();
        self
    }

    pub(super) fn uri(&self) -> &Uri {
        &self.uri
    }

    pub(super) fn authorization(&self) -> Option<&HeaderValue> {
        self.authorization.as_ref()
    }

    /// Whether a connection for `target` goes through the proxy.
    pub(super) fn is_for(&self, target: &Uri) -> bool {
        let Some(origin) = Origin::of(target) else { return false };
        !origin.is_loopback() && !self.exceptions.iter().any(|exception| exception.matches(origin.host()))
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Proxy")
            .field("uri", &format_args!("{}", self.uri))
            .field("has_authorization", &self.authorization.is_some())
            .field("exceptions", &self.exceptions)
            .finish()
    }
}

#[derive(Clone, Debug)]
enum Exception {
    Everything,
    Address(IpAddr),
    /// In lower case, without a dot before it.
    Name(String),
}

impl Exception {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim().trim_start_matches('.').to_ascii_lowercase();
        match text.as_str() {
            "" => None,
            "*" => Some(Self::Everything),
            _ => Some(address(&text).map_or(Self::Name(text), Self::Address)),
        }
    }

    /// Whether it is about `host`, which is in lower case.
    fn matches(&self, host: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Address(exception) => address(host) == Some(*exception),
            Self::Name(name) => {
                let host = host.trim_end_matches('.');
                host.strip_suffix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }
        }
    }
}

/// An IP address, with or without the brackets of a URI.
fn address(text: &str) -> Option<IpAddr> {
    text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn goes_through(proxy: &Proxy, url: &str) -> bool {
        proxy.is_for(&url.parse().unwrap())
    }

    #[test]
    fn everything_goes_through_but_this_machine_and_the_exceptions() {
        let proxy = Proxy::new("http://proxy.test:3128").unwrap().no_proxy([
            "a.test",
            " .B.test ",
            "10.0.0.7",
            "::2",
            "",
        ]);
        for url in
            ["https://c.test/", "http://c.test", "https://xa.test", "https://10.0.0.8/", "https://[::3]/"]
        {
            assert!(goes_through(&proxy, url), "{url}");
        }
        for url in [
            "https://a.test/",
            "https://x.A.test:8443/",
            "https://b.test./",
            "https://x.b.test",
            "http://10.0.0.7:80/",
            "https://[::2]/",
            "https://localhost/",
            "http://x.localhost/",
            "https://127.0.0.1:8443/",
            "https://[::1]/",
        ] {
            assert!(!goes_through(&proxy, url), "{url}");
        }
        assert!(!goes_through(&proxy.no_proxy(["*"]), "https://c.test/"));
    }

    #[test]
    fn a_proxy_is_an_http_origin_without_a_password_in_it() {
        for url in
            ["", "proxy.test:3128", "https://proxy.test", "socks5://proxy.test", "http://p.test/x", "a b"]
        {
            let error = Proxy::new(url).unwrap_err();
            assert!(matches!(error, ConfigError::InvalidProxy { .. }), "{url}");
        }
        let error = Proxy::new("http://user:hush@proxy.test:3128").unwrap_err();
        assert!(error.to_string().contains("basic_auth") && !error.to_string().contains("hush"), "{error}");
    }

    #[test]
    fn the_password_is_not_printed() {
        let proxy = Proxy::new("http://proxy.test").unwrap().basic_auth("user", "hush");
        let value = proxy.authorization().unwrap();
        assert!(value.is_sensitive());
        assert_eq!(value, "Basic dXNlcjpodXNo");
        let shown = format!("{proxy:?}");
        assert!(!shown.contains("hush") && !shown.contains("dXNlcjpodXNo"), "{shown}");
    }
}
