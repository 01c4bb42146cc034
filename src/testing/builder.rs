//! How a provider is set up.

use std::collections::HashMap;
use std::collections::HashSet;
use std::fmt;
use std::time::Duration;
use std::time::SystemTime;

use crate::clock::Clock;
use crate::clock::SharedClock;
use crate::secret::Secret;
use crate::testing::provider::Provider;
#[cfg(feature = "jwt")]
use crate::testing::service_account;

/// Sets a [`Provider`] up; see [`Provider::builder`].
///
/// | what | default |
/// |---|---|
/// | clients, users, OAuth 1.0a credentials | none; those of [`Provider::new`] with [`test_clients`](Self::test_clients) |
/// | lifetime of an access token | 1 hour |
/// | rotation of refresh tokens | on |
/// | the user at `/authorize` | approves at once |
/// | time between two questions of a device | 5 seconds |
/// | farthest timestamp of an OAuth 1.0a request | 5 minutes from the clock |
/// | clock | the system's |
/// | origin of a request that does not name one | `http://localhost` |
#[derive(Clone)]
#[must_use = "a builder does nothing until `build`"]
pub struct ProviderBuilder(Settings);

#[derive(Clone)]
pub(super) struct Settings {
    /// Client secrets by client id; a public client has none.
    pub(super) clients: HashMap<String, Option<Secret>>,
    /// The clients that prove themselves by the certificate of their connection.
    pub(super) tls_clients: HashSet<String>,
    /// Public keys by the id of a client that signs assertions.
    #[cfg(feature = "jwt")]
    pub(super) client_keys: HashMap<String, String>,
    /// Public keys by the name of a service account.
    #[cfg(feature = "jwt")]
    pub(super) service_accounts: HashMap<String, String>,
    /// Passwords by user name.
    pub(super) users: HashMap<String, Secret>,
    pub(super) access_token_lifetime: Duration,
    pub(super) rotate_refresh_tokens: bool,
    /// Whether `/authorize` asks with a page.
    pub(super) login_page: bool,
    pub(super) device_interval: Duration,
    /// Client secrets by client key.
    pub(super) oauth1_clients: HashMap<String, Secret>,
    /// Token credentials by token.
    pub(super) oauth1_tokens: HashMap<String, TokenCredentials>,
    pub(super) timestamp_window: Duration,
    pub(super) clock: SharedClock,
    pub(super) origin: String,
}

/// The credentials by which an OAuth 1.0a client acts for a user (RFC 5849 §1.1).
#[derive(Clone)]
pub(super) struct TokenCredentials {
    pub(super) client: String,
    pub(super) secret: Secret,
}

impl Settings {
    /// When an access token that is issued at `now` expires.
    pub(super) fn expiry(&self, now: SystemTime) -> SystemTime {
        // A lifetime that no `SystemTime` can hold counts as none.
        now.checked_add(self.access_token_lifetime).unwrap_or(now)
    }

    /// The user who approves.
    pub(super) fn approving_user(&self) -> String {
        self.users.keys().min().cloned().unwrap_or_else(|| "user".to_owned())
    }
}

impl ProviderBuilder {
    pub(super) fn new() -> Self {
        Self(Settings {
            clients: HashMap::new(),
            tls_clients: HashSet::new(),
            #[cfg(feature = "jwt")]
            client_keys: HashMap::new(),
            #[cfg(feature = "jwt")]
            service_accounts: HashMap::new(),
            users: HashMap::new(),
            access_token_lifetime: Duration::from_secs(3600),
            rotate_refresh_tokens: true,
            login_page: false,
            device_interval: Duration::from_secs(5),
            oauth1_clients: HashMap::new(),
            oauth1_tokens: HashMap::new(),
            timestamp_window: Duration::from_secs(300),
            clock: SharedClock::default(),
            origin: "http://localhost".to_owned(),
        })
    }

    /// Adds the clients, the user and the credentials that [`Provider::new`] lists.
    pub fn test_clients(self) -> Self {
        #[cfg(feature = "jwt")]
        let this =
            self.service_account(service_account::CLIENT_EMAIL, include_str!("service_account.pub.pem"));
        #[cfg(not(feature = "jwt"))]
        let this = self;
        this.client("test-client", "test-secret")
            .public_client("test-app")
            .user("test-user", "test-password")
            .oauth1_client("consumer-key", "consumer-secret")
            .oauth1_token("consumer-key", "token", "token-secret")
    }

    /// Adds an OAuth 2 client that authenticates with a secret, by Basic or in the form (RFC 6749 §2.3.1), or with a JWT
    /// that is signed with it (feature `jwt`; RFC 7523 §2.2). It may use every grant.
    pub fn client(mut self, id: impl Into<String>, secret: impl Into<Secret>) -> Self {
        self.0.clients.insert(id.into(), Some(secret.into()));
        self
    }

    /// Adds an OAuth 2 client that proves who it is by the certificate of its connection (RFC 8705 §2). The provider does not
    /// see it, and takes whoever names the client for it: put something in front that insists on the certificate.
    pub fn tls_client(mut self, id: impl Into<String>) -> Self {
        let id = id.into();
        self.0.clients.insert(id.clone(), None);
        self.0.tls_clients.insert(id);
        self
    }

    /// Adds an OAuth 2 client without secret, such as an app on a phone (RFC 6749 §2.1). It needs PKCE, and may not use
    /// the client credentials grant.
    pub fn public_client(mut self, id: impl Into<String>) -> Self {
        self.0.clients.insert(id.into(), None);
        self
    }

    /// Adds an OAuth 2 client that authenticates with JWTs that it signs (`private_key_jwt`, RFC 7523 §2.2), and its public
    /// key as PEM. Each JWT is good for one request.
    #[cfg(feature = "jwt")]
    pub fn key_client(mut self, id: impl Into<String>, public_key: impl Into<String>) -> Self {
        self.0.client_keys.insert(id.into(), public_key.into());
        self
    }

    /// Adds a service account, for the JWT bearer grant (RFC 7523 §2.1), and its public key as PEM. Its assertions may name
    /// any user as their subject.
    #[cfg(feature = "jwt")]
    pub fn service_account(mut self, name: impl Into<String>, public_key: impl Into<String>) -> Self {
        self.0.service_accounts.insert(name.into(), public_key.into());
        self
    }

    /// Adds a user, for the password grant (RFC 6749 §4.3). The first one in the order of their names approves at
    /// `/authorize`.
    pub fn user(mut self, name: impl Into<String>, password: impl Into<Secret>) -> Self {
        self.0.users.insert(name.into(), password.into());
        self
    }

    /// How long an access token is good. Answers say it in whole seconds, as `expires_in` is defined, rounded down.
    pub fn access_token_lifetime(mut self, lifetime: Duration) -> Self {
        self.0.access_token_lifetime = lifetime;
        self
    }

    /// Whether a refresh token can be spent once only, and is answered with its successor. When a spent one comes
    /// again, the login's whole family of tokens is revoked (RFC 9700 §4.14.2).
    pub fn rotate_refresh_tokens(mut self, rotate: bool) -> Self {
        self.0.rotate_refresh_tokens = rotate;
        self
    }

    /// Lets `/authorize` show a page with two buttons, for somebody with a browser, instead of approving at once.
    pub fn login_page(mut self, show: bool) -> Self {
        self.0.login_page = show;
        self
    }

    /// The `interval` that devices are told (RFC 8628 §3.2), in whole seconds. That they keep to it is not enforced: a
    /// [`Fault`](super::Fault) says `slow_down` when a test wants it to.
    pub fn device_interval(mut self, interval: Duration) -> Self {
        self.0.device_interval = interval;
        self
    }

    /// Adds an OAuth 1.0a client (RFC 5849 §1.1: key and secret).
    pub fn oauth1_client(mut self, key: impl Into<String>, secret: impl Into<Secret>) -> Self {
        self.0.oauth1_clients.insert(key.into(), secret.into());
        self
    }

    /// Adds OAuth 1.0a token credentials of the client with this key, as if a user had approved.
    pub fn oauth1_token(
        mut self,
        client_key: impl Into<String>,
        token: impl Into<String>,
        secret: impl Into<Secret>,
    ) -> Self {
        let credentials = TokenCredentials { client: client_key.into(), secret: secret.into() };
        self.0.oauth1_tokens.insert(token.into(), credentials);
        self
    }

    /// How far the timestamp of an OAuth 1.0a request may be from the clock, in either direction (RFC 5849 §3.3).
    pub fn timestamp_window(mut self, window: Duration) -> Self {
        self.0.timestamp_window = window;
        self
    }

    /// The clock for expiry and timestamps, such as a [`ManualClock`](super::ManualClock).
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.0.clock = SharedClock::new(clock);
        self
    }

    /// The origin of requests that name none: their URI is relative and they have no `Host` header. A signature covers
    /// the origin.
    pub fn origin(mut self, origin: impl Into<String>) -> Self {
        self.0.origin = origin.into();
        self
    }

    /// The provider.
    pub fn build(self) -> Provider {
        Provider::with(self.0)
    }
}

impl fmt::Debug for ProviderBuilder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ProviderBuilder")
            .field("clients", &self.0.clients.keys())
            .field("users", &self.0.users.keys())
            .field("access_token_lifetime", &self.0.access_token_lifetime)
            .field("rotate_refresh_tokens", &self.0.rotate_refresh_tokens)
            .field("oauth1_clients", &self.0.oauth1_clients.keys())
            .field("timestamp_window", &self.0.timestamp_window)
            .field("origin", &self.0.origin)
            .finish_non_exhaustive()
    }
}
