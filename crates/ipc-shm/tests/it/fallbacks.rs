//! What older kernels and other hosts lack: each weaker form, forced.

use ipc_shm::{Backing, ErrorKind, Options, Region};
use ipc_testkit::{TempDir, deny, deny_where, isolated};

fn exercise() {
    let region = ipc_shm::anonymous(100_000).expect("made");
    region.write_at(99_990, b"0123456789").expect("inside");
    let peer = Region::from_fd(region.to_fd().expect("a copy")).expect("a region");
    let mut copy = [0; 10];
    peer.read_at(99_990, &mut copy).expect("inside");
    assert_eq!(&copy, b"0123456789");
    let dir = TempDir::new();
    let mut options = Options::new();
    let file = options
        .backing(Backing::File)
        .size_bytes(100_000)
        .create(dir.join("file"));
    file.expect("made").verify().expect("whole");
}

#[test]
fn without_the_no_exec_seal_memory_is_made_all_the_same() {
    isolated!({
        // MFD_NOEXEC_SEAL, Linux 6.3.
        deny_where(libc::SYS_memfd_create, 1, 8, 8, libc::EINVAL);
        exercise();
    });
}

#[test]
fn without_fallocate_every_byte_is_written() {
    isolated!({
        deny(libc::SYS_fallocate, libc::EOPNOTSUPP);
        exercise();
    });
}

#[test]
fn without_memory_files_the_error_says_so() {
    isolated!({
        deny(libc::SYS_memfd_create, libc::ENOSYS);
        let error = ipc_shm::anonymous(100).expect_err("none");
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    });
}

#[test]
fn without_watches_a_whole_object_opens_and_a_limit_is_named() {
    isolated!({
        deny(libc::SYS_inotify_init1, libc::EMFILE);
        let named = crate::named::Named::new(Backing::Posix);
        drop(named.options.create(&named.name).expect("new"));
        named.options.open(&named.name).expect("no wait, no watch");
    });
}

#[test]
fn each_call_that_fails_is_an_error_and_leaves_nothing() {
    isolated!({
        for (call, errno, kind) in [
            (libc::SYS_ftruncate, libc::EIO, ErrorKind::Other),
            (libc::SYS_fchmod, libc::EPERM, ErrorKind::Denied),
        ] {
            // Denials add up, in a process that is the test's own.
            deny(call, errno);
            let dir = TempDir::new();
            let mut options = Options::new();
            options.backing(Backing::File).size_bytes(1000);
            let error = options.create(dir.join("file")).expect_err("it fails");
            assert_eq!(error.kind(), kind, "{error}");
            assert!(!dir.join("file").exists(), "nothing half-made");
        }
        let error = ipc_shm::anonymous(10).expect_err("fchmod fails");
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    });
}

#[test]
fn the_probe_says_what_this_host_lacks() {
    isolated!({
        let here = ipc_shm::probe();
        assert!(here.memory_files);
        deny_where(libc::SYS_memfd_create, 1, 8, 8, libc::EINVAL);
        let older = ipc_shm::probe();
        assert!(older.memory_files && !older.no_exec_seal, "{older:?}");
    });
}

/// One failing call in a child of its own: typed errors, no panic, and no descriptor more.
fn sweep(call: i64, errno: i32) {
    // The parent's, which can still clean up.
    let named = crate::named::Named::new(Backing::Posix);
    crate::fork::in_child(|| {
        let mut options = named.options.clone();
        let region = ipc_shm::anonymous(10_000).expect("before");
        let fds = || std::fs::read_dir("/proc/self/fd").expect("mounted").count();
        let before = fds();
        deny(call, errno);
        let mut attempts: Vec<ipc_shm::Result<()>> = vec![
            ipc_shm::anonymous(10_000).map(drop),
            Options::new()
                .size_bytes(9)
                .backing(Backing::SystemV)
                .anonymous()
                .map(drop),
            region.to_read_only_fd().map(drop),
            region.to_fd().and_then(Region::from_fd).map(drop),
            region.verify(),
        ];
        for trust in [false, true] {
            options.trust_peers(trust);
            attempts.push(options.open_or_create(&named.name).map(drop));
            attempts.push(options.create(&named.name).map(drop));
            attempts.push(options.open(&named.name).and_then(|region| {
                region.write_at(0, b"x")?;
                region.read_at(0, &mut [0; 9])
            }));
            attempts.push(options.unlink(&named.name));
        }
        for error in attempts.into_iter().filter_map(Result::err) {
            assert!(!error.to_string().is_empty());
        }
        assert_eq!(
            fds(),
            before,
            "descriptors leaked: call {call}, errno {errno}"
        );
    });
    // Whatever stands there now, whole or half-made, the next one takes up.
    named
        .options
        .open_or_create(&named.name)
        .expect("no manual clean-up");
}

#[test]
fn every_call_may_fail_with_every_error() {
    isolated!({
        // Not `shmctl`: what the kernel refuses to remove stays, whoever asks.
        for call in [
            libc::SYS_memfd_create,
            libc::SYS_fallocate,
            libc::SYS_ftruncate,
            libc::SYS_fchmod,
            libc::SYS_fcntl,
            libc::SYS_fstatfs,
            libc::SYS_mmap,
            libc::SYS_pread64,
            libc::SYS_pwrite64,
            libc::SYS_prlimit64,
            libc::SYS_shmget,
            libc::SYS_shmat,
            libc::SYS_unlinkat,
        ] {
            for errno in [
                libc::EAGAIN,
                libc::ENOMEM,
                libc::EMFILE,
                libc::ENFILE,
                libc::ENOSPC,
                libc::EIO,
                libc::EACCES,
                libc::EPERM,
                libc::EINVAL,
                libc::ENOSYS,
            ] {
                sweep(call, errno);
            }
        }
    });
}
