//! Frames over a Unix stream socket: split anywhere, with lengths that lie.
#![cfg_attr(feature = "libfuzzer", no_main)]

use ipc_fuzz::frames::{self, Plan};

ipc_fuzz::target!(check);

fn check(data: &[u8]) {
    let Some(plan) = Plan::new(data) else { return };
    let (ours, theirs) = ipc_uds::pair().expect("sockets");
    frames::check(
        &plan,
        ours,
        |piece| theirs.try_send(piece).expect("room"),
        || theirs.close_write().expect("it is open"),
    );
}
