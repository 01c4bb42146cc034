//! The JWT bearer grant (RFC 7523 §2.1).
