//! What the provider saw.

use std::time::SystemTime;

use http::HeaderMap;
use http::HeaderValue;
use http::Method;
use http::StatusCode;
use http::header;

use crate::testing::oauth1;

/// What the provider counted since it was built, or since [`Provider::reset_stats`](super::Provider::reset_stats).
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Requests that reached `/token`, however they were answered, those that met a fault included.
    pub token_requests: u64,
    /// Token requests that were processed, by their grant.
    pub grants: GrantCounts,
    /// Token requests that were answered with a token.
    pub tokens_issued: u64,
    /// Tokens that were issued for a refresh token; part of `tokens_issued`.
    pub refreshes: u64,
    /// Requests whose client authentication failed, at `/token` and `/revoke`.
    pub invalid_clients: u64,
    /// Refresh tokens that were presented again after they had been spent.
    pub reuse_detections: u64,
    /// Families (a login's refresh tokens, with the access tokens got from them) that were revoked, by whichever way.
    pub families_revoked: u64,
    /// Requests to what a bearer token protects: `/resource`, `/grpc`.
    pub resource: ResourceCounts,
    /// Requests that an OAuth 1.0a signature protects: `/oauth1/resource`, `/oauth1/initiate`, `/oauth1/token`.
    pub oauth1: OAuth1Counts,
    /// Requests that met a [`Fault`](super::Fault).
    pub faults: u64,
    /// The last 256 requests, oldest first.
    pub requests: Vec<SeenRequest>,
}

/// Token requests by `grant_type`; see [`Stats::grants`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GrantCounts {
    /// `authorization_code` (RFC 6749 §4.1).
    pub authorization_code: u64,
    /// `client_credentials` (RFC 6749 §4.4).
    pub client_credentials: u64,
    /// `urn:ietf:params:oauth:grant-type:device_code` (RFC 8628 §3.4).
    pub device_code: u64,
    /// `password` (RFC 6749 §4.3).
    pub password: u64,
    /// `refresh_token` (RFC 6749 §6).
    pub refresh_token: u64,
    /// Any other, or none.
    pub other: u64,
}

/// Requests to what a bearer token protects, by the token; see [`Stats::resource`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResourceCounts {
    /// The token was good.
    pub valid: u64,
    /// The token's lifetime was over.
    pub expired: u64,
    /// The token was revoked, or its family.
    pub revoked: u64,
    /// The token was never issued here.
    pub unknown: u64,
    /// There was no token, or it was not sent as RFC 6750 §2 says.
    pub missing: u64,
}

/// Requests that an OAuth 1.0a signature protects, by the verdict; see [`Stats::oauth1`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct OAuth1Counts {
    /// Everything was right.
    pub verified: u64,
    /// The signature was another one.
    pub wrong_signatures: u64,
    /// The nonce had been used with this timestamp, client and token before.
    pub replayed_nonces: u64,
    /// The timestamp was too far from the provider's clock.
    pub stale_timestamps: u64,
    /// Refused for any other reason.
    pub refused: u64,
}

/// One request, as it was recorded on its arrival, and what became of it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SeenRequest {
    /// The method.
    pub method: Method,
    /// The path, without the query (where a credential may be).
    pub path: String,
    /// The headers. Of `Authorization` the scheme is left, and of an OAuth 1.0a header what identifies the request;
    /// the rest is `[redacted]`, and so are cookies.
    pub headers: HeaderMap,
    /// The moment of its arrival, by the provider's clock.
    pub at: SystemTime,
    /// The status of the answer; `None` while there is none, and for ever when the connection was dropped or the caller
    /// went away.
    pub status: Option<StatusCode>,
}

impl SeenRequest {
    pub(super) fn new(method: Method, path: &str, headers: &HeaderMap, at: SystemTime) -> Self {
        let redact = |(name, value): (&header::HeaderName, &HeaderValue)| {
            let value = match *name {
                header::AUTHORIZATION | header::PROXY_AUTHORIZATION => redact_authorization(value),
                header::COOKIE => HeaderValue::from_static(REDACTED),
                _ => value.clone(),
            };
            (name.clone(), value)
        };
        let mut redacted = HeaderMap::with_capacity(headers.keys_len());
        for (name, value) in headers.iter().map(redact) {
            redacted.append(name, value);
        }
        Self { method, path: path.to_owned(), headers: redacted, at, status: None }
    }
}

const REDACTED: &str = "[redacted]";

fn redact_authorization(value: &HeaderValue) -> HeaderValue {
    let redacted = value.to_str().ok().and_then(|value| {
        let (scheme, credential) = value.split_once(' ')?;
        if scheme.eq_ignore_ascii_case("OAuth") {
            return Some(format!("{scheme} {}", oauth1::redact(credential)));
        }
        Some(format!("{scheme} {REDACTED}"))
    });
    let redacted = redacted.and_then(|redacted| HeaderValue::try_from(redacted).ok());
    redacted.unwrap_or_else(|| HeaderValue::from_static(REDACTED))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(authorization: &'static str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static(authorization));
        let seen = SeenRequest::new(Method::GET, "/", &headers, SystemTime::UNIX_EPOCH);
        format!("{:?}", seen.headers.get(header::AUTHORIZATION))
    }

    #[test]
    fn a_credential_is_redacted_and_its_scheme_is_left() {
        assert_eq!(seen("Bearer 2YotnFZFEjr1zCsicMWpAA"), r#"Some("Bearer [redacted]")"#);
        assert_eq!(seen("2YotnFZFEjr1zCsicMWpAA"), r#"Some("[redacted]")"#);
    }

    #[test]
    fn cookies_are_redacted() {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_static("session=31d4d96e407aad42"));
        let seen = SeenRequest::new(Method::GET, "/", &headers, SystemTime::UNIX_EPOCH);
        assert_eq!(seen.headers.get(header::COOKIE), Some(&HeaderValue::from_static("[redacted]")));
    }

    #[test]
    fn of_a_signed_header_only_what_identifies_the_request_is_left() {
        let seen =
            seen(r#"OAuth realm="r", oauth_consumer_key="k", oauth_token="t", oauth_signature="s%26t""#);
        for left in ["OAuth", "oauth_consumer_key=\\\"k\\\"", "oauth_token=\\\"[redacted]\\\""] {
            assert!(seen.contains(left), "{seen}");
        }
        assert!(!seen.contains("s%26t"), "{seen}");
    }
}
