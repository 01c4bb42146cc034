//! The server's own words of a refusal.

use std::fmt;

/// Bytes of each field that are kept.
const LIMIT: usize = 500;

/// What a server said of a refusal (RFC 6749 §5.2): a code, and perhaps a description and a page to read.
///
/// The texts come from the server: control characters are replaced, and long ones are cut at 500 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerError {
    code: Box<str>,
    description: Option<Box<str>>,
    uri: Option<Box<str>>,
}

impl ServerError {
    pub(crate) fn new(code: &str) -> Self {
        Self { code: tame(code), description: None, uri: None }
    }

    pub(crate) fn description(mut self, description: Option<&str>) -> Self {
        self.description = description.filter(|text| !text.is_empty()).map(tame);
        self
    }

    #[cfg(feature = "oauth2")]
    pub(crate) fn uri(mut self, uri: Option<&str>) -> Self {
        self.uri = uri.filter(|text| !text.is_empty()).map(tame);
        self
    }

    /// The `error` field, such as `invalid_grant`.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The `error_description` field.
    pub fn error_description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// The `error_uri` field: a page that explains the error.
    pub fn error_uri(&self) -> Option<&str> {
        self.uri.as_deref()
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.code)?;
        if let Some(description) = &self.description {
            write!(formatter, " ({description})")?;
        }
        if let Some(uri) = &self.uri {
            write!(formatter, ", see {uri}")?;
        }
        Ok(())
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_cannot_write_lines_of_its_own_into_a_log() {
        let error = ServerError::new("bad\nforged line");
        assert_eq!(error.code(), "bad forged line");
    }

    #[test]
    fn the_limit_is_that_of_the_table() {
        let what = "text of a server's error that is kept, each field";
        crate::defaults::assert_documented(what, format!("{LIMIT} bytes"));
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let error = ServerError::new("x").description(Some(&"é".repeat(LIMIT)));
        let description = error.error_description().unwrap_or_default();
        assert!(description.len() <= LIMIT + '…'.len_utf8());
        assert!(description.ends_with('…'));
    }
}
