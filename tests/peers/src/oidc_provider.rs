//! The authorization server oidc-provider (certified by the OpenID Foundation), with a protected resource.
//!
//! Its clients are in `oidc-provider/clients.mjs`; several differ in name only, so that each test can count
//! the requests of its own.

use std::path::Path;
use std::process::Command;

use http::Method;
use http::StatusCode;
use http::header::AUTHORIZATION;
use serde_json::Value;

use crate::http_client::post_form;
use crate::http_client::send_bare;
use crate::process::Peer;
use crate::process::node;
use crate::process::peers_folder;

/// The secret of the clients whose names begin with `cc`: it comes through Basic only if it is form-encoded
/// first (RFC 6749 §2.3.1).
pub const DIFFICULT_SECRET: &str = "cc-secret:with%special +chars";

/// The token without which nobody can register a client.
pub const INITIAL_ACCESS_TOKEN: &str = "initial-access-token";

/// `Basic` credentials with that secret, encoded by hand, for a client whose name needs no encoding.
fn basic(client: &str) -> String {
    use base64::Engine;
    let pair = format!("{client}:cc-secret%3Awith%25special+%2Bchars");
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
}

/// A running oidc-provider. Its access tokens live for a minute.
#[derive(Debug)]
pub struct OidcProvider(Peer);

impl OidcProvider {
    /// Starts it.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts one whose users log in and consent at its own pages, instead of agreeing to everything without any.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub fn start_with_pages() -> Self {
        Self::start_with(&[("PAGES", "1")])
    }

    fn start_with(settings: &[(&str, &str)]) -> Self {
        let folder = peers_folder().join("oidc-provider");
        let mut command = Command::new(node());
        command
            .arg(folder.join("server.mjs"))
            .env("UNTIL_STDIN_CLOSES", "1")
            .env("ACCESS_TOKEN_SECONDS", "60")
            .envs(settings.iter().copied());
        Self(Peer::start("oidc-provider", command))
    }

    pub fn origin(&self) -> String {
        self.0.origin()
    }

    /// The origin for clients that use mutual TLS.
    pub fn tls_origin(&self) -> String {
        self.0.fact("tls_origin").as_str().expect("an origin").to_owned()
    }

    /// One of the keys and certificates that `oidc-provider/certificates.mjs` lists.
    ///
    /// # Panics
    ///
    /// If there is no such file.
    pub fn file(&self, name: &str) -> Vec<u8> {
        let folder = self.0.fact("certificates").as_str().expect("a folder");
        let path = Path::new(folder).join(name);
        std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub fn token_endpoint(&self) -> String {
        format!("{}/token", self.origin())
    }

    /// The protected resource: takes JWT access tokens and opaque ones, asks for nothing else.
    pub fn api(&self) -> String {
        format!("{}/api/orders", self.origin())
    }

    /// How many token requests of this client reached the server.
    pub async fn token_requests(&self, client: &str) -> u64 {
        self.hits(&format!("POST /token {client}")).await
    }

    /// How often a path was hit: `GET /api/orders`.
    pub async fn hits(&self, what: &str) -> u64 {
        self.ask("/_stats").await[what].as_u64().unwrap_or(0)
    }

    /// Revokes an opaque access token (RFC 7009), behind the back of whoever holds it.
    ///
    /// # Panics
    ///
    /// If the server does not do it.
    pub async fn revoke(&self, client: &str, access_token: &str) {
        let url = format!("{}/token/revocation", self.origin());
        let form = format!("token={access_token}");
        let answer = post_form(&url, &[(AUTHORIZATION.as_str(), &basic(client))], form).await;
        assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
    }

    /// Logs the user in to the client `web` and gives the first tokens: `access_token`, `refresh_token`, …
    ///
    /// # Panics
    ///
    /// If the server does not do it.
    pub async fn log_in(&self) -> Value {
        // `web:web-secret`
        self.log_in_to("web", &[(AUTHORIZATION.as_str(), "Basic d2ViOndlYi1zZWNyZXQ=")]).await
    }

    /// The same for the client `native`, which has no secret.
    ///
    /// # Panics
    ///
    /// If the server does not do it.
    pub async fn log_in_natively(&self) -> Value {
        self.log_in_to("native", &[]).await
    }

    async fn log_in_to(&self, client: &str, headers: &[(&str, &str)]) -> Value {
        let redirect = if client == "native" { "&redirect_uri=http://127.0.0.1:54321/callback" } else { "" };
        let login = self.ask(&format!("/_login?client_id={client}{redirect}")).await;
        let field = |name: &str| login[name].as_str().unwrap_or_default().to_owned();
        let form = format!(
            "grant_type=authorization_code&client_id={client}&code={}&code_verifier={}&redirect_uri={}",
            field("code"),
            field("code_verifier"),
            field("redirect_uri"),
        );
        let answer = post_form(&self.token_endpoint(), headers, form).await;
        assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
        answer.json()
    }

    /// What the user does on her other device: `""` approves, `"deny=1"` refuses, and `"error=…"` has the device told that.
    ///
    /// # Panics
    ///
    /// If the server does not know the code.
    pub async fn decide_device(&self, user_code: &str, decision: &str) {
        self.ask(&format!("/_device_approve?user_code={user_code}&{decision}")).await;
    }

    async fn ask(&self, path: &str) -> Value {
        let answer = send_bare(Method::GET, &format!("{}{path}", self.origin()), &[], "").await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {:?}", answer.body);
        answer.json()
    }
}
