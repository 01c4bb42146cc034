//! The three legs by which a client gets token credentials (RFC 5849 §2). The user is a machine that always approves.

use std::time::SystemTime;

use http::Method;
use http::Response;
use http::StatusCode;

use crate::secret::Secret;
use crate::testing::answer;
use crate::testing::body::Body;
use crate::testing::builder::Settings;
use crate::testing::builder::TokenCredentials;
use crate::testing::form;
use crate::testing::incoming::Incoming;
use crate::testing::oauth1::memory::Temporary;
use crate::testing::oauth1::signature::escape;
use crate::testing::oauth1::verifier::Problem;
use crate::testing::oauth1::verifier::Signer;
use crate::testing::oauth1::verifier::Verified;
use crate::testing::oauth1::verifier::verify;
use crate::testing::provider::State;

const FORM: &str = "application/x-www-form-urlencoded";

/// The first leg: temporary credentials (§2.1).
pub(in crate::testing) fn initiate(
    settings: &Settings,
    state: &mut State,
    now: SystemTime,
    request: &Incoming,
) -> Response<Body> {
    try_initiate(settings, state, now, request).unwrap_or_else(Problem::into_response)
}

/// The second leg: the user approves, and is sent back with a verifier or shown it (§2.2).
pub(in crate::testing) fn authorize(state: &mut State, request: &Incoming) -> Response<Body> {
    let query = form::decode(request.query_bytes());
    let token =
        query.into_iter().find(|(name, _)| name == b"oauth_token").map(|(_, token)| form::text(&token));
    let found = token.and_then(|token| state.oauth1.temporary.get_mut(&token).map(|found| (token, found)));
    let Some((token, temporary)) = found.filter(|(_, temporary)| !temporary.spent) else {
        return answer::text(StatusCode::BAD_REQUEST, "oauth_token is missing, unknown or spent.\n");
    };
    let verifier = temporary.verifier.get_or_insert_with(|| random("verifier"));
    if temporary.callback == "oob" {
        return answer::text(StatusCode::OK, format!("The verifier is: {verifier}\n"));
    }
    let separator = if temporary.callback.contains('?') { '&' } else { '?' };
    let (callback, token) = (&temporary.callback, escape(token.as_bytes()));
    answer::redirect(&format!(
        "{callback}{separator}oauth_token={token}&oauth_verifier={}",
        escape(verifier.as_bytes())
    ))
}

/// The third leg: token credentials (§2.3).
pub(in crate::testing) fn token(
    settings: &Settings,
    state: &mut State,
    now: SystemTime,
    request: &Incoming,
) -> Response<Body> {
    try_token(settings, state, now, request).unwrap_or_else(Problem::into_response)
}

fn try_initiate(
    settings: &Settings,
    state: &mut State,
    now: SystemTime,
    request: &Incoming,
) -> Result<Response<Body>, Problem> {
    let verified = post(settings, state, now, request, Signer::Client)?;
    let missing = || Problem::malformed("parameter_absent", "missing: oauth_callback (`oob` for none)");
    let callback = verified.find("oauth_callback").ok_or_else(missing)?;
    if callback != "oob" && !callback.contains(':') {
        return Err(Problem::malformed(
            "parameter_rejected",
            "oauth_callback is neither an absolute URI nor `oob`",
        ));
    }
    let (token, secret) = (random("temporary"), random("temporary-secret"));
    let answer = format!("oauth_token={token}&oauth_token_secret={secret}&oauth_callback_confirmed=true");
    let temporary = Temporary {
        client: verified.client.clone(),
        secret: Secret::new(secret),
        callback: callback.to_owned(),
        verifier: None,
        spent: false,
    };
    state.oauth1.temporary.insert(token, temporary);
    Ok(answer::typed(StatusCode::OK, FORM, answer))
}

fn try_token(
    settings: &Settings,
    state: &mut State,
    now: SystemTime,
    request: &Incoming,
) -> Result<Response<Body>, Problem> {
    // Tumblr, for one, wants it to be got.
    let verified = if request.method == Method::GET {
        verify(settings, state, now, request, Signer::Temporary)?
    } else {
        post(settings, state, now, request, Signer::Temporary)?
    };
    let missing = || Problem::malformed("parameter_absent", "missing: oauth_verifier");
    let verifier = Secret::new(verified.find("oauth_verifier").ok_or_else(missing)?);
    let temporary = verified.token.as_deref().and_then(|token| state.oauth1.temporary.get_mut(token));
    let unknown = || Problem::unauthorized("token_rejected", "the temporary token is unknown");
    let temporary = temporary.ok_or_else(unknown)?;
    if temporary.spent {
        return Err(Problem::unauthorized("token_used", "the temporary token was exchanged before"));
    }
    let approved = temporary.verifier.as_deref().map(Secret::from);
    let approved = approved
        .ok_or_else(|| Problem::unauthorized("permission_unknown", "the user has not approved yet"))?;
    if approved != verifier {
        return Err(Problem::unauthorized("verifier_invalid", "the verifier is another one"));
    }
    temporary.spent = true;
    let (token, secret) = (random("token"), random("token-secret"));
    let answer = format!("oauth_token={token}&oauth_token_secret={secret}");
    let credentials = TokenCredentials { client: verified.client, secret: Secret::new(secret) };
    state.oauth1.tokens.insert(token, credentials);
    Ok(answer::typed(StatusCode::OK, FORM, answer))
}

fn post(
    settings: &Settings,
    state: &mut State,
    now: SystemTime,
    request: &Incoming,
    signer: Signer,
) -> Result<Verified, Problem> {
    if request.method != Method::POST {
        return Err(Problem::malformed("parameter_rejected", "this endpoint wants POST"));
    }
    verify(settings, state, now, request, signer)
}

/// A text of 128 random bits that says what it is.
fn random(kind: &str) -> String {
    format!("{kind}-{:032x}", rand::random::<u128>())
}
