//! What the store keeps of one grant.

use std::fmt;
use std::ops::Not;
use std::time::Duration;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::secret::Secret;
use crate::token::AccessScope;
use crate::token::Expiry;
use crate::token::Token;

/// The version that [`Record::to_json`] writes.
const VERSION: u32 = 1;

/// What the store keeps under one [`TokenKey`](super::TokenKey): at most one refresh token, the access tokens that were
/// obtained with it, and a generation that grows by one with every change.
#[derive(Clone, PartialEq)]
pub struct Record {
    generation: u64,
    refresh_token: Option<Secret>,
    refresh_expires_at: Option<SystemTime>,
    tokens: Vec<(AccessScope, Token)>,
    /// Whether it goes back to a login, and not to a source that can begin anew by itself.
    from_login: bool,
}

impl Record {
    /// The number of this version of the record; the first one is 1.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The refresh token.
    pub fn refresh_token(&self) -> Option<&Secret> {
        self.refresh_token.as_ref()
    }

    /// When the refresh token ends, where the server said so.
    pub fn refresh_expires_at(&self) -> Option<SystemTime> {
        self.refresh_expires_at
    }

    /// The access token that was asked for with `scope`.
    pub fn token(&self, scope: &AccessScope) -> Option<&Token> {
        self.tokens.iter().find(|(of, _)| of == scope).map(|(_, token)| token)
    }

    /// All access tokens with what each was asked for.
    pub fn tokens(&self) -> impl Iterator<Item = (&AccessScope, &Token)> {
        self.tokens.iter().map(|(scope, token)| (scope, token))
    }

    /// The record as JSON, for a store that keeps text. It holds every secret of the grant in the clear.
    pub fn to_json(&self) -> Secret {
        // Writing these types into memory cannot fail: all keys are strings.
        Secret::new(serde_json::to_string(&Stored::of(self)).unwrap_or_default())
    }

    /// Reads what [`to_json`](Self::to_json) wrote, in this or an earlier version of the crate.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::ErrorKind::Store) when the text is something else. The message says where it went
    /// wrong, and nothing of the text.
    pub fn from_json(json: &str) -> Result<Self, Error> {
        let stored: Stored = serde_json::from_str(json).map_err(|error| {
            let place = format!("line {} column {}", error.line(), error.column());
            Error::store("unreadable").detail(format!("the stored record could not be read ({place})"))
        })?;
        if stored.version > VERSION {
            let detail = format!(
                "the stored record has version {}, and this program knows versions up to {VERSION}",
                stored.version
            );
            return Err(Error::store("unknown version").detail(detail));
        }
        Ok(stored.into_record())
    }
}

/// How the manager makes records.
impl Record {
    /// The record after a login: nothing of the one before remains, except that generations go on after `generation`.
    pub(super) fn login(generation: u64, scope: AccessScope, token: Token) -> Self {
        Self {
            generation: generation.saturating_add(1),
            refresh_token: token.refresh_token().cloned(),
            refresh_expires_at: token.refresh_expires_at(),
            tokens: vec![(scope, token.without_refresh_token())],
            from_login: true,
        }
    }

    /// Whether nothing is lost with it but a token request: its source can get the same again, without a user.
    pub(super) fn is_replaceable(&self) -> bool {
        self.refresh_token.is_none() && !self.from_login
    }

    /// The record after an exchange: `token` replaces the one for `scope`, and its refresh token, if it has one, the
    /// one before (RFC 6749 §6 lets a server leave it out when it stays the same).
    pub(super) fn after_exchange(before: Option<&Self>, scope: &AccessScope, token: Token) -> Self {
        let mut next = Self::with_refresh_token_of(before, &token);
        // Scopes that nobody asks for any more would stay for ever; what has ended goes.
        let now = token.obtained_at();
        let has_ended =
            |token: &Token| token.expires_at().is_some_and(|end| now.is_some_and(|now| end <= now));
        next.tokens.retain(|(of, token)| of != scope && !has_ended(token));
        next.tokens.push((scope.clone(), token.without_refresh_token()));
        next
    }

    /// The record after an exchange whose access token is of no use: its refresh token must not be lost all the same.
    pub(super) fn with_refresh_token_of(before: Option<&Self>, token: &Token) -> Self {
        let mut next = match before {
            Some(before) => before.clone(),
            None => Self {
                generation: 0,
                refresh_token: None,
                refresh_expires_at: None,
                tokens: Vec::new(),
                from_login: false,
            },
        };
        next.generation = next.generation.saturating_add(1);
        if let Some(refresh_token) = token.refresh_token().filter(|token| !token.is_empty()) {
            next.refresh_token = Some(refresh_token.clone());
            next.refresh_expires_at = token.refresh_expires_at();
        }
        next
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Record")
            .field("generation", &self.generation)
            .field("refresh_token", &self.refresh_token)
            .field("refresh_expires_at", &self.refresh_expires_at)
            .field("tokens", &self.tokens)
            .finish()
    }
}

/// The stored form. Fields may be added; a field that is missing has its default.
#[derive(Serialize, Deserialize)]
struct Stored {
    version: u32,
    generation: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh_token: Option<Zeroizing<String>>,
    /// Milliseconds since 1970, like every time here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh_expires_at: Option<i64>,
    #[serde(default)]
    tokens: Vec<StoredToken>,
    #[serde(default, skip_serializing_if = "Not::not")]
    from_login: bool,
}

#[derive(Serialize, Deserialize)]
struct StoredToken {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    asked_scope: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    asked_resource: Vec<String>,
    access_token: Zeroizing<String>,
    token_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    obtained_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh_in: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scope: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    extra: serde_json::Map<String, Value>,
}

impl Stored {
    fn of(record: &Record) -> Self {
        Self {
            version: VERSION,
            generation: record.generation,
            refresh_token: record
                .refresh_token
                .as_ref()
                .map(|token| Zeroizing::new(token.expose().to_owned())),
            refresh_expires_at: record.refresh_expires_at.map(to_millis),
            tokens: record.tokens().map(|(scope, token)| StoredToken::of(scope, token)).collect(),
            from_login: record.from_login,
        }
    }

    fn into_record(self) -> Record {
        Record {
            generation: self.generation,
            refresh_token: self.refresh_token.map(|token| Secret::new(token.as_str())),
            refresh_expires_at: self.refresh_expires_at.map(from_millis),
            tokens: self.tokens.into_iter().map(StoredToken::into_token).collect(),
            from_login: self.from_login,
        }
    }
}

impl StoredToken {
    fn of(scope: &AccessScope, token: &Token) -> Self {
        Self {
            asked_scope: scope.scopes().map(str::to_owned).collect(),
            asked_resource: scope.resources().map(str::to_owned).collect(),
            access_token: Zeroizing::new(token.access_token().expose().to_owned()),
            token_type: token.token_type().to_owned(),
            obtained_at: token.obtained_at().map(to_millis),
            expires_at: token.expires_at().map(to_millis),
            refresh_in: token.refresh_in().map(|delay| delay.as_secs()),
            scope: token.scope().map(<[String]>::to_vec),
            extra: token.extras().clone(),
        }
    }

    fn into_token(self) -> (AccessScope, Token) {
        let mut scope = AccessScope::new();
        for name in &self.asked_scope {
            scope = scope.scope(name);
        }
        for resource in self.asked_resource {
            scope = scope.resource(resource);
        }
        let token = Token::new(self.access_token.as_str()).with_token_type(self.token_type).edit(|inner| {
            inner.obtained_at = self.obtained_at.map(from_millis);
            inner.expiry = self.expires_at.map_or(Expiry::Unknown, |moment| Expiry::At(from_millis(moment)));
            inner.refresh_in = self.refresh_in.map(Duration::from_secs);
            inner.scope = self.scope.map(Vec::into_boxed_slice);
            inner.extra = self.extra;
        });
        (scope, token)
    }
}

fn to_millis(moment: SystemTime) -> i64 {
    match moment.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |millis| -millis),
    }
}

fn from_millis(millis: i64) -> SystemTime {
    let distance = Duration::from_millis(millis.unsigned_abs());
    let moment = if millis < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) };
    moment.unwrap_or(UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str) -> Token {
        Token::new(text).expires_in(Duration::from_secs(60)).stamped(UNIX_EPOCH + Duration::from_secs(1_000))
    }

    #[test]
    fn an_exchange_that_names_no_refresh_token_keeps_the_one_before() {
        let login = Record::login(0, AccessScope::new(), token("a").with_refresh_token("r1"));
        let kept = Record::after_exchange(Some(&login), &AccessScope::new(), token("b"));
        assert_eq!(kept.refresh_token(), Some(&Secret::new("r1")));
        let empty =
            Record::after_exchange(Some(&kept), &AccessScope::new(), token("c").with_refresh_token(""));
        assert_eq!(empty.refresh_token(), Some(&Secret::new("r1")));
        let rotated =
            Record::after_exchange(Some(&empty), &AccessScope::new(), token("d").with_refresh_token("r2"));
        assert_eq!(rotated.refresh_token(), Some(&Secret::new("r2")));
        assert_eq!(rotated.generation(), 4);
    }

    #[test]
    fn access_tokens_of_other_scopes_stay() {
        let read = AccessScope::new().scope("read");
        let one = Record::after_exchange(None, &AccessScope::new(), token("a"));
        let two = Record::after_exchange(Some(&one), &read, token("b"));
        let three = Record::after_exchange(Some(&two), &read, token("c"));
        assert_eq!(three.tokens().count(), 2);
        assert_eq!(three.token(&read).map(|token| token.access_token().expose()), Some("c"));
        assert_eq!(three.token(&AccessScope::new()).map(|token| token.access_token().expose()), Some("a"));
    }

    #[test]
    fn access_tokens_that_have_ended_leave_with_the_next_exchange() {
        let read = AccessScope::new().scope("read");
        let one = Record::after_exchange(None, &read, token("a"));
        let later = |second| Token::new("b").stamped(UNIX_EPOCH + Duration::from_secs(second));
        let soon = Record::after_exchange(Some(&one), &AccessScope::new(), later(1_059));
        assert_eq!(soon.tokens().count(), 2);
        let ended = Record::after_exchange(Some(&one), &AccessScope::new(), later(1_060));
        assert_eq!(ended.tokens().count(), 1);
    }

    #[test]
    fn a_record_survives_the_way_through_json() {
        let scope = AccessScope::new().scope("read write").resource("urn:api");
        let token = token("a")
            .with_refresh_token("r")
            .with_scope(["read"])
            .with_extra("instance_url", "https://x.test");
        for record in [Record::after_exchange(None, &scope, token.clone()), Record::login(3, scope, token)] {
            let json = record.to_json();
            assert_eq!(Record::from_json(json.expose()).unwrap(), record);
        }
    }

    #[test]
    fn what_cannot_be_read_is_an_error_that_shows_nothing_of_it() {
        let error = Record::from_json(r#"{"version":1,"generation":"hunter2"}"#).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"));
        let newer = Record::from_json(r#"{"version":9,"generation":1}"#).unwrap_err();
        assert!(newer.to_string().contains("version 9"), "{newer}");
    }
}
