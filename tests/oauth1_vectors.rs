//! The vectors of `tests/vectors`, signed without a layer and through it.
#![cfg(feature = "rsa")]

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Request;
use http::Response;
use http_body_util::BodyExt;
use http_body_util::Full;
use percent_encoding::percent_decode_str;
use serde_json::Value;
use tower::Layer;
use tower::ServiceExt;
use tower::service_fn;
use tower_oauth::Clock;
use tower_oauth::Error;
use tower_oauth::ErrorKind;
use tower_oauth::Origins;
use tower_oauth::oauth1::BodyDigest;
use tower_oauth::oauth1::BodyHash;
use tower_oauth::oauth1::Credentials;
use tower_oauth::oauth1::HmacSha1;
use tower_oauth::oauth1::HmacSha256;
use tower_oauth::oauth1::HmacSha512;
use tower_oauth::oauth1::Message;
use tower_oauth::oauth1::OAuth1Layer;
use tower_oauth::oauth1::Placement;
use tower_oauth::oauth1::Plaintext;
use tower_oauth::oauth1::RsaPrivateKey;
use tower_oauth::oauth1::RsaSha1;
use tower_oauth::oauth1::RsaSha256;
use tower_oauth::oauth1::RsaSha512;
use tower_oauth::oauth1::SharedSecrets;
use tower_oauth::oauth1::SignatureMethod;
use tower_oauth::oauth1::Signer;
use tower_oauth::oauth1::SigningKey;

/// Probes whose request is refused, and why.
const REFUSED: [(&str, &str); 1] =
    [("oauth_signature-in-query", "a protocol parameter that is in the request already is an error")];

/// Probes that are signed after `allow_other_oauth_parameters()`, and refused without it.
const OTHER_OAUTH_PARAMETERS: [&str; 1] = ["oauth_foo-query-pct"];

/// Probes with an open answer, and the text of the base string that is ours.
const OPEN: [(&str, &str, &str); 1] =
    // The `Host` header that an HTTP client sends for it has no port.
    [("zero-port", "https%3A%2F%2Fexample.com%3A0443%2Fp", "https%3A%2F%2Fexample.com%2Fp")];

#[test]
fn published_vectors() {
    check("published", 29, sign);
}

#[test]
fn visible_vectors() {
    check("visible", 789, sign);
}

#[test]
fn disputed_vectors() {
    check("disputed", 111, sign);
}

#[test]
fn probes() {
    check("probes", 81, sign);
}

#[test]
fn the_layer_sends_the_same() {
    check("published", 29, send);
    check("visible", 789, send);
    check("disputed", 111, send);
    check("probes", 81, send);
}

#[test]
fn probes_that_are_refused_name_the_parameter() {
    for vector in vectors("probes") {
        let refused = REFUSED.iter().any(|(id, _)| *id == vector.id);
        if !refused && !OTHER_OAUTH_PARAMETERS.contains(&vector.id.as_str()) {
            continue;
        }
        let error = vector.signer(false, &Recorder::default()).sign(&mut vector.request()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ProtocolParameterPresent, "{}", vector.id);
        assert!(error.to_string().contains("`oauth_"), "{error}");
    }
}

/// Runs all vectors of a file, and fails with the id of each one that is not signed as expected.
fn check(file: &str, all: usize, sign: fn(&Vector, &Recorder) -> Option<Request<Bytes>>) {
    let vectors = vectors(file);
    assert_eq!(vectors.len(), all);
    let mut passed = 0;
    let mut failed = Vec::new();
    for vector in vectors.iter().filter(|vector| REFUSED.iter().all(|(id, _)| *id != vector.id)) {
        let recorder = Recorder::default();
        match sign(vector, &recorder)
            .map_or(Ok(()), |signed| vector.compare(&signed, &recorder.base_string()))
        {
            Ok(()) => passed += 1,
            Err(difference) => failed.push(format!("{}: {difference}", vector.id)),
        }
    }
    println!("{file}: {passed} passed, {} failed", failed.len());
    assert!(failed.is_empty(), "{} of {file} failed:\n{}", failed.len(), failed.join("\n"));
}

fn sign(vector: &Vector, recorder: &Recorder) -> Option<Request<Bytes>> {
    let mut request = vector.request();
    let unsigned = vector.request();
    vector.signer(true, recorder).sign(&mut request).unwrap();
    // Whether nothing else was changed.
    assert_eq!(request.method(), unsigned.method());
    assert_eq!(request.version(), unsigned.version());
    assert_eq!(request.extensions().get::<Mark>(), Some(&Mark));
    assert_eq!(request.uri().scheme(), unsigned.uri().scheme());
    assert_eq!(request.uri().authority(), unsigned.uri().authority());
    assert_eq!(request.uri().path(), unsigned.uri().path());
    let mut headers = request.headers().clone();
    headers.remove("authorization");
    assert_eq!(&headers, unsigned.headers());
    Some(request)
}

fn send(vector: &Vector, recorder: &Recorder) -> Option<Request<Bytes>> {
    let sent = Arc::new(Mutex::new(None));
    let keep = sent.clone();
    let service = service_fn(move |request: Request<Full<Bytes>>| {
        let keep = keep.clone();
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            *keep.lock().unwrap() = Some(Request::from_parts(parts, body));
            Ok::<_, Infallible>(Response::new(()))
        }
    });
    let layer = OAuth1Layer::with_signer(Origins::dangerously_any(), vector.signer(true, recorder))
        .dangerously_allow_http();
    let result = tokio_test::block_on(layer.layer(service).oneshot(vector.request().map(Full::new)));
    let sent = sent.lock().unwrap().take();
    match result {
        Ok(_) => sent,
        Err(error) => {
            let error = Error::find(error.as_ref()).unwrap();
            assert_eq!(error.kind(), ErrorKind::InsecureScheme, "{}: {error}", vector.id);
            assert_eq!(vector.input("signature_method"), "PLAINTEXT", "{}", vector.id);
            assert!(sent.is_none());
            None
        }
    }
}

struct Vector {
    id: String,
    row: Value,
}

fn vectors(file: &str) -> Vec<Vector> {
    let path = format!("{}/tests/vectors/{file}.json", env!("CARGO_MANIFEST_DIR"));
    let file: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let rows = file.get("vectors").unwrap_or(&file).as_array().unwrap();
    rows.iter().map(|row| Vector { id: row["id"].as_str().unwrap().to_owned(), row: row.clone() }).collect()
}

/// An extension that must stay where it is.
#[derive(Clone, Debug, PartialEq)]
struct Mark;

impl Vector {
    fn input(&self, name: &str) -> &str {
        self.optional(name).unwrap()
    }

    fn optional(&self, name: &str) -> Option<&str> {
        self.row["input"][name].as_str()
    }

    fn expected(&self, name: &str) -> Option<&str> {
        self.row["expected"][name].as_str()
    }

    fn body(&self) -> Bytes {
        let text = self.optional("body").map(|body| Bytes::copy_from_slice(body.as_bytes()));
        let binary = || Some(Bytes::from(STANDARD.decode(self.optional("body_base64")?).unwrap()));
        text.or_else(binary).unwrap_or_default()
    }

    fn private_key(&self) -> RsaPrivateKey {
        let name = self.input("rsa_key");
        let path = format!("{}/tests/vectors/keys/{name}.pem", env!("CARGO_MANIFEST_DIR"));
        RsaPrivateKey::from_pem(std::fs::read(path).unwrap()).unwrap()
    }

    fn request(&self) -> Request<Bytes> {
        let mut request = Request::builder()
            .method(self.input("method"))
            .uri(self.input("url"))
            .version(http::Version::HTTP_2)
            .extension(Mark)
            .header("x-other", "stays");
        for (name, header) in [("content_type", "content-type"), ("host_header", "host")] {
            if let Some(value) = self.optional(name) {
                request = request.header(header, value);
            }
        }
        request.body(self.body()).unwrap()
    }

    fn signer(&self, allow_other_oauth_parameters: bool, recorder: &Recorder) -> Signer {
        let mut credentials = Credentials::new(self.input("client_key"), self.input("client_secret"));
        if let Some(token) = self.optional("token") {
            credentials = credentials.token(token, self.optional("token_secret").unwrap_or_default());
        }
        let method: Arc<dyn SignatureMethod> = match self.input("signature_method") {
            "HMAC-SHA1" => Arc::new(HmacSha1),
            "HMAC-SHA256" => Arc::new(HmacSha256),
            "HMAC-SHA512" => Arc::new(HmacSha512),
            "RSA-SHA1" => Arc::new(RsaSha1::new(self.private_key())),
            "RSA-SHA256" => Arc::new(RsaSha256::new(self.private_key())),
            "RSA-SHA512" => Arc::new(RsaSha512::new(self.private_key())),
            "PLAINTEXT" => Arc::new(Plaintext),
            other => panic!("{other}"),
        };
        let placement = match self.input("placement") {
            "header" => Placement::Header,
            "query" => Placement::Query,
            "body" => Placement::Form,
            other => panic!("{other}"),
        };
        let timestamp = Duration::from_secs(self.input("timestamp").parse().unwrap());
        let nonce = self.input("nonce").to_owned();
        let mut signer = Signer::new(credentials)
            .signature_method(Recording { method, recorder: recorder.clone() })
            .placement(placement)
            .clock(Fixed(SystemTime::UNIX_EPOCH + timestamp))
            .nonce_fn(move || nonce.clone());
        if let Some(realm) = self.optional("realm") {
            signer = signer.realm(realm).unwrap();
        }
        if let Some(callback) = self.optional("callback") {
            signer = signer.callback(callback);
        }
        if let Some(verifier) = self.optional("verifier") {
            signer = signer.verifier(verifier);
        }
        if !self.row["input"]["version"].as_bool().unwrap() {
            signer = signer.omit_version();
        }
        for pair in self.row["input"]["extra"].as_array().unwrap() {
            signer = signer.parameter(pair[0].as_str().unwrap(), pair[1].as_str().unwrap()).unwrap();
        }
        if let Some(digest) = self.optional("body_hash") {
            signer = signer.body_hash(BodyHash::Always).body_digest(match digest {
                "SHA-1" => BodyDigest::Sha1,
                "SHA-256" => BodyDigest::Sha256,
                "SHA-512" => BodyDigest::Sha512,
                other => panic!("{other}"),
            });
        }
        if allow_other_oauth_parameters { signer.allow_other_oauth_parameters() } else { signer }
    }

    /// Says what differs from what is expected, if anything does.
    fn compare(&self, signed: &Request<Bytes>, base_string: &str) -> Result<(), String> {
        if let Some((_, theirs, ours)) = OPEN.iter().find(|(id, ..)| *id == self.id) {
            let expected = self.expected("base_string").unwrap().replace(theirs, ours);
            return same("base string", base_string, &expected);
        }
        if let Some(expected) = self.expected("base_string") {
            same("base string", base_string, expected)?;
        }
        let authorization = signed.headers().get("authorization").map(|value| value.to_str().unwrap());
        same("authorization", &authorization, &self.expected("authorization"))?;
        same("query", &signed.uri().query(), &self.expected("final_query"))?;
        let body =
            self.expected("final_body").map_or(self.body(), |body| Bytes::copy_from_slice(body.as_bytes()));
        same("body", signed.body(), &body)?;

        // The parameters once more, taken out of the request as a server would.
        let parameters = match self.input("placement") {
            "header" => from_header(authorization.unwrap()),
            "query" => from_pairs(signed.uri().query().unwrap()),
            _ => from_pairs(std::str::from_utf8(signed.body()).unwrap()),
        };
        let expected = self.row["expected"]["oauth_params"].as_object().unwrap();
        let expected =
            expected.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()));
        same("parameters", &parameters, &expected.collect())?;
        same("signature", &parameters.get("oauth_signature").map(String::as_str), &self.expected("signature"))
    }
}

fn same<T: PartialEq + std::fmt::Debug + ?Sized>(what: &str, found: &T, expected: &T) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{what}\n   found {found:?}\nexpected {expected:?}")) }
}

fn from_header(value: &str) -> BTreeMap<String, String> {
    let parameters = value.strip_prefix("OAuth ").unwrap().split(", ");
    let pair = |parameter: &str| {
        let (name, value) = parameter.split_once('=').unwrap();
        (decode(name), decode(value.strip_prefix('"').unwrap().strip_suffix('"').unwrap()))
    };
    parameters.map(pair).filter(|(name, _)| name != "realm").collect()
}

/// The last parameters, since some before them may begin with `oauth_` too.
fn from_pairs(form: &str) -> BTreeMap<String, String> {
    let pairs = form.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .filter(|(name, _)| name.starts_with("oauth_"))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect()
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8().unwrap().into_owned()
}

struct Fixed(SystemTime);

impl Clock for Fixed {
    fn now(&self) -> SystemTime {
        self.0
    }
}

/// Keeps the base string that was signed last.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<String>>);

impl Recorder {
    fn base_string(&self) -> String {
        self.0.lock().unwrap().clone()
    }
}

/// Another method, whose base strings are recorded.
struct Recording {
    method: Arc<dyn SignatureMethod>,
    recorder: Recorder,
}

impl SignatureMethod for Recording {
    fn name(&self) -> &str {
        self.method.name()
    }

    fn key(&self, secrets: &SharedSecrets<'_>) -> SigningKey {
        let key = self.method.key(secrets);
        let recorder = self.recorder.clone();
        SigningKey::new(move |message: &Message<'_>, signature| {
            *recorder.0.lock().unwrap() = String::from_utf8(message.base_string().to_vec()).unwrap();
            key.sign(message, signature)
        })
    }

    fn needs_secure_channel(&self) -> bool {
        self.method.needs_secure_channel()
    }
}
