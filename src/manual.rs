//! Pages that belong to no single module.

#[doc = include_str!("../docs/defaults.md")]
pub mod defaults {}

#[cfg(feature = "oauth2")]
#[doc = include_str!("../docs/fleet.md")]
pub mod fleet {}

#[cfg(feature = "oauth2")]
#[doc = include_str!("../docs/refreshing.md")]
pub mod refreshing {}

#[cfg(feature = "client")]
#[doc = include_str!("../docs/tutorials/README.md")]
pub mod tutorials {
    #[cfg(all(feature = "loopback", feature = "oauth1"))]
    #[doc = include_str!("../docs/tutorials/bitbucket.md")]
    pub mod bitbucket {}

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

    #[cfg(feature = "oauth1")]
    #[doc = include_str!("../docs/tutorials/tumblr.md")]
    pub mod tumblr {}

    #[cfg(all(feature = "loopback", feature = "oauth1"))]
    #[doc = include_str!("../docs/tutorials/x.md")]
    pub mod x {}
}
