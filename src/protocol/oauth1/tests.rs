//! The rows of `tests/vectors/primitives.json`, one step of signing each; and a plain way to sort parameters, with which
//! the quick one is compared.

use serde_json::Value;

use crate::protocol::oauth1::base_string::BaseStringUri;
use crate::protocol::oauth1::base_string::BaseUri;
use crate::protocol::oauth1::base_string::write_head;
use crate::protocol::oauth1::body_hash::BodyDigest;
use crate::protocol::oauth1::buffer::Buffer;
use crate::protocol::oauth1::buffer::Writer;
use crate::protocol::oauth1::encode::Escape;
use crate::protocol::oauth1::encode::escape;
use crate::protocol::oauth1::encode::escaped;
use crate::protocol::oauth1::params::OauthNames;
use crate::protocol::oauth1::params::Parameters;
use crate::protocol::oauth1::params::Source;
use crate::protocol::oauth1::signature::HmacSha1;
use crate::protocol::oauth1::signature::Message;
use crate::protocol::oauth1::signature::SharedSecrets;
use crate::protocol::oauth1::signature::SignatureMethod as _;

/// The rows of one table. Each is a list, whose members are texts, nulls, or lists of pairs.
fn rows(table: &str) -> Vec<Vec<Value>> {
    let file: Value = serde_json::from_str(include_str!("../../../tests/vectors/primitives.json")).unwrap();
    let rows = file[table].as_array().unwrap();
    assert!(!rows.is_empty());
    rows.iter().map(|row| row.as_array().unwrap().clone()).collect()
}

fn pairs(value: &Value) -> Vec<(String, String)> {
    let pair = |pair: &Value| (pair[0].as_str().unwrap().to_owned(), pair[1].as_str().unwrap().to_owned());
    value.as_array().unwrap().iter().map(pair).collect()
}

/// The parameters as they stand in a base string.
fn sorted(pairs: &[(String, String)]) -> String {
    let mut parameters = Parameters::default();
    // The signature is never a parameter of its own base string.
    for (name, value) in pairs.iter().filter(|(name, _)| name != "oauth_signature") {
        parameters.add_protocol(name, |out| escape(value.as_bytes(), Escape::Twice, out));
    }
    let mut out = Buffer::default();
    parameters.write_sorted(None::<fn(&mut Writer<'_>)>, &mut out);
    String::from_utf8(out.into_vec()).unwrap()
}

fn escaped_text(text: &str) -> String {
    String::from_utf8(escaped(text.as_bytes())).unwrap()
}

#[test]
fn texts_are_percent_encoded() {
    for row in rows("percent_encode") {
        assert_eq!(escaped_text(row[0].as_str().unwrap()), row[1].as_str().unwrap());
    }
}

#[test]
fn parameters_are_normalized() {
    for row in rows("normalize") {
        assert_eq!(sorted(&pairs(&row[0])), escaped_text(row[1].as_str().unwrap()));
    }
}

#[test]
fn forms_are_decoded() {
    for row in rows("form_decode") {
        let mut parameters = Parameters::default();
        let form = row[0].as_str().unwrap().as_bytes();
        parameters.add_form(form, Source::Form, &OauthNames::Refuse).unwrap();
        let mut out = Buffer::default();
        parameters.write_sorted(None::<fn(&mut Writer<'_>)>, &mut out);
        assert_eq!(String::from_utf8(out.into_vec()).unwrap(), sorted(&pairs(&row[1])), "{}", row[0]);
    }
}

#[test]
fn base_string_uris_are_made() {
    for row in rows("base_string_uri") {
        let uri = row[0].as_str().unwrap().parse().unwrap();
        let configured = BaseStringUri::new();
        let host = row[1].as_str().map(str::as_bytes);
        let mut out = Buffer::default();
        let base = BaseUri::new(&configured, &uri, host, None).unwrap();
        out.append(|out| base.write(out));
        assert_eq!(String::from_utf8(out.into_vec()).unwrap(), escaped_text(row[2].as_str().unwrap()));
    }
}

#[test]
fn base_strings_are_made() {
    for row in rows("base_string") {
        let uri = row[1].as_str().unwrap().parse().unwrap();
        let configured = BaseStringUri::new();
        let mut out = Buffer::default();
        let base = BaseUri::new(&configured, &uri, None, None).unwrap();
        out.append(|out| write_head(row[0].as_str().unwrap(), &base, out));
        let base_string = String::from_utf8(out.into_vec()).unwrap() + &sorted(&pairs(&row[2]));
        assert_eq!(base_string, row[3].as_str().unwrap());
    }
}

#[test]
fn base_strings_are_signed() {
    for row in rows("hmac") {
        let text = |index: usize| row[index].as_str().unwrap();
        assert_eq!(text(0), HmacSha1.name());
        let mut signature = Vec::new();
        let key = HmacSha1.key(&SharedSecrets::new(text(1), text(2)));
        key.sign(&Message::new(text(3).as_bytes(), b""), &mut signature).unwrap();
        assert_eq!(String::from_utf8(signature).unwrap(), text(4));
    }
}

#[test]
fn bodies_are_hashed() {
    for row in rows("body_hash") {
        let digest = match row[0].as_str().unwrap() {
            "SHA-1" => BodyDigest::Sha1,
            "SHA-256" => BodyDigest::Sha256,
            other => panic!("{other}"),
        };
        assert_eq!(digest.of(row[1].as_str().unwrap().as_bytes()), row[2].as_str().unwrap());
    }
}

/// Encodes, sorts, and encodes once more, as RFC 5849 §3.4.1.3.2 tells it.
fn sorted_plainly(form: &[u8]) -> Vec<u8> {
    let decode = |text: &[u8]| {
        let spaces: Vec<u8> = text.iter().map(|&byte| if byte == b'+' { b' ' } else { byte }).collect();
        percent_encoding::percent_decode(&spaces).collect::<Vec<u8>>()
    };
    let pairs = form.split(|&byte| byte == b'&').filter(|pair| !pair.is_empty());
    let mut pairs: Vec<_> = pairs
        .map(|pair| {
            let mut halves = pair.splitn(2, |&byte| byte == b'=').map(|half| escaped(&decode(half)));
            (halves.next().unwrap(), halves.next().unwrap_or_default())
        })
        .collect();
    pairs.sort();
    let pairs: Vec<_> = pairs.into_iter().map(|(name, value)| [name, value].join(&b'=')).collect();
    escaped(&pairs.join(&b'&'))
}

fn sorted_quickly(form: &[u8]) -> Vec<u8> {
    let mut parameters = Parameters::default();
    parameters.add_form(form, Source::Form, &OauthNames::Refuse).unwrap();
    let mut out = Buffer::default();
    parameters.write_sorted(None::<fn(&mut Writer<'_>)>, &mut out);
    out.into_vec()
}

#[test]
fn many_parameters_are_sorted_as_few_are() {
    for count in [15, 16, 17, 255, 256, 257, 5000] {
        let pairs = (0..count).map(|number| format!("field_{}=v%2f{number}", number * 7919 % 1009));
        let form = pairs.collect::<Vec<_>>().join("&");
        assert!(sorted_quickly(form.as_bytes()) == sorted_plainly(form.as_bytes()), "{count}");
    }
}

#[test]
fn a_form_may_be_all_escapes() {
    for length in [1, 31, 32, 33, 500, 100_000] {
        let form = "/".repeat(length);
        let expected = "%252F".repeat(length) + "%3D";
        assert!(sorted_quickly(form.as_bytes()) == expected.as_bytes(), "{length}");
    }
}

#[test]
fn parameters_are_sorted_as_the_plain_way_sorts_them() {
    // Few different bytes, so that names and values are often alike.
    let alphabet = b"ab&=%+4;~1/\xe9";
    let mut state = 1u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    for _ in 0..5000 {
        let form: Vec<u8> = (0..random(200)).map(|_| alphabet[random(alphabet.len())]).collect();
        let out = sorted_quickly(&form);
        assert_eq!(out.escape_ascii().to_string(), sorted_plainly(&form).escape_ascii().to_string());
    }
}
