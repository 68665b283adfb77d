//! From the errors of TLS to the kinds that a caller asks for.

use ipc_core::{Error, ErrorKind};
use rustls::AlertDescription;
use std::io;

/// What `error` means for `operation`.
#[cold]
pub(crate) fn failure(operation: &'static str, error: rustls::Error) -> Error {
    let kind = kind(&error);
    let text = match (&error, kind) {
        (rustls::Error::AlertReceived(alert), ErrorKind::Denied) => {
            format!("the other side refuses this one ({alert:?})")
        }
        (_, ErrorKind::Denied) => format!("the other side is refused: {error}"),
        _ => format!("the other side breaks the rules of TLS, or the bytes were changed: {error}"),
    };
    Error::new(operation, kind)
        .hint(text)
        .caused_by(io::Error::new(io::ErrorKind::InvalidData, error))
}

fn kind(error: &rustls::Error) -> ErrorKind {
    match error {
        rustls::Error::InvalidCertificate(_)
        | rustls::Error::InvalidCertRevocationList(_)
        | rustls::Error::NoCertificatesPresented
        | rustls::Error::UnsupportedNameType
        | rustls::Error::PeerIncompatible(_) => ErrorKind::Denied,
        rustls::Error::AlertReceived(alert) if refuses(*alert) => ErrorKind::Denied,
        _ => ErrorKind::Corrupt,
    }
}

fn refuses(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::AccessDenied
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRequired
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateUnknown
            | AlertDescription::DecryptError
            | AlertDescription::HandshakeFailure
            | AlertDescription::InsufficientSecurity
            | AlertDescription::ProtocolVersion
            | AlertDescription::UnknownCA
            | AlertDescription::UnrecognisedName
            | AlertDescription::UnsupportedCertificate
    )
}

/// A setting that TLS does not take.
#[cold]
pub(crate) fn unusable(what: &'static str, why: impl std::fmt::Display) -> Error {
    Error::new("set up TLS", ErrorKind::InvalidInput).hint(format!("{what}: {why}"))
}
