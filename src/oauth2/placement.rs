//! Where on a request the token goes.
