//! Lines of any bytes are read as challenges: within bounds, without loss of what stands in a challenge of our own, and
//! in the same way when what was read is written down and read again.
#![no_main]

use http::HeaderMap;
use http::HeaderValue;
use http::header::WWW_AUTHENTICATE;
use libfuzzer_sys::fuzz_target;
use tower_oauth::oauth2::Challenge;

const OURS: &str = r#"Bearer realm="a, b=c \"d\"", error="invalid_token""#;

fn parse(lines: &[Vec<u8>]) -> Vec<Challenge> {
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append(WWW_AUTHENTICATE, HeaderValue::from_bytes(line).expect("a header's value"));
    }
    Challenge::parse(&headers)
}

/// The challenge as RFC 9110 writes it.
fn written(challenge: &Challenge) -> Vec<u8> {
    let mut line = challenge.scheme().to_owned();
    if let Some(token68) = challenge.token68() {
        line += &format!(" {token68},");
    }
    for (number, (name, value)) in challenge.parameters().enumerate() {
        let comma = if number == 0 { " " } else { ", " };
        let value = value.replace('\\', "\\\\").replace('"', "\\\"");
        line += &format!("{comma}{name}=\"{value}\"");
    }
    line.into_bytes()
}

fuzz_target!(|lines: Vec<&[u8]>| {
    let lines: Vec<_> =
        lines.into_iter().filter(|line| HeaderValue::from_bytes(line).is_ok()).map(<[u8]>::to_vec).collect();
    let challenges = parse(&lines);
    assert!(challenges.len() <= 16);
    let mut length = 0;
    for challenge in &challenges {
        assert!(!challenge.scheme().is_empty());
        assert!(challenge.parameters().count() <= 32);
        length += challenge.scheme().len() + challenge.token68().map_or(0, str::len);
        length += challenge.parameters().map(|(name, value)| name.len() + value.len()).sum::<usize>();
        // Whatever the server wrote, it can be asked for.
        let _ = (challenge.realm(), challenge.error(), challenge.max_age(), format!("{challenge:?}"));
        let _ = (challenge.scopes().count(), challenge.acr_values().count());
        // Replaced bytes grow, and may then be beyond what is read.
        if written(challenge).len() < 16 * 1024 {
            assert_eq!(parse(&[written(challenge)]), std::slice::from_ref(challenge));
        }
    }
    // A byte that is no UTF-8 becomes three.
    assert!(length <= 3 * 16 * 1024);

    // A line before others reads as it does alone.
    let mut with_ours = vec![OURS.as_bytes().to_vec()];
    with_ours.extend(lines);
    let ours = parse(&with_ours).into_iter().next().expect("our challenge");
    assert_eq!(ours.realm(), Some(r#"a, b=c "d""#));
    assert_eq!(ours.error(), Some("invalid_token"));
});
