//! D3 and D10: a thousand connections that send a byte a second, and a server without descriptors.

use crate::frames::{DATA, END_HEADERS, GET, HEADERS, MESSAGE, PREFACE, SETTINGS, frame, head};
use crate::there::{PATIENCE, There, Wanted, options, p99, raise_descriptors, runtime, timed};
use ipc_testkit::crash::{Lab, Tally, Tier};
use ipc_testkit::watchdog;
use rpc_core::Context;
use rpc_grpc::Options;
use rpc_testkit::identities::Identities;
use rpc_testkit::inventory::{StockClient, item};
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// What is sent at once, and what then comes by the byte.
struct Slow {
    what: &'static str,
    transport: &'static str,
    at_once: Vec<u8>,
    then: Vec<u8>,
}

fn kinds() -> [Slow; 5] {
    let greeting = [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat();
    let headers = frame(HEADERS, END_HEADERS, 1, &head(GET, &[]));
    // A ClientHello of 512 bytes, as far as it comes.
    let hello = [22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3];
    let slow = |what, transport, at_once: &[&[u8]], then: &[u8]| Slow {
        what,
        transport,
        at_once: at_once.concat(),
        then: then.to_vec(),
    };
    [
        slow("the greeting, over unix", "unix", &[], PREFACE),
        slow("the greeting, over tcp", "tcp", &[], PREFACE),
        slow("headers", "unix", &[&greeting], &headers),
        slow(
            "a body",
            "unix",
            &[&greeting, &headers],
            &frame(DATA, 0, 1, MESSAGE),
        ),
        slow("a TLS handshake", "mtls", &[], &hello),
    ]
}

enum Raw {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Raw {
    fn connect(endpoint: &str) -> Self {
        let (transport, place) = endpoint.split_once(':').expect("a string binding");
        match transport {
            "unix" => Self::Unix(UnixStream::connect(place).expect("it listens")),
            _ => Self::Tcp(TcpStream::connect(place).expect("it listens")),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match self {
            Self::Unix(stream) => stream.write_all(bytes),
            Self::Tcp(stream) => stream.write_all(bytes),
        }
    }
}

/// D3.
pub(crate) fn of_connections(lab: &mut Lab) {
    raise_descriptors();
    let identities = Identities::new();
    for kind in kinds() {
        slow_of_one_kind(lab, &identities, &kind);
    }
}

fn slow_of_one_kind(lab: &mut Lab, identities: &Identities, kind: &Slow) {
    let _watchdog = watchdog(PATIENCE);
    let many = lab.count(100, 1_000, 1_000);
    // By night as it is by default: 5 s for a greeting, 10 s for a frame.
    let millis = lab.count(300, 0, 0);
    let pace = Duration::from_millis(lab.count(50, 1_000, 1_000));
    let what = format!("{many} that send a byte at a time: {}", kind.what);
    let calm_calls = lab.count(100, 1_000, 1_000) as usize;
    let mut tally = Tally::new("D3", what);
    let there = There::wanted(
        kind.transport,
        &Wanted {
            millis,
            identities: (kind.transport == "mtls").then_some(identities),
            ..Wanted::default()
        },
    );
    let client = match kind.transport {
        "mtls" => There::known(identities, "clerk"),
        _ => options(),
    };
    let runtime = runtime(2);
    let (mut cut, mut calm, mut loud) = (Vec::new(), Vec::new(), Vec::new());
    runtime.block_on(async {
        let connection = client.connect(&there.endpoint).await.expect("it listens");
        let stock = StockClient::new(connection);
        calm.extend(timed(&stock, calm_calls, || false).await.expect("calm"));
        let mut slow: Vec<_> = (0..many).map(|_| Raw::connect(&there.endpoint)).collect();
        for raw in &mut slow {
            raw.write(&kind.at_once).expect("room");
        }
        let then = kind.then.clone();
        let dribbling = tokio::task::spawn_blocking(move || dribble(slow, &then, pace));
        while !dribbling.is_finished() {
            match timed(&stock, 20, || false).await {
                Ok(times) => {
                    tally.trials += 20;
                    loud.extend(times);
                }
                Err(failure) => tally.trial(Err(failure)),
            }
            tally.trial(fresh(&client, &there.endpoint).await);
        }
        cut = dribbling.await.expect("no panic");
        calm.extend(timed(&stock, calm_calls, || false).await.expect("calm"));
    });
    let longest = cut.iter().max().copied().unwrap_or_default();
    let (calm, loud) = (p99(&mut calm), p99(&mut loud));
    let nightly = lab.tier != Tier::Push;
    // A byte a second later it is seen at the latest, and as much again is the host's.
    if cut.len() as u64 != many || (nightly && longest > Duration::from_secs(12)) {
        tally.fail(format!("{} cut, the last after {longest:.1?}", cut.len()));
    }
    if nightly && loud >= 2 * calm {
        tally.fail(format!("another's p99 went from {calm:.0?} to {loud:.0?}"));
    }
    tally.note(format!(
        "all cut within {longest:.1?}, another's p99 {calm:.0?} and {loud:.0?}"
    ));
    lab.enter(tally);
    there.server.kill();
}

async fn fresh(client: &Options, endpoint: &str) -> Result<(), String> {
    let connection = client.connect(endpoint).await;
    let stock = StockClient::new(connection.map_err(|status| status.to_string())?);
    let put = stock.put(&Context::new(), item("other", 0)).await;
    put.map(drop).map_err(|status| status.to_string())
}

/// A byte at a time on each, until all are cut; after how long each was, as its sender sees it.
fn dribble(mut slow: Vec<Raw>, then: &[u8], pace: Duration) -> Vec<Duration> {
    let begun = Instant::now();
    let mut cut = Vec::new();
    let mut bytes = then.iter().cycle();
    while !slow.is_empty() && begun.elapsed() < 60 * pace.max(Duration::from_millis(500)) {
        let byte = bytes.next().expect("something to send");
        slow.retain_mut(|raw| {
            let sent = raw.write(&[*byte]).is_ok();
            if !sent {
                cut.push(begun.elapsed());
            }
            sent
        });
        // The pace of the attack; nothing waits for it.
        std::thread::park_timeout(pace);
    }
    cut
}

/// D10: a crowd takes every descriptor; who is served stays so, the server does not spin, and takes
/// the next as soon as there is room.
pub(crate) fn of_descriptors(lab: &mut Lab) {
    let _watchdog = watchdog(PATIENCE);
    let seconds = lab.count(1, 10, 60);
    let mut tally = Tally::new("D10", format!("no descriptor left for {seconds} s"));
    for transport in ["unix", "tcp"] {
        let there = There::wanted(
            transport,
            &Wanted {
                descriptors: 48,
                ..Wanted::default()
            },
        );
        let runtime = runtime(1);
        let outcome = runtime.block_on(async {
            let stock = StockClient::new(there.connect().await);
            let crowd: Vec<_> = (0..200).map(|_| Raw::connect(&there.endpoint)).collect();
            while there.descriptors() < 48 {
                tokio::task::yield_now().await;
            }
            let (busy, begun) = (there.busy(), Instant::now());
            while begun.elapsed() < Duration::from_secs(seconds) {
                // Over which it is measured.
                tokio::time::sleep(Duration::from_millis(100)).await;
                tally.trial(timed(&stock, 1, || false).await.map(drop));
                if crowd.is_empty() {
                    break;
                }
            }
            let busy = (there.busy() - busy).as_secs_f64() / begun.elapsed().as_secs_f64();
            drop(crowd);
            let free = Instant::now();
            fresh(&options(), &there.endpoint).await?;
            Ok::<_, String>((busy, free.elapsed()))
        });
        match outcome {
            Ok((busy, again)) => {
                let nightly = lab.tier != Tier::Push;
                if busy > 0.2 || (nightly && again > Duration::from_secs(1)) {
                    tally.fail(format!(
                        "{transport}: busy {busy:.2}, recovered in {again:.1?}"
                    ));
                }
                let share = 100.0 * busy;
                tally.note(format!(
                    "busy {share:.0} %, the next taken within {again:.0?}"
                ));
            }
            Err(failure) => tally.fail(failure),
        }
        there.server.kill();
    }
    lab.enter(tally);
}
