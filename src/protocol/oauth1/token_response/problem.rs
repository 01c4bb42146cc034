//! What becomes of an `oauth_problem` in an answer to the flow.

use crate::error::Error;
use crate::error::ErrorKind;
use crate::error::ServerError;
use crate::protocol::oauth1::problem::Report;

/// Characters of a detail that are shown.
const SHOWN: usize = 100;

/// The error for what the provider reports, its texts cleaned by `clean`; `more` is added to its detail.
pub(crate) fn error_of(report: &Report, clean: impl Fn(&str) -> String, more: Option<String>) -> Error {
    let code = report.code();
    let kind = if is_denial(code) { ErrorKind::AuthorizationDenied } else { ErrorKind::Refused };
    let ranges = [
        ("acceptable timestamps", "oauth_acceptable_timestamps"),
        ("acceptable versions", "oauth_acceptable_versions"),
    ];
    let ranges = ranges.iter().filter_map(|(what, name)| Some((*what, report.find(name)?.to_owned())));
    let lists = [
        ("absent parameters", "oauth_parameters_absent"),
        ("rejected parameters", "oauth_parameters_rejected"),
    ];
    let lists = lists.iter().map(|(what, name)| (*what, report.names(name).collect::<Vec<_>>().join(", ")));
    let reported = ranges.chain(lists).filter(|(_, value)| !value.is_empty()).map(|(what, value)| {
        let value: String = clean(&value).chars().filter(|c| !c.is_control()).take(SHOWN).collect();
        format!("{what}: {value}")
    });
    let hint = hint(code).map(str::to_owned);
    let details: Vec<String> = hint.into_iter().chain(reported).chain(more).collect();

    let advice = report.find("oauth_problem_advice").map(&clean);
    let server = ServerError::new(&clean(code)).description(advice.as_deref());
    let error = Error::new(kind).with_server(server);
    if details.is_empty() { error } else { error.detail(details.join("; ")) }
}

/// Whether it was the resource owner who refused.
fn is_denial(code: &str) -> bool {
    matches!(code, "permission_denied" | "user_refused")
}

/// What the reader can do about a problem.
fn hint(code: &str) -> Option<&'static str> {
    Some(match code {
        "consumer_key_refused" | "consumer_key_rejected" | "consumer_key_unknown" => {
            "check the client identifier"
        }
        "nonce_used" => "this very request was seen before: sign each attempt anew",
        "permission_unknown" => "the resource owner has not approved yet",
        "signature_invalid" => "check the client secret and the endpoint's URL as the provider sees it",
        "signature_method_rejected" => "set another `signature_method`",
        "timestamp_refused" => "set the clock of this machine, or the flow's `clock`",
        "token_expired" | "token_rejected" | "token_revoked" | "token_used" => {
            "this token is of no more use: begin again with a new request token"
        }
        "version_rejected" => "try `omit_version()`",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(form: &str) -> Error {
        error_of(&Report::in_body(form.as_bytes()).unwrap(), str::to_owned, None)
    }

    #[test]
    fn what_was_reported_and_a_hint_reach_the_message() {
        let error = error("oauth_problem=timestamp_refused&oauth_acceptable_timestamps=100-200");
        assert_eq!(error.server().map(ServerError::code), Some("timestamp_refused"));
        let message = error.to_string();
        assert!(message.contains("acceptable timestamps: 100-200"), "{message}");
        assert!(message.contains("clock"), "{message}");
    }

    #[test]
    fn parameters_in_question_are_named_without_their_values() {
        let error = error(
            "oauth_problem=parameter_rejected&oauth_parameters_rejected=oauth_verifier%3Dhush%26x%3Dhush\
             &oauth_parameters_absent=oauth_nonce",
        );
        let message = error.to_string();
        assert!(message.contains("rejected parameters: oauth_verifier, x"), "{message}");
        assert!(message.contains("absent parameters: oauth_nonce") && !message.contains("hush"), "{message}");
    }

    #[test]
    fn a_refusal_by_the_resource_owner_is_a_kind_of_its_own() {
        for code in ["permission_denied", "user_refused"] {
            assert_eq!(error(&format!("oauth_problem={code}")).kind(), ErrorKind::AuthorizationDenied);
        }
    }
}
