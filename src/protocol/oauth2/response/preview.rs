//! What may be shown of a page that came in place of a token.

use crate::protocol::oauth2::response::refusal::Cleaner;

/// The longest preview, in bytes.
pub(super) const LIMIT: usize = 256;
/// The longest word that is shown.
const LONGEST_WORD: usize = 20;

/// The beginning of a page as a person would read it.
///
/// A page may hold secrets that are not ours: codes, tokens in hidden fields, addresses, what a proxy knows of its user.
/// So only what is between tags is shown, without scripts and styles, and of that only words as they stand in a
/// dictionary: letters, a capital at most at their beginning or a few capitals in a row, at most twenty. No token, code,
/// address or number is such a word; each is left out, with what was sent. What remains tells a login page from an
/// error page and from that of a proxy, which is what somebody who reads the error has to know.
pub(super) fn of(page: &[u8], cleaner: &Cleaner) -> String {
    let page = String::from_utf8_lossy(page);
    let text = cleaner.clean(&visible(&page));
    let mut preview = String::new();
    for word in text.split_whitespace() {
        let word = word.trim_matches(|letter: char| letter.is_ascii_punctuation());
        if !is_plain(word) {
            continue;
        }
        if preview.len() + 1 + word.len() > LIMIT {
            break;
        }
        if !preview.is_empty() {
            preview.push(' ');
        }
        preview.push_str(word);
    }
    preview
}

fn is_plain(word: &str) -> bool {
    let letters = word.chars().count();
    let capitals = word.chars().filter(|letter| letter.is_uppercase()).count();
    let has_a_capital_first = word.starts_with(char::is_uppercase);
    word.chars().all(char::is_alphabetic)
        && (1..=LONGEST_WORD).contains(&letters)
        && (capitals == 0 || (capitals == 1 && has_a_capital_first) || (capitals == letters && letters <= 4))
}

/// The text between the tags.
fn visible(page: &str) -> String {
    let mut text = String::new();
    let mut rest = page;
    while let Some(start) = rest.find('<') {
        let (before, tag) = rest.split_at(start);
        text.push_str(before);
        text.push(' ');
        let hidden = ["script", "style", "textarea", "!--"]
            .iter()
            .find(|name| tag.get(1..=name.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(name)));
        let end = match hidden {
            Some(&"!--") => tag.find("-->").map(|end| end + 3),
            Some(name) => {
                let close = format!("</{name}");
                // Only ASCII changes, so that places stay the same.
                let end = tag.to_ascii_lowercase().find(&close);
                end.map(|end| end + close.len())
            }
            None => tag.find('>').map(|end| end + 1),
        };
        let Some(end) = end else { return text };
        rest = tag.get(end..).unwrap_or_default();
        if hidden.is_some_and(|name| *name != "!--") {
            rest = rest.split_once('>').map_or("", |(_, rest)| rest);
        }
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn preview(page: &str) -> String {
        of(page.as_bytes(), &Cleaner::new([Secret::new("correcthorse")].iter()))
    }

    #[test]
    fn a_person_recognises_the_page() {
        let page = "<!DOCTYPE html><html><head><title>Sign in to Contoso</title><style>a{b:c}</style></head>
            <body onload='steal()'><SCRIPT>var session = \"abc\";</SCRIPT ><!-- build abc -->
            <h1>Welcome, please log in.</h1> SSO or VPN only <input name=csrf value=tokentokentoken></body>";
        assert_eq!(preview(page), "Sign in to Contoso Welcome please log in SSO or VPN only");
    }

    #[test]
    fn nothing_that_could_be_a_secret_is_shown() {
        for secret in [
            "hunter2",
            "WDJBMJHT",
            "WDJB-MJHT",
            "correcthorse",
            "eyJhbGciOiJub25lIn0.e30.",
            "aGVsbG8=",
            "camelCase",
            "user@example.com",
            "https://example.com/?code=abc",
            "abcdefghijklmnopqrstu",
            "12345",
        ] {
            let shown = preview(&format!("<p>Code: {secret} here</p>"));
            assert_eq!(shown.replace("redacted ", ""), "Code here", "{secret}");
        }
        assert_eq!(preview("<p title='hush"), "");
        assert_eq!(preview("<script>hush"), "");
        assert_eq!(preview("<p>a<textarea>hush</textarea>b"), "a b");
    }

    #[test]
    fn the_limit_is_that_of_the_table() {
        let what = "preview of a page that came in place of a token";
        crate::defaults::assert_documented(what, format!("{LIMIT} bytes"));
    }

    #[test]
    fn it_ends_after_256_bytes() {
        let shown = preview(&format!("<p>{}", "wörd ".repeat(1000)));
        assert!(shown.len() <= LIMIT && shown.len() > LIMIT - 10 && shown.ends_with("wörd"));
    }
}
