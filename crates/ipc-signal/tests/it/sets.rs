//! Numbers, sets, and masks that are taken back.

use ipc_signal::{ErrorKind, Signal, SignalSet, Target};

#[test]
fn every_number_is_a_signal_of_ours_or_refused() {
    let last = libc::SIGRTMAX();
    for number in (-70..=200).chain([i32::MIN, i32::MAX]) {
        let ours = (1..=31).contains(&number) || (libc::SIGRTMIN()..=last).contains(&number);
        match Signal::new(number) {
            Ok(signal) => assert!(ours && signal.number() == number, "{number}"),
            Err(error) => {
                assert!(!ours, "{number}");
                assert_eq!(error.kind(), ErrorKind::InvalidInput);
            }
        }
    }
}

#[test]
fn real_time_signals_are_counted_from_nought_to_the_last() {
    let count = Signal::real_time_count();
    assert!(count >= 8, "POSIX asks for eight");
    let last = Signal::real_time(count - 1).expect("the last");
    assert_eq!(last.number(), libc::SIGRTMAX());
    let error = Signal::real_time(count).expect_err("one more");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(Signal::real_time(u8::MAX).is_err());
    assert_eq!(
        Signal::real_time(2).expect("third").to_string(),
        "SIGRTMIN+2"
    );
    assert_eq!(Signal::HUP.to_string(), "SIGHUP");
}

#[test]
fn a_set_holds_what_was_put_in() {
    let mut set = SignalSet::from([Signal::USR1, Signal::TERM]);
    assert!(set.insert(Signal::HUP) && !set.insert(Signal::HUP));
    assert!(set.remove(Signal::USR1) && !set.remove(Signal::USR1));
    assert_eq!(set.to_string(), "SIGHUP, SIGTERM");
    assert_eq!((set.len(), set.is_empty()), (2, false));
    assert_eq!(set.iter().collect::<SignalSet>(), set);
    let all = SignalSet::all();
    assert!(!all.contains(Signal::KILL) && !all.contains(Signal::STOP));
    assert_eq!(all.len(), 29 + usize::from(Signal::real_time_count()));
}

#[test]
fn a_mask_takes_back_what_it_changed_and_nothing_else() {
    let blocked = SignalSet::blocked;
    let before = blocked();
    let outer = SignalSet::from([Signal::USR1]).block().expect("it can be");
    let inner = SignalSet::from([Signal::USR1, Signal::USR2]);
    let inner = inner.block().expect("it can be");
    assert_eq!(inner.changed(), Signal::USR2.into());
    drop(inner);
    assert!(blocked().contains(Signal::USR1) && !blocked().contains(Signal::USR2));
    let open = SignalSet::from(Signal::USR1).unblock().expect("it can be");
    assert!(!blocked().contains(Signal::USR1));
    drop(open);
    assert!(blocked().contains(Signal::USR1));
    drop(outer);
    assert_eq!(blocked(), before);
    // In a thread of its own, since it stays.
    std::thread::spawn(|| {
        SignalSet::from(Signal::HUP)
            .block()
            .expect("it can be")
            .keep();
        assert!(SignalSet::blocked().contains(Signal::HUP));
    })
    .join()
    .expect("the thread ends well");
}

#[test]
fn a_panic_takes_the_mask_back_too() {
    let before = SignalSet::blocked();
    let outcome = std::panic::catch_unwind(|| {
        let _mask = SignalSet::all().block().expect("it can be");
        assert_eq!(SignalSet::blocked(), SignalSet::all());
        std::panic::resume_unwind(Box::new("on purpose"));
    });
    assert!(outcome.is_err());
    assert_eq!(SignalSet::blocked(), before);
}

#[test]
fn what_is_blocked_is_pending() {
    let set = SignalSet::from([Signal::WINCH, Signal::URG]);
    let _mask = set.block().expect("it can be");
    Target::this_thread()
        .notify(Signal::WINCH)
        .expect("our own");
    assert!(SignalSet::pending().contains(Signal::WINCH));
    assert!(!SignalSet::pending().contains(Signal::URG));
}

#[test]
fn two_signals_can_be_neither_blocked_nor_received() {
    for never in [Signal::KILL, Signal::STOP] {
        let set = SignalSet::from([Signal::USR1, never]);
        let errors = [
            set.block().map(drop).expect_err("never"),
            set.unblock().map(drop).expect_err("never"),
            ipc_signal::receiver(set).map(drop).expect_err("never"),
        ];
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        }
    }
    assert!(!SignalSet::blocked().contains(Signal::USR1), "taken back");
    let error = ipc_signal::receiver(SignalSet::new()).expect_err("none");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}
