//! The token endpoint (RFC 6749 §3.2).

use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Method;
use http::Response;
use http::StatusCode;
use http::header;
use serde_json::json;
use sha2::Digest;
use sha2::Sha256;

use crate::secret::Secret;
use crate::secret::constant_time_eq;
use crate::testing::answer;
use crate::testing::body::Body;
use crate::testing::builder::Settings;
use crate::testing::form::Parameters;
use crate::testing::incoming::Incoming;
#[cfg(feature = "jwt")]
use crate::testing::oauth2::assertion;
use crate::testing::oauth2::client_auth::Client;
use crate::testing::oauth2::client_auth::TokenError;
use crate::testing::oauth2::client_auth::authenticate_with_assertion;
use crate::testing::oauth2::tokens::Approval;
use crate::testing::oauth2::tokens::Challenge;
use crate::testing::oauth2::tokens::Grant;
use crate::testing::oauth2::tokens::Refused;
use crate::testing::provider::State;
use crate::testing::stats::Stats;

const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// Answers a token request.
pub(in crate::testing) fn token(
    settings: &Settings,
    state: &mut State,
    now: SystemTime,
    request: &Incoming,
) -> Response<Body> {
    match try_token(settings, state, now, request) {
        Ok(grant) => {
            state.stats.tokens_issued += 1;
            success(settings, &grant)
        }
        Err(error) => {
            if error.code == "invalid_client" {
                state.stats.invalid_clients += 1;
            }
            error.into_response()
        }
    }
}

fn try_token(
    settings: &Settings,
    state: &mut State,
    now: SystemTime,
    request: &Incoming,
) -> Result<Grant, TokenError> {
    let form = form(request)?;
    let grant_type = form.find("grant_type").unwrap_or_default();
    count(&mut state.stats, grant_type);
    #[cfg(feature = "jwt")]
    if grant_type == JWT_BEARER {
        return jwt_bearer(settings, state, now, request, &form);
    }
    let client = authenticate_with_assertion(settings, state, now, request, &form)?;
    let asked = Asked { settings, state, form: &form, client, expires_at: settings.expiry(now), now };
    match grant_type {
        "authorization_code" => asked.authorization_code(),
        "client_credentials" => asked.client_credentials(),
        DEVICE_CODE => asked.device_code(),
        "password" => asked.password(),
        "refresh_token" => asked.refresh_token(),
        "" => Err(TokenError::new("invalid_request", "grant_type is missing")),
        _ => Err(TokenError::new("unsupported_grant_type", "the provider does not have this grant")),
    }
}

/// The name of the JWT bearer grant.
#[cfg(feature = "jwt")]
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// RFC 7523 §2.1 and §3.1, where the assertion says who the client is. Its subject is the user, unless that is the account
/// itself.
#[cfg(feature = "jwt")]
fn jwt_bearer(
    settings: &Settings,
    state: &mut State,
    now: SystemTime,
    request: &Incoming,
    form: &Parameters,
) -> Result<Grant, TokenError> {
    let invalid = |description: &str| TokenError::new("invalid_grant", description);
    let assertion =
        form.find("assertion").ok_or_else(|| TokenError::new("invalid_request", "assertion is missing"))?;
    let account =
        assertion::unverified_issuer(assertion).ok_or_else(|| invalid("the assertion is no JWT"))?;
    let key = settings.service_accounts.get(&account).ok_or_else(|| invalid("the account is unknown"))?;
    let verified =
        assertion::verify(assertion, &assertion::Key::Public(key), now, request).map_err(invalid)?;
    let user = verified.text("sub").filter(|subject| *subject != account).map(str::to_owned);
    let scope = verified.text("scope").or(form.find("scope")).unwrap_or_default().to_owned();
    let approval = Approval { client: account, user, scope };
    Ok(state.tokens.issue_to_client(approval, settings.expiry(now)))
}

/// The form of a request to an endpoint that wants one.
pub(super) fn form(request: &Incoming) -> Result<Parameters, TokenError> {
    if request.method != Method::POST {
        return Err(TokenError::method_not_allowed());
    }
    if request.form.is_none() {
        let wanted = "the media type is not application/x-www-form-urlencoded";
        return Err(TokenError::new("invalid_request", wanted));
    }
    Parameters::once(request.form_bytes())
        .map_err(|_| TokenError::new("invalid_request", "a parameter occurs more than once"))
}

/// A token request of a client that is known.
struct Asked<'a> {
    settings: &'a Settings,
    state: &'a mut State,
    form: &'a Parameters,
    client: Client,
    /// When an access token that is issued now expires.
    expires_at: SystemTime,
    now: SystemTime,
}

impl<'a> Asked<'a> {
    /// RFC 6749 §4.1.3, with the code verifier of RFC 7636 §4.6.
    fn authorization_code(self) -> Result<Grant, TokenError> {
        let code = self.required("code")?;
        let found = self.state.tokens.find_code(code, &self.client.id, self.now);
        let found = match found {
            Ok(found) => found,
            Err(refused) => {
                if matches!(refused, Refused::Spent { family_revoked: true }) {
                    self.state.stats.families_revoked += 1;
                }
                return Err(refusal("the code", refused));
            }
        };
        if self.form.find("redirect_uri") != Some(&found.redirect_uri) {
            return Err(TokenError::new(
                "invalid_grant",
                "redirect_uri is not the one of the authorization request",
            ));
        }
        let (approval, challenge) = (found.approval.clone(), found.challenge.clone());
        verify(challenge.as_ref(), self.form.find("code_verifier"))?;
        Ok(self.state.tokens.spend_code(code, approval, self.expires_at))
    }

    /// RFC 6749 §4.4.
    fn client_credentials(self) -> Result<Grant, TokenError> {
        if self.client.is_public {
            let description = "a client without secret cannot use client credentials";
            return Err(TokenError::new("unauthorized_client", description));
        }
        let approval = self.approval(None);
        Ok(self.state.tokens.issue_to_client(approval, self.expires_at))
    }

    /// RFC 6749 §4.3.
    fn password(self) -> Result<Grant, TokenError> {
        let user = self.required("username")?;
        let password = Secret::new(self.required("password")?);
        if self.settings.users.get(user) != Some(&password) {
            return Err(TokenError::new("invalid_grant", "there is no such user with this password"));
        }
        let approval = self.approval(Some(user.to_owned()));
        Ok(self.state.tokens.start_family(approval, self.expires_at))
    }

    /// RFC 8628 §3.4.
    fn device_code(self) -> Result<Grant, TokenError> {
        let device_code = self.required("device_code")?;
        let user = self.settings.approving_user();
        let approval = self.state.devices.ask(device_code, &self.client.id, user, self.now)?;
        Ok(self.state.tokens.start_family(approval, self.expires_at))
    }

    /// RFC 6749 §6.
    fn refresh_token(self) -> Result<Grant, TokenError> {
        let token = self.required("refresh_token")?;
        let scope = self.form.find("scope");
        let rotate = self.settings.rotate_refresh_tokens;
        let refreshed = self.state.tokens.refresh(token, &self.client.id, scope, rotate, self.expires_at);
        let stats = &mut self.state.stats;
        match refreshed {
            Ok(grant) => {
                stats.refreshes += 1;
                Ok(grant)
            }
            Err(refused) => {
                if let Refused::Spent { family_revoked } = refused {
                    stats.reuse_detections += 1;
                    stats.families_revoked += u64::from(family_revoked);
                }
                Err(refusal("the refresh token", refused))
            }
        }
    }

    fn required(&self, name: &'static str) -> Result<&'a str, TokenError> {
        let missing = || TokenError::new("invalid_request", format!("{name} is missing"));
        self.form.find(name).ok_or_else(missing)
    }

    fn approval(&self, user: Option<String>) -> Approval {
        let scope = self.form.find("scope").unwrap_or_default().to_owned();
        Approval { client: self.client.id.clone(), user, scope }
    }
}

/// Compares the code verifier with the challenge (RFC 7636 §4.6).
fn verify(challenge: Option<&Challenge>, verifier: Option<&str>) -> Result<(), TokenError> {
    let invalid = |description| Err(TokenError::new("invalid_grant", description));
    match (challenge, verifier) {
        (None, None) => Ok(()),
        (None, Some(_)) => invalid("there is a code_verifier, but there was no code_challenge"),
        (Some(_), None) => invalid("code_verifier is missing"),
        (Some(challenge), Some(verifier)) => {
            let (wanted, got) = match challenge {
                Challenge::Plain(wanted) => (wanted, verifier.to_owned()),
                Challenge::S256(wanted) => {
                    (wanted, URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes())))
                }
            };
            if constant_time_eq(wanted.as_bytes(), got.as_bytes()) {
                Ok(())
            } else {
                invalid("code_verifier does not match code_challenge")
            }
        }
    }
}

fn refusal(what: &str, refused: Refused) -> TokenError {
    let why = match refused {
        Refused::Scope => {
            return TokenError::new("invalid_scope", "the scope is wider than the one that was allowed");
        }
        Refused::Unknown => "is unknown",
        Refused::OtherClient => "belongs to another client",
        Refused::Expired => "has expired",
        Refused::Spent { .. } => "was used before; the tokens of this login are revoked",
        Refused::Revoked => "was revoked",
    };
    TokenError::new("invalid_grant", format!("{what} {why}"))
}

/// The answer of RFC 6749 §5.1.
fn success(settings: &Settings, grant: &Grant) -> Response<Body> {
    let mut body = json!({
        "access_token": grant.access_token,
        "token_type": "Bearer",
        "expires_in": settings.access_token_lifetime.as_secs(),
    });
    if let Some(members) = body.as_object_mut() {
        if let Some(refresh_token) = &grant.refresh_token {
            members.insert("refresh_token".to_owned(), json!(refresh_token));
        }
        if !grant.scope.is_empty() {
            members.insert("scope".to_owned(), json!(grant.scope));
        }
    }
    answer::with(answer::json(StatusCode::OK, &body), header::PRAGMA, "no-cache")
}

fn count(stats: &mut Stats, grant_type: &str) {
    let grants = &mut stats.grants;
    let count = match grant_type {
        "authorization_code" => &mut grants.authorization_code,
        "client_credentials" => &mut grants.client_credentials,
        DEVICE_CODE => &mut grants.device_code,
        "password" => &mut grants.password,
        "refresh_token" => &mut grants.refresh_token,
        _ => &mut grants.other,
    };
    *count += 1;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verifier_of_rfc_7636_appendix_b_matches_its_challenge() {
        let challenge = Challenge::S256("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM".to_owned());
        let verify = |verifier| verify(Some(&challenge), verifier);
        assert!(verify(Some("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")).is_ok());
        assert!(verify(Some("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXK")).is_err());
        assert!(verify(Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")).is_err());
        assert!(verify(None).is_err());
    }
}
