//! Workers that die, hang or come from another time are reported, never waited for.

use std::{
    os::fd::AsFd,
    process::{Command, Stdio},
    time::Duration,
};

use ipc_bench::{
    family::Role,
    fan_in,
    interrupt::Interrupt,
    mechanisms,
    meet::seqpacket_pair,
    orchestrate::Orchestrator,
    pair::{Directory, Pair, Setup, Trouble, WORKER},
    placement::Cpus,
    protocol::{self, Answer, Hello, Order, SliceOrder, Welcome},
    results::MakerKind,
    scenario::{Scenario, Shape, Side},
    stage::Stage,
};
use rustix::process::{Pid, Signal, kill_process};

use crate::binary;

/// How long an answer may take before its worker is said to hang: a host may stand still.
const PATIENCE: Duration = Duration::from_secs(120);

/// A pair on one CPU with a connected pipe.
fn connected(directory: &Directory, interrupt: &Interrupt) -> Pair {
    let cpu = Cpus::pick().expect("this process runs somewhere").pair.0;
    let setup = Setup {
        binary: binary(),
        cpus: (cpu, cpu),
        allowed: &[],
        directory: directory.path(),
        senders: 1,
        sweep: None,
    };
    let pair = Pair::start(&setup, interrupt).expect("workers start");
    let shape = Shape {
        size: 64,
        scenario: Scenario::RoundTrip,
    };
    let order = Order::Connect {
        mechanism: "pipe".into(),
        maker: "raw".into(),
        shape,
    };
    let answers = pair
        .ask(&order, PATIENCE, interrupt)
        .expect("pipes connect");
    assert!(matches!(answers, [Answer::Connected, Answer::Connected]));
    pair
}

fn slice(messages: u32) -> Order {
    Order::Slice(SliceOrder {
        end: 0,
        messages,
        group: 1,
        planted_ns: 0.0,
        every_ns: 0,
        counted: false,
    })
}

fn signal(process: u32, signal: Signal) {
    let pid = Pid::from_raw(process as i32).expect("a process number is not zero");
    kill_process(pid, signal).expect("a child can be signalled");
}

fn why(result: Result<[Answer; 2], Trouble>) -> String {
    match result {
        Err(Trouble::Broken(why)) => why,
        other => panic!("expected a broken pair, got {other:?}"),
    }
}

#[test]
fn a_worker_that_dies_is_reported() {
    let (directory, interrupt) = (Directory::create().unwrap(), Interrupt::watch().unwrap());
    let pair = connected(&directory, &interrupt);
    signal(pair.server.id(), Signal::KILL);
    let why = why(pair.ask(&slice(1000), PATIENCE, &interrupt));
    assert!(why.contains("the server"), "{why}");
    assert!(!why.contains("hangs"), "nobody waits for the dead: {why}");
}

#[test]
fn a_worker_that_hangs_is_reported() {
    let (directory, interrupt) = (Directory::create().unwrap(), Interrupt::watch().unwrap());
    let pair = connected(&directory, &interrupt);
    signal(pair.server.id(), Signal::STOP);
    let why = why(pair.ask(&slice(1000), Duration::from_millis(300), &interrupt));
    assert!(why.contains("hangs"), "{why}");
}

#[test]
fn an_unknown_maker_is_an_answer() {
    let (directory, interrupt) = (Directory::create().unwrap(), Interrupt::watch().unwrap());
    let pair = connected(&directory, &interrupt);
    let shape = Shape {
        size: 64,
        scenario: Scenario::RoundTrip,
    };
    let order = Order::Connect {
        mechanism: "pipe".into(),
        maker: "nobody".into(),
        shape,
    };
    let why = why(pair.ask(&order, PATIENCE, &interrupt));
    assert!(why.contains("no maker pipe/nobody"), "{why}");
}

#[test]
fn a_dropped_pair_leaves_no_process() {
    let (directory, interrupt) = (Directory::create().unwrap(), Interrupt::watch().unwrap());
    let pair = connected(&directory, &interrupt);
    let processes = [pair.client.id(), pair.server.id()];
    drop(pair);
    for process in processes {
        assert!(
            !std::path::Path::new(&format!("/proc/{process}")).exists(),
            "{process} lives"
        );
    }
    let path = directory.path().to_owned();
    drop(directory);
    assert!(!path.exists(), "the directory of a run goes with it");
}

#[test]
fn a_fan_in_has_four_senders_and_leaves_none() {
    let (directory, interrupt) = (Directory::create().unwrap(), Interrupt::watch().unwrap());
    let cpu = Cpus::pick().expect("this process runs somewhere").pair.0;
    let setup = Setup {
        binary: binary(),
        cpus: (cpu, cpu),
        allowed: &[],
        directory: directory.path(),
        senders: fan_in::SENDERS,
        sweep: None,
    };
    let pair = Pair::start(&setup, &interrupt).expect("workers start");
    let shape = Shape {
        size: 64,
        scenario: Scenario::FanIn,
    };
    let order = Order::Connect {
        mechanism: "fifo".into(),
        maker: "ipc-pipe".into(),
        shape,
    };
    pair.ask(&order, PATIENCE, &interrupt)
        .expect("four senders open one FIFO");
    let answers = pair.ask(&slice(1001), PATIENCE, &interrupt);
    let [Answer::Slice(client), Answer::Slice(server)] = answers.expect("all arrive") else {
        panic!("a slice is answered by its report");
    };
    assert!(client.verified && server.verified);
    assert!(client.elapsed_ns > 0);
    let processes: Vec<u32> = [&pair.client, &pair.server]
        .into_iter()
        .chain(&pair.others)
        .map(|worker| worker.id())
        .collect();
    assert_eq!(processes.len(), fan_in::SENDERS + 1);
    let left = std::fs::read_dir(directory.path()).unwrap().count();
    assert_eq!(left, 0, "the name of the FIFO is gone");
    drop(pair);
    for process in processes {
        let path = format!("/proc/{process}");
        assert!(!std::path::Path::new(&path).exists(), "{process} lives");
    }
}

/// The processes of a group, and how they are: a dead one that nobody has waited for is there.
fn group(leader: u32) -> Vec<String> {
    let stats = std::fs::read_dir("/proc").expect("processes").flatten();
    let stats = stats.filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok());
    let of_group = |stat: &String| {
        // Behind the name, which may hold blanks: state, parent, group.
        let words = stat.rsplit(')').next().unwrap_or_default();
        words.split_whitespace().nth(2) == Some(&leader.to_string())
    };
    stats.filter(of_group).collect()
}

#[test]
fn members_of_a_channel_go_with_their_pair() {
    let cpus = Cpus::pick().expect("this process runs somewhere");
    // It waits for those whose parent was killed.
    let _orchestrator = Orchestrator::new(cpus.clone(), Vec::new()).expect("it needs little");
    let (directory, interrupt) = (Directory::create().unwrap(), Interrupt::watch().unwrap());
    let setup = Setup {
        binary: binary(),
        cpus: (cpus.pair.0, cpus.pair.0),
        allowed: &cpus.allowed,
        directory: directory.path(),
        senders: 1,
        sweep: None,
    };
    let pair = Pair::start(&setup, &interrupt).expect("workers start");
    let shape = Shape {
        size: 64,
        scenario: Scenario::OneWay,
    };
    let order = Order::Connect {
        mechanism: "ring-scaling".into(),
        maker: "3x2".into(),
        shape,
    };
    pair.ask(&order, PATIENCE, &interrupt)
        .expect("members meet");
    let answers = pair.ask(&slice(1001), PATIENCE, &interrupt);
    let [Answer::Slice(client), Answer::Slice(server)] = answers.expect("all arrive") else {
        panic!("a slice is answered by its report");
    };
    assert!(client.verified && server.verified);
    assert!(client.usage.cpu_ns > 0, "senders cost");
    let leader = pair.server.id();
    assert_eq!(group(leader).len(), 1 + 3 + 2, "the server and its members");
    drop(pair);
    assert_eq!(group(leader), [""; 0]);
}

#[test]
fn a_sender_that_dies_is_reported() {
    let (directory, interrupt) = (Directory::create().unwrap(), Interrupt::watch().unwrap());
    let cpu = Cpus::pick().expect("this process runs somewhere").pair.0;
    let setup = Setup {
        binary: binary(),
        cpus: (cpu, cpu),
        allowed: &[],
        directory: directory.path(),
        senders: fan_in::SENDERS,
        sweep: None,
    };
    let pair = Pair::start(&setup, &interrupt).expect("workers start");
    let order = Order::Connect {
        mechanism: "pipe".into(),
        maker: "raw".into(),
        shape: Shape {
            size: 64,
            scenario: Scenario::FanIn,
        },
    };
    pair.ask(&order, PATIENCE, &interrupt)
        .expect("four senders share one pipe");
    signal(pair.others[1].id(), Signal::KILL);
    let why = why(pair.ask(&slice(1000), PATIENCE, &interrupt));
    assert!(why.contains("sender 2"), "{why}");
}

#[test]
fn a_binary_that_is_no_bench_is_an_error() {
    let (directory, interrupt) = (Directory::create().unwrap(), Interrupt::watch().unwrap());
    let cpu = Cpus::pick().unwrap().pair.0;
    let binary = std::path::Path::new("/bin/true");
    let setup = Setup {
        binary,
        cpus: (cpu, cpu),
        allowed: &[],
        directory: directory.path(),
        senders: 1,
        sweep: None,
    };
    let started = Pair::start(&setup, &interrupt);
    assert!(matches!(started, Err(Trouble::Broken(_))), "{started:?}");
}

#[test]
fn a_worker_of_another_protocol_says_so() {
    let (control, theirs) = seqpacket_pair().unwrap();
    let (meet, stage) = (seqpacket_pair().unwrap().0, Stage::create().unwrap());
    let mut worker = Command::new(binary())
        .args([WORKER, &std::process::id().to_string()])
        .stdin(Stdio::from(theirs))
        .spawn()
        .unwrap();
    let version = protocol::VERSION + 1;
    let directory = std::env::temp_dir();
    let welcome = Welcome {
        version,
        side: Side::Client,
        cpu: None,
        two_cpus: false,
        directory,
        tag: 0,
        sender: 0,
        cpus: Vec::new(),
    };
    protocol::send(&control, &welcome, &[meet.as_fd(), stage.as_fd()]).unwrap();
    let (hello, _) = protocol::receive::<Hello>(&control).unwrap();
    assert_eq!(hello.version, protocol::VERSION);
    assert!(hello.failed.is_some_and(|why| why.contains("protocol")));
    assert!(worker.wait().unwrap().success(), "it leaves in peace");
}

#[test]
fn every_mechanism_has_a_raw_reference() {
    for family in mechanisms::all()
        .iter()
        .filter(|family| family.role == Role::Mechanism)
    {
        let raw = family
            .makers
            .iter()
            .any(|maker| maker.kind == MakerKind::Raw);
        assert!(raw, "{} has nothing to be compared with", family.name);
    }
}
