//! The tests of ipc-event, one file per question.

mod examples;
mod forms;
mod host;
mod table;
mod two_processes;

#[global_allocator]
static ALLOCATOR: ipc_testkit::CountingAllocator = ipc_testkit::CountingAllocator;

ipc_testkit::roles! {
    "echo" => two_processes::echo,
    "notifier" => two_processes::notify_some,
}
