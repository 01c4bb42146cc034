//! What is answered when nothing could be signed.

use serde_json::{Value, json};
use tower_oauth::{ConfigError, Error};

#[derive(Debug)]
pub struct Failure {
    kind: &'static str,
    message: String,
}

impl Failure {
    pub fn new(kind: &'static str, message: impl ToString) -> Self {
        Self { kind, message: message.to_string() }
    }

    pub fn into_json(self, id: Value) -> Value {
        json!({ "id": id, "error": { "kind": self.kind, "message": self.message } })
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::new(error.kind().as_str(), error)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let kind = match error {
            ConfigError::UnreadableKey { .. } => "unreadable_key",
            _ => "invalid_parameter",
        };
        Self::new(kind, error)
    }
}
