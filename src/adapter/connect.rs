//! How the client comes to a connection: straight to the host, or through a proxy.

use std::future::Future;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use tower::BoxError;
use tower::Service;

use crate::adapter::Proxy;
use crate::error::Error;
use crate::error::ErrorKind;
use crate::origin::Origin;

/// What TCP gives.
type Stream = <HttpConnector as Service<Uri>>::Response;

type Connecting<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

/// Opens connections, through a proxy where one is set and meant for the target.
#[derive(Clone, Debug)]
pub(super) struct Route {
    tcp: HttpConnector,
    proxy: Option<Proxy>,
}

impl Route {
    pub(super) fn new(tcp: HttpConnector, proxy: Option<Proxy>) -> Self {
        Self { tcp, proxy }
    }
}

impl Service<Uri> for Route {
    type Response = Stream;
    type Error = BoxError;
    type Future = Connecting<Stream>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.tcp.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        let Some(proxy) = self.proxy.as_ref().filter(|proxy| proxy.is_for(&target)) else {
            let connecting = self.tcp.call(target);
            return Box::pin(async move { connecting.await.map_err(Into::into) });
        };
        let mut tunnel = Tunnel::new(proxy.uri().clone(), self.tcp.clone());
        if let Some(authorization) = proxy.authorization() {
            tunnel = tunnel.with_auth(authorization.clone());
        }
        let opening = tunnel.call(with_port(target));
        let proxy = proxy.uri().clone();
        Box::pin(async move {
            opening.await.map_err(|error| {
                let detail = format!("the proxy {proxy} did not open a tunnel ({error})");
                Error::new(ErrorKind::Transport).detail(detail).caused_by(error).into()
            })
        })
    }
}

/// The same target with its port written out: a tunnel without one is taken to be for 443.
fn with_port(target: Uri) -> Uri {
    let Some(origin) = Origin::of(&target) else { return target };
    let authority = format!("{}:{}", origin.host(), origin.port());
    Uri::builder().scheme(origin.scheme()).authority(authority).path_and_query("/").build().unwrap_or(target)
}

/// A connector that gives up after a time, with all that belongs to connecting: names, TCP, the tunnel, TLS.
#[derive(Clone, Debug)]
pub(super) struct Bounded<C> {
    connector: C,
    limit: Duration,
}

impl<C> Bounded<C> {
    pub(super) fn new(connector: C, limit: Duration) -> Self {
        Self { connector, limit }
    }
}

impl<C> Service<Uri> for Bounded<C>
where
    C: Service<Uri, Error = BoxError>,
    C::Future: Send + 'static,
    C::Response: 'static,
{
    type Response = C::Response;
    type Error = BoxError;
    type Future = Connecting<C::Response>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.connector.poll_ready(context)
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        let limit = self.limit;
        let connecting = self.connector.call(target);
        Box::pin(async move {
            tokio::time::timeout(limit, connecting).await.unwrap_or_else(|_| {
                Err(Error::new(ErrorKind::Timeout).detail(format!("no connection within {limit:?}")).into())
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tunnel_is_for_the_port_of_the_scheme_when_none_is_written() {
        for (target, expected) in [
            ("http://a.test/x?y", "http://a.test:80/"),
            ("https://a.test", "https://a.test:443/"),
            ("https://[::2]:8443/x", "https://[::2]:8443/"),
        ] {
            assert_eq!(with_port(target.parse().unwrap()), expected);
        }
    }
}
