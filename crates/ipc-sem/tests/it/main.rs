//! The tests of ipc-sem, one file per question.

mod barrier;
mod condvar;
#[cfg(feature = "lock-cycles")]
mod cycles;
mod event;
mod host;
mod models;
mod mutex;
mod mutex_death;
mod once;
mod posix;
mod rw_lock;
mod semaphore;
mod stage;
mod sysv;
mod table;
#[cfg(feature = "raw-sync")]
mod upstream;

#[cfg(feature = "raw-sync")]
use upstream::program as raw_sync_program;

#[cfg(not(feature = "lock-cycles"))]
mod cycles {
    //! What stands in for its roles where its tests are not built.

    pub(crate) fn party(_stage: ipc_testkit::Stage) {
        unreachable!("its tests are not built")
    }
    pub(crate) use {party as alone, party as hold_and_wait};
}

#[cfg(not(feature = "raw-sync"))]
fn raw_sync_program(_stage: ipc_testkit::Stage) {
    unreachable!("its tests are not built")
}

#[global_allocator]
static ALLOCATOR: ipc_testkit::CountingAllocator = ipc_testkit::CountingAllocator;

ipc_testkit::roles! {
    "barrier party" => barrier::come,
    "condvar player" => condvar::alternate,
    "condvar waiter" => condvar::take_one,
    "cycle party" => cycles::party,
    "cycle watcher" => cycles::alone,
    "cycle waiter" => cycles::hold_and_wait,
    "event notifier" => event::announce_only,
    "event waiter" => event::wait_once,
    "set holder" => sysv::take_and_stay,
    "token holder" => posix::take_and_stay,
    "once caller" => once::call,
    "raw_sync program" => raw_sync_program,
    "rw holder" => rw_lock::hold,
    "rw mixer" => rw_lock::mix,
    "rw seeker" => rw_lock::want,
    "permit churner" => semaphore::churn,
    "permit holder" => semaphore::hold,
    "permit waiter" => semaphore::acquire_once,
    "mutex owner" => mutex_death::hold_for_ever,
    "mutex waiter" => mutex_death::lock_or_recover,
    "mutex adder" => mutex::add_many,
    "mutex recoverer" => mutex_death::recover_and_hold,
}
