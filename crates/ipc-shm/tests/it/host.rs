//! What the process and host may do to us: a full file system, any umask, closed streams, signals.

use crate::named::{NAMED, Named};
use ipc_shm::{Backing, ErrorKind, Options, Region};
use ipc_testkit::{Storm, TempDir, isolated, set_umask, skip, watchdog, without_stdio};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(120);

/// A file system of 1 MiB, mounted for this test.
struct Small(TempDir);

impl Small {
    fn mount() -> Option<Self> {
        let dir = TempDir::new();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=1m", "ipc-test"])
            .arg(dir.path())
            .stderr(std::process::Stdio::null())
            .status();
        mounted
            .is_ok_and(|status| status.success())
            .then(|| Self(dir))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        // Lazily: a child that another test starts holds our descriptors until it has called exec.
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_file_system_is_an_error_at_creation_and_leaves_nothing() {
    let Some(small) = Small::mount() else {
        skip!("needs the right to mount a small tmpfs");
    };
    let mut options = Options::new();
    options.backing(Backing::File).trust_peers(true);
    let path = small.0.join("object");
    for bytes in [1 << 20, 2 << 20, 1 << 30] {
        let error = options
            .size_bytes(bytes)
            .create(&path)
            .expect_err("too large");
        assert_eq!(error.kind(), ErrorKind::NoSpace, "{error}");
        let error = options.open_or_create(&path).expect_err("too large");
        assert_eq!(error.kind(), ErrorKind::NoSpace, "{error}");
        assert!(!path.exists(), "nothing half-made");
    }
    let region = options
        .size_bytes((1 << 20) - 8192)
        .create(&path)
        .expect("it fits");
    // The rest of the file system is used up by others: every page of ours is still there.
    let _ = std::fs::write(small.0.join("filler"), vec![1; 1 << 20]);
    region
        .write_at(0, &vec![7; (1 << 20) - 8192])
        .expect("no SIGBUS: all is reserved");
    region.verify().expect("whole");
    let error = options.create(small.0.join("one more")).expect_err("full");
    assert_eq!(error.kind(), ErrorKind::NoSpace, "{error}");
}

#[test]
fn every_object_has_exactly_its_mode_whatever_the_umask() {
    isolated!({
        for kind in NAMED {
            for umask in [0, 0o022, 0o077, 0o777] {
                for mode in [None, Some(0o600), Some(0o640), Some(0o666)] {
                    let mut named = Named::new(kind);
                    if let Some(mode) = mode {
                        named.options.mode(mode);
                    }
                    let before = set_umask(umask);
                    let made = named.options.create(&named.name);
                    set_umask(before);
                    drop(made.expect("made"));
                    let found = std::fs::metadata(named.path())
                        .expect("there")
                        .permissions();
                    assert_eq!(
                        found.mode() & 0o7777,
                        mode.unwrap_or(0o600),
                        "{kind} {umask:o}"
                    );
                    named.options.open(&named.name).expect("found");
                }
            }
        }
        for umask in [0, 0o777] {
            let before = set_umask(umask);
            let region = ipc_shm::anonymous(10).expect("made");
            set_umask(before);
            let stat = rustix::fs::fstat(region.as_fd().expect("memory")).expect("open");
            assert_eq!(stat.st_mode & 0o7777, 0o600);
        }
    });
}

#[test]
fn closed_standard_streams_are_never_taken_for_memory() {
    isolated!({
        let (region, copy, peer) = without_stdio(|| {
            let region = ipc_shm::anonymous(100).expect("made");
            let copy = region.to_fd().expect("a copy");
            let peer = Region::from_fd(region.to_read_only_fd().expect("a copy")).expect("whole");
            (region, copy, peer)
        });
        for number in [
            region.as_fd().expect("memory").as_raw_fd(),
            copy.as_raw_fd(),
            peer.as_fd().expect("memory").as_raw_fd(),
        ] {
            assert!(number > 2, "descriptor {number}");
        }
    });
}

#[test]
fn a_storm_of_signals_interrupts_nothing() {
    let _watchdog = watchdog(PATIENCE);
    let storm = Storm::here();
    for round in 0..20usize {
        let bytes = (round + 1) << 20;
        let region = ipc_shm::anonymous(bytes).expect("reserved, interrupted or not");
        region.write_at(bytes - 1, &[1]).expect("inside");
        for kind in NAMED {
            let mut named = Named::new(kind);
            named.options.size_bytes(1 << 20);
            let region = named.options.create(&named.name).expect("new");
            let data = vec![round as u8; 1 << 20];
            region.write_at(0, &data).expect("inside");
            let mut copy = vec![0; 1 << 20];
            named
                .options
                .open(&named.name)
                .expect("found")
                .read_at(0, &mut copy)
                .expect("in");
            assert!(copy == data);
        }
    }
    drop(storm);
}
