//! aws-smithy's identity cache, which all of Amazon's SDKs share.

use std::fmt;
use std::time::Duration;
use std::time::SystemTime;

use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_async::time::SystemTimeSource;
use aws_smithy_runtime::client::identity::IdentityCache;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_runtime_api::client::identity::IdentityFuture;
use aws_smithy_runtime_api::client::identity::ResolveCachedIdentity;
use aws_smithy_runtime_api::client::identity::ResolveIdentity;
use aws_smithy_runtime_api::client::identity::SharedIdentityCache;
use aws_smithy_runtime_api::client::identity::SharedIdentityResolver;
use aws_smithy_runtime_api::client::identity::http::Token;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_types::config_bag::ConfigBag;
use http::HeaderValue;
use tokio::runtime::Handle;

use crate::peers::Endpoint;
use crate::peers::Peer;
use crate::peers::bearer;
use crate::peers::text;

/// The cache with its defaults, and what an SDK gives it at each request.
pub(crate) struct Aws {
    cache: SharedIdentityCache,
    /// Each has a place of its own in the cache.
    resolvers: Vec<SharedIdentityResolver>,
    components: RuntimeComponents,
    config: ConfigBag,
    runtime: Handle,
}

impl Peer for Aws {
    const NAME: &'static str = "aws-smithy identity cache";

    async fn open(endpoint: &Endpoint) -> Result<Self, String> {
        Self::with_tenants(endpoint, 1)
    }

    async fn header(&self) -> Result<HeaderValue, String> {
        self.header_of(0).await
    }

    fn settle(&self) {
        // It makes a timer at each request. The thread ends with the runtime entered.
        std::mem::forget(self.runtime.enter());
    }
}

impl Aws {
    /// One with an identity for each tenant.
    pub(crate) fn with_tenants(endpoint: &Endpoint, tenants: usize) -> Result<Self, String> {
        // Of what an SDK's code generator fills in, the cache looks at these two only.
        let components = RuntimeComponentsBuilder::for_tests()
            .with_time_source(Some(SystemTimeSource::new()))
            .with_sleep_impl(Some(TokioSleep::new()));
        let resolver = |_| SharedIdentityResolver::new(InProcess(endpoint.clone()));
        Ok(Self {
            cache: IdentityCache::lazy().build(),
            resolvers: (0..tenants).map(resolver).collect(),
            components: components.build().map_err(text)?,
            config: ConfigBag::base(),
            runtime: Handle::current(),
        })
    }

    /// The header for a request of one tenant.
    pub(crate) async fn header_of(&self, tenant: usize) -> Result<HeaderValue, String> {
        let resolver = self.resolvers.get(tenant).ok_or("no such tenant")?.clone();
        let cached = self.cache.resolve_cached_identity(resolver, &self.components, &self.config);
        let identity = cached.await.map_err(text)?;
        bearer(identity.data::<Token>().ok_or("another kind of identity")?.token())
    }
}

/// Its resolvers have no endpoint but Amazon's, so the endpoint is put in place of one.
struct InProcess(Endpoint);

impl fmt::Debug for InProcess {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("InProcess")
    }
}

impl ResolveIdentity for InProcess {
    fn resolve_identity<'a>(&'a self, _: &'a RuntimeComponents, _: &'a ConfigBag) -> IdentityFuture<'a> {
        IdentityFuture::new(async {
            let answer: serde_json::Value = serde_json::from_str(&self.0.token().await)?;
            let token = answer["access_token"].as_str().ok_or_else(|| BoxError::from("no token"))?;
            let lifetime = answer["expires_in"].as_u64().map(Duration::from_secs);
            let expiration = lifetime.map(|lifetime| SystemTime::now() + lifetime);
            Ok(Identity::new(Token::new(token, expiration), expiration))
        })
    }
}
