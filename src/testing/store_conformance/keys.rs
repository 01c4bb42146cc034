//! Checks of the names of keys.

use crate::testing::store_conformance::Outcome;
use crate::testing::store_conformance::Subject;
use crate::testing::store_conformance::answered;
use crate::testing::store_conformance::ensure;
use crate::testing::store_conformance::sample::record;
use crate::token::Swap;
use crate::token::TokenKey;
use crate::token::TokenStore;

/// Endings of names that are alike for something: a file system, a pattern, a normal form, a script.
const ALIKE: &[&str] = &[
    "a",
    "A",
    "á",
    "a\u{301}",
    "ａ",
    "a ",
    " a",
    "a\t",
    "a\n",
    "a.",
    "a/",
    "/a",
    "a/b",
    "a/../a",
    "..",
    "a\\",
    "a:b",
    "a%",
    "%61",
    "a_",
    "a*",
    "a?",
    "[a]",
    "{a}",
    "'a'",
    "\"a\"",
    "a'; --",
    "a\u{200b}",
    "ß",
    "ss",
    "ı",
    "i",
    "I",
    "İ",
    "😀",
    "a\u{1f}",
    "con",
    "nul",
];

impl<S: TokenStore> Subject<S> {
    pub(super) async fn keys_apart(&self) -> Outcome {
        let mut keys = Vec::new();
        for (ending, generation) in ALIKE.iter().zip(1..) {
            let record = record(generation, ending)?;
            keys.push((self.key(ending), record));
        }
        for (key, record) in &keys {
            self.put(key, None, record).await.map_err(|what| format!("with {key:?}, {what}"))?;
        }
        for (key, record) in &keys {
            self.expect(key, Some(record)).await.map_err(|what| format!("under {key:?}, {what}"))?;
        }
        for (place, (key, _)) in keys.iter().enumerate() {
            self.tidy(key).await?;
            for (other, record) in keys.iter().skip(place + 1).take(3) {
                let deleted =
                    |what| format!("after the record of {key:?} was deleted, under {other:?}, {what}");
                self.expect(other, Some(record)).await.map_err(deleted)?;
            }
        }
        Ok(())
    }

    pub(super) async fn odd_keys(&self) -> Outcome {
        let (plain, there) = (self.key("a"), record(1, "a")?);
        self.put(&plain, None, &there).await?;
        let long = self.key(&"a".repeat(10_000));
        let longer = self.key(&format!("{}b", "a".repeat(10_000)));
        // The empty name is nobody's own: what is there already is left alone.
        for (key, is_own) in [
            (self.key("a\0"), true),
            (self.key("a\0b"), true),
            (long, true),
            (longer, true),
            (TokenKey::new(""), false),
        ] {
            let before = self.one.load(&key).await;
            if before.is_err() || (!is_own && before.is_ok_and(|record| record.is_some())) {
                continue;
            }
            let own = record(2, "own")?;
            match self.one.compare_and_swap(&key, None, &own).await {
                Ok(Swap::Stored) => {
                    self.expect(&key, Some(&own)).await?;
                    self.expect(&plain, Some(&there)).await?;
                    self.tidy(&key).await?;
                    self.expect(&key, None).await?;
                }
                Ok(Swap::Conflict(_)) => return Err("a name is taken for another".to_owned()),
                // To refuse such a name is fine.
                Err(_) => {}
            }
            let found = answered("load", self.other.load(&plain).await)?;
            ensure(found.as_ref() == Some(&there), || "a name was cut off".to_owned())?;
        }
        self.tidy(&plain).await
    }
}
