//! The soak of ipc-net: frames, datagrams and connections of another process on the loopback.

#[cfg(feature = "tls")]
#[allow(dead_code)]
#[path = "it/tls/authority.rs"]
mod authority;

use ipc_core::Framed;
use ipc_testkit::crash::Lab;
use ipc_testkit::soak::{self, MESSAGE_BYTES};
use ipc_testkit::{Role, Stage};
use std::process::ExitCode;

fn main() -> ExitCode {
    soak::run(
        &[("frames", send_frames), ("client", connect_often)],
        &[
            ("frames", frames_of_another_process),
            ("connections", connections_of_another_process),
            #[cfg(feature = "tls")]
            ("deadlines", overshoot_of_tls),
        ],
    )
}

fn argument(stage: &Stage) -> u64 {
    stage.argument(0).parse().expect("a number")
}

fn send_frames(stage: Stage) {
    let stream = ipc_net::connect(stage.argument(1)).expect("it listens");
    let tx = Framed::new(stream);
    for sequence in 0..argument(&stage) {
        tx.send(&soak::stamp(sequence)).expect("somebody reads");
    }
}

fn frames_of_another_process(lab: &mut Lab) {
    let count = lab.count(100_000, 100_000_000, 1_000_000_000);
    let listener = ipc_net::bind("127.0.0.1:0").expect("a port");
    let address = listener.address().expect("bound");
    let sender = Role::new("frames")
        .argument(count)
        .argument(address)
        .spawn();
    let ours = listener.accept().expect("it connects").framed();
    let what = "net: frames of another process";
    soak::receive(lab, "S2", what, count, sender, |buffer| ours.recv(buffer));
}

fn connect_often(stage: Stage) {
    for number in 0..argument(&stage) {
        let server = ipc_net::connect(stage.argument(1)).expect("it listens");
        server.send(&soak::stamp(number)).expect("it reads");
        let mut answer = [0; 1];
        assert_eq!(server.recv(&mut answer).expect("it answers"), 1);
    }
}

fn connections_of_another_process(lab: &mut Lab) {
    let count = lab.count(2_000, 100_000, 1_000_000);
    let listener = ipc_net::bind("127.0.0.1:0").expect("a port");
    let address = listener.address().expect("bound");
    let client = Role::new("client")
        .argument(count)
        .argument(address)
        .spawn();
    let what = "net: connections of another process";
    soak::repeat(lab, "S4", what, count, |number| {
        let serve = || {
            let client = listener.accept()?;
            let mut buffer = [0; MESSAGE_BYTES];
            let mut filled = 0;
            while filled < MESSAGE_BYTES {
                filled += client.recv(&mut buffer[filled..])?;
            }
            client.send(b"k")?;
            Ok::<_, ipc_net::Error>(soak::check(number, &buffer))
        };
        serve().map_err(|error| error.to_string())?
    });
    client.done();
}

#[cfg(feature = "tls")]
fn overshoot_of_tls(lab: &mut Lab) {
    let (left, right) = ipc_net::pair().expect("sockets");
    let (server, client) = authority::both_sides();
    let client = client.begin("server.test", left).expect("a client");
    let server = server.begin(right).expect("a server");
    std::thread::scope(|scope| {
        let shaking = scope.spawn(|| server.handshake());
        client.handshake().expect("they trust each other");
        let shaken = shaking.join().expect("no panic");
        shaken.expect("they trust each other");
    });
    soak::overshoot(lab, "A3", "TLS", |deadline| {
        client.recv_deadline(&mut [0; 64], deadline).map(drop)
    });
}
