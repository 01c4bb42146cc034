//! Whom the client trusts, and how it proves who it is, in TLS.

use std::fmt;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::DigitallySignedStruct;
use rustls::RootCertStore;
use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::client::danger::ServerCertVerified;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::crypto::verify_tls12_signature;
use rustls::crypto::verify_tls13_signature;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::ServerName;
use rustls::pki_types::UnixTime;
use rustls::pki_types::pem::PemObject;
use rustls::sign::CertifiedKey;

use crate::error::ConfigError;

/// The authorities whose certificates a server may have.
///
/// ```
/// use tower_oauth::adapter::{ClientBuilder, RootCertificates};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let company = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/client/certificates/authority.pem"))?;
/// // Mozilla's list, and the authority of the company.
/// let both = RootCertificates::mozilla().pem(&company)?;
/// // Nobody but that authority.
/// let only = RootCertificates::none().pem(&company)?;
/// let http = ClientBuilder::new().root_certificates(only).build();
/// # let _ = (both, http);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RootCertificates(RootCertStore);

impl RootCertificates {
    /// Mozilla's list, as it was when this crate was compiled. The default.
    pub fn mozilla() -> Self {
        Self(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() })
    }

    /// Nobody yet: only what is added is trusted.
    pub fn none() -> Self {
        Self(RootCertStore::empty())
    }

    /// Adds every certificate of a PEM file. The operating system's own list is such a file, on Debian
    /// `/etc/ssl/certs/ca-certificates.crt`.
    ///
    /// # Errors
    /// [`ConfigError::UnusableCertificate`] when there is none in it, or one that cannot be read.
    pub fn pem(self, pem: &[u8]) -> Result<Self, ConfigError> {
        certificates(ROOT, pem)?.into_iter().try_fold(self, Self::add)
    }

    /// Adds one certificate in DER.
    ///
    /// # Errors
    /// [`ConfigError::UnusableCertificate`] when it cannot be read.
    pub fn der(self, der: &[u8]) -> Result<Self, ConfigError> {
        self.add(CertificateDer::from(der.to_vec()))
    }

    fn add(mut self, certificate: CertificateDer<'static>) -> Result<Self, ConfigError> {
        self.0.add(certificate).map_err(|error| unusable(ROOT, error))?;
        Ok(self)
    }
}

impl Default for RootCertificates {
    fn default() -> Self {
        Self::mozilla()
    }
}

impl fmt::Debug for RootCertificates {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "RootCertificates({})", self.0.len())
    }
}

/// A certificate with its private key, by which the client proves who it is to servers that ask (mutual TLS; for OAuth,
/// RFC 8705).
///
/// The client shows it to every server that asks for one, so a client with a certificate should be used for the servers
/// that know it, and no others.
#[derive(Clone)]
pub struct ClientCertificate(Arc<CertifiedKey>);

impl ClientCertificate {
    /// Reads a certificate (with the intermediate ones after it, if there are any) and its private key, both in PEM. The
    /// key may be PKCS#8, PKCS#1 or SEC1, and has no password. One text may hold both, and is then given twice.
    ///
    /// # Errors
    /// [`ConfigError::UnusableCertificate`] when either cannot be read, or the key is that of another certificate.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, ConfigError> {
        let chain = certificates(CLIENT, chain)?;
        // Errors of the PEM reader quote what they stumbled over, which may be a part of the key.
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|_| unusable(KEY, "there is no private key in PEM without a password"))?;
        let key = provider()
            .key_provider
            .load_private_key(key)
            .map_err(|_| unusable(KEY, "it is no RSA, ECDSA or Ed25519 key that can be used"))?;
        let certified = CertifiedKey::new(chain, key);
        certified.keys_match().map_err(|error| unusable(CLIENT, error))?;
        Ok(Self(Arc::new(certified)))
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ClientCertificate")
    }
}

/// Shows one certificate to whoever asks.
#[derive(Debug)]
struct Show(ClientCertificate);

impl ResolvesClientCert for Show {
    fn resolve(&self, _authorities: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.0.0.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// What decides whether a server is the one that was meant.
#[derive(Clone, Debug)]
pub(super) enum Trust {
    Roots(RootCertificates),
    Anybody,
}

/// Named here, because rustls panics when it has to choose between two providers of a process.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// The configuration of TLS, with *ring*.
pub(super) fn configuration(
    trust: Trust,
    certificate: Option<ClientCertificate>,
) -> Result<ClientConfig, rustls::Error> {
    let provider = provider();
    let builder =
        ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
    let builder = match trust {
        Trust::Roots(RootCertificates(roots)) => builder.with_root_certificates(roots),
        Trust::Anybody => builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider))),
    };
    Ok(match certificate {
        Some(certificate) => builder.with_client_cert_resolver(Arc::new(Show(certificate))),
        None => builder.with_no_client_auth(),
    })
}

/// Takes every certificate for that of the server. The server still has to have its private key.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

const ROOT: &str = "root certificates";
const CLIENT: &str = "client certificate";
const KEY: &str = "private key of the client certificate";

fn certificates(what: &'static str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|_| unusable(what, "the PEM is damaged"))?;
    if found.is_empty() {
        return Err(unusable(what, "there is no `BEGIN CERTIFICATE` in it"));
    }
    Ok(found)
}

fn unusable(what: &'static str, reason: impl fmt::Display) -> ConfigError {
    ConfigError::UnusableCertificate { what, reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AUTHORITY: &[u8] = include_bytes!("../../tests/client/certificates/authority.pem");
    const CLIENT_PEM: &[u8] = include_bytes!("../../tests/client/certificates/client.pem");
    const CLIENT_KEY: &[u8] = include_bytes!("../../tests/client/certificates/client.key");
    const SERVER_KEY: &[u8] = include_bytes!("../../tests/client/certificates/server.key");

    fn reason(error: &ConfigError) -> String {
        match error {
            ConfigError::UnusableCertificate { reason, .. } => reason.clone(),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn roots_are_added_to_mozillas_or_stand_alone() {
        let mozilla = RootCertificates::default().0.len();
        assert!(mozilla > 50, "{mozilla}");
        let added = RootCertificates::mozilla().pem(AUTHORITY).unwrap();
        assert_eq!(added.0.len(), mozilla + 1);
        let der = CertificateDer::from_pem_slice(AUTHORITY).unwrap();
        assert_eq!(RootCertificates::none().der(&der).unwrap().0.len(), 1);
    }

    #[test]
    fn a_list_of_many_certificates_is_read_to_its_end() {
        let both = [AUTHORITY, CLIENT_PEM].concat();
        assert_eq!(RootCertificates::none().pem(&both).unwrap().0.len(), 2);
    }

    #[test]
    fn what_is_no_certificate_is_refused_with_the_reason() {
        let damaged = String::from_utf8_lossy(AUTHORITY).replace("-----END", "");
        for (pem, expected) in [
            (&b""[..], "BEGIN CERTIFICATE"),
            (CLIENT_KEY, "BEGIN CERTIFICATE"),
            (damaged.as_bytes(), "damaged"),
            (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "invalid"),
        ] {
            let error = RootCertificates::none().pem(pem).unwrap_err();
            assert!(reason(&error).contains(expected), "{error}");
        }
        assert!(RootCertificates::none().der(b"no certificate").is_err());
    }

    #[test]
    fn a_client_certificate_wants_its_own_key() {
        assert!(ClientCertificate::from_pem(CLIENT_PEM, CLIENT_KEY).is_ok());
        let both = [CLIENT_PEM, CLIENT_KEY].concat();
        assert!(ClientCertificate::from_pem(&both, &both).is_ok());
        let error = ClientCertificate::from_pem(CLIENT_PEM, SERVER_KEY).unwrap_err();
        assert!(reason(&error).contains("keys may not be consistent"), "{error}");
        assert!(ClientCertificate::from_pem(CLIENT_KEY, CLIENT_KEY).is_err());
    }

    #[test]
    fn nothing_of_a_key_is_in_the_error_that_it_cannot_be_read() {
        let key = String::from_utf8_lossy(CLIENT_KEY);
        let piece = key.lines().nth(1).unwrap();
        let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        let cut = key.replace("-----END", "");
        let odd = key.replace("-----\nMI", "-----\nM!I");
        let no_key = format!("-----BEGIN PRIVATE KEY-----\n{piece}\n-----END PRIVATE KEY-----\n");
        for key in ["", &encrypted, &cut, &odd, &no_key] {
            let error = ClientCertificate::from_pem(CLIENT_PEM, key.as_bytes()).unwrap_err();
            assert!(matches!(error, ConfigError::UnusableCertificate { what: KEY, .. }), "{error}");
            assert!(!format!("{error} {error:?}").contains(piece), "{error}");
        }
    }
}
