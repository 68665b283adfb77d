//! The tests of ipc-uds, one file per question.

mod abstract_names;
mod batches;
mod credentials;
mod datagrams;
mod death;
mod descriptors;
mod examples;
mod fallbacks;
mod fd_kinds;
mod fd_limits;
mod fd_list_deaths;
mod fd_lists;
mod fuse;
mod host;
mod listeners;
mod names;
mod paths;
mod squats;
mod storms;
mod strangers;
mod streams;
mod suite;
mod table;
mod two_processes;
mod unread;

/// The inputs of this crate's row of bad input; each test asserts its own share.
const ROW: usize = descriptors::COUNTS
    + descriptors::SPLITS
    + fd_kinds::KINDS
    + fd_kinds::MIXED
    + squats::SQUATS
    + 2 * names::NAMES;
const _: () = assert!(ROW >= 2_000);

#[global_allocator]
static ALLOCATOR: ipc_testkit::CountingAllocator = ipc_testkit::CountingAllocator;

ipc_testkit::roles! {
    "frame echo" => two_processes::echo_frames,
    "descriptor giver" => two_processes::give_a_descriptor,
    "sender of batches" => batches::send_batches_until_killed,
    "sender of lists" => fd_list_deaths::send_lists_until_killed,
    "taker of lists" => fd_list_deaths::take_lists_until_killed,
    "caller" => death::connect_and_wait_to_be_killed,
    "server" => death::serve_until_killed,
    "racing binder" => paths::race_to_bind,
    "stranger" => strangers::connect_as_another_user,
    "squatter" => abstract_names::squat,
    "giver" => fd_limits::give_as_another_user,
}
