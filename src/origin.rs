//! Where credentials may go.
//!
//! A signature or a token is a credential: whoever receives it may use it. No layer of this crate can be built
//! without saying which origins (scheme, host and port) may receive one:
//!
//! ```
//! use tower_oauth::Origins;
//!
//! let one = Origins::one("https://api.example.com")?;
//! let both = Origins::several(["https://api.example.com", "https://upload.example.com:8443"])?;
//! let tenants = Origins::predicate(|origin| origin.is_https() && origin.host().ends_with(".example.com"));
//! # Ok::<(), tower_oauth::ConfigError>(())
//! ```

mod guard;

use std::borrow::Cow;
use std::fmt;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::sync::Arc;

use http::Uri;
use http::uri::Scheme;

use crate::error::ConfigError;
#[cfg(feature = "oauth1")]
use crate::token_key::hash_of;

pub(crate) use guard::Admission;
pub(crate) use guard::Guard;

/// A scheme (http or https), a host and a port (RFC 6454).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin<'a> {
    https: bool,
    host: Cow<'a, str>,
    port: u16,
}

impl Origin<'_> {
    /// Whether the scheme is https.
    pub fn is_https(&self) -> bool {
        self.https
    }

    /// The scheme: `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        if self.https { "https" } else { "http" }
    }

    /// The host in lower case; an IPv6 address is in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, the scheme's own when none was written.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether the host is this machine: `localhost`, a name under `.localhost`, 127.0.0.0/8 or `[::1]`.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }

    /// A number for this origin, in this process. Nobody outside can choose origins that have the same.
    #[cfg(feature = "oauth1")]
    pub(crate) fn number(&self) -> u64 {
        hash_of(&(self.https, &*self.host, self.port))
    }
}

impl fmt::Display for Origin<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}://{}", self.scheme(), self.host)?;
        if self.port == default_port(self.https) { Ok(()) } else { write!(formatter, ":{}", self.port) }
    }
}

impl<'a> Origin<'a> {
    /// The origin of an absolute http or https URI.
    pub(crate) fn of(uri: &'a Uri) -> Option<Self> {
        let https = is_https(uri)?;
        let host = uri.host().filter(|host| !host.is_empty())?;
        let host = if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Cow::Owned(host.to_ascii_lowercase())
        } else {
            Cow::Borrowed(host)
        };
        Some(Self { https, host, port: uri.port_u16().unwrap_or(default_port(https)) })
    }

    fn is_origin_of(&self, uri: &Uri) -> bool {
        is_https(uri) == Some(self.https)
            && uri.port_u16().unwrap_or(default_port(self.https)) == self.port
            && uri.host().is_some_and(|host| host.eq_ignore_ascii_case(&self.host))
    }
}

impl Origin<'static> {
    fn parse(text: &str) -> Result<Self, ConfigError> {
        let invalid = |reason| ConfigError::InvalidOrigin { origin: text.to_owned(), reason };
        let uri: Uri = text.parse().map_err(|_| invalid("it is not a URI"))?;
        let origin = Origin::of(&uri).ok_or_else(|| invalid("it has no http or https scheme and host"))?;
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(invalid("it has a user name"));
        }
        if !has_sound_port(&uri) {
            return Err(invalid("its port is not a number up to 65535"));
        }
        if uri.path() != "/" && !uri.path().is_empty() || uri.query().is_some() || text.contains('#') {
            return Err(invalid("it has a path, query or fragment, which origins do not have"));
        }
        if origin.host.contains('*') {
            return Err(invalid("wildcards are not understood (use `Origins::predicate`)"));
        }
        Ok(Self { https: origin.https, host: Cow::Owned(origin.host.into_owned()), port: origin.port })
    }
}

/// The origins that may receive a credential; part of the construction of every layer.
///
/// Plain http is refused for every host but this machine, whatever is listed here, unless the layer was told
/// `dangerously_allow_http()`.
#[derive(Clone)]
pub struct Origins(Allowed);

#[derive(Clone)]
enum Allowed {
    One(Listed),
    Several(Arc<[Listed]>),
    Predicate(Arc<dyn Fn(&Origin<'_>) -> bool + Send + Sync>),
    Any,
}

/// An origin with what is asked of it for each request, worked out beforehand.
#[derive(Clone)]
pub(crate) struct Listed {
    origin: Origin<'static>,
    scheme: Scheme,
    /// Host and port as most URIs have them: in lower case, and without the scheme's own port.
    authority: Box<str>,
    is_loopback: bool,
    #[cfg(feature = "oauth1")]
    number: u64,
}

impl Listed {
    fn parse(text: &str) -> Result<Self, ConfigError> {
        let origin = Origin::parse(text)?;
        let whole = origin.to_string();
        let authority = whole.split_once("://").map_or("", |(_, authority)| authority).into();
        let scheme = if origin.https { Scheme::HTTPS } else { Scheme::HTTP };
        Ok(Self {
            scheme,
            authority,
            is_loopback: origin.is_loopback(),
            #[cfg(feature = "oauth1")]
            number: origin.number(),
            origin,
        })
    }

    /// [`Origin::number`].
    #[cfg(feature = "oauth1")]
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Whether what is sent there can be seen by nobody else.
    pub(crate) fn is_secure(&self) -> bool {
        self.origin.https || self.is_loopback
    }

    /// Whether `uri` has this origin to the letter, which can be seen without taking its authority apart.
    #[inline]
    fn is_written_in(&self, uri: &Uri) -> bool {
        uri.scheme() == Some(&self.scheme)
            && uri.authority().is_some_and(|authority| *authority.as_str() == *self.authority)
    }
}

impl Origins {
    /// A single origin, such as `https://api.example.com`. A request whose URI is relative is taken to be for it.
    ///
    /// # Errors
    /// [`ConfigError::InvalidOrigin`] when the text is not `scheme://host` or `scheme://host:port`.
    pub fn one(origin: &str) -> Result<Self, ConfigError> {
        Ok(Self(Allowed::One(Listed::parse(origin)?)))
    }

    /// A list of origins. Unless it has one entry, requests need absolute URIs.
    ///
    /// # Errors
    /// [`ConfigError::InvalidOrigin`] for an entry that is not an origin, [`ConfigError::NoOrigins`] for no entry.
    pub fn several<I>(origins: I) -> Result<Self, ConfigError>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let mut parsed = origins
            .into_iter()
            .map(|origin| Listed::parse(origin.as_ref()))
            .collect::<Result<Vec<_>, _>>()?;
        match (parsed.pop(), parsed.is_empty()) {
            (None, _) => Err(ConfigError::NoOrigins),
            (Some(only), true) => Ok(Self(Allowed::One(only))),
            (Some(last), false) => {
                parsed.push(last);
                Ok(Self(Allowed::Several(parsed.into())))
            }
        }
    }

    /// Every origin for which `predicate` is true; requests need absolute URIs.
    pub fn predicate(predicate: impl Fn(&Origin<'_>) -> bool + Send + Sync + 'static) -> Self {
        Self(Allowed::Predicate(Arc::new(predicate)))
    }

    /// Every origin. Whoever can choose the URI of a request, by a redirect for instance, receives the credential.
    pub fn dangerously_any() -> Self {
        Self(Allowed::Any)
    }

    fn only(&self) -> Option<&Origin<'static>> {
        match &self.0 {
            Allowed::One(listed) => Some(&listed.origin),
            _ => None,
        }
    }

    /// The listed origin that `uri` has to the letter, if there is one.
    #[inline]
    fn written_in(&self, uri: &Uri) -> Option<&Listed> {
        match &self.0 {
            Allowed::One(listed) => Some(listed).filter(|listed| listed.is_written_in(uri)),
            Allowed::Several(listed) => listed.iter().find(|listed| listed.is_written_in(uri)),
            Allowed::Predicate(_) | Allowed::Any => None,
        }
    }

    pub(crate) fn allow(&self, uri: &Uri) -> bool {
        match &self.0 {
            Allowed::One(listed) => listed.origin.is_origin_of(uri),
            Allowed::Several(listed) => listed.iter().any(|listed| listed.origin.is_origin_of(uri)),
            Allowed::Predicate(predicate) => Origin::of(uri).is_some_and(|origin| predicate(&origin)),
            Allowed::Any => true,
        }
    }
}

impl fmt::Debug for Origins {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Allowed::One(Listed { origin, .. }) => {
                formatter.debug_tuple("Origins").field(&format_args!("{origin}")).finish()
            }
            Allowed::Several(listed) => {
                let origins = listed.iter().map(|listed| listed.origin.to_string());
                formatter.debug_list().entries(origins).finish()
            }
            Allowed::Predicate(_) => formatter.write_str("Origins(predicate)"),
            Allowed::Any => formatter.write_str("Origins(any)"),
        }
    }
}

/// Whether credentials may be sent to an endpoint: https, this machine, or plain http that was allowed loudly.
pub(crate) fn is_secure(uri: &Uri) -> bool {
    is_https(uri).is_some_and(|https| https || is_loopback(uri.host().unwrap_or_default()))
}

fn is_https(uri: &Uri) -> Option<bool> {
    match uri.scheme_str() {
        Some("https") => Some(true),
        Some("http") => Some(false),
        _ => None,
    }
}

/// Whether the port is a number, or not written. `Uri::port_u16` is `None` for `:99999` as if there were none, and an HTTP
/// client may read it in another way.
fn has_sound_port(uri: &Uri) -> bool {
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    uri.port_u16().is_some()
        || authority.ends_with(':')
        || authority.ends_with(uri.host().unwrap_or_default())
}

fn default_port(https: bool) -> u16 {
    if https { 443 } else { 80 }
}

fn is_loopback(host: &str) -> bool {
    // No allocation here: a service on this machine is asked this for every request.
    let label = host.rsplit('.').next().unwrap_or_default();
    if label.eq_ignore_ascii_case("localhost") {
        return true;
    }
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        return address.is_loopback();
    }
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    address.and_then(|address| address.parse::<Ipv6Addr>().ok()).is_some_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_an_origin_is_refused_with_the_reason() {
        for text in [
            "",
            "api.example.com",
            "/path",
            "ftp://a.test",
            "https://a.test/path",
            "https://a.test?q",
            "https://user@a.test",
            "https://*.a.test",
            "https://a.test#f",
            "https://a.test:99999",
        ] {
            let error = Origins::one(text).unwrap_err();
            assert!(matches!(error, ConfigError::InvalidOrigin { .. }), "{text}: {error}");
        }
        assert_eq!(Origins::several([""; 0]).unwrap_err(), ConfigError::NoOrigins);
    }
}
