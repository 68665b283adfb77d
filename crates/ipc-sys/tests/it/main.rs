//! The tests of ipc-sys, one file per question.

mod kinds;
mod lock_files;
mod places;
mod runtime_directories;

ipc_testkit::roles! {
    "opener" => runtime_directories::open_and_say,
    "locker" => lock_files::lock_and_wait,
}
