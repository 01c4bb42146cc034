//! What a request to a token endpoint looks like, where RFC 6749 §3.2 is not what a provider wants.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::header::ACCEPT;
use http::header::AUTHORIZATION;
use http::header::CONNECTION;
use http::header::CONTENT_LENGTH;
use http::header::CONTENT_TYPE;
use http::header::HOST;
use http::header::TRANSFER_ENCODING;
use http::header::USER_AGENT;
use serde_json::Map;
use serde_json::Value;

use crate::error::ConfigError;
use crate::protocol::oauth2::form::Form;
use crate::secret::Secret;

/// How a token is asked for.
///
/// | what | default |
/// |---|---|
/// | method and place of the parameters | `POST`, a form in the body |
/// | `Accept` | `application/json` |
/// | `User-Agent` and other headers | none but what the HTTP client adds |
/// | names of parameters | those of RFC 6749 |
/// | between two scopes | a space |
///
/// ```
/// use tower_oauth::endpoint::RequestRules;
///
/// // Reddit blocks clients that do not say who they are.
/// let rules = RequestRules::new().user_agent("linux:com.example.reader:v1.2 (by /u/somebody)")?;
/// // TikTok for Business has names of its own, in JSON.
/// let business = RequestRules::new().json().rename("client_id", "app_id").rename("client_secret", "secret");
/// # let _ = (rules, business);
/// # Ok::<(), tower_oauth::ConfigError>(())
/// ```
#[derive(Clone, Default)]
pub struct RequestRules {
    format: Format,
    headers: HeaderMap,
    parameters: Vec<Parameter>,
    omitted: Vec<Cow<'static, str>>,
    renamed: Vec<(Cow<'static, str>, Cow<'static, str>)>,
    scope_separator: Option<Cow<'static, str>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Format {
    #[default]
    Form,
    Json,
    Query,
    Get,
}

#[derive(Clone)]
struct Parameter {
    /// The grant that it belongs to; `None` for all.
    grant_type: Option<Cow<'static, str>>,
    name: Cow<'static, str>,
    value: Secret,
}

/// Headers that follow from the body, from the URL, or from how the client proves who it is.
const TAKEN: [HeaderName; 6] =
    [AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, TRANSFER_ENCODING];

impl RequestRules {
    /// The request of RFC 6749.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts the parameters into the body as a form: the default.
    pub fn form(mut self) -> Self {
        self.format = Format::Form;
        self
    }

    /// Puts the parameters into the body as an object of JSON. A parameter that comes more than once is a list.
    pub fn json(mut self) -> Self {
        self.format = Format::Json;
        self
    }

    /// Puts the parameters into the query of the URL, and sends an empty body with `POST`. Secrets in a URL end up in
    /// logs of servers and proxies: only for a provider that leaves no choice.
    pub fn query(mut self) -> Self {
        self.format = Format::Query;
        self
    }

    /// Like [`query`](Self::query), with `GET`.
    pub fn get(mut self) -> Self {
        self.format = Format::Get;
        self
    }

    /// Adds a header. The value is not shown by `Debug`.
    ///
    /// # Errors
    /// [`ConfigError::InvalidSetting`] when it is no header, or one that others set: `Authorization` is the business of
    /// [`ClientAuth`](crate::ClientAuth), and `Content-Type`, `Content-Length`, `Host`, `Connection` and
    /// `Transfer-Encoding` follow from the rest.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, ConfigError> {
        let invalid = |reason| ConfigError::InvalidSetting { name: "header", reason };
        let name: HeaderName = name.parse().map_err(|_| invalid("the name is not that of a header"))?;
        if TAKEN.contains(&name) {
            return Err(invalid("it follows from the client authentication, the body or the URL"));
        }
        let mut value = HeaderValue::from_str(value)
            .map_err(|_| invalid("the value holds bytes that no header may carry"))?;
        value.set_sensitive(name != ACCEPT && name != USER_AGENT);
        self.headers.insert(name, value);
        Ok(self)
    }

    /// Sets `User-Agent`.
    ///
    /// # Errors
    /// As [`header`](Self::header).
    pub fn user_agent(self, value: &str) -> Result<Self, ConfigError> {
        self.header(USER_AGENT.as_str(), value)
    }

    /// Sets `Accept`.
    ///
    /// # Errors
    /// As [`header`](Self::header).
    pub fn accept(self, value: &str) -> Result<Self, ConfigError> {
        self.header(ACCEPT.as_str(), value)
    }

    /// Adds a parameter to every request, or replaces the grant's own. It is kept like a secret, in case it is one.
    pub fn parameter(self, name: impl Into<Cow<'static, str>>, value: impl Into<Secret>) -> Self {
        self.with_parameter(None, name.into(), value.into())
    }

    /// Adds a parameter to the requests of one grant, such as `client_credentials`.
    pub fn parameter_for(
        self,
        grant_type: impl Into<Cow<'static, str>>,
        name: impl Into<Cow<'static, str>>,
        value: impl Into<Secret>,
    ) -> Self {
        self.with_parameter(Some(grant_type.into()), name.into(), value.into())
    }

    fn with_parameter(
        mut self,
        grant_type: Option<Cow<'static, str>>,
        name: Cow<'static, str>,
        value: Secret,
    ) -> Self {
        self.parameters.push(Parameter { grant_type, name, value });
        self
    }

    /// Leaves a parameter out.
    pub fn omit(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.omitted.push(name.into());
        self
    }

    /// Sends the parameter that RFC 6749 calls `from` as `to`.
    pub fn rename(mut self, from: impl Into<Cow<'static, str>>, to: impl Into<Cow<'static, str>>) -> Self {
        self.renamed.push((from.into(), to.into()));
        self
    }

    /// Separates scopes with this.
    pub fn scope_separator(mut self, separator: impl Into<Cow<'static, str>>) -> Self {
        self.scope_separator = Some(separator.into());
        self
    }

    /// What the parameter that RFC 6749 calls `name` is called here.
    pub fn name_of<'a>(&'a self, name: &'a str) -> &'a str {
        self.renamed.iter().find(|(from, _)| from == name).map_or(name, |(_, to)| to)
    }

    pub(crate) fn method(&self) -> Method {
        if self.format == Format::Get { Method::GET } else { Method::POST }
    }

    /// Whether the parameters go into the URL.
    pub(crate) fn is_in_query(&self) -> bool {
        matches!(self.format, Format::Query | Format::Get)
    }

    /// Adds the headers. They are there before the client proves who it is.
    pub(crate) fn add_headers(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.headers {
            headers.insert(name, value.clone());
        }
        headers.entry(ACCEPT).or_insert(HeaderValue::from_static("application/json"));
    }

    /// Makes the parameters what the provider expects. They are all there, those of the client authentication too.
    pub(crate) fn bend(&self, form: &mut Form) {
        let grant_type = form.find("grant_type").map(str::to_owned);
        for parameter in &self.parameters {
            if parameter.grant_type.is_none() || parameter.grant_type.as_deref() == grant_type.as_deref() {
                form.remove(&parameter.name);
                form.push_secret(parameter.name.clone(), &parameter.value);
            }
        }
        if let Some(separator) = &self.scope_separator {
            form.map("scope", |scope| scope.replace(' ', separator));
        }
        self.omitted.iter().for_each(|name| form.remove(name));
        for (from, to) in &self.renamed {
            form.rename(from, to.clone());
        }
    }

    /// The query that is added to the URL, and the body with its media type.
    pub(crate) fn encode(&self, form: &Form) -> Encoded {
        match self.format {
            Format::Form => Encoded {
                query: None,
                content_type: Some("application/x-www-form-urlencoded"),
                body: form.encode(),
            },
            Format::Json => Encoded { query: None, content_type: Some("application/json"), body: json(form) },
            Format::Query | Format::Get => {
                Encoded { query: Some(form.encode()), content_type: None, body: Bytes::new() }
            }
        }
    }
}

impl fmt::Debug for RequestRules {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parameters: Vec<_> = self.parameters.iter().map(|parameter| &parameter.name).collect();
        formatter
            .debug_struct("RequestRules")
            .field("format", &self.format)
            .field("headers", &self.headers)
            .field("parameters", &parameters)
            .field("omitted", &self.omitted)
            .field("renamed", &self.renamed)
            .field("scope_separator", &self.scope_separator)
            .finish()
    }
}

/// The parts of a request that hold its parameters.
pub(crate) struct Encoded {
    pub(crate) query: Option<Bytes>,
    pub(crate) content_type: Option<&'static str>,
    pub(crate) body: Bytes,
}

fn json(form: &Form) -> Bytes {
    let mut object = Map::new();
    for (name, value) in form.iter() {
        let value = Value::from(value);
        match object.get_mut(name) {
            None => {
                object.insert(name.to_owned(), value);
            }
            Some(Value::Array(values)) => values.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
        }
    }
    Value::Object(object).to_string().into()
}

/// A request to a token endpoint, just before it is sent, for a hook that edits it.
///
/// `Debug` shows the names of parameters and headers, and no value that may be a secret.
pub struct TokenRequest<'a> {
    form: &'a mut Form,
    headers: &'a mut HeaderMap,
}

impl<'a> TokenRequest<'a> {
    pub(crate) fn new(form: &'a mut Form, headers: &'a mut HeaderMap) -> Self {
        Self { form, headers }
    }

    /// A parameter as it will be sent; the first one, if there are several. It may be a secret.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.form.find(name)
    }

    /// The names of the parameters, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.form.iter().map(|(name, _)| name)
    }

    /// Sets a parameter in place of all that have its name. The value is treated like a secret.
    pub fn set(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Secret>) {
        let name = name.into();
        self.form.remove(&name);
        self.form.push_secret(name, &value.into());
    }

    /// Takes a parameter out.
    pub fn remove(&mut self, name: &str) {
        self.form.remove(name);
    }

    /// The headers, without those that follow from the body. A secret that is put here should be
    /// [marked sensitive](HeaderValue::set_sensitive).
    pub fn headers(&mut self) -> &mut HeaderMap {
        self.headers
    }
}

impl fmt::Debug for TokenRequest<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TokenRequest")
            .field("parameters", &self.form)
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .finish()
    }
}

#[cfg(test)]
mod tests;
