//! The tests of ipc-pipe, one file per question.

mod bad_input;
mod capacity;
mod examples;
mod fallbacks;
mod fifo;
mod frames;
mod host;
mod large_sends;
mod pages;
mod records;
mod splices;
mod storms;
mod suite;
mod table;
mod two_processes;

/// The inputs of this crate's row of bad input; each test asserts its own share.
const ROW: usize = ipc_pipe::MAX_RECORD_BYTES
    + frames::DRIBBLED
    + frames::SPLITS
    + frames::ENDS
    + bad_input::NAMES
    + records::KILLS;
const _: () = assert!(ROW >= 3_000);

#[global_allocator]
static ALLOCATOR: ipc_testkit::CountingAllocator = ipc_testkit::CountingAllocator;

ipc_testkit::roles! {
    "record writer" => records::write_records,
    "frame echo" => two_processes::echo_frames,
    "half frame" => frames::write_half_a_frame,
    "fifo creator" => fifo::create_and_send,
    "endless writer" => records::write_until_killed,
    "stranger" => bad_input::try_as_another_user,
    "splicer" => splices::splice_until_killed,
    "giver of pages" => pages::give_pages_until_killed,
    "reader" => two_processes::read_until_killed,
}
