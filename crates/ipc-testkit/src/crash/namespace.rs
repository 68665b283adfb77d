//! Process ids that are used again, in PID namespaces made for it.

use super::Forked;
use nix::sched::{CloneFlags, unshare};

/// The exit status of a copy to which the host forbids what it needs.
const REFUSED: i32 = 77;

/// In a PID namespace of its own: `first` runs as some process and is killed, then `second` runs
/// as another process with the *same* process id. Whether both ran to where they should.
///
/// # Errors
/// A sentence where the host does not let us make a namespace or choose a process id.
pub fn with_reused_pid(first: impl Fn(), second: impl Fn()) -> Result<bool, String> {
    let namespace = Forked::new(|| {
        if unshare(CloneFlags::CLONE_NEWPID).is_err() {
            std::process::exit(REFUSED);
        }
        // The next fork is process 1 of the namespace, whose end ends all in it.
        let init = Forked::new(|| {
            let dying = Forked::new(&first);
            let id = dying.id();
            dying.wait_unreaped();
            drop(dying);
            if std::fs::write("/proc/sys/kernel/ns_last_pid", (id - 1).to_string()).is_err() {
                std::process::exit(REFUSED);
            }
            let reborn = Forked::new(&second);
            assert_eq!(reborn.id(), id, "the same process id");
            assert!(reborn.finished());
        });
        std::process::exit(init.status());
    });
    outcome(namespace)
}

/// Runs `part` in a copy of this process whose process id, in a PID namespace of its own, is
/// `id`: whoever takes a process id for an identity mistakes it for the process that has this
/// id elsewhere. Whether it ran to its end.
///
/// # Errors
/// As [`with_reused_pid`].
pub fn with_process_id(id: u32, part: impl Fn()) -> Result<bool, String> {
    let namespace = Forked::new(|| {
        if unshare(CloneFlags::CLONE_NEWPID).is_err() {
            std::process::exit(REFUSED);
        }
        let init = Forked::new(|| {
            if std::fs::write("/proc/sys/kernel/ns_last_pid", (id - 1).to_string()).is_err() {
                std::process::exit(REFUSED);
            }
            let twin = Forked::new(&part);
            assert_eq!(twin.id(), id, "the same process id");
            assert!(twin.finished());
        });
        std::process::exit(init.status());
    });
    outcome(namespace)
}

fn outcome(namespace: Forked) -> Result<bool, String> {
    match namespace.status() {
        0 => Ok(true),
        REFUSED => Err("needs the right to make PID namespaces and to choose a process id".into()),
        _ => Ok(false),
    }
}
