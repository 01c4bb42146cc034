//! The URLs in a document, held to what may be called.

use http::Uri;
use serde_json::Map;
use serde_json::Value;

use crate::error::Error;
use crate::error::ErrorKind;
use crate::origin::Origin;
use crate::origin::Origins;
use crate::protocol::oauth2::metadata::MTLS_ALIASES;

/// Every URL that this crate, or its user, may be led to call: all fields whose names end in `_endpoint`, the aliases for
/// mutual TLS, and `jwks_uri`.
pub(crate) struct Urls<'a>(Vec<Url<'a>>);

struct Url<'a> {
    /// The path to it, for errors.
    name: String,
    text: &'a str,
    uri: Uri,
}

impl<'a> Urls<'a> {
    pub(super) fn of(fields: &'a Map<String, Value>) -> Result<Self, Error> {
        let mut urls = Vec::new();
        for (name, value) in fields {
            if name.ends_with("_endpoint") || name == "jwks_uri" {
                urls.push(Url::read(name.clone(), value)?);
            }
        }
        match fields.get(MTLS_ALIASES) {
            Some(Value::Object(aliases)) => {
                for (name, value) in aliases.iter().filter(|(_, value)| !value.is_null()) {
                    urls.push(Url::read(format!("{MTLS_ALIASES}.{name}"), value)?);
                }
            }
            Some(_) => return Err(unusable(MTLS_ALIASES, "not an object")),
            None => {}
        }
        Ok(Self(urls))
    }

    /// Refuses plain http; on this machine, only where `http_on_loopback` is not set.
    pub(crate) fn check_secure(&self, http_on_loopback: bool) -> Result<(), Error> {
        let is_insecure = |url: &&Url<'_>| {
            let is_fine = |origin: Origin<'_>| origin.is_https() || http_on_loopback && origin.is_loopback();
            !Origin::of(&url.uri).is_some_and(is_fine)
        };
        self.0.iter().find(is_insecure).map_or(Ok(()), |url| {
            let detail = format!("the metadata names it as `{}`", tame(&url.name));
            Err(Error::new(ErrorKind::InsecureScheme).at(shown(url.text)).detail(detail))
        })
    }

    /// Refuses what is neither at the issuer's own origin nor at one of `also`.
    pub(crate) fn check_origins(&self, issuer: &Uri, also: Option<&Origins>) -> Result<(), Error> {
        let own = Origin::of(issuer);
        let foreign: Vec<String> = self
            .0
            .iter()
            .filter(|url| Origin::of(&url.uri) != own && !also.is_some_and(|also| also.allow(&url.uri)))
            .filter_map(|url| Some(format!("`{}` is at {}", tame(&url.name), Origin::of(&url.uri)?)))
            .take(MOST_NAMED)
            .collect();
        if foreign.is_empty() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::ForeignEndpoint).detail(foreign.join(", ")))
    }
}

/// How many endpoints an error names.
const MOST_NAMED: usize = 8;

impl<'a> Url<'a> {
    fn read(name: String, value: &'a Value) -> Result<Self, Error> {
        let text = value.as_str().ok_or_else(|| unusable(&name, "not a text"))?;
        let uri: Uri = text.parse().map_err(|_| unusable(&name, "not a URL"))?;
        if Origin::of(&uri).is_none() {
            return Err(unusable(&name, "not an absolute http or https URL"));
        }
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(unusable(&name, "a URL with a user name"));
        }
        if text.contains('#') {
            return Err(unusable(&name, "a URL with a fragment"));
        }
        Ok(Self { name, text, uri })
    }
}

fn unusable(name: &str, what: &str) -> Error {
    Error::new(ErrorKind::UnusableResponse).detail(format!("its `{}` is {what}", tame(name)))
}

fn shown(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

/// A name that the server chose, fit for an error.
fn tame(name: &str) -> String {
    name.chars().filter(|letter| !letter.is_control()).take(64).collect()
}
