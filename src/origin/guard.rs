//! The question of each request: may it carry the credential?

use http::Uri;

use crate::error::Error;
use crate::error::ErrorKind;
use crate::origin::Listed;
use crate::origin::Origin;
use crate::origin::Origins;
use crate::origin::has_sound_port;
use crate::origin::is_https;
use crate::origin::is_loopback;

/// What a layer asks of each request's URI before it touches the request.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    origins: Origins,
    allow_http: bool,
    pass_foreign: bool,
}

/// The answer of a [`Guard`] that does not refuse.
#[derive(Debug, PartialEq)]
pub(crate) enum Admission<'a> {
    /// The URI is absolute and its origin may have the credential.
    Absolute,
    /// The URI is relative and stands for this origin.
    Relative(&'a Origin<'static>),
    /// The origin may not have the credential, and such requests are to pass without.
    Foreign,
}

impl Guard {
    pub(crate) fn new(origins: Origins) -> Self {
        Self { origins, allow_http: false, pass_foreign: false }
    }

    pub(crate) fn allow_http(mut self) -> Self {
        self.allow_http = true;
        self
    }

    pub(crate) fn pass_foreign(mut self) -> Self {
        self.pass_foreign = true;
        self
    }

    /// Decides whether a request to `uri` may carry the credential.
    pub(crate) fn admit(&self, uri: &Uri) -> Result<Admission<'_>, Error> {
        // Nearly every request; what follows comes to the same and takes ten times as long.
        if self.admits_as_listed(uri) { Ok(Admission::Absolute) } else { self.admit_with_care(uri) }
    }

    /// Whether a request to `uri` may carry the credential, as far as that can be seen without taking the URI apart.
    #[inline]
    pub(crate) fn admits_as_listed(&self, uri: &Uri) -> bool {
        self.listed(uri).is_some()
    }

    /// The listed origin of `uri`, if a request to it may carry the credential, as far as that can be seen without taking
    /// the URI apart.
    #[inline]
    pub(crate) fn listed(&self, uri: &Uri) -> Option<&Listed> {
        self.origins.written_in(uri).filter(|listed| listed.is_secure() || self.allow_http)
    }

    fn admit_with_care(&self, uri: &Uri) -> Result<Admission<'_>, Error> {
        if uri.authority().is_none() && uri.scheme().is_none() {
            let Some(origin) = self.origins.only() else {
                return Err(Error::new(ErrorKind::RelativeUri));
            };
            self.secure(origin.https, &origin.host)?;
            return Ok(Admission::Relative(origin));
        }
        let Some(https) = is_https(uri) else {
            return Err(Error::new(ErrorKind::RelativeUri).detail("only http and https URIs can be signed"));
        };
        if !has_sound_port(uri) || !self.origins.allow(uri) {
            if self.pass_foreign {
                return Ok(Admission::Foreign);
            }
            if !has_sound_port(uri) {
                let detail = "its port is not a number up to 65535";
                return Err(Error::new(ErrorKind::ForeignOrigin).detail(detail));
            }
            let origin = Origin::of(uri).map(|origin| origin.to_string()).unwrap_or_default();
            return Err(Error::new(ErrorKind::ForeignOrigin).detail(origin));
        }
        self.secure(https, uri.host().unwrap_or_default())?;
        Ok(Admission::Absolute)
    }

    fn secure(&self, https: bool, host: &str) -> Result<(), Error> {
        if https || self.allow_http || is_loopback(host) {
            Ok(())
        } else {
            Err(Error::new(ErrorKind::InsecureScheme).detail(format!("http://{host}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind<'a>(guard: &'a Guard, uri: &'static str) -> Result<Admission<'a>, ErrorKind> {
        guard.admit(&Uri::from_static(uri)).map_err(|error| error.kind())
    }

    #[test]
    fn an_origin_is_compared_without_case_and_with_its_default_port() {
        let guard = Guard::new(Origins::one("https://API.example.com:443/").unwrap());
        assert_eq!(kind(&guard, "https://api.EXAMPLE.com/a?b"), Ok(Admission::Absolute));
        assert_eq!(kind(&guard, "https://user@api.example.com/"), Ok(Admission::Absolute));
    }

    #[test]
    fn neighbours_of_an_origin_are_foreign() {
        let guard = Guard::new(Origins::one("https://api.example.com").unwrap());
        for uri in [
            "https://api.example.com:8443/",
            "http://api.example.com/",
            "https://api.example.com.evil.test/",
            "https://api.example.com@evil.test/",
            "https://evil.test/?https://api.example.com",
            "https://api.example.com./",
            "https://api.example.com:99999/",
            "https://api.example.com:65979/",
        ] {
            assert_eq!(kind(&guard, uri), Err(ErrorKind::ForeignOrigin), "{uri}");
        }
    }

    #[test]
    fn a_port_that_is_no_number_is_no_origin_at_all() {
        let guard = Guard::new(Origins::dangerously_any());
        assert_eq!(kind(&guard, "https://api.example.com:99999/"), Err(ErrorKind::ForeignOrigin));
        assert_eq!(kind(&guard, "https://[::1]:99999/"), Err(ErrorKind::ForeignOrigin));
        for uri in ["https://api.example.com:/", "https://[::1]/", "https://[::1]:443/", "https://u@a.test/"]
        {
            assert_eq!(kind(&guard, uri), Ok(Admission::Absolute), "{uri}");
        }
    }

    #[test]
    fn plain_http_is_refused_except_on_this_machine() {
        let guard = Guard::new(Origins::dangerously_any());
        assert_eq!(kind(&guard, "http://api.example.com/"), Err(ErrorKind::InsecureScheme));
        for uri in ["http://127.0.0.1:8080/", "http://localhost/", "http://[::1]:1/", "http://a.localhost/"] {
            assert_eq!(kind(&guard, uri), Ok(Admission::Absolute), "{uri}");
        }
        for uri in ["http://127.0.0.1.example.com/", "http://localhost.example.com/", "http://notlocalhost/"]
        {
            assert_eq!(kind(&guard, uri), Err(ErrorKind::InsecureScheme), "{uri}");
        }
        assert_eq!(kind(&guard.allow_http(), "http://api.example.com/"), Ok(Admission::Absolute));
    }

    #[test]
    fn a_relative_uri_stands_for_the_only_origin() {
        let guard = Guard::new(Origins::several(["https://api.example.com"]).unwrap());
        assert!(
            matches!(kind(&guard, "/a?b"), Ok(Admission::Relative(origin)) if origin.host() == "api.example.com")
        );
        let insecure = Guard::new(Origins::one("http://api.example.com").unwrap());
        assert_eq!(kind(&insecure, "/"), Err(ErrorKind::InsecureScheme));
        let two = Guard::new(Origins::several(["https://a.test", "https://b.test"]).unwrap());
        assert_eq!(kind(&two, "/"), Err(ErrorKind::RelativeUri));
        assert_eq!(kind(&Guard::new(Origins::dangerously_any()), "/"), Err(ErrorKind::RelativeUri));
        assert_eq!(kind(&Guard::new(Origins::predicate(|_| true)), "/"), Err(ErrorKind::RelativeUri));
    }

    #[test]
    fn an_authority_without_scheme_and_other_schemes_are_unclear() {
        let guard = Guard::new(Origins::dangerously_any());
        assert_eq!(kind(&guard, "api.example.com:443"), Err(ErrorKind::RelativeUri));
        assert_eq!(kind(&guard, "ftp://api.example.com/"), Err(ErrorKind::RelativeUri));
    }

    #[test]
    fn what_is_written_as_it_was_listed_is_decided_at_once_and_no_differently() {
        let origins =
            ["https://API.example.com:443", "http://localhost:80", "http://a.test", "https://[::1]:1"];
        let listed = Origins::several(origins).unwrap();
        for guard in [Guard::new(listed.clone()), Guard::new(listed.clone()).allow_http()] {
            for (uri, is_at_once) in [
                ("https://api.example.com/a", true),
                ("https://api.example.com:443/a", false),
                ("https://API.example.com/a", false),
                ("http://api.example.com/a", false),
                ("https://u@api.example.com/a", false),
                ("http://localhost/a", true),
                ("http://a.test/a", true),
                ("https://a.test/a", false),
                ("https://[::1]:1/a", true),
                ("https://[::1]/a", false),
            ] {
                let uri: Uri = uri.parse().unwrap();
                assert_eq!(listed.written_in(&uri).is_some(), is_at_once, "{uri}");
                let (at_once, with_care) = (guard.admit(&uri), guard.admit_with_care(&uri));
                assert_eq!(at_once.map_err(|error| error.kind()), with_care.map_err(|error| error.kind()));
            }
        }
    }

    #[test]
    fn foreign_requests_pass_bare_when_asked() {
        let guard = Guard::new(Origins::one("https://api.example.com").unwrap()).pass_foreign();
        assert_eq!(kind(&guard, "https://elsewhere.test/"), Ok(Admission::Foreign));
    }
}
