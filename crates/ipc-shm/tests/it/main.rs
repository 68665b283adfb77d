//! The tests of ipc-shm, one file per question.

mod access;
mod crash;
mod fallbacks;
mod fork;
mod growth;
mod headers;
mod host;
mod hostile;
mod limits;
mod named;
mod protection;
mod small;
mod squats;
mod system_v;
mod table;
mod two_processes;
mod typed;
#[cfg(feature = "shared-memory")]
mod upstream;

#[cfg(feature = "shared-memory")]
use upstream::program as upstream_program;

#[cfg(not(feature = "shared-memory"))]
fn upstream_program(_stage: ipc_testkit::Stage) {
    panic!("this role needs the feature shared-memory");
}

ipc_testkit::roles! {
    "attach and answer" => two_processes::attach_and_answer,
    "open and add" => two_processes::open_and_add,
    "attach by id" => system_v::attach_by_id,
    "racing creator" => named::race_to_create,
    "create and stay" => crash::create_and_stay,
    "widen" => protection::try_to_widen,
    "scribble" => hostile::scribble,
    "truncate" => hostile::truncate_often,
    "upstream program" => upstream_program,
    "replace and check" => crash::replace_and_check,
    "killed creator" => crash::create_until_killed,
}
