//! How a token request is written: its method, its body, and the names of its parameters.
