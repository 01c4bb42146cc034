//! The parameters by which OAuth 1.0 providers say what is wrong (OAuth Problem Reporting extension): in challenges and
//! in bodies.

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;
use percent_encoding::percent_decode_str;
use serde_json::Map;
use serde_json::Value;

use crate::protocol::oauth1::token_response::pairs;

/// The parameter that names the problem; without it there is none.
const PROBLEM: &str = "oauth_problem";

/// The parameters of a report, decoded once.
#[derive(Debug, PartialEq)]
pub(crate) struct Report(Vec<(String, String)>);

impl Report {
    /// The report in the `WWW-Authenticate` headers. The parameters are known by their names: some providers leave the
    /// scheme `OAuth` out.
    pub(crate) fn in_headers(headers: &HeaderMap) -> Option<Self> {
        let challenges = headers.get_all(WWW_AUTHENTICATE).iter();
        let mut parameters = challenges
            .filter(|challenge| !challenge.is_empty())
            .flat_map(|challenge| challenge_parameters(&String::from_utf8_lossy(challenge.as_bytes())));
        // Nearly no response has one, and nothing is allocated for those.
        let first = parameters.next()?;
        Self::of(std::iter::once(first).chain(parameters).collect())
    }

    /// The report in a body: a form or a JSON object, whatever its media type says.
    pub(crate) fn in_body(body: &[u8]) -> Option<Self> {
        let body = String::from_utf8_lossy(body);
        let body = body.trim_start_matches('\u{feff}').trim();
        if body.starts_with('{') {
            let fields: Map<String, Value> = serde_json::from_str(body).ok()?;
            let fields = fields.into_iter().filter_map(|(name, value)| match value {
                Value::String(value) => Some((name, value)),
                _ => None,
            });
            return Self::of(fields.collect());
        }
        Self::of(pairs(body).collect())
    }

    /// A parameter that is there and not empty.
    pub(crate) fn find(&self, name: &str) -> Option<&str> {
        let mut values = self.0.iter().filter(|(found, value)| found == name && !value.is_empty());
        values.next().map(|(_, value)| value.as_str())
    }

    /// `oauth_problem`.
    pub(crate) fn code(&self) -> &str {
        self.find(PROBLEM).unwrap_or_default()
    }

    /// The names in `oauth_parameters_absent` and its like, which are a form inside of the parameter. Values are left
    /// out: what was rejected may be a secret.
    pub(crate) fn names(&self, name: &str) -> impl Iterator<Item = String> + '_ {
        pairs(self.find(name).unwrap_or_default()).map(|(name, _)| name)
    }

    /// The two ends of `oauth_acceptable_timestamps`, in seconds since 1970.
    pub(crate) fn acceptable_timestamps(&self) -> Option<(u64, u64)> {
        let (first, last) = self.find("oauth_acceptable_timestamps")?.split_once('-')?;
        let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        (first <= last).then_some((first, last))
    }

    fn of(mut parameters: Vec<(String, String)>) -> Option<Self> {
        parameters.retain(|(name, _)| name.starts_with("oauth_"));
        Some(Self(parameters)).filter(|report| report.find(PROBLEM).is_some())
    }
}

/// The `name=value` pairs of challenges (RFC 9110 §11.6.1), quoted or not, percent-decoded, names in lower case.
fn challenge_parameters(challenges: &str) -> Vec<(String, String)> {
    let mut is_quoted = false;
    let mut is_escaped = false;
    let outside_quotes = |c: char| {
        let was_escaped = std::mem::replace(&mut is_escaped, false);
        match c {
            '"' if !was_escaped => is_quoted = !is_quoted,
            '\\' if is_quoted && !was_escaped => is_escaped = true,
            _ => {}
        }
        c == ',' && !is_quoted
    };
    let parameters = challenges.split(outside_quotes).filter_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        // The first parameter of a challenge has the scheme before it.
        let name = name.split_whitespace().next_back()?;
        let value = value.trim();
        let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
        Some((name.to_ascii_lowercase(), percent_decode_str(value).decode_utf8_lossy().into_owned()))
    });
    parameters.collect()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn in_challenges(challenges: &[&'static str]) -> Option<Report> {
        let mut headers = HeaderMap::new();
        for challenge in challenges {
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        Report::in_headers(&headers)
    }

    #[test]
    fn a_report_is_found_in_challenges_however_they_are_written() {
        for challenges in [
            &[
                r#"OAuth realm="a, oauth_problem=b", oauth_problem="token_used", oauth_problem_advice="come%20again, please""#,
            ][..],
            &["OAuth oauth_problem=token_used, oauth_problem_advice=come%20again%2C%20please"],
            &[
                r#"Basic realm="x\", y", OAuth oauth_problem="token_used",OAuth_Problem_Advice="come again%2c please""#,
            ],
            &[
                r#"Basic realm="x""#,
                r#"OAuth realm="y",oauth_problem="token_used", oauth_problem_advice="come again, please""#,
            ],
            &[r#"oauth_problem="token_used", oauth_problem_advice="come again, please""#],
        ] {
            let report = in_challenges(challenges).unwrap();
            assert_eq!(report.code(), "token_used", "{challenges:?}");
            assert_eq!(report.find("oauth_problem_advice"), Some("come again, please"), "{challenges:?}");
        }
    }

    #[test]
    fn a_challenge_without_a_problem_is_no_report() {
        for challenge in
            ["", "OAuth", r#"OAuth realm="photos""#, r#"OAuth oauth_problem="""#, "Bearer a=b, =", "\"=,\\"]
        {
            assert_eq!(in_challenges(&[challenge]), None, "{challenge}");
        }
        assert_eq!(in_challenges(&[]), None);
    }

    #[test]
    fn a_report_is_found_in_a_form_and_in_json() {
        for body in [
            "oauth_problem=nonce_used&oauth_problem_advice=again%21+now",
            "\u{feff}  a=b&oauth_problem=nonce_used&oauth_problem_advice=again!%20now\r\n",
            r#"{"oauth_problem": "nonce_used", "oauth_problem_advice": "again! now", "status": 401}"#,
        ] {
            let report = Report::in_body(body.as_bytes()).unwrap();
            assert_eq!(report.code(), "nonce_used", "{body}");
            assert_eq!(report.find("oauth_problem_advice"), Some("again! now"), "{body}");
        }
    }

    #[test]
    fn other_bodies_are_no_report() {
        for body in [
            "",
            "oauth_problem",
            "oauth_problem=",
            "<p>oauth_problem</p>",
            "{",
            r#"{"oauth_problem": 7}"#,
            "[]",
            "\u{0}",
        ] {
            assert_eq!(Report::in_body(body.as_bytes()), None, "{body}");
        }
        assert_eq!(Report::in_body(b"\xff\xfe"), None);
    }

    #[test]
    fn of_the_parameters_in_question_the_names_are_left() {
        let body = "oauth_problem=parameter_absent&oauth_parameters_absent=oauth_token%26oauth_no%256ece\
                    &oauth_parameters_rejected=oauth_signature%3Dhush%2526hush%26x%3D";
        let report = Report::in_body(body.as_bytes()).unwrap();
        assert_eq!(
            report.names("oauth_parameters_absent").collect::<Vec<_>>(),
            ["oauth_token", "oauth_nonce"]
        );
        assert_eq!(report.names("oauth_parameters_rejected").collect::<Vec<_>>(), ["oauth_signature", "x"]);
        assert_eq!(report.names("oauth_acceptable_versions").count(), 0);
    }

    #[test]
    fn acceptable_timestamps_are_two_numbers_in_order() {
        for (written, expected) in [
            ("100-200", Some((100, 200))),
            ("100 - 100", Some((100, 100))),
            ("200-100", None),
            ("-100", None),
            ("100", None),
            ("1.5-2", None),
            ("0-99999999999999999999999", None),
        ] {
            let body = format!("oauth_problem=timestamp_refused&oauth_acceptable_timestamps={written}");
            assert_eq!(
                Report::in_body(body.as_bytes()).unwrap().acceptable_timestamps(),
                expected,
                "{written}"
            );
        }
    }
}
