//! Private keys as JSON (RFC 7517): rewritten as DER, which is what keys are read from.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::protocol::der;
use crate::protocol::oauth2::jwt::SigningAlgorithm;

/// A key, and what it says of itself.
pub(super) struct Jwk {
    pub(super) der: Zeroizing<Vec<u8>>,
    pub(super) algorithm: Option<SigningAlgorithm>,
    pub(super) key_id: Option<String>,
}

#[derive(Deserialize)]
struct Members {
    kty: String,
    alg: Option<String>,
    kid: Option<String>,
    crv: Option<String>,
    d: Option<Zeroizing<String>>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
    p: Option<Zeroizing<String>>,
    q: Option<Zeroizing<String>>,
    dp: Option<Zeroizing<String>>,
    dq: Option<Zeroizing<String>>,
    qi: Option<Zeroizing<String>>,
}

type Bytes = Zeroizing<Vec<u8>>;

/// The key in `json`, or what was found instead.
pub(super) fn read(json: &[u8]) -> Result<Jwk, &'static str> {
    // The error of the parser may quote the text.
    let members: Members = serde_json::from_slice(json).map_err(|_| "text that is not one JWK")?;
    let der = match (members.kty.as_str(), members.crv.as_deref()) {
        ("RSA", _) => rsa(&members)?,
        ("EC", Some("P-256")) => ec(&members, der::P256, 32)?,
        ("EC", Some("P-384")) => ec(&members, der::P384, 48)?,
        ("EC", _) => return Err("an EC key that is neither on the curve P-256 nor on P-384"),
        ("OKP", Some("Ed25519")) => ed25519(&members)?,
        ("oct", _) => return Err("a shared secret, which `SecretKey` is for"),
        _ => return Err("a JWK of an unknown kind"),
    };
    let algorithm = match members.alg.as_deref() {
        None => None,
        Some(name) => Some(algorithm(name).ok_or("a JWK for an algorithm that does not sign JWTs")?),
    };
    Ok(Jwk { der, algorithm, key_id: members.kid })
}

fn algorithm(name: &str) -> Option<SigningAlgorithm> {
    use SigningAlgorithm::*;
    // `Ed25519` is what RFC 9864 calls it.
    if name == "Ed25519" {
        return Some(EdDsa);
    }
    let all = [Rs256, Rs384, Rs512, Ps256, Ps384, Ps512, Es256, Es384, EdDsa];
    all.into_iter().find(|algorithm| algorithm.as_str() == name)
}

/// RSAPrivateKey (RFC 8017 §A.1.2).
fn rsa(members: &Members) -> Result<Bytes, &'static str> {
    let integer = |text: Option<&str>| bytes(text).map(|bytes| der::integer(&bytes));
    let private = |text: &Option<Zeroizing<String>>| integer(text.as_deref().map(String::as_str));
    let parts = [
        der::integer(&[0]),
        integer(members.n.as_deref())?,
        integer(members.e.as_deref())?,
        private(&members.d)?,
        private(&members.p)?,
        private(&members.q)?,
        private(&members.dp)?,
        private(&members.dq)?,
        private(&members.qi)?,
    ];
    let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_slice()).collect();
    Ok(der::element(der::SEQUENCE, &parts))
}

/// ECPrivateKey (RFC 5915 §3).
fn ec(members: &Members, curve: &[u8], length: usize) -> Result<Bytes, &'static str> {
    let secret = bytes(members.d.as_deref().map(String::as_str))?;
    let (x, y) = (bytes(members.x.as_deref())?, bytes(members.y.as_deref())?);
    if [&secret, &x, &y].iter().any(|number| number.len() != length) {
        return Err("an EC key whose numbers have a wrong length");
    }
    let point = der::element(der::BIT_STRING, &[&[0, 4], &x, &y]);
    Ok(der::element(
        der::SEQUENCE,
        &[
            &der::integer(&[1]),
            &der::element(der::OCTET_STRING, &[&secret]),
            &der::element(0xa0, &[&der::element(der::OBJECT_IDENTIFIER, &[curve])]),
            &der::element(0xa1, &[&point]),
        ],
    ))
}

/// PKCS#8 (RFC 8410 §7).
fn ed25519(members: &Members) -> Result<Bytes, &'static str> {
    let secret = bytes(members.d.as_deref().map(String::as_str))?;
    if secret.len() != 32 {
        return Err("an Ed25519 key of a wrong length");
    }
    let algorithm = der::element(der::SEQUENCE, &[&der::element(der::OBJECT_IDENTIFIER, &[der::ED25519])]);
    let secret = der::element(der::OCTET_STRING, &[&der::element(der::OCTET_STRING, &[&secret])]);
    Ok(der::element(der::SEQUENCE, &[&der::integer(&[0]), &algorithm, &secret]))
}

fn bytes(text: Option<&str>) -> Result<Bytes, &'static str> {
    let text =
        text.ok_or("a JWK without its private numbers (`d`, and for RSA `p`, `q`, `dp`, `dq`, `qi`)")?;
    let decoded = URL_SAFE_NO_PAD.decode(text).map_err(|_| "a JWK whose numbers are not base64url")?;
    Ok(Zeroizing::new(decoded))
}
