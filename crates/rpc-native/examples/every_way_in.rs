//! One service with four ways in, and whom it sees at the other end of each.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use rpc_core::{Context, Router, Server, Status, service};
use rpc_native::Options;
use std::error::Error;

#[service(name = "mirror.v1.Mirror")]
trait Mirror {
    /// What the transport proves of the caller.
    async fn who(&self, cx: &Context) -> Result<String, Status>;
}

struct Glass;

impl Mirror for Glass {
    async fn who(&self, cx: &Context) -> Result<String, Status> {
        Ok(format!("{:?}", cx.peer()))
    }
}

/// Certificates of a server and a client, each with its key, and the root of both.
fn certificates() -> Result<(String, [(String, String); 2]), rcgen::Error> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate()?;
    let root = params.self_signed(&key)?.pem();
    let authority = Issuer::new(params, key);
    let issue = |name| {
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![name];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &authority)?;
        Ok((certificate.pem(), key.serialize_pem()))
    };
    let server = issue(SanType::DnsName("mirror.example".try_into()?))?;
    let client = issue(SanType::URI("spiffe://example/face".try_into()?))?;
    Ok((root, [server, client]))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (root, [server, client]) = certificates()?;
    let side = |(chain, key): &(String, String)| {
        let mut transport = rpc_transport::Options::new();
        transport.certificate(chain, key).trust(&root);
        transport.server_name("mirror.example");
        Options::new().transport(transport).clone()
    };
    let (server_options, client_options) = (side(&server), side(&client));
    let mut plain = rpc_transport::Options::new();
    plain.insecure_plain_text(true);
    let plain = Options::new().transport(plain).clone();

    let path = std::env::temp_dir().join(format!("mirror-{}", std::process::id()));
    let ways = [
        (Options::new(), "inproc:mirror".to_owned()),
        (Options::new(), format!("unix:{}", path.display())),
        (plain.clone(), "tcp:127.0.0.1:0".to_owned()),
        (server_options, "mtls:127.0.0.1:0".to_owned()),
    ];
    let mut server = Server::new(Router::new().service(MirrorServer::new(Glass)));
    let mut places = Vec::new();
    for (options, place) in ways {
        let serving = options.bind(&place)?;
        places.push(serving.endpoint()?.to_string());
        server = server.with(serving)?;
    }
    tokio::spawn(server.run());

    for place in places {
        let options = match place.split(':').next() {
            Some("mtls") => &client_options,
            _ => &plain,
        };
        let mirror = MirrorClient::new(options.connect(&place).await?);
        println!("{place:<40} {}", mirror.who(&Context::new()).await?);
    }
    Ok(())
}
