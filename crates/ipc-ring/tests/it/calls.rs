//! Requests and replies between two processes.

use ipc_ring::{Caller, Channel, ErrorKind, Options};
use ipc_testkit::{Child, Role, Stage, watchdog};
use ipc_uds::SeqPacket;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
const CALLS: u64 = 10_000;

fn options() -> Options {
    let mut options = Options::new();
    options.capacity_messages(8).capacity_bytes(4096);
    options
}

/// Answers each request with itself, back to front.
pub(crate) fn responder(mut stage: Stage) {
    let socket = SeqPacket::from(stage.descriptor());
    let responder = options().over(socket).expect("met").responder();
    let answer = |request: &[u8], reply: &mut Vec<u8>| reply.extend(request.iter().rev());
    let end = loop {
        if let Err(error) = responder.answer(answer) {
            break error.kind();
        }
    };
    assert_eq!(end, ErrorKind::Closed);
}

/// Takes a request, and waits to be killed.
pub(crate) fn mute_responder(mut stage: Stage) {
    let socket = SeqPacket::from(stage.descriptor());
    let responder = options().over(socket).expect("met").responder();
    let _ = responder.answer(|_, _| {
        loop {
            std::thread::park();
        }
    });
}

fn with(role: &'static str) -> (Caller, Child) {
    let (ours, theirs) = ipc_uds::pair_seqpacket().expect("a pair");
    let child = Role::new(role).descriptor(&theirs).spawn();
    drop(theirs);
    (options().over(ours).expect("met").caller(), child)
}

fn both() -> (Channel, Channel) {
    let (left, right) = ipc_uds::pair_seqpacket().expect("a pair");
    let right = std::thread::spawn(|| options().over(right).expect("met"));
    let left = options().over(left).expect("met");
    (left, right.join().expect("no panic"))
}

#[test]
fn each_thread_has_the_replies_to_its_own_requests() {
    let _watchdog = watchdog(PATIENCE);
    let (caller, child) = with("responder");
    std::thread::scope(|scope| {
        for thread in 0..3_u64 {
            let caller = &caller;
            scope.spawn(move || {
                let mut reply = Vec::new();
                for call in 0..CALLS / 3 {
                    let mut request = vec![thread as u8; 8 + (call % 300) as usize];
                    request[..8].copy_from_slice(&call.to_le_bytes());
                    caller.call(&request, &mut reply).expect("a reply");
                    request.reverse();
                    assert_eq!(reply, request);
                }
            });
        }
    });
    drop(caller);
    child.done();
}

#[test]
fn a_killed_responder_ends_the_call() {
    let _watchdog = watchdog(PATIENCE);
    let (caller, child) = with("mute responder");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| caller.call(b"anybody", &mut Vec::new()));
        child.kill();
        let end = waiting.join().expect("no panic").expect_err("it dies");
        assert_eq!(end.kind(), ErrorKind::PeerDied);
    });
    child.wait_dead();
}

#[test]
fn the_reply_to_a_call_that_was_given_up_is_passed_over() {
    let _watchdog = watchdog(PATIENCE);
    let (left, right) = both();
    let (caller, responder) = (left.caller(), right.responder());
    let mut reply = b"untouched".to_vec();
    let late = caller.call_timeout(b"first", &mut reply, Duration::from_millis(2));
    assert_eq!(
        late.expect_err("nobody answers").kind(),
        ErrorKind::TimedOut
    );
    let late = caller.try_call(b"second", &mut reply);
    assert_eq!(
        late.expect_err("nobody answers").kind(),
        ErrorKind::WouldBlock
    );
    assert_eq!(reply, b"untouched");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..3 {
                let answered = responder.answer(|request, reply| reply.extend(request));
                answered.expect("sent");
            }
        });
        caller.call(b"third", &mut reply).expect("a reply");
    });
    assert_eq!(reply, b"third");
    let none = responder.try_answer(|_, _| unreachable!("nothing was asked"));
    assert_eq!(none.expect_err("nothing").kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_reply_without_room_is_owed_and_not_lost() {
    let _watchdog = watchdog(PATIENCE);
    let (asker, right) = both();
    let responder = right.responder();
    for number in 0..6_u64 {
        asker.sender().send(&number.to_le_bytes()).expect("room");
    }
    let large = |_: &[u8], reply: &mut Vec<u8>| reply.resize(1_000, 9);
    (0..4).for_each(|_| responder.try_answer(large).expect("room"));
    let full = responder
        .try_answer(large)
        .expect_err("no room for the fifth");
    assert_eq!(full.kind(), ErrorKind::WouldBlock);
    let full = responder.try_answer(|_, _| unreachable!("one is owed"));
    assert_eq!(full.expect_err("still none").kind(), ErrorKind::WouldBlock);
    let mut reply = Vec::new();
    for number in 0..6_u64 {
        if number == 4 {
            // What is owed goes out first.
            responder.answer(large).expect("room");
        }
        asker
            .receiver()
            .try_recv_vec(&mut reply)
            .expect("it is there");
        assert_eq!(reply[..8], number.to_le_bytes());
        assert_eq!(reply[8..], [9; 1_000]);
    }
}

#[test]
fn calls_that_were_given_up_hold_up_no_later_one() {
    let _watchdog = watchdog(PATIENCE);
    let (left, right) = both();
    let (caller, responder) = (left.caller(), right.responder());
    // As many requests as there is room for; their replies are too many.
    for _ in 0..9 {
        let late = caller.try_call(&[1; 600], &mut Vec::new());
        let kind = late.expect_err("nobody answers").kind();
        assert_eq!(kind, ErrorKind::WouldBlock);
    }
    std::thread::scope(|scope| {
        let answering = scope.spawn(|| {
            loop {
                let answer = |_: &[u8], reply: &mut Vec<u8>| reply.resize(1_000, 9);
                if let Err(error) = responder.answer(answer) {
                    return error.kind();
                }
            }
        });
        let_it_answer();
        // A request that needs all the room there is.
        let request = vec![7; caller.max_request_bytes()];
        let mut reply = Vec::new();
        caller.call(&request, &mut reply).expect("a reply");
        assert_eq!(reply, [9; 1_000]);
        drop(caller);
        assert_eq!(answering.join().expect("no panic"), ErrorKind::Closed);
    });
}

#[test]
fn replies_that_nobody_awaits_hold_no_call_beyond_its_time() {
    let _watchdog = watchdog(PATIENCE);
    let (left, right) = both();
    let (caller, sender) = (left.caller(), right.sender());
    let late = caller.try_call(b"given up", &mut Vec::new());
    assert_eq!(late.expect_err("none").kind(), ErrorKind::WouldBlock);
    // They have the number of the first call, again and again.
    let reply = 0_u64.to_le_bytes();
    assert_eq!(sender.send_batch(&[&reply[..]; 8]).expect("room"), 8);
    let long_ago = std::time::Instant::now();
    let late = caller.call_deadline(b"late", &mut Vec::new(), long_ago);
    assert_eq!(late.expect_err("late").kind(), ErrorKind::TimedOut);
    // It has not gone on to their end.
    let full = sender.try_send(&reply).expect_err("no room");
    assert_eq!(full.kind(), ErrorKind::WouldBlock);
    let late = caller.try_call(b"at once", &mut Vec::new());
    assert_eq!(late.expect_err("none").kind(), ErrorKind::WouldBlock);
    sender
        .try_send(&reply)
        .expect("a try passes over all of them");
}

/// Lets the responder go on until it has no room, which it need not: it is right in either order.
fn let_it_answer() {
    std::thread::park_timeout(Duration::from_millis(20));
}

#[test]
fn what_is_no_request_or_no_reply_is_corrupt() {
    let _watchdog = watchdog(PATIENCE);
    let (left, right) = both();
    left.sender().send(b"short").expect("room");
    let responder = right.responder();
    let answered = responder.answer(|_, _| unreachable!("it is no request"));
    assert_eq!(answered.expect_err("no number").kind(), ErrorKind::Corrupt);
    for wrong in [&b"short"[..], &u64::to_le_bytes(77)] {
        let (left, right) = both();
        left.sender().send(wrong).expect("room");
        let called = right.caller().call(b"hello", &mut Vec::new());
        assert_eq!(called.expect_err("a lie").kind(), ErrorKind::Corrupt);
    }
    let (left, _right) = both();
    let caller = left.caller();
    let large = vec![0; caller.max_request_bytes() + 1];
    let called = caller.call(&large, &mut Vec::new());
    assert_eq!(called.expect_err("too large").kind(), ErrorKind::TooLarge);
}
