//! Who asks: client authentication (RFC 6749 §2.3.1).

use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::Response;
use http::StatusCode;
use http::header;
use serde_json::json;

use crate::secret::Secret;
use crate::testing::answer;
use crate::testing::body::Body;
use crate::testing::builder::Settings;
use crate::testing::form;
use crate::testing::form::Parameters;
use crate::testing::incoming::Incoming;
#[cfg(feature = "jwt")]
use crate::testing::oauth2::assertion;
use crate::testing::provider::State;

/// A client that proved who it is, or a public one that named itself.
pub(super) struct Client {
    pub(super) id: String,
    pub(super) is_public: bool,
}

/// An error of RFC 6749 §5.2.
pub(super) struct TokenError {
    status: StatusCode,
    pub(super) code: &'static str,
    description: String,
    /// Whether the client tried to authenticate by Basic, so that it is to be answered with a challenge.
    challenge: bool,
}

impl TokenError {
    pub(super) fn new(code: &'static str, description: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code, description: description.into(), challenge: false }
    }

    pub(super) fn method_not_allowed() -> Self {
        let error = Self::new("invalid_request", "this endpoint wants POST");
        Self { status: StatusCode::METHOD_NOT_ALLOWED, ..error }
    }

    fn invalid_client(description: &str, challenge: bool) -> Self {
        Self { status: StatusCode::UNAUTHORIZED, challenge, ..Self::new("invalid_client", description) }
    }

    pub(super) fn into_response(self) -> Response<Body> {
        let body = json!({ "error": self.code, "error_description": self.description });
        let response = answer::json(self.status, &body);
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            return answer::with(response, header::ALLOW, "POST");
        }
        if self.challenge {
            return answer::with(response, header::WWW_AUTHENTICATE, r#"Basic realm="provider""#);
        }
        response
    }
}

/// Finds out which client asks: by an assertion, if there is one, or as [`authenticate`] does.
pub(super) fn authenticate_with_assertion(
    settings: &Settings,
    state: &mut State,
    now: SystemTime,
    request: &Incoming,
    form: &Parameters,
) -> Result<Client, TokenError> {
    #[cfg(feature = "jwt")]
    if let Some(assertion) = form.find("client_assertion") {
        return assert_client(settings, state, now, request, form, assertion);
    }
    #[cfg(not(feature = "jwt"))]
    let _ = (state, now);
    authenticate(settings, &request.headers, form)
}

/// RFC 7523 §2.2 and §3.
#[cfg(feature = "jwt")]
fn assert_client(
    settings: &Settings,
    state: &mut State,
    now: SystemTime,
    request: &Incoming,
    form: &Parameters,
    assertion: &str,
) -> Result<Client, TokenError> {
    let invalid = |description: &str| TokenError::invalid_client(description, false);
    if form.find("client_assertion_type") != Some(assertion::JWT_BEARER) {
        return Err(invalid("client_assertion_type is not the one of JWTs"));
    }
    if request.headers.contains_key(header::AUTHORIZATION) || form.find("client_secret").is_some() {
        return Err(TokenError::new("invalid_request", "the client authenticated in more than one way"));
    }
    let id = assertion::unverified_issuer(assertion).ok_or_else(|| invalid("the assertion is no JWT"))?;
    if form.find("client_id").is_some_and(|posted| posted != id) {
        return Err(TokenError::new("invalid_request", "assertion and form name different clients"));
    }
    let key = match (settings.client_keys.get(&id), settings.clients.get(&id)) {
        (Some(key), _) => assertion::Key::Public(key),
        (None, Some(Some(secret))) => assertion::Key::Shared(secret),
        _ => return Err(invalid("the client is unknown, or has nothing to sign with")),
    };
    let verified = assertion::verify(assertion, &key, now, request).map_err(invalid)?;
    if verified.text("sub") != Some(&id) {
        return Err(invalid("the subject of the assertion is not the client"));
    }
    if !assertion::is_first(state, &verified) {
        return Err(invalid("the assertion was used before"));
    }
    Ok(Client { id, is_public: false })
}

/// Finds out which client asks.
pub(super) fn authenticate(
    settings: &Settings,
    headers: &HeaderMap,
    form: &Parameters,
) -> Result<Client, TokenError> {
    let authorization = headers.get(header::AUTHORIZATION);
    let posted = form.find("client_secret");
    let (id, secret, challenge) = match (authorization, posted) {
        (Some(_), Some(_)) => {
            return Err(TokenError::new("invalid_request", "the client authenticated in more than one way"));
        }
        (Some(header), None) => {
            let (id, secret) = header.to_str().ok().and_then(basic).ok_or_else(|| {
                TokenError::invalid_client("the Authorization header is not a Basic one", true)
            })?;
            if form.find("client_id").is_some_and(|posted| posted != id) {
                return Err(TokenError::new("invalid_request", "header and form name different clients"));
            }
            (id, Some(Secret::new(secret)), true)
        }
        (None, posted) => {
            let id = form.find("client_id").ok_or_else(|| {
                TokenError::invalid_client(
                    "there is neither a Basic header nor a client_id in the form",
                    false,
                )
            })?;
            (id.to_owned(), posted.map(Secret::new), false)
        }
    };
    let known = settings.clients.get(&id);
    let known = known.ok_or_else(|| TokenError::invalid_client("the client is unknown", challenge))?;
    match (known, secret) {
        (None, None) => {
            let is_public = !settings.tls_clients.contains(&id);
            Ok(Client { id, is_public })
        }
        (Some(known), Some(secret)) if *known == secret => Ok(Client { id, is_public: false }),
        (Some(_), None) => Err(TokenError::invalid_client("the client secret is missing", challenge)),
        _ => Err(TokenError::invalid_client("the client secret is another one", challenge)),
    }
}

/// Id and secret of a Basic header, which are form-encoded inside of it.
fn basic(header: &str) -> Option<(String, String)> {
    let (scheme, credentials) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("Basic") {
        return None;
    }
    let decoded = STANDARD.decode(credentials.trim()).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    let (id, secret) = decoded.split_at_checked(colon)?;
    let decode = |half: &[u8]| form::text(&form::decode_text(half));
    Some((decode(id), decode(secret.get(1..)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_basic_header_is_form_decoded() {
        // id:cc-secret%3Awith%25special+%2Bchars
        let header = "basic aWQ6Y2Mtc2VjcmV0JTNBd2l0aCUyNXNwZWNpYWwrJTJCY2hhcnM=";
        assert_eq!(basic(header), Some(("id".to_owned(), "cc-secret:with%special +chars".to_owned())));
        assert_eq!(basic("Bearer aWQ6cw=="), None);
        assert_eq!(basic("Basic aWQ="), None);
    }
}
