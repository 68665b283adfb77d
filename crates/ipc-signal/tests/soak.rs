//! The soak of ipc-signal: queued values, storms, receivers and children made anew.

use ipc_signal::{Child, ErrorKind, Options, Signal, SignalSet, Target};
use ipc_testkit::crash::{Lab, Tally};
use ipc_testkit::{Role, Stage, soak, watchdog};
use rustix::io::retry_on_intr;
use std::os::fd::OwnedFd;
use std::process::{Command, ExitCode};
use std::time::Duration;

/// After how many signals the receiver lets the sender go on: long queues are slow to search.
const BATCH: u64 = 1_000;
const PATIENCE: Duration = Duration::from_secs(24 * 3600);

fn main() -> ExitCode {
    soak::run(
        &[("values", send_values), ("storm", weather_a_storm)],
        &[
            ("values", values_of_another_process),
            ("storm", storms_while_everybody_allocates),
            ("receivers", receivers_made_and_dropped),
            ("children", children_started_and_awaited),
        ],
    )
}

fn job() -> Signal {
    Signal::real_time(0).expect("the first")
}

fn queue(target: Target<'_>, value: i32) {
    loop {
        match target.notify_with(job(), value) {
            Ok(()) => return,
            Err(error) if error.kind() == ErrorKind::LimitReached => std::thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    }
}

fn hear(fd: &OwnedFd) {
    let read = retry_on_intr(|| rustix::io::read(fd, &mut [0; 1]));
    assert_eq!(read, Ok(1), "the other side has ended");
}

fn send_values(mut stage: Stage) {
    let count: u64 = stage.argument(0).parse().expect("a number");
    let target = Target::process(stage.argument(1).parse().expect("a number"));
    let (target, go) = (target.expect("a process"), stage.descriptor());
    for at in 0..count {
        if at % BATCH == 0 {
            hear(&go);
        }
        queue(target, at as i32);
    }
}

/// The laboratory is one thread, and receives itself.
fn values_of_another_process(lab: &mut Lab) {
    // Before the watchdog, whose thread inherits it.
    let _mask = SignalSet::from(job()).block().expect("it can be");
    let _watchdog = watchdog(PATIENCE);
    let count = lab.count(200_000, 100_000_000, 1_000_000_000);
    let signals = ipc_signal::receiver(job()).expect("all block");
    let (start, go) = rustix::pipe::pipe().expect("a pipe");
    let role = Role::new("values")
        .argument(count)
        .argument(std::process::id());
    let sender = role.descriptor(&start).spawn();
    let what = "signal: queued values of another process";
    soak::repeat(lab, "S2", what, count, |at| {
        if at % BATCH == 0 {
            rustix::io::write(&go, b"g").map_err(|errno| errno.to_string())?;
        }
        let delivery = signals.wait().map_err(|error| error.to_string())?;
        match delivery.value() {
            Some(value) if value == at as i32 => Ok(()),
            other => Err(format!("{other:?} instead of {at}")),
        }
    });
    sender.done();
}

/// Three threads signal this process, which allocates; nothing queued may be lost.
fn weather_a_storm(stage: Stage) {
    let _watchdog = watchdog(PATIENCE);
    let count: i32 = stage.argument(0).parse().expect("a number");
    let flags = SignalSet::from([Signal::HUP, Signal::WINCH]);
    let signals = ipc_signal::receiver(flags | job().into()).expect("all block");
    let own = Target::this_process();
    std::thread::scope(|scope| {
        for flag in flags.iter() {
            scope.spawn(move || {
                for round in 0..count / 4 {
                    own.notify(flag).expect("a flag needs no room");
                    drop(std::hint::black_box(vec![round; 100]));
                }
            });
        }
        scope.spawn(move || {
            for value in 0..count / 2 {
                drop(std::hint::black_box(format!("signal {value}")));
                queue(own, value);
            }
        });
        let mut next = 0;
        while next < count / 2 {
            let delivery = signals.wait().expect("it comes");
            if let Some(value) = delivery.value() {
                assert_eq!(value, next, "{delivery:?}");
                next += 1;
            }
        }
    });
}

fn storms_while_everybody_allocates(lab: &mut Lab) {
    let storms = lab.count(1, 10, 100);
    let mut tally = Tally::new("C8", "signal: storms of 100,000 while all threads allocate");
    for _ in 0..storms {
        let blocked = [job().number(), libc::SIGHUP, libc::SIGWINCH];
        let role = Role::new("storm").argument(100_000).blocking(&blocked);
        let status = role.spawn().wait();
        let held = status.code() == Some(ipc_testkit::DONE);
        tally.trial(held.then_some(()).ok_or_else(|| status.to_string()));
    }
    tally.note(format!("{} signals", storms * 100_000));
    lab.enter(tally);
}

fn receivers_made_and_dropped(lab: &mut Lab) {
    let count = lab.count(2_000, 10_000, 100_000);
    let what = "signal: receivers made, used and dropped";
    soak::repeat(lab, "S4", what, count, |number| {
        let use_once = || {
            let _mask = SignalSet::from(job()).block()?;
            let signals = Options::new().receiver(job())?;
            Target::this_thread().notify_with(job(), number as i32)?;
            signals.wait()
        };
        let delivery = use_once().map_err(|error| error.to_string())?;
        match delivery.value() {
            Some(value) if value == number as i32 => Ok(()),
            other => Err(format!("{other:?} instead of {number}")),
        }
    });
}

fn children_started_and_awaited(lab: &mut Lab) {
    let count = lab.count(200, 10_000, 100_000);
    let what = "signal: children started and awaited";
    soak::repeat(lab, "S4", what, count, |_| {
        let child = Child::spawn(&mut Command::new("true"));
        let status = child.and_then(|child| child.wait());
        match status {
            Ok(status) if status.success() => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
}
