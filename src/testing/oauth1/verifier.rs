//! Whether a request is signed as it should be (RFC 5849 §3.2).

use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use http::Response;
use http::StatusCode;
use http::header;
use serde_json::Value;
use serde_json::json;

use crate::secret::Secret;
use crate::testing::answer;
use crate::testing::body::Body;
use crate::testing::builder::Settings;
use crate::testing::form;
use crate::testing::form::Pairs;
use crate::testing::incoming::Incoming;
use crate::testing::oauth1::header::parse;
use crate::testing::oauth1::memory::Memory;
use crate::testing::oauth1::memory::Nonce;
use crate::testing::oauth1::signature;
use crate::testing::provider::State;
use crate::testing::stats::OAuth1Counts;

/// A request whose signature is right.
pub(super) struct Verified {
    pub(super) client: String,
    pub(super) token: Option<String>,
    pub(super) signature_method: String,
    /// Where the protocol parameters were: `header`, `form` or `query` (§3.5).
    pub(super) placement: &'static str,
    /// The protocol parameters, decoded.
    pub(super) protocol: Vec<(String, String)>,
    /// The other parameters that the signature covers, decoded.
    pub(super) parameters: Vec<(String, String)>,
}

impl Verified {
    pub(super) fn find(&self, name: &str) -> Option<&str> {
        find(&self.protocol, name)
    }
}

/// Which token credentials a request may be signed with.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Signer {
    /// None (§2.1).
    Client,
    /// Temporary ones (§2.3).
    Temporary,
    /// None, or those of a user (§3.1).
    ClientOrToken,
}

/// Why a request was refused, in the words of the OAuth problem reporting extension.
pub(super) struct Problem {
    status: StatusCode,
    problem: &'static str,
    advice: String,
    /// The base string that the provider computed, for a signature that is another one. It has no secret in it.
    base_string: Option<String>,
    /// The first and the last timestamp that would be accepted, for one that is not.
    acceptable_timestamps: Option<(u64, u64)>,
}

impl Problem {
    /// A request that is not written as it should be.
    pub(super) fn malformed(problem: &'static str, advice: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            problem,
            advice: advice.into(),
            base_string: None,
            acceptable_timestamps: None,
        }
    }

    /// Credentials, or a use of them, that are refused.
    pub(super) fn unauthorized(problem: &'static str, advice: impl Into<String>) -> Self {
        Self { status: StatusCode::UNAUTHORIZED, ..Self::malformed(problem, advice) }
    }

    pub(super) fn into_response(self) -> Response<Body> {
        let mut body = json!({ "oauth_problem": self.problem, "oauth_problem_advice": self.advice });
        if let (Some(base_string), Some(members)) = (self.base_string, body.as_object_mut()) {
            members.insert("base_string".to_owned(), Value::String(base_string));
        }
        let mut challenge = format!(r#"OAuth realm="provider", oauth_problem="{}""#, self.problem);
        if let Some((first, last)) = self.acceptable_timestamps {
            challenge.push_str(&format!(r#", oauth_acceptable_timestamps="{first}-{last}""#));
        }
        answer::with(answer::json(self.status, &body), header::WWW_AUTHENTICATE, &challenge)
    }
}

/// Verifies a request and counts the verdict.
pub(super) fn verify(
    settings: &Settings,
    state: &mut State,
    now: SystemTime,
    request: &Incoming,
    signer: Signer,
) -> Result<Verified, Problem> {
    let verdict = judge(settings, &mut state.oauth1, now, request, signer);
    let counts = &mut state.stats.oauth1;
    *count(counts, verdict.as_ref().err()) += 1;
    verdict
}

fn count<'a>(counts: &'a mut OAuth1Counts, problem: Option<&Problem>) -> &'a mut u64 {
    match problem.map(|problem| problem.problem) {
        None => &mut counts.verified,
        Some("signature_invalid") => &mut counts.wrong_signatures,
        Some("nonce_used") => &mut counts.replayed_nonces,
        Some("timestamp_refused") => &mut counts.stale_timestamps,
        Some(_) => &mut counts.refused,
    }
}

fn judge(
    settings: &Settings,
    memory: &mut Memory,
    now: SystemTime,
    request: &Incoming,
    signer: Signer,
) -> Result<Verified, Problem> {
    let Collected { placement, all } = collect(request)?;
    let (protocol, parameters): (Vec<_>, Vec<_>) = all
        .iter()
        .map(|(name, value)| (form::text(name), form::text(value)))
        .partition(|(name, _)| name.starts_with("oauth_"));
    check_protocol(&protocol)?;

    let client = find(&protocol, "oauth_consumer_key").unwrap_or_default().to_owned();
    let client_secret = settings.oauth1_clients.get(&client);
    let client_secret = client_secret
        .ok_or_else(|| Problem::unauthorized("consumer_key_unknown", "the client key is unknown"))?;
    // An empty token counts as left out (§3.1).
    let token = find(&protocol, "oauth_token").filter(|token| !token.is_empty()).map(str::to_owned);
    let token_secret = token_secret(settings, memory, signer, &client, token.as_deref())?;
    let timestamp = check_timestamp(settings, now, &protocol)?;

    let signature_method = find(&protocol, "oauth_signature_method").unwrap_or_default().to_owned();
    let signed: Pairs = all.iter().filter(|(name, _)| name != b"oauth_signature").cloned().collect();
    let uri = signature::base_uri(&request.scheme, &request.authority, &request.path);
    let base_string = signature::base_string(request.method.as_str(), &uri, &signed);
    let right =
        signature::sign(&signature_method, &base_string, client_secret.expose(), token_secret.expose());
    let right = right.ok_or_else(|| {
        let advice = "the provider has HMAC-SHA1, HMAC-SHA256, HMAC-SHA512 and PLAINTEXT";
        Problem::malformed("signature_method_rejected", advice)
    })?;
    let got = find(&protocol, "oauth_signature").unwrap_or_default();
    // Compared as secrets, in constant time: with PLAINTEXT they are.
    if Secret::new(right) != Secret::new(got) {
        let advice = "the signature is another one: compare the base strings, then the secrets";
        let base_string = Some(base_string).filter(|_| signature_method != "PLAINTEXT");
        return Err(Problem { base_string, ..Problem::unauthorized("signature_invalid", advice) });
    }

    // Only now, so that nobody can use up the nonces of others.
    if let (Some(timestamp), Some(nonce)) = (timestamp, find(&protocol, "oauth_nonce")) {
        let (client, token, nonce) = (client.clone(), token.clone(), nonce.to_owned());
        if !memory.use_nonce(Nonce { client, token, timestamp, nonce }) {
            let advice = "this nonce was used before with this timestamp: sign every attempt anew";
            return Err(Problem::unauthorized("nonce_used", advice));
        }
    }
    Ok(Verified { client, token, signature_method, placement, protocol, parameters })
}

struct Collected {
    placement: &'static str,
    /// All parameters, those of the protocol included (§3.4.1.3.1).
    all: Pairs,
}

fn collect(request: &Incoming) -> Result<Collected, Problem> {
    let sources = [
        ("header", from_header(request)?),
        ("form", form::decode(request.form_bytes())),
        ("query", form::decode(request.query_bytes())),
    ];
    let is_protocol = |(name, _): &(Vec<u8>, Vec<u8>)| name.starts_with(b"oauth_");
    let mut places =
        sources.iter().filter(|(_, pairs)| pairs.iter().any(is_protocol)).map(|(place, _)| *place);
    let placement = places.next().ok_or_else(|| {
        let advice = "there is neither an `Authorization: OAuth` header nor a protocol parameter elsewhere";
        Problem::unauthorized("parameter_absent", advice)
    })?;
    if let Some(second) = places.next() {
        let advice = format!(
            "protocol parameters are in the {placement} and in the {second}: one place only (RFC 5849 §3.5)"
        );
        return Err(Problem::malformed("parameter_rejected", advice));
    }
    Ok(Collected { placement, all: sources.into_iter().flat_map(|(_, pairs)| pairs).collect() })
}

fn from_header(request: &Incoming) -> Result<Pairs, Problem> {
    let malformed = |advice| Problem::malformed("parameter_rejected", advice);
    let mut values = request.headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(Pairs::new()) };
    if values.next().is_some() {
        return Err(malformed("there is more than one Authorization header"));
    }
    let value = value.to_str().map_err(|_| malformed("the Authorization header is not ASCII"))?;
    let (scheme, parameters) = value.split_once(' ').unwrap_or((value, ""));
    if !scheme.eq_ignore_ascii_case("OAuth") {
        return Ok(Pairs::new());
    }
    parse(parameters).ok_or_else(|| malformed("the Authorization header is not a list of name=\"value\""))
}

/// Whether the protocol parameters are complete, and each there once (§3.1).
fn check_protocol(protocol: &[(String, String)]) -> Result<(), Problem> {
    let mut names: Vec<&str> = protocol.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    if let Some(twice) =
        names.windows(2).find_map(|pair| pair.first().filter(|first| Some(*first) == pair.last()))
    {
        return Err(Problem::malformed(
            "parameter_rejected",
            format!("{} occurs more than once", answer::quoted(twice)),
        ));
    }
    let mut required = vec!["oauth_consumer_key", "oauth_signature_method", "oauth_signature"];
    if find(protocol, "oauth_signature_method") != Some("PLAINTEXT") {
        required.extend(["oauth_timestamp", "oauth_nonce"]);
    }
    required.retain(|name| find(protocol, name).is_none());
    if !required.is_empty() {
        return Err(Problem::malformed("parameter_absent", format!("missing: {}", required.join(", "))));
    }
    match find(protocol, "oauth_version") {
        None | Some("1.0") => Ok(()),
        Some(_) => {
            Err(Problem::malformed("version_rejected", "oauth_version, where it is sent, has to be 1.0"))
        }
    }
}

fn token_secret(
    settings: &Settings,
    memory: &Memory,
    signer: Signer,
    client: &str,
    token: Option<&str>,
) -> Result<Secret, Problem> {
    let rejected = |advice| Problem::unauthorized("token_rejected", advice);
    let Some(token) = token else {
        return match signer {
            Signer::Client | Signer::ClientOrToken => Ok(Secret::new("")),
            Signer::Temporary => Err(Problem::malformed("parameter_absent", "missing: oauth_token")),
        };
    };
    let (owner, secret) = match signer {
        Signer::Client => return Err(rejected("temporary credentials are asked for without a token")),
        Signer::Temporary => {
            let temporary =
                memory.temporary.get(token).ok_or_else(|| rejected("the temporary token is unknown"))?;
            (&temporary.client, &temporary.secret)
        }
        Signer::ClientOrToken => {
            let known = settings.oauth1_tokens.get(token).or_else(|| memory.tokens.get(token));
            let known = known.ok_or_else(|| rejected("the token is unknown"))?;
            (&known.client, &known.secret)
        }
    };
    if owner == client { Ok(secret.clone()) } else { Err(rejected("the token belongs to another client")) }
}

/// The timestamp as it was written, when it is near enough to the clock (§3.3); `None` where PLAINTEXT left it out.
fn check_timestamp(
    settings: &Settings,
    now: SystemTime,
    protocol: &[(String, String)],
) -> Result<Option<String>, Problem> {
    let Some(written) = find(protocol, "oauth_timestamp") else { return Ok(None) };
    let timestamp: u64 = written.parse().map_err(|_| {
        Problem::malformed(
            "parameter_rejected",
            "oauth_timestamp is not a whole number of seconds since 1970",
        )
    })?;
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let window = settings.timestamp_window.as_secs();
    if timestamp.abs_diff(now) > window {
        let (first, last) = (now.saturating_sub(window), now.saturating_add(window));
        let advice = format!("the provider's clock says {now}; acceptable are {first} to {last}");
        let acceptable_timestamps = Some((first, last));
        return Err(Problem { acceptable_timestamps, ..Problem::unauthorized("timestamp_refused", advice) });
    }
    Ok(Some(written.to_owned()))
}

fn find<'a>(parameters: &'a [(String, String)], name: &str) -> Option<&'a str> {
    parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}
