//! Calls over TLS in which both sides prove who they are.

use crate::remote::PATIENCE;
use ipc_core::Until;
use ipc_net::tls;
use ipc_testkit::watchdog;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use rpc_core::layers::{Authenticate, Authorize};
use rpc_core::{Code, Context, Peer, Principal, Router, Server, block_on};
use rpc_native::Options;
use rpc_testkit::calculator::{Adder, CalculatorClient, CalculatorServer};
use rpc_transport::Wire;

fn issue(authority: &Issuer<'_, KeyPair>, name: SanType) -> (String, String) {
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![name];
    let key = KeyPair::generate().expect("a key");
    let certificate = params.signed_by(&key, authority).expect("signed");
    (certificate.pem(), key.serialize_pem())
}

/// A client's and a server's end of TLS over a stream, whose handshakes are still to be made.
pub(crate) fn verified(near: Wire, far: Wire) -> (Wire, Wire) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let root = params.self_signed(&key).expect("signed").pem();
    let authority = Issuer::new(params, key);
    let name = SanType::DnsName("shop.example".try_into().expect("a name"));
    let (chain, key) = issue(&authority, name);
    let mut options = tls::Options::new();
    options.certificate(chain, key).trust(&root).admit(|_| true);
    let server = options.server().expect("a server");
    let name = SanType::URI("spiffe://example/clerk".try_into().expect("a URI"));
    let (chain, key) = issue(&authority, name);
    let mut options = tls::Options::new();
    options.certificate(chain, key).trust(&root);
    let client = options.client().expect("a client");
    let far = server.begin(far).expect("a session");
    let near = client.begin("shop.example", near).expect("a session");
    (Wire::tls_over(near), Wire::tls_over(far))
}

/// Over a Unix socket, over a pair of pipes and over shared memory.
fn carriers() -> [(Wire, Wire); 3] {
    let (left, right) = ipc_uds::pair_seqpacket().expect("a pair");
    let [left, right] = [left, right].map(|socket| {
        let meeting = ipc_ring::Options::new().begin(socket).expect("our half");
        Wire::shm_meeting(meeting).expect("a peer")
    });
    let mut rings = (left, right);
    for ring in [&mut rings.0, &mut rings.1] {
        ring.handshake(Until::Forever)
            .expect("both halves are there");
    }
    let pipes = Wire::pipe_pair().expect("pipes");
    [Wire::pair().expect("a pair"), pipes, rings]
}

fn server() -> rpc_core::Served {
    let authenticate = Authenticate::by(|peer, _| match peer {
        Peer::Tls(names) => Some(Principal::new(names.first()?.clone(), ["clerk"])),
        _ => None,
    });
    let router = Router::new().service(CalculatorServer::new(Adder));
    let authorize = Authorize::new().allow("calculator.v1.Calculator/Add", ["clerk"]);
    let authorize = authorize.allow("calculator.v1.Calculator/Count", ["clerk"]);
    Server::new(router)
        .layer(authorize)
        .layer(authenticate)
        .served()
}

async fn talk(small: CalculatorClient<impl rpc_core::Channel>) {
    let cx = Context::new();
    assert_eq!(small.add(&cx, 2, 3).await, Ok(5));
    let mut counted = small.count(&cx, 30_000).await.expect("a stream");
    for number in 0..30_000 {
        assert_eq!(counted.next().await, Some(Ok(number)));
    }
    assert_eq!(counted.next().await, None);
    let denied = small.never(&cx).await.expect_err("nobody may");
    assert_eq!(denied.code(), Code::PermissionDenied);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_over_tls_are_of_whom_the_certificate_names() {
    let _watchdog = watchdog(PATIENCE);
    for (near, far) in carriers() {
        let (near, far) = verified(near, far);
        tokio::spawn(Options::new().serve(far, server()));
        let connection = Options::new().over(near).await.expect("greeted");
        talk(CalculatorClient::new(connection)).await;
    }
}

#[test]
fn blocking_calls_over_tls_too() {
    let _watchdog = watchdog(PATIENCE);
    for (near, far) in carriers() {
        let (near, far) = verified(near, far);
        let session = Options::new().session(far, server());
        let serving = std::thread::spawn(move || session.run());
        let connection = Options::new().over_blocking(near).expect("greeted");
        block_on(talk(CalculatorClient::new(connection)));
        // The end of TLS without a word is told apart from a stream that was cut off.
        let _ = serving.join().expect("no panic");
    }
}
