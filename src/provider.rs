//! What is known of well-known providers: data, not code.
