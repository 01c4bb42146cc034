//! A receiver of redirects for native applications (RFC 8252 §7.3).
