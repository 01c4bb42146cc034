//! What the store keeps of one grant.

use std::fmt;
use std::ops::Not;
use std::time::Duration;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;
use sha2::Digest;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::protocol::oauth2::response::mended;
use crate::secret::Secret;
use crate::token::AccessScope;
use crate::token::Expiry;
use crate::token::Token;

/// The version that [`Record::to_json`] writes.
const VERSION: u32 = 1;
/// How many access tokens one record keeps; the oldest leave.
const TOKENS: usize = 100;

/// What the store keeps under one [`TokenKey`](super::TokenKey): at most one refresh token, the access tokens that were
/// obtained with it, and a generation that grows by one with every change.
#[derive(Clone, PartialEq)]
pub struct Record {
    generation: u64,
    refresh_token: Option<Secret>,
    refresh_expires_at: Option<SystemTime>,
    rotates: bool,
    intent: Option<Intent>,
    /// The fingerprint of the refresh token that the server refused for good.
    dead: Option<u64>,
    tokens: Vec<(AccessScope, Token)>,
    /// Whether it goes back to a login, and not to a source that can begin anew by itself.
    from_login: bool,
    /// All of the above but the generation, where only whoever sealed it can read it.
    sealed: Option<Secret>,
}

/// Says, before a refresh token that rotates is presented, that it is about to be: whoever finds this after a crash
/// knows that it may be spent, and since when.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Intent {
    /// Of the record whose refresh token was to be presented.
    generation: u64,
    /// Of that refresh token.
    fingerprint: u64,
    started_at: SystemTime,
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

    /// Whether the server was seen to rotate refresh tokens: to give another one for the one it was given.
    pub fn rotates(&self) -> bool {
        self.rotates
    }

    /// Since when an exchange of the refresh token may be under way, or was cut short by a crash; `None` when none is,
    /// and where no [`reuse_window`](super::TokenManagerBuilder::reuse_window) is declared.
    pub fn intent_at(&self) -> Option<SystemTime> {
        let fingerprint = self.refresh_token.as_ref().map(fingerprint);
        self.intent.filter(|intent| Some(intent.fingerprint) == fingerprint).map(|intent| intent.started_at)
    }

    /// Whether the server refused the refresh token for good: then no process presents it again, and only a new login
    /// helps.
    pub fn is_dead(&self) -> bool {
        self.dead.is_some() && self.dead == self.refresh_token.as_ref().map(fingerprint)
    }

    /// The access token that was asked for with `scope`.
    pub fn token(&self, scope: &AccessScope) -> Option<&Token> {
        self.tokens.iter().find(|(of, _)| of == scope).map(|(_, token)| token)
    }

    /// All access tokens with what each was asked for.
    pub fn tokens(&self) -> impl Iterator<Item = (&AccessScope, &Token)> {
        self.tokens.iter().map(|(scope, token)| (scope, token))
    }

    /// A record that shows its generation and nothing else: `text` is what a store that wraps another one, as
    /// `EncryptedStore` does, has made of the real record. A manager that is given one refuses it.
    pub fn sealed(generation: u64, text: impl Into<Secret>) -> Self {
        Self { generation, sealed: Some(text.into()), ..Self::empty() }
    }

    /// What [`sealed`](Self::sealed) was given.
    pub fn sealed_text(&self) -> Option<&Secret> {
        self.sealed.as_ref()
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
        // A number that is too large for the reader, among the fields that a server added, must not cost the grant.
        let mended = || serde_json::from_str::<Stored>(&Zeroizing::new(mended(json))).ok();
        match serde_json::from_str::<Stored>(json).or_else(|error| mended().ok_or(error)) {
            Ok(stored) if stored.version == VERSION => Ok(stored.into_record()),
            outcome => Err(unreadable(json, outcome.err())),
        }
    }
}

/// How the manager makes records.
impl Record {
    /// The record after a login: nothing of the one before remains, except that generations go on after `generation`.
    ///
    /// What was seen of the server (`rotates`) stays true.
    pub(super) fn login(generation: u64, rotates: bool, scope: AccessScope, token: Token) -> Self {
        Self {
            generation: generation.saturating_add(1),
            refresh_token: token.refresh_token().cloned(),
            refresh_expires_at: token.refresh_expires_at(),
            rotates,
            intent: None,
            dead: None,
            tokens: vec![(scope, token.without_refresh_token())],
            from_login: true,
            sealed: None,
        }
    }

    fn empty() -> Self {
        Self {
            generation: 0,
            refresh_token: None,
            refresh_expires_at: None,
            rotates: false,
            intent: None,
            dead: None,
            tokens: Vec::new(),
            from_login: false,
            sealed: None,
        }
    }

    /// Whether nothing is lost with it but a token request: its source can get the same again, without a user.
    pub(super) fn is_replaceable(&self) -> bool {
        self.refresh_token.is_none() && !self.from_login && self.sealed.is_none()
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
        // The ones that never end are not kept without bound either.
        while next.tokens.len() >= TOKENS {
            let oldest = next.tokens.iter().enumerate().min_by_key(|(_, (_, token))| token.obtained_at());
            let Some((place, _)) = oldest else { break };
            next.tokens.remove(place);
        }
        next.tokens.push((scope.clone(), token.without_refresh_token()));
        next
    }

    /// The record after an exchange whose access token is of no use: its refresh token must not be lost all the same.
    pub(super) fn with_refresh_token_of(before: Option<&Self>, token: &Token) -> Self {
        let mut next = match before {
            Some(before) => before.clone(),
            None => Self::empty(),
        };
        next.generation = next.generation.saturating_add(1);
        next.intent = None;
        if let Some(refresh_token) = token.refresh_token().filter(|token| !token.is_empty()) {
            next.rotates |= next.refresh_token.as_ref().is_some_and(|before| before != refresh_token);
            next.refresh_token = Some(refresh_token.clone());
            next.refresh_expires_at = token.refresh_expires_at();
        }
        next
    }

    /// The record that says that its refresh token is about to be presented.
    pub(super) fn with_intent(&self, now: SystemTime) -> Self {
        let mut next = self.clone();
        next.generation = next.generation.saturating_add(1);
        next.intent = self.refresh_token.as_ref().map(|refresh_token| Intent {
            generation: self.generation,
            fingerprint: fingerprint(refresh_token),
            // As it is read again.
            started_at: from_millis(to_millis(now)),
        });
        next
    }

    /// The record that says that the server answered.
    pub(super) fn without_intent(&self) -> Self {
        Self { generation: self.generation.saturating_add(1), intent: None, ..self.clone() }
    }

    /// The record that says that its refresh token was refused for good.
    pub(super) fn with_death(&self) -> Self {
        Self {
            generation: self.generation.saturating_add(1),
            intent: None,
            dead: self.refresh_token.as_ref().map(fingerprint),
            ..self.clone()
        }
    }

    /// The same without its refresh token, for a source that can begin anew.
    pub(super) fn without_refresh_token(&self) -> Self {
        Self { refresh_token: None, refresh_expires_at: None, intent: None, ..self.clone() }
    }

    /// Whether this holds the login that `login` is the record of.
    pub(super) fn is_of_login(&self, login: &Self) -> bool {
        let access_tokens = |record: &Self| -> Vec<Secret> {
            record.tokens().map(|(_, token)| token.access_token().clone()).collect()
        };
        match &login.refresh_token {
            Some(refresh_token) => self.refresh_token.as_ref() == Some(refresh_token),
            None => access_tokens(login).iter().all(|token| access_tokens(self).contains(token)),
        }
    }

    /// Whether both are the same write of the same manager; a store may round times, and order what has no order.
    pub(super) fn is_same_write(&self, other: &Self) -> bool {
        let tokens = |record: &Self| -> Vec<(AccessScope, Secret)> {
            record.tokens().map(|(scope, token)| (scope.clone(), token.access_token().clone())).collect()
        };
        self.generation == other.generation
            && self.refresh_token == other.refresh_token
            && self.intent_at() == other.intent_at()
            && self.is_dead() == other.is_dead()
            && tokens(self) == tokens(other)
    }
}

/// Why a text is no record of this version.
fn unreadable(json: &str, error: Option<serde_json::Error>) -> Error {
    #[derive(Deserialize)]
    struct Header {
        version: u32,
    }

    // A later version may have changed everything but this.
    match serde_json::from_str(json) {
        Ok(Header { version }) if version != VERSION => Error::store("unknown version").detail(format!(
            "the stored record has version {version}, and this program knows version {VERSION}"
        )),
        _ => {
            let (line, column) = error.map_or((0, 0), |error| (error.line(), error.column()));
            Error::store("unreadable")
                .detail(format!("the stored record could not be read (line {line} column {column})"))
        }
    }
}

/// Tells one refresh token from another, and does not say what it is.
fn fingerprint(refresh_token: &Secret) -> u64 {
    let digest = Sha256::digest(refresh_token.expose());
    digest.iter().take(8).fold(0, |fingerprint, byte| fingerprint << 8 | u64::from(*byte))
}

impl fmt::Debug for Record {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Record")
            .field("generation", &self.generation)
            .field("refresh_token", &self.refresh_token)
            .field("refresh_expires_at", &self.refresh_expires_at)
            .field("rotates", &self.rotates)
            .field("intent_at", &self.intent_at())
            .field("is_dead", &self.is_dead())
            .field("tokens", &self.tokens)
            .field("sealed", &self.sealed)
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
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    rotates: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    intent: Option<StoredIntent>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dead: Option<u64>,
    #[serde(default)]
    tokens: Vec<StoredToken>,
    #[serde(default, skip_serializing_if = "Not::not")]
    from_login: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealed: Option<Zeroizing<String>>,
}

#[derive(Serialize, Deserialize)]
struct StoredIntent {
    generation: u64,
    fingerprint: u64,
    started_at: i64,
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
            rotates: record.rotates,
            intent: record.intent.map(|intent| StoredIntent {
                generation: intent.generation,
                fingerprint: intent.fingerprint,
                started_at: to_millis(intent.started_at),
            }),
            dead: record.dead,
            tokens: record.tokens().map(|(scope, token)| StoredToken::of(scope, token)).collect(),
            from_login: record.from_login,
            sealed: record.sealed.as_ref().map(|text| Zeroizing::new(text.expose().to_owned())),
        }
    }

    fn into_record(self) -> Record {
        Record {
            generation: self.generation,
            refresh_token: self.refresh_token.map(|token| Secret::new(token.as_str())),
            refresh_expires_at: self.refresh_expires_at.map(from_millis),
            rotates: self.rotates,
            intent: self.intent.map(|intent| Intent {
                generation: intent.generation,
                fingerprint: intent.fingerprint,
                started_at: from_millis(intent.started_at),
            }),
            dead: self.dead,
            tokens: self.tokens.into_iter().map(StoredToken::into_token).collect(),
            from_login: self.from_login,
            sealed: self.sealed.map(|text| Secret::new(text.as_str())),
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
mod tests;
