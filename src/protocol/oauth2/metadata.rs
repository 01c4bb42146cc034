//! The metadata of an authorization server (RFC 8414 §2).
