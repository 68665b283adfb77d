#![doc = include_str!("../README.md")]

mod crash_point;
mod descriptor;
mod errno;
mod key_file;
mod kind;
mod lock_file;
mod path;
mod place;
mod process;
mod runtime_directory;
mod sigpipe;
mod sys;
mod user_namespace;
mod wait;

#[cfg(feature = "failpoints")]
pub use crate::crash_point::{crash_labels_passed, pass_crash_point};
pub use crate::{
    descriptor::{above_stdio, magic_path, reopen_nonblocking},
    errno::os_error,
    key_file::{Key, KeyFile},
    kind::{DescriptorKind, descriptor_kind, in_words},
    lock_file::LockFile,
    path::{Inode, open_at, open_place, set_mode, unlink_same},
    place::{Place, ToPlace},
    process::Process,
    runtime_directory::RuntimeDirectory,
    sigpipe::{Sigpipe, with_sigpipe_masked},
    user_namespace::every_user_exists_here,
    wait::{PollFd, PollFlags, retry, wait_any, wait_ready},
};
