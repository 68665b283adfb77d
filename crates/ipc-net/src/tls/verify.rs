//! Verifiers that look at the identity after the certificate has passed.

use super::identity::Identity;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use std::fmt;
use std::sync::Arc;

/// Who is let in, among those who have proven who they are.
#[derive(Clone)]
pub(crate) struct Admission(pub(crate) Arc<dyn Fn(&Identity) -> bool + Send + Sync>);

impl Admission {
    /// Refuses who has no name that could be looked at, and whom the caller does not admit. The
    /// handshake fails then, and tells the peer so.
    fn check(&self, certificate: &CertificateDer<'_>) -> Result<(), Error> {
        match Identity::of(certificate) {
            Some(identity) if identity.is_named() && (self.0)(&identity) => Ok(()),
            _ => Err(Error::InvalidCertificate(
                CertificateError::ApplicationVerificationFailure,
            )),
        }
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Admission(..)")
    }
}

/// How a server verifies its clients.
#[derive(Debug)]
pub(crate) struct OfClients {
    pub(crate) chain: Arc<dyn ClientCertVerifier>,
    pub(crate) admission: Admission,
}

/// How a client verifies its server.
#[derive(Debug)]
pub(crate) struct OfServers {
    pub(crate) chain: Arc<dyn ServerCertVerifier>,
    pub(crate) admission: Admission,
}

/// What both verifiers leave to the one below.
macro_rules! signatures_below {
    () => {
        fn verify_tls12_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            self.chain
                .verify_tls12_signature(message, certificate, signature)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            self.chain
                .verify_tls13_signature(message, certificate, signature)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.chain.supported_verify_schemes()
        }
    };
}

impl ClientCertVerifier for OfClients {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chain.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self
            .chain
            .verify_client_cert(certificate, intermediates, now)?;
        self.admission.check(certificate)?;
        Ok(verified)
    }

    signatures_below!();
}

impl ServerCertVerifier for OfServers {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        stapled: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified =
            self.chain
                .verify_server_cert(certificate, intermediates, name, stapled, now)?;
        self.admission.check(certificate)?;
        Ok(verified)
    }

    signatures_below!();
}
