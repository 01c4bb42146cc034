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
    /// An OAuth parameter cannot be sent.
    InvalidParameter {
        /// Its name, `realm` for the realm.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A token, or a header that goes with it, cannot be put where it was to go.
    InvalidPlacement {
        /// The name of the header, scheme or parameter as given.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A key for encrypting records cannot be used.
    InvalidEncryptionKey {
        /// What is wrong with it; nothing of the key itself.
        reason: &'static str,
    },
    /// A list of origins is empty.
    NoOrigins,
    /// A text cannot be the value of a header.
    InvalidHeader {
        /// The header's name.
        name: &'static str,
    },
    /// The URL of an endpoint cannot be used.
    InvalidEndpoint {
        /// The URL as given, without its query.
        endpoint: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The text is not an issuer identifier (RFC 8414 §2).
    InvalidIssuer {
        /// The text as given.
        issuer: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A proxy cannot be used.
    InvalidProxy {
        /// Its URL as given.
        proxy: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A setting has a value that it cannot have.
    InvalidSetting {
        /// Which one.
        name: &'static str,
        /// What is wrong with its value.
        reason: &'static str,
    },
    /// The server's metadata names no such endpoint.
    MissingEndpoint {
        /// Its name in the metadata, such as `revocation_endpoint`.
        name: &'static str,
        /// The server.
        issuer: String,
    },
    /// A private key cannot be read.
    UnreadableKey {
        /// What was found in its place; nothing of the key itself.
        found: String,
    },
    /// A service account cannot be read from its file.
    InvalidServiceAccount {
        /// What is wrong with the file; nothing of the key in it.
        reason: String,
    },
    /// A key cannot sign JWTs.
    UnusableSigningKey {
        /// What was found in its place; nothing of the key itself.
        found: String,
    },
    /// The server does not list the way in which the client proves who it is.
    UnsupportedClientAuth {
        /// The endpoint's URL, without its query.
        endpoint: String,
        /// The client's way, by its registered name, such as `client_secret_post`.
        method: String,
        /// What the server lists.
        supported: String,
    },
    /// A certificate, or the private key of one, cannot be used.
    UnusableCertificate {
        /// What it was to be.
        what: &'static str,
        /// What is wrong with it; nothing of a key.
        reason: String,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidOrigin { origin, reason } => write!(
                formatter,
                "`{origin}` is not an origin: {reason}; write `https://host` or `https://host:port`"
            ),
            Self::InvalidParameter { name, reason } => {
                write!(formatter, "the OAuth parameter `{}` cannot be sent: {reason}", name.escape_debug())
            }
            Self::InvalidPlacement { name, reason } => write!(
                formatter,
                "nothing can be put on requests under the name `{}`: {reason}; see `oauth2::Placement` for what can",
                name.escape_debug()
            ),
            Self::InvalidEncryptionKey { reason } => write!(formatter, "the key cannot encrypt: {reason}"),
            Self::NoOrigins => formatter.write_str(
                "the list of origins is empty, so nothing could ever be sent; name at least one origin",
            ),
            Self::InvalidHeader { name } => write!(
                formatter,
                "the text for the header `{name}` holds bytes that no header may carry; use visible ASCII and spaces"
            ),
            Self::InvalidEndpoint { endpoint, reason } => write!(
                formatter,
                "`{endpoint}` cannot be used as an endpoint: {reason}; write an absolute URL such as \
                 `https://auth.example.com/token`"
            ),
            Self::InvalidIssuer { issuer, reason } => {
                write!(
                    formatter,
                    "`{issuer}` is not an issuer: {reason}; write `https://host` or `https://host/path`"
                )
            }
            Self::InvalidProxy { proxy, reason } => {
                write!(formatter, "`{proxy}` cannot be used as a proxy: {reason}; write `http://host:port`")
            }
            Self::InvalidSetting { name, reason } => {
                write!(formatter, "the value of `{name}` cannot be used: {reason}")
            }
            Self::MissingEndpoint { name, issuer } => write!(
                formatter,
                "the metadata of `{}` has no `{name}`; if the server has one all the same, give its URL to the endpoint's \
                 own constructor",
                issuer.escape_debug()
            ),
            Self::UnsupportedClientAuth { endpoint, method, supported } => write!(
                formatter,
                "`{endpoint}` does not list {method}, but {}; use one of these, or if the list is wrong, give the URL to the \
                 endpoint's own constructor",
                supported.escape_debug()
            ),
            Self::UnusableCertificate { what, reason } => {
                write!(
                    formatter,
                    "the {what} cannot be used: {reason}; give PEM (`-----BEGIN …`), or DER where it is taken"
                )
            }
            Self::UnreadableKey { found } => write!(
                formatter,
                "this is not an RSA private key that can be used, but {found}; give one without a password, as PKCS#8 \
                 (`BEGIN PRIVATE KEY`) or PKCS#1 (`BEGIN RSA PRIVATE KEY`), in PEM or DER"
            ),
            Self::InvalidServiceAccount { reason } => write!(
                formatter,
                "this is not the file of a service account that can be used: {reason}; download a new key in JSON form"
            ),
            Self::UnusableSigningKey { found } => write!(
                formatter,
                "this is not a private key that can sign a JWT as asked, but {found}; give an RSA key of 2048 bits or more, \
                 an EC key (P-256, P-384) or an Ed25519 key, without a password, in PEM or DER, or as a JWK"
            ),
        }
    }
}

impl std::error::Error for ConfigError {}
