//! RSA, which dwarfs all else: both backends against AWS-LC alone.
//!
//! With both features the crate `rsa` signs what AWS-LC does not take: SHA-1, and keys below 2048 bits. A key of 2040 bits is as
//! much work as one of 2048, so that it shows what RSA-SHA256 costs with that backend.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use tower_oauth::oauth1::RsaPrivateKey;
use tower_oauth::oauth1::RsaSha1;
use tower_oauth::oauth1::RsaSha256;
use tower_oauth_benches::Contest;
use tower_oauth_benches::Goal;
use tower_oauth_benches::Ratios;

use crate::case::Case;
use crate::ours::Again;
use crate::ours::NONCE;
use crate::ours::SECONDS;
use crate::ours::fixed;
use crate::ours::signer;

const BARE: &str = "aws-lc-rs, RSA-SHA256, base string alone";
const AWS_LC: &str = "tower-oauth, RSA-SHA256 by AWS-LC";
const RUST_CRYPTO: &str = "tower-oauth, RSA-SHA256 by the crate rsa";
const RUST_CRYPTO_SHA1: &str = "tower-oauth, RSA-SHA1 by the crate rsa";

pub fn measure(ratios: &mut Ratios) {
    let pem = include_bytes!("../../tests/vectors/keys/rsa2048-a.pem");
    let key = || RsaPrivateKey::from_pem(pem).unwrap();
    let case = Case::b();
    let mut request = case.request().map(|_| case.body());
    let signer_256 = signer().signature_method(RsaSha256::new(key()));
    let explanation = fixed(signer_256.clone(), NONCE, SECONDS).explain(&mut request).unwrap();
    let base_string = explanation.base_string().unwrap().expose().as_bytes();

    let pair = KeyPair::from_pkcs8(&der(pem)).unwrap();
    let random = SystemRandom::new();
    let bare = || {
        let mut signature = [0; 256];
        pair.sign(&RSA_PKCS1_SHA256, &random, base_string, &mut signature).unwrap();
        signature
    };
    use base64::Engine as _;
    let encoded = base64::engine::general_purpose::STANDARD.encode(bare());
    assert_eq!(encoded, explanation.signature().expose(), "the signature of aws-lc-rs");

    let mut contest = Contest::new("B, RSA with 2048 bits").rounds(301);
    contest.enter(BARE, bare);
    let mut again = Again::new(signer_256, &case);
    contest.enter(AWS_LC, move || again.header());
    let shorter = RsaPrivateKey::from_pem(include_bytes!("rsa2040.pem")).unwrap();
    let mut again = Again::new(signer().signature_method(RsaSha256::new(shorter)), &case);
    contest.enter(RUST_CRYPTO, move || again.header());
    let mut again = Again::new(signer().signature_method(RsaSha1::new(key())), &case);
    contest.enter(RUST_CRYPTO_SHA1, move || again.header());
    let standings = contest.run();
    println!("  in multiples of AWS-LC alone");
    for name in [AWS_LC, RUST_CRYPTO, RUST_CRYPTO_SHA1] {
        println!("  {name:<42} {:>10.2}", standings.ratio(name, BARE));
    }
    ratios.add("rsa_sha256_vs_aws_lc", standings.ratio(AWS_LC, BARE), Goal::AtMost(1.05));
}

/// The inside of a PEM text.
fn der(pem: &[u8]) -> Vec<u8> {
    use base64::Engine as _;
    let lines = std::str::from_utf8(pem).unwrap().lines().filter(|line| !line.starts_with('-'));
    base64::engine::general_purpose::STANDARD.decode(lines.collect::<String>()).unwrap()
}
