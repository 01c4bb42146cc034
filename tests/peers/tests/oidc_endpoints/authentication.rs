//! Every way to prove who a client is, at every endpoint that asks: token, introspection, revocation.

use http::StatusCode;
use tower::Layer;
use tower_oauth::ClientAuth;
use tower_oauth::ClientCredentials;
use tower_oauth::OAuth2Layer;
use tower_oauth::Origins;
use tower_oauth::TokenKey;
use tower_oauth::TokenManager;
use tower_oauth::endpoint::PrivateKey;
use tower_oauth::endpoint::SigningAlgorithm;
use tower_oauth_peers::oidc_provider::DIFFICULT_SECRET;
use tower_oauth_peers::passed::passed;

use crate::OPAQUE;
use crate::PROVIDER;
use crate::call_api;
use crate::http;
use crate::known;
use crate::status_with;

/// A way to prove who a client is, and the client that is registered for it.
struct Row {
    authentication: &'static str,
    auth: ClientAuth,
    /// The client's certificate, for mutual TLS.
    certificate: Option<&'static str>,
}

impl Row {
    fn new(authentication: &'static str, auth: ClientAuth) -> Self {
        Self { authentication, auth, certificate: None }
    }

    fn with_certificate(mut self, name: &'static str) -> Self {
        self.certificate = Some(name);
        self
    }
}

/// A test for each row.
macro_rules! rows {
    ($($name:ident: $row:expr;)*) => {
        $(#[tokio::test]
        async fn $name() {
            proves_who_the_client_is_everywhere($row).await;
        })*
    };
}

rows! {
    client_secret_basic: Row::new("client_secret_basic", ClientAuth::basic("cc", DIFFICULT_SECRET));
    client_secret_post: Row::new("client_secret_post", ClientAuth::post("cc-post", DIFFICULT_SECRET));
    client_secret_jwt: Row::new("client_secret_jwt HS256", ClientAuth::secret_jwt("cc-secret-jwt", SECRET));
    private_key_jwt_rs256: Row::new("private_key_jwt RS256", signed("cc-rsa", "client-rsa.pem", "rsa"));
    private_key_jwt_ps256: Row::new("private_key_jwt PS256", signed_by("cc-rsa-pss", "client-rsa.pem", "rsa-pss", SigningAlgorithm::Ps256));
    private_key_jwt_es256: Row::new("private_key_jwt ES256", signed("cc-ec", "client-ec.pem", "ec"));
    private_key_jwt_eddsa: Row::new("private_key_jwt EdDSA", signed("cc-ed25519", "client-ed25519.pem", "ed25519"));
    tls_client_auth: Row::new("tls_client_auth", ClientAuth::tls("cc-mtls")).with_certificate("mtls-client");
    self_signed_tls_client_auth:
        Row::new("self_signed_tls_client_auth", ClientAuth::tls("cc-mtls-self-signed")).with_certificate("self-signed-client");
}

/// The secret of `cc-secret-jwt`.
pub(crate) const SECRET: &str = "a secret of more than thirty-two bytes";

fn signed(client: &str, file: &str, key_id: &str) -> ClientAuth {
    ClientAuth::private_key_jwt(client, key(file).with_key_id(key_id))
}

fn signed_by(client: &str, file: &str, key_id: &str, algorithm: SigningAlgorithm) -> ClientAuth {
    let key = key(file).with_algorithm(algorithm).expect("an algorithm of this key");
    ClientAuth::private_key_jwt(client, key.with_key_id(key_id))
}

/// A private key of the peer's clients.
pub(crate) fn key(file: &str) -> PrivateKey {
    PrivateKey::from_pem(PROVIDER.file(file)).expect("a key")
}

/// From a token over its use and its introspection to its end, with nothing but the metadata of the server.
async fn proves_who_the_client_is_everywhere(row: Row) {
    let http = http(row.certificate);
    let client = row.auth.client_id().to_owned();
    let server = known(row.auth, row.certificate).await;
    let origin = if row.certificate.is_some() { PROVIDER.tls_origin() } else { PROVIDER.origin() };

    let grant = ClientCredentials::at(server.token_endpoint().expect("a token endpoint"));
    let revocation = server.revocation_endpoint().expect("a revocation endpoint");
    let manager = TokenManager::builder(grant.resource(OPAQUE).scope("read")).revocation(revocation).build();
    let layer = OAuth2Layer::with_manager(Origins::one(&origin).expect("an origin"), manager.clone());

    let answer = call_api(layer.layer(http.clone()), &origin).await.expect("an answer");
    assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
    assert_eq!(answer.json()["client_id"], client);
    let is_bound = answer.json()["cnf"]["x5t#S256"].is_string();
    assert_eq!(is_bound, row.certificate.is_some(), "only tokens of clients with certificates are bound");

    let key = TokenKey::default();
    let token = manager.peek(&key).expect("a token").access_token().clone();
    assert_eq!(status_with(http.clone(), &origin, &token).await, StatusCode::OK);
    if is_bound {
        // The token alone, in the hands of somebody without the certificate.
        assert_eq!(status_with(crate::http(None), &origin, &token).await, StatusCode::UNAUTHORIZED);
    }

    let introspection = server.introspection_endpoint().expect("an introspection endpoint");
    let known = introspection.introspect(&token).await.expect("an answer");
    assert!(known.is_active());
    assert_eq!(known.client_id(), Some(client.as_str()));
    assert_eq!(known.scope().collect::<Vec<_>>(), ["read"]);
    assert_eq!(known.audiences().collect::<Vec<_>>(), [OPAQUE]);
    assert_eq!(known.issuer(), Some(PROVIDER.origin().as_str()));
    assert!(known.expires_at() > known.issued_at());

    manager.revoke(&key).await.expect("an end");
    assert!(!introspection.introspect(&token).await.expect("an answer").is_active());
    assert_eq!(status_with(http, &origin, &token).await, StatusCode::UNAUTHORIZED);
    passed("client_credentials", row.authentication, "oidc-provider");
}
