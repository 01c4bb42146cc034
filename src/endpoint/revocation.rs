//! The revocation endpoint (RFC 7009).
