//! D10: a server that has no descriptor left for those who come in.

use crate::counted::runtime;
use crate::target::{Target, Transport, raise_descriptors};
use ipc_testkit::crash::{Lab, Tally, Tier};
use ipc_testkit::watchdog;
use rpc_core::Context;
use rpc_native::Connection;
use rpc_testkit::calculator::CalculatorClient;
use rpc_testkit::identities::Identities;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// How many descriptors the server may have.
const DESCRIPTORS: u64 = 48;
/// How many want in.
const WANT_IN: usize = 200;

/// It goes on with what it has, does not spin, and recovers.
pub(crate) fn run_out_and_come_back(lab: &mut Lab) {
    let _watchdog = watchdog(Duration::from_secs(24 * 3600));
    raise_descriptors();
    let push = lab.tier == Tier::Push;
    let without = Duration::from_secs(lab.count(1, 10, 10));
    let rounds = lab.count(1, 3, 20);
    let identities = Identities::new();
    let servers = match push {
        // The others are in the tests, as far as outcomes go.
        true => vec![("target", Transport::Unix)],
        false => ["target", "blocking-target"]
            .into_iter()
            .flat_map(|role| Transport::ALL.map(|transport| (role, transport)))
            .collect(),
    };
    for (role, transport) in servers {
        let what = format!("no descriptor for {without:?}, {role} over {transport:?}");
        let mut tally = Tally::new("D10", what);
        let mut busiest = 0.0_f64;
        for _ in 0..rounds {
            let target = Target {
                role,
                transport,
                patience: Some(Duration::from_secs(60)),
                descriptors: DESCRIPTORS,
                ..Target::default()
            };
            let there = target.start(&identities, None);
            let options = transport.client(&identities);
            let (busy, back) = runtime(1).block_on(async {
                let connection = options.connect(&there.endpoint).await.expect("the first");
                let flood: Vec<_> = (0..WANT_IN).map(|_| want_in(&there.endpoint)).collect();
                let pid = there.child.id();
                let descriptors = format!("/proc/{pid}/fd");
                while std::fs::read_dir(&descriptors).expect("our child").count()
                    < DESCRIPTORS as usize
                {
                    std::thread::yield_now();
                }
                let (before, begun) = (cpu_ticks(pid), Instant::now());
                // The time over which it is measured.
                tokio::time::sleep(without).await;
                let busy = (cpu_ticks(pid) - before) as f64 / 100.0;
                let busy = busy / begun.elapsed().as_secs_f64();
                call(&connection).await;
                drop(flood);
                let begun = Instant::now();
                // Who comes in while there still is none may be refused, and tries again.
                while let Err(status) = come_in(&options, &there.endpoint).await {
                    assert!(begun.elapsed() < Duration::from_secs(20), "{status}");
                }
                (busy, begun.elapsed())
            });
            busiest = busiest.max(busy);
            tally.time(back);
            tally.trial(match (busy < 0.2, push || back < Duration::from_secs(1)) {
                (true, true) => Ok(()),
                _ => Err(format!("busy {:.0} %, back in {back:.1?}", 100.0 * busy)),
            });
        }
        tally.note(format!("busy at most {:.1} %", 100.0 * busiest));
        lab.enter(tally);
    }
}

async fn come_in(options: &rpc_native::Options, endpoint: &str) -> Result<(), rpc_core::Status> {
    call(&options.connect(endpoint).await?).await;
    Ok(())
}

async fn call(connection: &Connection) {
    let calculator = CalculatorClient::new(connection.clone());
    assert_eq!(calculator.add(&Context::new(), 2, 3).await, Ok(5));
}

fn want_in(endpoint: &str) -> OwnedFd {
    let (transport, address) = endpoint.split_once(':').expect("a string binding");
    match transport {
        "unix" => UnixStream::connect(address).expect("a queue").into(),
        _ => TcpStream::connect(address).expect("a queue").into(),
    }
}

/// What a process has used of a processor, in hundredths of a second.
fn cpu_ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("our child");
    let after_name = stat.rsplit_once(')').expect("proc(5)").1;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    // utime and stime, fields 14 and 15 (proc_pid_stat(5)); the state is field 3.
    let ticks = |at: usize| fields[at - 3].parse::<u64>().expect("a number");
    ticks(14) + ticks(15)
}
