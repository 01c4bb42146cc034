//! The authorization endpoint (RFC 6749 §3.1), where the user is a machine that always approves.

use std::time::SystemTime;

use http::Method;
use http::Response;
use http::StatusCode;

use crate::testing::answer;
use crate::testing::body::Body;
use crate::testing::builder::Settings;
use crate::testing::form::Parameters;
use crate::testing::incoming::Incoming;
use crate::testing::oauth1::escape;
use crate::testing::oauth2::tokens::Approval;
use crate::testing::oauth2::tokens::Challenge;
use crate::testing::provider::State;

/// Sends the browser back with a code, the state, and the issuer (RFC 9207). Any absolute redirect URI will do.
pub(in crate::testing) fn authorize(
    settings: &Settings,
    state: &mut State,
    now: SystemTime,
    request: &Incoming,
) -> Response<Body> {
    let encoded = if request.method == Method::POST { request.form_bytes() } else { request.query_bytes() };
    // Without a client and a redirect URI that can be trusted, nobody may be sent anywhere (RFC 6749 §4.1.2.1).
    let refuse = |why: &str| answer::text(StatusCode::BAD_REQUEST, format!("{why}\n"));
    let Ok(parameters) = Parameters::once(encoded) else {
        return refuse("A parameter occurs more than once.");
    };
    let client = parameters.find("client_id").unwrap_or_default();
    let Some(secret) = settings.clients.get(client) else {
        return refuse("client_id is missing or unknown.");
    };
    let Some(redirect_uri) = parameters.find("redirect_uri").filter(|uri| is_absolute(uri)) else {
        return refuse("redirect_uri is missing or not an absolute URI without fragment.");
    };

    let outcome = approve(settings, &parameters, client, secret.is_none());
    let answer = match outcome {
        Ok((approval, challenge)) => {
            let code = state.tokens.issue_code(approval, redirect_uri.to_owned(), challenge, now);
            vec![("code", code)]
        }
        Err((error, description)) => {
            vec![("error", error.to_owned()), ("error_description", description.to_owned())]
        }
    };
    let echoed = parameters.find("state").map(|state| ("state", state.to_owned()));
    let answer = answer.into_iter().chain(echoed).chain([("iss", request.origin())]);
    let answer: Vec<String> =
        answer.map(|(name, value)| format!("{name}={}", escape(value.as_bytes()))).collect();
    let separator = if redirect_uri.contains('?') { '&' } else { '?' };
    answer::redirect(&format!("{redirect_uri}{separator}{}", answer.join("&")))
}

type Outcome = Result<(Approval, Option<Challenge>), (&'static str, &'static str)>;

fn approve(settings: &Settings, parameters: &Parameters, client: &str, is_public: bool) -> Outcome {
    if parameters.find("response_type") != Some("code") {
        return Err(("unsupported_response_type", "response_type has to be code"));
    }
    let challenge = parameters.find("code_challenge").map(str::to_owned);
    let challenge = match (challenge, parameters.find("code_challenge_method")) {
        (None, None) if is_public => return Err(("invalid_request", "a client without secret needs PKCE")),
        (None, None) => None,
        (None, Some(_)) => return Err(("invalid_request", "code_challenge is missing")),
        // The default of RFC 7636 §4.3.
        (Some(challenge), None | Some("plain")) => Some(Challenge::Plain(challenge)),
        (Some(challenge), Some("S256")) => Some(Challenge::S256(challenge)),
        (Some(_), Some(_)) => {
            return Err(("invalid_request", "code_challenge_method is neither S256 nor plain"));
        }
    };
    let scope = parameters.find("scope").unwrap_or_default().to_owned();
    Ok((Approval { client: client.to_owned(), user: Some(settings.approving_user()), scope }, challenge))
}

/// Whether a URI has a scheme, of an app for instance, and no fragment (RFC 6749 §3.1.2).
fn is_absolute(uri: &str) -> bool {
    let is_scheme_character = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    let scheme = uri.split_once(':').map(|(scheme, _)| scheme).unwrap_or_default();
    !scheme.is_empty()
        && scheme.bytes().all(is_scheme_character)
        && uri.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#')
}
