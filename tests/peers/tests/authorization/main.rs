//! Logins at oidc-provider: from the authorization URL to the resource.

mod code;
mod device;

use std::sync::LazyLock;

use bytes::Bytes;
use http::Request;
use http::StatusCode;
use tower::ServiceBuilder;
use tower::ServiceExt;
use tower_oauth::ClientAuth;
use tower_oauth::OAuth2Layer;
use tower_oauth::Origins;
use tower_oauth::TokenKey;
use tower_oauth::TokenManager;
use tower_oauth::adapter::Client;
use tower_oauth::adapter::RequestBody;
use tower_oauth::endpoint::AuthorizationServer;
use tower_oauth::endpoint::Discovery;
use tower_oauth_peers::http_client::Answer;
use tower_oauth_peers::oidc_provider::OidcProvider;

static PROVIDER: LazyLock<OidcProvider> = LazyLock::new(OidcProvider::start);

/// A resource whose tokens are JWTs.
const RESOURCE: &str = "urn:api";

/// The server as it describes itself, for a client.
async fn server(auth: ClientAuth) -> AuthorizationServer {
    let http = tower_oauth::client();
    // Its endpoints for mutual TLS have a port of their own.
    let tls = Origins::one(&PROVIDER.tls_origin()).expect("an origin");
    let discovery =
        Discovery::new(&PROVIDER.origin(), http.clone()).expect("an issuer").endpoints_also_at(tls);
    AuthorizationServer::new(discovery.discover().await.expect("metadata"), auth, http)
}

fn web() -> ClientAuth {
    ClientAuth::basic("web", "web-secret")
}

fn native() -> ClientAuth {
    ClientAuth::none("native")
}

/// Calls the resource with the token of the only user of a manager; whose token it is.
async fn subject_at_api(http: Client, manager: &TokenManager) -> String {
    let origins = Origins::one(&PROVIDER.origin()).expect("an origin");
    let layer = OAuth2Layer::with_manager(origins, manager.clone());
    let api = ServiceBuilder::new().layer(layer).service(http);
    let request = Request::get(PROVIDER.api()).body(RequestBody::from(Bytes::new())).expect("a request");
    let answer = Answer::read(api.oneshot(request).await.expect("an answer")).await;
    assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
    answer.json()["sub"].as_str().expect("a subject").to_owned()
}

fn user() -> TokenKey {
    TokenKey::default()
}
