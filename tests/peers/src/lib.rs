//! The real peers that the tests of this crate talk to: verifiers and servers that somebody else wrote.
//!
//! | module | what is in it |
//! |---|---|
//! | [`process`] | a peer as a process of its own: started on a free port, ended with the test |
//! | [`oauth1`] | two verifiers of OAuth 1.0a, oauthlib and Authlib, each strict or as it comes |
//! | [`oidc_provider`] | the authorization server oidc-provider with a protected resource |
//! | [`program`] | any of the examples, as a process of its own |
//! | [`fleet`] | the example `fleet`, as a process of its own |
//! | [`oauth2_servers`] | three more authorization servers: Authlib, django-oauth-toolkit, and one for token exchange |
//! | [`http_client`] | the HTTP client under the layers, and one answer read to its end |
//! | [`browser`] | just enough of a browser to log in |
//! | [`chromium`] | a real browser, without a window |
//! | [`dice`] | randomness that comes out the same for the same seed |
//! | [`requests`] | random requests, odd or ordinary |
//! | [`passed`] | the table of grants, ways to prove who a client is, and peers |
//!
//! `./scripts/test --only setup` installs the peers. A peer that cannot start is a failed test, never a
//! skipped one: everything here panics, with what the peer said, when it cannot do its work.

pub mod browser;
pub mod chromium;
pub mod dice;
pub mod fleet;
pub mod http_client;
pub mod oauth1;
pub mod oauth2_servers;
pub mod oidc_provider;
pub mod passed;
pub mod process;
pub mod program;
pub mod requests;
