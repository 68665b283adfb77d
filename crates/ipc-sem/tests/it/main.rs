//! The tests of ipc-sem, one file per question.

mod mutex;
mod mutex_death;

#[global_allocator]
static ALLOCATOR: ipc_testkit::CountingAllocator = ipc_testkit::CountingAllocator;

ipc_testkit::roles! {
    "mutex owner" => mutex_death::hold_for_ever,
    "mutex waiter" => mutex_death::lock_or_recover,
    "mutex adder" => mutex::add_many,
    "mutex recoverer" => mutex_death::recover_and_hold,
}
