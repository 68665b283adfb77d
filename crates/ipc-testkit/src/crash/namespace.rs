//! A process id that is used again at once, in a PID namespace made for it.

use super::Forked;
use nix::sched::{CloneFlags, unshare};

/// In a PID namespace of its own: `first` runs as some process and is killed, then `second` runs
/// as another process with the *same* process id. Whether both ran to where they should.
///
/// # Errors
/// A sentence where the host does not let us make a namespace or choose a process id.
pub fn with_reused_pid(first: impl Fn(), second: impl Fn()) -> Result<bool, String> {
    const REFUSED: i32 = 77;
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
    match namespace.status() {
        0 => Ok(true),
        REFUSED => Err("needs the right to make PID namespaces and to choose a process id".into()),
        _ => Ok(false),
    }
}
