//! The tests of ipc-ring, one file per question.

mod acked;
mod allocations;
mod awaited;
mod broadcast;
mod calls;
mod giving;
mod hostile;
mod hostile_broadcast;
mod hostile_queue;
mod idle;
mod interop;
mod liar;
mod loans;
mod meeting;
mod models;
mod policies;
mod queue;
mod queue_leaving;
mod queue_members;
mod queue_verbs;
mod scarce;
mod strangers;
mod stream;
mod suite;
mod table;
mod timed;
mod traced;
mod waiting;
mod wakes;

#[global_allocator]
static ALLOCATOR: ipc_testkit::CountingAllocator = ipc_testkit::CountingAllocator;

ipc_testkit::roles! {
    "holder" => giving::holder,
    "newcomer" => giving::newcomer,
    "mute" => acked::mute,
    "mute responder" => calls::mute_responder,
    "other side" => giving::other_side,
    "reader" => broadcast::reader,
    "silent subscriber" => broadcast::silent,
    "silent member" => queue_members::silent_member,
    "timed echo" => timed::echo,
    "writer" => broadcast::writer,
    "echo" => meeting::echo,
    "relay" => giving::relay,
    "responder" => calls::responder,
    "consumer" => queue::consumer,
    "producer" => queue::producer,
    "silent" => meeting::silent,
    "stranger" => strangers::connect_as_another_user,
}
