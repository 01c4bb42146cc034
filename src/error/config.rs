//! Mistakes that are found while something is built.

use std::fmt;

/// A value that cannot be built as asked. Each message says how to put it right.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// The text is not an origin (`https://host` or `https://host:port`).
    InvalidOrigin {
        /// The text as given.
        origin: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A list of origins is empty.
    NoOrigins,
    /// The URL of an endpoint cannot be used.
    InvalidEndpoint {
        /// The URL as given, without its query.
        endpoint: String,
        /// What is wrong with it.
        reason: &'static str,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidOrigin { origin, reason } => write!(
                formatter,
                "`{origin}` is not an origin: {reason}; write `https://host` or `https://host:port`"
            ),
            Self::NoOrigins => formatter.write_str(
                "the list of origins is empty, so nothing could ever be sent; name at least one origin",
            ),
            Self::InvalidEndpoint { endpoint, reason } => write!(
                formatter,
                "`{endpoint}` cannot be used as an endpoint: {reason}; write an absolute URL such as \
                 `https://auth.example.com/token`"
            ),
        }
    }
}

impl std::error::Error for ConfigError {}
