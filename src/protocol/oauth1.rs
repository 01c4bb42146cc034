//! OAuth 1.0a (RFC 5849): bytes in, bytes out.
//!
//! | module | of RFC 5849 |
//! |---|---|
//! | `encode` | §3.6 percent-encoding, and the decoding of forms |
//! | `params`, `entry` | §3.4.1.3 the request's parameters, collected, encoded, sorted |
//! | `base_string` | §3.4.1 method, base string URI, parameters |
//! | `signature` | §3.4.2–4 the trait for signature methods, and the methods |
//! | `body_hash` | draft-eaton-oauth-bodyhash |
//! | `header` | §3.5 where the protocol parameters go |
//! | `sign` | §3.1 all of it in order |
//! | `token_response` | §2.1, §2.3 the answers of the provider to requests for tokens |
//! | `callback` | §2.2 what comes back from the resource owner's approval |
//! | `problem` | OAuth Problem Reporting: why a request was refused |
//! | `template`, `buffer`, `scratch` | texts that are written once, buffers that are written quickly and used again |

pub(crate) mod base_string;
pub(crate) mod body_hash;
pub(crate) mod buffer;
pub(crate) mod callback;
pub(crate) mod encode;
pub(crate) mod entry;
pub(crate) mod header;
pub(crate) mod params;
pub(crate) mod problem;
pub(crate) mod scratch;
pub(crate) mod sign;
pub(crate) mod signature;
pub(crate) mod template;
pub(crate) mod token_response;

#[cfg(test)]
mod tests;
