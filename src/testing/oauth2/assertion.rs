//! Assertions (RFC 7521, RFC 7523): of clients, and of service accounts. They are verified with the verifiers of the crate
//! `jsonwebtoken`, and with nothing of what signs in this crate.

use std::time::Duration;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use jsonwebtoken::DecodingKey;
use jsonwebtoken::crypto::rust_crypto::DEFAULT_PROVIDER;
use serde_json::Value;

use crate::protocol::der;
use crate::protocol::pem;
use crate::secret::Secret;
use crate::testing::incoming::Incoming;
use crate::testing::provider::State;

/// The type of a client's assertion that is a JWT (RFC 7523 §2.2).
pub(super) const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// How far an assertion may be from the future.
const SKEW: Duration = Duration::from_secs(60);
/// The longest life of an assertion: what Google takes.
const LONGEST: Duration = Duration::from_secs(3600);

/// What an assertion is verified with.
pub(super) enum Key<'a> {
    /// A public key, as PEM.
    Public(&'a str),
    Shared(&'a Secret),
}

/// The claims of an assertion that is signed, timely, and for this provider.
pub(super) struct Verified(Value);

impl Verified {
    pub(super) fn text(&self, claim: &str) -> Option<&str> {
        self.0.get(claim).and_then(Value::as_str)
    }
}

/// What an assertion says of its issuer; nothing of it is verified.
pub(super) fn unverified_issuer(assertion: &str) -> Option<String> {
    let claims = decode(assertion.split('.').nth(1)?)?;
    Some(claims.get("iss")?.as_str()?.to_owned())
}

/// Verifies signature, times and audience, or says what is wrong.
pub(super) fn verify(
    assertion: &str,
    key: &Key<'_>,
    now: SystemTime,
    request: &Incoming,
) -> Result<Verified, &'static str> {
    let claims = verify_signature(assertion, key).ok_or("the signature of the assertion is wrong")?;
    let seconds = |claim: &str| claims.get(claim).and_then(Value::as_u64).map(Duration::from_secs);
    let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let expires = seconds("exp").ok_or("the assertion has no exp")?;
    if expires <= now {
        return Err("the assertion has expired");
    }
    if seconds("iat").is_some_and(|issued| issued > now + SKEW) {
        return Err("the assertion is from the future");
    }
    if expires > now + LONGEST + SKEW {
        return Err("the assertion is good for more than an hour");
    }
    let origin = request.origin();
    // The second is where the token endpoint is, should the request be for another one.
    let ours = [format!("{origin}{}", request.path), format!("{origin}/token"), origin];
    let is_for_us = |audience: &Value| audience.as_str().is_some_and(|aud| ours.iter().any(|one| one == aud));
    let is_right = match claims.get("aud") {
        Some(Value::Array(audiences)) => audiences.iter().any(is_for_us),
        Some(audience) => is_for_us(audience),
        None => false,
    };
    if !is_right {
        return Err("the audience of the assertion is neither the token endpoint nor the origin");
    }
    Ok(Verified(claims))
}

/// Whether the assertion's identifier was not seen before; one without identifier counts as new.
pub(super) fn is_first(state: &mut State, assertion: &Verified) -> bool {
    assertion.text("jti").is_none_or(|jti| state.assertions.insert(jti.to_owned()))
}

fn verify_signature(assertion: &str, key: &Key<'_>) -> Option<Value> {
    let (message, signature) = assertion.rsplit_once('.')?;
    let (header, claims) = message.split_once('.')?;
    let algorithm: Algorithm = decode(header)?.get("alg")?.as_str()?.parse().ok()?;
    let key = match (key, algorithm) {
        (Key::Shared(secret), Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512) => {
            DecodingKey::from_secret(secret.expose().as_bytes())
        }
        (Key::Shared(_), _) | (Key::Public(_), Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512) => {
            return None;
        }
        (Key::Public(pem), Algorithm::ES256 | Algorithm::ES384) => {
            DecodingKey::from_ec_der(&public_key(pem)?)
        }
        (Key::Public(pem), Algorithm::EdDSA) => DecodingKey::from_ed_der(&public_key(pem)?),
        (Key::Public(pem), _) => DecodingKey::from_rsa_der(&public_key(pem)?),
    };
    let verifier = (DEFAULT_PROVIDER.verifier_factory)(&algorithm, &key).ok()?;
    verifier.verify(message.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).ok()?).ok()?;
    decode(claims)
}

/// The key inside of a SubjectPublicKeyInfo (RFC 5280 §4.1.2.7).
fn public_key(pem: &str) -> Option<Vec<u8>> {
    let der = pem::decode(pem.as_bytes()).ok()?;
    let members = der::sequence(&der)?;
    // The first byte of a bit string says how many bits of the last one do not count.
    Some(members.get(1)?.content.get(1..)?.to_vec())
}

fn decode(part: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}
