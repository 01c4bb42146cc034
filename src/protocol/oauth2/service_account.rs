//! The file of a Google service account.

use std::fmt;

use http::Uri;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::error::ConfigError;
use crate::origin::is_secure;
use crate::protocol::oauth2::jwt::PrivateKey;

/// A Google service account: its name, its private key, and where it gets tokens, from the JSON file that Google hands out.
///
/// ```
/// use tower_oauth::grant::ServiceAccountKey;
///
/// # let pem = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/keys/rsa2048-a.pem"));
/// # let json = serde_json::json!({
/// #     "type": "service_account", "client_email": "robot@project.iam.gserviceaccount.com",
/// #     "private_key_id": "f00", "private_key": pem, "token_uri": "https://oauth2.googleapis.com/token",
/// # }).to_string();
/// // let json = std::fs::read("service-account.json")?;
/// let key = ServiceAccountKey::from_json(json)?;
/// assert_eq!(key.client_email(), "robot@project.iam.gserviceaccount.com");
/// # Ok::<(), tower_oauth::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct ServiceAccountKey {
    client_email: String,
    token_uri: String,
    project_id: Option<String>,
    key: PrivateKey,
}

/// Where tokens come from when the file does not say.
const TOKEN_URI: &str = "https://oauth2.googleapis.com/token";

#[derive(Deserialize)]
struct File {
    #[serde(rename = "type")]
    kind: Option<String>,
    client_email: Option<String>,
    token_uri: Option<String>,
    project_id: Option<String>,
    private_key_id: Option<String>,
    private_key: Option<Zeroizing<String>>,
}

impl ServiceAccountKey {
    /// Reads the file's content. Its key signs with RS256, and is named (`kid`) as the file says. The `token_uri` has to be
    /// https, or on this machine.
    ///
    /// # Errors
    /// [`ConfigError::InvalidServiceAccount`], which says what is wrong and shows nothing of the key.
    pub fn from_json(json: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        let file: File = serde_json::from_slice(json.as_ref()).map_err(|error| {
            // The error's own words may quote the text.
            let what = if error.is_data() { "a member of a wrong type" } else { "text that is no JSON" };
            invalid(format!("it has {what} in line {}, column {}", error.line(), error.column()))
        })?;
        match file.kind.as_deref() {
            Some("service_account") => {}
            Some(
                kind @ ("authorized_user"
                | "external_account"
                | "external_account_authorized_user"
                | "impersonated_service_account"
                | "gdch_service_account"),
            ) => return Err(invalid(format!("it is of the type `{kind}`, not `service_account`"))),
            Some(_) => return Err(invalid("it is of an unknown type, not `service_account`")),
            None if file.private_key.is_none() => {
                return Err(invalid("it does not say its type: perhaps it is the file of an OAuth client"));
            }
            None => return Err(invalid("it does not say its type")),
        }
        let required = |value: Option<String>, name| {
            value.filter(|value| !value.is_empty()).ok_or_else(|| invalid(format!("it has no `{name}`")))
        };
        let client_email = required(file.client_email, "client_email")?;
        let token_uri = file.token_uri.unwrap_or_else(|| TOKEN_URI.to_owned());
        if !token_uri.parse::<Uri>().is_ok_and(|uri| uri.host().is_some() && is_secure(&uri)) {
            return Err(invalid(
                "its `token_uri` is not an https URL, and assertions are not sent elsewhere",
            ));
        }
        let pem = file.private_key.ok_or_else(|| invalid("it has no `private_key`"))?;
        let mut key = PrivateKey::from_pem(pem.as_bytes()).map_err(|error| match error {
            ConfigError::UnusableSigningKey { found } => invalid(format!("its `private_key` is {found}")),
            other => other,
        })?;
        if let Some(name) = file.private_key_id.filter(|name| !name.is_empty()) {
            key = key.with_key_id(name);
        }
        Ok(Self { client_email, token_uri, project_id: file.project_id, key })
    }

    /// The account's name, which looks like an e-mail address.
    pub fn client_email(&self) -> &str {
        &self.client_email
    }

    /// The token endpoint.
    pub fn token_uri(&self) -> &str {
        &self.token_uri
    }

    /// The project that the account belongs to, where the file says so.
    pub fn project_id(&self) -> Option<&str> {
        self.project_id.as_deref()
    }

    pub(crate) fn key(&self) -> PrivateKey {
        self.key.clone()
    }
}

impl fmt::Debug for ServiceAccountKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ServiceAccountKey")
            .field("client_email", &self.client_email)
            .field("token_uri", &self.token_uri)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

fn invalid(reason: impl Into<String>) -> ConfigError {
    ConfigError::InvalidServiceAccount { reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use serde_json::json;

    use super::*;

    fn file() -> Value {
        json!({
            "type": "service_account",
            "project_id": "project",
            "private_key_id": "f00dcafe",
            "private_key": include_str!("../../../tests/vectors/keys/rsa2048-a.pem"),
            "client_email": "robot@project.iam.gserviceaccount.com",
            "client_id": "1234",
            "auth_uri": "https://accounts.google.com/o/oauth2/auth",
            "token_uri": "https://oauth2.googleapis.com/token",
            "universe_domain": "googleapis.com",
        })
    }

    fn with(name: &str, value: impl Into<Value>) -> Result<ServiceAccountKey, ConfigError> {
        let mut file = file();
        file[name] = value.into();
        ServiceAccountKey::from_json(file.to_string())
    }

    fn reason(read: Result<ServiceAccountKey, ConfigError>) -> String {
        match read {
            Err(ConfigError::InvalidServiceAccount { reason }) => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_file_as_google_hands_it_out_is_read() {
        let key = ServiceAccountKey::from_json(file().to_string()).unwrap();
        assert_eq!(key.client_email(), "robot@project.iam.gserviceaccount.com");
        assert_eq!(key.token_uri(), "https://oauth2.googleapis.com/token");
        assert_eq!(key.project_id(), Some("project"));
        assert_eq!(key.key().key_id(), Some("f00dcafe"));
        let printed = format!("{key:?}");
        assert!(printed.contains("robot@") && !printed.contains("BEGIN"), "{printed}");
    }

    #[test]
    fn members_that_can_be_done_without_may_be_absent() {
        let mut file = file();
        for name in ["project_id", "private_key_id", "token_uri", "auth_uri"] {
            file.as_object_mut().unwrap().remove(name);
        }
        let key = ServiceAccountKey::from_json(file.to_string()).unwrap();
        assert_eq!((key.token_uri(), key.key().key_id()), (TOKEN_URI, None));
    }

    #[test]
    fn assertions_go_to_https_only_or_to_this_machine() {
        for refused in
            ["http://oauth2.googleapis.com/token", "ftp://x/token", "/token", "", "https://", "://"]
        {
            assert!(reason(with("token_uri", refused)).contains("token_uri"), "{refused}");
        }
        assert!(with("token_uri", "http://127.0.0.1:8080/token").is_ok());
    }

    #[test]
    fn other_files_of_google_are_named() {
        assert!(reason(with("type", "authorized_user")).contains("`authorized_user`"));
        assert!(reason(with("type", "my secret")).contains("unknown type"));
        assert!(reason(with("type", Value::Null)).contains("does not say its type"));
        let client = json!({ "installed": { "client_id": "x", "client_secret": "y" } });
        assert!(reason(ServiceAccountKey::from_json(client.to_string())).contains("OAuth client"));
    }

    #[test]
    fn a_file_that_lacks_something_says_what() {
        assert_eq!(reason(with("client_email", "")), "it has no `client_email`");
        assert_eq!(reason(with("private_key", Value::Null)), "it has no `private_key`");
    }

    #[test]
    fn no_error_shows_anything_of_the_key() {
        let secret = "c2VjcmV0IHNlY3JldCBzZWNyZXQ";
        let broken = [
            with("private_key", secret),
            with("private_key", format!("-----BEGIN PRIVATE KEY-----\n{secret}\n-----END PRIVATE KEY-----")),
            with("private_key", json!([secret])),
            ServiceAccountKey::from_json(format!(r#"{{"private_key": "{secret}" {secret}"#)),
            ServiceAccountKey::from_json(secret),
        ];
        for read in broken {
            let error = read.unwrap_err();
            assert!(!format!("{error} {error:?}").contains("c2Vj"), "{error}");
        }
    }
}
