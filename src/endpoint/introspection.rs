//! The introspection endpoint (RFC 7662).
