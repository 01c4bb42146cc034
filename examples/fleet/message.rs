//! What the parent and its workers say to each other: lines of JSON, through the worker's standard input and output.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde::{Deserialize, Serialize};
use tower_oauth::Secret;

use crate::arguments::StoreKind;

/// The first line to a worker.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Equipment {
    pub store: StoreKind,
    pub url: String,
    pub token_endpoint: String,
    pub client_id: String,
    pub client_secret: String,
    pub api: Option<String>,
    /// Whether it believes that it has every lease.
    pub sabotage: bool,
}

/// Every other line to a worker: get a token other than `previous`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Order {
    pub generation: u64,
    pub cause: Cause,
    /// The fingerprint of the token of the generation before.
    pub previous: String,
    /// How far the worker's clock is ahead: so tokens near their end without anybody waiting.
    pub ahead_millis: u64,
}

/// Why a new token is needed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Cause {
    /// It nears its end, and is still in use.
    Expiring,
    /// It has ended.
    Expired,
    /// Everybody asks for another.
    Forced,
    /// It was refused.
    Refused,
}

/// A worker's answer to an order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    pub generation: u64,
    pub outcome: Outcome,
    /// Since the last report: swaps that another process had come before.
    pub conflicts: u64,
    /// Errors that passed.
    pub errors: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Outcome {
    /// The fingerprint of the new token, which the API takes.
    Token(String),
    /// The grant has ended.
    LoginNeeded(String),
    Failed(String),
}

/// What tells tokens apart without giving them away.
pub fn fingerprint(token: &Secret) -> String {
    fingerprint_of(token.expose())
}

pub fn fingerprint_of(token: &str) -> String {
    // Without a random key, so that it is the same in all processes.
    let mut hasher = DefaultHasher::new();
    token.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
