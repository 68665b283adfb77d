//! The tests of ipc-signal, one file per question.

mod bad_input;
mod children;
mod coexistence;
mod examples;
mod forge;
mod forms;
mod host;
mod queueing;
mod sets;
mod shutdown;
mod storms;
mod table;
mod targets;
mod threads;

#[global_allocator]
static ALLOCATOR: ipc_testkit::CountingAllocator = ipc_testkit::CountingAllocator;

ipc_testkit::roles! {
    "every-number" => bad_input::receive_every_number,
    "lies" => bad_input::receive_lies,
    "coexist" => coexistence::receive_beside_others,
    "tokio" => coexistence::receive_beside_tokio,
    "awaited" => coexistence::await_signals,
    "full" => host::fill_the_queue,
    "stopped" => forms::count_after_a_stop,
    "queued" => queueing::count_in_order,
    "coalesce" => queueing::receive_a_flag_once,
    "burst" => queueing::receive_a_burst,
    "server" => shutdown::serve,
    "many-waiters" => shutdown::wait_in_many_threads,
    "ignoring" => shutdown::ignore_and_serve,
    "awaited-shutdown" => shutdown::await_shutdown,
    "malloc-heavy" => storms::receive_while_allocating,
    "pool" => threads::receive_in_a_pool,
    "target" => targets::report_what_comes,
}

/// A number as the kernel takes it.
fn real_time(index: u8) -> i32 {
    ipc_signal::Signal::real_time(index)
        .expect("there are eight at least")
        .number()
}
