//! The same by others, from what an `http::Request` holds to a header value.

use std::collections::BTreeMap;

use http::HeaderValue;
use http::header::AUTHORIZATION;
use oauth_1a::AuthorizationType;
use oauth_1a::ClientId;
use oauth_1a::ClientSecret;
use oauth_1a::Nonce;
use oauth_1a::OAuthData;
use oauth_1a::SignableRequest;
use oauth_1a::SignatureMethod;
use oauth_1a::SigningKey;
use oauth1_request::ParameterList;
use reqwest::Url;
use reqwest_oauth1::OAuthClientProvider as _;

use crate::case::CLIENT;
use crate::case::CLIENT_SECRET;
use crate::case::Case;
use crate::case::TOKEN;
use crate::case::TOKEN_SECRET;

/// oauth1-request: it takes pairs, which have to be parsed and sorted, and a URI without a query.
pub fn oauth1_request(case: &Case) -> impl Fn() -> HeaderValue {
    let token = oauth1_request::Token::from_parts(CLIENT, CLIENT_SECRET, TOKEN, TOKEN_SECRET);
    let mut builder = oauth1_request::Builder::with_token(token, oauth1_request::HMAC_SHA1);
    builder.version(true);
    let case = case.clone();
    move || {
        let parameters = ParameterList::new(case.pairs());
        let uri = &case.uri;
        let (scheme, authority) = (uri.scheme_str().unwrap(), uri.authority().unwrap());
        let uri = format_args!("{scheme}://{authority}{}", uri.path());
        builder.authorize(case.method.as_str(), uri, &parameters).try_into().unwrap()
    }
}

/// oauth-1a: it takes a map of parameters, so that no name can come twice.
pub fn oauth_1a(case: &Case) -> impl FnMut() -> HeaderValue {
    let key = SigningKey::with_token(
        ClientSecret(CLIENT_SECRET.to_owned()),
        oauth_1a::TokenSecret(TOKEN_SECRET.to_owned()),
    );
    let mut data = OAuthData {
        client_id: ClientId(CLIENT.to_owned()),
        token: Some(oauth_1a::Token(TOKEN.to_owned())),
        signature_method: SignatureMethod::HmacSha1,
        nonce: Nonce::generate(),
    };
    let case = case.clone();
    move || {
        let pairs = case.pairs().into_iter().map(|(name, value)| (name.into_owned(), value.into_owned()));
        let mut parameters: BTreeMap<_, _> = pairs.collect();
        parameters.insert("oauth_version".to_owned(), "1.0".to_owned());
        let uri = Url::parse(&case.bare_uri).unwrap();
        let request = SignableRequest::new(case.method.as_str().parse().unwrap(), uri, parameters);
        data.regen_nonce();
        data.authorization(request, AuthorizationType::Request, &key).try_into().unwrap()
    }
}

/// reqwest, without and with reqwest-oauth1.
pub struct Reqwest {
    client: reqwest::Client,
    case: Case,
    query: Vec<(String, String)>,
    form: Vec<(String, String)>,
}

impl Reqwest {
    /// The request with all of its parameters in the query or all in the form.
    pub fn new(case: &Case) -> Self {
        let case = case.clone().in_the_form();
        let pairs = |text: &[u8]| form_urlencoded::parse(text).into_owned().collect();
        let query = pairs(case.query.as_bytes());
        let form = pairs(case.form.as_deref().unwrap_or_default());
        Self { client: reqwest::Client::new(), case, query, form }
    }

    pub fn case(&self) -> &Case {
        &self.case
    }

    /// A request, unsigned.
    pub fn plain(&self) -> reqwest::Request {
        let mut builder = self.client.request(self.case.method.clone(), &self.case.bare_uri);
        if !self.query.is_empty() {
            builder = builder.query(&self.query);
        }
        if !self.form.is_empty() {
            builder = builder.form(&self.form);
        }
        builder.build().unwrap()
    }

    /// A request, signed.
    pub fn signed(&self) -> reqwest::Request {
        let secrets = reqwest_oauth1::Secrets::new(CLIENT, CLIENT_SECRET).token(TOKEN, TOKEN_SECRET);
        let client = self.client.clone().oauth1(secrets);
        let mut builder = client.request(self.case.method.clone(), &self.case.bare_uri);
        if !self.query.is_empty() {
            builder = builder.query(&self.query);
        }
        if !self.form.is_empty() {
            builder = builder.form(&self.form);
        }
        builder.generate_signature().unwrap().build().unwrap()
    }

    /// The header of a signed request.
    pub fn header(&self) -> HeaderValue {
        self.signed().headers()[AUTHORIZATION].clone()
    }
}
