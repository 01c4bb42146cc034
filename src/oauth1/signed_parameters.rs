//! Parameters that are signed without being in query or form.

use std::fmt;

/// A request extension: further parameters to sign, which are not in the request's query or form.
///
/// A few providers, Flickr among them, want the text fields of a `multipart/form-data` upload to be signed. No such
/// body is ever parsed here, so the caller says what is in it. Names and values are given as they are before any
/// escaping. The extension stays on the request, so that a retry signs the same.
///
/// ```
/// use http::Request;
/// use tower_oauth::oauth1::SignedParameters;
///
/// let mut request = Request::post("https://up.flickr.com/services/upload/").body(()).unwrap();
/// request.extensions_mut().insert(SignedParameters::new().add("title", "Vacation").add("is_public", "0"));
/// ```
#[derive(Clone, Default)]
pub struct SignedParameters(Vec<(String, String)>);

impl SignedParameters {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// One more parameter. A name may be added several times.
    pub fn add(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.push((name.into(), value.into()));
        self
    }

    pub(super) fn as_slice(&self) -> &[(String, String)] {
        &self.0
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for SignedParameters {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(parameters: I) -> Self {
        Self(parameters.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

impl fmt::Debug for SignedParameters {
    /// The names only: values may be as private as a form.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}
