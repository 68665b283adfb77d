//! The host's limits for queues: named, with their values, before the kernel says a number.

use crate::sys::Make;
use crate::{MAX_MESSAGE_SIZE_BYTES, MAX_MESSAGES};
use ipc_core::{Error, ErrorKind, Name, Result};
use ipc_sys::os_error;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketType};
use rustix::process::{Resource, getrlimit};
use rustix::thread::{CapabilitySet, capabilities};

/// What the kernel counts of a user's RLIMIT_MSGQUEUE for each message that a queue can hold,
/// besides its bytes: a `struct msg_msg` and a `struct posix_msg_tree_node`.
const OVERHEAD_BYTES: u64 = 48 + 48;
/// The latter are at most as many as there are priorities.
const TREE_NODE_BYTES: u64 = 48;
const PRIORITIES: u64 = 32_768;

/// What a queue is made with where the caller has not said it.
pub(crate) fn default_messages() -> usize {
    let set = setting("fs/mqueue/msg_default").unwrap_or(10);
    let most = setting("fs/mqueue/msg_max").unwrap_or(10);
    set.min(most)
}

/// The same for the bytes of a message.
pub(crate) fn default_message_size() -> usize {
    let set = setting("fs/mqueue/msgsize_default").unwrap_or(8192);
    let most = setting("fs/mqueue/msgsize_max").unwrap_or(8192);
    set.min(most)
}

/// Refuses what this host's limits forbid, by their names.
pub(crate) fn check(name: &Name, make: &Make) -> Result<()> {
    let (messages, size) = (make.max_messages, make.message_size_bytes);
    if messages == 0 || size == 0 {
        return Err(Error::new("create", ErrorKind::InvalidInput)
            .on(name)
            .hint("a queue holds at least one message of at least one byte"));
    }
    let refuse = |what: String| {
        Err(Error::new("create", ErrorKind::LimitReached)
            .on(name)
            .hint(what))
    };
    let limits = [
        ("max_messages", messages, "msg_max", MAX_MESSAGES),
        (
            "message_size_bytes",
            size,
            "msgsize_max",
            MAX_MESSAGE_SIZE_BYTES,
        ),
    ];
    for (what, asked, sysctl, hard) in limits {
        if asked > hard {
            return refuse(format!(
                "{what} {asked} is above {hard}, which no host allows"
            ));
        }
        // A privileged process is held by the hard limits alone.
        if let Some(limit) = setting(&format!("fs/mqueue/{sysctl}"))
            && asked > limit
            && !is_privileged()
        {
            return refuse(format!(
                "{what} {asked} is above this host's limit {limit} (fs.mqueue.{sysctl}); raise it \
                 as root with `sysctl fs.mqueue.{sysctl}={asked}`"
            ));
        }
    }
    let (needed, limit) = (bytes_counted(make), getrlimit(Resource::Msgqueue).current);
    if let Some(limit) = limit
        && needed > limit
    {
        return refuse(format!(
            "the queue counts as {needed} bytes, above this process's limit {limit} \
             (RLIMIT_MSGQUEUE); raise it with `ulimit -q {needed}`"
        ));
    }
    Ok(())
}

/// The error of a queue that the kernel did not make after all: what other queues have taken
/// shows nowhere, and a sandbox may hide the rest.
pub(crate) fn explain(name: &Name, make: &Make, errno: Errno) -> Error {
    let error = |what: String| {
        Error::new("create", ErrorKind::LimitReached)
            .on(name)
            .caused_by(errno.into())
            .hint(what)
    };
    let value = |sysctl: &str| {
        let value = setting(&format!("fs/mqueue/{sysctl}"));
        value.map_or_else(|| "unknown".to_owned(), |value| value.to_string())
    };
    match errno {
        Errno::NOSPC => error(format!(
            "the host has all the queues that it may have, {} (fs.mqueue.queues_max); unlink \
             some, or raise it as root with sysctl",
            value("queues_max")
        )),
        Errno::INVAL => error(format!(
            "{} messages of {} bytes are above a limit of this host: {} (fs.mqueue.msg_max) or {} \
             (fs.mqueue.msgsize_max)",
            make.max_messages,
            make.message_size_bytes,
            value("msg_max"),
            value("msgsize_max")
        )),
        // The kernel has one number for both; a descriptor that can be had tells them apart.
        Errno::MFILE if a_descriptor_is_left() => {
            let limit = getrlimit(Resource::Msgqueue).current;
            let limit = limit.map_or_else(|| "none".to_owned(), |limit| limit.to_string());
            error(format!(
                "with this queue's {} bytes this user's queues would count as more than {limit} \
                 bytes (RLIMIT_MSGQUEUE); unlink some, or raise it with `ulimit -q`",
                bytes_counted(make)
            ))
        }
        Errno::NOSYS => unsupported(),
        errno => os_error("create", errno).on(name),
    }
}

fn a_descriptor_is_left() -> bool {
    rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None).is_ok()
}

/// A kernel or a sandbox without queues.
pub(crate) fn unsupported() -> Error {
    Error::new("open", ErrorKind::Unsupported)
        .hint("this kernel has no POSIX queues, or a sandbox forbids them")
}

/// What a queue counts of RLIMIT_MSGQUEUE (getrlimit(2)).
pub(crate) fn bytes_counted(make: &Make) -> u64 {
    let messages = make.max_messages as u64;
    let all_nodes = messages.saturating_mul(OVERHEAD_BYTES + make.message_size_bytes as u64);
    all_nodes.saturating_sub(messages.saturating_sub(PRIORITIES) * TREE_NODE_BYTES)
}

/// The value of a setting below `/proc/sys`, where it can be read.
pub(crate) fn setting(path: &str) -> Option<usize> {
    let text = std::fs::read_to_string(format!("/proc/sys/{path}")).ok()?;
    text.trim().parse().ok()
}

/// Whether the settings of the host hold this thread (CAP_SYS_RESOURCE).
pub(crate) fn is_privileged() -> bool {
    capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::SYS_RESOURCE))
}
