//! Every way to prove who a client is, and every endpoint, against oidc-provider.

mod authentication;
mod discovery;
mod refusals;
mod registration;
mod tokens;

use std::sync::LazyLock;

use bytes::Bytes;
use http::Request;
use http::StatusCode;
use serde_json::Value;
use tower::BoxError;
use tower::Service;
use tower::ServiceExt;
use tower_oauth::ClientAuth;
use tower_oauth::Error;
use tower_oauth::Origins;
use tower_oauth::Secret;
use tower_oauth::adapter::Client;
use tower_oauth::adapter::ClientBuilder;
use tower_oauth::adapter::ClientCertificate;
use tower_oauth::adapter::RequestBody;
use tower_oauth::adapter::ResponseBody;
use tower_oauth::adapter::RootCertificates;
use tower_oauth::endpoint::AuthorizationServer;
use tower_oauth::endpoint::Discovery;
use tower_oauth::endpoint::ServerMetadata;
use tower_oauth_peers::http_client::Answer;
use tower_oauth_peers::oidc_provider::OidcProvider;

static PROVIDER: LazyLock<OidcProvider> = LazyLock::new(OidcProvider::start);

/// A resource whose tokens can be revoked and introspected.
const OPAQUE: &str = "urn:opaque";

/// What the server says of itself. Its endpoints for mutual TLS have a port of their own.
async fn metadata() -> ServerMetadata {
    let tls = Origins::one(&PROVIDER.tls_origin()).expect("an origin");
    let discovery = Discovery::new(&PROVIDER.origin(), http(None)).expect("an issuer").endpoints_also_at(tls);
    discovery.discover().await.expect("metadata")
}

/// The server for a client, which may have a certificate.
async fn known(auth: ClientAuth, certificate: Option<&str>) -> AuthorizationServer {
    AuthorizationServer::new(metadata().await, auth, http(certificate))
}

/// An HTTP client that trusts the peer's authority alone, with one of its certificates or with none.
fn http(certificate: Option<&str>) -> Client {
    let authority = RootCertificates::none().pem(&PROVIDER.file("ca.pem")).expect("an authority");
    let builder = ClientBuilder::new().root_certificates(authority);
    let Some(name) = certificate else { return builder.build() };
    let chain = PROVIDER.file(&format!("{name}.pem"));
    let key = PROVIDER.file(&format!("{name}.key"));
    builder.client_certificate(ClientCertificate::from_pem(&chain, &key).expect("a certificate")).build()
}

/// A request to the protected resource through a stack with a token in it.
async fn call_api<S>(service: S, origin: &str) -> Result<Answer, BoxError>
where
    S: Service<Request<RequestBody>, Response = http::Response<ResponseBody>, Error = BoxError>,
{
    let request = Request::get(format!("{origin}/api/orders")).body(RequestBody::from(Bytes::new()))?;
    Ok(Answer::read(service.oneshot(request).await?).await)
}

/// The status of a request with this very token.
async fn status_with(http: Client, origin: &str, token: &Secret) -> StatusCode {
    let request = Request::get(format!("{origin}/api/orders"))
        .header("authorization", format!("Bearer {}", token.expose()))
        .body(RequestBody::default())
        .expect("a request");
    http.oneshot(request).await.expect("an answer").status()
}

/// The server's code in an error.
fn code(error: &Error) -> &str {
    error.server().map_or_else(|| panic!("{error:?}"), |server| server.code())
}

fn text(answer: &Value, name: &str) -> String {
    answer[name].as_str().unwrap_or_else(|| panic!("no {name} in {answer}")).to_owned()
}
