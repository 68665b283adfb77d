//! The hidden `launch` command: takes privileges away from itself, then becomes a test binary.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::errno::Errno;
use nix::libc;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{Gid, Uid, getppid, setgroups, setresgid, setresuid};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch};

use crate::Outcome;

/// What the unprivileged user is called by number: `nobody` almost everywhere.
pub(crate) const NOBODY: u32 = 65534;

/// Becomes another program, tied to the life of the process that asked.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The process whose death ends the program.
    #[arg(long)]
    parent: i32,
    /// Deny debugging and profiling system calls and new privileges.
    #[arg(long)]
    filtered: bool,
    /// Leave root, the big /dev/shm and /dev/mqueue behind as well.
    #[arg(long)]
    unprivileged: bool,
    /// The program, then its arguments.
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

/// Applies what was asked for and replaces this process; returns only when that fails.
pub(crate) fn run(args: Args) -> Outcome {
    if args.unprivileged {
        shrink_the_host()?;
        become_nobody()?;
    }
    // After the change of user, which clears it.
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    if getppid().as_raw() != args.parent {
        return Err("the process that asked is gone".into());
    }
    if args.filtered {
        prctl::set_no_new_privs()?;
        seccompiler::apply_filter(&deny_debugging()?)?;
    }
    let [program, arguments @ ..] = args.command.as_slice() else {
        return Err("no program to launch".into());
    };
    let error = Command::new(program).args(arguments).exec();
    Err(format!("cannot start {}: {error}", PathBuf::from(program).display()).into())
}

/// A mount namespace with a 64 MiB /dev/shm and nothing at /dev/mqueue.
fn shrink_the_host() -> Outcome {
    let nothing: Option<&str> = None;
    unshare(CloneFlags::CLONE_NEWNS)?;
    mount(
        nothing,
        "/",
        nothing,
        MsFlags::MS_REC | MsFlags::MS_PRIVATE,
        nothing,
    )?;
    if Path::new("/dev/shm").is_dir() {
        let options = Some("size=64m,mode=1777");
        mount(
            Some("tmpfs"),
            "/dev/shm",
            Some("tmpfs"),
            MsFlags::MS_NOSUID,
            options,
        )?;
    }
    match umount2("/dev/mqueue", MntFlags::MNT_DETACH) {
        // EINVAL: it is not a mount; ENOENT: this host has none.
        Ok(()) | Err(Errno::EINVAL | Errno::ENOENT) => Ok(()),
        Err(error) => Err(format!("umount /dev/mqueue: {error}").into()),
    }
}

fn become_nobody() -> Outcome {
    let (user, group) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
    setgroups(&[])?;
    setresgid(group, group, group)?;
    setresuid(user, user, user)?;
    Ok(())
}

/// A filter under which looking into other processes fails with `EPERM`.
fn deny_debugging() -> Outcome<BpfProgram> {
    let denied = [
        libc::SYS_ptrace,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
        libc::SYS_perf_event_open,
    ];
    let rules: BTreeMap<_, _> = denied
        .into_iter()
        .map(|number| (number, Vec::new()))
        .collect();
    let deny = SeccompAction::Errno(libc::EPERM.cast_unsigned());
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    Ok(SeccompFilter::new(rules, SeccompAction::Allow, deny, arch)?.try_into()?)
}
