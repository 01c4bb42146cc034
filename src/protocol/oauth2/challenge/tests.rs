use http::HeaderValue;

use super::*;

fn parse(lines: &[&[u8]]) -> Vec<Challenge> {
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append(WWW_AUTHENTICATE, HeaderValue::from_bytes(line).unwrap());
    }
    Challenge::parse(&headers)
}

/// A challenge in one line, to compare.
fn shown(challenge: &Challenge) -> String {
    let mut shown = challenge.scheme().to_owned();
    if let Some(token68) = challenge.token68() {
        shown += &format!(" {token68}");
    }
    for (name, value) in challenge.parameters() {
        shown += &format!(" <{name}:{value}>");
    }
    shown
}

fn read(line: &str) -> Vec<String> {
    parse(&[line.as_bytes()]).iter().map(shown).collect()
}

#[test]
fn the_examples_of_rfc_6750_are_read() {
    assert_eq!(read(r#"Bearer realm="example""#), ["Bearer <realm:example>"]);
    let expired =
        r#"Bearer realm="example", error="invalid_token", error_description="The access token expired""#;
    let challenges = parse(&[expired.as_bytes()]);
    assert_eq!(challenges.len(), 1);
    assert_eq!(challenges[0].realm(), Some("example"));
    assert_eq!(challenges[0].error(), Some("invalid_token"));
    assert_eq!(challenges[0].error_description(), Some("The access token expired"));
}

#[test]
fn several_challenges_may_be_in_one_line_or_in_several() {
    let expected = ["Basic <realm:a, b> <charset:UTF-8>", "Bearer <realm:c> <scope:x y>", "Negotiate"];
    let line = r#"Basic realm="a, b", charset="UTF-8", Bearer realm="c", scope="x y", Negotiate"#;
    assert_eq!(read(line), expected);
    let lines: [&[u8]; 3] =
        [br#"Basic realm="a, b", charset="UTF-8""#, br#"Bearer realm="c",scope="x y""#, b"Negotiate"];
    assert_eq!(parse(&lines).iter().map(shown).collect::<Vec<_>>(), expected);
}

#[test]
fn the_example_of_rfc_9110_is_read() {
    let line = r#"Basic realm="simple", Newauth realm="apps", type=1, title="Login to \"apps\"""#;
    assert_eq!(
        read(line),
        ["Basic <realm:simple>", "Newauth <realm:apps> <type:1> <title:Login to \"apps\">"]
    );
}

#[test]
fn quotes_hide_commas_equals_signs_and_schemes() {
    let line = r#"Bearer realm="a, Basic realm=\"x\", b=c", error="invalid_token""#;
    assert_eq!(read(line), [r#"Bearer <realm:a, Basic realm="x", b=c> <error:invalid_token>"#]);
    assert_eq!(read(r#"Bearer a="\\", b="\"""#), [r#"Bearer <a:\> <b:">"#]);
}

#[test]
fn a_word_behind_a_scheme_is_token68() {
    let line = "Negotiate YII==, NTLM TlRMTVNT+/-._~, Bearer";
    assert_eq!(read(line), ["Negotiate YII==", "NTLM TlRMTVNT+/-._~", "Bearer"]);
    assert_eq!(parse(&[b"Negotiate YII=="])[0].token68(), Some("YII=="));
}

#[test]
fn neither_case_nor_white_space_makes_a_difference() {
    let challenges = parse(&[b" ,, bEaReR\t  ERROR = \"invalid_token\" ,  Scope=a ,"]);
    assert_eq!(challenges.len(), 1);
    assert!(challenges[0].is("Bearer"));
    assert_eq!(challenges[0].error(), Some("invalid_token"));
    assert_eq!(challenges[0].parameter("SCOPE"), Some("a"));
}

#[test]
fn commas_that_are_missing_between_parameters_are_not_missed() {
    let line = r#"Bearer realm="a" error="invalid_token" scope=x, Basic realm="b""#;
    assert_eq!(read(line), ["Bearer <realm:a> <error:invalid_token> <scope:x>", "Basic <realm:b>"]);
}

#[test]
fn the_first_parameter_of_a_name_counts() {
    assert_eq!(parse(&[b"Bearer error=a, Error=b"])[0].error(), Some("a"));
}

#[test]
fn parameters_belong_to_a_challenge_of_their_own_line() {
    let challenges = parse(&[b"Bearer realm=a", b"error=invalid_token", b"Basic"]);
    assert_eq!(challenges.iter().map(shown).collect::<Vec<_>>(), ["Bearer <realm:a>", "Basic"]);
}

#[test]
fn junk_is_passed_over() {
    assert_eq!(read(""), [""; 0]);
    assert_eq!(read(",,, ,"), [""; 0]);
    assert_eq!(read("="), [""; 0]);
    assert_eq!(read("\"Bearer error=x\", Bearer realm=a"), ["Bearer <realm:a>"]);
    assert_eq!(read("(Bearer), [x], Basic realm=a"), ["Basic <realm:a>"]);
    assert_eq!(read("Bearer realm=\"never ends, Basic"), ["Bearer <realm:never ends, Basic>"]);
    assert_eq!(read("Bearer realm=\"ends with \\"), ["Bearer <realm:ends with >"]);
    assert_eq!(read("Bearer error=, realm=a"), ["Bearer error= <realm:a>"]);
    assert_eq!(read("Bearer scope=a, error= , realm=b"), ["Bearer <scope:a> <error:> <realm:b>"]);
    let bytes = parse(&[b"Bearer realm=\"\xff\xfe\", error=invalid_token"]);
    assert_eq!(bytes[0].error(), Some("invalid_token"));
}

#[test]
fn what_is_kept_is_bounded() {
    let many = "Basic, ".repeat(100);
    assert_eq!(read(&many).len(), CHALLENGES);
    // Parameters of a challenge that is not kept are not those of the last one that is.
    let last = parse(&[format!("{many}Bearer error=x").as_bytes()]).pop().unwrap();
    assert_eq!(last.error(), None);
    let parameters = format!("Bearer {}", "a=1, ".repeat(100));
    assert_eq!(parse(&[parameters.as_bytes()])[0].parameters.len(), PARAMETERS);
    let long = format!("Bearer realm=\"{}", "x".repeat(2 * LIMIT));
    let challenges = parse(&[long.as_bytes(), b"Basic"]);
    assert_eq!(challenges.len(), 1);
    assert_eq!(challenges[0].realm().map(str::len), Some(LIMIT - "Bearer realm=\"".len()));
}

#[test]
fn what_rfc_9470_and_rfc_9728_add_is_read() {
    let line = br#"Bearer error="insufficient_user_authentication", acr_values="a b", max_age="5", resource_metadata="https://a.test/x""#;
    let challenge = parse(&[line]).remove(0);
    assert_eq!(challenge.acr_values().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(challenge.max_age(), Some(Duration::from_secs(5)));
    assert_eq!(challenge.resource_metadata(), Some("https://a.test/x"));
    for junk in ["", "-1", "+1", "1.5", "99999999999999999999999"] {
        assert_eq!(parse(&[format!("Bearer max_age=\"{junk}\"").as_bytes()])[0].max_age(), None, "{junk}");
    }
}

#[test]
fn the_values_are_not_shown() {
    let challenge = parse(&[b"Bearer error_description=\"hush-token is bad\""]).remove(0);
    let shown = format!("{challenge:?}");
    assert!(shown.contains("error_description") && !shown.contains("hush"), "{shown}");
}

#[test]
fn the_bounds_are_those_of_the_table() {
    use crate::defaults::assert_continued;
    use crate::defaults::assert_documented;
    let what = "part of `WWW-Authenticate` that is read";
    assert_documented(what, format!("{LIMIT} bytes"));
    assert_continued(what, CHALLENGES);
    assert_documented("parameters of each challenge that are kept", PARAMETERS);
}

/// The challenge as RFC 9110 writes it.
fn written(challenge: &Challenge) -> Vec<u8> {
    let mut line = challenge.scheme().to_owned();
    if let Some(token68) = challenge.token68() {
        line += &format!(" {token68},");
    }
    for (number, (name, value)) in challenge.parameters().enumerate() {
        let comma = if number == 0 { " " } else { ", " };
        line += &format!("{comma}{name}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""));
    }
    line.into_bytes()
}

#[test]
fn what_was_read_of_any_bytes_reads_the_same_when_it_is_written_down() {
    let pieces: [&[u8]; 14] = [
        b"Bearer", b"Basic", b"error", b"=", b"=", b" ", b" ", b",", b",", b"\"", b"\"", b"\\", b"YII==",
        b"\xff\t(",
    ];
    let mut state = 1_u64;
    let mut found = 0;
    for _ in 0..20_000 {
        let mut line = Vec::new();
        for _ in 0..16 {
            // Knuth's MMIX; the high bits are the good ones.
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            line.extend_from_slice(pieces[(state >> 33) as usize % pieces.len()]);
        }
        for challenge in parse(&[&line]) {
            found += 1;
            assert_eq!(parse(&[&written(&challenge)]), [challenge], "{}", line.escape_ascii());
        }
    }
    assert!(found > 5_000, "{found}");
}
