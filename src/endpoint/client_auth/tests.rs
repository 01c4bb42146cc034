use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use super::*;
use crate::protocol::oauth2::form::form_decode;

/// What a request looks like after a proof was added to it.
struct Applied {
    form: Vec<(String, String)>,
    /// The credentials of Basic, decoded.
    basic: Option<String>,
    headers: HeaderMap,
    secrets: Vec<Secret>,
}

impl Applied {
    fn value(&self, name: &str) -> Option<&str> {
        let mut values = self.form.iter().filter(|(known, _)| known == name);
        let value = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "{name} is there twice");
        value
    }
}

fn try_apply(auth: &ClientAuth, mut form: Form) -> Result<Applied, Error> {
    let mut headers = HeaderMap::new();
    let endpoint = Endpoint::parse("https://auth.test/token?tenant=7").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut secrets = runtime.block_on(auth.apply(&endpoint, &mut form, &mut headers))?;
    secrets.extend(form.secrets().cloned());
    let basic =
        headers.get(AUTHORIZATION).filter(|value| value.as_bytes().starts_with(b"Basic ")).map(|value| {
            let encoded = value.to_str().unwrap().strip_prefix("Basic ").unwrap();
            String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap()
        });
    assert!(headers.values().all(HeaderValue::is_sensitive));
    let form = String::from_utf8(form.encode().to_vec()).unwrap();
    Ok(Applied { form: form_decode(&form).collect(), basic, headers, secrets })
}

fn applied(auth: &ClientAuth) -> Applied {
    try_apply(auth, Form::default()).unwrap()
}

fn names(applied: &Applied) -> Vec<&str> {
    applied.form.iter().map(|(name, _)| name.as_str()).collect()
}

#[test]
fn basic_form_encodes_both_parts_so_that_a_colon_in_them_cannot_mislead() {
    let applied = applied(&ClientAuth::basic("a:b", "cc-secret:with%special +chars"));
    assert_eq!(applied.basic.as_deref(), Some("a%3Ab:cc-secret%3Awith%25special+%2Bchars"));
    assert!(applied.form.is_empty());
}

#[test]
fn raw_basic_leaves_both_parts_as_they_are() {
    assert_eq!(applied(&ClientAuth::basic_raw("id", "s+ %")).basic.as_deref(), Some("id:s+ %"));
}

#[test]
fn post_puts_both_parts_into_the_body_and_nothing_into_the_header() {
    let applied = applied(&ClientAuth::post("id", "s&t"));
    assert_eq!((applied.value("client_id"), applied.value("client_secret")), (Some("id"), Some("s&t")));
    assert!(applied.headers.is_empty());
}

#[test]
fn an_empty_secret_is_sent_and_an_absent_one_is_not() {
    assert_eq!(applied(&ClientAuth::post("id", "")).value("client_secret"), Some(""));
    assert_eq!(applied(&ClientAuth::basic("id", "")).basic.as_deref(), Some("id:"));
    for auth in [ClientAuth::none("id"), ClientAuth::tls("id")] {
        let applied = applied(&auth);
        assert_eq!(names(&applied), ["client_id"]);
        assert!(applied.headers.is_empty());
    }
}

#[test]
fn without_any_client_nothing_is_added() {
    let applied = applied(&ClientAuth::omitted());
    assert!(applied.form.is_empty() && applied.headers.is_empty());
}

#[test]
fn the_client_is_named_in_the_body_as_it_is_wanted() {
    use IncludeClientId::*;
    let has_id = |auth: &ClientAuth| applied(auth).value("client_id") == Some("id");
    let basic = || ClientAuth::basic("id", "s");
    assert!(!has_id(&basic()));
    assert!(has_id(&basic().include_client_id(Always)));
    for auth in [ClientAuth::none("id"), ClientAuth::post("id", "s"), ClientAuth::assertion("id", "a.b.c")] {
        assert!(has_id(&auth.clone().include_client_id(Automatic)));
        assert!(has_id(&auth.clone().include_client_id(Always)));
        assert!(!has_id(&auth.include_client_id(Never)));
    }
}

#[test]
fn a_client_that_the_grant_has_named_already_is_not_named_twice() {
    let mut form = Form::new("authorization_code");
    form.push("client_id", "id");
    assert_eq!(try_apply(&ClientAuth::none("id"), form).unwrap().value("client_id"), Some("id"));
}

#[test]
fn a_secret_goes_to_one_place_and_is_taken_out_of_what_the_server_says() {
    let cases = [
        ClientAuth::basic("id", "s3cret"),
        ClientAuth::basic("id", "s3cret").include_client_id(IncludeClientId::Always),
        ClientAuth::post("id", "s3cret"),
        ClientAuth::assertion("id", "s3cret"),
    ];
    for auth in cases {
        let applied = applied(&auth);
        let in_form = applied.form.iter().filter(|(_, value)| value.contains("s3cret")).count();
        let in_header = usize::from(applied.basic.is_some_and(|basic| basic.contains("s3cret")));
        assert_eq!(in_form + in_header, 1, "{auth:?}");
        assert!(applied.secrets.contains(&Secret::new("s3cret")), "{auth:?}");
        assert!(!format!("{auth:?}").contains("s3cret"));
    }
}

#[test]
fn a_secret_that_is_made_is_made_for_each_request() {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let source = SecretSource::from_fn(move || {
        let number = counted.fetch_add(1, Ordering::Relaxed);
        async move { Ok(Secret::new(format!("secret-{number}"))) }
    });
    let auth = ClientAuth::post("id", source);
    assert_eq!(applied(&auth).value("client_secret"), Some("secret-0"));
    assert_eq!(applied(&auth).value("client_secret"), Some("secret-1"));
    assert_eq!(count.load(Ordering::Relaxed), 2);
}

#[test]
fn a_secret_that_cannot_be_made_is_the_error_of_the_request() {
    let auth = ClientAuth::basic("id", SecretSource::from_fn(|| async { Err(Error::transient("sealed")) }));
    let error = try_apply(&auth, Form::default()).err().unwrap();
    assert!(error.is_transient());
}

#[test]
fn a_federated_token_is_read_from_its_file_for_each_request() {
    let path = std::env::temp_dir().join(format!("tower-oauth-federated-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let auth = ClientAuth::assertion("id", SecretSource::file(&path));
    let missing = try_apply(&auth, Form::default()).err().unwrap();
    assert!(missing.is_transient() && missing.to_string().contains("cannot be read"), "{missing}");
    for token in ["first.token.x", "second.token.x"] {
        std::fs::write(&path, format!("{token}\n")).unwrap();
        let applied = applied(&auth);
        assert_eq!(applied.value("client_assertion"), Some(token));
        assert_eq!(applied.value("client_assertion_type"), Some(JWT_BEARER));
    }
    std::fs::write(&path, " \n").unwrap();
    let empty = try_apply(&auth, Form::default()).err().unwrap();
    std::fs::remove_file(&path).unwrap();
    assert!(empty.to_string().contains("is empty"), "{empty}");
}

#[test]
fn a_saml_assertion_is_encoded_without_padding() {
    let applied = applied(&ClientAuth::saml2_assertion("id", "<Assertion>??>"));
    assert_eq!(applied.value("client_assertion_type"), Some(SAML2_BEARER));
    assert_eq!(applied.value("client_assertion"), Some("PEFzc2VydGlvbj4_Pz4"));
}

#[test]
fn a_closure_sees_the_request_and_adds_what_it_wants() {
    let auth = ClientAuth::custom("id", |mut request| async move {
        assert_eq!(request.endpoint(), "https://auth.test/token");
        assert_eq!(request.parameter("grant_type"), Some("client_credentials"));
        assert_eq!(&*request.form(), b"grant_type=client_credentials");
        request.add_parameter("client_key", "id");
        request.add_secret_parameter("app_secret", &Secret::new("one"));
        request.authorize("Bearer", &Secret::new("two"))?;
        Ok(request)
    });
    let applied = try_apply(&auth, Form::new("client_credentials")).unwrap();
    assert_eq!(names(&applied), ["grant_type", "client_key", "app_secret"]);
    assert_eq!(applied.headers[AUTHORIZATION], "Bearer two");
    for secret in ["one", "two", "Bearer two"] {
        assert!(applied.secrets.contains(&Secret::new(secret)));
    }
}

#[test]
fn a_proof_that_no_header_may_carry_is_a_typed_error() {
    let auth = ClientAuth::custom("id", |mut request| async move {
        request.authorize("Bearer", &Secret::new("two\nlines"))?;
        Ok(request)
    });
    let error = try_apply(&auth, Form::default()).err().unwrap();
    assert_eq!(error.kind(), crate::error::ErrorKind::InvalidToken);
    assert!(!error.to_string().contains("lines"));
}

#[cfg(feature = "jwt")]
mod jwt {
    //! Methods that sign.

    use std::sync::Mutex;
    use std::time::Duration;
    use std::time::SystemTime;

    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::Value;

    use super::*;
    use crate::clock::Clock;
    use crate::endpoint::PrivateKey;
    use crate::endpoint::SigningAlgorithm;

    const P256: &str = include_str!("../../../tests/vectors/keys/p256.pem");

    fn part(assertion: &str, number: usize) -> Value {
        let part = assertion.split('.').nth(number).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    }

    #[test]
    fn the_key_signs_an_assertion_for_the_endpoint_in_the_name_of_the_client() {
        let key = PrivateKey::from_pem(P256).unwrap().with_key_id("k1");
        let auth = ClientAuth::private_key_jwt("id", key);
        let applied = applied(&auth);
        assert_eq!(names(&applied), ["client_id", "client_assertion_type", "client_assertion"]);
        assert_eq!(applied.value("client_assertion_type"), Some(JWT_BEARER));
        let assertion = applied.value("client_assertion").unwrap();
        let (header, claims) = (part(assertion, 0), part(assertion, 1));
        assert_eq!((&header["alg"], &header["kid"]), (&"ES256".into(), &"k1".into()));
        assert_eq!((&claims["iss"], &claims["sub"]), (&"id".into(), &"id".into()));
        assert_eq!(claims["aud"], "https://auth.test/token");
        assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 300);
        assert!(applied.secrets.contains(&Secret::new(assertion)));
    }

    #[test]
    fn each_request_gets_an_assertion_of_its_own() {
        let auth = ClientAuth::secret_jwt("id", "secret");
        let identifier = || part(applied(&auth).value("client_assertion").unwrap(), 1)["jti"].clone();
        assert_ne!(identifier(), identifier());
    }

    #[test]
    fn the_issuer_can_be_the_audience() {
        let auth = ClientAuth::secret_jwt("id", "secret").assertion_audience("https://auth.test");
        assert_eq!(part(applied(&auth).value("client_assertion").unwrap(), 1)["aud"], "https://auth.test");
    }

    #[test]
    fn a_shared_secret_signs_and_is_not_sent() {
        let key = SecretKey::new("s3cret").with_algorithm(SigningAlgorithm::Hs384).unwrap();
        let applied = applied(&ClientAuth::secret_jwt("id", key));
        assert_eq!(part(applied.value("client_assertion").unwrap(), 0)["alg"], "HS384");
        assert!(applied.form.iter().all(|(_, value)| !value.contains("s3cret")));
    }

    #[test]
    fn a_key_that_is_held_elsewhere_signs_too_and_its_errors_come_through() {
        struct Elsewhere(bool);

        impl SigningKey for Elsewhere {
            fn algorithm(&self) -> SigningAlgorithm {
                SigningAlgorithm::Es512
            }

            async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
                tokio::task::yield_now().await;
                if self.0 {
                    Ok(message.len().to_string().into_bytes())
                } else {
                    Err(Error::transient("down"))
                }
            }
        }

        let signed = applied(&ClientAuth::private_key_jwt("id", Elsewhere(true)));
        let assertion = signed.value("client_assertion").unwrap();
        let (input, signature) = assertion.rsplit_once('.').unwrap();
        assert_eq!(URL_SAFE_NO_PAD.decode(signature).unwrap(), input.len().to_string().into_bytes());
        assert_eq!(part(assertion, 0)["alg"], "ES512");
        let failed = try_apply(&ClientAuth::private_key_jwt("id", Elsewhere(false)), Form::default());
        assert!(failed.err().unwrap().is_transient());
    }

    #[derive(Clone)]
    struct Hands(Arc<Mutex<SystemTime>>);

    impl Clock for Hands {
        fn now(&self) -> SystemTime {
            *self.0.lock().unwrap()
        }
    }

    #[test]
    fn a_client_secret_that_is_a_jwt_is_kept_until_a_tenth_of_its_life_is_left() {
        let hands = Hands(Arc::new(Mutex::new(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000))));
        let secret = Assertion::signed_by(PrivateKey::from_pem(P256).unwrap().with_key_id("ABC123DEFG"))
            .issuer("DEF123GHIJ")
            .subject("com.example.app")
            .audience("https://appleid.apple.com")
            .lifetime(Duration::from_secs(1000))
            .clock(hands.clone());
        let auth = ClientAuth::post("com.example.app", SecretSource::signed(secret));
        let secret = || applied(&auth).value("client_secret").unwrap().to_owned();
        let move_by = |seconds: i64| {
            let mut now = hands.0.lock().unwrap();
            let step = Duration::from_secs(seconds.unsigned_abs());
            *now = if seconds < 0 { *now - step } else { *now + step };
        };

        let first = secret();
        let claims = part(&first, 1);
        assert_eq!((&claims["iss"], &claims["sub"]), (&"DEF123GHIJ".into(), &"com.example.app".into()));
        assert_eq!(claims["aud"], "https://appleid.apple.com");
        move_by(899);
        assert_eq!(secret(), first);
        move_by(1);
        let second = secret();
        assert_ne!(second, first);
        // Somebody set the clock back: a token that is not valid yet helps nobody.
        move_by(-10);
        assert_ne!(secret(), second);
    }
}
