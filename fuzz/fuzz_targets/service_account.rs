//! The file of a service account: any bytes, and files whose members, or whose key, are any bytes. Nothing panics, errors
//! show nothing of the key, and an account that is read sends its assertions to a safe place only.

#![no_main]

use libfuzzer_sys::arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use serde_json::json;
use tower_oauth::endpoint::PrivateKey;
use tower_oauth::grant::ServiceAccountKey;

/// A key that can be damaged, in DER.
const P256: &[u8] = include_bytes!("../p256.der");

#[derive(Arbitrary, Debug)]
enum Input<'a> {
    File(&'a [u8]),
    Members {
        kind: Option<&'a str>,
        name: Option<&'a str>,
        uri: Option<&'a str>,
        id: Option<&'a str>,
        key: &'a str,
    },
    Pem(&'a [u8]),
    Der(&'a [u8]),
    Jwk(&'a [u8]),
    /// A good key with these bytes changed.
    Damaged(Vec<(u8, u8)>),
}

fuzz_target!(|input: Input<'_>| {
    match input {
        Input::File(bytes) => read(bytes, ""),
        Input::Members { kind, name, uri, id, key } => {
            let file = json!({
                "type": kind.unwrap_or("service_account"),
                "client_email": name.unwrap_or("robot@example.com"),
                "token_uri": uri.unwrap_or("https://auth.example.com/token"),
                "private_key_id": id,
                "private_key": key,
            });
            read(file.to_string().as_bytes(), key);
        }
        Input::Pem(bytes) => drop(PrivateKey::from_pem(bytes)),
        Input::Der(bytes) => drop(PrivateKey::from_der(bytes)),
        Input::Jwk(bytes) => drop(PrivateKey::from_jwk(bytes)),
        Input::Damaged(changes) => {
            let mut der = P256.to_vec();
            for (place, byte) in changes {
                if let Some(target) = der.get_mut(usize::from(place)) {
                    *target = byte;
                }
            }
            drop(PrivateKey::from_der(der));
        }
    }
});

fn read(file: &[u8], key: &str) {
    match ServiceAccountKey::from_json(file) {
        Ok(account) => {
            let uri = account.token_uri().to_ascii_lowercase();
            let is_safe = ["https://", "http://localhost", "http://127.", "http://[::1]"];
            assert!(is_safe.iter().any(|start| uri.starts_with(start)), "{uri}");
        }
        Err(error) => {
            let shown = format!("{error} {error:?}");
            // Short texts occur in any message.
            assert!(key.len() < 24 || !shown.contains(key), "{shown}");
        }
    }
}
