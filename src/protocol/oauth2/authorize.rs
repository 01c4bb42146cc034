//! Authorization requests and responses (RFC 6749 §4.1, RFC 9207).
