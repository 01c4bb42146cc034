//! What is asked for.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use super::failure::Failure;

/// A request, and how it is to be signed. What may be null may be left out too.
#[derive(Debug, Deserialize)]
pub struct Input {
    pub method: String,
    /// As it was typed: with query and fragment, in any case.
    pub url: String,
    /// A `Host` header, which counts for more than the host of the URL.
    pub host_header: Option<String>,
    pub content_type: Option<String>,
    pub body: Option<String>,
    /// A body that is no UTF-8, in base64.
    pub body_base64: Option<String>,

    pub client_key: String,
    /// May be null for the RSA methods only.
    pub client_secret: Option<String>,
    /// Null sends no `oauth_token`.
    pub token: Option<String>,
    pub token_secret: Option<String>,

    pub signature_method: String,
    /// For the RSA methods: the name of a file in the folder of keys, without `.pem`.
    pub rsa_key: Option<String>,
    #[serde(default)]
    pub placement: Placement,
    pub realm: Option<String>,
    pub callback: Option<String>,
    pub verifier: Option<String>,
    pub nonce: String,
    /// Seconds since 1970.
    pub timestamp: String,
    /// Whether `oauth_version` is sent, which it is by default.
    #[serde(default = "yes")]
    pub version: bool,
    /// The digest for `oauth_body_hash`. Null sends none.
    pub body_hash: Option<BodyHash>,
    /// Names and values of further protocol parameters.
    #[serde(default)]
    pub extra: Vec<(String, String)>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Placement {
    Body,
    #[default]
    Header,
    Query,
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub enum BodyHash {
    #[serde(rename = "SHA-1")]
    Sha1,
    #[serde(rename = "SHA-256")]
    Sha256,
    #[serde(rename = "SHA-512")]
    Sha512,
}

fn yes() -> bool {
    true
}

/// A line, as far as it was read.
#[derive(Default)]
struct Line {
    id: Value,
    input: Value,
}

/// The `id` of a line, or null, and its `input`. The `id` is there even if something behind it is wrong.
pub fn read(line: &[u8]) -> (Value, Result<Input, Failure>) {
    let mut members = Line::default();
    let mut json = serde_json::Deserializer::from_slice(line);
    let read = json.deserialize_map(Members(&mut members)).and_then(|()| json.end());
    let input = match read {
        Err(error) if error.is_data() => Err(Failure::new("invalid_input", error)),
        Err(error) => Err(Failure::new("invalid_json", error)),
        Ok(()) if members.input.is_object() => {
            serde_json::from_value(members.input).map_err(|error| Failure::new("invalid_input", error))
        }
        Ok(()) => Err(Failure::new("invalid_input", "`input` is no object")),
    };
    (members.id, input)
}

/// Fills in the members of an object as they come, and skips the others whatever they hold.
struct Members<'a>(&'a mut Line);

impl<'de> Visitor<'de> for Members<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object with `id` and `input`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "id" => self.0.id = map.next_value()?,
                "input" => self.0.input = map.next_value()?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}
