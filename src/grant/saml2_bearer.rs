//! The SAML 2.0 bearer grant (RFC 7522 §2.1).
