//! What is said of whose token it is.

use std::fmt;

use sha2::Digest;
use sha2::Sha256;

use crate::error::Error;
use crate::secret::Secret;
use crate::token_key::TokenKey;
use crate::token_key::hash_of;

/// What spans and events say of the [`TokenKey`](crate::TokenKey) that they are about; set by
/// [`TokenManagerBuilder::log_keys`](crate::token::TokenManagerBuilder::log_keys). Metrics never say anything of it.
///
/// Keys are tenants and users, and their names are often personal. Where a name is not to be shown, it is also taken out
/// of the texts of errors.
///
/// ```
/// use tower_oauth::token::{KeyNames, Token, TokenManager, token_source_fn};
///
/// let manager = TokenManager::builder(token_source_fn(|_| async { Ok(Token::new("token")) }))
///     .name("github")
///     .log_keys(KeyNames::Hashed)
///     .build();
/// # let _ = manager;
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum KeyNames {
    /// Nothing. The default.
    #[default]
    Hidden,
    /// 16 hexadecimal digits that are the same for the same name as long as this process runs, and mean nothing elsewhere:
    /// lines about one key can be told from others, and nobody can find the name by trying names.
    Hashed,
    /// The same with a secret of yours, in every process that has it (the first 64 bits of a SHA-256 of secret and name).
    /// Whoever has the secret can try names.
    HashedWith(Secret),
    /// The name.
    Shown,
}

impl KeyNames {
    /// What is said of `key`.
    pub(super) fn say(&self, key: &TokenKey) -> Option<String> {
        match self {
            Self::Hidden => None,
            Self::Hashed => Some(format!("{:016x}", hash_of(&("the name of a key", key.as_str())))),
            Self::HashedWith(secret) => Some(keyed(secret.expose(), key.as_str())),
            Self::Shown => Some(key.as_str().to_owned()),
        }
    }
}

fn keyed(secret: &str, name: &str) -> String {
    // Its length comes first, so that no part of the name can pass for a part of the secret.
    let hash = Sha256::new()
        .chain_update(u64::try_from(secret.len()).unwrap_or(u64::MAX).to_le_bytes())
        .chain_update(secret)
        .chain_update(name)
        .finalize();
    hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// The message of an error and its causes, in which the name of a key is what may be said of it.
pub(super) struct Told<'a> {
    pub(super) error: &'a Error,
    pub(super) key: &'a TokenKey,
    pub(super) key_names: &'a KeyNames,
}

impl fmt::Display for Told<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.error.to_string();
        let mut next = std::error::Error::source(self.error);
        while let Some(cause) = next {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            next = cause.source();
        }
        // The key of layers that have one identity says nothing of anybody, and is a word of messages.
        if matches!(self.key_names, KeyNames::Shown) || *self.key == TokenKey::default() {
            return formatter.write_str(&text);
        }
        let said = self.key_names.say(self.key).unwrap_or_else(|| "…".to_owned());
        let name = self.key.as_str();
        let quoted = format!("{name:?}");
        let escaped = quoted.trim_matches('"');
        let mut text = replace_words(&text, name, &said);
        if escaped != name {
            text = replace_words(&text, escaped, &said);
        }
        formatter.write_str(&text)
    }
}

/// Replaces `word` where it is not a part of a longer one.
fn replace_words(text: &str, word: &str, by: &str) -> String {
    if word.is_empty() {
        return text.to_owned();
    }
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(word) {
        let is_whole = !before.ends_with(char::is_alphanumeric) && !after.starts_with(char::is_alphanumeric);
        result.push_str(before);
        result.push_str(if is_whole { by } else { word });
        rest = after;
    }
    result.push_str(rest);
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn said(key_names: &KeyNames) -> Option<String> {
        key_names.say(&TokenKey::new("alice@example.com"))
    }

    #[test]
    fn a_name_is_said_only_when_asked_for() {
        assert_eq!(said(&KeyNames::default()), None);
        assert_eq!(said(&KeyNames::Shown).unwrap(), "alice@example.com");
        for hashed in [KeyNames::Hashed, KeyNames::HashedWith("secret".into())] {
            let hash = said(&hashed).unwrap();
            assert_eq!(hash.len(), 16);
            assert_eq!(Some(&hash), said(&hashed).as_ref());
            assert_ne!(Some(hash), hashed.say(&TokenKey::new("bob@example.com")));
        }
    }

    #[test]
    fn a_secret_makes_the_hash_that_every_process_with_it_makes() {
        // printf '\6\0\0\0\0\0\0\0secretalice@example.com' | sha256sum
        let hash = said(&KeyNames::HashedWith("secret".into())).unwrap();
        assert_eq!(hash, "270140e323f4a65b");
        assert_ne!(Some(hash), said(&KeyNames::HashedWith("other".into())));
    }

    #[test]
    fn a_name_is_taken_out_of_errors_unless_it_may_be_shown() {
        let told = |name: &str, detail: &'static str, key_names: &KeyNames| {
            let error = Error::new(ErrorKind::Store).detail(detail);
            Told { error: &error, key: &TokenKey::new(name), key_names }.to_string()
        };
        let detail = "the record of \"alice\" could not be read";
        assert!(!told("alice", detail, &KeyNames::Hidden).contains("alice"));
        assert!(!told("alice", detail, &KeyNames::Hashed).contains("alice"));
        assert!(told("alice", detail, &KeyNames::Shown).contains("alice"));
        // Of a quoted name with a letter that is escaped.
        assert!(!told("al\"ice", r#"the record of "al\"ice""#, &KeyNames::Hidden).contains("ice"));
        // A name that is a part of a word is not in there.
        assert!(told("a", detail, &KeyNames::Hidden).contains("read"));
    }
}
