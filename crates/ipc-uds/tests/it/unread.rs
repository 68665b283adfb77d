//! What a peer had sent is received, though it closes with something unread.

use ipc_testkit::watchdog;
use ipc_uds::ErrorKind;
use std::os::fd::AsFd;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
const MESSAGES: u8 = 5;

macro_rules! closes_with_something_unread {
    ($make:ident, $recv:ident) => {{
        let (near, far) = ipc_uds::$make().expect("sockets");
        near.send(b"never read").expect("sent");
        for number in 0..MESSAGES {
            far.send(&[number]).expect("sent");
        }
        drop(far);
        let mut bytes = [0; 1];
        for number in 0..MESSAGES {
            assert_eq!(near.$recv(&mut bytes).expect("it was sent"), 1);
            assert_eq!(bytes[0], number);
        }
        let end = near.$recv(&mut bytes).expect_err("the end");
        assert_eq!(end.kind(), ErrorKind::Closed, "{end}");
    }};
}

#[test]
fn what_was_sent_before_a_close_with_unread_data_is_received() {
    let _watchdog = watchdog(PATIENCE);
    closes_with_something_unread!(pair, recv);
    closes_with_something_unread!(pair, try_recv);
    closes_with_something_unread!(pair_seqpacket, recv);
    closes_with_something_unread!(pair_seqpacket, try_recv);
}

#[test]
fn a_batch_and_descriptors_are_received_after_such_a_close_too() {
    let _watchdog = watchdog(PATIENCE);
    let null = std::fs::File::open("/dev/null").expect("a device");
    let (near, far) = ipc_uds::pair_seqpacket().expect("sockets");
    near.send(b"never read").expect("sent");
    far.send(b"one").expect("sent");
    far.send(b"two").expect("sent");
    drop(far);
    let mut batch = ipc_uds::Batch::new(16);
    assert_eq!(near.recv_batch(&mut batch, 4).expect("they were sent"), 2);
    let end = near.recv_batch(&mut batch, 4).expect_err("the end");
    assert_eq!(end.kind(), ErrorKind::Closed, "{end}");
    let (near, far) = ipc_uds::pair_seqpacket().expect("sockets");
    near.send(b"never read").expect("sent");
    far.send_with_fds(b"gift", &[null.as_fd()]).expect("sent");
    drop(far);
    let (mut gifts, mut bytes) = (ipc_uds::Ancillary::new(), [0; 8]);
    let length = near.recv_with_fds(&mut bytes, &mut gifts);
    assert_eq!((length.expect("it was sent"), gifts.fds().len()), (4, 1));
    let end = near.recv_with_fds(&mut bytes, &mut gifts);
    assert_eq!(end.expect_err("the end").kind(), ErrorKind::Closed);
}
