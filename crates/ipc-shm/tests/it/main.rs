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
mod system_v;
mod two_processes;
mod typed;

ipc_testkit::roles! {
    "attach and answer" => two_processes::attach_and_answer,
    "open and add" => two_processes::open_and_add,
    "attach by id" => system_v::attach_by_id,
    "racing creator" => named::race_to_create,
    "create and stay" => crash::create_and_stay,
    "widen" => protection::try_to_widen,
    "scribble" => hostile::scribble,
    "truncate" => hostile::truncate_often,
    "killed creator" => crash::create_until_killed,
}
