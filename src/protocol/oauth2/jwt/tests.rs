//! Keys and signatures against published vectors, and against a verifier that shares no cryptography with the signer
//! when AWS-LC signs.

use jsonwebtoken::Algorithm;
use jsonwebtoken::DecodingKey;
use jsonwebtoken::crypto::rust_crypto;

use super::*;
use crate::error::ConfigError;
use crate::protocol::der;
use crate::protocol::pem;

const RSA: &str = include_str!("../../../../tests/vectors/keys/rsa2048-a.pem");
const RSA_PKCS1: &str = include_str!("../../../../tests/vectors/keys/rsa2048-a.pkcs1.pem");
const RSA_PUBLIC: &str = include_str!("../../../../tests/vectors/keys/rsa2048-a.pub.pem");
const P256: &str = include_str!("../../../../tests/vectors/keys/p256.pem");
const P256_SEC1: &str = include_str!("../../../../tests/vectors/keys/p256.sec1.pem");
const P256_PUBLIC: &str = include_str!("../../../../tests/vectors/keys/p256.pub.pem");
const P384: &str = include_str!("../../../../tests/vectors/keys/p384.pem");
const P384_SEC1: &str = include_str!("../../../../tests/vectors/keys/p384.sec1.pem");
const P384_PUBLIC: &str = include_str!("../../../../tests/vectors/keys/p384.pub.pem");
const ED25519: &str = include_str!("../../../../tests/vectors/keys/ed25519.pem");
const ED25519_PUBLIC: &str = include_str!("../../../../tests/vectors/keys/ed25519.pub.pem");
/// The key of RFC 7515 §A.2.
const RFC7515_A2: &str = include_str!("../../../../tests/vectors/keys/rfc7515-a2.jwk.json");

const MESSAGE: &[u8] = b"eyJhbGciOiJub25lIn0.e30";

fn public_key(pem: &str) -> Vec<u8> {
    let der = pem::decode(pem.as_bytes()).unwrap();
    let members = der::sequence(&der).unwrap();
    // SubjectPublicKeyInfo: the algorithm, and a bit string that begins with the number of its unused bits.
    members[1].content[1..].to_vec()
}

fn verifies(algorithm: Algorithm, public: &str, signature: &[u8]) -> bool {
    let public = public_key(public);
    let key = match algorithm {
        Algorithm::ES256 | Algorithm::ES384 => DecodingKey::from_ec_der(&public),
        Algorithm::EdDSA => DecodingKey::from_ed_der(&public),
        _ => DecodingKey::from_rsa_der(&public),
    };
    let verifier = (rust_crypto::DEFAULT_PROVIDER.verifier_factory)(&algorithm, &key).unwrap();
    let accepts = |signature: &[u8]| verifier.verify(MESSAGE, &signature.to_vec()).is_ok();
    let mut damaged = signature.to_vec();
    damaged[10] ^= 1;
    assert!(!accepts(&damaged), "the verifier takes anything");
    accepts(signature)
}

#[test]
fn the_rsa_signature_of_rfc_7515_appendix_a_2_comes_out() {
    let input = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19y\
                 b290Ijp0cnVlfQ";
    let signature = PrivateKey::from_jwk(RFC7515_A2).unwrap().sign(input.as_bytes()).unwrap();
    let expected = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujG\
                    bds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K\
                    0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6\
                    LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    assert_eq!(with_signature(input, &signature).expose(), format!("{input}.{expected}"));
}

#[test]
fn the_ed25519_signature_of_rfc_8037_appendix_a_4_comes_out() {
    let jwk = r#"{"kty": "OKP", "crv": "Ed25519", "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": "a", "alg": "EdDSA"}"#;
    let key = PrivateKey::from_jwk(jwk).unwrap();
    assert_eq!((key.algorithm(), key.key_id()), (SigningAlgorithm::EdDsa, Some("a")));
    let input = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    assert_eq!(
        URL_SAFE_NO_PAD.encode(key.sign(input.as_bytes()).unwrap()),
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    );
}

#[test]
fn the_three_hmacs_of_rfc_4231_test_case_2_come_out() {
    let cases = [
        (SigningAlgorithm::Hs256, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
        (
            SigningAlgorithm::Hs384,
            "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
        ),
        (
            SigningAlgorithm::Hs512,
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fd\
             caeab1a34d4a6b4b636e070a38bce737",
        ),
    ];
    for (algorithm, expected) in cases {
        let key = SecretKey::new("Jefe").with_algorithm(algorithm).unwrap();
        let mac = key.sign(b"what do ya want for nothing?").unwrap();
        let hex: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, expected);
    }
    assert_eq!(SecretKey::new("").sign(b"").unwrap().len(), 32);
}

#[test]
fn every_algorithm_of_a_private_key_signs_what_its_public_key_verifies() {
    use SigningAlgorithm::*;
    let cases = [
        (Rs256, Algorithm::RS256, RSA, RSA_PUBLIC, 256),
        (Rs384, Algorithm::RS384, RSA, RSA_PUBLIC, 256),
        (Rs512, Algorithm::RS512, RSA_PKCS1, RSA_PUBLIC, 256),
        (Ps256, Algorithm::PS256, RSA, RSA_PUBLIC, 256),
        (Ps384, Algorithm::PS384, RSA_PKCS1, RSA_PUBLIC, 256),
        (Ps512, Algorithm::PS512, RSA, RSA_PUBLIC, 256),
        (Es256, Algorithm::ES256, P256, P256_PUBLIC, 64),
        (Es256, Algorithm::ES256, P256_SEC1, P256_PUBLIC, 64),
        (Es384, Algorithm::ES384, P384, P384_PUBLIC, 96),
        (Es384, Algorithm::ES384, P384_SEC1, P384_PUBLIC, 96),
        (EdDsa, Algorithm::EdDSA, ED25519, ED25519_PUBLIC, 64),
    ];
    for (algorithm, verified, private, public, length) in cases {
        let key = PrivateKey::from_pem(private).unwrap().with_algorithm(algorithm).unwrap();
        let signature = key.sign(MESSAGE).unwrap();
        assert_eq!(signature.len(), length, "{algorithm}");
        assert!(verifies(verified, public, &signature), "{algorithm}");
        let der = pem::decode(private.as_bytes()).unwrap();
        assert!(PrivateKey::from_der(&*der).is_ok());
    }
}

#[test]
fn an_ec_key_as_jwk_is_the_key_of_rfc_7515_appendix_a_3() {
    let jwk = r#"{"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0", "d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}"#;
    let key = PrivateKey::from_jwk(jwk).unwrap();
    let signature = key.sign(MESSAGE).unwrap();
    let public = DecodingKey::from_ec_components(
        "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    )
    .unwrap();
    let verifier = (rust_crypto::DEFAULT_PROVIDER.verifier_factory)(&Algorithm::ES256, &public).unwrap();
    assert!(verifier.verify(MESSAGE, &signature).is_ok());
}

#[test]
fn what_is_no_key_for_jwts_is_named() {
    let found = |pem: &str| match PrivateKey::from_pem(pem) {
        Err(ConfigError::UnusableSigningKey { found }) => found,
        other => panic!("{other:?}"),
    };
    assert_eq!(found(""), "nothing: the text is empty");
    assert_eq!(found(RSA_PUBLIC), "a public key, which cannot sign");
    assert!(
        found("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----")
            .contains("encrypted")
    );
    let jwk = |json: &str| match PrivateKey::from_jwk(json) {
        Err(ConfigError::UnusableSigningKey { found }) => found,
        other => panic!("{other:?}"),
    };
    assert_eq!(jwk("{"), "text that is not one JWK");
    assert_eq!(jwk(r#"{"kty":"oct","k":"AAAA"}"#), "a shared secret, which `SecretKey` is for");
    assert!(jwk(r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#).contains("without its private numbers"));
    assert!(jwk(r#"{"kty":"EC","crv":"P-521"}"#).contains("neither on the curve"));
}

#[test]
fn a_key_whose_numbers_do_not_fit_together_is_found_when_it_is_read() {
    let der = pem::decode(RSA_PKCS1.as_bytes()).unwrap();
    // Somewhere in the modulus, in the private exponent, and in a prime.
    for place in [100, 400, 700] {
        let mut damaged = der.to_vec();
        damaged[place] ^= 4;
        let error = PrivateKey::from_der(&damaged).unwrap_err();
        assert!(error.to_string().contains("do not fit together"), "{error}");
    }
}

#[test]
fn a_short_rsa_key_is_refused_because_a_jwt_must_not_be_signed_with_it() {
    // The RSA numbers are never looked at: only the length of the modulus is.
    let modulus = [0xff; 128];
    let one = der::integer(&[1]);
    let parts =
        [&*der::integer(&[0]), &*der::integer(&modulus), &*one, &*one, &*one, &*one, &*one, &*one, &*one];
    let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_slice()).collect();
    let error = PrivateKey::from_der(&*der::element(der::SEQUENCE, &parts)).unwrap_err();
    assert!(error.to_string().contains("an RSA key of 1024 bits, where 2048 to 8192 can be used"), "{error}");
}

#[test]
fn an_algorithm_of_another_kind_of_key_is_refused() {
    let key = || PrivateKey::from_pem(P256).unwrap();
    assert!(key().with_algorithm(SigningAlgorithm::Es256).is_ok());
    for algorithm in [SigningAlgorithm::Es384, SigningAlgorithm::Rs256, SigningAlgorithm::Hs256] {
        assert!(key().with_algorithm(algorithm).is_err());
    }
    assert!(SecretKey::new("s").with_algorithm(SigningAlgorithm::Rs256).is_err());
}

#[test]
fn the_header_says_algorithm_type_and_key() {
    let input = signing_input(SigningAlgorithm::Es256, Some("key 1"), "JWT", &Map::new());
    let (header, claims) = input.split_once('.').unwrap();
    let decode =
        |part: &str| -> Value { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap() };
    assert_eq!(decode(header), serde_json::json!({ "alg": "ES256", "typ": "JWT", "kid": "key 1" }));
    assert_eq!(decode(claims), serde_json::json!({}));
    assert!(
        signing_input(SigningAlgorithm::Es256, None, "JWT", &Map::new())
            .starts_with(&URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256","typ":"JWT"}"#))
    );
}

#[test]
fn nothing_of_a_key_is_printed() {
    let printed = format!("{:?} {:?}", PrivateKey::from_pem(P256).unwrap(), SecretKey::new("hunter2"));
    assert_eq!(printed, "PrivateKey([redacted], ES256) SecretKey([redacted], HS256)");
}
