//! The queues of the host, where their file system is mounted and where it is not.

use crate::generator::Named;
use ipc_mq::{ErrorKind, Listed, Options};
use ipc_testkit::{TempDir, isolated, skip};
use nix::mount::{MsFlags, mount, umount};
use nix::sched::{CloneFlags, unshare};
use std::path::Path;

fn found(name: &str, listed: Vec<Listed>) -> Option<Listed> {
    let mut listed = listed.into_iter();
    listed.find(|queue| queue.name == name.trim_start_matches('/'))
}

/// Gives this thread mounts of its own, which no other process sees.
fn own_mounts() -> bool {
    unshare(CloneFlags::CLONE_NEWNS).is_ok() && {
        let flags = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(None::<&Path>, "/", None::<&Path>, flags, None::<&Path>).is_ok()
    }
}

#[test]
fn a_queue_is_listed_from_its_making_to_its_unlinking() {
    if !rustix::process::geteuid().is_root() {
        skip!("needs root to mount the file system of queues");
    }
    isolated!({
        if own_mounts() {
            let dir = TempDir::new();
            let none = None::<&Path>;
            let flags = MsFlags::empty();
            mount(Some("none"), dir.path(), Some("mqueue"), flags, none).expect("root mounts");
            let name = Named::new("listing");
            let before = ipc_mq::list().expect("mounted");
            assert!(found(&name.0, before).is_none());
            let queue = Options::new().mode(0o640).create(&name.0).expect("new");
            let listed = found(&name.0, ipc_mq::list().expect("mounted")).expect("made");
            assert_eq!((listed.uid, listed.mode), (0, 0o640));
            drop(queue);
            assert!(found(&name.0, ipc_mq::list().expect("mounted")).is_some());
            ipc_mq::unlink(&name.0).expect("there");
            assert!(found(&name.0, ipc_mq::list().expect("mounted")).is_none());
            umount(dir.path()).expect("ours");
        } else {
            ipc_testkit::report_skip("listing", "mount namespaces are denied here");
        }
    });
}

#[test]
fn where_nothing_is_mounted_the_error_says_how_to_mount_it() {
    let mounted = std::fs::read_to_string("/proc/self/mountinfo")
        .is_ok_and(|mounts| mounts.lines().any(|line| line.contains(" - mqueue ")));
    if mounted {
        ipc_mq::list().expect("mounted");
        skip!("the file system of queues is mounted here");
    }
    let error = ipc_mq::list().expect_err("not mounted");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("mount -t mqueue"), "{error}");
}
