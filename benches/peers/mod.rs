//! Others who give out tokens and renew them, each with a token endpoint on this machine.

mod aws;
mod endpoint;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use azure_core::credentials::Secret;
use azure_core::credentials::TokenCredential;
use azure_core::http::AsyncRawResponse;
use azure_core::http::ClientOptions;
use azure_core::http::HttpClient;
use azure_core::http::StatusCode;
use azure_core::http::Transport;
use azure_core::http::headers::Headers;
use azure_identity::ClientSecretCredential;
use azure_identity::ClientSecretCredentialOptions;
use gcp_auth::TokenProvider;
use http::HeaderValue;
use middle::Authorizer;

pub(crate) use aws::Aws;
pub(crate) use endpoint::Endpoint;

const SCOPES: &[&str] = &["https://api.example.com/.default"];

/// When a peer asks for a new token.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Renewal {
    /// When a caller wants one.
    OnDemand,
    /// By a task of its own, ahead of time, whether anybody wants one or not.
    Background,
}

/// Somebody who has tokens.
pub(crate) trait Peer: Sized + Send + Sync + 'static {
    const NAME: &'static str;
    const RENEWAL: Renewal = Renewal::OnDemand;

    /// One that asks `endpoint`.
    fn open(endpoint: &Endpoint) -> impl Future<Output = Result<Self, String>>;

    /// The value of the header of a request, made in the way that its documentation shows.
    fn header(&self) -> impl Future<Output = Result<HeaderValue, String>> + Send;

    /// Readies a thread that is not the runtime's, for one that wants the runtime at each request.
    fn settle(&self) {}
}

/// The file of a service account, as Google would hand it out. Everybody knows its key.
fn service_account(token_uri: &str) -> String {
    serde_json::json!({
        "type": "service_account",
        "project_id": "test-project",
        "private_key_id": "test-key",
        "private_key": include_str!("../../src/testing/service_account.pem"),
        "client_email": "test-robot@example.com",
        "client_id": "100000000000000000000",
        "token_uri": token_uri,
    })
    .to_string()
}

fn text(error: impl fmt::Display) -> String {
    error.to_string()
}

fn bearer(token: &str) -> Result<HeaderValue, String> {
    let mut value = HeaderValue::try_from(format!("Bearer {token}")).map_err(text)?;
    value.set_sensitive(true);
    Ok(value)
}

pub(crate) struct Middle(middle::BasicClientCredentialAuthorizer);

impl Peer for Middle {
    const NAME: &'static str = "middle";
    const RENEWAL: Renewal = Renewal::Background;

    async fn open(endpoint: &Endpoint) -> Result<Self, String> {
        let url = endpoint.url().parse().map_err(text)?;
        let builder = middle::BasicClientCredentialAuthorizer::basic_builder("client", "secret", url);
        builder.build().await.map(Self).map_err(text)
    }

    async fn header(&self) -> Result<HeaderValue, String> {
        self.0.authorization_header().map(Arc::unwrap_or_clone).map_err(text)
    }
}

type YupClient = yup_oauth2::hyper_rustls::HttpsConnector<hyper_util::client::legacy::connect::HttpConnector>;

pub(crate) struct Yup(yup_oauth2::authenticator::Authenticator<YupClient>);

impl Peer for Yup {
    const NAME: &'static str = "yup-oauth2";

    async fn open(endpoint: &Endpoint) -> Result<Self, String> {
        let key = yup_oauth2::parse_service_account_key(service_account(&endpoint.url())).map_err(text)?;
        yup_oauth2::ServiceAccountAuthenticator::builder(key).build().await.map(Self).map_err(text)
    }

    async fn header(&self) -> Result<HeaderValue, String> {
        let token = self.0.token(SCOPES).await.map_err(text)?;
        bearer(token.token().unwrap_or_default())
    }
}

pub(crate) struct GcpAuth(gcp_auth::CustomServiceAccount);

impl Peer for GcpAuth {
    const NAME: &'static str = "gcp_auth";

    async fn open(endpoint: &Endpoint) -> Result<Self, String> {
        gcp_auth::CustomServiceAccount::from_json(&service_account(&endpoint.url())).map(Self).map_err(text)
    }

    async fn header(&self) -> Result<HeaderValue, String> {
        let token = self.0.token(SCOPES).await.map_err(text)?;
        bearer(token.as_str())
    }
}

pub(crate) struct GoogleCloud(google_cloud_auth::credentials::AccessTokenCredentials);

impl Peer for GoogleCloud {
    const NAME: &'static str = "google-cloud-auth";
    const RENEWAL: Renewal = Renewal::Background;

    async fn open(endpoint: &Endpoint) -> Result<Self, String> {
        // It takes the process's provider of TLS, although nothing is encrypted here; a second call changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let user = serde_json::json!({
            "type": "authorized_user",
            "client_id": "client",
            "client_secret": "secret",
            "refresh_token": "refresh",
        });
        let builder = google_cloud_auth::credentials::user_account::Builder::new(user);
        let credentials = builder.with_token_uri(endpoint.url()).build_access_token_credentials();
        credentials.map(Self).map_err(text)
    }

    async fn header(&self) -> Result<HeaderValue, String> {
        let token = self.0.access_token().await.map_err(text)?;
        bearer(&token.token)
    }
}

pub(crate) struct Azure(Arc<ClientSecretCredential>);

impl Peer for Azure {
    const NAME: &'static str = "azure_identity";

    async fn open(endpoint: &Endpoint) -> Result<Self, String> {
        // It will have no endpoint but Microsoft's, so the endpoint is put in place of its HTTP client.
        let client_options = ClientOptions {
            transport: Some(Transport::new(Arc::new(InProcess(endpoint.clone())))),
            ..Default::default()
        };
        let options = ClientSecretCredentialOptions { client_options };
        let tenant = "00000000-0000-0000-0000-000000000000";
        let secret = Secret::new("secret");
        ClientSecretCredential::new(tenant, "client".to_owned(), secret, Some(options))
            .map(Self)
            .map_err(text)
    }

    async fn header(&self) -> Result<HeaderValue, String> {
        let token = self.0.get_token(SCOPES, None).await.map_err(text)?;
        bearer(token.token.secret())
    }
}

struct InProcess(Endpoint);

impl fmt::Debug for InProcess {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("InProcess")
    }
}

impl HttpClient for InProcess {
    fn execute_request<'a, 'b, 'c>(
        &'a self,
        _: &'b azure_core::http::Request,
    ) -> Pin<Box<dyn Future<Output = azure_core::Result<AsyncRawResponse>> + Send + 'c>>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        Box::pin(async {
            let token = self.0.token().await;
            Ok(AsyncRawResponse::from_bytes(StatusCode::Ok, Headers::new(), token))
        })
    }
}
