//! The authorization request: one URL (RFC 6749 §4.1.1, §4.2.1).

use std::borrow::Cow;
use std::fmt;

use serde_json::Value;

use crate::error::ConfigError;
use crate::error::Error;
use crate::error::ErrorKind;
use crate::protocol::oauth2::authorize::PendingAuthorization;
use crate::protocol::oauth2::authorize::ResponseMode;
use crate::protocol::oauth2::authorize::ResponseType;
use crate::protocol::oauth2::form::form_decode;
use crate::protocol::oauth2::form::form_encode;
use crate::protocol::oauth2::pkce;
use crate::protocol::oauth2::pkce::CodeChallengeMethod;
use crate::secret::Secret;

/// Parameters with methods of their own, or that must not be in a URL at all.
const RESERVED: [&str; 14] = [
    "response_type",
    "client_id",
    "client_secret",
    "redirect_uri",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
    "code_verifier",
    "resource",
    "authorization_details",
    "response_mode",
    "request_uri",
];

/// A request for authorization that is being put together: made by
/// [`AuthorizationCode::request`](crate::grant::AuthorizationCode::request) or
/// [`Implicit::request`](crate::grant::Implicit::request) with everything that was set there, for one login.
///
/// ```
/// # use tower_oauth::grant::Implicit;
/// let request = Implicit::new("https://auth.example.com/authorize?tenant=7", "client id")?.request();
/// let (url, pending) = request.scope("photos").parameter("prompt", "consent")?.build()?;
/// assert!(url.starts_with(
///     "https://auth.example.com/authorize?tenant=7&response_type=token&client_id=client+id&scope=photos&state="
/// ));
/// assert!(url.ends_with("&prompt=consent"));
/// # let _ = pending;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[must_use = "a request does nothing until `build`"]
pub struct AuthorizationRequest {
    /// Without fragment.
    endpoint: Box<str>,
    is_secure: bool,
    client_id_name: Cow<'static, str>,
    client_id: Box<str>,
    response_type: ResponseType,
    response_mode: Option<ResponseMode>,
    redirect_uri: Option<Box<str>>,
    scopes: Vec<String>,
    scope_name: Cow<'static, str>,
    scope_separator: Cow<'static, str>,
    state: Option<Secret>,
    nonce: Option<Secret>,
    code_challenge_method: Option<CodeChallengeMethod>,
    resources: Vec<String>,
    authorization_details: Option<String>,
    issuer: Option<Box<str>>,
    requires_issuer: bool,
    parameters: Vec<(String, String)>,
}

impl AuthorizationRequest {
    /// Where the answer goes, in place of the redirect URI that was set up.
    pub fn redirect_uri(mut self, redirect_uri: impl Into<Box<str>>) -> Self {
        self.redirect_uri = Some(redirect_uri.into());
        self
    }

    /// Asks for these scope tokens, separated by spaces, in addition to others.
    pub fn scope(mut self, scope: &str) -> Self {
        for scope in scope.split(' ').filter(|scope| !scope.is_empty()) {
            if !self.scopes.iter().any(|known| known == scope) {
                self.scopes.push(scope.to_owned());
            }
        }
        self
    }

    /// A `state` of your own; 256 random bits by default, and in place of an empty one. It has to be one that nobody can guess, and another one for each
    /// login: it is what tells the answer to this login from a forged one (RFC 6749 §10.12).
    pub fn state(mut self, state: impl Into<Secret>) -> Self {
        self.state = Some(state.into());
        self
    }

    /// A `nonce` (OpenID Connect Core §3.1.2.1), which the ID token will repeat. This crate does not read ID tokens;
    /// [`AuthorizationGrant::nonce`](crate::grant::AuthorizationGrant::nonce) says what to compare with.
    pub fn nonce(mut self, nonce: impl Into<Secret>) -> Self {
        self.nonce = Some(nonce.into());
        self
    }

    /// Like [`nonce`](Self::nonce), with 256 random bits.
    pub fn random_nonce(self) -> Self {
        self.nonce(pkce::random())
    }

    /// Names a resource for which a token will be wanted (RFC 8707 §2.1), in addition to others.
    pub fn resource(mut self, resource: impl Into<String>) -> Self {
        self.resources.push(resource.into());
        self
    }

    /// What is asked for in detail (RFC 9396 §2): an array of objects that each have a `type`.
    ///
    /// # Errors
    /// [`ConfigError::InvalidParameter`] when it is something else.
    pub fn authorization_details(mut self, details: &Value) -> Result<Self, ConfigError> {
        let has_type = |detail: &Value| detail.get("type").is_some_and(Value::is_string);
        if !details.as_array().is_some_and(|details| details.iter().all(has_type)) {
            return Err(invalid("authorization_details", "it is not an array of objects with a `type`"));
        }
        self.authorization_details = Some(details.to_string());
        Ok(self)
    }

    /// How the answer shall travel. Unless this is called, the request does not say it, and the answer is expected in the
    /// query for a code and in the fragment for a token.
    pub fn response_mode(mut self, mode: ResponseMode) -> Self {
        self.response_mode = Some(mode);
        self
    }

    /// Sets another parameter, such as `prompt`, `login_hint` or `access_type`. It replaces one of the same name that was
    /// set before, or that is in the URL of the endpoint.
    ///
    /// # Errors
    /// [`ConfigError::InvalidParameter`] when the parameter has a method of its own, or must not be in a URL.
    pub fn parameter(
        mut self,
        name: impl Into<String>,
        value: impl Into<String>,
    ) -> Result<Self, ConfigError> {
        let name = self.free(name.into())?;
        self.parameters.retain(|(known, _)| *known != name);
        self.parameters.push((name, value.into()));
        Ok(self)
    }

    /// Like [`parameter`](Self::parameter), beside those of the same name that are there already. RFC 6749 allows no
    /// parameter twice; a few extensions do.
    ///
    /// # Errors
    /// Those of [`parameter`](Self::parameter).
    pub fn append_parameter(
        mut self,
        name: impl Into<String>,
        value: impl Into<String>,
    ) -> Result<Self, ConfigError> {
        let name = self.free(name.into())?;
        if !self.parameters.iter().any(|(known, _)| *known == name) {
            // The one in the URL stays as it is, as one more.
            let (_, query) = self.split();
            let there = form_decode(query).filter(|(known, _)| *known == name);
            let there: Vec<_> = there.collect();
            self.parameters.extend(there);
        }
        self.parameters.push((name, value.into()));
        Ok(self)
    }

    /// The URL to open in the resource owner's browser, and what has to be kept until the answer comes.
    ///
    /// # Errors
    /// [`ErrorKind::InsecureScheme`] when the URL is plain http and not on this machine: a password would be typed in there.
    pub fn build(self) -> Result<(String, PendingAuthorization), Error> {
        self.check()?;
        let (parameters, pending) = self.parameters();
        Ok((self.url(&parameters), pending))
    }
}

/// How grants and endpoints of this crate make and use it.
impl AuthorizationRequest {
    /// `endpoint` is a URL that was read already; `is_secure` says whether it may be opened.
    ///
    /// # Errors
    /// [`ConfigError::InvalidEndpoint`] when it has a fragment, or parameters that the request sets.
    pub(crate) fn new(
        endpoint: &str,
        is_secure: bool,
        client_id: &str,
        response_type: ResponseType,
    ) -> Result<Self, ConfigError> {
        let request = Self {
            endpoint: endpoint.into(),
            is_secure,
            client_id_name: "client_id".into(),
            client_id: client_id.into(),
            response_type,
            response_mode: None,
            redirect_uri: None,
            scopes: Vec::new(),
            scope_name: "scope".into(),
            scope_separator: " ".into(),
            state: None,
            nonce: None,
            code_challenge_method: (response_type == ResponseType::Code).then(CodeChallengeMethod::default),
            resources: Vec::new(),
            authorization_details: None,
            issuer: None,
            requires_issuer: false,
            parameters: Vec::new(),
        };
        let (shown, query) = request.split();
        let unusable = |reason| ConfigError::InvalidEndpoint { endpoint: shown.to_owned(), reason };
        if endpoint.contains('#') {
            return Err(unusable("it has a fragment"));
        }
        if form_decode(query).any(|(name, _)| RESERVED.contains(&&*name)) {
            return Err(unusable("its query has a parameter that the request sets itself"));
        }
        Ok(request)
    }

    pub(crate) fn allow_http(&mut self) {
        self.is_secure = true;
    }

    pub(crate) fn client_id_name(&mut self, name: Cow<'static, str>) {
        self.client_id_name = name;
    }

    pub(crate) fn scope_name(&mut self, name: Cow<'static, str>) {
        self.scope_name = name;
    }

    pub(crate) fn scope_separator(&mut self, separator: Cow<'static, str>) {
        self.scope_separator = separator;
    }

    pub(crate) fn code_challenge_method(&mut self, method: Option<CodeChallengeMethod>) {
        self.code_challenge_method = method;
    }

    pub(crate) fn issuer(&mut self, issuer: Box<str>, is_required: bool) {
        self.issuer = Some(issuer);
        self.requires_issuer = is_required;
    }

    /// Whether the endpoint may be opened in a browser.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if !self.is_secure {
            let (endpoint, _) = self.split();
            return Err(Error::new(ErrorKind::InsecureScheme).at(endpoint));
        }
        Ok(())
    }

    /// The parameters of one request, and what has to be kept of them. Each call makes a new state and a new verifier.
    pub(crate) fn parameters(&self) -> (Vec<(String, String)>, PendingAuthorization) {
        let state = self.state.clone().filter(|state| !state.is_empty()).unwrap_or_else(pkce::random);
        let verifier = self.code_challenge_method.map(|method| (method, pkce::random()));
        let mut parameters = Vec::new();
        let mut push = |name: &str, value: &str| parameters.push((name.to_owned(), value.to_owned()));
        push("response_type", self.response_type.as_str());
        push(&self.client_id_name, &self.client_id);
        if let Some(redirect_uri) = &self.redirect_uri {
            push("redirect_uri", redirect_uri);
        }
        if !self.scopes.is_empty() {
            push(&self.scope_name, &self.scopes.join(&self.scope_separator));
        }
        push("state", state.expose());
        if let Some((method, verifier)) = &verifier {
            push("code_challenge", &method.challenge(verifier));
            push("code_challenge_method", method.as_str());
        }
        if let Some(nonce) = &self.nonce {
            push("nonce", nonce.expose());
        }
        self.resources.iter().for_each(|resource| push("resource", resource));
        if let Some(details) = &self.authorization_details {
            push("authorization_details", details);
        }
        if let Some(mode) = self.response_mode {
            push("response_mode", mode.as_str());
        }
        self.parameters.iter().for_each(|(name, value)| push(name, value));
        let pending = PendingAuthorization {
            state,
            code_verifier: verifier.map(|(_, verifier)| verifier),
            redirect_uri: self.redirect_uri.as_deref().map(str::to_owned),
            issuer: self.issuer.as_deref().map(str::to_owned),
            requires_issuer: self.requires_issuer,
            nonce: self.nonce.clone(),
            scopes: self.scopes.clone(),
            response_type: self.response_type,
            response_mode: self.response_mode.unwrap_or(self.response_type.default_mode()),
        };
        (parameters, pending)
    }

    /// The URL of the endpoint with these parameters. What its query says already stays, unless it is said anew.
    pub(crate) fn url(&self, parameters: &[(String, String)]) -> String {
        let (endpoint, query) = self.split();
        let is_replaced = |pair: &str| {
            form_decode(pair).next().is_some_and(|(name, _)| parameters.iter().any(|(set, _)| *set == name))
        };
        let kept = query.split('&').filter(|pair| !pair.is_empty() && !is_replaced(pair)).map(str::to_owned);
        let set =
            parameters.iter().map(|(name, value)| format!("{}={}", form_encode(name), form_encode(value)));
        format!("{endpoint}?{}", kept.chain(set).collect::<Vec<_>>().join("&"))
    }

    /// The parameter that names the client.
    pub(crate) fn client(&self) -> (&str, &str) {
        (&self.client_id_name, &self.client_id)
    }

    /// The endpoint without its query, and the query.
    fn split(&self) -> (&str, &str) {
        self.endpoint.split_once('?').unwrap_or((&self.endpoint, ""))
    }

    /// The name, when it is one that may be set freely.
    fn free(&self, name: String) -> Result<String, ConfigError> {
        match name.as_str() {
            // Slack has one for the user, and this one for the bot.
            "scope" if self.scope_name != "scope" => Ok(name),
            "" => Err(invalid("", "its name is empty")),
            "client_secret" | "code_verifier" => {
                Err(invalid(&name, "a secret must not be in a URL that the browser sees"))
            }
            known
                if RESERVED.contains(&known) || known == self.client_id_name || known == self.scope_name =>
            {
                Err(invalid(&name, "the request sets it itself; there is a method for it"))
            }
            _ => Ok(name),
        }
    }
}

fn invalid(name: &str, reason: &'static str) -> ConfigError {
    ConfigError::InvalidParameter { name: name.to_owned(), reason }
}

impl fmt::Debug for AuthorizationRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("AuthorizationRequest")
            .field("endpoint", &self.split().0)
            .field("client_id", &self.client_id)
            .field("response_type", &self.response_type)
            .field("redirect_uri", &self.redirect_uri)
            .field("scopes", &self.scopes)
            .field("parameters", &self.parameters.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
