//! Whom the other side has proven to be.

use rustls::pki_types::CertificateDer;
use std::fmt;
use webpki::EndEntityCert;

/// Whom the other side has proven to be: the names in its certificate, which chains up to a
/// trusted root and whose key it holds.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    dns_names: Vec<String>,
    uris: Vec<String>,
    fingerprint: [u8; 32],
}

impl Identity {
    /// Reads a certificate that was verified; `None` where it cannot be read.
    pub(crate) fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let parsed = EndEntityCert::try_from(certificate).ok()?;
        let digest = ring::digest::digest(&ring::digest::SHA256, certificate);
        Some(Self {
            dns_names: parsed.valid_dns_names().map(str::to_owned).collect(),
            uris: parsed.valid_uri_names().map(str::to_owned).collect(),
            fingerprint: digest.as_ref().try_into().ok()?,
        })
    }

    /// Its subject alternative names that are DNS names. A common name is none.
    #[must_use]
    pub fn dns_names(&self) -> &[String] {
        &self.dns_names
    }

    /// Its subject alternative names that are URIs.
    #[must_use]
    pub fn uris(&self) -> &[String] {
        &self.uris
    }

    /// Its SPIFFE id: the one URI that such a certificate has.
    #[must_use]
    pub fn spiffe_id(&self) -> Option<&str> {
        match self.uris.as_slice() {
            [only] if only.starts_with("spiffe://") => Some(only),
            _ => None,
        }
    }

    /// The SHA-256 of its certificate.
    #[must_use]
    pub const fn fingerprint(&self) -> &[u8; 32] {
        &self.fingerprint
    }

    /// Whether it has a name at all by which it could be let in.
    pub(crate) fn is_named(&self) -> bool {
        !self.dns_names.is_empty() || !self.uris.is_empty()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.uris.iter().chain(&self.dns_names).collect();
        write!(f, "Identity({names:?}, ")?;
        self.fingerprint
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}
