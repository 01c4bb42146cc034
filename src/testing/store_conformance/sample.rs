//! Records to store, and what is done with them in most checks.

use serde_json::Value;
use serde_json::json;

use crate::testing::store_conformance::Outcome;
use crate::testing::store_conformance::Subject;
use crate::testing::store_conformance::answered;
use crate::testing::store_conformance::ensure;
use crate::token::Record;
use crate::token::Swap;
use crate::token::TokenKey;
use crate::token::TokenStore;

/// A record with a refresh token that is told from others by `mark`.
pub(super) fn record(generation: u64, mark: &str) -> Result<Record, String> {
    read(json!({
        "version": 1,
        "generation": generation,
        "refresh_token": format!("refresh-{mark}"),
        "tokens": [{ "access_token": format!("access-{mark}"), "token_type": "Bearer" }],
    }))
}

/// A record with something in every field, and with every kind of letter.
pub(super) fn full_record(generation: u64, padding: &str) -> Result<Record, String> {
    let letters = "\"\\/\u{8}\n\r\t\0 'Ω €\u{10ffff}\u{2028} %s $1 :name ?";
    read(json!({
        "version": 1,
        "generation": generation,
        "refresh_token": format!("refresh {letters}"),
        "refresh_expires_at": 1_900_000_000_123_u64,
        "rotates": true,
        "from_login": true,
        "tokens": [
            {
                "asked_scope": ["read", "write"],
                "asked_resource": ["https://api.example.com/?a=b&c=d#e"],
                "access_token": format!("access {letters}{padding}"),
                "token_type": "Bearer",
                "obtained_at": 1_800_000_000_001_u64,
                "expires_at": 1_800_000_600_999_u64,
                "refresh_in": 300,
                "scope": ["read"],
                "extra": {
                    "instance_url": "https://eu7.example.com",
                    "id": 9_007_199_254_740_993_u64,
                    "deep": { "list": [null, true, -1, 1.5, letters], "": {} },
                },
            },
            { "access_token": "access of no scope", "token_type": "bearer", "expires_at": -1 },
        ],
    }))
}

fn read(json: Value) -> Result<Record, String> {
    answered("Record::from_json", Record::from_json(&json.to_string()))
}

impl<S: TokenStore> Subject<S> {
    /// What both who opened the store find, which must be the same.
    pub(super) async fn load(&self, key: &TokenKey) -> Result<Option<Record>, String> {
        let one = answered("load", self.one.load(key).await)?;
        let other = answered("load", self.other.load(key).await)?;
        ensure(one == other, || "who opened the store twice loads two different records".to_owned())?;
        Ok(one)
    }

    /// That a record, or none, is what is there.
    pub(super) async fn expect(&self, key: &TokenKey, expected: Option<&Record>) -> Outcome {
        let stored = self.load(key).await?;
        ensure(stored.as_ref() == expected, || {
            format!("{} is stored, and {} was expected", brief(stored.as_ref()), brief(expected))
        })
    }

    /// Stores a record, which must work.
    pub(super) async fn put(&self, key: &TokenKey, expected: Option<u64>, record: &Record) -> Outcome {
        let swap = answered("compare_and_swap", self.one.compare_and_swap(key, expected, record).await)?;
        ensure(swap == Swap::Stored, || {
            format!("a swap that expects generation {expected:?} gives {}", brief_swap(&swap))
        })
    }

    /// Tries to store a record, which must not work and change nothing.
    pub(super) async fn refuse(
        &self,
        key: &TokenKey,
        expected: Option<u64>,
        record: &Record,
        there: Option<&Record>,
    ) -> Outcome {
        let swap = answered("compare_and_swap", self.other.compare_and_swap(key, expected, record).await)?;
        ensure(swap == Swap::Conflict(there.cloned()), || {
            let swap = brief_swap(&swap);
            format!(
                "a swap that expects generation {expected:?} where {} is stored gives {swap}",
                brief(there)
            )
        })?;
        self.expect(key, there).await
    }

    /// Deletes what a check has made.
    pub(super) async fn tidy(&self, key: &TokenKey) -> Outcome {
        if let Some(record) = self.load(key).await? {
            answered("delete_if", self.one.delete_if(key, record.generation()).await)?;
        }
        Ok(())
    }
}

pub(super) fn brief(record: Option<&Record>) -> String {
    record.map_or_else(|| "nothing".to_owned(), |record| format!("generation {}", record.generation()))
}

pub(super) fn brief_swap(swap: &Swap) -> String {
    match swap {
        Swap::Stored => "`Stored`".to_owned(),
        Swap::Conflict(record) => format!("a conflict with {}", brief(record.as_ref())),
    }
}
