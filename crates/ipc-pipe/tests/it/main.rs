//! The tests of ipc-pipe, one file per question.

mod bad_input;
mod capacity;
mod fallbacks;
mod fifo;
mod frames;
mod host;
mod large_sends;
mod records;
mod suite;
mod two_processes;

#[global_allocator]
static ALLOCATOR: ipc_testkit::CountingAllocator = ipc_testkit::CountingAllocator;

ipc_testkit::roles! {
    "record writer" => records::write_records,
    "frame echo" => two_processes::echo_frames,
    "half frame" => frames::write_half_a_frame,
    "fifo creator" => fifo::create_and_send,
    "reader" => two_processes::read_until_killed,
}
