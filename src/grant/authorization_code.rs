//! The authorization code grant (RFC 6749 §4.1) with PKCE (RFC 7636).
