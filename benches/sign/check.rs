//! Whether all do the same: what signs wrongly need not be measured.

use std::collections::HashMap;

use http::HeaderValue;
use http::header::AUTHORIZATION;
use tower_oauth::oauth1::Signer;

use crate::case::Case;
use crate::ours::fixed;

/// Panics unless `signer`, with the nonce and the timestamp of this header, makes the same signature.
pub fn verify(who: &str, signer: Signer, case: &Case, header: &HeaderValue) {
    let theirs = parameters(header);
    let mut signer = fixed(signer, &theirs["oauth_nonce"], theirs["oauth_timestamp"].parse().unwrap());
    if !theirs.contains_key("oauth_version") {
        signer = signer.omit_version();
    }
    let mut head = case.head();
    signer.sign_parts(&mut head, &case.body()).unwrap();
    let ours = parameters(&head.headers[AUTHORIZATION]);
    assert_eq!(
        theirs["oauth_signature"], ours["oauth_signature"],
        "{who} does not sign {} as we do",
        case.name
    );
}

/// The parameters of a header, decoded.
pub fn parameters(header: &HeaderValue) -> HashMap<String, String> {
    let header = header.to_str().unwrap().strip_prefix("OAuth ").unwrap();
    let pairs = header.split(',').filter_map(|pair| pair.trim().split_once('='));
    let decode = |value: &str| {
        // Nothing in it is a `+` for a space: that would be escaped.
        let form = format!("v={}", value.trim_matches('"'));
        form_urlencoded::parse(form.as_bytes()).next().unwrap().1.into_owned()
    };
    pairs.map(|(name, value)| (name.to_owned(), decode(value))).collect()
}
