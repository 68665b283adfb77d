//! What TLS proves of either side, and what is refused for the lack of a proof.

use ipc_core::{ByteSink, ByteSource, Until};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use rpc_core::Peer;
use rpc_transport::{Endpoint, Error, ErrorKind, Options, Wire};

/// A root, a server's certificate and a client's, each with its key.
struct Identities {
    root: String,
    server: (String, String),
    client: (String, String),
}

const SERVER: &str = "shop.example";
const CLIENT: &str = "spiffe://example/clerk";

impl Identities {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let root = params.self_signed(&key).expect("signed").pem();
        let authority = Issuer::new(params, key);
        let issue = |name: SanType| {
            let mut params = CertificateParams::default();
            params.subject_alt_names = vec![name];
            let key = KeyPair::generate().expect("a key");
            let certificate = params.signed_by(&key, &authority).expect("signed");
            (certificate.pem(), key.serialize_pem())
        };
        let server = issue(SanType::DnsName(SERVER.try_into().expect("a name")));
        let client = issue(SanType::URI(CLIENT.try_into().expect("a URI")));
        Self {
            root,
            server,
            client,
        }
    }

    fn server(&self, trusts: bool) -> Options {
        let mut options = Options::new();
        options.certificate(&self.server.0, &self.server.1);
        if trusts {
            options.trust(&self.root);
        }
        options
    }

    fn client(&self, shows: bool) -> Options {
        let mut options = Options::new();
        options.trust(&self.root).server_name(SERVER);
        if shows {
            options.certificate(&self.client.0, &self.client.1);
        }
        options
    }
}

/// Both ends of a connection after their handshakes, or why a side has none.
fn meet(
    place: &str,
    server: &Options,
    client: &Options,
) -> (Result<Wire, Error>, Result<Wire, Error>) {
    let listener = server
        .bind(&place.parse().expect("a binding"))
        .expect("bind");
    let endpoint = listener.endpoint().expect("bound");
    std::thread::scope(|scope| {
        let connecting = scope.spawn(|| client.connect(&endpoint, Until::Forever));
        let mut wire = listener.accept(Until::Forever).expect("a connection");
        assert!(matches!(wire.peer(), Peer::Tcp(_)), "nothing is proven yet");
        let served = wire.handshake(Until::Forever).map(|()| wire);
        (served, connecting.join().expect("no panic"))
    })
}

fn names(wire: &Wire) -> Vec<String> {
    match wire.peer() {
        Peer::Tls(names) => names.to_vec(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_side_of_mutual_tls_is_whom_its_certificate_names() {
    let identities = Identities::new();
    let (server, client) = (identities.server(true), identities.client(true));
    let (server, client) = meet("mtls:127.0.0.1:0", &server, &client);
    let (server, client) = (server.expect("a client"), client.expect("a server"));
    assert_eq!(names(&server), [CLIENT]);
    assert_eq!(names(&client), [SERVER]);
    client
        .write_until(&[], b"hello", Until::Forever)
        .expect("room");
    assert_eq!(
        server
            .read_until(&mut [0; 16], Until::Forever)
            .expect("sent"),
        5
    );
}

#[test]
fn with_tls_alone_the_server_is_proven_and_a_client_is_an_address() {
    let identities = Identities::new();
    let (server, client) = (identities.server(false), identities.client(false));
    let (server, client) = meet("tls:127.0.0.1:0", &server, &client);
    assert!(matches!(server.expect("a client").peer(), Peer::Tcp(_)));
    assert_eq!(names(&client.expect("a server")), [SERVER]);
}

#[test]
fn a_promise_of_mutual_tls_that_options_cannot_keep_is_refused_at_the_start() {
    let identities = Identities::new();
    let place: Endpoint = "mtls:127.0.0.1:0".parse().expect("a binding");
    for options in [Options::new(), identities.server(false)] {
        let refused = options.bind(&place).expect_err("whom would it trust");
        assert_eq!(refused.kind(), ErrorKind::InvalidInput, "{refused}");
        assert!(refused.to_string().contains("Options::trust"), "{refused}");
    }
    let refused = identities.client(false).connect(&place, Until::Now);
    let refused = refused.expect_err("who would it be");
    assert!(
        refused.to_string().contains("Options::certificate"),
        "{refused}"
    );
    let plain: Endpoint = "tls:127.0.0.1:0".parse().expect("a binding");
    let refused = Options::new().bind(&plain).expect_err("who would it be");
    assert_eq!(refused.kind(), ErrorKind::InvalidInput, "{refused}");
    let refused = Options::new().connect(&plain, Until::Now);
    let refused = refused.expect_err("whom would it trust");
    assert_eq!(refused.kind(), ErrorKind::InvalidInput, "{refused}");
}

#[test]
fn a_client_without_a_certificate_and_a_server_of_another_name_are_refused() {
    let identities = Identities::new();
    let (server, client) = (identities.server(true), identities.client(false));
    let (served, _) = meet("tls:127.0.0.1:0", &server, &client);
    assert_eq!(served.expect_err("nobody").kind(), ErrorKind::Denied);
    let mut client = identities.client(true);
    client.server_name("other.example");
    let (served, connected) = meet("mtls:127.0.0.1:0", &server, &client);
    assert_eq!(connected.expect_err("another").kind(), ErrorKind::Denied);
    assert!(served.is_err());
    // The name in the binding counts where no other is given: an address that is not certified.
    let mut client = Options::new();
    client.trust(&identities.root);
    let (_, connected) = meet("tls:127.0.0.1:0", &identities.server(false), &client);
    assert_eq!(connected.expect_err("another").kind(), ErrorKind::Denied);
}

#[test]
fn a_handshake_that_nobody_answers_ends_in_time() {
    let identities = Identities::new();
    let mut silent = ipc_net::Options::new();
    silent.insecure_plain_text(true);
    let listener = silent.bind("127.0.0.1:0").expect("bind");
    let place = format!("tls:{}", listener.address().expect("bound"));
    let place: Endpoint = place.parse().expect("a binding");
    let until = Until::after(std::time::Duration::from_millis(50));
    let late = identities.client(false).connect(&place, until);
    assert_eq!(late.expect_err("silence").kind(), ErrorKind::TimedOut);
}
