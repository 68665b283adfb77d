//! The tests of ipc-sem, one file per question.

mod mutex;
mod mutex_death;
mod semaphore;

#[global_allocator]
static ALLOCATOR: ipc_testkit::CountingAllocator = ipc_testkit::CountingAllocator;

ipc_testkit::roles! {
    "permit churner" => semaphore::churn,
    "permit holder" => semaphore::hold,
    "permit waiter" => semaphore::acquire_once,
    "mutex owner" => mutex_death::hold_for_ever,
    "mutex waiter" => mutex_death::lock_or_recover,
    "mutex adder" => mutex::add_many,
    "mutex recoverer" => mutex_death::recover_and_hold,
}
