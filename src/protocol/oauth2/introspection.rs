//! What a server says a token is worth (RFC 7662 §2.2).

use std::fmt;
use std::time::Duration;
use std::time::SystemTime;

use serde_json::Map;
use serde_json::Value;

/// What the server says a token is worth. If it is not [active](Self::is_active), there is nothing else.
///
/// The texts are the server's, about a token that may be anybody's: compare them with what you expect. Above all,
/// [`audiences`](Self::audiences) says for whom the token is.
#[derive(Clone, PartialEq)]
pub struct Introspection {
    is_active: bool,
    scope: Vec<String>,
    audiences: Vec<String>,
    issued_at: Option<SystemTime>,
    not_before: Option<SystemTime>,
    expires_at: Option<SystemTime>,
    /// The rest, unchanged.
    fields: Map<String, Value>,
}

impl Introspection {
    /// Reads an answer; the error says what is wrong with it.
    pub(crate) fn read(mut fields: Map<String, Value>) -> Result<Self, &'static str> {
        fields.retain(|_, value| !value.is_null());
        let is_active = match fields.remove("active") {
            Some(Value::Bool(is_active)) => is_active,
            Some(_) => return Err("its `active` is neither true nor false"),
            None => return Err("it has no `active`"),
        };
        if !is_active {
            // Whatever else it says must not be taken for the truth about a token.
            fields.clear();
        }
        if TEXTS.iter().any(|name| fields.get(*name).is_some_and(|value| !value.is_string())) {
            return Err("a member that should be a text is none");
        }
        Ok(Self {
            is_active,
            scope: scope(fields.remove("scope"))?,
            audiences: texts(fields.remove("aud"))
                .ok_or("its `aud` is neither a text nor a list of texts")?,
            issued_at: time(fields.remove("iat"))?,
            not_before: time(fields.remove("nbf"))?,
            expires_at: time(fields.remove("exp"))?,
            fields,
        })
    }

    /// Whether the token is good: issued by this server, not revoked, and within its time.
    pub fn is_active(&self) -> bool {
        self.is_active
    }

    /// What the token allows.
    pub fn scope(&self) -> impl Iterator<Item = &str> {
        self.scope.iter().map(String::as_str)
    }

    /// The client that the token was given to.
    pub fn client_id(&self) -> Option<&str> {
        self.text("client_id")
    }

    /// A name for people of the user who allowed it.
    pub fn username(&self) -> Option<&str> {
        self.text("username")
    }

    /// The kind of token, such as `Bearer`.
    pub fn token_type(&self) -> Option<&str> {
        self.text("token_type")
    }

    /// Whom the token is about, most often the user (`sub`).
    pub fn subject(&self) -> Option<&str> {
        self.text("sub")
    }

    /// For whom the token is (`aud`).
    pub fn audiences(&self) -> impl Iterator<Item = &str> {
        self.audiences.iter().map(String::as_str)
    }

    /// Who issued the token (`iss`).
    pub fn issuer(&self) -> Option<&str> {
        self.text("iss")
    }

    /// The token's own identifier (`jti`).
    pub fn token_id(&self) -> Option<&str> {
        self.text("jti")
    }

    /// When the token was issued (`iat`).
    pub fn issued_at(&self) -> Option<SystemTime> {
        self.issued_at
    }

    /// Before when it is not to be used (`nbf`).
    pub fn not_before(&self) -> Option<SystemTime> {
        self.not_before
    }

    /// When it ends (`exp`).
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.expires_at
    }

    /// Any other member, such as `cnf`.
    pub fn field(&self, name: &str) -> Option<&Value> {
        self.fields.get(name)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.fields.get(name).and_then(Value::as_str)
    }
}

impl fmt::Debug for Introspection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = formatter.debug_struct("Introspection");
        debug.field("is_active", &self.is_active);
        if self.is_active {
            debug.field("scope", &self.scope).field("audiences", &self.audiences);
            debug.field("expires_at", &self.expires_at);
            debug.field("fields", &self.fields.keys().collect::<Vec<_>>());
        }
        debug.finish()
    }
}

const TEXTS: [&str; 6] = ["client_id", "username", "token_type", "sub", "iss", "jti"];

fn scope(value: Option<Value>) -> Result<Vec<String>, &'static str> {
    let scopes = texts(value).ok_or("its `scope` is neither a text nor a list of texts")?;
    Ok(scopes.iter().flat_map(|scope| scope.split_ascii_whitespace()).map(str::to_owned).collect())
}

/// One text, or a list of them.
fn texts(value: Option<Value>) -> Option<Vec<String>> {
    match value {
        None => Some(Vec::new()),
        Some(Value::String(text)) => Some(vec![text]),
        Some(Value::Array(list)) => list.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
        Some(_) => None,
    }
}

/// Seconds since 1970.
fn time(value: Option<Value>) -> Result<Option<SystemTime>, &'static str> {
    let seconds = match value {
        None => return Ok(None),
        Some(Value::Number(number)) => number.as_f64(),
        // Some servers write all numbers as texts.
        Some(Value::String(text)) => text.trim().parse().ok(),
        Some(_) => None,
    };
    let since = seconds.and_then(|seconds: f64| Duration::try_from_secs_f64(seconds).ok());
    since
        .and_then(|since| SystemTime::UNIX_EPOCH.checked_add(since))
        .map(Some)
        .ok_or("one of its times is not a number of seconds since 1970")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: Value) -> Result<Introspection, &'static str> {
        match value {
            Value::Object(fields) => Introspection::read(fields),
            other => panic!("{other}"),
        }
    }

    fn at(seconds: u64) -> Option<SystemTime> {
        Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
    }

    #[test]
    fn the_example_of_the_rfc_is_read() {
        let answer = read(json!({
            "active": true, "client_id": "l238j323ds-23ij4", "username": "jdoe", "scope": "read write dolphin",
            "sub": "Z5O3upPC88QrAjx00dis", "aud": "https://protected.example.net/resource",
            "iss": "https://server.example.com/", "exp": 1419356238, "iat": 1419350238, "extension_field": "twenty-seven"
        }))
        .unwrap();
        assert!(answer.is_active());
        assert_eq!(answer.client_id(), Some("l238j323ds-23ij4"));
        assert_eq!(answer.username(), Some("jdoe"));
        assert_eq!(answer.scope().collect::<Vec<_>>(), ["read", "write", "dolphin"]);
        assert_eq!(answer.subject(), Some("Z5O3upPC88QrAjx00dis"));
        assert_eq!(answer.audiences().collect::<Vec<_>>(), ["https://protected.example.net/resource"]);
        assert_eq!(answer.issuer(), Some("https://server.example.com/"));
        assert_eq!((answer.expires_at(), answer.issued_at()), (at(1_419_356_238), at(1_419_350_238)));
        assert_eq!((answer.not_before(), answer.token_id(), answer.token_type()), (None, None, None));
        assert_eq!(answer.field("extension_field"), Some(&json!("twenty-seven")));
    }

    #[test]
    fn lists_and_numbers_come_in_several_spellings() {
        let answer = read(json!({
            "active": true, "aud": ["a", "b"], "scope": ["read", "write"], "exp": "1419356238", "nbf": 1.5, "sub": null
        }))
        .unwrap();
        assert_eq!(answer.audiences().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(answer.scope().collect::<Vec<_>>(), ["read", "write"]);
        assert_eq!(answer.expires_at(), at(1_419_356_238));
        assert_eq!(answer.not_before(), Some(SystemTime::UNIX_EPOCH + Duration::from_millis(1500)));
        assert_eq!(answer.subject(), None);
    }

    #[test]
    fn of_a_token_that_is_not_active_nothing_else_is_known() {
        let answer =
            read(json!({"active": false, "sub": "alice", "scope": "admin", "exp": "never"})).unwrap();
        assert!(!answer.is_active());
        assert_eq!((answer.subject(), answer.scope().count(), answer.expires_at()), (None, 0, None));
    }

    #[test]
    fn what_leaves_room_for_doubt_is_refused() {
        for answer in [
            json!({}),
            json!({"active": "true"}),
            json!({"active": 1}),
            json!({"active": null}),
            json!({"active": true, "sub": 7}),
            json!({"active": true, "aud": {"a": 1}}),
            json!({"active": true, "aud": ["a", 1]}),
            json!({"active": true, "scope": 1}),
            json!({"active": true, "exp": "tomorrow"}),
            json!({"active": true, "exp": -1}),
            json!({"active": true, "exp": 1e300}),
            json!({"active": true, "exp": [1]}),
        ] {
            assert!(read(answer.clone()).is_err(), "{answer}");
        }
    }
}
