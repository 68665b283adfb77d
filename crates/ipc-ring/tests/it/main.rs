//! The tests of ipc-ring, one file per question.

mod acked;
mod allocations;
mod awaited;
mod broadcast;
mod hostile;
mod hostile_broadcast;
mod interop;
mod meeting;
mod policies;
mod queue;
mod suite;

#[global_allocator]
static ALLOCATOR: ipc_testkit::CountingAllocator = ipc_testkit::CountingAllocator;

ipc_testkit::roles! {
    "mute" => acked::mute,
    "reader" => broadcast::reader,
    "silent subscriber" => broadcast::silent,
    "writer" => broadcast::writer,
    "echo" => meeting::echo,
    "producer" => queue::producer,
    "silent" => meeting::silent,
}
