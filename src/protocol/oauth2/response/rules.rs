//! How the answers of one token endpoint are read.

use std::borrow::Cow;

use http::StatusCode;

use crate::error::ConfigError;
use crate::error::Error;
use crate::error::ServerError;
use crate::protocol::oauth2::form::Form;

/// How the answers of a token endpoint are read: leniently, as servers really write them, or [strictly](Self::strict).
///
/// What [`lenient`](Self::lenient) rules, the default, take beyond RFC 6749 §5:
///
/// | leniency | because of |
/// |---|---|
/// | JSON or a form, whatever the content type says | GitHub, Facebook and Stack Overflow answered forms; WeChat labels JSON as text |
/// | an error is looked for first, at any status | GitHub, Slack, Zoho and Reddit answer errors with status 200 |
/// | `error` may be an object with `type` or `code`, and `message` | Meta |
/// | `error_code`, or an `errcode` other than 0, is an error | Supabase, WeChat |
/// | `ok` or `success` that is false is an error, with the first of `errors` | Slack, Fitbit |
/// | `code` or `status` with a `message` is an error where there is no token | HubSpot, Notion, TikTok for Business |
/// | a list of errors, of which the first one counts | Salesforce |
/// | names in camel case | plentymarkets |
/// | `expires` is a lifetime, or a moment if it is as large as one | Facebook, Stack Overflow |
/// | `expires_at` and `expires_on`, in seconds or milliseconds since 1970 or as RFC 3339, where there is no lifetime | Epic Games, Strava, Entra v1 |
/// | `refresh_expires_in` and `x_refresh_token_expires_in`; 0 says nothing | Keycloak, Intuit |
/// | a lifetime may be a text or a fraction; what is no number is as if it were missing | PayPal, Entra v1 |
/// | a negative lifetime has already ended | clocks of servers |
/// | a number or a character that cannot be kept harms its own field only | `1e400` makes a document invalid for many parsers |
/// | `scope` may be a list or null; a text is split at spaces, or at commas if there are none | Twitch, GitHub, Mailchimp |
/// | `token_type` may be missing, and is `Bearer` then | LinkedIn, Slack, Shopify, Weibo, Douban |
/// | an empty `refresh_token` is as if it were missing: the old one stays | it was stored, and the grant lost |
/// | a `refresh_token` that comes with a useless rest is kept | Azure AD B2C; the old one is spent all the same |
/// | of a field that comes twice, the last counts | every other client reads it so |
/// | unknown fields are kept | `instance_url`, `id_token`, `open_id` … |
/// | `Retry-After` as a fraction or a date, `retry_after` in the body, `X-Rate-Limit-Reset` | Discord, Okta |
///
/// The methods add what holds for single providers; a [`Provider`](crate::provider::Provider) has them ready.
///
/// ```
/// use tower_oauth::endpoint::{ErrorPattern, ResponseRules};
///
/// let rules = ResponseRules::lenient()
///     .token_at("/data")?
///     .scope_separator(',')
///     .reauthorize_on(ErrorPattern::new("invalid_request").description("token was invalid").status(400));
/// # let _ = rules;
/// # Ok::<(), tower_oauth::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct ResponseRules {
    pub(super) is_strict: bool,
    pub(super) token_at: Option<Cow<'static, str>>,
    pub(super) refreshed_token_at: Option<Cow<'static, str>>,
    pub(super) names: Vec<(TokenField, Cow<'static, str>)>,
    pub(super) scope_separator: Option<char>,
    pub(super) zero_is_no_end: bool,
    pub(super) in_milliseconds: bool,
    pub(super) bearer_types: Vec<Cow<'static, str>>,
    pub(super) id_token_as_bearer: bool,
    pub(super) access_token_refreshes: bool,
    reauthorize_on: Vec<ErrorPattern>,
    transient_on: Vec<ErrorPattern>,
}

/// A field of a token response (RFC 6749 §5.1) that a server may call differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TokenField {
    /// `access_token`
    AccessToken,
    /// `expires_at`: a moment, in seconds or milliseconds since 1970, or as RFC 3339 writes it.
    ExpiresAt,
    /// `expires_in`: the lifetime.
    ExpiresIn,
    /// `refresh_token_expires_in`: the lifetime of the refresh token.
    RefreshExpiresIn,
    /// `refresh_token`
    RefreshToken,
    /// `scope`
    Scope,
    /// `token_type`
    TokenType,
}

/// Which refusals of a server are meant: those with a code, and perhaps a part of the description and a status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorPattern {
    code: Cow<'static, str>,
    description: Option<Cow<'static, str>>,
    status: Option<u16>,
    at_any_grant: bool,
}

/// For what a request to the token endpoint asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The renewal of a token with a refresh token.
    Refresh,
    /// A token by any other grant.
    Grant,
}

impl Purpose {
    /// What a request with these parameters asks for.
    pub(crate) fn of(form: &Form) -> Self {
        if form.find("grant_type") == Some("refresh_token") { Self::Refresh } else { Self::Grant }
    }
}

/// Codes that say that only a new login can mend a grant: RFC 6749 §5.2, and OpenID Connect Core §3.1.2.6 where a server
/// wants to see the user.
const ENDED: [&str; 4] = ["invalid_grant", "interaction_required", "consent_required", "login_required"];

/// The same in the words of single providers; nobody else uses them.
const ENDED_ELSEWHERE: [&str; 3] =
    ["BAD_REFRESH_TOKEN", "refresh_token_already_used", "refresh_token_not_found"];

impl ResponseRules {
    /// The rules of the table above.
    pub fn lenient() -> Self {
        Self::default()
    }

    /// Exactly RFC 6749 §5.1 and §5.2: status 200 with a JSON object that has an `access_token` and a `token_type`,
    /// or status 400 or 401 with an `error`; each field once and of its type. Everything else is an error, though a new
    /// refresh token is still not lost. What the other methods set holds all the same.
    pub fn strict() -> Self {
        Self { is_strict: true, ..Self::default() }
    }

    /// Looks for the token in the object at `pointer` (RFC 6901), such as `/data` or `/authed_user`. What stands around it
    /// stays in [`Token::extra`](crate::Token::extra). An answer without that object is an error: another token of the
    /// answer is never taken in its place.
    ///
    /// # Errors
    /// [`ConfigError::InvalidSetting`] when it is no JSON pointer.
    pub fn token_at(mut self, pointer: impl Into<Cow<'static, str>>) -> Result<Self, ConfigError> {
        self.token_at = Some(json_pointer(pointer.into())?);
        Ok(self)
    }

    /// The same for the answers to refreshes, where they differ: `""` is the answer itself.
    ///
    /// # Errors
    /// [`ConfigError::InvalidSetting`] when it is no JSON pointer.
    pub fn refreshed_token_at(mut self, pointer: impl Into<Cow<'static, str>>) -> Result<Self, ConfigError> {
        self.refreshed_token_at = Some(json_pointer(pointer.into())?);
        Ok(self)
    }

    /// Reads `field` from the field called `name`, and no longer from those that the table names. Called again with the
    /// same field, it adds a name that is looked for next.
    pub fn name(mut self, field: TokenField, name: impl Into<Cow<'static, str>>) -> Self {
        self.names.push((field, name.into()));
        self
    }

    /// Splits a scope here, and nowhere else.
    pub fn scope_separator(mut self, separator: char) -> Self {
        self.scope_separator = Some(separator);
        self
    }

    /// Takes a lifetime of 0 for a token that never ends. Otherwise such a token has ended already.
    pub fn zero_is_no_end(mut self) -> Self {
        self.zero_is_no_end = true;
        self
    }

    /// Reads lifetimes in milliseconds.
    pub fn lifetimes_in_milliseconds(mut self) -> Self {
        self.in_milliseconds = true;
        self
    }

    /// Takes a `token_type`, in any case, for another name of `Bearer`.
    pub fn bearer_type(mut self, token_type: impl Into<Cow<'static, str>>) -> Self {
        self.bearer_types.push(token_type.into());
        self
    }

    /// Uses the `id_token` as the access token where there is no `access_token`. Only an API that checks its audience
    /// should be sent one.
    pub fn id_token_as_bearer(mut self) -> Self {
        self.id_token_as_bearer = true;
        self
    }

    /// Keeps the access token as the refresh token too: for providers that renew a token in exchange for itself.
    pub fn access_token_refreshes(mut self) -> Self {
        self.access_token_refreshes = true;
        self
    }

    /// Takes this refusal for the end of the grant: somebody has to log in again. `invalid_grant` and what OpenID Connect
    /// Core §3.1.2.6 lists is taken so without being told.
    pub fn reauthorize_on(mut self, pattern: ErrorPattern) -> Self {
        self.reauthorize_on.push(pattern);
        self
    }

    /// Takes this refusal for one that passes by itself, whatever its code would mean elsewhere.
    pub fn transient_on(mut self, pattern: ErrorPattern) -> Self {
        self.transient_on.push(pattern);
        self
    }

    /// [`token_at`](Self::token_at) with a pointer that is written in the code of this crate.
    pub(crate) fn inside(mut self, pointer: &'static str) -> Self {
        self.token_at = Some(pointer.into());
        self
    }

    /// The same for the answers to refreshes.
    pub(crate) fn refreshed_inside(mut self, pointer: &'static str) -> Self {
        self.refreshed_token_at = Some(pointer.into());
        self
    }

    /// Where the token is in an answer to such a request.
    pub(super) fn pointer(&self, purpose: Purpose) -> Option<&str> {
        let refreshed = self.refreshed_token_at.as_ref().filter(|_| purpose == Purpose::Refresh);
        refreshed.or(self.token_at.as_ref()).map(|pointer| &**pointer).filter(|pointer| !pointer.is_empty())
    }

    /// What a refusal means.
    pub(super) fn classify(&self, error: Error, purpose: Purpose) -> Error {
        let (Some(server), Some(status)) = (error.server(), error.status()) else { return error };
        let is_one_of = |patterns: &[ErrorPattern]| {
            patterns.iter().any(|pattern| pattern.matches(server, status, purpose))
        };
        if is_one_of(&self.transient_on) {
            return error.into_transient();
        }
        let code = server.code();
        let is_end = purpose == Purpose::Refresh
            && !error.is_transient()
            && (ENDED.contains(&code) || (!self.is_strict && ENDED_ELSEWHERE.contains(&code)));
        if is_end || is_one_of(&self.reauthorize_on) { error.into_reauthorization_required() } else { error }
    }
}

impl ErrorPattern {
    /// Refusals of refreshes with this code: the `error` field, or what a server writes in its place. A status of 429 or
    /// above 499 is not meant unless [`status`](Self::status) names it: the server has other troubles then.
    pub fn new(code: impl Into<Cow<'static, str>>) -> Self {
        Self { code: code.into(), description: None, status: None, at_any_grant: false }
    }

    /// Only if this, in any case, is a part of the description.
    pub fn description(mut self, part: impl Into<Cow<'static, str>>) -> Self {
        self.description = Some(part.into());
        self
    }

    /// Only with this HTTP status.
    pub fn status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// Refusals of every grant, and not of refreshes alone.
    pub fn at_any_grant(mut self) -> Self {
        self.at_any_grant = true;
        self
    }

    fn matches(&self, server: &ServerError, status: StatusCode, purpose: Purpose) -> bool {
        let described = || server.error_description().unwrap_or_default().to_ascii_lowercase();
        let in_trouble = status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error();
        (self.at_any_grant || purpose == Purpose::Refresh)
            && self.code == server.code()
            && self.status.map_or(!in_trouble, |wanted| wanted == status.as_u16())
            && self.description.as_ref().is_none_or(|part| described().contains(&part.to_ascii_lowercase()))
    }
}

/// Checks that a text is a JSON pointer (RFC 6901 §3).
fn json_pointer(pointer: Cow<'static, str>) -> Result<Cow<'static, str>, ConfigError> {
    let invalid = |reason| Err(ConfigError::InvalidSetting { name: "token_at", reason });
    if !pointer.is_empty() && !pointer.starts_with('/') {
        return invalid("a JSON pointer begins with `/`");
    }
    if pointer.split('~').skip(1).any(|rest| !rest.starts_with(['0', '1'])) {
        return invalid("in a JSON pointer, `~` stands in `~0` or `~1` only");
    }
    Ok(pointer)
}
