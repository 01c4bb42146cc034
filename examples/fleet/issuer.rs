//! The server that issues the tokens, and how somebody logs in there.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tower::BoxError;
use tower_oauth::Token;
use tower_oauth::testing::{Provider, Served};

use crate::arguments::Arguments;
use crate::browser::{Browser, Http, new_http, query};

/// How long access tokens of the embedded provider live. Nobody waits for it: the workers' clocks are put forward.
const LIFETIME: Duration = Duration::from_secs(600);

pub enum Issuer {
    Embedded { provider: Provider, served: Served },
    Other(Box<Other>),
}

pub struct Other {
    arguments: Arguments,
    http: Http,
    token_endpoint: String,
    authorization_endpoint: Option<String>,
}

/// What somebody gets who logs in.
pub struct Login {
    pub token: Token,
    pub lifetime: Option<Duration>,
}

impl Issuer {
    /// Starts the embedded provider, or looks up the endpoints of another.
    pub async fn find(arguments: &mut Arguments) -> Result<Self, BoxError> {
        let Some(issuer) = arguments.issuer.clone() else {
            let provider = Provider::builder().test_clients().access_token_lifetime(LIFETIME).build();
            let served = provider.serve().await?;
            arguments.client_id = "test-client".to_owned();
            arguments.client_secret = "test-secret".to_owned();
            arguments.api.get_or_insert_with(|| served.url("/resource/orders"));
            return Ok(Self::Embedded { provider, served });
        };
        let http = new_http();
        let metadata = metadata(&http, &issuer).await?;
        let endpoint = |name: &str| metadata[name].as_str().map(str::to_owned);
        let token_endpoint =
            endpoint("token_endpoint").ok_or("the issuer's metadata has no token_endpoint")?;
        on_this_machine(&token_endpoint)?;
        let authorization_endpoint = endpoint("authorization_endpoint");
        let arguments = arguments.clone();
        Ok(Self::Other(Box::new(Other { arguments, http, token_endpoint, authorization_endpoint })))
    }

    pub fn token_endpoint(&self) -> String {
        match self {
            Self::Embedded { served, .. } => served.url("/token"),
            Self::Other(other) => other.token_endpoint.clone(),
        }
    }

    pub async fn log_in(&self) -> Result<Login, BoxError> {
        match self {
            Self::Embedded { provider, .. } => {
                let login = provider.issue("test-client", "orders:read");
                let token = Token::new(login.access_token)
                    .expires_in(LIFETIME)
                    .with_refresh_token(login.refresh_token);
                Ok(Login { token, lifetime: Some(LIFETIME) })
            }
            Self::Other(other) => other.log_in().await,
        }
    }

    /// How many logins the server itself says that it has revoked, where it can be asked.
    pub fn families_revoked(&self) -> Option<u64> {
        match self {
            Self::Embedded { provider, .. } => Some(provider.stats().families_revoked),
            Self::Other(_) => None,
        }
    }
}

impl Other {
    async fn log_in(&self) -> Result<Login, BoxError> {
        let answer: Value = match &self.arguments.login_command {
            Some(command) => {
                let output = std::process::Command::new("sh").arg("-c").arg(command).output()?;
                if !output.status.success() {
                    let said = String::from_utf8_lossy(&output.stderr);
                    return Err(format!("the login command failed ({}): {said}", output.status).into());
                }
                serde_json::from_slice(&output.stdout)
                    .map_err(|_| "the login command did not print the token endpoint's answer as JSON")?
            }
            None => self.code_flow().await?,
        };
        let text = |name: &str| answer[name].as_str().map(str::to_owned);
        let refresh_token = text("refresh_token")
            .ok_or("the login brought no refresh token; does --scope ask for one (offline_access)?")?;
        let lifetime = answer["expires_in"].as_u64().map(Duration::from_secs);
        let token = Token::new(text("access_token").ok_or("the login brought no access token")?)
            .with_refresh_token(refresh_token);
        Ok(match lifetime {
            Some(lifetime) => Login { token: token.expires_in(lifetime), lifetime: Some(lifetime) },
            None => Login { token, lifetime: None },
        })
    }

    /// RFC 6749 §4.1 with RFC 7636.
    async fn code_flow(&self) -> Result<Value, BoxError> {
        let Arguments { client_id, client_secret, redirect_uri, scope, user, password, .. } = &self.arguments;
        let authorize =
            self.authorization_endpoint.as_ref().ok_or("the issuer has no authorization endpoint")?;
        let random = || format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>());
        let (verifier, state) = (random(), random());
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&verifier));
        let url = format!(
            "{authorize}?{}",
            query(&[
                ("client_id", client_id),
                ("response_type", "code"),
                ("redirect_uri", redirect_uri),
                ("scope", scope),
                ("state", &state),
                // Without it there is no refresh token for `offline_access` (OpenID Connect Core §11).
                ("prompt", "consent"),
                ("code_challenge", &challenge),
                ("code_challenge_method", "S256"),
            ])
        );
        let mut browser = Browser::new(self.http.clone(), user, password);
        let answer = browser.go(&url, redirect_uri).await?;
        if answer.get("state") != Some(&state) {
            return Err(format!("the login was not answered as it was asked for: {answer:?}").into());
        }
        let code = answer.get("code").ok_or_else(|| format!("the login was refused: {answer:?}"))?;
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_uri),
            ("code_verifier", &verifier),
        ];
        let mut request =
            Request::post(&self.token_endpoint).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        if client_secret.is_empty() {
            form.push(("client_id", client_id));
        } else {
            let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
            let pair = STANDARD.encode(format!("{}:{}", encoded(client_id), encoded(client_secret)));
            request = request.header(AUTHORIZATION, format!("Basic {pair}"));
        }
        let (parts, body) = self.http.request(request.body(Full::from(query(&form)))?).await?.into_parts();
        let body: Bytes = body.collect().await?.to_bytes();
        let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        if parts.status == StatusCode::OK {
            return Ok(answer);
        }
        Err(format!(
            "the code was refused: {} {} {}",
            parts.status, answer["error"], answer["error_description"]
        )
        .into())
    }
}

/// OpenID Connect Discovery, or RFC 8414.
async fn metadata(http: &Http, issuer: &str) -> Result<Value, BoxError> {
    let uri = on_this_machine(issuer)?;
    let (origin, path) = issuer.split_at(issuer.len() - uri.path().trim_end_matches('/').len());
    let places = [
        format!("{issuer}/.well-known/openid-configuration"),
        format!("{origin}/.well-known/oauth-authorization-server{path}"),
    ];
    for place in &places {
        let response = http.request(Request::get(place).body(Full::default())?).await?;
        if response.status() == StatusCode::OK {
            return Ok(serde_json::from_slice(&response.into_body().collect().await?.to_bytes())?);
        }
    }
    Err(format!("there is no metadata at {}", places.join(", nor at ")).into())
}

/// Only there: a fleet that is meant to break is nothing for a server that belongs to somebody.
fn on_this_machine(url: &str) -> Result<Uri, BoxError> {
    let uri: Uri = url.parse().map_err(|error| format!("{url} is no URL: {error}"))?;
    let host = uri.host().unwrap_or_default();
    let is_here = host == "localhost" || host == "[::1]" || host.starts_with("127.");
    if uri.scheme_str() == Some("http") && is_here {
        return Ok(uri);
    }
    Err(format!("{url} is not on this machine: http://127.0.0.1:PORT, or localhost").into())
}
