//! The RSA methods: which keys can be read, what is said of those that cannot, and that nothing shows them.
#![cfg(feature = "rsa")]

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Request;
use tower_oauth::Clock;
use tower_oauth::ConfigError;
use tower_oauth::oauth1::BodyHash;
use tower_oauth::oauth1::Credentials;
use tower_oauth::oauth1::RsaPrivateKey;
use tower_oauth::oauth1::RsaSha256;
use tower_oauth::oauth1::RsaSha512;
use tower_oauth::oauth1::SignatureMethod;
use tower_oauth::oauth1::Signer;

fn key_file(name: &str) -> Vec<u8> {
    let folder = if name.starts_with("rsa2048") { "vectors" } else { "oauth1_rsa" };
    std::fs::read(format!("{}/tests/{folder}/keys/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// The content of the last block of a PEM file.
fn der(pem: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(pem).unwrap();
    let lines = text.lines().collect::<Vec<_>>();
    let begin = lines.iter().rposition(|line| line.starts_with("-----BEGIN")).unwrap();
    STANDARD.decode(lines[begin + 1..lines.len() - 1].concat()).unwrap()
}

fn found(result: Result<RsaPrivateKey, ConfigError>) -> String {
    match result {
        Err(ConfigError::UnreadableKey { found }) => found,
        other => panic!("{other:?}"),
    }
}

struct Epoch;

impl Clock for Epoch {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }
}

fn signer_of(credentials: Credentials, method: impl SignatureMethod) -> Signer {
    Signer::new(credentials).signature_method(method).nonce_fn(|| "nonce".to_owned()).clock(Epoch)
}

fn signer(method: impl SignatureMethod) -> Signer {
    signer_of(Credentials::without_secret("client"), method)
}

fn request() -> Request<Bytes> {
    Request::get("https://api.example.com/").body(Bytes::from_static(b"{}")).unwrap()
}

fn signature(key: RsaPrivateKey) -> String {
    signer(RsaSha256::new(key)).explain(&mut request()).unwrap().signature().expose().to_owned()
}

#[test]
fn all_four_forms_of_a_key_sign_alike() {
    let (pkcs8, pkcs1) = (key_file("rsa2048-a.pem"), key_file("rsa2048-a.pkcs1.pem"));
    let signatures = [
        signature(RsaPrivateKey::from_pem(&pkcs8).unwrap()),
        signature(RsaPrivateKey::from_pem(&pkcs1).unwrap()),
        signature(RsaPrivateKey::from_der(der(&pkcs8)).unwrap()),
        signature(RsaPrivateKey::from_der(der(&pkcs1)).unwrap()),
    ];
    assert_eq!(signatures[0].len(), 344);
    assert!(signatures.iter().all(|signature| *signature == signatures[0]), "{signatures:#?}");
}

#[test]
fn a_key_is_found_in_whatever_state_its_text_is() {
    let pem = String::from_utf8(key_file("rsa2048-a.pem")).unwrap();
    let public = String::from_utf8(key_file("rsa2048-a.pub.pem")).unwrap();
    let expected = signature(RsaPrivateKey::from_pem(&pem).unwrap());
    for text in [
        pem.replace('\n', "\r\n"),
        pem.replace('\n', ""),
        pem.replace('\n', "  \n  "),
        format!("\u{feff}Bag Attributes\n    friendlyName: test\nKey Attributes: <No Attributes>\n{pem}"),
        format!("{public}{pem}"),
    ] {
        assert_eq!(signature(RsaPrivateKey::from_pem(&text).unwrap()), expected, "{text}");
    }
}

#[test]
fn what_is_no_usable_key_is_named() {
    for (file, expected) in [
        ("encrypted-pkcs8.pem", "an encrypted key"),
        ("encrypted-pkcs1.pem", "an encrypted key"),
        ("openssh.pem", "a key in OpenSSH's own form"),
        ("certificate.pem", "a certificate"),
        ("public-pkcs1.pem", "a public key"),
        ("rsa2048-a.pub.pem", "a public key"),
        ("ec.pem", "an EC key"),
        ("ec-sec1.pem", "an EC key"),
        ("ed25519.pem", "an Ed25519"),
        ("dsa.pem", "a DSA key"),
        ("dsa-traditional.pem", "a DSA key"),
        ("rsa-pss.pem", "an RSA key for PSS only"),
        ("rsa512.pem", "an RSA key of 512 bits"),
        ("three-primes.pem", "an RSA key that is damaged, or has more than two primes"),
        ("store.p12", "binary data, which `from_der` reads if it is DER"),
    ] {
        let found = found(RsaPrivateKey::from_pem(key_file(file)));
        assert!(found.starts_with(expected), "{file}: {found}");
    }
    for (file, expected) in [
        ("encrypted-pkcs8.pem", "an encrypted key"),
        ("certificate.pem", "a certificate"),
        ("public-pkcs1.pem", "a public key"),
        ("rsa2048-a.pub.pem", "a public key"),
        ("ec.pem", "an EC key"),
        ("ec-sec1.pem", "an EC key"),
    ] {
        let found = found(RsaPrivateKey::from_der(der(&key_file(file))));
        assert!(found.starts_with(expected), "{file}: {found}");
    }
    assert!(found(RsaPrivateKey::from_der(key_file("store.p12"))).starts_with("a PKCS#12 store"));
}

#[test]
fn what_is_no_key_at_all_is_named() {
    let pem = String::from_utf8(key_file("rsa2048-a.pem")).unwrap();
    let begin = "-----BEGIN PRIVATE KEY-----\n";
    for (text, expected) in [
        (String::new(), "nothing"),
        ("secret".to_owned(), "a text without a PEM block"),
        ("{\"kty\": \"RSA\"}".to_owned(), "JSON"),
        (pem[..pem.len() / 2].to_owned(), "a PEM block without its last line"),
        (pem.replacen("MII", "M!I", 1), "a PEM block that is damaged"),
        (pem.replace('\n', "\\n"), "PEM whose line breaks are written as `\\n`"),
        (format!("{begin}-----END PRIVATE KEY-----"), "nothing"),
        (format!("{begin}c2VjcmV0-----END PRIVATE KEY-----"), "data that is no DER"),
        (format!("{begin}MAA=-----END PRIVATE KEY-----"), "DER that is no key"),
    ] {
        let found = found(RsaPrivateKey::from_pem(&text));
        assert!(found.starts_with(expected), "{text}: {found}");
    }
    assert_eq!(found(RsaPrivateKey::from_der(&pem)), "PEM, which `from_pem` reads");
}

#[test]
fn an_error_names_the_forms_that_can_be_read() {
    let message = RsaPrivateKey::from_pem(key_file("ec.pem")).unwrap_err().to_string();
    for part in ["an EC key", "PKCS#8", "PKCS#1", "PEM", "DER", "without a password"] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn a_key_that_was_cut_off_anywhere_is_an_error() {
    for file in ["rsa2048-a.pem", "rsa2048-a.pkcs1.pem"] {
        let der = der(&key_file(file));
        for length in 0..der.len() {
            assert!(RsaPrivateKey::from_der(&der[..length]).is_err(), "{file} cut to {length}");
        }
    }
}

#[test]
fn a_key_that_was_changed_anywhere_is_an_error_or_signs_as_before() {
    let whole = der(&key_file("rsa2048-a.pkcs1.pem"));
    let expected = signature(RsaPrivateKey::from_der(&whole).unwrap());
    let mut refused = 0;
    // All bytes of the first headers, and some of each number. Those that can be computed from others do not count.
    for index in (0..16).chain((16..whole.len()).step_by(31)) {
        let mut changed = whole.clone();
        changed[index] ^= 0x10;
        match RsaPrivateKey::from_der(changed) {
            Ok(key) => assert_eq!(signature(key), expected, "byte {index}"),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 30, "{refused}");
}

#[test]
fn neither_keys_nor_methods_nor_errors_show_the_key() {
    let pem = key_file("rsa2048-a.pem");
    let base64 = String::from_utf8(pem.clone()).unwrap();
    let key = RsaPrivateKey::from_pem(&pem).unwrap();
    let mut printed = format!("{key:?} {key:#?}");
    assert_eq!(format!("{key:?}"), "RsaPrivateKey([redacted], 2048 bits)");
    printed += &format!("{:?} {:?}", RsaSha256::new(key.clone()), signer(RsaSha512::new(key)));
    // A damaged one: its start is cut off.
    let damaged = base64.replacen("MII", "", 1);
    printed += &format!("{:?}", RsaPrivateKey::from_pem(damaged).unwrap_err());
    for line in base64.lines().skip(1) {
        assert!(!printed.contains(&line[..16]), "{printed}");
    }
    assert!(!printed.contains("48, 130"), "{printed}");
}

#[test]
fn the_body_is_hashed_with_the_hash_of_the_method() {
    let key = RsaPrivateKey::from_pem(key_file("rsa2048-a.pem")).unwrap();
    let explanation =
        signer(RsaSha256::new(key)).body_hash(BodyHash::Always).explain(&mut request()).unwrap();
    let hash = explanation.parameters().find(|(name, _)| *name == "oauth_body_hash").unwrap().1;
    assert_eq!(hash, "RBNvo1WzZ4oRRq0W9%2BhknpT7T8If536DEMBg9hyq%2F4o%3D");
}

#[test]
fn keys_of_1024_bits_sign_for_old_providers() {
    assert_eq!(signature(RsaPrivateKey::from_pem(key_file("rsa1024.pem")).unwrap()).len(), 172);
}

#[test]
fn the_secrets_do_not_count_and_the_token_does() {
    let key = RsaPrivateKey::from_pem(key_file("rsa2048-a.pem")).unwrap();
    let sign = |credentials: Credentials| {
        let signer = signer_of(credentials, RsaSha512::new(key.clone()));
        signer.explain(&mut request()).unwrap().signature().expose().to_owned()
    };
    let without = sign(Credentials::without_secret("client").token("token", ""));
    assert_eq!(without, sign(Credentials::new("client", "secret").token("token", "token secret")));
    assert_ne!(without, sign(Credentials::without_secret("client").token("another", "")));
}
