//! Two verifiers of OAuth 1.0a that know nothing of each other: oauthlib and Authlib.
//!
//! Each runs in two modes. *Strict* has the library's own decoding bugs undone: it gives the verdict of
//! RFC 5849, on any input. *As it comes* is what servers in the field run: it shows that ordinary requests
//! get through there too.

use std::fmt;
use std::path::PathBuf;
use std::process::Command;

use bytes::Bytes;
use http::Method;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde_json::Value;
use serde_json::json;

use crate::http_client::Answer;
use crate::http_client::send_bare;
use crate::process::Peer;
use crate::process::peers_folder;
use crate::process::repository;

/// oauthlib with its bugs undone.
pub fn strict_oauthlib() -> Peer {
    start("oauthlib, strict", "oauthlib_provider.py", &["--strict"])
}

/// Authlib with its bugs undone.
pub fn strict_authlib() -> Peer {
    start("Authlib, strict", "authlib_provider.py", &["--strict"])
}

/// oauthlib as it comes.
pub fn oauthlib() -> Peer {
    start("oauthlib", "oauthlib_provider.py", &[])
}

/// Authlib as it comes.
pub fn authlib() -> Peer {
    start("Authlib", "authlib_provider.py", &[])
}

fn start(name: &str, script: &str, options: &[&str]) -> Peer {
    let mut command = Command::new(repository().join("target/peers/python/bin/python"));
    command
        .arg(peers_folder().join("oauth1").join(script))
        .arg("--until-stdin-closes")
        .arg("--rsa-public-key")
        .arg(repository().join("tests/vectors/keys/rsa2048-a.pub.pem"))
        .args(options)
        .env("PYTHONDONTWRITEBYTECODE", "1");
    Peer::start(name, command)
}

/// The private key with which every client of every verifier may sign.
pub fn known_rsa_key() -> PathBuf {
    repository().join("tests/vectors/keys/rsa2048-a.pem")
}

/// A private key that no verifier knows, of the same size.
pub fn unknown_rsa_key() -> PathBuf {
    peers_folder().join("oauth1/unknown-rsa-key.pem")
}

/// A client and, unless it is to act alone, a token.
#[derive(Clone, Debug)]
pub struct Account {
    pub client_key: String,
    pub client_secret: String,
    /// The token and its secret.
    pub token: Option<(String, String)>,
}

impl Account {
    /// The account that every verifier knows from the start.
    pub fn well_known() -> Self {
        Self {
            client_key: "client-key".to_owned(),
            client_secret: "client secret&=+é".to_owned(),
            token: Some(("token-key".to_owned(), "token secret%&=+ü".to_owned())),
        }
    }

    /// One whose names and secrets need no escaping.
    pub fn plain() -> Self {
        Self {
            client_key: "plain-client".to_owned(),
            client_secret: "plain-client-secret".to_owned(),
            token: Some(("plain-token".to_owned(), "plain-token-secret".to_owned())),
        }
    }

    /// The same client without a token.
    pub fn two_legged(mut self) -> Self {
        self.token = None;
        self
    }

    /// Where this account may go: without a token, below `/two-legged` only.
    pub fn path_prefix(&self) -> &'static str {
        if self.token.is_some() { "" } else { "/two-legged" }
    }

    /// Makes the account known to a verifier.
    ///
    /// # Panics
    ///
    /// If the verifier does not want it.
    pub async fn register(&self, verifier: &Peer) {
        let (token, token_secret) = self.token.clone().unzip();
        let account = json!({
            "client_key": self.client_key,
            "client_secret": self.client_secret,
            "token": token,
            "token_secret": token_secret,
        });
        let url = format!("{}/_credentials", verifier.origin());
        let json = [(CONTENT_TYPE.as_str(), "application/json")];
        let answer = send_bare(Method::POST, &url, &json, account.to_string()).await;
        assert_eq!(answer.status, StatusCode::OK, "{}: {:?}", verifier.name(), answer.body);
    }
}

/// What a verifier says of a request: its verdict, the reason, and what it received.
#[derive(Debug)]
pub struct Report {
    status: StatusCode,
    report: Value,
}

impl Report {
    /// Reads the report out of an answer; that to a `HEAD` request has it in a header.
    ///
    /// # Panics
    ///
    /// If there is none, which means that the verifier itself failed.
    pub fn of(verifier: &Peer, answer: &Answer) -> Self {
        let in_header =
            answer.headers.get("peer-report").map(|value| Bytes::copy_from_slice(value.as_bytes()));
        let text = in_header.unwrap_or_else(|| answer.body.clone());
        let report = serde_json::from_slice(&text).unwrap_or_else(|error| {
            let (name, errors) = (verifier.name(), verifier.errors());
            panic!("{name} gave no report ({error}) but {} {text:?}; its errors:\n{errors}", answer.status);
        });
        Self { status: answer.status, report }
    }

    pub fn is_accepted(&self) -> bool {
        self.status == StatusCode::OK && self.report["verdict"] == "accepted"
    }

    /// Whether the request was refused as not authentic (RFC 5849 §3.2: 401), for a reason with `word` in it.
    pub fn is_refused_for(&self, word: &str) -> bool {
        self.status == StatusCode::UNAUTHORIZED
            && self.report["verdict"] == "refused"
            && self.report["reason"].as_str().is_some_and(|reason| reason.contains(word))
    }

    /// A property of the request as it arrived: `method`, `target`, `content_type`, `body_length` or
    /// `body_sha256`.
    pub fn received(&self, what: &str) -> &Value {
        &self.report["received"][what]
    }

    /// A protocol parameter as the verifier read it.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.report["parameters"][name].as_str()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {:#}", self.status, self.report)
    }
}
