//! A server and a client in two processes that prove to each other who they are, by certificates
//! of an authority that is made for the occasion.

use ipc_net::tls;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use std::env;
use std::process::Command;

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn main() -> Outcome {
    match env::args().nth(1) {
        Some(address) => client(&address),
        None => server(),
    }
}

fn server() -> Outcome {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate()?;
    let root = params.self_signed(&key)?.pem();
    let authority = Issuer::new(params, key);
    let (chain, key) = issue(&authority, SanType::DnsName("server.example".try_into()?))?;
    let mut options = tls::Options::new();
    options
        .certificate(chain, key)
        .trust(&root)
        .admit(|peer| peer.spiffe_id() == Some("spiffe://example/greeter"));
    let listener = options.bind("127.0.0.1:0")?;

    let greeter = SanType::URI("spiffe://example/greeter".try_into()?);
    let (chain, key) = issue(&authority, greeter)?;
    let mut child = Command::new(env::current_exe()?)
        .arg(listener.address()?.to_string())
        .envs([("ROOT", root), ("CHAIN", chain), ("KEY", key)])
        .spawn()?;
    let stream = listener.accept()?;
    stream.handshake()?;
    let mut greeting = [0; 64];
    let length = stream.recv(&mut greeting)?;
    let text = String::from_utf8_lossy(&greeting[..length]);
    println!("{:?} says {text:?}", stream.identity().ok_or("nobody")?);
    stream.send(b"welcome")?;
    if child.wait()?.success() {
        Ok(())
    } else {
        Err("the client failed".into())
    }
}

fn client(address: &str) -> Outcome {
    let mut options = tls::Options::new();
    options
        .certificate(env::var("CHAIN")?, env::var("KEY")?)
        .trust(env::var("ROOT")?);
    let stream = options.client()?.connect("server.example", address)?;
    stream.send(b"hello")?;
    let mut answer = [0; 64];
    let length = stream.recv(&mut answer)?;
    let text = String::from_utf8_lossy(&answer[..length]);
    println!("{:?} says {text:?}", stream.identity().ok_or("nobody")?);
    Ok(())
}

fn issue(authority: &Issuer<'_, KeyPair>, name: SanType) -> Result<(String, String), rcgen::Error> {
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![name];
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, authority)?;
    Ok((certificate.pem(), key.serialize_pem()))
}
