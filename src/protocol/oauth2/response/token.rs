//! The token that the fields of an answer describe.

use std::borrow::Cow;
use std::time::Duration;
use std::time::SystemTime;

use serde_json::Map;
use serde_json::Value;

use crate::error::Error;
use crate::error::ErrorKind;
use crate::protocol::oauth2::response::Answered;
use crate::protocol::oauth2::response::ResponseRules;
use crate::protocol::oauth2::response::TokenField;
use crate::protocol::oauth2::response::TokenResponse;
use crate::protocol::oauth2::response::fields;
use crate::protocol::oauth2::response::fields::Fields;
use crate::protocol::oauth2::response::in_place_of_token;
use crate::protocol::oauth2::response::strict;
use crate::protocol::oauth2::response::unusable;
use crate::protocol::oauth2::response::values;
use crate::secret::Secret;

/// What the lifetime of a refresh token is called.
const REFRESH_EXPIRES_IN: [&str; 5] = [
    "refresh_token_expires_in",
    "refresh_expires_in",
    "x_refresh_token_expires_in",
    "refreshTokenExpiresIn",
    "refreshExpiresIn",
];

/// Reads a token, or at least its refresh token.
pub(super) fn read(
    answered: Answered<'_>,
    rules: &ResponseRules,
    fields: Fields,
) -> Result<TokenResponse, Error> {
    let fault = rules.is_strict.then(|| strict::fault_of_token(answered, &fields, rules)).flatten();
    let mut fault = fault.map(|fault| unusable(answered, fault));
    if !fields.is_alone {
        return Err(unusable(answered, fields::NO_OBJECT));
    }
    let mut taken = Taken { fields: fields.map, rules };
    let mut access_token = taken.text(TokenField::AccessToken, &["access_token", "accessToken"]);
    // A text with bytes that were no UTF-8 is not what the server meant.
    let refresh_token = taken
        .text(TokenField::RefreshToken, &["refresh_token", "refreshToken"])
        .filter(|token| !token.contains(char::REPLACEMENT_CHARACTER));
    let (mut expires_in, expires_at) = taken.end();
    let token_type = taken.text(TokenField::TokenType, &["token_type", "tokenType"]);
    let refresh_expires_in = taken.lifetime(TokenField::RefreshExpiresIn, &REFRESH_EXPIRES_IN);
    let separator = rules.scope_separator;
    let scope = taken.value(TokenField::Scope, &["scope"], |value| values::scope(value, separator));
    let refresh_in = taken.fields.remove("refresh_in").and_then(|value| values::lifetime(&value, false));
    let extra = taken.fields;

    let id_token = extra.get("id_token").and_then(Value::as_str).filter(|token| !token.is_empty());
    if access_token.is_none() {
        if let Some(id_token) = id_token.filter(|_| rules.id_token_as_bearer) {
            access_token = Some(id_token.to_owned());
            let lifetime = extra.get("id_token_expires_in").and_then(|value| values::lifetime(value, false));
            expires_in = expires_in.or(lifetime);
        } else if fault.is_none() {
            fault = Some(if id_token.is_some() {
                Error::new(ErrorKind::MissingAccessToken).with_status(answered.status)
            } else {
                in_place_of_token(answered, rules, &extra)
                    .filter(|_| refresh_token.is_none())
                    .unwrap_or_else(|| unusable(answered, "it has no access_token"))
            });
        }
    }
    let refresh_token =
        refresh_token.or_else(|| access_token.clone().filter(|_| rules.access_token_refreshes));
    if let Some(fault) = fault.as_ref().filter(|_| refresh_token.is_none()) {
        return Err(fault.clone());
    }
    Ok(TokenResponse {
        // One that is not as it should be is not needed to keep the refresh token.
        access_token: Secret::new(access_token.filter(|_| fault.is_none()).unwrap_or_default()),
        fault,
        token_type: token_type.map(|token_type| rules.known_type(token_type)),
        expires_in,
        expires_at,
        refresh_in,
        refresh_token: refresh_token.map(Secret::new),
        refresh_expires_in: refresh_expires_in.filter(|lifetime| !lifetime.is_zero()),
        scope,
        extra,
    })
}

/// The fields of which those that are known are taken out one after the other.
struct Taken<'a> {
    fields: Map<String, Value>,
    rules: &'a ResponseRules,
}

impl Taken<'_> {
    /// The first usable value of a field; the field is taken out under all of its names.
    fn value<T>(
        &mut self,
        field: TokenField,
        names: &[&'static str],
        read: impl Fn(Value) -> Option<T>,
    ) -> Option<T> {
        let mut first = None;
        for name in self.rules.names(field, names) {
            let value = self.fields.remove(&*name).and_then(&read);
            first = first.or(value);
        }
        first
    }

    /// A text that is not empty.
    fn text(&mut self, field: TokenField, names: &[&'static str]) -> Option<String> {
        self.value(field, names, |value| match value {
            Value::String(text) if !text.is_empty() => Some(text),
            _ => None,
        })
    }

    fn lifetime(&mut self, field: TokenField, names: &[&'static str]) -> Option<Duration> {
        let in_milliseconds = self.rules.in_milliseconds;
        self.value(field, names, |value| values::lifetime(&value, in_milliseconds))
    }

    /// The lifetime of the access token, or else the moment of its end.
    fn end(&mut self) -> (Option<Duration>, Option<SystemTime>) {
        let lifetime = self.lifetime(TokenField::ExpiresIn, &["expires_in", "expiresIn"]);
        let names: &[_] = if self.rules.is_strict { &[] } else { &["expires_at", "expiresAt", "expires_on"] };
        let moment = self.value(TokenField::ExpiresAt, names, |value| values::moment(&value));
        let either = if self.rules.is_strict { None } else { self.fields.remove("expires") };
        let either = either.as_ref();
        let moment = moment.or_else(|| either.and_then(values::moment));
        let lifetime = lifetime.or_else(|| {
            let is_lifetime = |value: &&Value| values::moment(value).is_none();
            let lifetime = |value| values::lifetime(value, self.rules.in_milliseconds);
            either.filter(is_lifetime).and_then(lifetime)
        });
        match lifetime {
            Some(lifetime) if lifetime.is_zero() && self.rules.zero_is_no_end => (None, None),
            Some(lifetime) => (Some(lifetime), None),
            None => (None, moment),
        }
    }
}

impl ResponseRules {
    /// The names of a field, in the order in which they are looked for.
    pub(super) fn names(&self, field: TokenField, known: &[&'static str]) -> Vec<Cow<'static, str>> {
        let given = self.names.iter().filter(|(of, _)| *of == field).map(|(_, name)| name.clone());
        let given: Vec<_> = given.collect();
        let known = known.iter().take(if self.is_strict { 1 } else { known.len() });
        if given.is_empty() { known.map(|name| Cow::Borrowed(*name)).collect() } else { given }
    }

    /// The type of a token, `Bearer` if it is another name of that.
    fn known_type(&self, token_type: String) -> String {
        let is_bearer = self.bearer_types.iter().any(|known| known.eq_ignore_ascii_case(&token_type));
        if is_bearer { "Bearer".to_owned() } else { token_type }
    }
}
