//! Every family connects, carries verified payload and leaves nothing behind.

use std::{
    fs,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use ipc_bench::{
    assemble,
    family::Role,
    lane::{Allowance, Crew, Lane},
    mechanisms,
    orchestrate::Orchestrator,
    placement::Cpus,
    plan::{Group, Plan, Selection},
    results::MakerKind,
    scenario::{Scenario, Shape},
};

#[cfg(feature = "peers")]
use ipc_bench::results::Unmeasured;

use crate::binary;

fn orchestrator() -> Orchestrator {
    let crew = Crew {
        binary: binary().to_owned(),
        planted: None,
    };
    let cpus = Cpus::pick().expect("this process runs somewhere");
    Orchestrator::new(cpus, vec![crew]).expect("an orchestrator needs little")
}

fn plan_of(mechanism: &str, sizes: &[usize]) -> Plan {
    let selection = Selection {
        mechanisms: vec![mechanism.to_owned()],
        sizes: sizes.to_vec(),
        ..Selection::default()
    };
    let cpus = Cpus::pick().expect("this process runs somewhere");
    let mut plan = Plan::new(&selection, &mechanisms::all(), &cpus);
    plan.groups.retain(|group| group.mechanism == mechanism);
    plan
}

/// Whether a cell shows something that others have not shown: what calls have in common, whatever
/// carries them, is seen over Unix sockets, without bytes.
fn is_tried(mechanism: &str, shape: &Shape) -> bool {
    let first = (mechanism, shape.size) == ("rpc-native", 0);
    match shape.scenario {
        Scenario::Concurrent256 | Scenario::Concurrent64x100 => first,
        Scenario::OpenLoop80OfOurs => first,
        // The other shares are other numbers.
        Scenario::OpenLoop50 => shape.size < 100,
        scenario if scenario.share().is_some() => false,
        Scenario::FanIn
        | Scenario::RoundTrip
        | Scenario::BothStreams
        | Scenario::ServerStream
        | Scenario::Concurrent16 => true,
        _ => !mechanism.starts_with("rpc-") || ["rpc-native", "rpc-inproc"].contains(&mechanism),
    }
}

/// Measures every cell of a family for a moment; says why where this host has none of it.
fn exercise(mechanism: &str) -> Result<(), String> {
    let mut orchestrator = orchestrator();
    // What all connections have in common is seen over one of them.
    let sizes: &[usize] = match mechanism {
        "rpc-native-tcp" | "rpc-native-pipe" | "rpc-native-shm" | "rpc-native-tls" => &[64],
        "rpc-udp" => &[64],
        "rpc-grpc" | "rpc-grpc-shm" | "rpc-grpc-tcp" | "rpc-grpc-tls" => &[64],
        "rpc-native" => &[0, 100_000],
        _ => &[64, 100_000],
    };
    let plan = plan_of(mechanism, sizes);
    if plan.groups.is_empty() {
        let mut why: Vec<_> = plan.unmeasured.iter().map(|gap| gap.why.as_str()).collect();
        why.dedup();
        return Err(format!("{mechanism}: {}", why.join("; ")));
    }
    for group in &plan.groups {
        if is_tried(mechanism, &group.shape) {
            try_all(&mut orchestrator, group);
        }
    }
    Ok(())
}

/// Measures all makers of a cell for a moment, in one pair of processes.
fn try_all(orchestrator: &mut Orchestrator, group: &Group) {
    let makers = group.makers.iter().cloned();
    let mut lanes: Vec<Lane> = makers.map(|maker| Lane::new(0, maker)).collect();
    let allowance = Allowance {
        time: Duration::from_millis(30),
        is_limit: false,
        slice_max: Duration::from_millis(1),
        fresh_pairs: 1,
        count_calls: false,
    };
    orchestrator
        .measure(group, &mut lanes, allowance)
        .expect("nobody interrupts");
    for lane in &lanes {
        let name = format!("{} by {}", group.name(), lane.maker.name);
        assert_eq!(lane.failed, None, "{name}");
        assert!(!lane.slices.is_empty(), "{name} has slices");
        for slice in &lane.slices {
            let expected = lane.maker.verifies && group.shape.size > 0;
            assert_eq!(slice.verified, expected, "{name} compares payload");
            assert!(slice.typical_ns > 0.0, "{name} takes time");
        }
    }
}

/// One test for each family that a host may lack, so that each skip is counted by itself, and for
/// those that take long; the others share the rest.
macro_rules! alone {
    ($($test:ident: $family:literal,)*) => {
        const ALONE: &[&str] = &[$($family),*];

        $(#[test]
        fn $test() {
            if let Err(why) = exercise($family) {
                ipc_testkit::skip!("{why}");
            }
        })*
    };
}

alone! {
    posix_queues_work: "posix-mq",
    awaited_posix_queues_work: "posix-mq-awaited",
    system_v_queues_work: "sysv-mq",
    system_v_semaphores_work: "sysv-sem",
    tcp_works: "tcp",
    udp_works: "udp",
    calls_over_tcp_work: "rpc-native-tcp",
    calls_over_unix_sockets_work: "rpc-native",
    calls_over_pipes_work: "rpc-native-pipe",
    calls_over_shared_memory_work: "rpc-native-shm",
    calls_over_tls_work: "rpc-native-tls",
    calls_over_datagrams_work: "rpc-udp",
    calls_by_grpc_work: "rpc-grpc",
    calls_by_grpc_over_shared_memory_work: "rpc-grpc-shm",
    calls_by_grpc_over_tcp_work: "rpc-grpc-tcp",
    calls_by_grpc_over_tls_work: "rpc-grpc-tls",
    calls_within_a_process_work: "rpc-inproc",
    sums_are_right: "rpc-calculator",
    items_are_found: "rpc-inventory",
    channels_of_many_processes_work: "ring-scaling",
    two_cpus_share_a_cache_line: "cache-line",
}

#[cfg(feature = "peers")]
#[test]
fn grpcio_calls_our_server_and_that_of_tonic() {
    let selection = Selection {
        mechanisms: vec!["rpc-grpc".to_owned()],
        scenarios: vec![
            Scenario::RoundTrip,
            Scenario::Concurrent16,
            Scenario::OneWay,
            Scenario::ServerStream,
            Scenario::BothStreams,
            Scenario::OpenLoop50,
        ],
        sizes: vec![64],
        peers: true,
        ..Selection::default()
    };
    let cpus = Cpus::pick().expect("this process runs somewhere");
    let mut plan = Plan::new(&selection, &mechanisms::all(), &cpus);
    // A plan has the floors, too.
    plan.groups.retain(|group| group.mechanism == "rpc-grpc");
    let mut orchestrator = orchestrator();
    for group in &mut plan.groups {
        group
            .makers
            .retain(|maker| maker.name.starts_with("grpcio"));
        if group.makers.is_empty() {
            let absent = |gap: &&Unmeasured| gap.what.contains("grpcio");
            let why = plan.unmeasured.iter().find(absent);
            ipc_testkit::skip!("{}", why.expect("nothing is left out silently").why);
        }
        try_all(&mut orchestrator, group);
    }
}

#[test]
fn every_other_family_works() {
    // A few at a time, each by a thread of its own: workers die with the thread that started them.
    let mut families = mechanisms::all();
    families.retain(|family| !ALONE.contains(&family.name));
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(family) = families.get(next.fetch_add(1, Ordering::Relaxed)) {
                    exercise(family.name).expect("every Linux has it");
                }
            });
        }
    });
}

#[test]
fn system_calls_are_counted_exactly() {
    let mut orchestrator = orchestrator();
    let mut counts = Vec::new();
    for group in plan_of("pipe", &[64]).groups {
        let raw = group
            .makers
            .iter()
            .find(|maker| maker.name == "raw")
            .cloned();
        let mut lanes = [Lane::new(0, raw.expect("every family has a raw maker"))];
        let allowance = Allowance {
            time: Duration::from_millis(30),
            is_limit: false,
            slice_max: Duration::from_millis(1),
            fresh_pairs: 1,
            count_calls: true,
        };
        orchestrator
            .measure(&group, &mut lanes, allowance)
            .expect("nobody interrupts");
        counts.push((group.shape.scenario.name(), lanes[0].system_calls));
    }
    if let Some(denied) = orchestrator.unmeasured.first() {
        ipc_testkit::skip!("{}: {}", denied.what, denied.why);
    }
    for (scenario, calls) in counts {
        let expected = match scenario {
            "single-thread" | "one-way" => Some(2.0),
            "round-trip" | "round-trip-awake" | "round-trip-asleep" => Some(4.0),
            _ => None,
        };
        assert_eq!(calls, expected, "{scenario}");
    }
}

/// Unary calls over Unix sockets, measured for a moment.
fn unary_calls() -> (Orchestrator, Group, Vec<Lane>) {
    let mut orchestrator = orchestrator();
    let groups = plan_of("rpc-native", &[64]).groups;
    let unary = |group: &Group| group.shape.scenario == Scenario::RoundTrip;
    let group = groups.into_iter().find(unary).expect("calls are unary");
    let makers = group.makers.iter().cloned();
    let mut lanes: Vec<Lane> = makers.map(|maker| Lane::new(0, maker)).collect();
    let allowance = Allowance {
        time: Duration::from_millis(300),
        is_limit: false,
        slice_max: Duration::from_millis(1),
        fresh_pairs: 1,
        count_calls: true,
    };
    orchestrator
        .measure(&group, &mut lanes, allowance)
        .expect("nobody interrupts");
    (orchestrator, group, lanes)
}

#[test]
fn the_system_calls_of_every_thread_of_a_server_count() {
    let (orchestrator, _, lanes) = unary_calls();
    if let Some(denied) = orchestrator.unmeasured.first() {
        ipc_testkit::skip!("{}: {}", denied.what, denied.why);
    }
    for lane in lanes {
        // A call is sent, received, answered, and the answer received, whoever does it; of a
        // server's thread the last one may come too late.
        let calls = lane.system_calls.expect("nothing forbids to count");
        assert!(calls > 3.5, "{}: {calls}", lane.maker.name);
    }
}

#[test]
fn ratios_say_which_of_our_forms_they_are_of() {
    let (_, group, lanes) = unary_calls();
    let ratios = assemble::group_ratios(&group, &lanes);
    for form in ["blocking", "awaited"] {
        let name = format!("rpc-native:{form}/round-trip/64/vs/raw");
        let found = ratios.iter().filter(|ratio| ratio.name == name).count();
        assert_eq!(found, 1, "{name}");
    }
}

#[test]
fn a_run_leaves_no_queue() {
    if let Err(why) = exercise("sysv-mq") {
        ipc_testkit::skip!("{why}");
    }
    // The keys that pairs of this process take: their mark, the process number, a small counter.
    let id = i64::from(std::process::id());
    let of_this_process = |key: i64| key & 0x4000_0000 != 0 && (key & 0x3fff_ffff) >> 8 == id;
    let queues = fs::read_to_string("/proc/sysvipc/msg").unwrap_or_default();
    let keys = queues
        .lines()
        .filter_map(|line| line.split_whitespace().next()?.parse().ok());
    let left: Vec<i64> = keys.filter(|&key| of_this_process(key)).collect();
    // `system_v_queues_work` may be in the middle of one pair.
    assert!(left.len() <= 2, "queues are left over: {left:?}");
}

#[test]
fn floors_and_mechanisms_have_distinct_names() {
    let families = mechanisms::all();
    for (index, family) in families.iter().enumerate() {
        assert!(
            families[..index]
                .iter()
                .all(|other| other.name != family.name)
        );
        let reference = family.makers[0].kind == MakerKind::Raw;
        assert!(family.role == Role::Floor || reference, "{}", family.name);
    }
}
