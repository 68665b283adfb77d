//! Certificates made for one test, and a server and a client that meet.

use ipc_net::{Result, tls};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    RevokedCertParams, SanType, SerialNumber, date_time_ymd,
};

/// A root of trust.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) pem: String,
}

/// A certificate and its key.
pub(crate) struct Certified {
    pub(crate) chain: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("a root").pem();
        let issuer = Issuer::new(params, key);
        Self { issuer, pem }
    }

    /// A certificate with what `change` makes of a good one's parameters.
    pub(crate) fn issue(&self, change: impl FnOnce(&mut CertificateParams)) -> Certified {
        let mut params = good();
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("signed");
        Certified {
            chain: certificate.pem(),
            key: key.serialize_pem(),
        }
    }

    /// A good certificate for a DNS name.
    pub(crate) fn named(&self, name: &str) -> Certified {
        self.issue(|params| params.subject_alt_names = vec![dns(name)])
    }

    /// A good certificate for a SPIFFE id.
    pub(crate) fn spiffe(&self, id: &str) -> Certified {
        self.issue(|params| params.subject_alt_names = vec![uri(id)])
    }

    /// A list of revoked serial numbers that is up to date until the end of `year`.
    pub(crate) fn revocations(&self, serials: &[u64], year: i32) -> String {
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2024, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2024, 1, 1),
            next_update: date_time_ymd(year, 12, 31),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = params.signed_by(&self.issuer).expect("signed");
        list.pem().expect("PEM")
    }
}

/// The parameters of a certificate that is good for both sides.
pub(crate) fn good() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "leaf");
    params.subject_alt_names = vec![dns("server.test"), uri("spiffe://test/leaf")];
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2120, 1, 1);
    params.is_ca = IsCa::ExplicitNoCa;
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    params
}

pub(crate) fn dns(name: &str) -> SanType {
    SanType::DnsName(name.try_into().expect("a name"))
}

pub(crate) fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().expect("a URI"))
}

/// Options of a side that shows `own` and trusts `root`.
pub(crate) fn side(own: &Certified, root: &Authority) -> tls::Options {
    let mut options = tls::Options::new();
    options.certificate(&own.chain, &own.key).trust(&root.pem);
    options
}

/// A server and a client that trust each other.
pub(crate) fn both_sides() -> (tls::Server, tls::Client) {
    let root = Authority::new("root");
    let server = side(&root.named("server.test"), &root);
    let client = side(&root.spiffe("spiffe://test/client"), &root);
    (
        server.server().expect("a server"),
        client.client().expect("a client"),
    )
}

/// What each side received of the other, or why not.
pub(crate) struct Meeting {
    pub(crate) server: Result<Vec<u8>>,
    pub(crate) client: Result<Vec<u8>>,
    pub(crate) client_seen: Option<tls::Identity>,
    pub(crate) server_seen: Option<tls::Identity>,
}

/// Lets a client ask a server that it takes for `name`.
pub(crate) fn meet(server: &tls::Options, client: &tls::Options, name: &str) -> Meeting {
    let (left, right) = ipc_net::pair().expect("a pair");
    let server = server.server().expect("a server").begin(right);
    let client = client.client().expect("a client").begin(name, left);
    let (server, client) = (server.expect("a stream"), client.expect("a stream"));
    std::thread::scope(|scope| {
        let serving = scope.spawn(move || {
            let mut question = [0; 64];
            let served = server.handshake().and_then(|()| {
                let length = server.recv(&mut question)?;
                server.send(b"answer")?;
                Ok(question[..length].to_vec())
            });
            (served, server.identity())
        });
        let mut answer = [0; 64];
        let asked = client.handshake().and_then(|()| {
            client.send(b"question")?;
            let length = client.recv(&mut answer)?;
            Ok(answer[..length].to_vec())
        });
        let server_seen = client.identity();
        drop(client);
        let (served, client_seen) = serving.join().expect("no panic");
        Meeting {
            server: served,
            client: asked,
            client_seen,
            server_seen,
        }
    })
}
