//! The tests of ipc-net, one file per question.

mod addresses;
mod awaited;
mod connects;
mod datagrams;
mod frames;
mod listeners;
mod loopback;
mod streams;
mod suite;
mod table;
#[cfg(feature = "tls")]
mod tls;
mod two_processes;

#[global_allocator]
static ALLOCATOR: ipc_testkit::CountingAllocator = ipc_testkit::CountingAllocator;

ipc_testkit::roles! {
    "frame echo" => two_processes::echo_frames,
    "caller" => two_processes::connect_and_wait_to_be_killed,
}
