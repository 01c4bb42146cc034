//! Finds the endpoints of an issuer (RFC 8414, OpenID Connect Discovery).
