//! The registration endpoint (RFC 7591).
