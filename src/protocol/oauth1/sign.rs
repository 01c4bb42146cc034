//! Signing: a borrowed view of a request goes in, the text that has to be put on it comes out.
//!
//! What does not change from request to request is prepared in a [`Plan`]: the key, the order of the protocol
//! parameters, and the texts around the few values that are new each time. Nonce and timestamp are passed in.

use crate::error::Error;
use crate::error::ErrorKind;
use crate::protocol::oauth1::base_string::BaseUri;
use crate::protocol::oauth1::base_string::write_head;
use crate::protocol::oauth1::body_hash::BodyDigest;
use crate::protocol::oauth1::body_hash::BodyHash;
use crate::protocol::oauth1::buffer::Writer;
use crate::protocol::oauth1::encode::Escape;
use crate::protocol::oauth1::encode::escaped;
use crate::protocol::oauth1::entry::AND;
use crate::protocol::oauth1::entry::EQUALS;
use crate::protocol::oauth1::header::Placement;
use crate::protocol::oauth1::params::OauthNames;
use crate::protocol::oauth1::params::PREFIX;
use crate::protocol::oauth1::params::Source;
use crate::protocol::oauth1::scratch::Scratch;
use crate::protocol::oauth1::signature::Message;
use crate::protocol::oauth1::signature::SigningKey;
use crate::protocol::oauth1::template::Filling;
use crate::protocol::oauth1::template::Hole;
use crate::protocol::oauth1::template::ProtocolParameter;
use crate::protocol::oauth1::template::Template;
use crate::protocol::oauth1::template::Text;

/// The protocol parameters that RFC 5849 and draft-eaton-oauth-bodyhash know.
pub(crate) const KNOWN_PARAMETERS: [&str; 10] = [
    "oauth_body_hash",
    "oauth_callback",
    "oauth_consumer_key",
    "oauth_nonce",
    "oauth_signature",
    "oauth_signature_method",
    "oauth_timestamp",
    "oauth_token",
    "oauth_verifier",
    "oauth_version",
];

/// How requests are to be signed.
#[derive(Debug)]
pub(crate) struct Rules {
    /// The parameters that are the same in every request, without duplicates.
    pub(crate) parameters: Vec<ProtocolParameter>,
    pub(crate) realm: Option<String>,
    pub(crate) placement: Placement,
    pub(crate) body_hash: BodyHash,
    pub(crate) body_digest: BodyDigest,
    /// Whether `oauth_*` parameters of the request that are no protocol parameters are signed like any other.
    pub(crate) allow_other_oauth_parameters: bool,
}

/// Everything that is the same for all requests signed with one pair of credentials.
#[derive(Debug)]
pub(crate) struct Plan {
    key: SigningKey,
    body_hash: BodyHash,
    body_digest: BodyDigest,
    oauth_names: OauthNames,
    plain: Texts,
    hashed: Texts,
}

/// The texts for requests that have a body hash, or for those that have none.
#[derive(Debug)]
struct Texts {
    /// The protocol parameters, sorted.
    parameters: Vec<ProtocolParameter>,
    /// All of them as they stand in the base string, if nothing can stand between them.
    run: Option<Template>,
    attachment: Template,
}

/// A request, as far as it is signed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signable<'a> {
    pub(crate) method: &'a str,
    pub(crate) uri: &'a BaseUri<'a>,
    pub(crate) query: Option<&'a str>,
    /// Whether `body` is a form.
    pub(crate) is_form: bool,
    /// The body, as far as it was read.
    pub(crate) body: &'a [u8],
    /// Signed parameters that are not in the request.
    pub(crate) additional: &'a [(String, String)],
    pub(crate) nonce: Text<'a>,
    /// Since 1970.
    pub(crate) seconds: u64,
}

impl Plan {
    pub(crate) fn new(rules: Rules, key: SigningKey) -> Self {
        let mut parameters = rules.parameters;
        parameters.push(ProtocolParameter::hole("oauth_nonce", Hole::Nonce));
        parameters.push(ProtocolParameter::hole("oauth_timestamp", Hole::Timestamp));
        let oauth_names = if rules.allow_other_oauth_parameters {
            let own = parameters.iter().map(|parameter| parameter.name.as_str());
            OauthNames::RefuseOnly(own.chain(KNOWN_PARAMETERS).map(str::to_owned).collect())
        } else {
            OauthNames::Refuse
        };
        let realm = rules.realm.as_deref();
        let plain = Texts::new(parameters.clone(), rules.placement, realm);
        parameters.push(ProtocolParameter::hole("oauth_body_hash", Hole::BodyHash));
        let hashed = Texts::new(parameters, rules.placement, realm);
        let body_hash = if rules.placement == Placement::Form { BodyHash::Never } else { rules.body_hash };
        Self { key, body_hash, body_digest: rules.body_digest, oauth_names, plain, hashed }
    }

    /// Whether the body of a request must be read for its hash.
    pub(crate) fn hashes_body(&self, is_form: bool) -> bool {
        self.body_hash.needs_body(is_form)
    }

    /// Signs `request`. The text to put on it, header value or pairs, is left in `scratch.attachment`; the base string
    /// and the signature are in `scratch` too.
    ///
    /// # Errors
    /// [`ErrorKind::ProtocolParameterPresent`], and [`ErrorKind::Signature`] when the signature method fails.
    #[inline]
    pub(crate) fn sign(&self, request: &Signable<'_>, scratch: &mut Scratch) -> Result<(), Error> {
        let hash;
        let Scratch { parameters, base_string, signature, attachment, timestamp } = scratch;
        let timestamp = Text::Unreserved(timestamp.of(request.seconds));
        let mut filling = Filling { nonce: request.nonce, timestamp, ..Filling::default() };
        let texts = if self.body_hash.is_sent(request.is_form, request.body) {
            hash = self.body_digest.of(request.body);
            filling.body_hash = Text::Any(hash.as_bytes());
            &self.hashed
        } else {
            &self.plain
        };
        base_string.append(|out| write_head(request.method, request.uri, out));
        match (request.query, request.is_form.then_some(request.body)) {
            (Some(query), Some(form)) => {
                parameters.add_query_and_form(query.as_bytes(), form, &self.oauth_names)?;
            }
            (Some(query), None) => {
                parameters.add_form(query.as_bytes(), Source::Query, &self.oauth_names)?;
            }
            (None, Some(form)) => parameters.add_form(form, Source::Form, &self.oauth_names)?,
            (None, None) => (),
        }
        for (name, value) in request.additional {
            parameters.add(name, value, &self.oauth_names)?;
        }
        let run = texts.run.as_ref().filter(|_| !parameters.has_oauth_names());
        if run.is_none() {
            for ProtocolParameter { name, value } in &texts.parameters {
                parameters.add_protocol(name, |out| filling.write(value, Escape::Twice, out));
            }
        }
        parameters.write_sorted(run.map(|run| |out: &mut Writer<'_>| run.write(&filling, out)), base_string);

        let message = Message::new(base_string.as_slice(), request.body);
        self.key
            .sign(&message, signature)
            .map_err(|error| Error::new(ErrorKind::Signature).caused_by(error))?;
        filling.signature = Text::Any(signature);
        attachment.append(|out| texts.attachment.write(&filling, out));
        Ok(())
    }
}

impl Texts {
    fn new(mut parameters: Vec<ProtocolParameter>, placement: Placement, realm: Option<&str>) -> Self {
        parameters.sort_by_cached_key(|parameter| escaped(parameter.name.as_bytes()));
        let run =
            parameters.iter().all(|parameter| parameter.name.as_bytes().starts_with(PREFIX)).then(|| {
                let mut run = Template::new(Escape::Twice);
                for (index, parameter) in parameters.iter().enumerate() {
                    if index > 0 {
                        run.text(AND);
                    }
                    run.text(&escaped(&escaped(parameter.name.as_bytes())));
                    run.text(EQUALS);
                    run.value(&parameter.value);
                }
                run
            });
        let attachment = placement.template(&parameters.iter().collect::<Vec<_>>(), realm);
        Self { parameters, run, attachment }
    }
}
