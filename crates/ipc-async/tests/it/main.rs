//! The tests of ipc-async, one file per question.

mod cancelled;
mod fairness;
mod idle;
mod many_at_once;
mod more_verbs;
mod polls;
mod runtimes;
mod sockets;
mod tails;
mod tokio_streams;
mod verbs;
mod wait_set;

ipc_testkit::roles! {
    "client" => sockets::connect_and_wait,
    "ring sender" => wait_set::send_into_a_ring,
}
