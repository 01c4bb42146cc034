//! JSON Web Tokens as assertions (RFC 7519, RFC 7523 §3).
