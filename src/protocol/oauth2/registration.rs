//! What a client says of itself, and what the server makes of it (RFC 7591 §2 and §3, RFC 7592 §3).

use std::fmt;
use std::time::Duration;
use std::time::SystemTime;

use serde_json::Map;
use serde_json::Value;

use crate::secret::Secret;

/// What a client says of itself when it registers (RFC 7591 §2). The server may change any of it.
///
/// ```
/// use tower_oauth::endpoint::ClientMetadata;
///
/// let metadata = ClientMetadata::new()
///     .client_name("Orders")
///     .redirect_uri("https://orders.example.com/callback")
///     .grant_type("authorization_code")
///     .grant_type("refresh_token")
///     .response_type("code")
///     .token_endpoint_auth_method("client_secret_basic")
///     .scope("orders:read orders:write");
/// # let _ = metadata;
/// ```
#[derive(Clone, Default, PartialEq)]
pub struct ClientMetadata {
    fields: Map<String, Value>,
    software_statement: Option<Secret>,
}

impl ClientMetadata {
    /// Nothing yet; what is not said, the server decides.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a URL to which the resource owner may be sent back.
    pub fn redirect_uri(self, uri: impl Into<String>) -> Self {
        self.also("redirect_uris", uri)
    }

    /// Adds a grant type that the client uses, such as `client_credentials`.
    pub fn grant_type(self, grant_type: impl Into<String>) -> Self {
        self.also("grant_types", grant_type)
    }

    /// Adds a response type that the client uses, such as `code`.
    pub fn response_type(self, response_type: impl Into<String>) -> Self {
        self.also("response_types", response_type)
    }

    /// Adds a way to reach the people who are responsible for the client.
    pub fn contact(self, contact: impl Into<String>) -> Self {
        self.also("contacts", contact)
    }

    /// How the client proves who it is, such as `client_secret_basic`, `private_key_jwt` or `none`.
    pub fn token_endpoint_auth_method(self, method: impl Into<String>) -> Self {
        self.with("token_endpoint_auth_method", method.into())
    }

    /// The scopes that the client may ask for, with spaces between them.
    pub fn scope(self, scope: impl Into<String>) -> Self {
        self.with("scope", scope.into())
    }

    /// A name to show to the resource owner.
    pub fn client_name(self, name: impl Into<String>) -> Self {
        self.with("client_name", name.into())
    }

    /// The client's public keys as a JSON Web Key Set, for `private_key_jwt` and `self_signed_tls_client_auth`.
    pub fn jwks(self, jwks: impl Into<Value>) -> Self {
        self.with("jwks", jwks)
    }

    /// A signed JWT in which somebody whom the server trusts vouches for this software (RFC 7591 §2.3).
    pub fn software_statement(mut self, statement: impl Into<Secret>) -> Self {
        self.software_statement = Some(statement.into());
        self
    }

    /// Adds or replaces a field by its registered name; one that is null is taken away.
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        match value.into() {
            Value::Null => self.fields.remove(&name.into()),
            value => self.fields.insert(name.into(), value),
        };
        self
    }

    /// A field by its registered name.
    pub fn field(&self, name: &str) -> Option<&Value> {
        self.fields.get(name)
    }

    fn also(mut self, name: &str, item: impl Into<String>) -> Self {
        let item = Value::from(item.into());
        match self.fields.get_mut(name) {
            Some(Value::Array(list)) => list.push(item),
            _ => drop(self.fields.insert(name.to_owned(), Value::Array(vec![item]))),
        }
        self
    }

    /// The secrets in it.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.software_statement.iter()
    }

    /// The body of a registration.
    pub(crate) fn to_json(&self) -> String {
        Value::Object(self.members()).to_string()
    }

    /// The body of an update of `registration` (RFC 7592 §2.2): everything, with the identity of the client, and without what
    /// belongs to the server alone.
    pub(crate) fn to_update(&self, registration: &Registration) -> String {
        let mut members = self.members();
        for name in SERVERS_OWN {
            members.remove(name);
        }
        members.insert("client_id".to_owned(), Value::from(registration.client_id()));
        if let Some(secret) = registration.client_secret() {
            members.insert("client_secret".to_owned(), Value::from(secret.expose()));
        }
        Value::Object(members).to_string()
    }

    fn members(&self) -> Map<String, Value> {
        let mut members = self.fields.clone();
        if let Some(statement) = &self.software_statement {
            members.insert("software_statement".to_owned(), Value::from(statement.expose()));
        }
        members
    }
}

impl fmt::Debug for ClientMetadata {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Anything may have been put into it, secrets too.
        formatter.debug_tuple("ClientMetadata").field(&self.fields.keys().collect::<Vec<_>>()).finish()
    }
}

/// What must not be in an update (RFC 7592 §2.2).
const SERVERS_OWN: [&str; 4] = [
    "registration_access_token",
    "registration_client_uri",
    "client_secret_expires_at",
    "client_id_issued_at",
];

/// A registered client: what the server gave it, and what the server made of its metadata (RFC 7591 §3.2.1).
///
/// It has to be kept, with the secrets in it: [`to_json`](Self::to_json) and [`from_json`](Self::from_json).
#[derive(Clone, PartialEq)]
pub struct Registration {
    client_id: String,
    client_secret: Option<Secret>,
    access_token: Option<Secret>,
    metadata: ClientMetadata,
}

impl Registration {
    /// Reads an answer, or what was kept; the error says what is wrong with it.
    pub(crate) fn read(mut fields: Map<String, Value>) -> Result<Self, &'static str> {
        fields.retain(|_, value| !value.is_null());
        let client_id = match fields.remove("client_id") {
            Some(Value::String(id)) if !id.is_empty() => id,
            _ => return Err("it has no `client_id`"),
        };
        let mut secret = |name, otherwise| match fields.remove(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(Secret::new(text))),
            Some(_) => Err(otherwise),
        };
        let client_secret = secret("client_secret", "its `client_secret` is not a text")?;
        let access_token =
            secret("registration_access_token", "its `registration_access_token` is not a text")?;
        let software_statement = secret("software_statement", "its `software_statement` is not a text")?;
        Ok(Self {
            client_id,
            client_secret,
            access_token,
            metadata: ClientMetadata { fields, software_statement },
        })
    }

    /// Reads what [`to_json`](Self::to_json) gave; `None` when it is something else.
    pub fn from_json(json: &Secret) -> Option<Self> {
        Self::read(serde_json::from_str(json.expose()).ok()?).ok()
    }

    /// Everything, secrets too, to be kept in a safe place.
    pub fn to_json(&self) -> Secret {
        let mut members = self.metadata.members();
        members.insert("client_id".to_owned(), Value::from(self.client_id.as_str()));
        let secrets =
            [("client_secret", &self.client_secret), ("registration_access_token", &self.access_token)];
        for (name, secret) in secrets {
            if let Some(secret) = secret {
                members.insert(name.to_owned(), Value::from(secret.expose()));
            }
        }
        Secret::new(Value::Object(members).to_string())
    }

    /// What the answer to a later request leaves out is as it was (RFC 7592 §3).
    pub(crate) fn or_as_before(mut self, before: &Self) -> Self {
        self.access_token = self.access_token.or_else(|| before.access_token.clone());
        if let Some(uri) = before.metadata.fields.get(CLIENT_URI) {
            self.metadata.fields.entry(CLIENT_URI).or_insert_with(|| uri.clone());
        }
        self
    }

    /// The client's identifier.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// The client's secret, if it was given one.
    pub fn client_secret(&self) -> Option<&Secret> {
        self.client_secret.as_ref()
    }

    /// When the secret ends; `None` when it does not, or there is none.
    pub fn client_secret_expires_at(&self) -> Option<SystemTime> {
        let never = |time: &SystemTime| *time != SystemTime::UNIX_EPOCH;
        self.time("client_secret_expires_at").filter(never)
    }

    /// When the identifier was given out.
    pub fn client_id_issued_at(&self) -> Option<SystemTime> {
        self.time("client_id_issued_at")
    }

    /// The token with which the registration is read and changed (RFC 7592).
    pub fn registration_access_token(&self) -> Option<&Secret> {
        self.access_token.as_ref()
    }

    /// Where the registration is read and changed (RFC 7592).
    pub fn registration_client_uri(&self) -> Option<&str> {
        self.metadata.fields.get(CLIENT_URI).and_then(Value::as_str)
    }

    /// How the client proves who it is; `client_secret_basic` when the server does not say (RFC 7591 §2).
    pub fn token_endpoint_auth_method(&self) -> &str {
        let method = self.metadata.field("token_endpoint_auth_method").and_then(Value::as_str);
        method.unwrap_or("client_secret_basic")
    }

    /// What the server made of the client's metadata: the base of an update.
    pub fn metadata(&self) -> &ClientMetadata {
        &self.metadata
    }

    /// The secrets in it.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.client_secret.iter().chain(&self.access_token).chain(self.metadata.secrets())
    }

    fn time(&self, name: &str) -> Option<SystemTime> {
        let seconds = self.metadata.field(name)?.as_f64()?;
        SystemTime::UNIX_EPOCH.checked_add(Duration::try_from_secs_f64(seconds).ok()?)
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Registration")
            .field("client_id", &self.client_id)
            .field("metadata", &self.metadata)
            .finish_non_exhaustive()
    }
}

const CLIENT_URI: &str = "registration_client_uri";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: Value) -> Result<Registration, &'static str> {
        match value {
            Value::Object(fields) => Registration::read(fields),
            other => panic!("{other}"),
        }
    }

    fn registered() -> Registration {
        read(json!({
            "client_id": "s6BhdRkqt3", "client_secret": "hush-secret", "client_secret_expires_at": 1577858400,
            "client_id_issued_at": 1577854800, "registration_access_token": "hush-token",
            "registration_client_uri": "https://a.test/reg/s6BhdRkqt3", "software_statement": "hush.statement",
            "grant_types": ["authorization_code"], "token_endpoint_auth_method": "client_secret_post", "policy": null
        }))
        .unwrap()
    }

    #[test]
    fn an_answer_is_read() {
        let client = registered();
        assert_eq!(client.client_id(), "s6BhdRkqt3");
        assert_eq!(client.client_secret().map(Secret::expose), Some("hush-secret"));
        assert_eq!(client.registration_access_token().map(Secret::expose), Some("hush-token"));
        assert_eq!(client.registration_client_uri(), Some("https://a.test/reg/s6BhdRkqt3"));
        assert_eq!(client.token_endpoint_auth_method(), "client_secret_post");
        let at = |seconds| Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(client.client_secret_expires_at(), at(1_577_858_400));
        assert_eq!(client.client_id_issued_at(), at(1_577_854_800));
        assert_eq!(client.metadata().field("grant_types"), Some(&json!(["authorization_code"])));
    }

    #[test]
    fn a_secret_that_ends_at_zero_does_not_end() {
        let client =
            read(json!({"client_id": "a", "client_secret": "s", "client_secret_expires_at": 0})).unwrap();
        assert_eq!(client.client_secret_expires_at(), None);
        assert_eq!(client.token_endpoint_auth_method(), "client_secret_basic");
    }

    #[test]
    fn an_answer_without_a_client_or_with_secrets_that_are_none_is_refused() {
        for answer in [
            json!({}),
            json!({"client_id": 7}),
            json!({"client_id": ""}),
            json!({"client_id": "a", "client_secret": {"hush": 1}}),
            json!({"client_id": "a", "registration_access_token": 7}),
        ] {
            assert!(read(answer.clone()).is_err(), "{answer}");
        }
    }

    #[test]
    fn what_was_kept_is_read_again_and_nothing_of_it_is_printed() {
        let client = registered();
        let kept = client.to_json();
        assert_eq!(Registration::from_json(&kept).as_ref(), Some(&client));
        assert_eq!(Registration::from_json(&Secret::new("[]")), None);
        assert!(!format!("{client:?} {:?} {kept:?}", client.metadata()).contains("hush"));
        let metadata = ClientMetadata::new().with("client_secret", "hush").software_statement("hush");
        assert!(!format!("{metadata:?}").contains("hush"));
    }

    #[test]
    fn an_update_says_who_the_client_is_and_not_what_the_server_decides() {
        let client = registered();
        let metadata = client.metadata().clone().client_name("Orders").grant_type("refresh_token");
        let update: Value = serde_json::from_str(&metadata.to_update(&client)).unwrap();
        assert_eq!(
            update,
            json!({
                "client_id": "s6BhdRkqt3", "client_secret": "hush-secret", "software_statement": "hush.statement",
                "client_name": "Orders", "grant_types": ["authorization_code", "refresh_token"],
                "token_endpoint_auth_method": "client_secret_post"
            })
        );
    }

    #[test]
    fn what_a_later_answer_leaves_out_is_as_it_was() {
        let later = read(json!({"client_id": "s6BhdRkqt3"})).unwrap().or_as_before(&registered());
        assert_eq!(later.registration_access_token().map(Secret::expose), Some("hush-token"));
        assert_eq!(later.registration_client_uri(), Some("https://a.test/reg/s6BhdRkqt3"));
        let fresh = json!({"client_id": "s6BhdRkqt3", "registration_access_token": "new"});
        let fresh = read(fresh).unwrap().or_as_before(&registered());
        assert_eq!(fresh.registration_access_token().map(Secret::expose), Some("new"));
    }
}
