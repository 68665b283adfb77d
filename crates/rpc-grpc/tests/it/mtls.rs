//! Who cannot prove who it is over mutual TLS is refused: twelve ways, in gRPC's own connections.

use crate::shop::{PATIENCE, Served};
use ipc_testkit::watchdog;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    RevokedCertParams, SerialNumber, date_time_ymd,
};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use rpc_core::{Code, Context, Router, Server};
use rpc_grpc::Options;
use rpc_testkit::identities::{CLERK, SERVER, dns, uri};
use rpc_testkit::inventory::{Shop, StockClient, StockServer, item};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use rustls::{ClientConfig, ClientConnection, ConnectionTrafficSecrets, RootCertStore};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

const REVOKED: u64 = 8;

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate and its key.
type Certified = (String, String);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("a root").pem();
        let issuer = Issuer::new(params, key);
        Self { issuer, pem }
    }

    /// What `change` makes of a certificate that is good for both sides.
    fn issue(&self, change: impl FnOnce(&mut CertificateParams)) -> Certified {
        let mut params = good();
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("signed");
        (certificate.pem(), key.serialize_pem())
    }

    /// The list in which one serial number is revoked.
    fn revocations(&self) -> String {
        let revoked = RevokedCertParams {
            serial_number: SerialNumber::from(REVOKED),
            revocation_time: date_time_ymd(2024, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2024, 1, 1),
            next_update: date_time_ymd(2120, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: vec![revoked],
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = params.signed_by(&self.issuer).expect("signed");
        list.pem().expect("PEM")
    }
}

fn good() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![dns(SERVER), uri(CLERK)];
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2120, 1, 1);
    params.is_ca = IsCa::ExplicitNoCa;
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    params
}

/// Options of a side that shows `own`, and trusts `roots`.
fn side(own: Option<&Certified>, roots: &str) -> Options {
    let mut transport = rpc_transport::Options::new();
    transport.server_name(SERVER).trust(roots);
    if let Some((chain, key)) = own {
        transport.certificate(chain, key);
    }
    Options::new().transport(transport).clone()
}

fn serve(options: Options) -> Served {
    let router = Router::new().service(StockServer::new(Arc::<Shop>::default()));
    Served::listen(Server::new(router), "mtls:127.0.0.1:0", options)
}

/// Whether a call comes through.
async fn passes(endpoint: &str, client: &Options) -> Result<(), Code> {
    // With TLS 1.3 a client may learn that it is refused only after it has sent.
    let connected = client.connect(endpoint).await;
    let stock = StockClient::new(connected.map_err(|status| status.code())?);
    let put = stock.put(&Context::new(), item("a", 0)).await;
    put.map(drop).map_err(|status| status.code())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twelve_kinds_of_false_proof_are_refused() {
    let _watchdog = watchdog(PATIENCE);
    let (root, other) = (Authority::new(), Authority::new());
    let own = root.issue(|_| ());
    let expired = root.issue(|params| params.not_after = date_time_ymd(2021, 1, 1));
    let early = root.issue(|params| params.not_before = date_time_ymd(2119, 1, 1));
    let named = root.issue(|params| params.subject_alt_names = vec![dns("other.example")]);
    let common = root.issue(|params| {
        params.subject_alt_names.clear();
        params.distinguished_name.push(DnType::CommonName, SERVER);
    });
    let purpose = |purpose| root.issue(move |params| params.extended_key_usages = vec![purpose]);
    let mail = purpose(ExtendedKeyUsagePurpose::EmailProtection);
    let revoked = root.issue(|params| params.serial_number = Some(REVOKED.into()));
    let key = KeyPair::generate().expect("a key");
    let alone = good().self_signed(&key).expect("signed").pem();
    let alone = (alone, key.serialize_pem());
    let weak = (
        include_str!("../../../ipc-net/tests/it/tls/fixtures/weak_leaf.pem").to_owned(),
        include_str!("../../../ipc-net/tests/it/tls/fixtures/leaf.key").to_owned(),
    );
    let weak_root = include_str!("../../../ipc-net/tests/it/tls/fixtures/weak_root.pem");
    let roots = [&root.pem, weak_root].concat();

    let mut transport = rpc_transport::Options::new();
    transport
        .certificate(&own.0, &own.1)
        .trust(&root.pem)
        .tls(|tls| {
            tls.revoked(root.revocations());
        });
    let checking = serve(Options::new().transport(transport).clone());
    let good = side(Some(&own), &roots);
    let served = serve(good.clone());
    for server in [&served, &checking] {
        assert_eq!(
            passes(&server.endpoint, &good).await,
            Ok(()),
            "who is good passes"
        );
    }
    // A server refuses these clients.
    for (what, server, client) in [
        ("1 expired", &served, Some(&expired)),
        ("2 not valid yet", &served, Some(&early)),
        ("3 another authority", &served, Some(&other.issue(|_| ()))),
        ("6 another purpose", &served, Some(&mail)),
        ("7 revoked", &checking, Some(&revoked)),
        ("8 signed by itself", &served, Some(&alone)),
        ("9 a weak key", &served, Some(&weak)),
        ("11 no certificate", &served, None),
    ] {
        let endpoint = match client {
            Some(_) => server.endpoint.clone(),
            // It would refuse itself else.
            None => server.endpoint.replace("mtls:", "tls:"),
        };
        let refused = passes(&endpoint, &side(client, &roots)).await;
        let code = refused.expect_err(what);
        let codes = [
            Code::Unavailable,
            Code::Unauthenticated,
            Code::PermissionDenied,
        ];
        assert!(codes.contains(&code), "{what}: {code:?}");
    }
    // A client refuses these servers.
    for (what, server) in [
        ("1 expired", &expired),
        ("2 not valid yet", &early),
        ("3 another authority", &other.issue(|_| ())),
        ("4 another name", &named),
        ("5 a common name alone", &common),
        ("6 another purpose", &mail),
        ("8 signed by itself", &alone),
        ("9 a weak key", &weak),
    ] {
        let false_one = serve(side(Some(server), &roots));
        let refused = passes(&false_one.endpoint, &good).await;
        assert!(refused.is_err(), "{what}");
        false_one.stop().await;
    }
    for minor in [1, 2, 3] {
        let alert = old_hello(&served.endpoint, minor).await;
        assert_eq!(alert, [2, 70], "10 TLS 1.{}: protocol_version", minor - 1);
    }
    for (kind, alive) in [("data", true), ("12 a second handshake", false)] {
        let (endpoint, own, root) = (served.endpoint.clone(), own.clone(), root.pem.clone());
        let asking = move || second_handshake(&endpoint, &own, &root, !alive);
        let answered = tokio::task::spawn_blocking(asking).await.expect("no panic");
        assert_eq!(answered, alive, "{kind}");
    }
    assert_eq!(
        passes(&served.endpoint, &good).await,
        Ok(()),
        "and is served still"
    );
    served.stop().await;
    checking.stop().await;
}

fn connect(endpoint: &str) -> TcpStream {
    let (_, address) = endpoint.split_once(':').expect("a string binding");
    TcpStream::connect(address).expect("it listens")
}

fn handshake(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u32).to_be_bytes();
    [&[kind], &length[1..], body].concat()
}

/// A ClientHello as before TLS 1.3.
fn client_hello(minor: u8) -> Vec<u8> {
    let mut body = vec![3, minor];
    body.extend([7; 32]); // random
    body.push(0); // no session
    body.extend([0, 4, 0xc0, 0x2f, 0x00, 0x2f]); // two suites
    body.extend([1, 0]); // no compression
    body.extend([0, 10, 0, 13, 0, 6, 0, 4, 4, 3, 8, 4]); // two kinds of signatures
    handshake(1, &body)
}

/// The alert that an old hello gets.
async fn old_hello(endpoint: &str, minor: u8) -> Vec<u8> {
    let endpoint = endpoint.to_owned();
    let asking = tokio::task::spawn_blocking(move || {
        let mut stream = connect(&endpoint);
        let hello = client_hello(minor);
        let length = (hello.len() as u16).to_be_bytes();
        let record = [&[22, 3, 1], &length[..], &hello].concat();
        stream.write_all(&record).expect("room");
        let mut came = Vec::new();
        let _ = stream.read_to_end(&mut came);
        came.get(5..7).unwrap_or_default().to_vec()
    });
    asking.await.expect("no panic")
}

/// Shakes hands well, then sends either the greeting of HTTP/2 or another ClientHello inside;
/// whether HTTP/2 is answered.
fn second_handshake(endpoint: &str, own: &Certified, root: &str, again: bool) -> bool {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(root.as_bytes()).expect("a root");
    roots.add(root).expect("a root");
    let provider = rustls::crypto::CryptoProvider {
        cipher_suites: vec![rustls::crypto::ring::cipher_suite::TLS13_AES_256_GCM_SHA384],
        ..rustls::crypto::ring::default_provider()
    };
    let chain = CertificateDer::from_pem_slice(own.0.as_bytes()).expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(own.1.as_bytes()).expect("a key");
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![chain], key)
        .expect("a client");
    config.enable_secret_extraction = true;
    config.alpn_protocols = vec![b"h2".to_vec()];
    let name = SERVER.try_into().expect("a name");
    let mut client = ClientConnection::new(Arc::new(config), name).expect("a client");
    let mut stream = connect(endpoint);
    while client.is_handshaking() || client.wants_write() {
        if client.wants_write() {
            client.write_tls(&mut stream).expect("write");
        } else {
            client.read_tls(&mut stream).expect("read");
            client.process_new_packets().expect("a good server");
        }
    }
    let secrets = client.dangerous_extract_secrets().expect("it was allowed");
    let (number, ConnectionTrafficSecrets::Aes256Gcm { key, iv }) = secrets.tx else {
        panic!("the only suite");
    };
    let mut inner = match again {
        true => [client_hello(3), vec![22]].concat(),
        false => {
            let greeting = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
            // Application data, as the last byte says.
            [&greeting[..], &[23]].concat()
        }
    };
    let mut nonce = [0; 12];
    nonce.copy_from_slice(iv.as_ref());
    for (byte, number) in nonce[4..].iter_mut().zip(number.to_be_bytes()) {
        *byte ^= number;
    }
    let length = (inner.len() as u16 + 16).to_be_bytes();
    let head = [23, 3, 3, length[0], length[1]];
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key.as_ref()).expect("a key"));
    key.seal_in_place_append_tag(
        Nonce::assume_unique_for_key(nonce),
        Aad::from(head),
        &mut inner,
    )
    .expect("sealed");
    stream
        .write_all(&[&head[..], &inner].concat())
        .expect("room");
    // Who goes on says nothing more, so that there is nothing to wait for.
    let enough = std::time::Duration::from_secs(if again { 20 } else { 1 });
    stream.set_read_timeout(Some(enough)).expect("a time");
    let mut ended = Vec::new();
    // A server of HTTP/2 goes on; one that was asked to shake hands again hangs up.
    let end = stream.read_to_end(&mut ended);
    end.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
}
