//! Any other grant, by name and parameters (RFC 6749 §4.5).
