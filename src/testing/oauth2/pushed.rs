//! The pushed authorization request endpoint (RFC 9126).

use std::time::Duration;
use std::time::SystemTime;

use http::Response;
use http::StatusCode;
use serde_json::json;

use crate::testing::answer;
use crate::testing::body::Body;
use crate::testing::bounded::Bounded;
use crate::testing::builder::Settings;
use crate::testing::form::Parameters;
use crate::testing::incoming::Incoming;
use crate::testing::oauth2::authorize;
use crate::testing::oauth2::client_auth::TokenError;
use crate::testing::oauth2::client_auth::authenticate;
use crate::testing::oauth2::token::form;
use crate::testing::oauth2::tokens::after;
use crate::testing::oauth2::tokens::random;
use crate::testing::provider::State;

/// Requests that are remembered.
const REMEMBERED: usize = 10_000;
/// How long one is good.
const LIFETIME: Duration = Duration::from_secs(60);

/// Requests that were pushed.
pub(in crate::testing) struct Pushed(Bounded<String, Request>);

struct Request {
    client: String,
    parameters: Parameters,
    expires_at: SystemTime,
    spent: bool,
}

impl Default for Pushed {
    fn default() -> Self {
        Self(Bounded::new(REMEMBERED))
    }
}

impl Pushed {
    /// The parameters of this client's request, when it is fresh and unused.
    pub(super) fn find(&self, request_uri: &str, client: &str, now: SystemTime) -> Option<Parameters> {
        let request = self.0.get(request_uri)?;
        let is_good = request.client == client && request.expires_at > now && !request.spent;
        is_good.then(|| request.parameters.clone())
    }

    pub(super) fn spend(&mut self, request_uri: &str) {
        if let Some(request) = self.0.get_mut(request_uri) {
            request.spent = true;
        }
    }
}

/// Keeps a request.
pub(in crate::testing) fn push(
    settings: &Settings,
    state: &mut State,
    now: SystemTime,
    request: &Incoming,
) -> Response<Body> {
    match try_push(settings, state, now, request) {
        Ok(response) => response,
        Err(error) => {
            if error.code == "invalid_client" {
                state.stats.invalid_clients += 1;
            }
            error.into_response()
        }
    }
}

fn try_push(
    settings: &Settings,
    state: &mut State,
    now: SystemTime,
    request: &Incoming,
) -> Result<Response<Body>, TokenError> {
    let mut parameters = form(request)?;
    let client = authenticate(settings, &request.headers, &parameters)?;
    if parameters.find("request_uri").is_some() {
        return Err(TokenError::new("invalid_request", "a pushed request has no request_uri"));
    }
    authorize::check(&parameters, client.is_public)
        .map_err(|(code, description)| TokenError::new(code, description))?;
    parameters.take("client_secret");
    let request_uri = format!("urn:ietf:params:oauth:request_uri:{}", random("request"));
    let pushed = Request { client: client.id, parameters, expires_at: after(now, LIFETIME), spent: false };
    state.pushed.0.insert(request_uri.clone(), pushed);
    let answer = json!({ "request_uri": request_uri, "expires_in": LIFETIME.as_secs() });
    Ok(answer::json(StatusCode::CREATED, &answer))
}
