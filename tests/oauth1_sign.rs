//! The example `oauth1_sign`: what it answers to the vectors of `tests/vectors`, and to what is none.
#![cfg(feature = "rsa")]

use std::collections::BTreeMap;
use std::io::Cursor;
use std::io::Read;
use std::io::Write;
use std::sync::Arc;
use std::sync::Mutex;

use http::Uri;
use percent_encoding::percent_decode_str;
use serde_json::Value;
use serde_json::json;

#[expect(dead_code, reason = "its `main` is not called")]
#[path = "../examples/oauth1_sign/main.rs"]
mod program;

const FORM: &str = "application/x-www-form-urlencoded";

/// Probes whose request is refused: it has a protocol parameter already.
const REFUSED: [&str; 1] = ["oauth_signature-in-query"];

/// Probes with an open answer, and the text of the base string that is ours: the `Host` header that an HTTP client sends
/// for it has no port.
const OPEN: [(&str, &str, &str); 1] =
    [("zero-port", "https%3A%2F%2Fexample.com%3A0443%2Fp", "https%3A%2F%2Fexample.com%2Fp")];

#[test]
fn published_vectors() {
    check("published", 29);
}

#[test]
fn visible_vectors() {
    check("visible", 789);
}

#[test]
fn disputed_vectors() {
    check("disputed", 111);
}

#[test]
fn probes() {
    check("probes", 81);
}

#[test]
fn every_line_is_answered_with_its_id_when_it_can_be_known() {
    for (line, id, kind) in [
        ("", Value::Null, "invalid_json"),
        ("no JSON", Value::Null, "invalid_json"),
        ("[]", Value::Null, "invalid_input"),
        ("5", Value::Null, "invalid_input"),
        ("{}", Value::Null, "invalid_input"),
        (r#"{"id": "a"}"#, json!("a"), "invalid_input"),
        (r#"{"id": "a", "input": null}"#, json!("a"), "invalid_input"),
        (r#"{"id": "a", "input": ["GET"]}"#, json!("a"), "invalid_input"),
        (r#"{"input": {}, "id": [7]}"#, json!([7]), "invalid_input"),
        (r#"{"id": "cut off", "input": {"#, json!("cut off"), "invalid_json"),
        (r#"{"id": "a", "input": {}} {}"#, json!("a"), "invalid_json"),
        (r#"{"id": "half a character", "input": "\ud800"}"#, json!("half a character"), "invalid_json"),
    ] {
        let answer = answer(line);
        assert_eq!(answer["id"], id, "{line}");
        assert_eq!(answer["error"]["kind"], kind, "{line}");
        assert_eq!(answer.as_object().unwrap().len(), 2, "{line}");
    }
}

#[test]
fn what_cannot_be_signed_is_answered_with_the_reason() {
    for (change, kind) in [
        (json!({"method": "GE T"}), "invalid_method"),
        (json!({"method": null}), "invalid_input"),
        (json!({"url": "https://example.com/a b"}), "invalid_url"),
        (json!({"url": "https://[::1"}), "invalid_url"),
        (json!({"url": format!("https://example.com/{}", "a".repeat(70_000))}), "invalid_url"),
        (json!({"url": "/p"}), "relative_uri"),
        (json!({"url": "https://example.com/?oauth_nonce"}), "protocol_parameter_present"),
        (json!({"content_type": "a\nb"}), "invalid_header"),
        (json!({"realm": "a\nb"}), "invalid_parameter"),
        (json!({"extra": [["oauth_token", "a"]]}), "invalid_parameter"),
        (json!({"extra": [["oauth_a", "a"], ["oauth_a", "b"]]}), "invalid_input"),
        (json!({"extra": [["oauth_a", "a", "b"]]}), "invalid_input"),
        (json!({"placement": "body"}), "not_a_form"),
        (json!({"placement": "cookie"}), "invalid_input"),
        (json!({"placement": "body", "body_hash": "SHA-1"}), "not_a_form"),
        (json!({"placement": "body", "body_hash": "SHA-1", "content_type": FORM}), "invalid_input"),
        (json!({"body_hash": "MD5"}), "invalid_input"),
        (json!({"body": "a", "body_base64": "Yg=="}), "invalid_input"),
        (json!({"body_base64": "?"}), "invalid_input"),
        (json!({"client_secret": null}), "invalid_input"),
        (json!({"token_secret": "a"}), "invalid_input"),
        (json!({"timestamp": "007"}), "invalid_input"),
        (json!({"timestamp": "18446744073709551615"}), "invalid_input"),
        (json!({"signature_method": "HMAC-MD5"}), "unknown_signature_method"),
        (json!({"signature_method": "RSA-SHA1"}), "missing_key"),
        (json!({"signature_method": "RSA-SHA1", "rsa_key": "none"}), "missing_key"),
        (json!({"signature_method": "RSA-SHA1", "rsa_key": "../keys/rsa2048-a"}), "missing_key"),
        (json!({"signature_method": "RSA-SHA1", "rsa_key": "rsa2048-a.pub"}), "unreadable_key"),
    ] {
        let answer = answer(&changed(&change));
        assert_eq!(answer["error"]["kind"], kind, "{change}: {answer}");
        assert!(!answer["error"]["message"].as_str().unwrap().is_empty());
    }
}

#[test]
fn rsa_needs_no_client_secret() {
    let change = json!({"signature_method": "RSA-SHA1", "rsa_key": "rsa2048-a", "client_secret": null});
    assert_eq!(answer(&changed(&change))["signature"].as_str().unwrap().len(), 344);
}

#[test]
fn plaintext_is_signed_over_plain_http() {
    let answer = answer(&changed(&json!({"signature_method": "PLAINTEXT", "url": "http://example.com"})));
    assert_eq!(answer["signature"], "secret&");
    assert_eq!(answer["base_string"], Value::Null);
    assert_eq!(answer["url"], "http://example.com/");
}

#[test]
fn a_query_is_null_exactly_when_there_is_no_question_mark() {
    for (url, query) in [("https://a.test/p", json!(null)), ("https://a.test/p?#f", json!(""))] {
        assert_eq!(answer(&changed(&json!({"url": url})))["query"], query);
    }
}

#[test]
fn a_body_is_text_whenever_it_can_be() {
    for (change, body, base64) in [
        (json!({}), json!(null), json!(null)),
        (json!({"body": ""}), json!(""), json!(null)),
        (json!({"body": "é"}), json!("é"), json!(null)),
        (json!({"body_base64": "w6k="}), json!("é"), json!(null)),
        (json!({"body_base64": "/w=="}), json!(null), json!("/w==")),
    ] {
        let answer = answer(&changed(&change));
        assert_eq!((&answer["body"], &answer["body_base64"]), (&body, &base64), "{change}");
    }
}

#[test]
fn an_answer_is_flushed_before_the_next_line_is_read() {
    // Whatever was written since the last flush is not seen.
    let channel = Channel::default();
    let lines = "5\n6\n7\n";
    let asked = Asking { lines: lines.as_bytes(), channel: channel.clone() };
    program::run(std::io::BufReader::with_capacity(2, asked), channel.clone(), keys()).unwrap();
    assert_eq!(channel.0.lock().unwrap().flushed, 3);
}

/// Runs all vectors of a file, and fails with the id of each one that is not answered as expected.
fn check(file: &str, all: usize) {
    let path = format!("{}/tests/vectors/{file}.json", env!("CARGO_MANIFEST_DIR"));
    let vectors: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let vectors = vectors.get("vectors").unwrap_or(&vectors).as_array().unwrap();
    assert_eq!(vectors.len(), all);
    let lines: String = vectors.iter().map(|vector| format!("{vector}\n")).collect();
    let answers = answers(&lines);
    assert_eq!(answers.len(), all);
    let mut failed = Vec::new();
    for (vector, answer) in vectors.iter().zip(&answers) {
        if let Err(difference) = compare(vector, answer) {
            failed.push(format!("{}: {difference}", vector["id"]));
        }
    }
    assert!(failed.is_empty(), "{} of {file} failed:\n{}", failed.len(), failed.join("\n"));
}

/// Says what differs from what is expected, if anything does.
fn compare(vector: &Value, answer: &Value) -> Result<(), String> {
    let (id, input, expected) = (vector["id"].as_str().unwrap(), &vector["input"], &vector["expected"]);
    same("id", &answer["id"], &vector["id"])?;
    if REFUSED.contains(&id) {
        return same("kind", &answer["error"]["kind"], &json!("protocol_parameter_present"));
    }
    same("error", &answer["error"], &Value::Null)?;
    if let Some((_, theirs, ours)) = OPEN.iter().find(|(open, ..)| *open == id) {
        let expected = expected["base_string"].as_str().unwrap().replace(theirs, ours);
        return same("base string", &answer["base_string"], &json!(expected));
    }
    same("base string", &answer["base_string"], &expected["base_string"])?;
    same("signature", &answer["signature"], &expected["signature"])?;
    same("authorization", &answer["authorization"], &expected["authorization"])?;
    same("query", &answer["query"], &expected["final_query"])?;
    same("url", &answer["url"], &json!(with_query(&input["url"], &expected["final_query"])))?;
    if expected["final_body"].is_null() {
        same("body", &answer["body"], &input["body"])?;
        same("binary body", &answer["body_base64"], &input["body_base64"])?;
    } else {
        same("body", &answer["body"], &expected["final_body"])?;
    }

    // The parameters once more, taken out of what is sent as a server would.
    let sent = match input["placement"].as_str().unwrap() {
        "header" => from_header(answer["authorization"].as_str().unwrap()),
        "query" => from_pairs(answer["query"].as_str().unwrap()),
        _ => from_pairs(answer["body"].as_str().unwrap()),
    };
    same("parameters", &json!(sent), &expected["oauth_params"])
}

fn same(what: &str, found: &Value, expected: &Value) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{what}\n   found {found}\nexpected {expected}")) }
}

/// The URL as it is sent: without fragment, with a path, and with this query.
fn with_query(url: &Value, query: &Value) -> String {
    let uri: Uri = url.as_str().unwrap().parse().unwrap();
    let uri = uri.to_string();
    let before = uri.split('?').next().unwrap();
    query.as_str().map_or(before.to_owned(), |query| format!("{before}?{query}"))
}

fn from_header(value: &str) -> BTreeMap<String, String> {
    let parameters = value.strip_prefix("OAuth ").unwrap().split(", ");
    let pair = |parameter: &str| {
        let (name, value) = parameter.split_once('=').unwrap();
        (decode(name), decode(value.strip_prefix('"').unwrap().strip_suffix('"').unwrap()))
    };
    parameters.map(pair).filter(|(name, _)| name != "realm").collect()
}

fn from_pairs(form: &str) -> BTreeMap<String, String> {
    let pairs = form.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .filter(|(name, _)| name.starts_with("oauth_"))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect()
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8().unwrap().into_owned()
}

fn keys() -> program::Keys {
    program::Keys::new(Some(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/keys").into()))
}

fn answers(lines: &str) -> Vec<Value> {
    let mut answers = Vec::new();
    program::run(Cursor::new(lines), &mut answers, keys()).unwrap();
    let answers = String::from_utf8(answers).unwrap();
    answers.lines().map(|answer| serde_json::from_str(answer).unwrap()).collect()
}

fn answer(line: &str) -> Value {
    let answers = answers(&format!("{line}\n"));
    assert_eq!(answers.len(), 1, "{line}");
    answers[0].clone()
}

/// A request that can be signed, with other values in some fields.
fn changed(change: &Value) -> String {
    let mut input = json!({
        "method": "GET", "url": "https://example.com/p", "client_key": "key", "client_secret": "secret",
        "signature_method": "HMAC-SHA1", "nonce": "nonce", "timestamp": "1",
    });
    for (name, value) in change.as_object().unwrap() {
        input[name] = value.clone();
    }
    json!({"id": 1, "input": input}).to_string()
}

/// What the program at the other end has seen.
#[derive(Clone, Default)]
struct Channel(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    written: usize,
    flushed: usize,
    asked: usize,
}

impl Write for Channel {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().written += bytes.iter().filter(|&&byte| byte == b'\n').count();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let mut seen = self.0.lock().unwrap();
        seen.flushed = seen.written;
        Ok(())
    }
}

/// A program that asks for the next answer only after it has seen the one before.
struct Asking {
    lines: &'static [u8],
    channel: Channel,
}

impl Read for Asking {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let mut seen = self.channel.0.lock().unwrap();
        assert_eq!(seen.flushed, seen.asked, "an answer was not flushed");
        seen.asked += 1;
        let end = self.lines.iter().position(|&byte| byte == b'\n').map_or(self.lines.len(), |end| end + 1);
        let (line, rest) = self.lines.split_at(end);
        self.lines = rest;
        buffer[..line.len()].copy_from_slice(line);
        Ok(line.len())
    }
}
