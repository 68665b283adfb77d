//! Lists of descriptors one of whose ends is killed at any time.

use crate::fd_lists::{needs_all_that_may_be_under_way, null};
use ipc_testkit::{Role, Snapshot, Stage, isolated, skip, watchdog};
use ipc_uds::{Ancillary, ErrorKind, SeqPacket, Stream};
use std::os::fd::AsFd;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) fn send_lists_until_killed(mut stage: Stage) {
    let socket = Stream::from(stage.descriptor());
    let null = null();
    let list = vec![null.as_fd(); 300];
    while socket.send_fd_list(b"x", &list).is_ok() {}
}

#[test]
fn a_sender_killed_at_any_time_leaves_whole_lists_and_no_descriptor() {
    needs_all_that_may_be_under_way!();
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        let before = Snapshot::take();
        for round in 0..15_usize {
            let (left, right) = ipc_uds::pair().expect("a pair");
            let child = Role::new("sender of lists").descriptor(&left).spawn();
            drop(left);
            let mut gifts = Ancillary::new();
            let mut lists = 0;
            let error = loop {
                if lists >= round * 3 {
                    child.kill();
                }
                match right.recv_fd_list(&mut [0; 1], &mut gifts, 300) {
                    Ok(_) => assert_eq!(gifts.fds().len(), 300),
                    Err(error) => break error,
                }
                lists += 1;
            };
            assert_eq!(error.kind(), ErrorKind::Closed, "after {lists}");
        }
        before.assert_unchanged();
    });
}

pub(crate) fn take_lists_until_killed(mut stage: Stage) {
    let socket = SeqPacket::from(stage.descriptor());
    let mut gifts = Ancillary::new();
    while socket.recv_fd_list(&mut [0; 8], &mut gifts, 300).is_ok() {}
}

#[test]
fn a_receiver_killed_at_any_time_costs_the_sender_nothing() {
    needs_all_that_may_be_under_way!();
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        let null = null();
        let list = vec![null.as_fd(); 300];
        let before = Snapshot::take();
        for round in 0..15 {
            let (left, right) = ipc_uds::pair_seqpacket().expect("a pair");
            let child = Role::new("taker of lists").descriptor(&right).spawn();
            drop(right);
            let mut lists = 0;
            let error = loop {
                if lists == round * 3 {
                    child.kill();
                }
                match left.send_fd_list(b"x", &list) {
                    Ok(()) => lists += 1,
                    Err(error) => break error,
                }
            };
            assert_eq!(error.kind(), ErrorKind::Closed, "after {lists}");
        }
        before.assert_unchanged();
    });
}
