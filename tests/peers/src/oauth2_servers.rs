//! Authorization servers beside oidc-provider. What their clients are called, and what is special about each, is at the
//! beginning of its script.

use std::process::Command;

use http::Method;
use http::StatusCode;
use http::header::AUTHORIZATION;
use http::header::LOCATION;
use serde_json::Value;
use serde_json::json;

use crate::http_client::send_bare;
use crate::process::Peer;
use crate::process::node;
use crate::process::peers_folder;
use crate::process::repository;

/// Authlib's server: `authlib/server.py`.
pub fn authlib() -> Peer {
    python("Authlib", "authlib/server.py")
}

/// django-oauth-toolkit: `django/server.py`.
pub fn django() -> Peer {
    python("django-oauth-toolkit", "django/server.py")
}

/// @jmondi/oauth2-server: `token-exchange/server.mjs`.
pub fn token_exchange() -> Peer {
    let mut command = Command::new(node());
    command.arg(peers_folder().join("token-exchange/server.mjs")).env("UNTIL_STDIN_CLOSES", "1");
    Peer::start("@jmondi/oauth2-server", command)
}

fn python(name: &str, script: &str) -> Peer {
    let mut command = Command::new(repository().join("target/peers/python/bin/python"));
    command.arg(peers_folder().join(script)).arg("--until-stdin-closes").env("PYTHONDONTWRITEBYTECODE", "1");
    Peer::start(name, command)
}

/// What `/api` of a peer says of a token: whose it is, and what it is good for.
///
/// # Panics
///
/// If the peer does not accept it.
pub async fn whose(peer: &Peer, access_token: &str) -> Value {
    let authorization = format!("Bearer {access_token}");
    let url = format!("{}/api", peer.origin());
    let answer = send_bare(Method::GET, &url, &[(AUTHORIZATION.as_str(), &authorization)], "").await;
    assert_eq!(answer.status, StatusCode::OK, "{}: {:?}", peer.name(), answer.body);
    answer.json()
}

/// Opens `url` as a browser would, in which the user is logged in and agrees: gives the URL that it is sent back to.
///
/// # Panics
///
/// If the peer sends it nowhere.
pub async fn agree(url: &str) -> String {
    let answer = send_bare(Method::GET, url, &[], "").await;
    let location =
        answer.headers.get(LOCATION).unwrap_or_else(|| panic!("{} {:?}", answer.status, answer.body));
    location.to_str().expect("a URL").to_owned()
}

/// The file of the service account that Authlib's server knows, as Google would hand it out.
pub fn service_account_file(token_uri: &str) -> String {
    json!({
        "type": "service_account",
        "project_id": "project",
        "private_key_id": "1f0a",
        "private_key": vector_key("rsa2048-a.pem"),
        "client_email": "robot@project.iam.example",
        "client_id": "117",
        "auth_uri": "https://accounts.google.com/o/oauth2/auth",
        "token_uri": token_uri,
        "universe_domain": "googleapis.com",
    })
    .to_string()
}

/// A key of `tests/vectors/keys`.
///
/// # Panics
///
/// If there is none of this name.
pub fn vector_key(name: &str) -> String {
    let path = repository().join("tests/vectors/keys").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
