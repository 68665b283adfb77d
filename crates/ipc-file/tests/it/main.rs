//! The tests of ipc-file, one file per question.

mod documents;
mod examples;
mod host;
mod locks;
mod logs;
mod recovery;
mod spools;
mod squats;
mod table;
mod watches;

#[global_allocator]
static ALLOCATOR: ipc_testkit::CountingAllocator = ipc_testkit::CountingAllocator;

ipc_testkit::roles! {
    "lock-holder" => locks::hold,
    "lock-forker" => locks::hold_in_a_forked_child,
    "appender" => logs::append_some,
    "claimer" => spools::claim_one,
    "replacer" => documents::replace_for_ever,
}
