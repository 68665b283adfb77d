//! How many system calls each form makes: a blocking one is one, a wait adds two at most.

use ipc_mq::sysv::{self, Select};
use ipc_mq::{Options, Queue};
use ipc_testkit::crash::{Forked, Lab, Tally, kill_at_call};
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(60);

/// How many system calls `operation` makes, where tracing is allowed.
fn count(operation: impl Fn()) -> Result<u64, String> {
    let mut calls = 0;
    while kill_at_call(&operation, calls + 1)? {
        calls += 1;
    }
    Ok(calls)
}

type Form<'a> = (&'static str, u64, &'a dyn Fn(), &'a dyn Fn());

pub(crate) fn of_each_form(lab: &mut Lab) {
    let mut options = Options::new();
    let queue = options
        .max_messages(4)
        .message_size_bytes(16)
        .create_unnamed();
    let queue = queue.expect("a queue");
    let sysv = sysv::Options::new().create_unnamed().expect("a queue");
    let none = || {
        drain(&queue);
        while sysv.try_recv(&mut [0; 16], Select::First).is_ok() {}
    };
    let one = || {
        none();
        queue.send(b"x", 0).expect("room");
        sysv.send(b"x", 1).expect("room");
    };
    let forms: [Form<'_>; 11] = [
        ("send", 1, &none, &|| drop(queue.send(b"x", 0))),
        ("recv", 1, &one, &|| drop(queue.recv(&mut [0; 16]))),
        ("try_send", 1, &none, &|| drop(queue.try_send(b"x", 0))),
        ("try_recv of nothing", 1, &none, &|| {
            drop(queue.try_recv(&mut [0; 16]))
        }),
        ("send_timeout with room", 1, &none, &|| {
            drop(queue.send_timeout(b"x", 0, LONG))
        }),
        ("recv_timeout of a message", 1, &one, &|| {
            drop(queue.recv_timeout(&mut [0; 16], LONG));
        }),
        ("recv_deadline that is over", 2, &none, &|| {
            drop(queue.recv_deadline(&mut [0; 16], Instant::now()));
        }),
        ("sysv send", 1, &none, &|| drop(sysv.send(b"x", 1))),
        ("sysv recv", 1, &one, &|| {
            drop(sysv.recv(&mut [0; 16], Select::First))
        }),
        ("sysv try_send", 1, &none, &|| drop(sysv.try_send(b"x", 1))),
        ("sysv try_recv of nothing", 1, &none, &|| {
            drop(sysv.try_recv(&mut [0; 16], Select::First));
        }),
    ];
    // What the tracer's own stops make.
    let own = count(|| {});
    for (form, expected, prepare, operation) in forms {
        let mut tally = Tally::new("calls", format!("{form}: {expected}"));
        let counted = own.clone().and_then(|own| {
            let mut calls = 0;
            loop {
                prepare();
                if !kill_at_call(operation, own + calls + 1)? {
                    return Ok(calls);
                }
                calls += 1;
            }
        });
        match counted {
            Ok(calls) if calls == expected => tally.trial(Ok(())),
            Ok(calls) => tally.trial(Err(format!("{calls} calls"))),
            Err(why) => tally.skip(why),
        }
        lab.enter(tally);
    }
    waits(lab, &queue, own);
    let _ = sysv.remove();
}

/// A timed form that has to wait: the message comes from another process, when it is there.
fn waits(lab: &mut Lab, queue: &Queue, own: Result<u64, String>) {
    let mut tally = Tally::new("calls", "recv_timeout that waits: 3 at most");
    match own {
        Err(why) => tally.skip(why),
        Ok(own) => {
            for _ in 0..lab.count(20, 200, 2_000) {
                drain(queue);
                // The claim holds however the two meet; the pause makes most receivers wait.
                let sender = Forked::new(|| {
                    std::thread::sleep(Duration::from_millis(2));
                    queue.send(b"x", 0).expect("room");
                });
                let receive = || {
                    let length = queue.recv_timeout(&mut [0; 16], LONG);
                    assert_eq!(length.expect("it comes"), 1);
                };
                let more = kill_at_call(receive, own + 4);
                assert!(sender.finished());
                tally.trial(match more {
                    Ok(false) => Ok(()),
                    Ok(true) => Err("more than 3 calls".into()),
                    Err(why) => Err(why),
                });
            }
        }
    }
    lab.enter(tally);
}

fn drain(queue: &Queue) {
    while queue.try_recv(&mut [0; 16]).is_ok() {}
}
