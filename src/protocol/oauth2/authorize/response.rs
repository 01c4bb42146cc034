//! The authorization response: what the browser brings back (RFC 6749 §4.1.2, §4.2.2).

use std::fmt;

use http::Uri;

use crate::error::Error;
use crate::error::ErrorKind;
use crate::error::ServerError;
use crate::protocol::oauth2::authorize::PendingAuthorization;
use crate::protocol::oauth2::authorize::ResponseMode;
use crate::protocol::oauth2::authorize::ResponseType;
use crate::protocol::oauth2::form::form_decode;
use crate::secret::Secret;

/// What a specification says of answers; each may be there once (RFC 6749 §3.1).
const KNOWN: [&str; 14] = [
    "access_token",
    "code",
    "error",
    "error_description",
    "error_uri",
    "expires_in",
    "id_token",
    "iss",
    "refresh_token",
    "response",
    "scope",
    "session_state",
    "state",
    "token_type",
];

/// What makes parameters an answer, wherever they are.
const TELLING: [&str; 7] =
    ["access_token", "code", "error", "id_token", "refresh_token", "response", "state"];

/// The codes by which servers say that the resource owner refused (RFC 6749 §4.1.2.1, and what LinkedIn, Apple and Facebook
/// made of it).
const DENIED: [&str; 4] =
    ["access_denied", "user_cancelled_authorize", "user_cancelled_login", "user_denied"];

/// What the resource owner's browser brought back, not looked at yet: the parameters by where they were.
///
/// Text becomes one as a URL, as a path with query, as a query alone, or as a fragment that begins with `#`. For others there
/// are constructors:
///
/// ```
/// use tower_oauth::grant::AuthorizationResponse;
///
/// let uri: http::Uri = "/callback?code=SplxlOBeZQQYbYS6WxSbIA&state=xyz".parse()?;
/// let from_server = AuthorizationResponse::from(&uri);
/// let from_address_bar = AuthorizationResponse::from("https://app.example.com/callback?code=Splx&state=xyz");
/// let from_form_post = AuthorizationResponse::from_form("code=SplxlOBeZQQYbYS6WxSbIA&state=xyz");
/// # let _ = (from_server, from_address_bar);
/// assert!(!format!("{from_form_post:?}").contains("Splx"));
/// # Ok::<(), http::uri::InvalidUri>(())
/// ```
///
/// `Debug` shows the names of the parameters only.
#[derive(Clone, Default)]
pub struct AuthorizationResponse {
    query: Parameters,
    fragment: Parameters,
    form: Parameters,
}

type Parameters = Vec<(String, String)>;

impl AuthorizationResponse {
    /// The answer in a URL, with or without scheme and host: its query, and its fragment. A text that is no URL is taken as
    /// a query.
    pub fn from_url(url: &str) -> Self {
        let url = url.trim();
        let (target, fragment) = url.split_once('#').unwrap_or((url, ""));
        let query = match target.split_once('?') {
            // A question mark may also stand in the value of a bare query.
            Some((before, _)) if before.contains('=') && !is_path(before) => target,
            Some((_, after)) => after,
            None if is_path(target) => "",
            None => target,
        };
        Self { query: read(query), fragment: read(fragment), form: Vec::new() }
    }

    /// The answer in a query, without the `?`.
    pub fn from_query(query: &str) -> Self {
        Self { query: read(query.strip_prefix('?').unwrap_or(query)), ..Self::default() }
    }

    /// The answer in a fragment, with or without the `#`: what a browser's `location.hash` says.
    pub fn from_fragment(fragment: &str) -> Self {
        Self { fragment: read(fragment.strip_prefix('#').unwrap_or(fragment)), ..Self::default() }
    }

    /// The answer in the body of a form that the browser posted (`response_mode=form_post`).
    pub fn from_form(body: impl AsRef<[u8]>) -> Self {
        Self { form: read(&String::from_utf8_lossy(body.as_ref())), ..Self::default() }
    }

    /// Whether there is anything of an answer in it, whosever it may be.
    #[cfg(feature = "loopback")]
    pub(crate) fn is_answer(&self) -> bool {
        [&self.query, &self.fragment, &self.form].into_iter().any(is_answer)
    }

    fn at(&self, mode: ResponseMode) -> &Parameters {
        match mode {
            ResponseMode::Query => &self.query,
            ResponseMode::Fragment => &self.fragment,
            ResponseMode::FormPost => &self.form,
        }
    }
}

impl From<&str> for AuthorizationResponse {
    fn from(url: &str) -> Self {
        Self::from_url(url)
    }
}

impl From<&String> for AuthorizationResponse {
    fn from(url: &String) -> Self {
        Self::from_url(url)
    }
}

impl From<String> for AuthorizationResponse {
    fn from(url: String) -> Self {
        Self::from_url(&url)
    }
}

impl From<&Uri> for AuthorizationResponse {
    fn from(uri: &Uri) -> Self {
        Self::from_query(uri.query().unwrap_or_default())
    }
}

impl fmt::Debug for AuthorizationResponse {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |parameters: &Parameters| -> Vec<String> {
            parameters.iter().map(|(name, _)| name.clone()).collect()
        };
        formatter
            .debug_struct("AuthorizationResponse")
            .field("query", &names(&self.query))
            .field("fragment", &names(&self.fragment))
            .field("form", &names(&self.form))
            .finish()
    }
}

/// Whether the state is the one of this login, in constant time.
pub(super) fn belongs_to(response: &AuthorizationResponse, pending: &PendingAuthorization) -> bool {
    let mut places = [&response.query, &response.fragment, &response.form].into_iter();
    places.any(|place| find(place, "state").is_some_and(|state| Secret::new(state) == pending.state))
}

/// The parameters of an answer that belongs to this login and is a success.
pub(super) fn check(
    response: &AuthorizationResponse,
    pending: &PendingAuthorization,
) -> Result<Parameters, Error> {
    let mode = pending.response_mode;
    let places = [ResponseMode::Query, ResponseMode::Fragment, ResponseMode::FormPost];
    for place in places {
        if let Some(name) = repeated(response.at(place)) {
            // Whoever added the second one wants somebody to read another one than somebody else does.
            return Err(unusable(format!("`{name}` is there more than once")));
        }
    }
    let mut answers = places.into_iter().filter(|place| is_answer(response.at(*place)));
    let Some(place) = answers.next() else {
        return Err(Error::new(ErrorKind::MissingState).detail("it has no parameter of an answer"));
    };
    if answers.next().is_some() {
        return Err(unusable("it is in more than one place"));
    }

    let parameters = response.at(place);
    let server = server_error(parameters);
    let Some(state) = find(parameters, "state") else {
        let error = Error::new(ErrorKind::MissingState);
        // Nothing proves that the server said it, but it is what the reader has to know if it did.
        return Err(server.into_iter().fold(error, Error::with_server));
    };
    if Secret::new(state) != pending.state {
        return Err(Error::new(ErrorKind::StateMismatch));
    }
    check_issuer(find(parameters, "iss"), pending)?;
    if let Some(server) = server {
        let is_denied = DENIED.contains(&server.code());
        let kind = if is_denied { ErrorKind::AuthorizationDenied } else { ErrorKind::Refused };
        return Err(Error::new(kind).with_server(server));
    }
    if place != mode {
        let detail =
            format!("it came in the {}, and was expected in the {}", described(place), described(mode));
        return Err(unusable(detail));
    }
    let wanted = match pending.response_type {
        ResponseType::Code => "code",
        ResponseType::Token => "access_token",
    };
    if find(parameters, wanted).is_none_or(str::is_empty) {
        return Err(unusable(format!("it has neither `{wanted}` nor `error`")));
    }
    Ok(parameters.clone())
}

/// RFC 9207 §2.4.
fn check_issuer(issuer: Option<&str>, pending: &PendingAuthorization) -> Result<(), Error> {
    let mismatch = |detail| Err(Error::new(ErrorKind::IssuerMismatch).detail(detail));
    match (issuer, pending.issuer.as_deref()) {
        (None, _) if pending.requires_issuer => mismatch("it names none, and this server always does"),
        (Some(named), Some(expected)) if named != expected => mismatch("it names another one"),
        // Without knowing which one is right, there is nothing to compare.
        _ => Ok(()),
    }
}

fn server_error(parameters: &Parameters) -> Option<ServerError> {
    let code = find(parameters, "error").filter(|code| !code.is_empty())?;
    let description = find(parameters, "error_description");
    Some(ServerError::new(code).description(description).uri(find(parameters, "error_uri")))
}

fn unusable(detail: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidAuthorizationResponse).detail(detail)
}

fn described(place: ResponseMode) -> &'static str {
    match place {
        ResponseMode::Query => "query",
        ResponseMode::Fragment => "fragment",
        ResponseMode::FormPost => "body of a form",
    }
}

fn read(encoded: &str) -> Parameters {
    form_decode(encoded).collect()
}

fn find<'a>(parameters: &'a Parameters, name: &str) -> Option<&'a str> {
    parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

fn is_answer(parameters: &Parameters) -> bool {
    parameters.iter().any(|(name, _)| TELLING.contains(&name.as_str()))
}

/// The name of a known parameter that is there more than once. Others may well be repeated.
fn repeated(parameters: &Parameters) -> Option<&'static str> {
    KNOWN.into_iter().find(|name| parameters.iter().filter(|(known, _)| known == name).count() > 1)
}

/// Whether `text` begins a URL or a path, and not a query.
fn is_path(text: &str) -> bool {
    let name = text.split('=').next().unwrap_or_default();
    text.starts_with('/') || name.contains("://")
}

#[cfg(test)]
mod tests;
