//! Signatures, step by step as RFC 5849 §3.4 describes them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::Hmac;
use hmac::KeyInit;
use hmac::Mac;
use hmac::digest::OutputSizeUser;
use sha1::Sha1;
use sha2::Sha256;
use sha2::Sha512;

use crate::testing::form::Pairs;

/// Escapes everything but letters, digits, `-`, `.`, `_` and `~` (§3.6).
pub(in crate::testing) fn escape(bytes: &[u8]) -> String {
    let mut escaped = String::new();
    for byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(char::from(*byte))
            }
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

/// The signature base string (§3.4.1.1) of a method, a base string URI and all parameters but `oauth_signature`.
pub(super) fn base_string(method: &str, uri: &str, parameters: &Pairs) -> String {
    let method = method.to_ascii_uppercase();
    let normalized = normalize(parameters);
    let parts = [method, uri.to_owned(), normalized];
    parts.map(|part| escape(part.as_bytes())).join("&")
}

/// The base string URI (§3.4.1.2): scheme and host in lower case, no default port, no query.
pub(super) fn base_uri(scheme: &str, authority: &str, path: &str) -> String {
    let scheme = scheme.to_ascii_lowercase();
    // A user name is not part of the `Host` header, and so not of the base string.
    let host = authority.rsplit('@').next().unwrap_or_default().to_ascii_lowercase();
    let default_port = if scheme == "https" { ":443" } else { ":80" };
    let host = host.strip_suffix(default_port).or(host.strip_suffix(':')).unwrap_or(&host);
    let path = if path.is_empty() { "/" } else { path };
    format!("{scheme}://{host}{path}")
}

/// Escapes the parameters, then sorts them by name and value, then joins them (§3.4.1.3.2).
fn normalize(parameters: &Pairs) -> String {
    let mut escaped: Vec<(String, String)> =
        parameters.iter().map(|(name, value)| (escape(name), escape(value))).collect();
    escaped.sort();
    let joined: Vec<String> = escaped.iter().map(|(name, value)| format!("{name}={value}")).collect();
    joined.join("&")
}

/// The signature by a method, or `None` when the provider does not have it.
pub(super) fn sign(
    method: &str,
    base_string: &str,
    client_secret: &str,
    token_secret: &str,
) -> Option<String> {
    let key = format!("{}&{}", escape(client_secret.as_bytes()), escape(token_secret.as_bytes()));
    match method {
        "HMAC-SHA1" => hmac::<Hmac<Sha1>>(&key, base_string),
        "HMAC-SHA256" => hmac::<Hmac<Sha256>>(&key, base_string),
        "HMAC-SHA512" => hmac::<Hmac<Sha512>>(&key, base_string),
        "PLAINTEXT" => Some(key),
        _ => None,
    }
}

fn hmac<M: Mac + KeyInit + OutputSizeUser>(key: &str, text: &str) -> Option<String> {
    // Never `None`: HMAC takes keys of any length.
    let mut mac = <M as KeyInit>::new_from_slice(key.as_bytes()).ok()?;
    mac.update(text.as_bytes());
    Some(STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::form;

    #[test]
    fn the_base_string_of_rfc_5849_section_3_4_1_1_comes_out() {
        let mut parameters = form::decode(b"b5=%3D%253D&a3=a&c%40=&a2=r%20b");
        parameters.extend(form::decode(
            b"oauth_consumer_key=9djdj82h48djs9d2&oauth_token=kkk9d7dh3k39sjv7\
              &oauth_signature_method=HMAC-SHA1&oauth_timestamp=137131201&oauth_nonce=7d8f3e4a",
        ));
        parameters.extend(form::decode(b"c2&a3=2+q"));
        let base_string = base_string("post", &base_uri("HTTP", "EXAMPLE.COM:80", "/request"), &parameters);
        assert_eq!(
            base_string,
            "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D%26c%2540\
             %3D%26c2%3D%26oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_method\
             %3DHMAC-SHA1%26oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7"
        );
        // The signature of erratum 2550.
        let signature = sign("HMAC-SHA1", &base_string, "j49sk3j29djd", "dh893hdasih9");
        assert_eq!(signature.as_deref(), Some("r6/TJjbCOr97/+UU0NsvSne7s5g="));
    }

    #[test]
    fn the_signature_of_rfc_5849_section_1_2_comes_out() {
        let parameters = form::decode(
            b"file=vacation.jpg&size=original&oauth_consumer_key=dpf43f3p2l4k3l03&oauth_token=nnch734d00sl2jdk\
              &oauth_signature_method=HMAC-SHA1&oauth_timestamp=137131202&oauth_nonce=chapoH",
        );
        let base_string = base_string("GET", &base_uri("http", "photos.example.net", "/photos"), &parameters);
        let signature = sign("HMAC-SHA1", &base_string, "kd94hf93k423kf44", "pfkkdhi9sl3r4s00");
        assert_eq!(signature.as_deref(), Some("MdpQcU8iPSUjWoN/UDMsK2sui9I="));
    }

    #[test]
    fn plaintext_escapes_both_secrets() {
        assert_eq!(sign("PLAINTEXT", "", "a&b", "c d").as_deref(), Some("a%26b&c%20d"));
        assert_eq!(sign("RSA-SHA1", "", "a", "b"), None);
    }

    #[test]
    fn only_the_schemes_own_port_is_left_out() {
        assert_eq!(base_uri("https", "Example.net:443", ""), "https://example.net/");
        assert_eq!(base_uri("https", "example.net:80", "/a%20b"), "https://example.net:80/a%20b");
        assert_eq!(base_uri("http", "user@[::1]:80", "/"), "http://[::1]/");
        assert_eq!(base_uri("http", "[::1]", "/"), "http://[::1]/");
        assert_eq!(base_uri("http", "example.net:", "/"), "http://example.net/");
    }
}
