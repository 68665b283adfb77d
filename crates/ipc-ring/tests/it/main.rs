//! The tests of ipc-ring, one file per question.

mod awaited;
mod hostile;
mod meeting;
mod suite;

#[global_allocator]
static ALLOCATOR: ipc_testkit::CountingAllocator = ipc_testkit::CountingAllocator;

ipc_testkit::roles! {
    "echo" => meeting::echo,
    "silent" => meeting::silent,
}
