//! What a grant asks its token endpoint for: the part that the grants share.

use crate::endpoint::TokenEndpoint;
use crate::endpoint::push_scope;
use crate::error::Error;
use crate::grant::refresh_token::renew_or_begin;
use crate::protocol::oauth2::form::Form;
use crate::token::AccessScope;
use crate::token::SourceRequest;
use crate::token::Token;

/// An endpoint, what is asked of it when a request asks for nothing in particular, and parameters of one's own.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) endpoint: TokenEndpoint,
    scope: AccessScope,
    parameters: Vec<(String, String)>,
}

impl Wanted {
    pub(super) fn at(endpoint: TokenEndpoint) -> Self {
        Self { endpoint, scope: AccessScope::new(), parameters: Vec::new() }
    }

    pub(super) fn scope(&mut self, scope: &str) {
        self.scope = self.scope.scope(scope);
    }

    pub(super) fn resource(&mut self, resource: impl Into<String>) {
        self.scope = self.scope.resource(resource);
    }

    pub(super) fn parameter(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.parameters.push((name.into(), value.into()));
    }

    /// The token that the refresh token of this grant gives, or else what `fill` asks for.
    ///
    /// `fill` adds the parameters of the grant to the form, and is called only if there is no refresh token, or it is of no
    /// more use.
    pub(super) async fn token<A>(
        &self,
        grant_type: &str,
        request: &SourceRequest,
        fill: impl FnOnce(Form) -> A + Send,
    ) -> Result<Token, Error>
    where
        A: Future<Output = Result<Form, Error>> + Send,
    {
        renew_or_begin(&self.endpoint, request, async {
            let mut form = fill(Form::new(grant_type)).await?;
            push_scope(&mut form, request, &self.scope);
            for (name, value) in &self.parameters {
                form.push(name.clone(), value);
            }
            self.endpoint.exchange(form).await
        })
        .await
    }
}
