//! What no signature can be made without.

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hmac::Hmac;
use hmac::KeyInit;
use hmac::Mac;
use http::HeaderValue;
use sha1::Sha1;
use sha2::Sha256;

use crate::case::CLIENT;
use crate::case::CLIENT_SECRET;
use crate::case::TOKEN;
use crate::case::TOKEN_SECRET;

/// A key with both of HMAC's padded blocks hashed already.
fn key<M: KeyInit>() -> M {
    let secrets = format!("{CLIENT_SECRET}&{TOKEN_SECRET}");
    <M as KeyInit>::new_from_slice(secrets.as_bytes()).unwrap()
}

/// HMAC of a base string that is there already, by a key that is prepared. Nothing else.
pub struct L0<M> {
    key: M,
    base_string: Vec<u8>,
}

/// L0; then base64 of the digest; a nonce of 25 letters and digits from the thread's CSPRNG; the time, read from the
/// system's clock and written in decimal; and the whole value of the `Authorization` header with all seven parameters
/// (the texts between them and the credentials are constants), the signature percent-encoded, in one allocation of the
/// right size, as a `HeaderValue` marked sensitive.
///
/// The base string is made beforehand: it holds another nonce and another timestamp, so that what comes out is of the
/// right shape and work, and would verify if the two were put into it. Nothing of the request is looked at, nothing
/// parsed, escaped or sorted, and nothing wiped.
pub struct L2<M> {
    l0: L0<M>,
    /// What stands before the nonce, the timestamp and the signature, and at the end.
    texts: [String; 4],
}

impl<M: Mac + KeyInit + Clone> L0<M> {
    pub fn new(base_string: &str) -> Self {
        Self { key: key(), base_string: base_string.as_bytes().to_owned() }
    }

    pub fn digest(&self) -> impl AsRef<[u8]> + use<M> {
        let mut mac = self.key.clone();
        mac.update(&self.base_string);
        mac.finalize().into_bytes()
    }

    /// The signature of the base string, in base64.
    pub fn signature(&self) -> String {
        STANDARD.encode(self.digest())
    }
}

impl<M: Mac + KeyInit + Clone> L2<M> {
    pub fn new(base_string: &str, method: &str) -> Self {
        let texts = [
            format!("OAuth oauth_consumer_key=\"{CLIENT}\", oauth_nonce=\""),
            format!("\", oauth_signature_method=\"{method}\", oauth_timestamp=\""),
            format!("\", oauth_token=\"{TOKEN}\", oauth_version=\"1.0\", oauth_signature=\""),
            "\"".to_owned(),
        ];
        Self { l0: L0::new(base_string), texts }
    }

    pub fn header(&self) -> HeaderValue {
        let nonce = nonce();
        let seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut digits = [0; 20];
        let timestamp = decimal(seconds, &mut digits);
        let mut signature = [0; 44];
        let length = STANDARD.encode_slice(self.l0.digest(), &mut signature).unwrap_or_default();
        let signature = &signature[..length];

        let [first, second, third, end] = &self.texts;
        let constant = first.len() + second.len() + third.len() + end.len();
        let escaped = signature.iter().filter(|byte| matches!(byte, b'+' | b'/' | b'=')).count();
        // Exactly so much: a vector with room to spare would cost another allocation on its way into the value.
        let length = constant + nonce.len() + timestamp.len() + signature.len() + 2 * escaped;
        let mut out = Vec::with_capacity(length);
        out.extend_from_slice(first.as_bytes());
        out.extend_from_slice(&nonce);
        out.extend_from_slice(second.as_bytes());
        out.extend_from_slice(timestamp);
        out.extend_from_slice(third.as_bytes());
        for &byte in signature {
            match byte {
                b'+' => out.extend_from_slice(b"%2B"),
                b'/' => out.extend_from_slice(b"%2F"),
                b'=' => out.extend_from_slice(b"%3D"),
                other => out.push(other),
            }
        }
        out.extend_from_slice(end.as_bytes());
        let mut value = HeaderValue::from_maybe_shared(Bytes::from(out)).unwrap();
        value.set_sensitive(true);
        value
    }
}

pub type Sha1Mac = Hmac<Sha1>;
pub type Sha256Mac = Hmac<Sha256>;

fn nonce() -> [u8; 25] {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut bits: u128 = rand::random();
    std::array::from_fn(|_| {
        let character = ALPHABET[(bits & 31) as usize];
        bits >>= 5;
        character
    })
}

fn decimal(mut number: u64, digits: &mut [u8; 20]) -> &[u8] {
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &digits[start..];
        }
    }
}
