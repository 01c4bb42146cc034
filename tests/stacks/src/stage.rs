//! The embedded provider behind a [`Server`], with one clock for everybody, and layers for it.

use std::time::Duration;

use http::Version;
use tower_oauth::ClientAuth;
use tower_oauth::ClientCredentials;
use tower_oauth::Credentials;
use tower_oauth::OAuth1Layer;
use tower_oauth::OAuth2Layer;
use tower_oauth::Origins;
use tower_oauth::TokenManager;
use tower_oauth::adapter::Client;
use tower_oauth::adapter::ClientBuilder;
use tower_oauth::adapter::RootCertificates;
use tower_oauth::testing::ManualClock;
use tower_oauth::testing::Provider;

use crate::loopback::AUTHORITY;
use crate::loopback::Server;
use crate::loopback::Wire;

/// The provider gives out tokens for this long.
pub const LIFETIME: Duration = Duration::from_secs(600);

/// A bearer token protects `/resource`, an OAuth 1 signature `/oauth1/resource`.
#[derive(Debug)]
pub struct Stage {
    pub provider: Provider,
    pub clock: ManualClock,
    pub server: Server,
}

impl Stage {
    /// Over HTTP/1.1 in plain text, or whatever the client begins with.
    pub async fn new() -> Self {
        Self::over(Wire { tls: false, version: Version::HTTP_11 }).await
    }

    pub async fn over(wire: Wire) -> Self {
        let clock = ManualClock::new();
        // What HTTP/1.1 sends names no scheme, and signatures cover it.
        let origin = if wire.tls { "https://localhost" } else { "http://localhost" };
        let provider =
            Provider::builder().test_clients().access_token_lifetime(LIFETIME).clock(clock.clone());
        let provider = provider.origin(origin).build();
        let server = Server::start(provider.clone(), wire.tls).await;
        Self { provider, clock, server }
    }

    /// A client of this crate that trusts the server.
    pub fn client(&self) -> Client {
        ClientBuilder::new().root_certificates(RootCertificates::none().pem(AUTHORITY).unwrap()).build()
    }

    pub fn origins(&self) -> Origins {
        Origins::one(&self.server.origin()).unwrap()
    }

    /// Client credentials, by a client of their own.
    pub fn manager(&self) -> TokenManager {
        let auth = ClientAuth::basic("test-client", "test-secret");
        let grant = ClientCredentials::new(&self.server.url("/token"), auth, self.client()).unwrap();
        TokenManager::builder(grant).clock(self.clock.clone()).build()
    }

    pub fn oauth2(&self) -> OAuth2Layer {
        OAuth2Layer::with_manager(self.origins(), self.manager())
    }

    pub fn oauth1(&self) -> OAuth1Layer {
        OAuth1Layer::new(self.origins(), credentials()).clock(self.clock.clone())
    }
}

/// Those that the provider knows.
pub fn credentials() -> Credentials {
    Credentials::new("consumer-key", "consumer-secret").token("token", "token-secret")
}
