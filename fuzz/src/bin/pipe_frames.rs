//! Frames through a pipe: split anywhere, with lengths that lie.
#![cfg_attr(feature = "libfuzzer", no_main)]

use ipc_fuzz::frames::{self, Plan};

ipc_fuzz::target!(check);

fn check(data: &[u8]) {
    let Some(plan) = Plan::new(data) else { return };
    let (tx, rx) = ipc_pipe::pair().expect("a pipe");
    let tx = std::cell::Cell::new(Some(tx));
    frames::check(
        &plan,
        rx,
        |piece| {
            let sender = tx.take().expect("until the end");
            // An input is far smaller than a pipe.
            sender.try_send(piece).expect("room");
            tx.set(Some(sender));
        },
        || drop(tx.take()),
    );
}
