//! The tests of ipc-mq, one file per question.

mod awaited;
mod canaries;
mod death;
mod generator;
mod hosts;
mod inputs;
mod interop;
mod limits;
mod listing;
mod notify;
mod priorities;
mod squats;
mod suite;
mod sysv;
mod sysv_inputs;
mod sysv_names;
mod table;

#[global_allocator]
static ALLOCATOR: ipc_testkit::CountingAllocator = ipc_testkit::CountingAllocator;

ipc_testkit::roles! {
    "foreigner" => squats::foreigner,
    "registers and stays" => notify::register_and_stay,
    "sends until killed" => death::send_until_killed,
    "receives until killed" => death::receive_until_killed,
    "sysv maker" => sysv_names::make_and_remove_until_killed,
}
