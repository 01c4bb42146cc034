//! A service account for tests.

use serde_json::json;

/// The name of the account.
pub(super) const CLIENT_EMAIL: &str = "test-robot@example.com";

/// The file of the service account that [`Provider::new`](super::Provider::new) knows, as Google would hand it out. Everybody
/// knows its key.
///
/// `token_uri` is the token endpoint of the provider: `http://localhost/token`, or that of one that is
/// [served](super::Provider::serve).
pub fn service_account(token_uri: &str) -> String {
    json!({
        "type": "service_account",
        "project_id": "test-project",
        "private_key_id": "test-key",
        "private_key": include_str!("service_account.pem"),
        "client_email": CLIENT_EMAIL,
        "client_id": "100000000000000000000",
        "token_uri": token_uri,
    })
    .to_string()
}
