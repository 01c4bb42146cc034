//! What a provider says of a refusal.

use std::fmt;
use std::ops::RangeInclusive;

use http::HeaderMap;

use crate::protocol::oauth1::problem::Report;

/// Bytes of each text of a provider that are kept.
const LIMIT: usize = 500;
/// Names of parameters that are kept.
const NAMES: usize = 32;

/// Why a provider refused a request, in the words of the OAuth Problem Reporting extension.
///
/// The layer puts it into the extensions of each response to a signed request that has it in a `WWW-Authenticate` header.
/// The layer does not read the bodies of responses, which may be streams without end; for providers that report there, hand
/// the body to [`from_body`](Self::from_body).
///
/// ```
/// use tower_oauth::oauth1::OAuthProblem;
///
/// let body = b"oauth_problem=token_expired&oauth_problem_advice=The%20access%20token%20has%20expired";
/// let problem = OAuthProblem::from_body(body).unwrap();
/// assert_eq!(problem.code(), "token_expired");
/// assert_eq!(problem.server_advice(), Some("The access token has expired"));
/// assert_eq!(problem.to_string(), "token_expired: the token's time is over; renew it, or log in again");
/// ```
///
/// Texts come from the provider: control characters are replaced, and long ones are cut at 500 bytes. `Debug` and `Display`
/// show only what the extension defines, never a provider's own text, which may repeat what was sent to it.
#[derive(Clone, PartialEq, Eq)]
pub struct OAuthProblem {
    code: Box<str>,
    server_advice: Option<Box<str>>,
    parameters_absent: Vec<Box<str>>,
    parameters_rejected: Vec<Box<str>>,
    acceptable_timestamps: Option<(u64, u64)>,
    acceptable_versions: Option<Box<str>>,
}

impl OAuthProblem {
    /// The problem that the `WWW-Authenticate` headers of a response report.
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        Report::in_headers(headers).as_ref().map(Self::of)
    }

    /// The problem that the body of a response reports, as a form or as JSON.
    pub fn from_body(body: &[u8]) -> Option<Self> {
        Report::in_body(body).as_ref().map(Self::of)
    }

    /// `oauth_problem`, such as `signature_invalid`. Providers have codes of their own too.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// What the code means and what can be done, for the codes of the extension and a few that are as common.
    pub fn advice(&self) -> Option<&'static str> {
        CODES.iter().find(|(code, _)| *code == &*self.code).map(|(_, advice)| *advice)
    }

    /// `oauth_problem_advice`: the provider's own text for people.
    pub fn server_advice(&self) -> Option<&str> {
        self.server_advice.as_deref()
    }

    /// `oauth_parameters_absent`: the names of parameters that were missing; at most 32.
    pub fn parameters_absent(&self) -> impl Iterator<Item = &str> {
        self.parameters_absent.iter().map(AsRef::as_ref)
    }

    /// `oauth_parameters_rejected`: the names of parameters that were not expected; at most 32. Their values are left out,
    /// since a signature or a token may be among them.
    pub fn parameters_rejected(&self) -> impl Iterator<Item = &str> {
        self.parameters_rejected.iter().map(AsRef::as_ref)
    }

    /// `oauth_acceptable_timestamps`: which timestamps the provider would accept, in seconds since 1970.
    pub fn acceptable_timestamps(&self) -> Option<RangeInclusive<u64>> {
        self.acceptable_timestamps.map(|(first, last)| first..=last)
    }

    /// `oauth_acceptable_versions`: the first and the last `oauth_version` that the provider accepts, such as `1.0-1.0`.
    pub fn acceptable_versions(&self) -> Option<&str> {
        self.acceptable_versions.as_deref()
    }

    /// Whether it is the timestamp that was refused.
    pub fn is_timestamp_refused(&self) -> bool {
        &*self.code == "timestamp_refused"
    }

    /// Whether the token is of no more use: expired, revoked or rejected.
    pub fn is_token_refused(&self) -> bool {
        matches!(&*self.code, "token_expired" | "token_rejected" | "token_revoked")
    }

    fn of(report: &Report) -> Self {
        let names = |name| report.names(name).take(NAMES).map(|name| tame(&name)).collect();
        Self {
            code: tame(report.code()),
            server_advice: report.find("oauth_problem_advice").map(tame),
            parameters_absent: names("oauth_parameters_absent"),
            parameters_rejected: names("oauth_parameters_rejected"),
            acceptable_timestamps: report.acceptable_timestamps(),
            acceptable_versions: report.find("oauth_acceptable_versions").map(tame),
        }
    }
}

impl fmt::Display for OAuthProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.advice() {
            Some(advice) => write!(formatter, "{}: {advice}", self.code),
            None => formatter.write_str(UNKNOWN),
        }
    }
}

impl fmt::Debug for OAuthProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.advice().map_or(UNKNOWN, |_| &self.code);
        formatter.debug_struct("OAuthProblem").field("code", &code).finish_non_exhaustive()
    }
}

impl std::error::Error for OAuthProblem {}

/// What is shown in the place of a code that may be any text.
const UNKNOWN: &str = "a problem with a code of the provider's own";

/// Makes foreign text fit for one line of a log.
fn tame(text: &str) -> Box<str> {
    let mut tamed: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if tamed.len() > LIMIT {
        let end = (0..=LIMIT).rev().find(|&end| tamed.is_char_boundary(end)).unwrap_or(0);
        tamed.truncate(end);
        tamed.push('…');
    }
    tamed.into()
}

/// The codes with what they mean to the one who reads them. The last two are not in the extension.
const CODES: [(&str, &str); 20] = [
    (
        "additional_authorization_required",
        "the user has to approve more; send the user to the provider again",
    ),
    ("consumer_key_refused", "the provider does not accept this client at the moment; try again later"),
    ("consumer_key_rejected", "the provider does not accept this client; ask the provider why"),
    ("consumer_key_unknown", "the provider does not know this client; check the client identifier"),
    ("nonce_used", "this request was seen before; sign every attempt anew, with the layer inside of retries"),
    ("parameter_absent", "a parameter is missing; look at `parameters_absent`"),
    ("parameter_rejected", "a parameter was not expected; look at `parameters_rejected`"),
    ("permission_denied", "the user, or the provider, does not allow this access"),
    ("permission_unknown", "the user has not decided yet; send the user to the provider"),
    (
        "signature_invalid",
        "the signature is another one; compare the base strings (`Signer::explain`), then check both secrets",
    ),
    ("signature_method_rejected", "the provider does not have this method; set another `signature_method`"),
    (
        "timestamp_refused",
        "the timestamp is too far from the provider's clock; set the clock of this machine",
    ),
    ("token_expired", "the token's time is over; renew it, or log in again"),
    ("token_rejected", "the token is not accepted; log in again"),
    ("token_revoked", "the token was taken back; log in again"),
    ("token_used", "the token was for one use, and was used; begin again with a new request token"),
    ("user_refused", "the user did not allow the access"),
    ("version_rejected", "the provider does not accept this `oauth_version`; try `omit_version()`"),
    ("body_hash_invalid", "the hash of the body is another one; check `body_hash` and `body_digest`"),
    (
        "verifier_invalid",
        "the verifier is not the one that was given out; begin again with a new request token",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defaults::assert_documented;

    fn problem(body: &str) -> OAuthProblem {
        OAuthProblem::from_body(body.as_bytes()).unwrap()
    }

    #[test]
    fn the_limits_are_those_of_the_table() {
        assert_documented("part of each text of an `OAuthProblem` that is kept", format!("{LIMIT} bytes"));
        assert_documented("names of parameters in an `OAuthProblem` that are kept, of each kind", NAMES);
    }

    #[test]
    fn every_code_of_the_extension_has_an_advice() {
        for code in [
            "version_rejected",
            "parameter_absent",
            "parameter_rejected",
            "timestamp_refused",
            "nonce_used",
            "signature_method_rejected",
            "signature_invalid",
            "consumer_key_unknown",
            "consumer_key_rejected",
            "consumer_key_refused",
            "token_used",
            "token_expired",
            "token_revoked",
            "token_rejected",
            "additional_authorization_required",
            "permission_unknown",
            "permission_denied",
            "user_refused",
        ] {
            let problem = problem(&format!("oauth_problem={code}"));
            assert!(problem.advice().is_some_and(|advice| !advice.is_empty()), "{code}");
            assert!(problem.to_string().starts_with(&format!("{code}: ")), "{problem}");
        }
        assert_eq!(problem("oauth_problem=out_of_coffee").advice(), None);
    }

    #[test]
    fn the_details_are_those_of_the_report() {
        let problem = problem(
            "oauth_problem=parameter_rejected&oauth_parameters_rejected=a%3D1%26b%3D2&oauth_parameters_absent=c\
             &oauth_acceptable_timestamps=1-2&oauth_acceptable_versions=1.0-1.0&oauth_problem_advice=no",
        );
        assert_eq!(problem.parameters_rejected().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(problem.parameters_absent().collect::<Vec<_>>(), ["c"]);
        assert_eq!(problem.acceptable_timestamps(), Some(1..=2));
        assert_eq!(problem.acceptable_versions(), Some("1.0-1.0"));
        assert_eq!(problem.server_advice(), Some("no"));
    }

    #[test]
    fn what_the_provider_wrote_is_neither_printed_nor_unbounded() {
        let problem = problem(&format!(
            "oauth_problem=hush%0Ahush&oauth_problem_advice={}&oauth_parameters_absent={}",
            "%C3%A9".repeat(LIMIT),
            "hush%26".repeat(2 * NAMES)
        ));
        assert_eq!(problem.code(), "hush hush");
        assert!(problem.server_advice().unwrap().len() <= LIMIT + '…'.len_utf8());
        assert_eq!(problem.parameters_absent().count(), NAMES);
        let shown = format!("{problem} {problem:?} {problem:#?}");
        assert!(!shown.contains("hush") && !shown.contains('é'), "{shown}");
    }

    #[test]
    fn tokens_that_are_of_no_more_use_are_told_from_other_problems() {
        for (code, expected) in [
            ("token_expired", true),
            ("token_rejected", true),
            ("token_revoked", true),
            ("token_used", false),
            ("signature_invalid", false),
        ] {
            assert_eq!(problem(&format!("oauth_problem={code}")).is_token_refused(), expected, "{code}");
        }
    }
}
