//! What an authorization server says of itself (RFC 8414 §2; OpenID Connect Discovery 1.0 §3).

use serde_json::Map;
use serde_json::Value;

use crate::error::Error;
use crate::error::ErrorKind;

mod urls;
mod well_known;

pub(crate) use urls::Urls;
pub(crate) use well_known::Issuer;
pub use well_known::WellKnown;

/// What an authorization server says of itself: its issuer, its endpoints, and what it can do.
///
/// It comes from [`Discovery`](crate::endpoint::Discovery), which checks it, or is made by hand for a server that publishes
/// none:
///
/// ```
/// use tower_oauth::endpoint::ServerMetadata;
///
/// let metadata = ServerMetadata::new("https://auth.example.com")
///     .with("token_endpoint", "https://auth.example.com/token")
///     .with("revocation_endpoint", "https://auth.example.com/revoke");
/// assert_eq!(metadata.token_endpoint(), Some("https://auth.example.com/token"));
/// assert_eq!(metadata.token_endpoint_auth_methods_supported(), ["client_secret_basic"]);
/// ```
///
/// Fields without an accessor are there too, see [`field`](Self::field). `signed_metadata` is not looked into
/// (RFC 8414 §2.1 leaves that open): the document is trusted because of where it comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerMetadata {
    issuer: String,
    /// Without `issuer`; no value is null.
    fields: Map<String, Value>,
}

impl ServerMetadata {
    /// Metadata without any endpoint.
    pub fn new(issuer: impl Into<String>) -> Self {
        Self { issuer: issuer.into(), fields: Map::new() }
    }

    /// Adds or replaces a field by the name that the specification gives it; `issuer` stays as it is.
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        let (name, value) = (name.into(), value.into());
        if name != ISSUER && !value.is_null() {
            self.fields.insert(name, value);
        }
        self
    }

    /// Reads a document of which it is known that it is good: one of your own files, or what [`to_json`](Self::to_json)
    /// gave. What comes over the network is for [`Discovery`](crate::endpoint::Discovery), which knows which issuer it asked.
    ///
    /// # Errors
    /// [`ErrorKind::UnusableResponse`] when it is no JSON object with an `issuer`, or when something that should be the URL
    /// of an endpoint is none; [`ErrorKind::InsecureScheme`] when one is plain http and not on this machine.
    pub fn from_json(json: &str) -> Result<Self, Error> {
        let metadata = Self::parse(json.as_bytes())?;
        metadata.urls()?.check_secure(true)?;
        Ok(metadata)
    }

    /// The document, to be kept somewhere.
    pub fn to_json(&self) -> String {
        let mut fields = self.fields.clone();
        fields.insert(ISSUER.to_owned(), Value::from(self.issuer.as_str()));
        Value::Object(fields).to_string()
    }

    /// Reads a document, whoever may have written it.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Error> {
        let unusable = |detail: &'static str| Error::new(ErrorKind::UnusableResponse).detail(detail);
        let document = serde_json::from_slice(body).map_err(|_| unusable("it is not valid JSON"))?;
        let Value::Object(mut fields) = document else {
            return Err(unusable("it is JSON, but not an object"));
        };
        fields.retain(|_, value| !value.is_null());
        match fields.remove(ISSUER) {
            Some(Value::String(issuer)) => Ok(Self { issuer, fields }),
            Some(_) => Err(unusable("its `issuer` is not a text")),
            None => Err(unusable("it has no `issuer`")),
        }
    }

    /// The URLs of all endpoints.
    pub(crate) fn urls(&self) -> Result<Urls<'_>, Error> {
        Urls::of(&self.fields)
    }

    /// The issuer, as the server writes it.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// A field by its name; `None` when it is missing or null.
    pub fn field(&self, name: &str) -> Option<&Value> {
        self.fields.get(name)
    }

    /// The names of all fields but `issuer`.
    pub fn field_names(&self) -> impl Iterator<Item = &str> {
        self.fields.keys().map(String::as_str)
    }

    /// The URL of an endpoint for clients that use mutual TLS, by the endpoint's name, such as `token_endpoint`: its alias
    /// in `mtls_endpoint_aliases` where there is one, or else the usual one (RFC 8705 §5).
    pub fn mtls_endpoint(&self, name: &str) -> Option<&str> {
        let alias =
            self.fields.get(MTLS_ALIASES).and_then(|aliases| aliases.get(name)).and_then(Value::as_str);
        alias.or_else(|| self.text(name))
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.fields.get(name).and_then(Value::as_str)
    }

    fn is_true(&self, name: &str) -> bool {
        self.fields.get(name) == Some(&Value::Bool(true))
    }

    /// The texts of a list; what else is in it is left out.
    pub(crate) fn list(&self, name: &str) -> Option<Vec<&str>> {
        let list = self.fields.get(name)?.as_array()?;
        Some(list.iter().filter_map(Value::as_str).collect())
    }
}

macro_rules! accessors {
    ($($(#[$doc:meta])* $name:ident: $kind:ident;)*) => {
        /// What a field says; `None`, empty or false when it is missing.
        impl ServerMetadata {
            $($(#[$doc])* pub fn $name(&self) -> accessors!(@type $kind) { accessors!(@read $kind, self, $name) })*
        }
    };
    (@type text) => { Option<&str> };
    (@type list) => { Vec<&str> };
    (@type flag) => { bool };
    (@read text, $self:ident, $name:ident) => { $self.text(stringify!($name)) };
    (@read list, $self:ident, $name:ident) => { $self.list(stringify!($name)).unwrap_or_default() };
    (@read flag, $self:ident, $name:ident) => { $self.is_true(stringify!($name)) };
}

accessors! {
    /// Where the resource owner is sent to log in (RFC 6749 §3.1).
    authorization_endpoint: text;
    /// Where tokens are given out (RFC 6749 §3.2).
    token_endpoint: text;
    /// Where tokens are ended (RFC 7009).
    revocation_endpoint: text;
    /// Where it can be asked what a token is worth (RFC 7662).
    introspection_endpoint: text;
    /// Where clients register themselves (RFC 7591).
    registration_endpoint: text;
    /// Where a device asks for its codes (RFC 8628 §4).
    device_authorization_endpoint: text;
    /// Where authorization requests are pushed to (RFC 9126 §5).
    pushed_authorization_request_endpoint: text;
    /// Where the claims of a user are (OpenID Connect Core §5.3).
    userinfo_endpoint: text;
    /// Where a user is logged out (OpenID Connect RP-Initiated Logout §2.1).
    end_session_endpoint: text;
    /// Where the keys are with which the server signs.
    jwks_uri: text;
    /// A page for developers.
    service_documentation: text;
    /// The scopes that the server names. There may be others.
    scopes_supported: list;
    /// The values of `response_type`, such as `code`.
    response_types_supported: list;
    /// How `code_challenge` may be made, such as `S256` (RFC 7636). Empty when the server does not say that it knows PKCE.
    code_challenge_methods_supported: list;
    /// The algorithms of assertions by which clients prove who they are, such as `ES256`.
    token_endpoint_auth_signing_alg_values_supported: list;
    /// The algorithms of DPoP proofs (RFC 9449 §5.1).
    dpop_signing_alg_values_supported: list;
    /// Whether authorization responses carry `iss` (RFC 9207 §3).
    authorization_response_iss_parameter_supported: flag;
    /// Whether authorization requests have to be pushed (RFC 9126 §5).
    require_pushed_authorization_requests: flag;
    /// Whether access tokens can be bound to the client's certificate (RFC 8705 §3.3).
    tls_client_certificate_bound_access_tokens: flag;
}

/// What a field says; what the specification names where it is missing.
impl ServerMetadata {
    /// The values of `grant_type`; `authorization_code` and `implicit` when the server does not say (RFC 8414 §2).
    pub fn grant_types_supported(&self) -> Vec<&str> {
        self.list("grant_types_supported").unwrap_or_else(|| vec!["authorization_code", "implicit"])
    }

    /// The values of `response_mode`; `query` and `fragment` when the server does not say (RFC 8414 §2).
    pub fn response_modes_supported(&self) -> Vec<&str> {
        self.list("response_modes_supported").unwrap_or_else(|| vec!["query", "fragment"])
    }

    /// How clients may prove who they are at the token endpoint; `client_secret_basic` when the server does not say
    /// (RFC 8414 §2).
    pub fn token_endpoint_auth_methods_supported(&self) -> Vec<&str> {
        self.list("token_endpoint_auth_methods_supported").unwrap_or_else(|| vec!["client_secret_basic"])
    }

    /// The same for the revocation endpoint.
    pub fn revocation_endpoint_auth_methods_supported(&self) -> Vec<&str> {
        self.list("revocation_endpoint_auth_methods_supported").unwrap_or_else(|| vec!["client_secret_basic"])
    }

    /// The same for the introspection endpoint; empty when the server does not say, which means nothing (RFC 8414 §2).
    pub fn introspection_endpoint_auth_methods_supported(&self) -> Vec<&str> {
        self.list("introspection_endpoint_auth_methods_supported").unwrap_or_default()
    }
}

const ISSUER: &str = "issuer";
const MTLS_ALIASES: &str = "mtls_endpoint_aliases";

#[cfg(test)]
mod tests;
