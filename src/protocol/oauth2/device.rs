//! What a device authorization endpoint answers (RFC 8628 §3.2).
