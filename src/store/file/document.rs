//! What is in the file of tokens, as text.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::fmt::Write;

use serde::Deserialize;
use serde::Deserializer;
use serde::de::Error as _;
use serde::de::MapAccess;
use serde::de::Visitor;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::secret::Secret;

/// What the file calls itself.
const FORMAT: &str = "tower-oauth tokens";
/// The version that [`Document::write`] writes.
const VERSION: u32 = 1;
/// How many bytes from the beginning tell one writing of the file from every other: up to the end of the mark.
pub(super) const HEAD: usize = 67;

/// The records of all keys. Each stays the text that it is, so that one which this version cannot read is kept.
#[derive(Clone, Default)]
pub(super) struct Document {
    records: BTreeMap<Box<str>, Secret>,
}

impl Document {
    pub(super) fn get(&self, key: &str) -> Option<&Secret> {
        self.records.get(key)
    }

    pub(super) fn insert(&mut self, key: &str, record: Secret) {
        self.records.insert(key.into(), record);
    }

    pub(super) fn remove(&mut self, key: &str) {
        self.records.remove(key);
    }

    /// Reads what [`write`](Self::write) wrote; otherwise says what the text is instead, and shows nothing of it.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Err("is empty".to_owned());
        }
        match serde_json::from_str::<Stored<'_>>(text) {
            Ok(stored) if stored.format == FORMAT && stored.version == VERSION => {
                let owned =
                    |(key, record): (String, &RawValue)| (key.into_boxed_str(), Secret::new(record.get()));
                Ok(Self { records: stored.records.0.into_iter().map(owned).collect() })
            }
            Ok(stored) => Err(stranger(&stored.format, stored.version)),
            Err(error) => Err(match serde_json::from_str::<Header>(text) {
                Ok(header) if header.format != FORMAT || header.version != VERSION => {
                    stranger(&header.format, header.version)
                }
                // Of the parser's words, only those that quote nothing.
                _ => format!(
                    "is not a whole file of tokens (it goes wrong at line {} column {})",
                    error.line(),
                    error.column()
                ),
            }),
        }
    }

    /// The text of the file, one record on each line. `mark` makes it differ from all that were written before.
    pub(super) fn write(&self, mark: u64) -> Zeroizing<String> {
        let length: usize =
            self.records.iter().map(|(key, record)| 2 * key.len() + record.expose().len() + 16).sum();
        // In one piece, so that growing leaves no copies of secrets behind.
        let mut text = Zeroizing::new(String::with_capacity(length + 256));
        let _ =
            write!(text, r#"{{"format":"{FORMAT}","version":{VERSION},"mark":"{mark:016x}","records":{{"#);
        let mut separator = "\n";
        for (key, record) in &self.records {
            // A text always has a form in JSON.
            let key = serde_json::to_string(key).unwrap_or_default();
            let _ = write!(text, "{separator}{key}:{}", record.expose());
            separator = ",\n";
        }
        text.push_str("\n}}\n");
        text
    }
}

fn stranger(format: &str, version: u32) -> String {
    if format == FORMAT {
        format!("has version {version}, and this program knows version {VERSION}")
    } else {
        "is not a file of tokens".to_owned()
    }
}

#[derive(Deserialize)]
struct Header {
    format: String,
    version: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored<'a> {
    format: String,
    version: u32,
    #[serde(rename = "mark")]
    _mark: String,
    #[serde(borrow)]
    records: Records<'a>,
}

/// The records as they are written. A key that occurs twice is an error: one of the two would be lost.
struct Records<'a>(BTreeMap<String, &'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for Records<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Once;

        impl<'de> Visitor<'de> for Once {
            type Value = BTreeMap<String, &'de RawValue>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("records by key")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut records = BTreeMap::new();
                while let Some(key) = map.next_key::<String>()? {
                    match records.entry(key) {
                        Entry::Vacant(place) => place.insert(map.next_value()?),
                        Entry::Occupied(_) => return Err(A::Error::custom("a key occurs twice")),
                    };
                }
                Ok(records)
            }
        }

        deserializer.deserialize_map(Once).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(records: &[(&str, &str)]) -> Document {
        let mut document = Document::default();
        for (key, record) in records {
            document.insert(key, Secret::new(*record));
        }
        document
    }

    #[test]
    fn what_was_written_is_read_again() {
        let written = document(&[("alice", r#"{"a":1}"#), ("\"bob\"\n\0", "{}"), ("", "null")]);
        let read = Document::read(&written.write(7)).unwrap();
        assert_eq!(read.records, written.records);
    }

    #[test]
    fn two_writings_differ_in_their_heads() {
        let document = document(&[("alice", "{}")]);
        let (one, other) = (document.write(1), document.write(2));
        assert_ne!(one.get(..HEAD), other.get(..HEAD));
        assert_eq!(one.get(HEAD..HEAD + 1), Some("\""));
    }

    #[test]
    fn what_is_no_file_of_tokens_is_refused_in_words_that_show_nothing_of_it() {
        let whole = document(&[("alice", r#"{"refresh_token":"hunter2"}"#)]).write(1);
        let twice = whole.replace("\n}}", ",\n\"alice\":{}\n}}");
        let (newer, foreign) = (whole.replace(":1,", ":2,"), whole.replace("tower-oauth tokens", "hunter2"));
        for (text, words) in [
            ("", "is empty"),
            (" \n", "is empty"),
            (&whole[..whole.len() - 3], "is not a whole file of tokens (it goes wrong at line"),
            (&whole[..20], "is not a whole file of tokens"),
            (&twice, "is not a whole file of tokens"),
            (&format!("{}hunter2", *whole), "is not a whole file of tokens"),
            (&newer, "has version 2, and this program knows version 1"),
            (&foreign, "is not a file of tokens"),
            ("{\"format\":\"tower-oauth tokens\",\"version\":3,\"hunter2\":{}}", "has version 3"),
            ("[\"hunter2\"]", "is not a whole file of tokens"),
        ] {
            let Err(error) = Document::read(text) else { panic!("{text} was taken") };
            assert!(error.starts_with(words), "{text}: {error}");
            assert!(!error.contains("hunter2"));
        }
    }
}
