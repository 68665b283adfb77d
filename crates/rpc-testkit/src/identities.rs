//! Certificates made for one test, and transport options of sides that show and trust them.

use ipc_testkit::TempDir;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, SanType,
};
use std::path::Path;

/// The DNS name of every server here.
pub const SERVER: &str = "shop.example";
/// The URI of the client that is known.
pub const CLERK: &str = "spiffe://example/clerk";

/// A root of trust, and what it has signed, as files that other processes can read.
#[derive(Debug)]
pub struct Identities {
    directory: TempDir,
}

impl Identities {
    /// Makes them.
    ///
    /// # Panics
    /// Where there is no room for them.
    #[allow(clippy::new_without_default)]
    #[must_use]
    pub fn new() -> Self {
        let directory = TempDir::new();
        write_into(directory.path());
        Self { directory }
    }

    /// Where the files are, for a role.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Options of a client that shows the certificate of `name`.
    #[must_use]
    pub fn client(&self, name: Option<&str>) -> rpc_transport::Options {
        side(self.path(), name, true)
    }
}

/// Writes a root of trust, and what it signs, into a folder: `NAME.pem` and `NAME.key` of `server`,
/// `clerk` and `guest`, and `root.pem`.
///
/// # Panics
/// Where there is no room for them.
pub fn write_into(folder: &Path) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    call(&mut params, "root");
    let key = KeyPair::generate().expect("a key");
    let root = params.self_signed(&key).expect("signed").pem();
    let authority = Issuer::new(params, key);
    write(folder, "root.pem", &root);
    issue(folder, &authority, "server", dns(SERVER));
    issue(folder, &authority, "clerk", uri(CLERK));
    issue(folder, &authority, "guest", uri("spiffe://example/guest"));
}

fn issue(folder: &Path, authority: &Issuer<'_, KeyPair>, name: &str, of: SanType) {
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![of];
    call(&mut params, name);
    let key = KeyPair::generate().expect("a key");
    let certificate = params.signed_by(&key, authority).expect("signed");
    write(folder, &format!("{name}.pem"), &certificate.pem());
    write(folder, &format!("{name}.key"), &key.serialize_pem());
}

/// Each has a name of its own: what has its issuer's passes for self-signed with OpenSSL.
fn call(params: &mut CertificateParams, name: &str) {
    let mut own = DistinguishedName::new();
    own.push(DnType::CommonName, name);
    params.distinguished_name = own;
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).expect("room");
}

/// Options of a side that shows the certificate of `name` in `directory` and, if so, trusts the
/// root there.
///
/// # Panics
/// Where a file is not there.
#[must_use]
pub fn side(directory: &Path, name: Option<&str>, trusts: bool) -> rpc_transport::Options {
    let read = |name: &str| std::fs::read(directory.join(name)).expect("a file of the test");
    let mut options = rpc_transport::Options::new();
    options.server_name(SERVER);
    if let Some(name) = name {
        let key = read(&format!("{name}.key"));
        options.certificate(read(&format!("{name}.pem")), key);
    }
    if trusts {
        options.trust(read("root.pem"));
    }
    options
}

/// A DNS name, for a certificate.
///
/// # Panics
/// For what is none.
#[must_use]
pub fn dns(name: &str) -> SanType {
    SanType::DnsName(name.try_into().expect("a name"))
}

/// A URI, for a certificate.
///
/// # Panics
/// For what is none.
#[must_use]
pub fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().expect("a URI"))
}
