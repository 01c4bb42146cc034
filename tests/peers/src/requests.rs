//! Random requests for the verifiers of OAuth 1.0a.
//!
//! *Odd* ones have everything that a URI, a header and a body may carry: raw and escaped characters in every
//! spelling, escapes that are none, bytes that are no text, names twice, empty pairs, forms on any method.
//! *Ordinary* ones have what clients usually send, and nothing on which the verifiers are known to be wrong.

use bytes::Bytes;
use http::Method;
use http::Request;
use http::Uri;
use http::header::CONTENT_TYPE;
use http_body_util::Full;
use serde_json::Value;
use sha2::Digest;
use sha2::Sha256;

use crate::dice::Dice;
use crate::oauth1::Account;
use crate::oauth1::Report;

/// A request that was not sent yet, to no origin in particular.
#[derive(Clone, Debug)]
pub struct Draft {
    pub method: Method,
    pub target: String,
    pub content_type: Option<&'static str>,
    pub body: Bytes,
}

impl Draft {
    /// The request for one origin.
    ///
    /// # Panics
    ///
    /// If the target is not one that `http::Uri` takes.
    pub fn to(&self, origin: &str) -> Request<Full<Bytes>> {
        let uri: Uri = format!("{origin}{}", self.target).parse().unwrap_or_else(|error| {
            panic!("{error}: {}", self.target);
        });
        let mut request = Request::builder().method(self.method.clone()).uri(uri);
        if let Some(content_type) = self.content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        request.body(Full::new(self.body.clone())).expect("a request")
    }

    /// What was changed on the way besides `grows`, which may have become longer, if anything was.
    pub fn changed_on_the_way(&self, grows: Grows, report: &Report) -> Option<String> {
        let hash: String = Sha256::digest(&self.body).iter().map(|byte| format!("{byte:02x}")).collect();
        let mut sent =
            vec![("method", self.method.as_str().into()), ("content_type", self.content_type.into())];
        match grows {
            Grows::Target => {
                let received = report.received("target").as_str().unwrap_or_default();
                if received.len() <= self.target.len() || !received.starts_with(&self.target) {
                    return Some(format!("target was {}, received as {received}", self.target));
                }
            }
            Grows::Headers | Grows::Body => sent.push(("target", Value::from(self.target.as_str()))),
        }
        match grows {
            Grows::Body => {
                let received = report.received("body_length").as_u64().unwrap_or_default();
                if received <= self.body.len() as u64 {
                    return Some(format!("body had {} bytes, received {received}", self.body.len()));
                }
            }
            Grows::Headers | Grows::Target => {
                sent.extend([("body_length", self.body.len().into()), ("body_sha256", hash.into())]);
            }
        }
        let (what, sent) = sent.into_iter().find(|(what, sent)| report.received(what) != sent)?;
        Some(format!("{what} was {sent}, received as {}", report.received(what)))
    }
}

/// To which part of a request something was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grows {
    Headers,
    Target,
    Body,
}

/// Anything that may legally be sent.
pub fn odd(dice: &mut Dice, account: &Account) -> Draft {
    let method = dice.pick(ODD_METHODS);
    let target = odd_target(dice, account);
    let (content_type, body) = match dice.below(3) {
        0 => (None, Bytes::new()),
        1 => (Some(dice.pick(FORM_TYPES)), odd_form(dice)),
        _ => (OTHER_TYPES[dice.below(OTHER_TYPES.len())], other_body(dice)),
    };
    Draft { method: method.parse().expect("a method"), target, content_type, body }
}

/// The same, but always a form.
pub fn odd_form_request(dice: &mut Dice, account: &Account) -> Draft {
    let method = dice.pick(ODD_METHODS).parse().expect("a method");
    let target = odd_target(dice, account);
    Draft { method, target, content_type: Some(dice.pick(FORM_TYPES)), body: odd_form(dice) }
}

/// What clients usually send.
pub fn ordinary(dice: &mut Dice, account: &Account) -> Draft {
    let method = dice.pick(&["GET", "POST", "PUT", "DELETE"]);
    let target = ordinary_target(dice, account);
    let (content_type, body) = match (method, dice.below(3)) {
        ("POST" | "PUT", 0) => (Some(FORM), ordinary_form(dice)),
        ("POST" | "PUT", 1) => (Some("application/json"), Bytes::from_static(br#"{"title": "a & b"}"#)),
        _ => (None, Bytes::new()),
    };
    Draft { method: method.parse().expect("a method"), target, content_type, body }
}

/// The same, but always a form that is posted.
pub fn ordinary_form_request(dice: &mut Dice, account: &Account) -> Draft {
    let target = ordinary_target(dice, account);
    let body = ordinary_form(dice);
    Draft { method: Method::POST, target, content_type: Some(FORM), body }
}

/// An account with odd names and secrets.
pub fn odd_account(dice: &mut Dice, number: usize) -> Account {
    let name = |dice: &mut Dice, what: &str| format!("{what}{number}{}", dice.text(ODD_NAMES, 5));
    Account {
        client_key: name(dice, "client"),
        client_secret: name(dice, "secret"),
        // A token's secret may be empty.
        token: (!dice.once_in(3)).then(|| (name(dice, "token"), dice.text(ODD_NAMES, 5))),
    }
}

/// Pieces of a query. Only letters that cannot make up a name that begins with `oauth_`.
const ODD_QUERY: &[&str] = &[
    "a", "b", "z", "A", "0", "9", "-", ".", "_", "~", "realm", "+", "%20", "%2B", "%2b", "%26", "%3D", "%25",
    "%2525", "%00", "%7E", "%41", "%C3%A9", "%c3%a9", "é", "ブ", "%E9", "%C3", "%zz", "%", "%4", "!", "'",
    "(", ")", "*", ",", ";", ":", "@", "/", "?", "$", "[", "]", "{", "}", "|", "^", "`", "\\", "=",
];

const ODD_PATH: &[&str] = &[
    "a", "b", "Z", "0", "-", ".", "..", "_", "~", "/", "//", "%20", "%2F", "%2f", "%3F", "%25", "%41",
    "%C3%A9", "é", "ブ", "%E9", "%zz", "%", "!", "'", "(", ")", "*", ",", ";", ";a=b", ":", "@", "$", "&",
    "+", "=", "|",
];

/// What a form may have besides: characters that a URI may not, and bytes that are not text.
const ODD_FORM: &[&str] = &["<", ">", "\"", "#", " ", "\n", "\r", "\0", "\t"];

const ODD_NAMES: &[&str] =
    &["a", "Z", "0", "%41", "%", "&", "=", "+", " ", "\"", "\\", ",", "/", "é", "ブ", "~", "'", "*"];

const ODD_METHODS: &[&str] = &["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "PURGE", "get"];

const FORM: &str = "application/x-www-form-urlencoded";

const FORM_TYPES: &[&str] = &[
    FORM,
    "application/x-www-form-urlencoded; charset=utf-8",
    "application/x-www-form-urlencoded;charset=UTF-8",
    "Application/X-WWW-Form-URLEncoded",
    "application/x-www-form-urlencoded ; a=\"b;c\"",
];

const OTHER_TYPES: &[Option<&str>] = &[
    None,
    Some("application/json"),
    Some("text/plain; a=application/x-www-form-urlencoded"),
    Some("application/x-www-form-urlencoded-not"),
    Some("application/octet-stream"),
    Some("multipart/form-data; boundary=b"),
];

fn odd_target(dice: &mut Dice, account: &Account) -> String {
    let path = format!("{}/{}", account.path_prefix(), dice.text(ODD_PATH, 6));
    if dice.once_in(4) { path } else { format!("{path}?{}", pairs(dice, &[ODD_QUERY])) }
}

/// Up to six pairs out of the pieces: some names twice, some without `=`, some empty.
fn pairs(dice: &mut Dice, pieces: &[&[&str]]) -> String {
    let pieces = pieces.concat();
    let names: Vec<String> = (0..3).map(|_| dice.text(&pieces, 3)).collect();
    let pair = |dice: &mut Dice| {
        let name = &names[dice.below(names.len())];
        if dice.once_in(6) { name.clone() } else { format!("{name}={}", dice.text(&pieces, 4)) }
    };
    let count = dice.below(7);
    (0..count).map(|_| pair(dice)).collect::<Vec<_>>().join("&")
}

fn odd_form(dice: &mut Dice) -> Bytes {
    let mut form = pairs(dice, &[ODD_QUERY, ODD_FORM]).into_bytes();
    if dice.once_in(4) {
        form.extend([b'&', 0xE9, b'=', 0xC3, b'%', b'A', b'9', 0xFF]);
    }
    form.into()
}

/// A body that must arrive as it is, and that would change the signature if it were read as a form.
fn other_body(dice: &mut Dice) -> Bytes {
    match dice.below(3) {
        0 => Bytes::from_static(b"a=b&c=d"),
        1 => (0..dice.below(20_000)).map(|_| dice.below(256) as u8).collect::<Vec<u8>>().into(),
        _ => Bytes::from_static(b"{\"a\": [1, 2, 3]}"),
    }
}

/// Characters and escapes as everybody writes them.
const ORDINARY: &[&str] = &["a", "Z", "0", "-", ".", "_", "%20", "%26", "%3D", "%2B"];

/// In a query, Authlib as it comes sees these decoded by Flask, and refuses them.
const ORDINARY_IN_FORMS: &[&str] = &["%C3%A9", "%E3%83%96", "+"];

fn ordinary_target(dice: &mut Dice, account: &Account) -> String {
    let path = format!("{}/photos", account.path_prefix());
    if dice.once_in(2) { path } else { format!("{path}?{}", ordinary_pairs(dice, ORDINARY)) }
}

fn ordinary_form(dice: &mut Dice) -> Bytes {
    ordinary_pairs(dice, &[ORDINARY, ORDINARY_IN_FORMS].concat()).into()
}

/// Pairs with distinct names.
fn ordinary_pairs(dice: &mut Dice, pieces: &[&str]) -> String {
    let names = ["b", "a2", "title", "c%40"];
    let count = dice.below(names.len()) + 1;
    let pairs: Vec<_> =
        names[..count].iter().map(|name| format!("{name}={}", dice.text(pieces, 6))).collect();
    pairs.join("&")
}
