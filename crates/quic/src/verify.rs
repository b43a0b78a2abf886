//! Whom a client takes for its server (section 2).

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, RootCertStore, SignatureScheme};
use sha2::{Digest, Sha256};

/// Whom a client takes for its server.
#[derive(Clone)]
pub enum Verify {
    /// Whoever answers: what is said is encrypted, and no safer from an active attacker than
    /// `rtmp://` over TCP is.
    Nobody,
    /// Whoever has the certificate of this SHA-256.
    Pin([u8; 32]),
    /// Whoever has a certificate of one of these authorities, for the host of the URL.
    Authorities(Arc<RootCertStore>),
}

impl fmt::Debug for Verify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verify::Nobody => "Nobody",
            Verify::Pin(_) => "Pin",
            Verify::Authorities(_) => "Authorities",
        })
    }
}

impl Verify {
    pub(crate) fn config(&self) -> Result<rustls::ClientConfig, rustls::Error> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13])?;
        let pin = match self {
            Verify::Authorities(roots) => {
                return Ok(builder.with_root_certificates(Arc::clone(roots)).with_no_client_auth());
            }
            Verify::Pin(pin) => Some(*pin),
            Verify::Nobody => None,
        };
        let by_pin = Arc::new(ByPin { pin, provider });
        Ok(builder.dangerous().with_custom_certificate_verifier(by_pin).with_no_client_auth())
    }
}

/// Compares a certificate with a pin, if there is one. That the server has the key is always checked.
#[derive(Debug)]
struct ByPin {
    pin: Option<[u8; 32]>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for ByPin {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let hash: [u8; 32] = Sha256::digest(end_entity).into();
        if self.pin.is_none_or(|pin| pin == hash) {
            Ok(ServerCertVerified::assertion())
        } else {
            let why = CertificateError::ApplicationVerificationFailure;
            Err(rustls::Error::InvalidCertificate(why))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
