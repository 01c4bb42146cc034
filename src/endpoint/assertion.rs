//! Assertions that a client signs itself (RFC 7521, RFC 7523 §3).

use std::fmt;
use std::time::Duration;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Map;
use serde_json::Value;

use crate::clock::Clock;
use crate::clock::SharedClock;
use crate::endpoint::SigningKey;
use crate::endpoint::signing_key::SharedKey;
use crate::error::Error;
use crate::protocol::oauth2::jwt;
use crate::secret::Secret;

/// How long an assertion is good.
const LIFETIME: Duration = Duration::from_secs(300);

/// What a signed assertion says: a recipe, by which each is made anew, with its own `jti`, `iat` and `exp` (RFC 7523 §3).
///
/// It is an assertion for the [`JwtBearer`](crate::grant::JwtBearer) grant, and for
/// [`ClientAuth::signed_assertion`](crate::ClientAuth::signed_assertion), which fill in what it leaves out; and it makes
/// client secrets that are JWTs, with [`SecretSource::signed`](crate::endpoint::SecretSource::signed).
///
/// | claim | default |
/// |---|---|
/// | `iss`, `sub` | the client, where it is the client's own assertion |
/// | `aud` | the URL of the endpoint |
/// | `iat` | now |
/// | `exp` | in 5 minutes |
/// | `jti` | 128 random bits |
///
/// ```
/// use tower_oauth::endpoint::{Assertion, SecretKey};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tower_oauth::Error> {
/// let assertion = Assertion::signed_by(SecretKey::new("a secret that both sides have known for long"))
///     .issuer("https://jwt.example.com")
///     .subject("mike@example.com")
///     .audience("https://auth.example.com");
/// assert_eq!(assertion.sign().await?.expose().split('.').count(), 3);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Assertion {
    key: SharedKey,
    media_type: String,
    issuer: Option<String>,
    subject: Option<String>,
    audience: Option<String>,
    claims: Map<String, Value>,
    lifetime: Duration,
    backdated: Duration,
    clock: SharedClock,
}

/// What the place where an assertion is used puts into it, unless it says otherwise.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Defaults<'a> {
    /// `iss` and `sub`.
    pub(crate) client_id: Option<&'a str>,
    pub(crate) audience: Option<&'a str>,
}

impl Assertion {
    /// Assertions that `key` signs.
    pub fn signed_by(key: impl SigningKey) -> Self {
        Self {
            key: SharedKey::new(key),
            media_type: "JWT".to_owned(),
            issuer: None,
            subject: None,
            audience: None,
            claims: Map::new(),
            lifetime: LIFETIME,
            backdated: Duration::ZERO,
            clock: SharedClock::default(),
        }
    }

    /// Who issues it (`iss`).
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// Whom it is about (`sub`).
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// Whom it is for (`aud`): the authorization server's issuer identifier, or the URL of its token endpoint. Newer
    /// servers want the former.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = Some(audience.into());
        self
    }

    /// One more claim, such as `scope`. It takes the place of a claim that would be there by default.
    pub fn claim(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.claims.insert(name.into(), value.into());
        self
    }

    /// How long each is good from now on (`exp`), in whole seconds.
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// Says that it was issued so much earlier (`iat`): for servers whose clocks are behind, and refuse what is from the
    /// future. GitHub advises its apps to take a minute.
    pub fn backdated(mut self, by: Duration) -> Self {
        self.backdated = by;
        self
    }

    /// What it calls itself in its header (`typ`): `JWT` by default, `client-authentication+jwt` for servers that ask for
    /// it.
    pub fn media_type(mut self, media_type: impl Into<String>) -> Self {
        self.media_type = media_type.into();
        self
    }

    /// The clock for `iat` and `exp`.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = SharedClock::new(clock);
        self
    }

    /// Makes one.
    ///
    /// # Errors
    /// Those of the key.
    pub async fn sign(&self) -> Result<Secret, Error> {
        self.sign_with(Defaults::default()).await
    }

    pub(crate) async fn sign_with(&self, defaults: Defaults<'_>) -> Result<Secret, Error> {
        let claims = self.claims_at(self.now(), defaults);
        let input = jwt::signing_input(self.key.algorithm(), self.key.key_id(), &self.media_type, &claims);
        let signature = self.key.sign(input.as_bytes()).await?;
        Ok(jwt::with_signature(&input, &signature))
    }

    /// Says whom it is for, unless it says so itself.
    pub(crate) fn set_audience(&mut self, audience: String) {
        self.audience.get_or_insert(audience);
    }

    pub(crate) fn now(&self) -> SystemTime {
        self.clock.now()
    }

    pub(crate) fn life(&self) -> Duration {
        self.lifetime
    }

    fn claims_at(&self, now: SystemTime, defaults: Defaults<'_>) -> Map<String, Value> {
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut claims = Map::new();
        let mut insert = |name: &str, value: Option<&str>| {
            if let Some(value) = value {
                claims.insert(name.to_owned(), value.into());
            }
        };
        insert("iss", self.issuer.as_deref().or(defaults.client_id));
        insert("sub", self.subject.as_deref().or(defaults.client_id));
        insert("aud", self.audience.as_deref().or(defaults.audience));
        insert("jti", Some(&URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>())));
        claims.insert("iat".to_owned(), now.saturating_sub(self.backdated.as_secs()).into());
        claims.insert("exp".to_owned(), now.saturating_add(self.lifetime.as_secs()).into());
        claims.extend(self.claims.clone());
        claims
    }
}

/// One that is for the endpoint at `url`, unless it says otherwise.
pub(crate) async fn assertion_for(assertion: &Assertion, url: &str) -> Result<Secret, Error> {
    assertion.sign_with(Defaults { client_id: None, audience: Some(url) }).await
}

impl fmt::Debug for Assertion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Assertion")
            .field("key", &self.key)
            .field("issuer", &self.issuer)
            .field("subject", &self.subject)
            .field("audience", &self.audience)
            .field("lifetime", &self.lifetime)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::oauth2::jwt::SecretKey;

    struct At(u64);

    impl Clock for At {
        fn now(&self) -> SystemTime {
            SystemTime::UNIX_EPOCH + Duration::from_secs(self.0)
        }
    }

    fn claims(assertion: &Assertion, defaults: Defaults<'_>) -> Value {
        let token = tokio_test::block_on(assertion.sign_with(defaults)).unwrap();
        let claims = token.expose().split('.').nth(1).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
    }

    #[test]
    fn each_assertion_has_an_identifier_and_times_of_its_own() {
        let assertion = Assertion::signed_by(SecretKey::new("secret")).clock(At(1_700_000_000));
        let (first, second) =
            (claims(&assertion, Defaults::default()), claims(&assertion, Defaults::default()));
        assert_ne!(first["jti"], second["jti"]);
        assert_eq!(first["jti"].as_str().map(str::len), Some(22));
        assert_eq!(first["iat"], 1_700_000_000);
        assert_eq!(first["exp"], 1_700_000_300);
        assert_eq!(first.get("aud"), None);
    }

    #[test]
    fn what_the_recipe_says_wins_over_what_its_place_would_put_in() {
        let defaults = Defaults { client_id: Some("client"), audience: Some("https://auth.test/token") };
        let plain = Assertion::signed_by(SecretKey::new("secret"));
        let said = claims(&plain, defaults);
        assert_eq!(
            (&said["iss"], &said["sub"], &said["aud"]),
            (&"client".into(), &"client".into(), &"https://auth.test/token".into())
        );
        let full = plain.issuer("i").subject("s").audience("a").claim("jti", 7).claim("scope", "x y");
        let said = claims(&full, defaults);
        assert_eq!(
            [&said["iss"], &said["sub"], &said["aud"], &said["jti"], &said["scope"]],
            [&Value::from("i"), &"s".into(), &"a".into(), &7.into(), &"x y".into()]
        );
    }

    #[test]
    fn a_backdated_assertion_ends_no_earlier() {
        let assertion = Assertion::signed_by(SecretKey::new("secret")).clock(At(1_700_000_000));
        let said = claims(&assertion.backdated(Duration::from_secs(60)), Defaults::default());
        assert_eq!((&said["iat"], &said["exp"]), (&1_699_999_940.into(), &1_700_000_300.into()));
    }

    #[test]
    fn the_lifetime_is_that_of_the_table() {
        crate::defaults::assert_documented("life of a signed assertion", LIFETIME);
    }
}
