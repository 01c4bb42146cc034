//! Every way to sign: the signature methods that both verifiers know, and the places for the parameters.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::LazyLock;

use tower_oauth::oauth1::HmacSha1;
use tower_oauth::oauth1::HmacSha256;
use tower_oauth::oauth1::HmacSha512;
use tower_oauth::oauth1::Placement;
use tower_oauth::oauth1::Plaintext;
use tower_oauth::oauth1::RsaPrivateKey;
use tower_oauth::oauth1::RsaSha1;
use tower_oauth::oauth1::RsaSha256;
use tower_oauth::oauth1::RsaSha512;
use tower_oauth::oauth1::SignatureMethod;
use tower_oauth_peers::oauth1;

/// A signature method, by its name.
pub type Method = &'static str;

/// All of them. Authlib has three of its own, and the provider adds the others (`authlib_methods.py`).
pub const METHODS: [Method; 7] =
    ["HMAC-SHA1", "HMAC-SHA256", "HMAC-SHA512", "PLAINTEXT", "RSA-SHA1", "RSA-SHA256", "RSA-SHA512"];

pub const PLACEMENTS: [Placement; 3] = [Placement::Header, Placement::Query, Placement::Form];

/// Every method with every placement.
pub fn ways() -> impl Iterator<Item = (Method, Placement)> {
    METHODS.into_iter().flat_map(|method| PLACEMENTS.map(|placement| (method, placement)))
}

/// Whether the method signs with a private key in the place of the secrets.
pub fn is_rsa(method: Method) -> bool {
    method.starts_with("RSA")
}

/// The method, with the key that the verifiers know if it is one of RSA.
pub fn signature_method(method: Method) -> Arc<dyn SignatureMethod> {
    static KEY: LazyLock<RsaPrivateKey> = LazyLock::new(|| read_key(&oauth1::known_rsa_key()));
    with_key(method, &KEY)
}

/// The same with a key that they do not know.
pub fn with_unknown_key(method: Method) -> Arc<dyn SignatureMethod> {
    static KEY: LazyLock<RsaPrivateKey> = LazyLock::new(|| read_key(&oauth1::unknown_rsa_key()));
    with_key(method, &KEY)
}

fn with_key(method: Method, key: &RsaPrivateKey) -> Arc<dyn SignatureMethod> {
    let key = key.clone();
    match method {
        "HMAC-SHA1" => Arc::new(HmacSha1),
        "HMAC-SHA256" => Arc::new(HmacSha256),
        "HMAC-SHA512" => Arc::new(HmacSha512),
        "PLAINTEXT" => Arc::new(Plaintext),
        "RSA-SHA1" => Arc::new(RsaSha1::new(key)),
        "RSA-SHA256" => Arc::new(RsaSha256::new(key)),
        "RSA-SHA512" => Arc::new(RsaSha512::new(key)),
        other => panic!("{other} is no signature method"),
    }
}

fn read_key(path: &Path) -> RsaPrivateKey {
    let pem = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    RsaPrivateKey::from_pem(pem).expect("an RSA key")
}

/// What was accepted, counted: a table of methods and placements, with a column for each verifier.
#[derive(Debug, Default)]
pub struct Counts(BTreeMap<(Method, usize, String), usize>);

impl Counts {
    pub fn add(&mut self, method: Method, placement: Placement, verifier: &str) {
        let row = PLACEMENTS.iter().position(|known| *known == placement).unwrap_or(PLACEMENTS.len());
        *self.0.entry((method, row, verifier.to_owned())).or_default() += 1;
    }

    /// All of one verifier.
    pub fn of(&self, verifier: &str) -> usize {
        self.0.iter().filter(|((.., name), _)| name == verifier).map(|(_, count)| count).sum()
    }

    /// The number of rows in which a verifier accepted something.
    pub fn ways_of(&self, verifier: &str) -> usize {
        self.0.keys().filter(|(.., name)| name == verifier).count()
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut verifiers: Vec<_> = self.0.keys().map(|(.., verifier)| verifier.clone()).collect();
        verifiers.sort();
        verifiers.dedup();
        let row = |cells: Vec<String>| cells.iter().map(|cell| format!(" {cell} |")).collect::<String>();
        writeln!(formatter, "| method | placement |{}", row(verifiers.clone()))?;
        writeln!(formatter, "|---|---|{}", "---|".repeat(verifiers.len()))?;
        for method in METHODS {
            for (number, placement) in PLACEMENTS.iter().enumerate() {
                let count = |verifier: &String| {
                    self.0.get(&(method, number, verifier.clone())).unwrap_or(&0).to_string()
                };
                let cells = row(verifiers.iter().map(count).collect());
                writeln!(formatter, "| {method} | {placement:?} |{cells}")?;
            }
        }
        writeln!(
            formatter,
            "| all | |{}",
            row(verifiers.iter().map(|name| self.of(name).to_string()).collect())
        )
    }
}
