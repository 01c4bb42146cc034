//! Pages that belong to no single module.

#[cfg(all(
    feature = "client",
    feature = "jwt",
    feature = "oauth1",
    feature = "reqwest",
    feature = "rsa",
    feature = "testing"
))]
#[doc = include_str!("../docs/coming_from.md")]
pub mod coming_from {}

#[doc = include_str!("../docs/defaults.md")]
pub mod defaults {}

#[cfg(feature = "oauth2")]
#[doc = include_str!("../docs/fleet.md")]
pub mod fleet {}

#[cfg(feature = "oauth2")]
#[doc = include_str!("../docs/observability.md")]
pub mod observability {}

#[doc = include_str!("../docs/performance.md")]
pub mod performance {}

#[cfg(feature = "oauth2")]
#[doc = include_str!("../docs/refreshing.md")]
pub mod refreshing {}

// Its examples run in `tests/stacks`, where the SDKs are.
#[cfg_attr(not(doctest), doc = include_str!("../docs/stacks.md"))]
pub mod stacks {}

#[cfg(feature = "client")]
#[doc = include_str!("../docs/tutorials/README.md")]
pub mod tutorials {
    #[cfg(all(feature = "loopback", feature = "oauth1"))]
    #[doc = include_str!("../docs/tutorials/bitbucket.md")]
    pub mod bitbucket {}

    #[cfg(feature = "loopback")]
    #[doc = include_str!("../docs/tutorials/corporate_proxy.md")]
    pub mod corporate_proxy {}

    #[cfg(feature = "oauth2")]
    #[doc = include_str!("../docs/tutorials/facebook.md")]
    pub mod facebook {}

    #[cfg(feature = "oauth2")]
    #[doc = include_str!("../docs/tutorials/fitbit.md")]
    pub mod fitbit {}

    #[cfg(feature = "loopback")]
    #[doc = include_str!("../docs/tutorials/github.md")]
    pub mod github {}

    #[cfg(all(feature = "file", feature = "loopback"))]
    #[doc = include_str!("../docs/tutorials/google.md")]
    pub mod google {}

    #[cfg(feature = "oauth2")]
    #[doc = include_str!("../docs/tutorials/linkedin.md")]
    pub mod linkedin {}

    #[cfg(all(feature = "jwt", feature = "loopback"))]
    #[doc = include_str!("../docs/tutorials/microsoft.md")]
    pub mod microsoft {}

    #[cfg(feature = "oauth2")]
    #[doc = include_str!("../docs/tutorials/mutual_tls.md")]
    pub mod mutual_tls {}

    #[cfg(feature = "jwt")]
    #[doc = include_str!("../docs/tutorials/service_account.md")]
    pub mod service_account {}

    #[cfg(feature = "oauth1")]
    #[doc = include_str!("../docs/tutorials/tumblr.md")]
    pub mod tumblr {}

    #[cfg(feature = "oauth2")]
    #[doc = include_str!("../docs/tutorials/web_application.md")]
    pub mod web_application {}

    #[cfg(all(feature = "loopback", feature = "oauth1"))]
    #[doc = include_str!("../docs/tutorials/x.md")]
    pub mod x {}
}
