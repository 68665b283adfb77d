//! Generated input: every number, to every target, during every blocking call; and lies.

use crate::forge;
use ipc_core::{Interest, Pollable, Until};
use ipc_signal::{Child, Code, Delivery, Receiver, Signal, SignalSet, Target};
use ipc_testkit::{Role, Stage, watchdog};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(120);
/// How many inputs the list of bad input asks for.
const WANTED: usize = 1_000;

fn every_number() -> Vec<i32> {
    SignalSet::all().iter().map(Signal::number).collect()
}

/// One way to receive.
type Form = fn(&Receiver) -> ipc_signal::Result<Delivery>;

const FORMS: &[Form] = &[
    Receiver::wait,
    |signals| signals.wait_timeout(Duration::MAX),
    |signals| signals.wait_deadline(Instant::now() + PATIENCE),
    |signals| {
        signals.wait_ready(&[Interest::Read], Until::Forever)?;
        signals.try_wait()
    },
];

#[test]
fn every_number_arrives_by_every_way_in_every_form() {
    let role = Role::new("every-number").blocking(&every_number());
    role.spawn().done();
}

pub(crate) fn receive_every_number(_stage: Stage) {
    let _watchdog = watchdog(PATIENCE);
    let signals = ipc_signal::receiver(SignalSet::all()).expect("all block");
    let pid = rustix::process::getpid();
    let flags = rustix::process::PidfdFlags::empty();
    let pidfd = rustix::process::pidfd_open(pid, flags).expect("a pidfd");
    let targets = [
        Target::this_process(),
        Target::this_thread(),
        Target::pidfd(&pidfd),
    ];
    let mut inputs = 0;
    // Pending already: each number, by each way, with and without a value, in each form.
    for signal in SignalSet::all().iter() {
        for target in targets {
            for (value, form) in (-1..).zip(FORMS) {
                target.notify_with(signal, value).expect("our own");
                let delivery = form(&signals).expect("pending");
                assert_eq!((delivery.signal(), delivery.value()), (signal, Some(value)));
                target.notify(signal).expect("our own");
                let delivery = form(&signals).expect("pending");
                assert_eq!(delivery.signal(), signal);
                assert_eq!(delivery.sender_pid(), Some(std::process::id()));
                assert!(signals.try_wait().is_err());
                inputs += 2;
            }
        }
    }
    inputs += during_every_blocking_call(&signals);
    assert!(inputs >= WANTED, "only {inputs}");
}

/// Each number while this thread waits, in each form that waits; and while it waits for a child,
/// which no signal of ours may disturb.
fn during_every_blocking_call(signals: &Receiver) -> usize {
    let mut inputs = 0;
    let (order, orders) = mpsc::channel::<Signal>();
    let me = rustix::thread::gettid().as_raw_nonzero();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for signal in orders {
                until_asleep(me.get());
                Target::this_process().notify(signal).expect("our own");
            }
        });
        for signal in SignalSet::all().iter() {
            for form in FORMS {
                order.send(signal).expect("the sender lives");
                assert_eq!(form(signals).expect("it comes").signal(), signal);
                inputs += 1;
            }
        }
        let cat = Command::new("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn();
        let mut child = Child::new(cat.expect("cat")).expect("not waited for");
        for signal in SignalSet::all().iter() {
            order.send(signal).expect("the sender lives");
            let wait = child.wait_timeout(Duration::from_millis(2));
            assert!(wait.is_err(), "it runs");
            assert_eq!(signals.wait().expect("it comes").signal(), signal);
            inputs += 1;
        }
        drop(child.std_mut().stdin.take());
        child.wait().expect("its end");
        drop(order);
    });
    // Its own SIGCHLD came by the way: a flag among the others.
    while signals.try_wait().is_ok() {}
    inputs
}

/// Until the thread sleeps, most likely in the call under test; a look earlier or later only
/// makes the input another one.
fn until_asleep(thread: i32) {
    let stat = format!("/proc/self/task/{thread}/stat");
    for _ in 0..10_000 {
        let text = std::fs::read_to_string(&stat).unwrap_or_default();
        if text
            .rsplit_once(") ")
            .is_some_and(|(_, rest)| rest.starts_with('S'))
        {
            return;
        }
        std::thread::yield_now();
    }
}

#[test]
fn lies_are_passed_on_as_hints_and_break_nothing() {
    let (told, tell) = rustix::pipe::pipe().expect("a pipe");
    let child = Role::new("lies")
        .blocking(&every_number())
        .argument(claims().len())
        .descriptor(&tell)
        .spawn();
    assert_eq!(rustix::io::read(&told, &mut [0u8; 1]), Ok(1));
    let job = Signal::real_time(0).expect("the first").number();
    for (code, sender, value) in claims() {
        forge::queue(child.id(), job, code, sender, value).expect("the kernel passes it on");
    }
    // These the kernel keeps to itself: another process cannot claim them.
    for code in [libc::SI_USER, libc::SI_KERNEL, libc::SI_TKILL, 1, i32::MAX] {
        assert!(
            forge::queue(child.id(), job, code, (1, 0), 7).is_err(),
            "{code}"
        );
    }
    child.done();
}

/// Codes, senders and values that nobody who is honest would write.
fn claims() -> Vec<(i32, (i32, u32), u64)> {
    let codes = [-1, -2, -3, -4, -5, -7, -60, -1000, i32::MIN];
    let senders = [
        (0, 0),
        (1, 0),
        (-1, u32::MAX),
        (i32::MAX, 65534),
        (i32::MIN, 1),
    ];
    let values = [0, 1, 0x7fff_ffff, 0x8000_0000, u64::MAX, 0x1_0000_0000];
    let mut claims = Vec::new();
    for code in codes {
        for sender in senders {
            claims.extend(values.map(|value| (code, sender, value)));
        }
    }
    claims
}

pub(crate) fn receive_lies(mut stage: Stage) {
    let _watchdog = watchdog(PATIENCE);
    let count: usize = stage.argument(0).parse().expect("a number");
    let signals = ipc_signal::receiver(SignalSet::all()).expect("all block");
    rustix::io::write(stage.descriptor(), b"r").expect("the test listens");
    let claimed = claims();
    assert_eq!(claimed.len(), count);
    for (code, (pid, uid), value) in claimed {
        let delivery = signals.wait().expect("it comes");
        let low = value as u32 as i32;
        let (value, sender) = match delivery.code() {
            Code::Queued => (Some(low), Some((pid.cast_unsigned(), uid))),
            Code::MessageQueue => (Some(low), Some((pid.cast_unsigned(), uid))),
            Code::Timer | Code::AsyncIo => (Some(low), None),
            Code::Other(other) => {
                assert_eq!(other, code);
                (None, None)
            }
            other => panic!("{other:?} from code {code}"),
        };
        assert_eq!(delivery.value(), value);
        let who = delivery.sender_pid().zip(delivery.sender_uid());
        assert_eq!(who, sender);
    }
    assert!(signals.try_wait().is_err());
}
