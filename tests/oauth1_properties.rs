//! What holds for every signed request, tried on thousands of random ones: an independent reading of the request as it
//! goes on the wire gives the same base string, and nothing outside of the signature changes.

use std::fmt::Write;

use bytes::Bytes;
use http::Request;
use http::header::AUTHORIZATION;
use http::header::CONTENT_TYPE;
use tower_oauth::Credentials;
use tower_oauth::oauth1::HmacSha256;
use tower_oauth::oauth1::HmacSha512;
use tower_oauth::oauth1::Placement;
use tower_oauth::oauth1::Signer;

const REQUESTS: u64 = 3_000;

/// SplitMix64: the same requests on every machine.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    fn of<'a, T: ?Sized>(&mut self, choices: &[&'a T]) -> &'a T {
        choices[usize::try_from(self.next()).unwrap() % choices.len()]
    }

    /// Pairs of the pieces that signers get wrong.
    fn pairs(&mut self) -> String {
        let pieces = [
            "a", "b5", "c%40", "a3", "=", "%3D", "%253D", "%zz", "%", "%E9", "+", "%20", "%2B", ";", "[0]",
            "~", "*", "'", "!", "%7E", "%c3%a9", "?", "/", "", "A",
        ];
        let mut text = String::new();
        for _ in 0..self.next() % 6 {
            for _ in 0..self.next() % 4 {
                text.push_str(self.of(&pieces));
            }
            text.push_str(self.of(&["=", "==", ""]));
            for _ in 0..self.next() % 4 {
                text.push_str(self.of(&pieces));
            }
            text.push_str(self.of(&["&", "&", "&&"]));
        }
        text
    }

    fn request(&mut self) -> Request<Bytes> {
        let host = self.of(&["api.test", "API.Test:443", "api.test:8443", "[2001:DB8::1]", "user@api.test"]);
        let path = self.of(&["", "/", "/a/../b", "/%7Ea/%2F", "//x", "/caf%C3%A9;v=1"]);
        let mut uri = format!("{}://{host}{path}", self.of(&["https", "http", "HTTPS"]));
        if self.next() % 4 > 0 {
            write!(uri, "?{}", self.pairs()).unwrap();
        }
        let method = self.of(&["GET", "POST", "PATCH", "get", "PURGE"]);
        let form = ["application/x-www-form-urlencoded", "Application/X-WWW-Form-Urlencoded; charset=utf-8"];
        let (content_type, body) = match self.next() % 3 {
            0 => (self.of(&form), self.pairs()),
            1 => ("application/json", r#"{"a":"b=c&d"}"#.to_owned()),
            _ => ("text/plain", String::new()),
        };
        let request = Request::builder().method(method).uri(uri).header(CONTENT_TYPE, content_type);
        request.header("x-trace", "7").body(Bytes::from(body)).unwrap()
    }
}

/// `text` with `+` and escapes read (`is_form`), or with escapes only.
fn decoded(text: &[u8], is_form: bool) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        let hex = tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = hex.filter(|hex| hex.bytes().all(|digit| digit.is_ascii_hexdigit()));
        match (first, byte) {
            (b'%', Some(hex)) => {
                out.push(u8::from_str_radix(hex, 16).unwrap());
                rest = &tail[2..];
                continue;
            }
            (b'+', _) if is_form => out.push(b' '),
            (byte, _) => out.push(*byte),
        }
        rest = tail;
    }
    out
}

fn encoded(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(*byte))
            }
            byte => write!(out, "%{byte:02X}").unwrap(),
        }
        out
    })
}

fn form_pairs(form: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let pairs = form.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let split = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
            let value = pair.get(split + 1..).unwrap_or_default();
            (decoded(&pair[..split], true), decoded(value, true))
        })
        .collect()
}

fn header_pairs(request: &Request<Bytes>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let Some(header) = request.headers().get(AUTHORIZATION) else { return Vec::new() };
    let header = header.to_str().unwrap().strip_prefix("OAuth ").unwrap();
    let pairs = header.split(", ").map(|pair| pair.split_once('=').unwrap());
    let unquoted = |value: &str| value.strip_prefix('"').unwrap().strip_suffix('"').unwrap().to_owned();
    pairs
        .map(|(name, value)| (name.as_bytes().to_vec(), decoded(unquoted(value).as_bytes(), false)))
        .collect()
}

/// The base string of a request on the wire, read step by step as RFC 5849 §3.4.1 has it.
fn base_string(request: &Request<Bytes>) -> String {
    let uri = request.uri();
    let scheme = uri.scheme_str().unwrap().to_ascii_lowercase();
    let host = uri.host().unwrap().to_ascii_lowercase();
    let port = match (scheme.as_str(), uri.port_u16()) {
        ("https", Some(443)) | ("http", Some(80)) | (_, None) => String::new(),
        (_, Some(port)) => format!(":{port}"),
    };
    let path = if uri.path().is_empty() { "/" } else { uri.path() };
    let mut pairs = form_pairs(uri.query().unwrap_or_default().as_bytes());
    let content_type = request.headers()[CONTENT_TYPE].to_str().unwrap().to_ascii_lowercase();
    if content_type.starts_with("application/x-www-form-urlencoded") {
        pairs.extend(form_pairs(request.body()));
    }
    pairs.extend(header_pairs(request));
    pairs.retain(|(name, _)| name != b"oauth_signature");
    let mut pairs: Vec<_> = pairs.iter().map(|(name, value)| (encoded(name), encoded(value))).collect();
    pairs.sort();
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let method = encoded(request.method().as_str().to_ascii_uppercase().as_bytes());
    let uri = encoded(format!("{scheme}://{host}{port}{path}").as_bytes());
    format!("{method}&{uri}&{}", encoded(pairs.join("&").as_bytes()))
}

#[test]
fn the_request_on_the_wire_reads_back_as_what_was_signed_and_nothing_else_has_changed() {
    let credentials = Credentials::new("client %41", "secret").token("token+é", "token secret");
    let mut signed_in = [0; 3];
    for seed in 0..REQUESTS {
        let mut chance = Chance(seed);
        let request = chance.request();
        let placement = *chance.of(&[&Placement::Header, &Placement::Query, &Placement::Form]);
        let signer = Signer::new(credentials.clone()).placement(placement);
        let signer = match chance.next() % 3 {
            0 => signer,
            1 => signer.signature_method(HmacSha256),
            _ => signer.signature_method(HmacSha512),
        };
        let mut signed = request.clone();
        let Ok(explanation) = signer.explain(&mut signed) else {
            let is_form =
                request.headers()[CONTENT_TYPE].as_bytes().to_ascii_lowercase().starts_with(b"application/x");
            assert!(placement == Placement::Form && !is_form, "seed {seed}: not signed");
            continue;
        };
        let expected = explanation.base_string().unwrap().expose();
        assert_eq!(base_string(&signed), expected, "seed {seed}");

        assert_eq!(signed.method(), request.method());
        assert_eq!(signed.version(), request.version());
        assert_eq!(signed.uri().path(), request.uri().path());
        assert_eq!(signed.uri().authority(), request.uri().authority());
        let query = |request: &Request<Bytes>| request.uri().query().map(str::to_owned);
        let mut headers = signed.headers().clone();
        match placement {
            Placement::Query => {
                signed_in[1] += 1;
                assert!(
                    query(&signed).unwrap().starts_with(&query(&request).unwrap_or_default()),
                    "seed {seed}"
                );
                assert_eq!(signed.body(), request.body());
            }
            Placement::Form => {
                signed_in[2] += 1;
                assert_eq!(query(&signed), query(&request));
                assert!(signed.body().starts_with(request.body()), "seed {seed}");
            }
            _ => {
                signed_in[0] += 1;
                assert!(headers.remove(AUTHORIZATION).is_some());
                assert_eq!(query(&signed), query(&request));
                assert_eq!(signed.body(), request.body());
            }
        }
        assert_eq!(&headers, request.headers(), "seed {seed}");
    }
    assert!(signed_in.iter().all(|count| *count > 200), "{signed_in:?}");
}
