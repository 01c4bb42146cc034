//! With both backends of `jsonwebtoken` in the program, its own choice between them panics. Ours signs on, and leaves that
//! choice alone.

use jsonwebtoken::Algorithm;
use jsonwebtoken::DecodingKey;
use jsonwebtoken::EncodingKey;
use jsonwebtoken::crypto::CryptoProvider;
use jsonwebtoken::crypto::aws_lc;
use jsonwebtoken::crypto::rust_crypto;
use tower_oauth::endpoint::Assertion;
use tower_oauth::endpoint::PrivateKey;
use tower_oauth::endpoint::SecretKey;
use tower_oauth::endpoint::SigningAlgorithm;
use tower_oauth::endpoint::SigningAlgorithm::*;
use tower_oauth::endpoint::SigningKey;

const RSA: &str = include_str!("../../vectors/keys/rsa2048-a.pem");
const RSA_PUBLIC: &str = include_str!("../../vectors/keys/rsa2048-a.pub.pem");
const P256: &str = include_str!("../../vectors/keys/p256.pem");
const P256_PUBLIC: &str = include_str!("../../vectors/keys/p256.pub.pem");
const P384: &str = include_str!("../../vectors/keys/p384.pem");
const P384_PUBLIC: &str = include_str!("../../vectors/keys/p384.pub.pem");
const ED25519: &str = include_str!("../../vectors/keys/ed25519.pem");
const ED25519_PUBLIC: &str = include_str!("../../vectors/keys/ed25519.pub.pem");
const SECRET: &str = "a secret that both sides have known for long";

/// Whether jsonwebtoken, left to itself, panics: that this is the program that it is about.
fn default_choice_panics() -> bool {
    let sign = || {
        let key = EncodingKey::from_secret(SECRET.as_bytes());
        jsonwebtoken::encode(&jsonwebtoken::Header::default(), &serde_json::json!({}), &key)
    };
    std::panic::catch_unwind(sign).is_err()
}

fn verifies(provider: &CryptoProvider, algorithm: Algorithm, key: &DecodingKey, token: &str) -> bool {
    use base64_url::decode;
    let (message, signature) = token.rsplit_once('.').unwrap();
    let verifier = (provider.verifier_factory)(&algorithm, key).unwrap();
    let signature = decode(signature);
    let mut damaged = signature.clone();
    damaged[7] ^= 1;
    assert!(verifier.verify(message.as_bytes(), &damaged).is_err(), "the verifier takes anything");
    verifier.verify(message.as_bytes(), &signature).is_ok()
}

mod base64_url {
    //! A decoder that shares nothing with what encodes.

    pub fn decode(text: &str) -> Vec<u8> {
        const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let (mut bytes, mut bits, mut width) = (Vec::new(), 0_u32, 0);
        for character in text.bytes() {
            let value = ALPHABET.iter().position(|known| *known == character).expect("base64url");
            (bits, width) = (bits << 6 | value as u32, width + 6);
            if width >= 8 {
                width -= 8;
                bytes.push((bits >> width) as u8);
                bits &= (1 << width) - 1;
            }
        }
        bytes
    }
}

async fn check(key: impl SigningKey, algorithm: Algorithm, public: DecodingKey) {
    let name = key.algorithm();
    let token = Assertion::signed_by(key).issuer("client").sign().await.unwrap();
    for provider in [&rust_crypto::DEFAULT_PROVIDER, &aws_lc::DEFAULT_PROVIDER] {
        assert!(verifies(provider, algorithm, &public, token.expose()), "{name}");
    }
}

fn private(pem: &str, algorithm: SigningAlgorithm) -> PrivateKey {
    PrivateKey::from_pem(pem).unwrap().with_algorithm(algorithm).unwrap()
}

#[tokio::test]
async fn every_algorithm_signs_what_both_backends_verify() {
    assert!(default_choice_panics(), "one backend only: this test says nothing");

    let rsa = || DecodingKey::from_rsa_pem(RSA_PUBLIC.as_bytes()).unwrap();
    check(private(RSA, Rs256), Algorithm::RS256, rsa()).await;
    check(private(RSA, Rs384), Algorithm::RS384, rsa()).await;
    check(private(RSA, Rs512), Algorithm::RS512, rsa()).await;
    check(private(RSA, Ps256), Algorithm::PS256, rsa()).await;
    check(private(RSA, Ps384), Algorithm::PS384, rsa()).await;
    check(private(RSA, Ps512), Algorithm::PS512, rsa()).await;
    let ec = |pem: &str| DecodingKey::from_ec_pem(pem.as_bytes()).unwrap();
    check(private(P256, Es256), Algorithm::ES256, ec(P256_PUBLIC)).await;
    check(private(P384, Es384), Algorithm::ES384, ec(P384_PUBLIC)).await;
    let ed25519 = DecodingKey::from_ed_pem(ED25519_PUBLIC.as_bytes()).unwrap();
    check(private(ED25519, EdDsa), Algorithm::EdDSA, ed25519).await;
    let secret = |algorithm| SecretKey::new(SECRET).with_algorithm(algorithm).unwrap();
    let shared = || DecodingKey::from_secret(SECRET.as_bytes());
    check(secret(Hs256), Algorithm::HS256, shared()).await;
    check(secret(Hs384), Algorithm::HS384, shared()).await;
    check(secret(Hs512), Algorithm::HS512, shared()).await;

    // Whoever else is in the program still has to choose.
    assert!(default_choice_panics(), "a default was set for the whole process");
}
